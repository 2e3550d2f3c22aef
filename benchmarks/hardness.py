"""Are the synthetic sounds as hard to tell apart as real ones? The same network learns the same classes from both.

Run `python benchmarks/hardness.py --data-root DIR [--profile esc50] [--seeds 3]`. The network and the settings are the
profile's. Both sides have the classes that ESC-50 holds complete below the data root, the same number of clips and the
same length: folds 1 to 3 to learn from, folds 4 and 5 held out. Silhouette of x_a and accuracy on the held-out clips,
one value a seed, go into `results/hardness.json`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from clapleak import embed, metrics, pretrain
from clapleak.clipstore import open_store
from clapleak.config import Profile, find_root, load_profile
from clapleak.corpora import Corpus, load, readers
from clapleak.files import atomic_file, say

TRAIN_FOLDS, TEST_FOLDS = ("1", "2", "3"), ("4", "5")


def synthetic(real: Corpus, first: int, profile: Profile) -> Corpus:
    """Synthetic clips with the labels of a table of real ones; the first has the index `first`."""
    paths = [f"foley@0/{label}/{first + i}" for i, label in enumerate(real.table["text"])]
    table = real.table.assign(clip=paths, path=paths, recording=paths, duration=profile.audio.segment)
    return Corpus("foley", None, table)


def learn(
    profile: Profile, learnt: Corpus, held_out: Corpus, classes: list[str], seed: int, folder: Path
) -> tuple[float, float]:
    """Silhouette of x_a and accuracy on clips that were not learnt from."""
    store = open_store([learnt, held_out], profile.audio, folder / "store", cores=2)
    backbone = pretrain.new_backbone(profile, seed, len(classes))
    training = pretrain.TagTraining(backbone, learnt, store, profile, seed, f"{learnt.name}, seed {seed}")
    training.fit(folder / f"checkpoint{seed}.pt", f"{learnt.name} {seed}")
    x_a = embed.audio_embeddings(backbone, store, store.index(held_out.table["clip"]), profile)
    labels = pd.Categorical(held_out.table["text"], categories=classes).codes.astype(int)
    with torch.no_grad():
        hits = backbone.tag(x_a).argmax(1).cpu().numpy() == labels
    return metrics.silhouette(x_a.cpu().numpy(), labels), float(np.mean(hits))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--profile", default="esc50")
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    profile, real = load_profile(given.profile), load("esc50", given.data_root)
    per_class = real.table["text"].value_counts()
    classes = sorted(per_class.index[per_class == readers.ESC50_CLIPS_PER_CLASS])
    real = real.keep(real.table["text"].isin(classes))
    train, test = (real.keep(real.table["split"].isin(folds)) for folds in (TRAIN_FOLDS, TEST_FOLDS))
    outcome: dict[str, object] = {"classes": len(classes), "train_clips": len(train), "test_clips": len(test)}
    outcome |= {"profile": profile.name, "seconds": profile.audio.segment, "epochs": profile.pretrain.epochs}
    sides = {"esc50": (train, test), "foley": (synthetic(train, 0, profile), synthetic(test, len(train), profile))}
    for name, (learnt, held_out) in sides.items():
        with tempfile.TemporaryDirectory() as folder:
            scores = [learn(profile, learnt, held_out, classes, seed, Path(folder)) for seed in range(given.seeds)]
        outcome[name] = {"silhouette": [s for s, _ in scores], "accuracy": [a for _, a in scores]}
        say(f"{name}: {outcome[name]}")
    with atomic_file(find_root() / "results" / "hardness.json") as file:
        file.write((json.dumps(outcome, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
