"""The book runs elsewhere: launch buttons, the first cell on Colab, Binder's folder, and what the workflows call."""

import os
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import yaml
from built_book import PAGES, ROOT, html_folder
from IPython.core.interactiveshell import InteractiveShell

from clapleak import pages
from clapleak.config import ClapleakError

REPOSITORY = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]
EXECUTED = [name for name in PAGES if name.startswith("pages/")]
REPO2DOCKER = shutil.which("jupyter-repo2docker", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.parametrize("name", EXECUTED)
def test_page_installs_from_the_one_setting_on_colab(name):
    page = nbformat.read(ROOT / "book" / f"{name}.ipynb", 4)
    cell = next(cell for cell in page.cells if cell.cell_type == "code")
    again = "the settings or the cell changed: execute the page again with `clapleak reproduce`"
    assert cell.source == pages.colab_cell(ROOT).source, again
    assert "remove-cell" in cell.metadata["tags"] and not cell.outputs
    assert page.metadata.get("accelerator") == ("GPU" if "setup_" in name else None)


def test_the_address_of_the_first_cell_is_that_of_the_settings(tmp_path):
    (tmp_path / "_config.yml").write_text("repository: {url: https://example.org/us/book, branch: v7}")
    source = pages.colab_cell(tmp_path).source
    assert "--branch v7 https://example.org/us/book " in source and REPOSITORY["url"] not in source
    assert len(source.splitlines()) <= 5
    (tmp_path / "_config.yml").write_text("repository: {branch: v7}")
    with pytest.raises(ClapleakError, match="_config.yml"):
        pages.colab_cell(tmp_path)


def run_first_cell(monkeypatch) -> list[str]:
    """Commands that the first cell gives to the system, with the folder that it goes to as the last entry."""
    done: list[str] = []
    shell = InteractiveShell()
    monkeypatch.setattr(shell, "system", done.append)
    monkeypatch.setattr(os, "chdir", lambda folder: done.append(str(folder)))
    monkeypatch.setattr(sys, "path", list(sys.path))
    shell.run_cell(pages.colab_cell(ROOT).source).raise_error()
    return done


def test_the_first_cell_clones_installs_and_goes_there_on_colab_alone(monkeypatch):
    assert run_first_cell(monkeypatch) == []
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    clone, install, folder = run_first_cell(monkeypatch)
    assert f"--branch {REPOSITORY['branch']} {REPOSITORY['url']} {folder}" in clone
    assert install.startswith("pip install") and f"{folder}[offline]" in install


def test_every_notebook_page_has_both_buttons_to_a_notebook_that_exists():
    owner = REPOSITORY["url"].removeprefix("https://github.com/")
    for name in EXECUTED:
        html = (html_folder() / f"{name}.html").read_text(encoding="utf-8")
        colab = re.search(r'href="https://colab\.research\.google\.com/github/([^"]+)"', html)[1]
        binder = re.search(r'href="https://mybinder\.org/v2/gh/([^"]+)"', html)[1]
        assert colab == f"{owner}/blob/{REPOSITORY['branch']}/book/{name}.ipynb"
        assert binder == f"{owner}/{REPOSITORY['branch']}?urlpath=lab/tree/book/{name}.ipynb"
        assert (ROOT / "book" / f"{name}.ipynb").is_file()
        assert "google.colab" not in html  # the first cell is not shown


@pytest.mark.skipif(REPO2DOCKER is None, reason="no repo2docker: pip install jupyter-repo2docker")
def test_binder_s_folder_is_accepted(tmp_path):
    shutil.copytree(ROOT / "binder", tmp_path / "binder")
    shutil.copy(ROOT / "environment.yml", tmp_path)  # the large one, which Binder must not take
    command = [REPO2DOCKER, "--no-build", "--debug", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    text = done.stdout + done.stderr
    assert done.returncode == 0, text[-2000:]
    assert "binder/environment.yml" in text and "./binder/postBuild" in text


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda path: path.stem)
def test_workflow_calls_what_exists(path):
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
    lines = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    for line in lines:
        tool, word = line.split()
        assert word in targets() if tool == "make" else tool == "bash" and (ROOT / word).is_file(), line
    if path.stem == "book":
        published = [step["with"]["path"] for job in jobs for step in job["steps"] if "pages-artifact" in str(step)]
        assert published == ["_build/html"]


def test_binder_s_last_step_and_ci_call_commands_that_exist():
    from clapleak.cli import main

    script = (ROOT / "binder" / "postBuild").read_text(encoding="utf-8")
    called = re.findall(r"^\s*clapleak (\w+)", script, re.M)
    assert {"store", "pretrain"} <= set(called) <= set(main.commands)
    assert set(re.findall(r"^make (\w+)", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.M)) <= targets()


def test_costs_name_every_place_and_how_each_number_came_about():
    costs = pd.read_csv(ROOT / "reference" / "costs.csv")
    assert {"laptop", "Binder", "Colab", "cluster"} <= set(costs["place"])
    measured = costs["measured"] == "yes"
    assert set(costs.loc[~measured, "measured"]) <= {"not yet"}
    assert costs.loc[measured, ["minutes", "date", "machine"]].notna().all(axis=None)
    assert costs.loc[~measured, ["minutes", "memory (GB)"]].isna().all(axis=None)
    html = (html_folder() / "run.html").read_text(encoding="utf-8")
    assert all(f"<p>{row.what}</p>" in html for row in costs.itertuples())
