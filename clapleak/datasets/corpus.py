"""Corpus: one table of clips for every data set, and its checks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from clapleak.config import ClapleakError

COLUMNS = ("clip", "path", "offset", "duration", "text", "labels", "recording", "split")


@dataclass(frozen=True)
class Corpus:
    """Audio-text pairs of one or several data sets; a row is one pair.

    Parameters
    ----------
    name : str
    root : Path or None
        Folder that `path` is relative to; None for the embedded world, whose paths are virtual.
    table : DataFrame
        `clip` unique id of the sound (repeated when it has several captions), `path`, `offset` and `duration`
        in seconds (NaN: the whole file), `text`, `labels` (list of str), `recording` id of the source
        recording, `split`.
    """

    name: str
    root: Path | None
    table: pd.DataFrame

    def __post_init__(self) -> None:
        absent = [c for c in COLUMNS if c not in self.table.columns]
        if absent:
            raise ClapleakError(f"corpus {self.name}: columns missing: {', '.join(absent)}")

    def __len__(self) -> int:
        return len(self.table)

    def keep(self, mask: pd.Series) -> Corpus:
        """The rows where `mask` is True."""
        return Corpus(self.name, self.root, self.table[mask].reset_index(drop=True))

    def clips(self) -> pd.DataFrame:
        """One row a sound, in order of first appearance."""
        return self.table.drop_duplicates("clip").reset_index(drop=True)


def join(corpora: list[Corpus]) -> Corpus:
    """Several corpora as one; paths become relative to the folder above all their roots."""
    roots = [c.root for c in corpora if c.root is not None]
    above = Path(os.path.commonpath(roots)) if roots else None
    tables = []
    for corpus in corpora:
        inner = "" if corpus.root is None or corpus.root == above else f"{corpus.root.relative_to(above).as_posix()}/"
        tables.append(corpus.table.assign(path=inner + corpus.table["path"]))
    names = "+".join(dict.fromkeys(c.name for c in corpora))
    return Corpus(names, above, pd.concat(tables, ignore_index=True))


def read_csv(path: Path, columns: list[str], **options) -> pd.DataFrame:
    """Read a CSV as text; ClapleakError when the file or one of its columns is missing."""
    if not path.is_file():
        raise ClapleakError(f"{path}: no such file; is this the root of the official layout?")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, **options)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ClapleakError(f"{path}: not a readable CSV ({' '.join(str(error).split())}); fetch it again") from error
    absent = [c for c in columns if c not in table.columns]
    if absent:
        raise ClapleakError(f"{path}: columns missing: {', '.join(absent)}; found: {', '.join(table.columns)}")
    return table
