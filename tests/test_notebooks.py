"""Notebooks: their form, prose without typed numbers, and pages that run with all, part or none of the results."""

import json
import re
import shutil
from pathlib import Path

import jupytext
import numpy as np
import pytest
from browsing import ROOT, cells
from matplotlib.figure import Figure
from matplotlib.text import Text

from clapleak import results
from clapleak.book import site
from clapleak.setups import SETUPS

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
RESULTS = [path for path in NOTEBOOKS if path.stem not in (*site.WITHOUT_RESULTS, "setup")]
WITHOUT_EXERCISES = {"intro", "setup", "slides", "model_card", "data_card"}
WITHOUT_ANY = {"intro", "explorer", "neighbours", "claims", "centroids"}  # run before there is any result
FEWER = {"audit": {"draws": 1}, "idea": {"steps": 20}}  # parameters of pages whose loops are long
# where digits may stand: formulas, code and glued values, addresses, numbers of sections
NO_PROSE = re.compile(
    r"\$\$.*?\$\$|\$[^$]+\$|`[^`]*`|\{[\w:-]+\}|\]\([^)]*\)|[Ss]ections? \d[\d.]*( and \d[\d.]*)?", re.S
)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_form(path):
    """Commented parameters, short cells, described figures, no number in prose, exercises with solutions."""
    code, prose, everything = cells(path, "code"), cells(path, "markdown"), jupytext.read(path).cells
    (parameters,) = [cell.source for cell in code if "parameters" in cell.metadata.get("tags", [])]
    for line in parameters.splitlines():
        assert re.fullmatch(r"""\w+ = ("[^"]*"|-?[\d.]+|True|False)  # \S.*""", line), line
    for cell in code:
        assert len(cell.source.splitlines()) <= 15, cell.source
        picture = cell.metadata.get("mystnb", {})
        if picture or re.search(r"^(display\()?figures\.\w+\(", cell.source, re.M):
            assert len(picture["image"]["alt"]) > 30 and picture["figure"]["caption"].endswith(".")
            assert not re.match(r"Figure \d", picture["figure"]["caption"])  # those numbers are Jupyter Book's
    for cell in prose:
        typed = re.search(r".{,30}\d\.\d.{,10}", NO_PROSE.sub(" ", cell.source))
        assert not typed, f"compute and glue it: {typed[0]}"
    asked = [len(re.findall(r"^\*\*(?:Exercise )?\d[.:]", cell.source, re.M)) for cell in prose]
    solutions = [bool({"hide-cell", "answer"} & set(cell.metadata.get("tags", []))) for cell in everything]
    assert sum(solutions) >= sum(asked) >= (0 if path.stem in WITHOUT_EXERCISES else 2)


def legible(figure: Figure) -> bool:
    """Whether a figure has text, and none of it is too small for a phone at a width of 7 inches."""
    figure.draw_without_rendering()
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    return min(text.get_fontsize() for text in texts) >= 9  # points


def slow(path: Path):
    """A page that takes some seconds is left out with the slow tests."""
    several = path.stem.startswith(("table", "audit", "centroids", "claims", "degrees", "networks"))
    return pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if several else [])


each_result_page = pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)


@pytest.mark.parametrize("path", [slow(path) for path in (*RESULTS, ROOT / "notebooks" / "setup.py")])
def test_page_with_all_results_glues_numbers_and_draws_legibly(path, published, run_cells):
    done = run_cells(path, published)
    assert "clapleak reproduce" not in done.printed
    assert not [name for name, value in done.glued.items() if value != value or value == "no results"]
    if path.stem == "slides":  # what names in the captions add
        assert re.search(r"^- synthetic sounds: \*\*\+\d.*, more$", done.said[1], re.M)
    if path.stem == "setup":
        run_cells(path, published, profile="esc50", group=0)  # draws few classes, not many
    assert all(map(legible, done.drawn))


@pytest.fixture(scope="module", params=["reversed", "noise"])
def perturbed(request, published, tmp_path_factory) -> tuple[str, Path]:
    """The same results, but the better a setup was the worse it is now, or with accuracies that say nothing."""
    root, rng = tmp_path_factory.mktemp("perturbed") / "project", np.random.default_rng(0)
    for path in shutil.copytree(published, root).glob("results/*/*/*/metrics.json"):
        numbers = json.loads(path.read_text())
        if "accuracy" in numbers:
            numbers["accuracy"] = 1 - numbers["accuracy"] if request.param == "reversed" else rng.random()
        numbers["silhouette"] = {space: -value for space, value in numbers["silhouette"].items()}
        path.write_text(json.dumps(numbers))
    return request.param, root


@pytest.mark.slow
@each_result_page
def test_sentences_follow_the_numbers(path, perturbed, run_cells):
    kind, root = perturbed
    done = run_cells(path, root)
    texts = [*done.said, *(value for value in done.glued.values() if isinstance(value, str))]
    assert not [text for text in texts if re.search(r"\bnan\b|no results", text)]
    if path.stem == "slides" and kind == "reversed":
        assert re.search(r"^- synthetic sounds: \*\*-\d.*, less$", done.said[1], re.M)
    if path.stem == "table1_accuracy":  # the paper's own values stay as they are
        (falls,) = (line for line in done.said[0].split("\n\n") if "Accuracy falls" in line)
        holds, *others = falls.split("; it ")
        assert holds.endswith("*holds* in the paper's table (of 9 differences the smallest is 0.08)")
        assert "*holds*" not in others[0] and ("contradicted" in others[0]) >= (kind == "reversed")


