"""Clips out of the clip store beside decoding each time: soundfile, mono, resample.

Run `python benchmarks/clip_store.py [--repeats 5]`. Synthesised sounds of 5 s are written as wav, flac and ogg in a
temporary folder; both sides give float32 recordings, on one core, from files that the system holds in memory. Random
order; the sides take turns and the median of the ratios counts. The last cases take random segments of 5 s out of
recordings of 30 s, as Clotho's are, where decoding each time means the whole recording. A line says how long the bare
conversion of 5 s from 16-bit samples to float32 takes, in memory: no store is faster than that.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import torch

from clapleak import foley
from clapleak.audio import read
from clapleak.clipstore import ClipStore, open_store
from clapleak.config import Audio
from clapleak.corpora import Corpus

CLIPS = 32


def front_end(sample_rate: int) -> Audio:
    """Only rate and length matter here."""
    return Audio(
        sample_rate=sample_rate, segment=5.0, window=1024, hop=320, mel_bins=64, f_min=50.0, f_max=14000.0,
        keep_checkpoint_frontend=False,
    )  # fmt: skip


def recordings(folder: Path, suffix: str, rate: int, seconds: float) -> Corpus:
    """Files of synthetic sounds, and their corpus with lengths left open, so that 16-bit samples are kept."""
    classes = list(foley.classes().index)
    paths = [f"{i}.{suffix}" for i in range(CLIPS)]
    for i, path in enumerate(paths):
        sound = foley.synthesise(f"foley@0/{classes[i]}/0", sample_rate=rate, duration=5.0)
        soundfile.write(folder / path, np.tile(sound, round(seconds / 5)), rate)
    columns = {"clip": paths, "path": paths, "offset": 0.0, "duration": np.nan, "text": "", "recording": paths}
    return Corpus(suffix, folder, pd.DataFrame({**columns, "labels": [[]] * CLIPS, "sounds": None, "split": ""}))


def from_store(store: ClipStore, order: np.ndarray) -> float:
    """Seconds for random segments of those rows."""
    generator, start = torch.Generator().manual_seed(0), time.perf_counter()
    for row in order:
        store.segment(row, generator)
    return time.perf_counter() - start


def decoding(corpus: Corpus, order: np.ndarray, sample_rate: int) -> float:
    """Seconds for decoding those files."""
    start = time.perf_counter()
    for row in order:
        read(corpus.root / corpus.table["path"].iloc[row], sample_rate)
    return time.perf_counter() - start


def bare_conversion(repeats: int) -> float:
    """Seconds for 5 s of 44.1 kHz, by NumPy between arrays that lie in memory."""
    stored, found = np.ones((CLIPS, 5 * 44100), np.int16), np.ones((CLIPS, 5 * 44100), np.float32)
    turns = []
    for _ in range(repeats):
        start = time.perf_counter()
        for samples, segment in zip(stored, found, strict=True):
            np.divide(samples, np.float32(32767), out=segment, dtype=np.float32)
        turns.append((time.perf_counter() - start) / CLIPS)
    return statistics.median(turns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    able = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    print(
        f"1 of {os.cpu_count()} cores, torch {torch.__version__}, bf16 arithmetic: {'yes' if able else 'no'} (not used)"
    )
    print(f"bare conversion of 5 s at 44.1 kHz to float32: {bare_conversion(repeats) * 1000:.3f} ms")
    rates = ((44100, 32000, 5), (48000, 44100, 5), (44100, 44100, 5), (44100, 44100, 30))
    for (rate, wanted, length), suffix in itertools.product(rates, ("flac", "wav", "ogg")):
        with tempfile.TemporaryDirectory() as name:
            corpus = recordings(Path(name), suffix, rate, length)
            store = open_store([corpus], front_end(wanted), Path(name) / "store")
            from_store(store, np.arange(CLIPS))
            turns = []
            for _ in range(repeats):
                order = rng.permutation(CLIPS)
                turns.append((decoding(corpus, order, wanted), from_store(store, np.tile(order, 16)) / 16))
            slow, fast = (statistics.median(column) / CLIPS * 1000 for column in zip(*turns, strict=True))
            ratio = statistics.median(a / b for a, b in turns)
            print(f"{suffix:4s} {length:2d} s, {rate} -> {wanted} Hz: decoding {slow:5.2f} ms a clip, store", end="")
            print(f" {fast:5.3f} ms; ratio {ratio:.0f}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        store = open_store([recordings(Path(name), "wav", 44100, 30.0)], front_end(44100), Path(name) / "store")
        orders = [rng.integers(0, CLIPS, 1024) for _ in range(repeats + 1)]
        speeds = [len(order) / from_store(store, order) for order in orders][1:]
        print(f"random 5 s at 44.1 kHz out of 30 s: {statistics.median(speeds):.0f} clips a second")


if __name__ == "__main__":
    main()
