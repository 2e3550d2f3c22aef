"""The book's sources and executed pages: complete, in order, without errors, and as their notebooks are now."""

import re
from collections import Counter

import jupytext
import nbformat
import pytest
import yaml
from built_book import CHAPTERS, PAGES, ROOT, TOC, html_folder

from clapleak.config import SETUPS

BOOK = ROOT / "book"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
EXECUTED = [name for name in PAGES if name.startswith("pages/")]
PLUMBING = {"hide-input", "remove-input", "remove-cell"}
MACHINE = re.compile(re.escape(str(ROOT)) + r"|/home/|/root/|/tmp/|/Users/|/usr/|[A-Z]:\\\\|site-packages")


class OneKeyOnce(yaml.SafeLoader):
    """YAML in which a key given twice is an error; Jupyter Book would silently take the second one."""


def _mapping(loader: OneKeyOnce, node: yaml.MappingNode) -> dict:
    twice = [key for key, count in Counter(k.value for k, _ in node.value).items() if count > 1]
    assert not twice, f"given twice: {twice}"
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


OneKeyOnce.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


@pytest.fixture(params=EXECUTED)
def page(request) -> nbformat.NotebookNode:
    """Each executed page in turn; its name is in the metadata."""
    path = BOOK / f"{request.param}.ipynb"
    assert path.is_file(), f"{path.relative_to(ROOT)} is missing: make it with `clapleak reproduce`"
    found = nbformat.read(path, 4)
    found.metadata["name"] = path.stem
    return found


def code_cells(page: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in page.cells if cell.cell_type == "code"]


def test_settings_give_no_key_twice_and_execute_nothing():
    config = yaml.load((ROOT / "_config.yml").read_text(encoding="utf-8"), OneKeyOnce)
    assert config["execute"]["execute_notebooks"] == "off"  # quoted: a bare off is the boolean false
    assert not config["launch_buttons"].get("thebe")
    assert config["repository"]["path_to_book"] == "book"


def test_every_text_is_in_the_table_of_contents_once():
    texts = {path.relative_to(BOOK).with_suffix("").as_posix() for path in BOOK.rglob("*.md")}
    pages = (path.relative_to(BOOK) for path in BOOK.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
    executed = {path.with_suffix("").as_posix() for path in pages}
    assert texts <= set(PAGES) and executed <= set(PAGES)
    assert max(Counter(PAGES).values()) == 1
    for name in set(PAGES) - set(EXECUTED):
        assert (BOOK / f"{name}.md").is_file()


def test_every_table_and_figure_of_the_paper_has_its_page_in_order():
    setups = [f"pages/setup_{setup.slug}" for setup in SETUPS]
    results = ["table1_", "fig2_", "table2_", "fig3_", "table3_", "fig4_"]
    assert [name for name in CHAPTERS if "setup_" in name] == setups
    shown = [name for name in CHAPTERS if re.match(r"pages/(table|fig)\d_", name)]
    assert [re.match(r"pages/(\w+?_)", name)[1] for name in shown] == results
    assert TOC["root"] == "pages/intro" and "pages/idea" in CHAPTERS  # the latter draws Figure 1


def test_figure_1_is_drawn():
    assert "Paper Figure 1" in (ROOT / "notebooks" / "idea.py").read_text(encoding="utf-8")


def test_page_has_no_error_and_runs_from_the_top(page):
    cells = code_cells(page)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert outputs
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    for output in outputs:
        data = output.get("data", {})
        # a figure without `%matplotlib inline` is only its name
        assert "image/png" in data or not data.get("text/plain", "").startswith("<Figure")
        if output.output_type == "execute_result":
            assert output.execution_count is not None


def test_page_names_no_path_of_a_machine(page):
    for cell in page.cells:
        texts = [cell.source]
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            texts += [output.get("text", ""), *(data[mime] for mime in data if mime.startswith("text/"))]
        found = [match[0] for text in texts for match in MACHINE.finditer(re.sub(r"base64,[\w+/=]+", "", text))]
        assert not found


def test_page_cells_are_short(page):
    for cell in code_cells(page):
        tags, lines = set(cell.metadata.get("tags", [])), cell.source.splitlines()
        hidden = [line for line in lines if not line.lstrip().startswith("glue(")] if tags & PLUMBING else []
        if "injected-parameters" not in tags:
            assert len(lines) <= 15 and len(hidden) <= 5, cell.source


def test_page_starts_with_its_title_and_has_a_parameters_cell(page):
    assert page.cells[0].cell_type == "markdown" and page.cells[0].source.startswith("# ")
    assert len([cell for cell in page.cells if re.match(r"# ", cell.source) and cell.cell_type == "markdown"]) == 1
    assert len([cell for cell in page.cells if "parameters" in cell.metadata.get("tags", [])]) == 1


def test_page_is_that_of_the_present_notebook(page):
    name = "setup" if page.metadata["name"].startswith("setup_") else page.metadata["name"]
    notebook = jupytext.read(ROOT / "notebooks" / f"{name}.py")
    present = [cell.source for cell in notebook.cells]
    added = {"injected-parameters", "colab"}  # by papermill and by pages.execute
    shown = [cell.source for cell in page.cells if added.isdisjoint(cell.metadata.get("tags", []))]
    assert len(present) == len(shown)
    for now, then in zip(present, shown, strict=True):
        pieces = [re.escape(piece) for piece in re.split(r"\{\{\w+\}\}", now)]  # setup pages fill names in
        assert re.fullmatch(r"[\w-]+".join(pieces), then), "execute the page again: clapleak reproduce"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_solutions_and_captions_of_a_notebook(path):
    notebook = jupytext.read(path)
    for cell in code_cells(notebook):
        picture = cell.metadata.get("mystnb", {})
        if "figure" in picture:
            assert picture["figure"]["caption"].strip()
            assert picture["image"]["alt"].strip()
            assert not re.match(
                r"Figure \d", picture["figure"]["caption"]
            )  # numbers are Jupyter Book's: "Paper Figure"


def test_strict_build_succeeds():
    folder = html_folder()
    for name in PAGES:
        html = (folder / f"{name}.html").read_text(encoding="utf-8")
        for sign in ("unknown document", 'class="problematic"', "{glue:", "{{", "{ref}", "{cite", "{doc}"):
            assert sign not in html, f"{name}: {sign}"
        images = re.findall(r"<img\b[^>]*>", html)
        assert all(re.search(r'alt="[^"]+"', image) for image in images)
    assert (folder / "index.html").is_file()
    assert (folder / "_static" / "mathjax" / "tex-chtml.js").is_file()


def test_the_lesson_takes_ninety_minutes():
    text = (BOOK / "teaching.md").read_text(encoding="utf-8")
    lesson = text.split("## One lesson of 90 minutes")[1].split("##")[0]
    assert sum(map(int, re.findall(r"^\| (\d+) \|", lesson, re.M))) == 90


def test_teaching_names_every_setup_and_measure():
    for name in ("teaching", "cheatsheet"):
        text = (BOOK / f"{name}.md").read_text(encoding="utf-8")
        assert all(f"setup_{setup.slug}.ipynb" in text for setup in SETUPS)
    assert {"table1_accuracy", "table2_silhouette", "table3_topology", "controls", "leaks"} <= set(
        re.findall(r"pages/(\w+)\.ipynb", (BOOK / "teaching.md").read_text(encoding="utf-8"))
    )
