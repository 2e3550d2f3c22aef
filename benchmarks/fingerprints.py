"""How well fingerprints find the same sound again: recall on planted copies, false pairs, and what ESC-50 itself holds.

Run `python benchmarks/fingerprints.py --data-root DIR [--copies 100]`. It writes reference/esc50_copies.csv, the pairs
of clips with the same fingerprint, and reference/fingerprints.csv: how many copies of clips drawn at random are found,
by what was done to them, and how many pairs of clips are wrongly taken for the same sound.
"""

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from scipy.signal import fftconvolve
from tqdm import tqdm

from clapleak import audio, corpora
from clapleak.audit import sounds
from clapleak.config import find_root

RNG = np.random.default_rng(0)
SAME, OTHER = 0.5, "another clip"  # least correlation of two copies; the row of wrong pairs


def mp3(wave: np.ndarray, rate: int) -> np.ndarray:
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, rate, format="MP3")
    buffer.seek(0)
    return soundfile.read(buffer, dtype="float32")[0]


def noisy(decibels: float) -> Callable:
    return lambda wave, rate: wave + RNG.normal(0, wave.std() * 10 ** (-decibels / 20), len(wave)).astype(np.float32)


def faster(factor: float) -> Callable:
    return lambda wave, rate: np.interp(np.arange(0, len(wave), factor), np.arange(len(wave)), wave).astype(np.float32)


CHANGES: dict[str, Callable] = {
    "quieter by 10 dB": lambda wave, rate: 0.316 * wave, "mp3": mp3,
    "0.7 s later": lambda wave, rate: np.concatenate([np.zeros(int(0.7 * rate), np.float32), wave])[: len(wave)],
    "first 0.31 s cut off": lambda wave, rate: wave[int(0.3137 * rate) :], "noise at 20 dB": noisy(20),
    "noise at 10 dB": noisy(10), "1 % faster": faster(1.01), "5 % faster": faster(1.05),
}  # fmt: skip


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Largest product of two recordings over all shifts, as a share of their energy in common: 1 is the same sound."""
    products = fftconvolve(one, other[::-1])
    best = 0.0
    for place in np.argsort(-np.abs(products))[:400:20]:
        shift = place - len(other) + 1
        start, stop = max(0, shift), min(len(one), shift + len(other))
        x, y = one[start:stop], other[start - shift : stop - shift]
        best = max(best, float(abs(x @ y) / max(np.sqrt((x @ x) * (y @ y)), 1e-9)))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--copies", type=int, default=100)
    options = parser.parse_args()
    esc50 = corpora.load("esc50", options.data_root)
    clips, folder = esc50.clips(), find_root() / "reference"
    paths = [esc50.root / path for path in clips["path"]]
    prints = [sounds.fingerprint(*audio.samples(path)) for path in tqdm(paths, "fingerprints")]
    found = sounds.duplicates(prints, ((str(i), other) for i, other in enumerate(prints)))
    found["training"] = found["training"].astype(int)
    both = found[found["test"] < found["training"]].reset_index(drop=True)
    for column, name in (("clip", "clip"), ("text", "class"), ("recording", "recording"), ("split", "fold")):
        for side, number in (("one", "test"), ("other", "training")):
            both[f"{name}, {side}"] = clips[column].to_numpy()[both[number]]
    waves = {number: audio.samples(paths[number])[0] for number in {*both["test"], *both["training"]}}
    both["correlation"] = [correlation(waves[a], waves[b]) for a, b in zip(both["test"], both["training"], strict=True)]
    both = both.drop(columns=["test", "training"]).sort_values("errors").round(3)
    both.to_csv(folder / "esc50_copies.csv", index=False)
    chosen = RNG.choice(len(paths), options.copies, replace=False)
    originals, rows = {number: audio.samples(paths[number]) for number in chosen}, []
    for name, change in tqdm(CHANGES.items(), "copies"):
        copies = ((str(n), sounds.fingerprint(change(wave, rate), rate)) for n, (wave, rate) in originals.items())
        found = sounds.duplicates(prints, copies)
        rows.append((name, int((found["test"].astype(str) == found["training"]).sum()), len(chosen)))
    false = int((both["correlation"] < SAME).sum())
    rows.append((OTHER, false, len(paths) * (len(paths) - 1) // 2))
    pd.DataFrame(rows, columns=["change", "found", "of"]).to_csv(folder / "fingerprints.csv", index=False)


if __name__ == "__main__":
    main()
