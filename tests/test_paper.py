"""The paper profile, end to end, on tiny corpora in their official layouts: the six setups and a control."""

import json
import shutil

import pytest
import yaml
from official_layouts import esc50, everything

from clapleak import train
from clapleak.config import SETUPS, Setup, find_root, load_profile
from clapleak.task import world

SMALL = {  # what a test cannot wait for; sources, front end, losses, sampling and recipe stay the paper's
    "audio_encoder": {"width": 4},
    "text_encoder": {"model": "tiny"},  # random, since the hub cannot be reached from a test
    "projection": {"dim": 32},
    "pretrain": {"epochs": 1, "batch_size": 32},
    "recipe": {"batch_size": 32, "frozen_epochs": 1, "max_epochs": 1},
    "compute": {"threads": 1, "workers": 2, "compile": False},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with the small paper profile, and a data root with all six corpora."""
    folder = tmp_path_factory.mktemp("paper")
    shutil.copytree(find_root() / "profiles", folder / "profiles")
    path = folder / "profiles" / "paper.yaml"
    profile = yaml.safe_load(path.read_text())
    for section, changes in SMALL.items():
        profile[section] |= changes
    path.write_text(yaml.safe_dump(profile))
    everything(folder / "data")
    esc50(folder / "data", clips=100)  # two of each class: silhouettes need that
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


@pytest.mark.parametrize("setup", [*SETUPS, Setup("clean", "matched")], ids=lambda setup: setup.slug)
def test_every_setup_runs_on_the_official_layouts(project, setup):
    run = train.run(load_profile("paper"), setup, data_root=project / "data")
    counts, history = run.metrics["data"], run.history
    assert counts["classes"] == 50 and counts["test_clips"] == 100 and counts["missing_clips"] == 1900
    assert (counts["pairs_removed"] > 0) == (setup.training != "dirty")
    assert (counts["pretrain_removed"] > 0) == (setup.pretraining == "clean")
    assert history["phase"].tolist() == ["frozen", "unfrozen"]
    assert history[["train_loss", "val_loss"]].notna().all(axis=None)
    assert history["learning_rate"].tolist() == pytest.approx([1e-4, 1e-5])
    assert run.embeddings["E_a"].shape == (100, 32) and run.embeddings["E_t"].shape == (50, 32)
    events = project / "build" / "paper" / setup.slug / "seed0" / "tensorboard"
    assert list(events.glob("events.out.*"))


def test_pre_training_is_scored_on_the_evaluation_segments(project):
    train.run_backbone(load_profile("paper"), Setup("clean", "dirty"), data_root=project / "data")
    path = project / "results" / "paper" / "backbone" / "clean" / "seed0" / "metrics.json"
    assert 0 < json.loads(path.read_text())["mean_average_precision"] < 1


def test_the_pairs_are_ms_clap_s(project):
    pairs = world(load_profile("paper"), project / "data").pairs.table
    assert set(pairs["clip"].str.partition("/")[0]) == {"fsd50k", "clotho", "audiocaps", "macs"}
    assert set(pairs["split"]) == {"train", "development", "validation", "evaluation", "all"}
    assert (project / "data" / pairs["path"].iloc[0]).is_file()
