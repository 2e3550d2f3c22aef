"""The smoke workflow, repeated and killed: same numbers, whatever happens on the way, and nothing outside build/."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import files, write_profile

from clapleak.setups import CLEANER, SETUPS

pytestmark = pytest.mark.slow
CLI = str(Path(sys.executable).parent / "clapleak")
TRAIN = [CLI, "train", "--profile", "smoke", "--setup", "clean-clean"]


def metrics(project: Path, slug: str = "clean-clean") -> str:
    return (project / "build" / "results" / "smoke" / slug / "seed0" / "metrics.json").read_text()


def start(command: list[str], project: Path) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(project), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(command, cwd=project, env=environment, stderr=subprocess.PIPE, text=True)


def finish(command: list[str], project: Path) -> str:
    """What a command that succeeds says on stderr."""
    process = start(command, project)
    _, said = process.communicate()
    assert process.returncode == 0, said[-3000:]
    return said


def outside(project: Path) -> dict[str, bytes]:
    """What a run must leave alone."""
    return {name: content for name, content in files(project).items() if not name.startswith(("build/", ".snakemake/"))}


def test_the_whole_workflow_runs_and_a_second_call_changes_nothing(project):
    (project / "results" / "smoke").mkdir(parents=True)
    (project / "results" / "smoke" / "note").write_text("published")
    command, before = [CLI, "reproduce", "--profile", "smoke", "--cores", "2"], outside(project)
    finish(command, project)
    first = {setup.slug: metrics(project, setup.slug) for setup in SETUPS}
    for slug, text in first.items():
        found = json.loads(text)
        assert f"{found['pretraining']}-{found['training']}" == slug and found["synthetic"] is True
        assert (found["data"]["pairs_removed"] > 0) == (found["training"] == "clean")
        page = (project / "build" / "smoke" / "pages" / f"setup_{slug}.ipynb").read_text()
        assert '"output_type": "error"' not in page and str(project) not in page
    made = {path: path.stat().st_mtime_ns for path in (project / "build" / "results").rglob("metrics.json")}
    finish([*command, "--controls", "cleaner"], project)
    assert {setup.slug: metrics(project, setup.slug) for setup in SETUPS} == first
    assert all(path.stat().st_mtime_ns == time for path, time in made.items())
    assert all(json.loads(metrics(project, setup.slug))["data"]["pairs"] for setup in CLEANER)
    assert outside(project) == before


def killed_after(line: str, delay: float, project: Path) -> list[str]:
    """Start the training and kill -9 it some seconds after a line of progress; the epochs it reported in all."""
    process, seen = start(TRAIN, project), []
    for text in process.stderr:
        seen.append(text.strip())
        if seen[-1] == line:
            break
    time.sleep(delay)
    process.kill()
    seen += [text.strip() for text in process.stderr]
    assert process.wait() == -signal.SIGKILL, f"never killed; it said {seen}"
    return [text for text in seen if " epoch " in text]


def test_a_run_killed_three_times_ends_with_the_same_numbers(project):
    """Also: the same command twice from nothing gives the same file, since the killed one starts from nothing too."""
    recipe = {"frozen_epochs": 4, "max_epochs": 10, "stop_patience": 10}  # enough epochs to be killed in each phase
    write_profile(project / "profiles" / "smoke.yaml", recipe=recipe, pretrain={"epochs": 6})
    epochs = [line for line in finish(TRAIN, project).splitlines() if " epoch " in line]
    expected = metrics(project)
    assert len(epochs) == 20
    (project / "build").rename(project / "whole")
    seed = random.randrange(10**6)
    print(f"moments drawn with seed {seed}")
    draw, done = random.Random(seed), 0
    for band in (range(4), range(6, 8), range(13, 18)):  # pre-training, frozen, unfrozen
        seen = killed_after(epochs[draw.choice(band)], draw.uniform(0, 0.1), project)
        first = epochs.index(seen[0])
        assert abs(first - done) <= 1  # finished epochs are not repeated, but for a kill between line and checkpoint
        assert seen == epochs[first : first + len(seen)]  # the losses too
        done = first + len(seen)
    finish(TRAIN, project)
    assert metrics(project) == expected


def test_a_folder_with_a_blank_and_a_sign_in_its_name_is_no_command(project):
    odd = project.rename(project.with_name("my $(touch broken) project's"))
    path = write_profile(odd / "profiles" / "my smoke.yaml", recipe={"frozen_epochs": 1, "max_epochs": 1})
    finish([CLI, "reproduce", "--profile", str(path), "--cores", "2"], odd)
    assert (odd / "build/results/my smoke/none-clean/seed0/metrics.json").is_file()
    assert not list(odd.parent.rglob("broken"))
