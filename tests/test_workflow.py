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
import yaml

from clapleak.config import SETUPS, find_root

CLI = str(Path(sys.executable).parent / "clapleak")
TRAIN = [CLI, "train", "--profile", "smoke", "--setup", "clean-clean"]


@pytest.fixture
def project(tmp_path) -> Path:
    """A copy of what a run reads, without results or anything built."""
    root = find_root()
    for name in ("profiles", "notebooks", "reference", "clapleak"):
        shutil.copytree(root / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "_config.yml"):
        shutil.copy(root / name, tmp_path)
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


@pytest.mark.slow
def test_a_run_killed_three_times_ends_with_the_same_numbers(project):
    """Also: the same command twice from nothing gives the same file, since the killed one starts from nothing too."""
    path = project / "profiles" / "smoke.yaml"
    profile = yaml.safe_load(path.read_text())
    profile["pretrain"]["epochs"] = 6  # enough epochs to be killed in each phase
    profile["recipe"] |= {"frozen_epochs": 4, "max_epochs": 10, "stop_patience": 10}
    path.write_text(yaml.safe_dump(profile))
    whole = call(TRAIN, project)
    assert whole.returncode == 0, whole.stderr[-3000:]
    expected = metrics(project)
    epochs = [line for line in whole.stderr.splitlines() if " epoch " in line]
    assert len(epochs) == 20
    shutil.rmtree(project / "results")
    shutil.rmtree(project / "build")
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


@pytest.mark.slow
def test_the_workflow_refuses_unusable_audio_unless_it_is_told_to_go_on(project, tiny_esc50):
    (tiny_esc50 / "audio" / "1-0-A-0.wav").write_text("no sound")
    path = project / "profiles" / "smoke.yaml"
    profile = yaml.safe_load(path.read_text()) | {"name": "real"}
    data = {"pretrain": ["esc50"], "pairs": ["esc50"], "test": "esc50", "foley": None}
    groups = {"size": 2, "test_folds": [4, 5], "captions_per_clip": 2}
    profile["data"] |= data | {"class_groups": groups}
    (project / "profiles" / "real.yaml").write_text(yaml.safe_dump(profile))
    command = [CLI, "reproduce", "--profile", "real", "--seeds", "1", "--cores", "2", "--data-root", str(tiny_esc50)]
    done = call(command, project)
    assert done.returncode == 2
    assert "1-0-A-0.wav (unreadable)" in done.stderr and "--allow-missing" in done.stderr
    assert not (project / "results").exists()
