"""The smoke workflow, repeated, killed and in two processes: same numbers, and nothing outside build/."""

import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import official_layouts
import pandas as pd
import pytest
import torch
from helpers import copy_project, files, python, write_profile

from clapleak.config import find_root
from clapleak.setups import CLEANER, MATCHED, SETUPS

pytestmark = pytest.mark.slow
CLI = str(Path(sys.executable).parent / "clapleak")
REPRODUCE = [CLI, "reproduce", "--profile", "smoke", "--cores", "2"]
TRAIN = [CLI, "train", "--profile", "smoke", "--setup", "clean-clean"]


def metrics(project: Path, slug: str = "clean-clean") -> str:
    return (project / "build" / "results" / "smoke" / slug / "seed0" / "metrics.json").read_text()


def start(command: list[str], project: Path, **options: object) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(project), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(command, cwd=project, env=environment, text=True, **{"stderr": subprocess.PIPE} | options)


def finish(command: list[str], project: Path) -> str:
    """What a command that succeeds says on stderr."""
    process = start(command, project)
    _, said = process.communicate()
    assert process.returncode == 0, said[-3000:]
    return said


def outside(project: Path) -> dict[str, bytes]:
    """What a run must leave alone."""
    return {name: content for name, content in files(project).items() if not name.startswith(("build/", ".snakemake/"))}


def outcome(project: Path) -> dict[str, bytes]:
    """Results and pages of the smoke profile, without the seconds that an epoch took."""
    found = files(project / "build" / "results") | files(project / "build" / "smoke" / "pages")
    for name in found:
        if name.endswith("history.csv"):
            table = pd.read_csv(io.BytesIO(found[name]))
            found[name] = table.drop(columns="seconds").to_csv().encode()
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[Path, dict[str, bytes], dict[str, bytes]]:
    """A project that was reproduced at one go, what it held before, and what came of it."""
    project = copy_project(tmp_path_factory.mktemp("undisturbed") / "project")
    (project / "results" / "smoke").mkdir(parents=True)
    (project / "results" / "smoke" / "note").write_text("published")
    before = outside(project)
    finish(REPRODUCE, project)
    found = outcome(project)
    assert len(found) == 6 * 4 + 2 * 4 + 6  # six setups, two backbones, six pages
    return project, before, found


def test_the_whole_workflow_runs_and_a_second_call_changes_nothing(undisturbed):
    project, before, _ = undisturbed
    first = {setup.slug: metrics(project, setup.slug) for setup in SETUPS}
    for slug, text in first.items():
        found = json.loads(text)
        assert f"{found['pretraining']}-{found['training']}" == slug and found["synthetic"] is True
        assert (found["data"]["pairs_removed"] > 0) == (found["training"] == "clean")
        page = (project / "build" / "smoke" / "pages" / f"setup_{slug}.ipynb").read_text()
        assert '"output_type": "error"' not in page and str(project) not in page
    made = {path: path.stat().st_mtime_ns for path in (project / "build" / "results").rglob("metrics.json")}
    finish([*REPRODUCE, "--controls", "cleaner"], project)
    finish([*REPRODUCE[:-1], "8", "--controls", "cleaner", "--controls", "matched"], project)  # in other processes
    assert {setup.slug: metrics(project, setup.slug) for setup in SETUPS} == first
    assert all(path.stat().st_mtime_ns == time for path, time in made.items())
    assert all(json.loads(metrics(project, setup.slug))["data"]["pairs"] for setup in (*CLEANER, *MATCHED))
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


# What appears when a stage begins, how many of it, and the seconds within which the kill then comes
STAGES = {
    "store": ("smoke/store/data.mdb", 1, 2.0), "pre-training": ("smoke/backbone/*/seed0/checkpoint.pt", 1, 2.0),
    "training": ("smoke/*-*/seed0/checkpoint.pt", 1, 3.0), "writing of results": ("results/smoke/*-*", 1, 0.2),
    "pages": ("smoke/trained/*.done", 2, 7.0),
}  # fmt: skip
KILLS = range(*map(int, os.environ.get("CLAPLEAK_KILLS", "2").split("-")))  # "20" for all, "5-10" for some of them


