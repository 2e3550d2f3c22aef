"""Notebooks: form, prose without typed numbers, and result pages that run with all, part or none of the results."""

import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import jupytext
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from fake_results import write_project
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.text import Text

from clapleak import metrics, pages
from clapleak.config import SETUPS

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.py"))
RESULT_NOTEBOOKS = [
    p for p in NOTEBOOKS if re.match(r"(table|fig)\d_|(intro|explorer|neighbours|claims|controls|sides|live)$", p.stem)
]
WITHOUT_ANY = [path for path in RESULT_NOTEBOOKS if path.stem in ("intro", "explorer", "neighbours", "claims", "sides")]
PLUMBING = {"hide-input", "remove-input", "remove-cell"}
# where digits may stand: formulas, code and glued values, addresses, numbers of sections
NO_PROSE = re.compile(
    r"\$\$.*?\$\$|\$[^$]+\$|`[^`]*`|\{[\w:-]+\}|\]\([^)]*\)|[Ss]ections? \d[\d.]*( and \d[\d.]*)?", re.S
)


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request) -> nbformat.NotebookNode:
    return jupytext.read(request.param)


def cells(notebook: nbformat.NotebookNode, kind: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def test_first_comes_the_title(notebook):
    assert re.match(r"# \S", notebook.cells[0].source) and notebook.cells[0].cell_type == "markdown"


def test_parameters_are_scalars_with_a_comment_each(notebook):
    tagged = [cell for cell in cells(notebook, "code") if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    for line in tagged[0].source.splitlines():
        assert re.fullmatch(r"""\w+ = ("[^"]*"|-?[\d.]+|True|False)  # \S.*""", line), line


def test_cells_are_short(notebook):
    for cell in cells(notebook, "code"):
        lines = cell.source.splitlines()
        assert len(lines) <= 15, cell.source
        if PLUMBING & set(cell.metadata.get("tags", [])):
            assert len([line for line in lines if not line.lstrip().startswith("glue(")]) <= 5, cell.source


def test_no_decimal_number_is_typed_in_prose(notebook):
    for cell in cells(notebook, "markdown"):
        found = re.search(r"\d\.\d", NO_PROSE.sub(" ", cell.source))
        assert not found, f"compute and glue it: ...{found.string[max(0, found.start() - 30) : found.end() + 10]}..."


def test_figures_name_the_paper_s_number_and_have_alt_text(notebook):
    for cell in cells(notebook, "code"):
        picture = cell.metadata.get("mystnb", {})
        drawn = [line for line in cell.source.splitlines() if re.search(r"^\s*(display\()?figures\.[a-z_]+\(", line)]
        tables = ("beside_paper", "origin", "setup_means")
        if [line for line in drawn if not any(name in line for name in tables)]:
            assert len(picture["image"]["alt"]) > 30 and picture["figure"]["caption"].endswith(".")


def run_cells(path: Path, folder: Path, monkeypatch, capsys) -> tuple[dict, str]:
    """Run a notebook's cells in this process; the glued values and what was printed."""
    glued = {}
    monkeypatch.setattr("myst_nb.glue", lambda name, value, display=True: glued.update({name: value}))
    monkeypatch.chdir(folder)
    shell = InteractiveShell()
    for cell in cells(jupytext.read(path), "code"):
        source = cell.source.replace("%matplotlib inline", "")
        shell.run_cell(source).raise_error()
    return glued, capsys.readouterr().out


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    return write_project(tmp_path_factory.mktemp("project"))


def wanted(path: Path) -> set[str]:
    """Names of the glued values that the prose of a notebook asks for."""
    prose = "\n".join(cell.source for cell in cells(jupytext.read(path), "markdown"))
    return {name.split(":")[0] for name in re.findall(r"\{glue:text\}`([^`]+)`", prose)}


@pytest.mark.parametrize("path", RESULT_NOTEBOOKS, ids=lambda path: path.stem)
def test_result_page_runs_and_glues_what_its_prose_asks_for(path, project, monkeypatch, capsys):
    glued, printed = run_cells(path, project, monkeypatch, capsys)
    assert wanted(path) <= set(glued)
    assert "clapleak reproduce" not in printed
    assert not [name for name, value in glued.items() if value != value or value == "no results"]


@pytest.mark.parametrize("path", RESULT_NOTEBOOKS, ids=lambda path: path.stem)
def test_result_page_without_real_results_names_the_command(path, project, tmp_path, monkeypatch, capsys):
    alone = shutil.copytree(project, tmp_path / "alone", ignore=shutil.ignore_patterns("esc50"))
    glued, printed = run_cells(path, alone, monkeypatch, capsys)
    assert wanted(path) <= set(glued)
    reads_real = "real_profile" in path.read_text(encoding="utf-8")
    assert ("clapleak reproduce --profile esc50" in printed) == reads_real


@pytest.mark.parametrize("path", RESULT_NOTEBOOKS, ids=lambda path: path.stem)
def test_result_page_runs_beside_an_unfinished_real_profile(path, project, tmp_path, monkeypatch, capsys):
    part = shutil.copytree(project, tmp_path / "part")
    for slug in ("none-clean", "clean-dirty"):
        shutil.rmtree(part / "results" / "esc50" / slug)
    shutil.rmtree(part / "results" / "esc50" / "dirty-dirty" / "group1-seed1")
    glued, _ = run_cells(path, part, monkeypatch, capsys)
    assert wanted(path) <= set(glued)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_chapter_has_exercises_with_solutions_in_code(path):
    """Two or three, the first page at least one: a question to predict, then a hidden cell that answers it."""
    found, asked = jupytext.read(path).cells, []
    for place, cell in enumerate(found):
        numbers = re.findall(r"^\*\*(?:Exercise )?(\d)[.:]", cell.source, re.M)
        if cell.cell_type == "markdown" and numbers:
            asked += numbers
            solution = next(c for c in found[place:] if "hide-cell" in c.metadata.get("tags", []))
            assert any(line and not line.startswith("#") for line in solution.source.splitlines())
    assert asked == ["1", "2", "3"][: len(asked)] and len(asked) >= (1 if path.stem == "intro" else 2)


@pytest.mark.parametrize("name", ["idea", "world"])
def test_chapters_without_results_run_with_their_solutions(name, monkeypatch, capsys):
    path = Path(__file__).parents[1] / "notebooks" / f"{name}.py"
    monkeypatch.setattr(pages, "_mp3", lambda path: path.encode())  # hundreds of sounds; other tests make some
    plt.switch_backend("Agg")
    glued, _ = run_cells(path, path.parents[1], monkeypatch, capsys)
    assert wanted(path) <= set(glued)
    plt.close("all")


def test_leaks_page_glues_what_it_asks_for_and_draws_legibly(monkeypatch, capsys):
    path = Path(__file__).parents[1] / "notebooks" / "leaks.py"
    plt.switch_backend("Agg")
    glued, _ = run_cells(path, path.parents[1], monkeypatch, capsys)
    assert wanted(path) <= set(glued)
    pictures = [cell for cell in cells(jupytext.read(path), "code") if "figure" in cell.metadata.get("mystnb", {})]
    drawn = [plt.figure(number) for number in plt.get_fignums()]
    assert len(drawn) == len(pictures) >= 6
    for figure in drawn:
        texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
        assert figure.get_figwidth() <= 7 and min(text.get_fontsize() for text in texts) >= 9  # points, for a phone
    plt.close("all")


@pytest.mark.parametrize("path", WITHOUT_ANY, ids=lambda path: path.stem)
def test_result_page_without_any_result_names_both_commands(path, project, tmp_path, monkeypatch, capsys):
    bare = shutil.copytree(project, tmp_path / "bare", ignore=shutil.ignore_patterns("results"))
    glued, printed = run_cells(path, bare, monkeypatch, capsys)
    assert wanted(path) <= set(glued)
    for profile in ("mini", "esc50"):
        assert f"clapleak reproduce --profile {profile}" in printed


def test_labels_in_the_middle_of_their_other_sounds_by_hand():
    path = Path(__file__).parents[1] / "notebooks" / "sides.py"
    source = next(cell.source for cell in cells(jupytext.read(path), "code") if cell.source.startswith("def middle"))
    exec(source, space := {"np": np, "metrics": metrics})
    rng, labels = np.random.default_rng(0), np.repeat(np.arange(4), [3, 5, 2, 6])
    E_a = metrics.unit(np.eye(4)[labels] + rng.normal(0, 0.7, (16, 4)))
    right = 0
    for i, clip in enumerate(E_a):
        middles = [E_a[[j for j in np.flatnonzero(labels == c) if j != i]].mean(0) for c in range(4)]
        right += np.argmax([clip @ m / np.linalg.norm(m) for m in middles]) == labels[i]
    assert 0 < right < 16
    assert space["middle"](SimpleNamespace(embeddings={"E_a": E_a, "labels": labels})) == right / 16


def test_setup_page_has_a_title_for_every_setup():
    notebook = jupytext.read(Path(__file__).parents[1] / "notebooks" / "setup.py")
    titles = set()
    for setup in SETUPS:
        page = jupytext.reads(jupytext.writes(notebook, "py:percent"), "py:percent")
        pages._fill_in(page, {"pretraining": setup.pretraining, "training": setup.training})
        assert "{{" not in "".join(cell.source + str(dict(cell.metadata)) for cell in page.cells)
        titles.add(page.cells[0].source.splitlines()[0])
    assert len(titles) == len(SETUPS)
