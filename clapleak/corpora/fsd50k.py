"""FSD50K (Fonseca et al., 2022): labelled clips of Freesound.

`FSD50K.{dev,eval}_audio/*.wav`, `FSD50K.ground_truth/{dev,eval,vocabulary}.csv` and, for captions,
`FSD50K.metadata/{dev,eval}_clips_info_FSD50K.json`.
"""

import html
import json
from pathlib import Path

import pandas as pd

from clapleak.config import ClapleakError
from clapleak.corpora.table import clip_paths, label_lists, pairs, read_csv


def read(root: Path, source: Path) -> pd.DataFrame:
    """Clips of the table `source`: dev.csv, whose splits are "train" and "val", or eval.csv, whose split is "eval".

    `text` is the title and description of the upload, without markup and addresses; where both are empty or the
    metadata is not there, it is the labels joined (`clapleak data check` counts both). `labels` are spelled as in the
    vocabulary, with spaces for underscores. `recording` is the Freesound id, which is the file's name.
    """
    part = source.stem
    table = read_csv(source, ["fname", "labels", *(["split"] if part == "dev" else [])])
    vocabulary = read_csv(source.with_name("vocabulary.csv"), ["label"], header=None, names=["index", "label", "mid"])
    labels = label_lists(table["labels"], {name: name.replace("_", " ") for name in vocabulary["label"]}, source)
    fname, split = table["fname"], table["split"] if part == "dev" else part
    text = _descriptions(root / "FSD50K.metadata" / f"{part}_clips_info_FSD50K.json", fname)
    text = text.where(text != "", labels.str.join(", "))
    ids, paths = f"{source.name}: " + fname, clip_paths(root, f"FSD50K.{part}_audio", fname)
    return pairs(ids, "fsd50k/" + fname, paths, text, "freesound/" + fname, split, labels)


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
