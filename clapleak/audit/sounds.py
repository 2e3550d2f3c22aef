"""Sounds without a network: statistics of the spectrum as a floor, and fingerprints that find the same sound again."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from clapleak.config import ClapleakError

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
HOP, WINDOW, BANDS = 512 / 44100, 0.186, (300, 4000, 34)  # of fingerprints: seconds, and hertz and edges of 33 bands
ERRORS, OVERLAP, COMMON = 0.32, 0.5, 100  # largest share of differing bits; seconds; words in more places say nothing


def of_files(paths: Iterable[str], what: str, use: Callable, broken: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """Paths and `use(wave, rate)`, one sound in memory at a time; why a path cannot be read goes to `broken`."""
    from clapleak.audio import samples  # imports torch, which arrays can do without

    for path in tqdm(paths, what, unit=" clips"):
        try:
            yield path, use(*samples(path))
        except ClapleakError as error:
            broken[path] = str(error)


def _bands(wave: np.ndarray, rate: int, window: float, hop: float, edges: np.ndarray) -> np.ndarray:
    """Energy (T, bands) between the edges, in hertz, of windows of some seconds."""
    size = round(window * rate)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(wave, (0, max(size - len(wave), 0))), size)
    starts = np.arange(0, len(frames) - 0.5, hop * rate).round().astype(int)  # so that no rate is ahead of another
    length = 1 << (size - 1).bit_length()  # a power of two is transformed several times as fast
    places = np.clip((edges * length / rate).round().astype(int), 0, length // 2)  # a narrow band is one bin
    shape, found = np.hanning(size).astype(np.float32), []
    for some in np.array_split(starts, len(starts) // 128 + 1):  # of a long sound, all at once would fill the memory
        spectrum = np.fft.rfft(frames[some] * shape, length, axis=1)[:, : places[-1] + 1]
        power = spectrum.real**2 + spectrum.imag**2
        found.append(np.add.reduceat(power, places[:-1], axis=1, dtype=np.float64))
    return np.concatenate(found)


def statistics(wave: np.ndarray, rate: int) -> np.ndarray:
    """Mean and deviation of the log energy in 40 bands and of its change: what a sound offers without any learning."""
    energy = np.log(_bands(wave, rate, 0.064, 0.032, np.geomspace(60, 7500, 41)) + 1e-6)
    change = np.diff(energy, axis=0) if len(energy) > 1 else np.zeros((1, energy.shape[1]))
    return np.concatenate([energy.mean(axis=0), energy.std(axis=0), change.std(axis=0)])


class Print(NamedTuple):
    """A fingerprint: 32 bits a frame, the signs of differences in frequency and time (Haitsma and Kalker 2002)."""

    words: np.ndarray  # (T,) uint32
    heard: np.ndarray  # (T,) bool: loud enough for its bits to mean something


def fingerprint(wave: np.ndarray, rate: int) -> Print:
    """The fingerprint of a sound; it does not depend on level or on the rate, as long as that is above 8 kHz."""
    energy = _bands(wave, rate, WINDOW, HOP, np.geomspace(*BANDS))
    change = np.diff(np.diff(energy, axis=1), axis=0)  # (T, 32)
    words = ((change > 0) @ (1 << np.arange(32, dtype=np.uint64))).astype(np.uint32)
    level = energy.sum(axis=1)[1:]
    return Print(words, level > max(level.max(initial=0), 1e-12) * 1e-5)


def duplicates(test: list[Print], training: Iterable[tuple[str, Print]]) -> pd.DataFrame:
    """Which training sounds hold that of a test clip: columns `test` (its number), `training`, `errors`, `seconds`.

    A pair is looked at when two frames or more agree in all 32 bits at one shift; it is the same sound when at most
    ERRORS of the bits differ over at least OVERLAP seconds. Memory grows with the test alone.
    """
    words = np.concatenate([p.words for p in test])
    clip = np.repeat(np.arange(len(test)), [len(p.words) for p in test])
    frame = np.concatenate([np.arange(len(p.words)) for p in test])
    kept = np.concatenate([p.heard for p in test]) & (words != 0)
    order = np.flatnonzero(kept)[np.argsort(words[kept], kind="stable")]
    words, clip, frame, rows = words[order], clip[order], frame[order], []
    for name, other in training:
        usable = np.flatnonzero(other.heard & (other.words != 0))
        first, last = (np.searchsorted(words, other.words[usable], side) for side in ("left", "right"))
        places = np.where(last - first > COMMON, 0, last - first)
        hits = np.repeat(first, places) + np.arange(places.sum()) - np.repeat(places.cumsum() - places, places)
        shifts = np.stack([clip[hits], np.repeat(usable, places) - frame[hits]])
        found, counts = np.unique(shifts, axis=1, return_counts=True)
        looked = [(int(n), name, *_differing(test[n], other, shift)) for n, shift in found[:, counts > 1].T]
        rows += [row for row in looked if row[2] <= ERRORS]
    table = pd.DataFrame(rows, columns=["test", "training", "errors", "seconds"]).sort_values("errors", kind="stable")
    return table.drop_duplicates(["test", "training"]).sort_index(ignore_index=True)  # of several shifts the best


def _differing(one: Print, other: Print, shift: int) -> tuple[float, float]:
    """Share of bits that differ where frame t of one is frame t + shift of the other, and the seconds compared."""
    start, stop = max(0, -shift), min(len(one.words), len(other.words) - shift)
    heard = one.heard[start:stop] & other.heard[start + shift : stop + shift]
    if heard.sum() * HOP < OVERLAP:
        return 1.0, 0.0
    bits = np.bitwise_count(one.words[start:stop] ^ other.words[start + shift : stop + shift])
    return float(bits[heard].mean() / 32), float(heard.sum() * HOP)
