"""Readers of the corpora: official layout in, one Corpus table out."""

from __future__ import annotations

import os
from pathlib import Path

from clapleak.config import ClapleakError
from clapleak.datasets import esc50
from clapleak.datasets.corpus import Corpus

__all__ = ["Corpus", "data_root", "load"]

READERS = {"esc50": (esc50.load, ("esc50", "ESC-50", "ESC-50-master"), "meta/esc50.csv")}


def data_root(given: str | Path | None = None) -> Path | None:
    """Folder of the real data: the argument, else the environment variable CLAPLEAK_DATA, else None."""
    chosen = given or os.environ.get("CLAPLEAK_DATA")
    return Path(chosen).expanduser().resolve() if chosen else None


def load(name: str, root: str | Path | None, split: str | None = None) -> Corpus:
    """Read a corpus in its official layout.

    Parameters
    ----------
    name : str
        "esc50".
    root : path or None
        The corpus's own root or a folder above it; None reads CLAPLEAK_DATA.
    split : str, optional
        Part of the corpus in its own naming (ESC-50: the fold).

    Raises
    ------
    ClapleakError
        Unknown corpus, no root given, or a root without the official layout.
    """
    if name not in READERS:
        raise ClapleakError(f"unknown corpus '{name}': known are {', '.join(READERS)}")
    reader, folders, marker = READERS[name]
    base = data_root(root)
    if base is None:
        raise ClapleakError(f"corpus {name} needs its data: give --data-root DIR or set CLAPLEAK_DATA")
    for folder in (base, *(base / f for f in folders)):
        if (folder / marker).is_file():
            return reader(folder, split)
    raise ClapleakError(f"{base}: no {marker} here or in {', '.join(folders)}/; give the root of the official layout")
