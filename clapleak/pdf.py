"""The finished HTML of the book as one PDF, printed page by page by headless Chromium."""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, NumberObject, TextStringObject

from clapleak.config import ClapleakError
from clapleak.files import atomic_file, say

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# virtual time: Chromium waits until scripts have set the equations, and no longer
_PRINT = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-pdf-header-footer", "--virtual-time-budget=20000",
)  # fmt: skip


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it so)
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Address of a folder, served on this machine alone; equations need it, since files may not load fonts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def chapters(root: Path) -> list[str]:
    """Pages of the book in the order of its table of contents: "pages/intro", "pages/idea", ..."""
    toc = yaml.safe_load((root / "book" / "_toc.yml").read_text(encoding="utf-8"))
    return [toc["root"], *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"])]


def write_pdf(html: Path, names: list[str], output: Path) -> Path:
    """Print pages of the built book and join them; links between them stay links within the PDF.

    Parameters
    ----------
    html : Path
        Folder of the finished HTML.
    names : list of str
        Pages in their order, as `chapters` gives them.
    output : Path
        The PDF; it appears whole or not at all.

    Raises
    ------
    ClapleakError
        No Chromium, a page that is not built, or a page that Chromium does not print.
    """
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise ClapleakError("PDF: no Chromium here; install it, for example with apt-get install chromium")
    absent = [name for name in names if not (html / f"{name}.html").is_file()]
    if absent:
        raise ClapleakError(f"{html}: pages missing: {', '.join(absent)}; build the book with `clapleak book`")
    book, starts = PdfWriter(), {}
    with served(html) as site, tempfile.TemporaryDirectory() as folder:
        for name in names:
            printed = Path(folder) / "page.pdf"
            printed.unlink(missing_ok=True)
            command = [browser, *_PRINT, f"--user-data-dir={folder}/profile", f"--print-to-pdf={printed}"]
            try:
                done = subprocess.run(
                    [*command, f"{site}/{name}.html"], capture_output=True, text=True, check=False, timeout=180
                )
            except subprocess.TimeoutExpired as error:
                raise ClapleakError(f"{name}.html: Chromium did not print it within three minutes") from error
            if not printed.is_file():
                raise ClapleakError(f"{name}.html: Chromium did not print it: {done.stderr.strip()[-200:]}")
            page = PdfReader(io.BytesIO(printed.read_bytes()))
            _resolve(page)
            starts[name] = len(book.pages)
            title = (page.metadata.title if page.metadata else None) or name
            book.append(page, outline_item=title.split(" — ")[0], import_outline=False)
            say(f"pdf: {name}, {len(page.pages)} pages")
        _link(book, site, starts)
    book.add_metadata({"/Title": "clapleak", "/Author": "The clapleak authors"})
    book.root_object[NameObject("/Lang")] = TextStringObject("en")
    with atomic_file(output) as file:
        book.write(file)
    return output


def _links(page: DictionaryObject) -> Iterator[DictionaryObject]:
    for reference in page.get("/Annots", []):
        if (link := reference.get_object()).get("/Subtype") == "/Link":
            yield link


def _resolve(page: PdfReader) -> None:
    """Give links within one page of the book their place: names of places would clash in the joined file."""
    named = page.named_destinations
    for sheet in page.pages:
        for link in _links(sheet):
            target = named.get(str(link.get("/Dest")))
            if target is not None:
                link[NameObject("/Dest")] = ArrayObject([target.dest_array[0], *target.dest_array[1:]])
    for key in ("/Dests", "/Names"):
        page.root_object.pop(key, None)


def _link(book: PdfWriter, site: str, starts: dict[str, int]) -> None:
    """Turn links to other pages of the book into places of the PDF; the server that they name is gone afterwards."""
    for sheet in book.pages:
        for link in _links(sheet):
            address = str(link.get("/A", {}).get("/URI", ""))
            if not address.startswith(site):
                continue
            del link["/A"]
            name = urlsplit(address).path.strip("/").removesuffix(".html")
            if name in starts:
                target = book.pages[starts[name]].indirect_reference
                link[NameObject("/Dest")] = ArrayObject([target, NameObject("/XYZ"), *[NumberObject(0)] * 3])
