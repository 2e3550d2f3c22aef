"""FSD50K (Fonseca et al., 2022) in its official layout.

`FSD50K.{dev,eval}_audio/*.wav`, `FSD50K.ground_truth/{dev,eval,vocabulary}.csv` and, for captions,
`FSD50K.metadata/{dev,eval}_clips_info_FSD50K.json`.
"""

from __future__ import annotations

import html
import json
from pathlib import Path

import pandas as pd

from clapleak.config import ClapleakError
from clapleak.datasets.corpus import Corpus, audio_files, label_lists, label_text, read_csv

SPLITS = ("train", "val", "dev", "eval")


def load(root: Path, split: str | None = None) -> Corpus:
    """Clips of FSD50K, one row each.

    Parameters
    ----------
    root : Path
        Folder that holds `FSD50K.ground_truth/` and the folders of audio.
    split : str, optional
        One of SPLITS, where dev is train and val together; by default dev and eval, as far as their CSVs lie there.

    Notes
    -----
    `text` is the title and description that the uploader gave on Freesound, without markup and addresses; where both
    are empty, or the metadata is not there, it is the labels joined (`clapleak data check` counts both). `labels` are
    spelled as in the vocabulary, with spaces for underscores. `recording` is the Freesound id, which is the file's
    name. A clip whose file is absent stays in the table.
    """
    there = [part for part in ("dev", "eval") if (root / "FSD50K.ground_truth" / f"{part}.csv").is_file()]
    parts = [split if split == "eval" else "dev"] if split else there or ["dev"]
    table = pd.concat([_read(root, part) for part in parts])
    return Corpus("fsd50k", root, table[table["split"] == split] if split in ("train", "val") else table)


def _read(root: Path, part: str) -> pd.DataFrame:
    truth = root / "FSD50K.ground_truth"
    table = read_csv(truth / f"{part}.csv", ["fname", "labels", *(["split"] if part == "dev" else [])])
    known = read_csv(truth / "vocabulary.csv", ["label"], header=None, names=["index", "label", "mid"])["label"]
    fname, folder = table["fname"], f"FSD50K.{part}_audio"
    labels = label_lists(
        table["labels"], dict(zip(known, known.str.replace("_", " "), strict=True)), truth / f"{part}.csv"
    )
    described = _descriptions(root / "FSD50K.metadata" / f"{part}_clips_info_FSD50K.json", fname)
    clips = pd.DataFrame(
        {
            "clip": "fsd50k/" + fname,
            "path": fname.map(audio_files(root, folder)).fillna(f"{folder}/" + fname + ".wav"),
            "offset": 0.0,
            "duration": float("nan"),
            "text": described.where(described != "", label_text(labels)),
            "labels": labels,
            "recording": "freesound/" + fname,
            "split": table["split"] if part == "dev" else part,
        }
    )
    return clips.set_index(f"{part}.csv: " + fname)


def _descriptions(path: Path, fname: pd.Series) -> pd.Series:
    """Title and description of each clip, "" where there is neither."""
    if not path.is_file():
        return pd.Series("", fname.index)
    try:
        info = pd.DataFrame.from_dict(json.loads(path.read_text("utf-8", "replace")), orient="index")
    except (ValueError, TypeError, AttributeError) as error:
        raise ClapleakError(f"{path}: not the clip information of FSD50K ({error}); fetch it again") from error
    info = info.reindex(index=fname, columns=["title", "description"]).fillna("").astype(str).reset_index(drop=True)
    title = (
        info["title"]
        .str.replace(r"\.(?:wav|aiff?|flac|ogg|mp3|m4a)$", "", case=False, regex=True)
        .str.replace("_", " ")
    )
    text = (title.str.strip() + ". ").where(title.str.strip() != "", "") + info["description"]
    text = text.map(html.unescape).str.replace(r"<[^>]*>|https?://\S+|www\.\S+", " ", regex=True)
    return text.str.split().str.join(" ").set_axis(fname.index)
