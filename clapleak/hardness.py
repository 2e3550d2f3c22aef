"""Is the embedded world as hard as real sounds? The same network learns the same classes from both."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from clapleak import embed, metrics, pretrain
from clapleak.audio import open_store
from clapleak.config import Profile, find_root
from clapleak.datasets import data_root as resolve_data_root
from clapleak.datasets import load
from clapleak.datasets.corpus import Corpus
from clapleak.datasets.esc50 import CLIPS_PER_CLASS
from clapleak.files import atomic_file
from clapleak.task import Task

TRAIN_FOLDS, TEST_FOLDS = ("1", "2", "3"), ("4", "5")


def compare(profile: Profile, data_root: str | Path | None, seeds: int) -> Path:
    """Train the profile's audio network on labels, once on real ESC-50 and once on the embedded world.

    Both sides have the same classes (those that ESC-50 holds complete below `data_root`), the same number of clips,
    the same length and the same settings. Silhouette of x_a and accuracy on held-out clips, one value a seed, go into
    `results/hardness.json`, whose path is returned.
    """
    real = load("esc50", resolve_data_root(data_root))
    per_class = real.table["text"].value_counts()
    classes = sorted(per_class.index[per_class == CLIPS_PER_CLASS])
    real = real.keep(real.table["text"].isin(classes))
    train = real.keep(real.table["split"].isin(TRAIN_FOLDS))
    test = real.keep(real.table["split"].isin(TEST_FOLDS))
    found: dict[str, object] = {"classes": len(classes), "train_clips": len(train), "test_clips": len(test)}
    found |= {"profile": profile.name, "seconds": profile.audio.segment, "epochs": profile.pretrain.epochs}
    worlds = {"esc50": (train, test), "foley": (_synthetic(train, 0, profile), _synthetic(test, len(train), profile))}
    for name, (learnt, held_out) in worlds.items():
        scores = [_learn(profile, name, learnt, held_out, classes, seed) for seed in range(seeds)]
        found[name] = {"silhouette": [s for s, _ in scores], "accuracy": [a for _, a in scores]}
    path = find_root() / "results" / "hardness.json"
    with atomic_file(path) as file:
        file.write((json.dumps(found, indent=1) + "\n").encode())
    return path


def _synthetic(real: Corpus, first: int, profile: Profile) -> Corpus:
    """The embedded world's counterpart of a table of real clips: the same labels, other sounds."""
    paths = [f"foley@0/{label}/{first + i}" for i, label in enumerate(real.table["text"])]
    table = real.table.assign(clip=paths, path=paths, recording=paths, duration=profile.audio.segment)
    return Corpus("foley", None, table)


def _learn(
    profile: Profile, name: str, learnt: Corpus, held_out: Corpus, classes: list[str], seed: int
) -> tuple[float, float]:
    build = find_root() / "build" / "hardness"
    store = open_store([learnt, held_out], profile.audio, build / f"store-{name}")
    task = Task(learnt, learnt, held_out, None, classes, store, {})
    backbone = pretrain.new_backbone(profile, seed, len(classes))
    pretrain.fit(
        backbone, profile, task, classes, seed, build / name / "checkpoint.pt", task.fingerprint(name, profile, seed)
    )
    rows = np.array([store.rows[clip] for clip in held_out.table["clip"]])
    labels = pd.Categorical(held_out.table["text"], categories=classes).codes.astype(int)
    x_a = embed.audio_embeddings(backbone, store, rows, profile)
    with torch.no_grad():
        hits = backbone.tag(x_a).argmax(1).cpu().numpy() == labels
    return metrics.silhouette(x_a.cpu().numpy(), labels), float(hits.mean())
