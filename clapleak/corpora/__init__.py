"""The corpora: official layout in, one Corpus table out. See `readers` for each, `table` for what they share."""

import os
from collections import namedtuple
from functools import cache
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pandas as pd

from clapleak.corpora import readers
from clapleak.corpora.table import Corpus, bad_rows, join, package_table
from clapleak.files import ClapleakError, absolute, read_yaml

__all__ = ["SOURCES", "Corpus", "bad_rows", "data_root", "find", "join", "load", "package_table", "read", "synthesiser"]


class Source(namedtuple("Source", "read marker folders tables counts seconds gigabytes use licence unions")):
    """How a corpus is read, how its root is known, and what it holds when it is complete: an entry of sources.yaml.

    `read` goes from the corpus's root and one of its tables to pairs.
    """

    def splits(self, name: str | None) -> list[str]:
        """The official splits that a name stands for; None stands for all."""
        return list(self.counts) if name is None else self.unions.get(name, [name])


_FACTS = read_yaml(Path(__file__).with_name("sources.yaml"))
SOURCES = {name: Source(read=getattr(readers, name), **{"unions": {}, **facts}) for name, facts in _FACTS.items()}


@cache
def synthesiser(name: str) -> ModuleType:
    """The module that synthesises a source, as registered under the entry point group `clapleak.sources`.

    It has `FORMAT` (an integer, raised by hand whenever the same path gives other samples),
    `corpus(part, sizes, duration) -> Corpus` with virtual paths such as `foley@0/dog/17`, and
    `synthesise(path, *, sample_rate, duration)`, which gives the float32 samples of such a path.
    """
    registered = {point.name: point for point in metadata.entry_points(group="clapleak.sources")}
    if name not in registered:
        known = ", ".join(sorted(registered)) or "none"
        stale = "" if "foley" in registered else "; for foley delete clapleak.egg-info and install clapleak again"
        raise ClapleakError(f"unknown source '{name}': {', '.join(SOURCES)} are read, synthesised are {known}{stale}")
    return registered[name].load()


def data_root(given: str | Path | None = None) -> Path | None:
    """Folder of the real data: the argument, else the environment variable CLAPLEAK_DATA, else None."""
    chosen = given or os.environ.get("CLAPLEAK_DATA")
    return absolute(chosen) if chosen else None


def find(name: str, root: str | Path | None) -> Path:
    """The root of a corpus: the folder that is given, or one of the usual names below it. Raises as `load`."""
    if name not in SOURCES:
        raise ClapleakError(f"unknown corpus '{name}': known are {', '.join(SOURCES)}")
    if (base := data_root(root)) is None:
        raise ClapleakError(f"corpus {name} needs its data: give --data-root DIR or set CLAPLEAK_DATA")
    marker, folders = SOURCES[name].marker, SOURCES[name].folders
    if found := [folder for folder in (base, *map(base.joinpath, folders)) if (folder / marker).exists()]:
        return found[0]
    places = f"here or in {', '.join(folders)}/"
    raise ClapleakError(f"{base}: no {marker} {places}; give the root of the official layout")


def read(name: str, folder: Path, split: str | None = None) -> Corpus:
    """As `load`, from the corpus's own root; rows that cannot be trained on are still there, and so are row ids."""
    source = SOURCES[name]
    if split not in (None, *(known := [*source.counts, *source.unions])):
        raise ClapleakError(f"unknown split '{split}' of {name}: known are {', '.join(known)}")
    wanted = set(source.splits(split))
    files = [folder / file for file, splits in source.tables.items() if wanted & set(splits)]
    there = [file for file in files if file.is_file()] or files  # where there is none, the reader says so
    table = pd.concat([source.read(folder, file) for file in there])
    return Corpus(name, folder, table if split is None else table[table["split"].isin(wanted)])


def load(name: str, root: str | Path | None, split: str | None = None) -> Corpus:
    """Read a corpus in its official layout.

    Parameters
    ----------
    name : str, one of SOURCES
    root : path, the corpus's own root or a folder above it; None reads CLAPLEAK_DATA
    split : str, part of the corpus in its own naming (ESC-50: the fold); by default everything that lies there

    ClapleakError for an unknown corpus or split, a root without the official layout, a damaged or empty table, a label
    outside the vocabulary, a row that is listed twice, and one without a caption that is text (see `bad_rows`).
    """
    corpus = read(name, find(name, root), split)
    if not len(corpus):
        raise ClapleakError(f"{corpus.root}: no clip in {split or 'any split'}; fetch the tables of {name} again")
    if len(bad := bad_rows(corpus.table)):
        reason = f"{len(bad)} rows cannot be used; {bad.index[0]} {bad.iloc[0]}"
        raise ClapleakError(f"{corpus.root}: {reason}. Repair the file; clapleak data check {name} lists them all")
    return Corpus(name, corpus.root, corpus.table.reset_index(drop=True))