@pytest.fixture(scope="module")
def mine(published, tmp_path_factory) -> Path:
    """The user ran one seed of `mini` without two controls, nothing on real sounds; a published run is unfinished."""
    mine = shutil.copytree(published, tmp_path_factory.mktemp("mine") / "project")
    without = shutil.ignore_patterns("seed[1-9]", "none-matched", "clean-leak50")
    shutil.copytree(mine / "results" / "mini", mine / "build" / "results" / "mini", ignore=without)
    shutil.rmtree(mine / "results" / "esc50" / "none-clean")
    return mine


@pytest.mark.slow
@each_result_page
def test_page_of_a_user_s_book_names_the_command_of_what_is_missing(path, mine, run_cells):
    done = run_cells(path, mine, own=True)
    assert all(map(legible, done.drawn))
    shown = done.printed
    source = path.read_text(encoding="utf-8")
    controls = any(name in source for name in ("MATCHED", "SHARES", "SURFACE"))
    assert ("clapleak reproduce --profile mini" in shown) == controls
    assert ("none-clean" in shown and "--profile esc50" in shown) >= ("table_or_note(real_folder" in source)


def test_runs_that_equal_the_published_ones_are_not_compared_with_themselves(published, tmp_path, run_cells):
    """The comparison is of new seeds where there are some, and an own profile is set beside the published mini."""
    folder = tmp_path / "project"
    for part in ("profiles", "reference", "results/mini"):
        shutil.copytree(published / part, folder / part)
    own, path = folder / "build" / "results", ROOT / "notebooks" / "yours.py"
    for setup in SETUPS:
        shutil.copytree(folder / "results" / "mini" / setup.slug / "seed1", own / "mini" / setup.slug / "seed1")
    done = run_cells(path, folder, own=True)
    assert done.glued["yours"].startswith(
        f"{6 * 6} of {6 * 6} means within the published range; of mini 6 of 6 runs equal"
    )
    assert done.glued["yours"].endswith("says only that this machine gives the same numbers")
    for setup in SETUPS:
        for profile, seed in (("mini", 10), ("mymini", 1)):
            place = own / profile / setup.slug / f"seed{seed}"
            numbers = json.loads((own / "mini" / setup.slug / "seed1" / "metrics.json").read_text())
            shutil.copytree(own / "mini" / setup.slug / "seed1", place)
            numbers |= {"profile": profile, "seed": seed, "accuracy": 1.0}
            (place / "metrics.json").write_text(json.dumps(numbers))
    done = run_cells(path, folder, own=True)
    assert done.glued["yours"].endswith(
        "6 of 12 runs equal the published run of the same setup and seed in every measure: "
        "they are left out of the comparison"
    )
    assert {*done.names["yours"]["mini"]["yours"].xs("accuracy", level="measure")} == {"1.00"}
    assert "--seed 10 " in done.names["train"]
    done = run_cells(path, folder, own=True, profile="mymini")
    assert "of mymini 0 of 6 runs equal" in done.glued["yours"] and done.names["title"].endswith(
        "beside the published runs of mini"
    )


@pytest.mark.slow
def test_setup_page_of_a_control_has_no_paper_s_value_and_a_page_says_before_it_trains(
    published, tmp_path, monkeypatch, run_cells
):
    for part in ("profiles", "reference"):
        shutil.copytree(published / part, tmp_path / part)
    place = tmp_path / "build" / "results" / "mini" / "dirty-matched" / "seed0"
    shutil.copytree(published / "results" / "mini" / "dirty-dirty" / "seed0", place)
    numbers = json.loads((place / "metrics.json").read_text()) | {"training": "matched"}
    (place / "metrics.json").write_text(json.dumps(numbers))
    said, path = [], ROOT / "notebooks" / "setup.py"
    monkeypatch.setattr("clapleak.files.say", said.append)
    done = run_cells(path, tmp_path, training="matched", own=True)
    assert not said and done.names["table"]["paper"].isna().all()
    monkeypatch.setattr("clapleak.runs.obtain", lambda *_, **__: results.read_run(place))
    for seed, why in ((1, "published without embeddings: trained again"), (99, "no finished run: trained")):
        run_cells(path, published, seed=seed)
        assert said.pop().startswith(f"mini, dirty-dirty/seed{seed}: {why} on this machine")


@pytest.mark.parametrize("name", sorted(WITHOUT_ANY))
def test_page_without_any_result_names_the_commands(name, published, tmp_path, run_cells):
    path = ROOT / "notebooks" / f"{name}.py"
    bare = shutil.copytree(published, tmp_path / "bare", ignore=lambda *_: {"results"})
    shown = run_cells(path, bare).printed
    named = re.findall(r'^(?:\w+_)?profile = "([\w-]+)"', path.read_text(encoding="utf-8"), re.M)
    assert all(f"clapleak reproduce --profile {profile}" in shown for profile in named) and "mini" in named


@pytest.mark.parametrize("path", [slow(ROOT / "notebooks" / f"{name}.py") for name in site.WITHOUT_RESULTS])
def test_page_without_runs_draws_legibly(path, monkeypatch, run_cells):
    monkeypatch.setattr(site, "_mp3", lambda path: path.encode())  # hundreds of sounds; other tests make some
    drawn = run_cells(path, ROOT, **FEWER.get(path.stem, {})).drawn
    assert all(map(legible, drawn)) and (path.stem == "sounds" or all(figure.get_figwidth() <= 7 for figure in drawn))
