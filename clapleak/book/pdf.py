"""The book as one PDF: one long page of HTML, printed by headless Chromium."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pypdf import PdfWriter
from pypdf.generic import DictionaryObject, NameObject, TextStringObject

from clapleak.book.site import build, chapters
from clapleak.config import ClapleakError
from clapleak.files import atomic_file

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# equations load fonts, which pages from files may not do by default; in virtual time Chromium waits until they are set
_PRINT = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--allow-file-access-from-files",
    "--no-pdf-header-footer", "--generate-pdf-document-outline", "--virtual-time-budget=60000",
)  # fmt: skip


def write_pdf(pages: Path, output: Path, root: Path) -> Path:
    """Build the book from its pages, as `site.build` does, as one page, and print it with links, outline and equations.

    ClapleakError where there is no Chromium, the book does not build, or Chromium does not print it.
    """
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        raise ClapleakError("PDF: no Chromium here; install it, for example with apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder:
        site, printed, first = Path(folder) / "html", Path(folder) / "book.pdf", chapters(root)[0]
        build(pages, site, root, builder="singlehtml")
        page = site / "book.html"  # its addresses count from the folder of the site
        page.write_text(one_page((site / f"{first}.html").read_text(encoding="utf-8"), first), encoding="utf-8")
        command = [browser, *_PRINT, f"--user-data-dir={folder}/profile", f"--print-to-pdf={printed}", page.as_uri()]
        try:
            reason = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900).stderr
        except subprocess.TimeoutExpired:
            reason = "it took more than 15 minutes"
        if not printed.is_file():
            raise ClapleakError(f"PDF: Chromium did not print the book: {reason.strip()[-200:]}")
        book = PdfWriter(clone_from=printed)
        for entry in _entries(book.outline):
            title = str(entry["/Title"])  # Chromium writes it twice where a heading has moved to the next sheet
            half = title[: len(title) // 2]
            entry[NameObject("/Title")] = TextStringObject(half if title == 2 * half else title)
        with atomic_file(output) as file:
            book.write(file)
    return output


def _entries(outline: list) -> Iterator[DictionaryObject]:
    """The entries of an outline; a list in it holds what is below the entry before."""
    for one in outline:
        yield from _entries(one) if isinstance(one, list) else [one.node]


def one_page(text: str, first: str) -> str:
    """Mend links of Sphinx's single page: those through the first page's address, and those to works cited.

    Works cited have numbers as ids, which also figures of other chapters have.
    """
    text = text.replace(f'href="{first}.html#', 'href="#')
    text = re.sub(r'(class="reference internal" href="#|class="citation" id=")(id\d+")', r"\1work-\2", text)
    return text.replace("<article ", f'<article id="document-{first}" ', 1)
