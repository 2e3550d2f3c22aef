"""Results of random clouds, measured and written by the package itself."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from clapleak import embed, foley, metrics, results
from clapleak.config import load_profile
from clapleak.setups import Setup

DIMENSIONS, CLIPS = 12, 4
MEASURES = load_profile(str(Path(__file__).parents[1] / "profiles" / "mini.yaml")).measures
PROVENANCE = results.provenance("cpu")
COUNTS = {"pairs": 90, "pairs_removed": 5, "pretrain_clips": 50, "pretrain_removed": 5}
COUNTS |= {"expected_clips": 2000, "missing_clips": 7}


@cache
def classes(number: int) -> list[str]:
    """Names of the first test classes, in the order of every profile; all fifty hold the pairs that the paper names."""
    return sorted(map(str, foley.classes().query("target").index))[:number]


def clouds(names: list[str], rng: np.random.Generator, synthetic: bool) -> dict[str, np.ndarray]:
    """x_a, E_a, x_t and E_t around one centre a class."""
    labels = np.repeat(np.arange(len(names)), CLIPS)
    centres = rng.normal(size=(len(names), DIMENSIONS))
    found = {"labels": labels, "classes": np.array(names)}
    clip = "foley@0/{0}/{1}" if synthetic else "esc50/1-{1}-A-{2}"
    found["clips"] = np.array([clip.format(names[label], i, label) for i, label in enumerate(labels)])
    found |= {a: centres[labels] + rng.normal(0, 0.6, (len(labels), DIMENSIONS)) for a in ("x_a", "E_a")}
    found |= {t: centres + rng.normal(0, 0.5, centres.shape) for t in ("x_t", "E_t")}
    return found | {space: metrics.unit(found[space]) for space in ("E_a", "E_t")}


def make_run(
    base: Path, setup: Setup | str, *, number: int, seed: int = 0, group: int | None = None, **changes: object
) -> results.Run:
    """One run of `number` classes of a setup or, named by its pre-training, of a backbone, below a results folder.

    `changes` replace entries of its metrics.
    """
    trained, profile = isinstance(setup, Setup), base.name
    pretraining, training = (setup.pretraining, setup.training) if trained else (setup, None)
    path = base / (setup.slug if trained else f"backbone/{pretraining}") / results.run_name(seed, group)
    synthetic = profile.startswith("mini")
    found = clouds(classes(number), np.random.default_rng([seed, *path.parent.name.encode()]), synthetic)
    counts = COUNTS | {"classes": number, "complete_classes": number, "test_clips": number * CLIPS}
    numbers = {"schema": results.SCHEMA, "profile": profile, "pretraining": pretraining, "training": training}
    numbers |= {"seed": seed, "group": group, "synthetic": synthetic, "data": counts}
    ids = dict.fromkeys(("clips", "family", "backbone", "training", "measurement"), profile)
    numbers |= embed.measure(found, MEASURES) | {"ids": ids, "provenance": PROVENANCE}
    if not trained:
        found = {name: cloud for name, cloud in found.items() if name not in ("E_a", "E_t")}
        numbers = {k: v for k, v in numbers.items() if k not in ("topology", "accuracy", "centroid_accuracy")}
        numbers["silhouette"] = {"x_a": numbers["silhouette"]["x_a"]}
    history = pd.DataFrame({"phase": ["frozen"] * 3 + ["unfrozen"] * 3, "epoch": range(6), "learning_rate": 1e-3})
    run = results.write_run(path, numbers | changes, history.assign(train_loss=2.0, val_loss=2.2, seconds=1.0), found)
    results.write_map(run, {space: found[space][:, :2] for space in (("E_a", "E_t") if trained else ("x_a", "x_t"))})
    return run
