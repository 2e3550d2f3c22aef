"""The PDF of the book: every page in order, links that stay inside, equations and figures, nothing to press."""

import pytest
from built_book import PAGES, html_folder

pypdf = pytest.importorskip("pypdf", reason="no pypdf: pip install -e '.[book]'")

from chromium import needs_chromium  # noqa: E402

from clapleak import pdf  # noqa: E402
from clapleak.config import ClapleakError  # noqa: E402

NAMES = ["pages/intro", "pages/idea", "pages/world", "run"]


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> "pypdf.PdfReader":
    """Four pages of the book, printed; all of them take minutes."""
    return pypdf.PdfReader(pdf.write_pdf(html_folder(), NAMES, tmp_path_factory.mktemp("pdf") / "book.pdf"))


def annotations(book) -> list:
    return [one.get_object() for sheet in book.pages for one in sheet.get("/Annots", [])]


@needs_chromium
def test_pages_stand_in_order_and_in_the_outline(book):
    starts = [book.get_destination_page_number(entry) for entry in book.outline]
    titles = [entry.title for entry in book.outline]
    assert titles[0] == "What a leaked label is worth" and titles[-1] == "Run it yourself"
    assert starts[0] == 0 and starts == sorted(set(starts)) and len(starts) == len(NAMES)
    for start, title in zip(starts, titles, strict=True):
        assert " ".join(title.split()[:3]) in " ".join(book.pages[start].extract_text().split())


@needs_chromium
def test_links_stay_in_the_pdf_or_lead_to_the_world(book):
    links = [one for one in annotations(book) if one.get("/Subtype") == "/Link"]
    assert not [one for one in links if "127.0.0.1" in str(one.get("/A", {}).get("/URI", ""))]
    numbers = {sheet.indirect_reference.idnum for sheet in book.pages}
    inside = [one["/Dest"] for one in links if "/Dest" in one]
    assert inside and all(dest[0].idnum in numbers for dest in inside)
    first_of = book.get_destination_page_number(book.outline[-1])
    assert any(dest[0].idnum == book.pages[first_of].indirect_reference.idnum for dest in inside)  # intro names run


@needs_chromium
def test_figures_and_equations_are_there_and_controls_are_not(book):
    text = "\n".join(sheet.extract_text() for sheet in book.pages)
    assert sum(len(sheet.images) for sheet in book.pages) >= 4
    used = [font.get_object() for sheet in book.pages for font in sheet["/Resources"].get("/Font", {}).values()]
    fonts = {str(font.get("/BaseFont") or font["/FontDescriptor"]["/FontName"]) for font in used}
    assert [name for name in fonts if "MathJax" in name], fonts
    assert "\\frac" not in text and "\\sum" not in text
    for word in ("Show code cell", "Print to PDF", "Skip to main content", "Launch", "0:00"):
        assert word not in text


def test_pdf_without_chromium_or_without_html_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pdf, "BROWSERS", ("no-such-browser",))
    with pytest.raises(ClapleakError, match="no Chromium"):
        pdf.write_pdf(tmp_path, ["run"], tmp_path / "book.pdf")
    monkeypatch.setattr(pdf, "BROWSERS", ("sh",))
    with pytest.raises(ClapleakError, match="pages missing: run"):
        pdf.write_pdf(tmp_path, ["run"], tmp_path / "book.pdf")
    assert not (tmp_path / "book.pdf").exists()


def test_order_is_that_of_the_table_of_contents():
    assert pdf.chapters(html_folder().parents[1]) == PAGES
