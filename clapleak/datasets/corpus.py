"""Corpus: one table of clips for every data set, and its checks."""

from __future__ import annotations

import os
import warnings
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


def pairs(ids, clip, path, text, recording, split, labels=None, duration=float("nan")) -> pd.DataFrame:
    """A reader's table from its columns: whole files without labels by default; `ids` name the rows in their source."""
    labels = [[] for _ in range(len(ids))] if labels is None else labels
    columns = {"clip": clip, "path": path, "offset": 0.0, "duration": duration, "text": text, "labels": labels}
    return pd.DataFrame({**columns, "recording": recording, "split": split}).set_index(ids)


def read_csv(path: Path, columns: list[str], **options) -> pd.DataFrame:
    """Read a CSV as text; ClapleakError when the file or one of its columns is missing.

    Bytes that are not UTF-8 become U+FFFD, which `bad_rows` finds: the rest of the table stays of use.
    """
    if not path.is_file():
        raise ClapleakError(f"{path}: no such file; is this the root of the official layout?")
    options = {"encoding": "utf-8-sig", "encoding_errors": "replace", **options}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header, which pandas cuts
            table = pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False, **options)
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError) as error:
        raise ClapleakError(f"{path}: not a readable CSV ({' '.join(str(error).split())}); fetch it again") from error
    absent = [c for c in columns if c not in table.columns]
    if absent:
        raise ClapleakError(f"{path}: columns missing: {', '.join(absent)}; found: {', '.join(table.columns)}")
    return table.fillna("")  # fields that a row lacks


def audio_files(root: Path, *folders: str) -> dict[str, str]:
    """Sound files at any depth below some folders of `root`: name without suffix -> path relative to `root`.

    Each folder is read once, however many clips a table lists; folders that do not exist are passed over.
    """
    found = {}
    for place, inner, names in (visit for folder in folders for visit in os.walk(root / folder, followlinks=True)):
        inner.sort()
        for stem, suffix in map(os.path.splitext, sorted(names)):
            if suffix.lower() in SUFFIXES:
                found[stem] = f"{Path(place).relative_to(root).as_posix()}/{stem}{suffix}"
    return found


def clip_paths(root: Path, folder: str, stems: pd.Series, suffix: str = ".wav") -> pd.Series:
    """Paths of clips by name without suffix; for one whose file is absent, the path where it is awaited."""
    return stems.map(audio_files(root, folder)).astype(object).fillna(f"{folder}/" + stems + suffix)


def label_lists(cells: pd.Series, names: dict[str, str], table: Path) -> pd.Series:
    """Lists of label names from cells such as "/m/09x0r,/m/05r5c"; ClapleakError for a key that `names` lacks."""
    keys = {cell: [key for key in cell.split(",") if key] for cell in cells.unique()}  # far fewer than rows
    unknown = [key for found in keys.values() for key in found if key not in names]
    if unknown:
        raise ClapleakError(f"{table}: label {unknown[0]} is not in the vocabulary; both must be of one release")
    return cells.map({cell: [names[key] for key in found] for cell, found in keys.items()})


def label_text(labels: pd.Series) -> pd.Series:
    """The caption of clips that have labels alone: the labels, joined by commas."""
    return labels.str.join(", ")


def bad_rows(table: pd.DataFrame) -> pd.Series:
    """Why a row of a reader's table, whose index is the row's id, cannot be trained on; empty where all can."""
    text = table["text"].where(table["text"].map(lambda value: isinstance(value, str)), "0").astype(str)
    reasons = pd.Series("", table.index)
    reasons[~text.str.contains(r"[^\W\d_]")] = "has a caption that is not text"  # not one letter
    reasons[text.str.strip() == ""] = "has an empty caption"
    reasons[text.str.contains("\ufffd", regex=False)] = "has a caption that is not UTF-8"
    reasons[table.index.duplicated()] = "is listed twice"
    return reasons[reasons != ""]
