"""Shared fixtures: real data where a machine has it, tiny copies of official layouts, and projects to run in."""

import os
import re
import shutil
from collections.abc import Generator, Iterator
from contextlib import chdir
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: threads of several processes wait for one another
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before transformers: no test waits for a foreign server

import official_layouts as layouts
import pytest
from helpers import copy_project
from hypothesis import settings

from clapleak import runs
from clapleak.config import find_root, load_profile
from clapleak.setups import Setup

settings.register_profile("repeatable", derandomize=True, database=None, deadline=None, max_examples=50)
settings.load_profile("repeatable")
BOOK = ("test_book", "test_browser", "test_pdf")  # share one build of the book
FIRST = ["test_slurm", *BOOK, "test_workflow", "test_live"]  # so that no process is left alone with a long one


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """The tests of a file stay in one process, and so do those of the built book, the longest files first.

    Groups by mark (--dist loadgroup) need node ids that can be changed, which pytest 9.2 does not have.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Files(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            name = Path(nodeid.partition("::")[0]).stem
            return "book" if name in BOOK else name

    config.option.loadscopereorder = False  # else the files with most tests come first
    return Files(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: FIRST.index(item.path.stem) if item.path.stem in FIRST else len(FIRST))


# Reasons to skip that hold in continuous integration too; of the real data GitHub's machines have no copy
MAY_SKIP = ["the stored numbers are those of another kind of machine"]
MAY_SKIP += ["real data: "] if os.environ.get("GITHUB_ACTIONS") else []


def _must_run(report: pytest.CollectReport | pytest.TestReport) -> pytest.CollectReport | pytest.TestReport:
    """What skips although continuous integration (CLAPLEAK_CI, set in .ci/run) must run it becomes a failure."""
    reason = report.longrepr[2] if report.skipped else ""
    if os.environ.get("CLAPLEAK_CI") and reason and not any(allowed in reason for allowed in MAY_SKIP):
        report.outcome, report.longrepr = "failed", f"must run here: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator:
    return _must_run((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator:
    return _must_run((yield))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Root of the real data; skips where CLAPLEAK_DATA is not set."""
    root = os.environ.get("CLAPLEAK_DATA")
    if not root:
        pytest.skip("real data: set CLAPLEAK_DATA to a folder with esc50/ and metadata/")
    return Path(root)


@pytest.fixture(scope="session")
def tiny_esc50(tmp_path_factory) -> Path:
    """ESC-50's layout with six complete classes of short clips and one class that lacks most of its clips."""
    classes = [target for target in (0, 30, 10, 3, 45, 16) for _ in range(40)]
    return layouts.esc50(tmp_path_factory.mktemp("tiny"), targets=classes + [34] * 5, seconds=(0.1, 0.1), rate=8000)


@pytest.fixture(scope="session")
def published(tmp_path_factory) -> Path:
    """A folder that pages run in, with the published results; no test changes it."""
    folder = tmp_path_factory.mktemp("published")
    for name in ("profiles", "reference", "notebooks", "results"):
        shutil.copytree(find_root() / name, folder / name)
    shutil.copy(find_root() / "_config.yml", folder)
    return folder


@pytest.fixture
def run_cells(monkeypatch, capsys) -> Iterator:
    """Runs the cells of a notebook in this process and in a folder, with some parameters.

    Gives what the page glued, printed, said in Markdown and drew, and the names that its cells left.
    """
    import matplotlib.pyplot as plt
    import torch
    from browsing import cells
    from IPython.core.interactiveshell import InteractiveShell
    from matplotlib.figure import Figure
    from threadpoolctl import threadpool_limits

    plt.switch_backend("Agg")
    drawn, make_figure = [], Figure.__init__

    def run(path: Path, folder: Path, **parameters: object) -> SimpleNamespace:
        glued, said, shell = {}, [], InteractiveShell()
        monkeypatch.setattr(Figure, "__init__", lambda self, *a, **k: drawn.append(self) or make_figure(self, *a, **k))
        monkeypatch.setattr("myst_nb.glue", lambda name, value, display=True: glued.update({name: value}))
        monkeypatch.setattr("IPython.display.Markdown", lambda text: said.append(text) or text)
        monkeypatch.chdir(folder)
        for cell in cells(path, "code"):
            shell.run_cell(re.sub(r"^%.*", "", cell.source, flags=re.M)).raise_error()
            if "parameters" in cell.metadata.get("tags", []):
                shell.user_ns.update(parameters)
        wanted = re.findall(r"\{glue:text\}`([^`:]+)", "\n".join(cell.source for cell in cells(path, "markdown")))
        assert set(wanted) <= set(glued)
        printed = capsys.readouterr().out
        return SimpleNamespace(glued=glued, printed=printed, said=said, drawn=drawn, names=shell.user_ns)

    before = torch.get_num_threads()
    torch.set_num_threads(1)  # threads of several libraries that wait for one another make a page fifteen times slower
    with threadpool_limits(1):
        yield run
    plt.close("all")
    torch.set_num_threads(before)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A project with one profile as the working directory."""
    (tmp_path / "profiles").mkdir()
    shutil.copy(find_root() / "profiles" / "mini.yaml", tmp_path / "profiles")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def project(tmp_path) -> Path:
    """A copy of what a run reads, without results or anything built."""
    return copy_project(tmp_path / "project")


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    """A folder with the profiles, and with the clips and the captions of the smoke profile."""
    folder = tmp_path_factory.mktemp("built")
    shutil.copytree(find_root() / "profiles", folder / "profiles")
    with chdir(folder):
        runs.open_study(load_profile("smoke"))
    return folder


@pytest.fixture(scope="session")
def study(built):
    """The opened smoke profile, to read from."""
    with chdir(built):
        return runs.open_study(load_profile("smoke"))


@pytest.fixture(scope="session")
def whole(built, tmp_path_factory) -> Path:
    """A copy of that folder with a finished run, clean-clean of seed 0."""
    folder = shutil.copytree(built, tmp_path_factory.mktemp("whole") / "place")
    with chdir(folder):
        runs.run(runs.open_study(load_profile("smoke")), Setup("clean", "clean"))
    return folder


@pytest.fixture
def place(built, tmp_path, monkeypatch) -> Path:
    """A copy of `built` as the working directory, without real data."""
    copy = shutil.copytree(built, tmp_path / "place")
    monkeypatch.chdir(copy)
    monkeypatch.delenv("CLAPLEAK_DATA", raising=False)
    return copy


@pytest.fixture
def finished(place, whole) -> Path:
    """The same with the finished run."""
    return shutil.copytree(whole, place, dirs_exist_ok=True)
