"""YAMNet's scores and x_a of ESC-50, for the chapter on the audit: results/audit/yamnet.npz.

Run `python benchmarks/yamnet_scores.py --data-root DIR --classes FILE` after `clapleak data fetch yamnet`. FILE is the
published yamnet_class_map.csv (index,mid,display_name). x_a comes from the store that the profile `networks` fills;
scores are those of a clip's mean embedding. x_a is rotated to its first principal directions through the origin, which
keep angles between clips. No sound is in the file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from clapleak import audio, corpora
from clapleak.audit import sounds
from clapleak.config import find_root, load_profile
from clapleak.features import open_features
from clapleak.files import atomic_file
from clapleak.models.networks import load_network

DIRECTIONS = 256


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--classes", type=Path, required=True)
    options = parser.parse_args()
    esc50, network = corpora.load("esc50", options.data_root), load_network("yamnet")
    settings, folder = load_profile("networks").audio, find_root() / "build" / "x_a" / "yamnet"
    store = open_features([esc50], "yamnet", settings, folder)
    clips = esc50.clips()
    means = store.batch(np.array([store.rows[clip] for clip in clips["clip"]]))
    scores, x_a = torch.sigmoid(network.fc_audioset(means)).numpy(), means.double().numpy()
    floor = [sounds.statistics(*audio.samples(esc50.root / path)) for path in tqdm(clips["path"], "spectra")]
    directions = np.linalg.svd(x_a, full_matrices=False)[2][:DIRECTIONS]
    kept = np.square(x_a @ directions.T).sum() / np.square(x_a).sum()
    print(f"{DIRECTIONS} of {x_a.shape[1]} directions keep {kept:.4f} of the squared length")
    classes = np.unique(clips["text"].to_numpy(str))
    with atomic_file(find_root() / "results" / "audit" / "yamnet.npz") as file:
        np.savez_compressed(
            file, scores=scores.astype(np.float16), x_a=(x_a @ directions.T).astype(np.float16),
            floor=np.stack(floor).astype(np.float16), names=pd.read_csv(options.classes)["display_name"].to_numpy(str),
            classes=classes, labels=np.searchsorted(classes, clips["text"].to_numpy(str)).astype(np.uint8),
            recordings=clips["recording"].str.removeprefix("freesound/").astype(int).to_numpy(np.int32),
        )  # fmt: skip


if __name__ == "__main__":
    main()
