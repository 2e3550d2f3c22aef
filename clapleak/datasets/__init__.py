"""Readers of the corpora: official layout in, one Corpus table out.

Every reader is `load(root, split=None) -> Corpus` with the corpus's own root. A row is one audio-text pair; its index
names it in its source. A clip whose file is absent stays in the table, so that it is counted later.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clapleak.config import ClapleakError
from clapleak.datasets import audiocaps, audioset, clotho, esc50, fsd50k, macs
from clapleak.datasets.corpus import Corpus, bad_rows

__all__ = ["SOURCES", "Corpus", "Source", "data_root", "find", "load", "read"]


@dataclass(frozen=True)
class Source:
    """How a corpus is read, how its root is known, and what it holds when it is complete."""

    read: Callable[[Path, str | None], Corpus]
    marker: str  # file or folder in its root
    folders: tuple[str, ...]  # usual names of its root
    counts: dict[str, tuple[int, int]]  # split -> rows, clips
    seconds: tuple[float, float]  # shortest and longest clip, with some tolerance
    gigabytes: float  # of the audio on disk, about
    use: str
    licence: str


# Counts are those of the official tables. (MS-CLAP says 17,276 captions of MACS; the release has 17,275.)
SOURCES = {
    "esc50": Source(esc50.load, "meta/esc50.csv", ("esc50", "ESC-50", "ESC-50-master"),
        {fold: (400, 400) for fold in "12345"}, (4.9, 5.1), 0.9, "test", "CC BY-NC 3.0"),
    "clotho": Source(clotho.load, "clotho_csv_files", ("CLOTHO_v2.1", "clotho", "Clotho"),
        {"development": (19195, 3839), "validation": (5225, 1045), "evaluation": (5225, 1045)}, (14.9, 30.1), 12,
        "audio-text pairs", "captions: Tampere University, non-commercial; clips: Creative Commons, each its own"),
    "audiocaps": Source(audiocaps.load, "csv_files_v1", ("AUDIOCAPS", "AudioCaps", "audiocaps"),
        {"train": (49838, 49838), "val": (2475, 495), "test": (4875, 975)}, (0.5, 10.5), 43,
        "audio-text pairs", "captions: MIT; audio: not published, rights with the uploaders to YouTube"),
    "macs": Source(macs.load, "MACS.yaml", ("MACS", "macs"),
        {"all": (17275, 3930)}, (9.9, 10.1), 11, "audio-text pairs", "Tampere University, non-commercial"),
    "fsd50k": Source(fsd50k.load, "FSD50K.ground_truth", ("FSD50K", "fsd50k"),
        {"train": (36796, 36796), "val": (4170, 4170), "eval": (10231, 10231)}, (0.25, 30.1), 34,
        "audio-text pairs; pre-training without AudioSet", "CC BY 4.0; clips: Creative Commons, each its own"),
    "audioset": Source(audioset.load, "class_labels_indices.csv", ("AUDIOSET", "AudioSet", "audioset"),
        {"balanced_train": (22160, 22160), "unbalanced_train": (2041789, 2041789), "eval": (20371, 20371)}, (0.5, 10.5),
        1300, "pre-training", "labels: CC BY 4.0; audio: not published, rights with the uploaders to YouTube"),
}  # fmt: skip


def data_root(given: str | Path | None = None) -> Path | None:
    """Folder of the real data: the argument, else the environment variable CLAPLEAK_DATA, else None."""
    chosen = given or os.environ.get("CLAPLEAK_DATA")
    return Path(chosen).expanduser().resolve() if chosen else None


def find(name: str, root: str | Path | None) -> Path:
    """The root of a corpus: the folder that is given, or one of the usual names below it. Raises as `load`."""
    if name not in SOURCES:
        raise ClapleakError(f"unknown corpus '{name}': known are {', '.join(SOURCES)}")
    source, base = SOURCES[name], data_root(root)
    if base is None:
        raise ClapleakError(f"corpus {name} needs its data: give --data-root DIR or set CLAPLEAK_DATA")
    for folder in (base, *(base / f for f in source.folders)):
        if (folder / source.marker).exists():
            return folder
    raise ClapleakError(
        f"{base}: no {source.marker} here or in {', '.join(source.folders)}/; give the root of the official layout"
    )


def read(name: str, folder: Path, split: str | None = None) -> Corpus:
    """As `load`, from the corpus's own root: rows that cannot be trained on are still there, and so are row ids."""
    known = [*SOURCES[name].counts, *(["dev"] if name == "fsd50k" else [])]
    if split is not None and split not in known:
        raise ClapleakError(f"unknown split '{split}' of {name}: known are {', '.join(known)}")
    return SOURCES[name].read(folder, split)


def load(name: str, root: str | Path | None, split: str | None = None) -> Corpus:
    """Read a corpus in its official layout.

    Parameters
    ----------
    name : str
        One of SOURCES.
    root : path or None
        The corpus's own root or a folder above it; None reads CLAPLEAK_DATA.
    split : str, optional
        Part of the corpus in its own naming (ESC-50: the fold); everything that lies there by default.

    Raises
    ------
    ClapleakError
        Unknown corpus or split, no root given, a root without the official layout, a damaged table, a label outside
        the vocabulary, a row that is listed twice, a caption that is empty, not text or not UTF-8.
    """
    corpus = read(name, find(name, root), split)
    bad = bad_rows(corpus.table)
    if len(bad):
        raise ClapleakError(
            f"{corpus.root}: {len(bad)} rows cannot be used; {bad.index[0]} {bad.iloc[0]}. Repair the file; "
            f"clapleak data check {name} lists them all"
        )
    return Corpus(name, corpus.root, corpus.table.reset_index(drop=True))
