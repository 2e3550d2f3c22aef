"""A run of random clouds, measured and written by the package itself, for results of any state."""

from pathlib import Path

import numpy as np
import pandas as pd

from clapleak import embed, metrics, results
from clapleak.config import load_profile
from clapleak.setups import Setup

MEASURES = load_profile("mini").measures
CLASSES = ["cat", "dog", "rain", "sea waves"]
COUNTS = {"pairs": 90, "pairs_removed": 5, "pretrain_clips": 50, "pretrain_removed": 5, "expected_clips": 16}
COUNTS |= {"missing_clips": 0, "classes": 4, "complete_classes": 4, "test_clips": 16}


def make_run(base: Path, setup: Setup | str, *, seed: int = 0, **changes: object) -> results.Run:
    """A run of a setup or, named by its pre-training, of a backbone, below a folder of results.

    It has four classes of four clips, and twelve dimensions. `changes` replace entries of its metrics.
    """
    trained, profile = isinstance(setup, Setup), base.name
    pretraining, training = (setup.pretraining, setup.training) if trained else (setup, None)
    rng, labels = np.random.default_rng(seed), np.repeat(np.arange(4), 4)
    x_t = rng.normal(size=(4, 12))
    x_a = x_t[labels] + rng.normal(0, 0.6, (16, 12))
    clips = np.array([f"foley@0/{CLASSES[label]}/{i}" for i, label in enumerate(labels)])
    clouds = {
        "labels": labels,
        "classes": np.array(CLASSES),
        "clips": clips,
        "recordings": clips,
        "x_a": x_a,
        "x_t": x_t,
    }
    measured = embed.measure(clouds | {"E_a": metrics.unit(x_a), "E_t": metrics.unit(x_t)}, MEASURES)
    if trained:
        clouds |= {"E_a": metrics.unit(x_a), "E_t": metrics.unit(x_t)}
    else:
        measured = {"chance": measured["chance"], "silhouette": {"x_a": measured["silhouette"]["x_a"]}}
    ids = dict.fromkeys(("clips", "family", "backbone", "training", "measurement"), profile)
    numbers = {"schema": results.SCHEMA, "profile": profile, "pretraining": pretraining, "training": training}
    numbers |= {"seed": seed, "group": None, "synthetic": True, "data": COUNTS, "ids": ids, **measured}
    numbers |= {"provenance": results.provenance("cpu"), **changes}
    history = pd.DataFrame({"phase": ["frozen"] * 3 + ["unfrozen"] * 3, "epoch": range(6), "learning_rate": 1e-3})
    history = history.assign(train_loss=2.0, val_loss=2.2, seconds=1.0)
    path = base / (setup.slug if trained else f"backbone/{pretraining}") / results.run_name(seed, None)
    run = results.write_run(path, numbers, history, clouds)
    results.write_map(run, {space: clouds[space][:, :2] for space in run.spaces})
    return run
