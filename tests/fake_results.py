"""A small tree of results of random clouds, measured and written by the package itself; for figures and pages."""

import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from clapleak import embed, foley, metrics, results
from clapleak.config import find_root, load_profile
from clapleak.setups import CONTROLS, NETWORK_SETUPS, OTHER_NETWORKS, SETUPS, Setup

DIMENSIONS, CLIPS = 12, 4
MEASURES = load_profile(str(Path(__file__).parents[1] / "profiles" / "mini.yaml")).measures
PROVENANCE = results.provenance("cpu")
EVERY = tuple(dict.fromkeys((*SETUPS, *(setup for several in CONTROLS.values() for setup in several))))


@cache
def classes(number: int) -> list[str]:
    """Names of the first test classes, in the order of every profile; all fifty hold the pairs that the paper names."""
    return sorted(map(str, foley.classes().query("target").index))[:number]


def clouds(names: list[str], spread: float, rng: np.random.Generator, synthetic: bool) -> dict[str, np.ndarray]:
    """x_a, E_a, x_t and E_t around one centre a class; the larger the spread, the worse the model."""
    labels = np.repeat(np.arange(len(names)), CLIPS)
    centres = rng.normal(size=(len(names), DIMENSIONS))
    found = {"labels": labels, "classes": np.array(names)}
    clip = "foley@0/{0}/{1}" if synthetic else "esc50/1-{1}-A-{2}"
    found["clips"] = np.array([clip.format(names[label], i, label) for i, label in enumerate(labels)])
    found |= {a: centres[labels] + rng.normal(0, spread, (len(labels), DIMENSIONS)) for a in ("x_a", "E_a")}
    found |= {t: centres + rng.normal(0, 0.5, centres.shape) for t in ("x_t", "E_t")}
    return found | {space: metrics.unit(found[space]) for space in ("E_a", "E_t")}


def make_run(
    base: Path, setup: Setup | str, *, number: int, seed: int = 0, group: int | None = None, keep: bool = True,
    better: float = 0.0, **changes: object,
) -> results.Run:  # fmt: skip
    """One run of `number` classes of a setup or, named by its pre-training, of a backbone, below a results folder.

    With `better` clouds it is a better model; `changes` replace entries of its metrics.
    """
    trained = isinstance(setup, Setup)
    pretraining, training = (setup.pretraining, setup.training) if trained else (setup, None)
    others = base.name.startswith("networks")  # audio encoders of others, tested on all classes
    rank = (NETWORK_SETUPS if others else EVERY).index(setup) if trained else 2
    rng = np.random.default_rng([rank, seed, group or 0, len(pretraining)])
    synthetic = base.name.startswith("mini")
    found = clouds(classes(50 if others else number), 0.4 + 0.15 * (rank % len(SETUPS)) - better, rng, synthetic)
    if others:
        found |= {"targets": np.array(number), "recordings": found["clips"]}
    counts = {"classes": number, "test_clips": number * CLIPS, "pairs": 90 - rank, "pairs_removed": rank}
    counts |= {"pretrain_clips": 50, "pretrain_removed": rank, "expected_clips": 2000, "missing_clips": 7}
    counts["complete_classes"] = number
    profile = base.name
    numbers = {"schema": results.SCHEMA, "profile": profile, "pretraining": pretraining, "training": training}
    numbers |= {"seed": seed, "group": group, "synthetic": synthetic, "data": counts}
    ids = dict.fromkeys(("clips", "family", "backbone", "training", "measurement"), profile)
    numbers |= embed.measure(found, MEASURES) | {"ids": ids, "provenance": PROVENANCE}
    if not trained:
        found = {name: cloud for name, cloud in found.items() if name not in ("E_a", "E_t")}
        numbers = {k: v for k, v in numbers.items() if k not in ("topology", "accuracy", "centroid_accuracy")}
        numbers["silhouette"] = {"x_a": numbers["silhouette"]["x_a"]}
        if others:
            numbers |= {"centroid_accuracy": {"x_a": rng.random()}}
            numbers |= {"linear_probe": {"all": rng.random(), "128": rng.random()}}
    maps = {space: found[space][:, :2] for space in (("E_a", "E_t") if trained else ("x_a", "x_t"))}
    losses = np.linspace(4, 2, 6)
    history = pd.DataFrame({"phase": ["frozen"] * 3 + ["unfrozen"] * 3, "epoch": range(6), "learning_rate": 1e-3})
    history = history.assign(train_loss=losses, val_loss=losses + 0.2, seconds=1.0)
    path = base / (setup.slug if trained else f"backbone/{pretraining}") / results.run_name(seed, group)
    run = results.write_run(path, numbers | changes, history, found)
    if keep:
        results.write_map(run, maps)
    else:
        (path / "embeddings.npz").unlink()
    return run


def write_profile(
    base: Path, *, number: int, seeds: int = 2, groups: tuple[int | None, ...] = (None,), better: float = 0.0
) -> Path:
    """Six setups, controls and backbones; embeddings of the first seed of the six and of the backbones alone."""
    for setup in (*EVERY, "dirty", "clean"):
        for seed in range(seeds):
            for group in groups:
                keep = seed == 0 and (setup in SETUPS or isinstance(setup, str))
                make_run(base, setup, number=number, seed=seed, group=group, keep=keep, better=better)
    return base


def write_project(root: Path) -> Path:
    """A folder that result pages can run in: profiles, reference values, and three profiles of published results."""
    for name in ("profiles", "reference", "notebooks"):
        shutil.copytree(find_root() / name, root / name)
    shutil.copy(find_root() / "_config.yml", root)
    write_profile(root / "results" / "mini", number=50)
    write_profile(root / "results" / "mini-long", number=50)
    write_profile(root / "results" / "esc50", number=9, groups=(0, 1))
    for name in ("networks", "networks-titles"):
        for setup in (*NETWORK_SETUPS, "dirty", "clean", "none", *OTHER_NETWORKS):
            for group in (0, 1):
                make_run(root / "results" / name, setup, number=10, group=group, keep=group == 0)
    for setup in ("dirty-dirty", "dirty-clean"):
        for group in (0, 1):
            make_run(root / "results" / "networks-unfrozen", Setup.parse(setup), number=10, group=group, keep=False)
    shutil.copy(find_root() / "results" / "hardness.json", root / "results")
    return root
