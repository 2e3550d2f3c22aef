"""FSD50K (Fonseca et al., 2022): labelled clips of Freesound.

`FSD50K.{dev,eval}_audio/*.wav`, `FSD50K.ground_truth/{dev,eval,vocabulary}.csv` and, for captions,
`FSD50K.metadata/{dev,eval}_clips_info_FSD50K.json`.
"""

from __future__ import annotations

import html
import json
from pathlib import Path

import pandas as pd

from clapleak.config import ClapleakError
from clapleak.datasets.corpus import Corpus, clip_paths, label_lists, label_text, pairs, read_csv


def load(root: Path, split: str | None = None) -> Corpus:
    """Clips of "train", "val", "dev" (both of these) or "eval"; by default dev and eval, as far as they lie there.

    `text` is the title and description of the upload, without markup and addresses; where both are empty or the
    metadata is not there, it is the labels joined (`clapleak data check` counts both). `labels` are spelled as in the
    vocabulary, with spaces for underscores. `recording` is the Freesound id, which is the file's name.
    """
    there = [part for part in ("dev", "eval") if (root / "FSD50K.ground_truth" / f"{part}.csv").is_file()]
    parts = ["eval" if split == "eval" else "dev"] if split else there or ["dev"]
    table = pd.concat([_read(root, part) for part in parts])
    return Corpus("fsd50k", root, table[table["split"] == split] if split in ("train", "val") else table)


def _read(root: Path, part: str) -> pd.DataFrame:
    source, folder = root / "FSD50K.ground_truth" / f"{part}.csv", f"FSD50K.{part}_audio"
    table = read_csv(source, ["fname", "labels", *(["split"] if part == "dev" else [])])
    vocabulary = read_csv(source.with_name("vocabulary.csv"), ["label"], header=None, names=["index", "label", "mid"])
    labels = label_lists(table["labels"], {name: name.replace("_", " ") for name in vocabulary["label"]}, source)
    text = _descriptions(root / "FSD50K.metadata" / f"{part}_clips_info_FSD50K.json", table["fname"])
    text = text.where(text != "", label_text(labels))
    fname, split = table["fname"], table["split"] if part == "dev" else part
    paths = clip_paths(root, folder, fname)
    return pairs(f"{part}.csv: " + fname, "fsd50k/" + fname, paths, text, "freesound/" + fname, split, labels)


def _descriptions(path: Path, fname: pd.Series) -> pd.Series:
    """Title and description of each clip, "" where there is neither."""
    if not path.is_file():
        return pd.Series("", fname.index)
    try:
        info = pd.DataFrame.from_dict(json.loads(path.read_text("utf-8", "replace")), orient="index")
    except (ValueError, TypeError, AttributeError) as error:
        raise ClapleakError(f"{path}: not the clip information of FSD50K ({error}); fetch it again") from error
    info = info.reindex(index=fname, columns=["title", "description"]).fillna("").astype(str).set_axis(fname.index)
    title = info["title"].str.replace(r"\.(?:wav|aiff?|flac|ogg|mp3|m4a)$", "", case=False, regex=True)
    text = (title.str.replace("_", " ") + ". ").where(title.str.strip() != "", "") + info["description"]
    text = text.map(html.unescape).str.replace(r"<[^>]*>|https?://\S+|www\.\S+", " ", regex=True)
    return text.str.split().str.join(" ")
