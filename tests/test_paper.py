"""The paper profile, end to end, on tiny corpora in their official layouts: the six setups and a control."""

import json
import shutil

import pytest
from helpers import write_profile
from official_layouts import esc50, everything

from clapleak import runs
from clapleak.config import find_root, load_profile
from clapleak.setups import SETUPS, Setup

pytestmark = pytest.mark.slow
SMALL = {  # what a test cannot wait for; sources, front end, losses, sampling and recipe stay the paper's
    "audio_encoder": {"width": 4},
    "text_encoder": {"model": "tiny"},  # random, since the hub cannot be reached from a test
    "projection": {"dim": 32},
    "pretrain": {"epochs": 1, "batch_size": 32},
    "recipe": {"batch_size": 32, "frozen_epochs": 1, "max_epochs": 1},
    "compute": {"threads": 1, "workers": 2, "compile": False},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The small paper profile in a project of its own, with all six corpora."""
    folder = tmp_path_factory.mktemp("paper")
    shutil.copytree(find_root() / "profiles", folder / "profiles")
    write_profile(folder / "profiles" / "paper.yaml", "paper", **SMALL)
    everything(folder / "data")
    esc50(folder / "data", clips=100)  # two of each class: silhouettes need that
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield runs.open_study(load_profile("paper"), data_root=folder / "data")


@pytest.mark.parametrize("setup", [*SETUPS, Setup("clean", "matched")], ids=lambda setup: setup.slug)
def test_every_setup_runs_on_the_official_layouts(study, setup):
    run = runs.run(study, setup)
    counts, history = run.metrics["data"], run.history
    assert counts["classes"] == 50 and counts["test_clips"] == 100 and counts["missing_clips"] == 1900
    assert (counts["pairs_removed"] > 0) == (setup.training != "dirty")
    assert (counts["pretrain_removed"] > 0) == (setup.pretraining == "clean")
    assert history["phase"].tolist() == ["frozen", "unfrozen"]
    assert history[["train_loss", "val_loss"]].notna().all(axis=None)
    assert history["learning_rate"].tolist() == pytest.approx([1e-4, 1e-5])
    assert run.embeddings["E_a"].shape == (100, 32) and run.embeddings["E_t"].shape == (50, 32)
    assert list((runs.weights(run).parent / "tensorboard").glob("events.out.*"))


def test_pre_training_is_scored_on_the_evaluation_segments(study):
    path = runs.run(study, Setup("clean", "dirty")).path.parents[1] / "backbone" / "clean" / "seed0" / "metrics.json"
    assert 0 < json.loads(path.read_text())["mean_average_precision"] < 1


def test_the_pairs_are_ms_clap_s(study):
    pairs = study.sources.pairs
    assert set(pairs.table["clip"].str.partition("/")[0]) == {"fsd50k", "clotho", "audiocaps", "macs"}
    assert set(pairs.table["split"]) == {"train", "development", "validation", "evaluation", "all"}
    assert (pairs.root / pairs.table["path"].iloc[0]).is_file()
