"""Corpus: one table of clips for every data set, and its checks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from clapleak.config import ClapleakError

SUFFIXES = (".flac", ".ogg", ".wav")  # copies in lossless or compact form are accepted under the same names
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
    """Read a CSV as text; ClapleakError when the file, one of its columns or a cell of them is missing.

    Bytes that are not UTF-8 become U+FFFD, which `bad_rows` finds: the rest of the table stays of use.
    """
    if not path.is_file():
        raise ClapleakError(f"{path}: no such file; is this the root of the official layout?")
    options = {"encoding": "utf-8-sig", "encoding_errors": "replace", **options}
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False, **options)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ClapleakError(f"{path}: not a readable CSV ({' '.join(str(error).split())}); fetch it again") from error
    absent = [c for c in columns if c not in table.columns]
    if absent:
        raise ClapleakError(f"{path}: columns missing: {', '.join(absent)}; found: {', '.join(table.columns)}")
    short = table[columns].isna().any(axis=1)
    if short.any():
        raise ClapleakError(f"{path}: row {short.idxmax() + 1} has too few fields; fetch it again")
    return table


def audio_files(root: Path, *folders: str) -> dict[str, str]:
    """Sound files at any depth below some folders of `root`: name without suffix -> path relative to `root`.

    Each folder is read once, however many clips a table lists; folders that do not exist are passed over.
    """
    found = {}
    for top in folders:
        for folder, inner, names in os.walk(root / top, followlinks=True):
            inner.sort()
            place = Path(folder).relative_to(root).as_posix()
            for name in sorted(names):
                stem, suffix = os.path.splitext(name)
                if suffix.lower() in SUFFIXES:
                    found[stem] = f"{place}/{name}"
    return found


def label_lists(cells: pd.Series, names: dict[str, str], table: Path) -> pd.Series:
    """Lists of label names from cells such as "/m/09x0r,/m/05r5c"; ClapleakError for a key that `names` lacks."""
    lists = {}
    for cell in cells.unique():  # far fewer than rows
        keys = [key.strip() for key in cell.split(",") if key.strip()]
        unknown = [key for key in keys if key not in names]
        if unknown:
            raise ClapleakError(f"{table}: label {unknown[0]} is not in the vocabulary; both must be of one release")
        lists[cell] = [names[key] for key in keys]
    return cells.map(lists)


def label_text(labels: pd.Series) -> pd.Series:
    """The caption of clips that have labels alone: the labels, joined by commas."""
    return labels.str.join(", ")


def bad_rows(table: pd.DataFrame) -> pd.Series:
    """Why a row of a reader's table cannot be trained on, by the row's id; empty when all can.

    The index of `table` must be the id of the row in its source, as the readers give it.
    """
    text = table["text"].where(table["text"].map(lambda value: isinstance(value, str)), "\0").astype(str)
    reasons = pd.Series("", table.index)
    reasons[~text.str.contains(r"[^\W\d_]")] = "has a caption that is not text"
    reasons[text.str.strip() == ""] = "has an empty caption"
    reasons[text.str.contains("\ufffd", regex=False)] = "has a caption that is not UTF-8"
    reasons[table.index.duplicated()] = "is listed twice"
    return reasons[reasons != ""]
