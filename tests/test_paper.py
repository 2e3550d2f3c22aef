"""The paper profile on tiny corpora in their official layouts: what it learns from, and one run of its recipe."""

import json
import shutil

import pytest
from helpers import write_profile
from official_layouts import esc50, everything

from clapleak import runs
from clapleak.config import find_root, load_profile
from clapleak.setups import Setup

SMALL = {  # what a test cannot wait for; sources, front end, losses, sampling and recipe stay the paper's
    "audio_encoder": {"width": 4},
    "text_encoder": {"model": "tiny"},  # random, since the hub cannot be reached from a test
    "projection": {"dim": 32},
    "pretrain": {"epochs": 1, "batch_size": 32},
    "recipe": {"batch_size": 32, "frozen_epochs": 1, "max_epochs": 1},
    "compute": {"threads": 1, "workers": 2, "compile": False},
}


@pytest.mark.slow
def test_the_paper_s_recipe_runs_on_all_six_official_layouts(tmp_path, monkeypatch):
    shutil.copytree(find_root() / "profiles", tmp_path / "profiles")
    write_profile(tmp_path / "profiles" / "paper.yaml", "paper", **SMALL)
    everything(tmp_path / "data")
    esc50(tmp_path / "data", clips=100)  # two of each class: silhouettes need that
    monkeypatch.chdir(tmp_path)
    study = runs.open_study(load_profile("paper"), data_root=tmp_path / "data")
    pairs = study.sources.pairs.table  # MS-CLAP's
    assert set(pairs["clip"].str.partition("/")[0]) == {"fsd50k", "clotho", "audiocaps", "macs"}
    assert set(pairs["split"]) == {"train", "development", "validation", "evaluation", "all"}
    run = runs.run(study, Setup("clean", "matched"))
    counts, history = run.metrics["data"], run.history
    assert counts["classes"] == 50 and counts["test_clips"] == 100 and counts["missing_clips"] == 1900
    assert counts["pairs_removed"] > 0 and counts["pretrain_removed"] > 0
    assert history["phase"].tolist() == ["frozen", "unfrozen"]
    assert history["learning_rate"].tolist() == pytest.approx([1e-4, 1e-5])
    assert run.embeddings["E_a"].shape == (100, 32) and run.embeddings["E_t"].shape == (50, 32)
    assert list((runs.weights(run).parent / "tensorboard").glob("events.out.*"))
    backbone = run.path.parents[1] / "backbone" / "clean" / "seed0" / "metrics.json"  # scored on AudioSet's evaluation
    assert 0 < json.loads(backbone.read_text())["mean_average_precision"] < 1
