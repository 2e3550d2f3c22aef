"""The PDF of the book: every chapter in order, links that stay inside, equations and figures, nothing to press."""

import re

import pytest
from browsing import PAGES, ROOT, html_folder, needs_chromium

pypdf = pytest.importorskip("pypdf", reason="no pypdf: pip install -e '.[book]'")

from clapleak.book import pdf  # noqa: E402
from clapleak.config import ClapleakError  # noqa: E402


def entries(outline: list) -> list:
    """All entries of an outline, in order."""
    return [one for entry in outline for one in (entries(entry) if isinstance(entry, list) else [entry])]


@pytest.mark.slow
@needs_chromium
def test_the_book_is_one_pdf_with_its_links_outline_and_equations(tmp_path):
    book = pypdf.PdfReader(pdf.write_pdf(ROOT / "book" / "pages", tmp_path / "book.pdf", ROOT))
    html = [(html_folder() / f"{name}.html").read_text(encoding="utf-8") for name in PAGES]
    chapters = [re.sub(r"\W", "", re.sub("<[^>]+>|&[^;]+;", "", re.search(r"<h1>(.+?)<a", page)[1])) for page in html]
    outline = [(re.sub(r"\W", "", one.title), book.get_destination_page_number(one)) for one in entries(book.outline)]
    starts = [-1]  # each begins a sheet of its own; the slides have headings that are titles of later chapters
    for chapter in chapters:
        starts.append(next(sheet for title, sheet in outline if title == chapter and sheet > starts[-1]))
    assert starts[1] == 0
    links = [one.get_object() for sheet in book.pages for one in sheet.get("/Annots", [])]
    inside = [str(one["/Dest"]) for one in links if "/Dest" in one]
    outside = [str(one["/A"]["/URI"]) for one in links if "/A" in one]
    assert len(inside) > 3 * len(PAGES) and set(inside) <= set(book.named_destinations)
    assert outside and all(re.match("https?://(?!127)", address) for address in outside)
    fonts = [font.get_object() for sheet in book.pages for font in sheet["/Resources"].get("/Font", {}).values()]
    assert any("MathJax" in str(font.get("/FontDescriptor", {}).get("/FontName")) for font in fonts)
    text = "\n".join(sheet.extract_text() for sheet in book.pages)
    assert sum(len(sheet.images) for sheet in book.pages) >= 40
    for word in ("\\frac", "\\sum", "Show code cell", "Print to PDF", "Skip to main content", "Launch", "0:00"):
        assert word not in text


def test_pdf_without_chromium_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pdf, "BROWSERS", ("no-such-browser",))
    with pytest.raises(ClapleakError, match="no Chromium"):
        pdf.write_pdf(ROOT / "book" / "pages", tmp_path / "book.pdf", ROOT)