@pytest.mark.parametrize("number", KILLS)
def test_a_reproduction_killed_at_any_moment_ends_alike_by_the_same_command(project, undisturbed, number):
    """Everything is killed at once, or the command alone: then it is refused until what it started has ended."""
    draw = random.Random(number)
    stage = list(STAGES)[number % len(STAGES)]
    pattern, many, longest = STAGES[stage]
    delay, alone = draw.uniform(0, longest), draw.random() < 0.25
    process = start(REPRODUCE, project, start_new_session=True, stderr=subprocess.DEVNULL)
    while len(list((project / "build").glob(pattern))) < many:
        assert process.poll() is None, f"{stage} never began"
        time.sleep(0.005)
    time.sleep(delay)
    (os.kill if alone else os.killpg)(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    print(f"killed {delay:.2f} s after {stage} began, {'alone' if alone else 'with all'}")
    while (again := start(REPRODUCE, project)).communicate()[1] and again.returncode == 2 and alone:
        time.sleep(1)
    assert again.returncode == 0
    assert outcome(project) == undisturbed[2]


def test_a_folder_with_a_blank_and_a_sign_in_its_name_is_no_command(project):
    odd = project.rename(project.with_name("my $(touch broken) {project}'s"))
    path = write_profile(odd / "profiles" / "my smoke.yaml", recipe={"frozen_epochs": 1, "max_epochs": 1})
    finish([CLI, "reproduce", "--profile", str(path), "--cores", "2"], odd)
    assert (odd / "build/results/my smoke/none-clean/seed0/metrics.json").is_file()
    assert not list(odd.parent.rglob("broken"))


def test_own_sounds_in_groups_are_reproduced_and_trained_again_when_they_change_or_results_are_damaged(project):
    data, run = project / "data", project / "build/results/mine/dirty-dirty/group0-seed0/metrics.json"
    official_layouts.esc50(data, 240, [i // 40 for i in range(240)], seconds=(0.3, 0.5))
    groups = {"size": 3, "test_folds": [4, 5], "captions_per_clip": 2}
    sources = {"pretrain": ["esc50"], "pairs": ["esc50"], "test": "esc50", "tagging_test": None, "foley": None}
    quick = {"pretrain": {"epochs": 1}, "recipe": {"frozen_epochs": 1, "max_epochs": 1}}
    write_profile(project / "profiles" / "mine.yaml", data={**sources, "class_groups": groups}, **quick)
    command = [CLI, "reproduce", "--profile", "mine", "--cores", "2", "--data-root", str(data)]
    finish(command, project)
    assert (project / "build/mine/pages/setup_none-clean.ipynb").is_file()
    first = run.read_text()
    run.write_text(first[:100])
    (project / "build/mine/trained/setups-dirty-all.done").touch()  # of an older release, whose name says no seed
    finish(command, project)
    assert json.loads(run.read_text())["ids"] == json.loads(first)["ids"]
    official_layouts.esc50(data, 240, [i // 40 for i in range(240)], seconds=(0.6, 0.9))
    finish(command, project)
    assert json.loads(run.read_text())["ids"]["clips"] != json.loads(first)["ids"]["clips"]


# --- two processes

needs_accelerate = pytest.mark.skipif(find_spec("accelerate") is None, reason="accelerate is not installed")


def torchrun(processes: int, *words: object, cwd: Path) -> None:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", processes]
    python(*launcher, *words, cwd=cwd, env={"OMP_NUM_THREADS": "1"})


@needs_accelerate
def test_two_processes_give_loss_and_gradients_of_the_whole_batch(tmp_path):
    found = {}
    for processes in (1, 2):
        path = tmp_path / f"{processes}.pt"
        torchrun(processes, Path(__file__).with_name("two_processes.py"), path, cwd=find_root())
        found[processes] = torch.load(path, weights_only=True)
        assert found[processes]["size"] == processes
    assert torch.allclose(found[1]["loss"], found[2]["loss"], rtol=0, atol=1e-6)
    one, two = (found[processes]["gradients"] for processes in (1, 2))
    assert (one - two).abs().max() < 1e-6 * one.abs().max()  # 32-bit sums in another order
    assert (one - two).norm() < 1e-6 * one.norm()
    assert one.abs().min() < one.abs().max()


@needs_accelerate
def test_a_setup_trains_in_two_processes(tmp_path):
    shutil.copytree(find_root() / "profiles", tmp_path / "profiles")
    torchrun(2, "-m", "clapleak", "train", "--profile", "smoke", "--setup", "clean-clean", cwd=tmp_path)
    folder = tmp_path / "build" / "results" / "smoke" / "clean-clean" / "seed0"
    found = json.loads((folder / "metrics.json").read_text())
    assert 0 <= found["accuracy"] <= 1 and found["data"]["test_clips"] == 24
    assert not (tmp_path / "build" / "smoke" / "clean-clean" / "seed0" / "checkpoint.pt").exists()
