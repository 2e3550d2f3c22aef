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


def call(command: list[str], project: Path) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(project), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)


def outside(project: Path) -> dict[str, bytes]:
    """What a run must leave alone."""
    return {name: content for name, content in files(project).items() if not name.startswith(("build/", ".snakemake/"))}


def test_the_whole_workflow_runs_and_a_second_call_changes_nothing(project):
    (project / "results" / "smoke").mkdir(parents=True)
    (project / "results" / "smoke" / "note").write_text("published")
    command = [CLI, "reproduce", "--profile", "smoke", "--cores", "2"]
    before, started = outside(project), time.monotonic()
    done = call(command, project)
    assert done.returncode == 0, done.stderr[-3000:]
    print(f"smoke workflow: {time.monotonic() - started:.0f} s")
    first = {setup.slug: metrics(project, setup.slug) for setup in SETUPS}
    for slug, text in first.items():
        found = json.loads(text)
        assert f"{found['pretraining']}-{found['training']}" == slug and found["synthetic"] is True
        assert (found["data"]["pairs_removed"] > 0) == (found["training"] == "clean")
        page = (project / "build" / "smoke" / "pages" / f"setup_{slug}.ipynb").read_text()
        assert '"output_type": "error"' not in page and str(project) not in page
    assert outside(project) == before
    made = {path: path.stat().st_mtime_ns for path in (project / "build").rglob("*.json")}
    done = call([*command, "--controls", "cleaner"], project)
    assert done.returncode == 0, done.stderr[-3000:]
    assert {setup.slug: metrics(project, setup.slug) for setup in SETUPS} == first
    assert all(path.stat().st_mtime_ns == made[path] for path in made if path.name == "metrics.json")
    assert all(json.loads(metrics(project, setup.slug))["data"]["pairs"] for setup in CLEANER)
    assert outside(project) == before


def killed_after(line: str, delay: float, project: Path) -> list[str]:
    """Start the training and kill -9 it some seconds after a line of progress; the epochs it reported in all."""
    environment = {**os.environ, "PYTHONPATH": str(project)}
    process = subprocess.Popen(TRAIN, cwd=project, env=environment, stderr=subprocess.PIPE, text=True)
    seen = []
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
    whole = call(TRAIN, project)
    assert whole.returncode == 0, whole.stderr[-3000:]
    expected = metrics(project)
    epochs = [line for line in whole.stderr.splitlines() if " epoch " in line]
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
    assert call(TRAIN, project).returncode == 0
    assert metrics(project) == expected


def test_a_folder_with_a_blank_and_a_sign_in_its_name_is_no_command(project):
    odd = project.rename(project.with_name("my $(touch broken) project's"))
    path = write_profile(odd / "profiles" / "my smoke.yaml", recipe={"frozen_epochs": 1, "max_epochs": 1})
    done = call([CLI, "reproduce", "--profile", str(path), "--cores", "2"], odd)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (odd / "build/results/my smoke/none-clean/seed0/metrics.json").is_file()
    assert not list(odd.parent.rglob("broken"))


def test_the_workflow_refuses_unusable_audio_before_any_training(project, tiny_esc50):
    (tiny_esc50 / "audio" / "1-0-A-0.wav").write_text("no sound")
    groups = {"size": 3, "test_folds": [4, 5], "captions_per_clip": 2}
    data = {"pretrain": ["esc50"], "pairs": ["esc50"], "test": "esc50", "foley": None, "class_groups": groups}
    write_profile(project / "profiles" / "real.yaml", data=data, recipe={"batch_size": 8})
    command = [CLI, "reproduce", "--profile", "real", "--seeds", "1", "--cores", "2", "--data-root", str(tiny_esc50)]
    done = call(command, project)
    assert done.returncode == 2
    assert "1-0-A-0.wav (unreadable)" in done.stderr and "--allow-missing" in done.stderr
    assert not (project / "build" / "results").exists()
