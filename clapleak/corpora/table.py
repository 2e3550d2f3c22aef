"""Corpus: one table of audio-text pairs for every data set, and what the readers of the data sets share."""

import os
import warnings
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pandas as pd

from clapleak.files import ClapleakError

SUFFIXES = (".flac", ".ogg", ".wav")  # copies in lossless or compact form are accepted under the same names
COLUMNS = ("clip", "path", "offset", "duration", "text", "labels", "sounds", "recording", "split")


@dataclass(frozen=True)
class Corpus:
    """Audio-text pairs of one or several data sets; a row of `table` is one pair.

    Its columns are `clip` (unique id of the sound, repeated when it has several captions), `path`, `offset` and
    `duration` in seconds (NaN: the whole file), `text`, `labels` (list of str), `sounds` (names of everything that
    sounds in the clip, list of str; None where that is unknown), `recording` (id of the source recording) and `split`.
    """

    name: str
    root: Path | None  # folder that `path` is relative to; None for synthetic sounds, whose paths are virtual
    table: pd.DataFrame

    def __post_init__(self) -> None:
        if absent := [column for column in COLUMNS if column not in self.table.columns]:
            raise ClapleakError(f"corpus {self.name}: columns missing: {', '.join(absent)}")

    def __len__(self) -> int:
        return len(self.table)

    def keep(self, mask: pd.Series) -> "Corpus":
        """The pairs where `mask` is True."""
        return Corpus(self.name, self.root, self.table[mask].reset_index(drop=True))

    def clips(self) -> pd.DataFrame:
        """One row a sound, in order of first appearance."""
        return self.table.drop_duplicates("clip").reset_index(drop=True)


def join(corpora: list[Corpus]) -> Corpus:
    """Several corpora as one; paths become relative to the folder above all their roots."""
    roots = [c.root for c in corpora if c.root is not None]
    above = Path(os.path.commonpath(roots)) if roots else None
    inner = ["" if c.root in (None, above) else f"{c.root.relative_to(above).as_posix()}/" for c in corpora]
    tables = [c.table.assign(path=folder + c.table["path"]) for folder, c in zip(inner, corpora, strict=True)]
    return Corpus("+".join(dict.fromkeys(c.name for c in corpora)), above, pd.concat(tables, ignore_index=True))


def bad_rows(table: pd.DataFrame) -> pd.Series:
    """Why a row of a reader's table, whose index is the row's id, cannot be trained on; empty where all can."""
    text = table["text"].where(table["text"].map(lambda value: isinstance(value, str)), "0").astype(str)
    reasons, esc50 = pd.Series("", table.index), table["clip"].str.startswith("esc50/")
    known = table["text"].isin(package_table("esc50_classes.csv")["name"]) & table["split"].isin([*"12345"])
    reasons[esc50 & ~known] = "has a category or fold that ESC-50 does not have"
    reasons[~text.str.contains(r"[^\W\d_]")] = "has a caption that is not text"  # not one letter
    reasons[text.str.strip() == ""] = "has an empty caption"
    reasons[text.str.contains("\ufffd", regex=False)] = "has a caption that is not UTF-8"
    reasons[table.index.duplicated()] = "is listed twice"
    return reasons[reasons != ""]


def package_table(name: str) -> pd.DataFrame:
    """A CSV of this folder: "esc50_classes.csv", or "esc50_audioset.csv" (what means the same in AudioSet)."""
    return read_csv(Path(__file__).with_name(name), [])


def pairs(ids, clip, path, text, recording, split, labels=None, *, sounds=None, duration=float("nan")) -> pd.DataFrame:
    """A reader's table from its columns, for clips that are whole files; `ids` name the rows in their source."""
    labels = [[] for _ in range(len(ids))] if labels is None else labels
    values = (clip, path, 0.0, duration, text, labels, sounds, recording, split)
    return pd.DataFrame(dict(zip(COLUMNS, values, strict=True))).set_index(ids)


def read_csv(path: Path, columns: list[str], **options) -> pd.DataFrame:
    """Read a CSV as text; ClapleakError when the file or one of its columns is missing.

    Bytes that are not UTF-8 become U+FFFD, which `bad_rows` reports: the rest of the table stays of use.
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
    if absent := [column for column in columns if column not in table.columns]:
        raise ClapleakError(f"{path}: columns missing: {', '.join(absent)}; it has {', '.join(table.columns)}")
    return table.fillna("")  # fields that a row lacks


def audio_files(root: Path, *folders: str) -> dict[str, str]:
    """Sound files at any depth below some folders of `root`: name without suffix -> path relative to `root`."""
    paths, visited = {}, set()
    for place, inner, names in chain.from_iterable(os.walk(root / folder, followlinks=True) for folder in folders):
        if (real := os.path.realpath(place)) in visited:  # links may lead back to a folder above them
            inner.clear()
            continue
        visited.add(real)
        inner.sort()
        for stem, suffix in map(os.path.splitext, sorted(names)):
            if suffix.lower() in SUFFIXES:
                paths[stem] = f"{Path(place).relative_to(root).as_posix()}/{stem}{suffix}"
    return paths


def clip_paths(root: Path, folder: str, stems: pd.Series, suffix: str = ".wav") -> pd.Series:
    """Paths of clips by name without suffix; for an absent file the path where it is awaited, and later counted."""
    return stems.map(audio_files(root, folder)).astype(object).fillna(f"{folder}/" + stems + suffix)


def label_lists(cells: pd.Series, names: dict[str, str], table: Path) -> pd.Series:
    """Lists of label names from cells such as "/m/09x0r,/m/05r5c"; ClapleakError for a key that `names` lacks."""
    keys = {cell: [key for key in cell.split(",") if key] for cell in cells.unique()}  # far fewer than rows
    if unknown := [key for several in keys.values() for key in several if key not in names]:
        raise ClapleakError(f"{table}: label {unknown[0]} is not in the vocabulary; both must be of one release")
    return cells.map({cell: [names[key] for key in several] for cell, several in keys.items()})
