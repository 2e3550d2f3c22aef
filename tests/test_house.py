"""The house: which module may import which, how large they may grow, what an import costs, what a wheel holds."""

import ast
import os
import re
import runpy
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from helpers import call, python

from clapleak import cli
from clapleak.config import find_root
from clapleak.files import PROJECT, output_root

PACKAGE, BENCHMARKS = find_root() / "clapleak", sorted((find_root() / "benchmarks").glob("*.py"))
ORDER = (  # a module imports only what stands before it, also inside functions
    "files config setups identity parallel corpora leakage audio arrays clipstore experiment models features "
    "captions checkpoints loop metrics run_folder embed pretrain train results runs texts plan cli"
).split()
# not counted: an audit of any model, others' networks
APART = (PACKAGE / "audit", *(PACKAGE / "models" / f"{name}.py" for name in ("architectures", "networks")))
CORE = [module for module in ORDER if module not in ("texts", "plan", "cli")]
EXTRAS = tomllib.loads((find_root() / "pyproject.toml").read_text())["project"]["optional-dependencies"]
SUPPLIED = ("Snakefile", "_config.yml", "book", "notebooks", "profiles", "reference", "results", "workflow")
ABOVE = {"cli": {"audit", "book", "fetch"}}  # of what surrounds the core


def imported(path: Path) -> set[str]:
    """Modules of the package that a file imports."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {f"{node.module}.{a.name}" for node in nodes if isinstance(node, ast.ImportFrom) for a in node.names}
    return {name.split(".")[1] for name in names if name.startswith("clapleak.")}


def parts(module: str) -> list[Path]:
    return sorted((PACKAGE / module).glob("*.py")) or [PACKAGE / f"{module}.py"]


def test_every_module_has_its_place():
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert modules | {"corpora", "models"} == set(ORDER)


@pytest.mark.parametrize("module", ORDER)
def test_imports_run_downwards_and_never_into_what_surrounds_the_core(module):
    for path in parts(module):
        allowed = {*ORDER[: ORDER.index(module)], *ABOVE.get(module, ()), *([module] if path.parent != PACKAGE else [])}
        assert not imported(path) - allowed, path.name


def test_the_package_stays_thin():
    lengths = {path: len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    core = [path for module in CORE for path in parts(module)]
    assert {path.name: lengths[path] for path in core if lengths[path] > 230} == {}
    assert sum(lengths[path] for path in parts("audit")) <= 1013  # the aim is 600
    counted = {path: length for path, length in lengths.items() if not any(map(path.is_relative_to, APART))}
    # The aims of the house are 2,700 and 4,900 lines; these bounds go down with every line that goes.
    assert sum(counted.get(path, 0) for path in core) <= 3703
    assert sum(counted.values()) <= 7348  # 8 of them spare the pages that would come out as published


@pytest.mark.parametrize(("modules", "slow"), [
    ("clapleak.leakage clapleak.metrics clapleak.results clapleak.runs clapleak.book.figures clapleak.cli",
     {"torch", "transformers", "torchaudio", "scipy", "sklearn"}),
    ("clapleak.cli", {"numpy", "pandas", "torch", "matplotlib"}),
])  # fmt: skip
def test_neither_reading_drawing_and_filtering_nor_help_import_a_library_that_is_slow(modules, slow):
    code = f"import sys, {', '.join(modules.split())}; print(*{slow} & set(sys.modules))"
    assert python("-c", code).stdout == "\n"


@pytest.mark.slow
def test_a_wheel_holds_the_package_and_what_its_commands_read_and_runs_outside_a_clone(tmp_path):
    """Built by hatchling itself, unpacked, and called from an empty folder without the repository on the path."""
    build = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    done = python("-c", build, tmp_path, cwd=find_root())
    with zipfile.ZipFile(tmp_path / done.stdout.split()[-1]) as wheel:
        wheel.extractall(tmp_path / "site")
    inside = tmp_path / "site" / "clapleak"
    held = {str(path.relative_to(inside)) for path in inside.rglob("*")}
    assert held >= {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.*") if path.suffix != ".pyc"}
    listed = subprocess.run(["git", "ls-files", *SUPPLIED], cwd=find_root(), capture_output=True, text=True, check=True)
    assert held >= {f"project/{name}" for name in listed.stdout.splitlines() if not name.startswith("book/pages/")}
    code = "from clapleak import config, files, results; from clapleak.book import tables\n"
    code += "print(config.load_profile('mini').name, len(tables.printed('accuracy')), files.output_root())\n"
    code += "print(len(results.table(results.folder('mini'))) > 6)"
    done = python("-c", code, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path / "site")})
    assert done.stdout.split() == ["mini", "6", str(tmp_path), "True"]


def test_a_module_that_is_not_installed_is_one_line_with_its_extra(tmp_path, monkeypatch):
    """The smallest extra that brings it, by the metadata of the package; a module of no extra is a defect."""
    listed = ["click>=8.1", *(f"{name}; extra == '{extra}'" for extra, names in EXTRAS.items() for name in names)]
    monkeypatch.setattr(cli, "requires", lambda name: listed)
    for module, extra in {"torch.nn": "train", "soundfile": "train", "IPython": "book", "stream_unzip": "data"}.items():
        assert cli._extra_of(module) == extra
    assert not cli._extra_of("click") and not cli._extra_of("nowhere")
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    monkeypatch.chdir(tmp_path)
    done = call("reproduce", "--profile", "smoke")
    assert (done.exit_code, done.stdout) == (2, "") and not list(tmp_path.iterdir())
    assert done.stderr == "clapleak: torch is not installed: pip install 'clapleak[train]'\n"


def test_training_on_windows_is_refused_in_one_line_and_publishing_outside_a_clone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    done = call("train", "--profile", "smoke", "--setup", "none-clean")
    assert done.exit_code == 2 and re.search("^clapleak: training needs Linux or macOS.*\\n\\Z", done.stderr, re.M)
    monkeypatch.setattr("clapleak.results.table", lambda *_: None)
    done = call("publish", "--profile", "smoke")
    assert done.exit_code == 2 and "publish inside a clone" in done.stderr


def test_what_is_made_goes_to_the_root_that_is_named_else_to_the_clone_else_to_the_working_directory(
    tmp_path, monkeypatch
):
    clone, inner = tmp_path / "clone", tmp_path / "clone" / "inner"
    (clone / "profiles").mkdir(parents=True)
    (clone / "profiles" / "mini.yaml").touch()
    (inner / "profiles").mkdir(parents=True)  # of another program
    for folder, root, output in ((tmp_path, PROJECT, tmp_path), (clone, clone, clone), (inner, clone, clone)):
        monkeypatch.chdir(folder)
        assert (find_root(), output_root()) == (root, output)
        monkeypatch.setenv("CLAPLEAK_ROOT", str(tmp_path / "other"))
        assert (find_root(), output_root()) == (root, tmp_path / "other")
        monkeypatch.delenv("CLAPLEAK_ROOT")


@pytest.mark.slow
@pytest.mark.parametrize("must", [True, False])
def test_what_continuous_integration_must_run_fails_there_when_it_cannot_and_skips_elsewhere(must, monkeypatch):
    """Without Slurm, Chromium, npm and the real data."""
    for name in os.environ:
        if name.startswith(("CLAPLEAK", "GITHUB")):
            monkeypatch.delenv(name)
    environment = {"PATH": "/nowhere"} | ({"CLAPLEAK_CI": "1"} if must else {})
    tests = ["test_slurm.py", "test_networks.py::test_yamnet_agrees_with_its_published_tflite"]
    tests += ["test_browser.py::test_the_cheat_sheet_fits_one_sheet"]
    words = ["-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider", *tests]
    done = python(*words, code=int(must), cwd=PACKAGE.parent / "tests", env=environment)
    for reason in ("Slurm or its executor", "real data: set CLAPLEAK_DATA", "no Chromium: apt-get install"):
        assert (f"must run here: Skipped: {reason}" in done.stdout) == must and reason in done.stdout


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_benchmark_loads(path):
    assert callable(runpy.run_path(str(path))["main"])
