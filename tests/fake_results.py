"""A small results tree in the real layout and schema, of random clouds; for figures and result pages."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from clapleak import metrics, results
from clapleak.config import CONTROLS, PRETRAININGS, SETUPS, Setup, find_root
from clapleak.datasets import foley

DIMENSIONS, CLIPS = 12, 4


def classes(number: int) -> list[str]:
    """Names of the first test classes, in the order of every profile; all fifty hold the pairs that the paper names."""
    return sorted(map(str, foley.classes().query("target").index))[:number]


def _clouds(names: list[str], spread: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """x_a, E_a, x_t and E_t around one middle a class; the larger the spread, the worse the model."""
    labels = np.repeat(np.arange(len(names)), CLIPS)
    middles = rng.normal(size=(len(names), DIMENSIONS))
    clouds = {"labels": labels, "classes": np.array(names)}
    clouds["clips"] = np.array([f"foley@0/{names[label]}/{i}" for i, label in enumerate(labels)])
    for space in ("x_a", "E_a"):
        clouds[space] = middles[labels] + rng.normal(0, spread, (len(labels), DIMENSIONS))
    for space in ("x_t", "E_t"):
        clouds[space] = middles + rng.normal(0, 0.5, middles.shape)
    for space in ("E_a", "E_t"):
        clouds[space] /= np.linalg.norm(clouds[space], axis=1, keepdims=True)
    return clouds


def _measured(clouds: dict[str, np.ndarray]) -> dict:
    """Accuracy, silhouettes and topology, by the package's own measures."""
    labels = clouds["labels"]
    points = {name: metrics.class_means(clouds[name], labels) for name in ("x_a", "E_a")}
    points |= {name: clouds[name] for name in ("x_t", "E_t")}
    topology = {}
    for pair in results.MEASURES:
        found = metrics.topological_similarity(*(points[name] for name in pair.split("-")))
        topology[pair] = {"value": found.value, "k": found.k, "corrected": found.corrected}
        topology[pair] |= {"curve": found.curve.tolist(), "chance": found.chance.tolist()}
    silhouette = {name: float(metrics.silhouette(clouds[name], labels)) for name in ("x_a", "E_a")}
    accuracy = metrics.zero_shot_accuracy(clouds["E_a"], clouds["E_t"], labels)
    return {"accuracy": accuracy, "silhouette": silhouette, "topology": topology}


def make_run(
    profile: str, pretraining: str, training: str | None, *, root: Path, number: int, seed: int = 0,
    group: int | None = None,
) -> results.Run:  # fmt: skip
    """One run of `number` classes, not yet written."""
    known = (*SETUPS, *CONTROLS)
    rank = len(SETUPS) if training is None else known.index(Setup(pretraining, training)) % len(SETUPS)
    rng = np.random.default_rng([rank, PRETRAININGS.index(pretraining), seed, group or 0])
    clouds = _clouds(classes(number), 0.4 + 0.15 * rank, rng)
    data = {"classes": number, "test_clips": number * CLIPS, "pairs": 90 - rank, "pairs_removed": rank}
    data |= {"pretrain_clips": 50, "pretrain_removed": rank, "expected_clips": 2000, "missing_clips": 7}
    data["complete_classes"] = number
    found = {"schema": results.SCHEMA, "profile": profile, "pretraining": pretraining, "training": training}
    found |= {"seed": seed, "group": group, "synthetic": profile != "esc50", "chance": 1 / number, "data": data}
    found |= _measured(clouds) | {"provenance": {"fingerprint": "fake"}}
    slug = f"{pretraining}-{training}"
    kept = {"E_a", "E_t"}
    if training is None:
        slug, kept = f"backbone/{pretraining}", {"x_a", "x_t"}
        clouds = {name: cloud for name, cloud in clouds.items() if name not in ("E_a", "E_t")}
        found = {**found, "silhouette": {"x_a": found["silhouette"]["x_a"]}}
        found.pop("topology"), found.pop("accuracy")
    plane = {name: np.asarray(clouds[name], dtype=float)[:, :2] for name in sorted(kept)}
    losses = np.linspace(4, 2, 6)
    history = pd.DataFrame({"phase": ["frozen"] * 3 + ["unfrozen"] * 3, "epoch": range(6), "learning_rate": 1e-3})
    history = history.assign(train_loss=losses, val_loss=losses + 0.2, seconds=1.0)
    folder = results.run_folder(profile, slug, seed, group, root)
    return results.Run(profile, pretraining, training, seed, group, found, history, clouds, plane, folder)


def write_profile(profile: str, root: Path, *, number: int, seeds: int, groups: tuple[int | None, ...]) -> None:
    """Six setups, the controls and two backbones, each seed and group."""
    setups = (*SETUPS, *CONTROLS)
    runs = [(setup.pretraining, setup.training) for setup in setups] + [("dirty", None), ("clean", None)]
    for pretraining, training in runs:
        for seed in range(seeds):
            for group in groups:
                results.write_run(
                    make_run(profile, pretraining, training, root=root, number=number, seed=seed, group=group)
                )


def write_project(root: Path, *, real: bool = True) -> Path:
    """A folder that result pages can run in: profiles, reference values, `mini`, `mini-long` and perhaps `esc50`."""
    for name in ("profiles", "reference"):
        shutil.copytree(find_root() / name, root / name)
    write_profile("mini", root, number=50, seeds=2, groups=(None,))
    write_profile("mini-long", root, number=50, seeds=2, groups=(None,))
    if real:
        write_profile("esc50", root, number=9, seeds=2, groups=(0, 1))
    return root
