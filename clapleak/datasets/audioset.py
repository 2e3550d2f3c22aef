"""AudioSet (Gemmeke et al., 2017): labels of ten-second segments of YouTube videos.

`class_labels_indices.csv`, `<split>_segments.csv` and the audio, which is not published: `<ytid>.wav`, `<ytid>.flac`
or `Y<ytid>.wav`, anywhere below `audio/`, `audios/` or `<split>/`. Missing clips are normal.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from clapleak.config import ClapleakError
from clapleak.datasets.corpus import Corpus, audio_files, label_lists, label_text, pairs, read_csv

SPLITS = ("balanced_train", "unbalanced_train", "eval")


def load(root: Path, split: str | None = None) -> Corpus:
    """Segments of one of SPLITS, by default of every one that lies there; `text` is the labels' names joined.

    Start and end in the table are places in the video; the file holds the segment alone, so `offset` is 0.
    """
    labels = read_csv(root / "class_labels_indices.csv", ["mid", "display_name"])
    names = dict(zip(labels["mid"], labels["display_name"], strict=True))
    there = [s for s in SPLITS if (root / f"{s}_segments.csv").is_file()]
    parts = [split] if split else there or SPLITS
    files = audio_files(root, "audio", "audios", *parts)
    return Corpus("audioset", root, pd.concat([_read(root, s, names, files) for s in parts]))


def _read(root: Path, split: str, names: dict[str, str], files: dict[str, str]) -> pd.DataFrame:
    source, columns = root / f"{split}_segments.csv", ["ytid", "start", "end", "mids"]
    table = read_csv(source, columns, header=None, names=columns, comment="#", skipinitialspace=True)
    ytid, start, end = table["ytid"], *(pd.to_numeric(table[c], errors="coerce") for c in ("start", "end"))
    wrong = ~(end > start)  # also where one is no number
    if wrong.any():
        raise ClapleakError(f"{source}: segment {ytid[wrong.idxmax()]} does not end after its start; fetch it again")
    labels = label_lists(table["mids"], names, source)
    paths = ytid.map(files).astype(object).fillna(("Y" + ytid).map(files)).fillna(f"audio/{split}/" + ytid + ".wav")
    text, recordings = label_text(labels), "youtube/" + ytid
    return pairs(ytid, "audioset/" + ytid, paths, text, recordings, split, labels, duration=end - start)
