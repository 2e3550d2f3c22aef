"""The smoke workflow, killed and repeated: same numbers, whatever happens on the way."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clapleak.config import SETUPS, find_root

CLI = str(Path(sys.executable).parent / "clapleak")
TRAIN = [CLI, "train", "--profile", "smoke", "--setup", "clean-clean"]


@pytest.fixture
def project(tmp_path) -> Path:
    """A copy of what a run reads, without results or anything built."""
    root = find_root()
    for name in ("profiles", "notebooks", "reference", "clapleak"):
        shutil.copytree(root / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "Snakefile", tmp_path)
    return tmp_path


def metrics(project: Path, slug: str = "clean-clean") -> str:
    return (project / "results" / "smoke" / slug / "seed0" / "metrics.json").read_text()


def call(command: list[str], project: Path) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(project)}
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_whole_workflow_runs_and_a_second_call_changes_nothing(project):
    command = [CLI, "reproduce", "--profile", "smoke", "--cores", "2"]
    started = time.monotonic()
    done = call(command, project)
    assert done.returncode == 0, done.stderr[-3000:]
    print(f"smoke workflow: {time.monotonic() - started:.0f} s")
    first = {setup.slug: metrics(project, setup.slug) for setup in SETUPS}
    for slug, text in first.items():
        found = json.loads(text)
        assert f"{found['pretraining']}-{found['training']}" == slug
        assert found["synthetic"] is True
        assert (found["data"]["pairs_removed"] > 0) == (found["training"] == "clean")
        page = (project / "build" / "smoke" / "pages" / f"setup_{slug}_seed0.ipynb").read_text()
        assert '"output_type": "error"' not in page
        assert str(project) not in page
    assert call(command, project).returncode == 0
    assert {setup.slug: metrics(project, setup.slug) for setup in SETUPS} == first


@pytest.mark.slow
def test_a_run_killed_three_times_ends_with_the_same_numbers(project):
    """Also: the same command twice from nothing gives the same file, since the killed one starts from nothing too."""
    started = time.monotonic()
    assert call(TRAIN, project).returncode == 0
    whole = time.monotonic() - started
    expected = metrics(project)
    shutil.rmtree(project / "results")
    shutil.rmtree(project / "build")
    kills, seed = 0, random.randrange(10**6)
    print(f"moments drawn with seed {seed}")
    draw = random.Random(seed)
    environment = {**os.environ, "PYTHONPATH": str(project)}
    for _ in range(3):
        process = subprocess.Popen(TRAIN, cwd=project, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(timeout=draw.uniform(0.5, 0.95) * whole)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    assert kills, "the run was always faster than its first time: nothing was killed"
    done = call(TRAIN, project)
    assert done.returncode == 0, done.stderr[-3000:]
    assert metrics(project) == expected


@pytest.mark.slow
def test_training_goes_on_from_its_checkpoint(project):
    """Killed right after a checkpoint of the unfrozen phase: the second run repeats no finished epoch."""
    process = subprocess.Popen(
        TRAIN, cwd=project, env={**os.environ, "PYTHONPATH": str(project)}, stderr=subprocess.PIPE, text=True
    )
    for line in process.stderr:
        if "unfrozen epoch 1/" in line:
            process.send_signal(signal.SIGKILL)
            break
    process.wait()
    again = call(TRAIN, project)
    assert again.returncode == 0, again.stderr[-3000:]
    assert "frozen epoch 1/" not in again.stderr
    resumed = metrics(project)
    shutil.rmtree(project / "results")
    shutil.rmtree(project / "build")
    assert call(TRAIN, project).returncode == 0
    assert metrics(project) == resumed
