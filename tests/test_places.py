"""The book runs elsewhere: the first cell on Colab, Binder's folder, and what workflows and scripts call."""

import os
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest
import yaml
from browsing import ROOT
from IPython.core.interactiveshell import InteractiveShell

from clapleak.book import site
from clapleak.cli import main

REPO2DOCKER = shutil.which("jupyter-repo2docker", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


def test_the_first_cell_clones_installs_and_goes_there_on_colab_alone(tmp_path, monkeypatch):
    (tmp_path / "_config.yml").write_text("repository: {url: https://example.org/us/book, branch: v7}")
    done, shell = [], InteractiveShell()
    monkeypatch.setattr(shell, "system", done.append)
    monkeypatch.setattr(os, "chdir", lambda folder: done.append(str(folder)))
    monkeypatch.setattr(sys, "path", list(sys.path))
    source = site.colab_cell(tmp_path).source
    shell.run_cell(source).raise_error()
    assert done == []
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    shell.run_cell(source).raise_error()
    clone, install, folder = done
    assert f"--branch v7 https://example.org/us/book {folder}" in clone and f"{folder}[" in install


@pytest.mark.skipif(REPO2DOCKER is None, reason="no repo2docker: pip install jupyter-repo2docker")
def test_binder_s_folder_is_accepted(tmp_path):
    shutil.copytree(ROOT / "binder", tmp_path / "binder")
    shutil.copy(ROOT / "environment.yml", tmp_path)  # the large one, which Binder must not take
    command = [REPO2DOCKER, "--no-build", "--debug", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    assert "binder/environment.yml" in done.stdout + done.stderr


def test_workflows_and_scripts_call_what_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
        for tool, word in (step["run"].split() for job in jobs for step in job["steps"] if "run" in step):
            assert word in targets if tool == "make" else tool == "bash" and (ROOT / word).is_file(), (path, word)
    called = re.findall(r"^\s*clapleak (\w+)", (ROOT / "binder" / "postBuild").read_text(encoding="utf-8"), re.M)
    assert called and set(called) <= set(main.commands)
    assert set(re.findall(r"^make (\w+)", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.M)) <= targets
