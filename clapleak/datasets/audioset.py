"""AudioSet (Gemmeke et al., 2017): labels of ten-second segments of YouTube videos.

`class_labels_indices.csv`, `<split>_segments.csv` and the audio, which is not published. Files are called
`<ytid>.wav`, `<ytid>.flac` or `Y<ytid>.wav` and lie anywhere below `audio/`, `audios/` or `<split>/`.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from clapleak.config import ClapleakError
from clapleak.datasets.corpus import Corpus, audio_files, label_lists, label_text, read_csv

SPLITS = ("balanced_train", "unbalanced_train", "eval")


def load(root: Path, split: str | None = None) -> Corpus:
    """Segments of AudioSet, one row each; `labels` are display names and `text` is the labels joined.

    Parameters
    ----------
    root : Path
        Folder that holds the CSV files.
    split : str, optional
        One of SPLITS; by default every one whose CSV lies there. `unbalanced_train` has two million rows.

    Notes
    -----
    Start and end in the table are places in the video. The file holds the segment alone, so `offset` is 0. `recording`
    is the video. A segment whose file is absent, which is normal here, stays in the table.
    """
    there = [s for s in SPLITS if (root / f"{s}_segments.csv").is_file()]
    labels = read_csv(root / "class_labels_indices.csv", ["mid", "display_name"])
    names = dict(zip(labels["mid"], labels["display_name"], strict=True))
    parts = [split] if split else there or list(SPLITS)
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
    segments = pd.DataFrame(
        {
            "clip": "audioset/" + ytid,
            "path": ytid.map(files).fillna(("Y" + ytid).map(files)).fillna(f"audio/{split}/" + ytid + ".wav"),
            "offset": 0.0,
            "duration": end - start,
            "text": label_text(labels),
            "labels": labels,
            "recording": "youtube/" + ytid,
            "split": split,
        }
    )
    return segments.set_index(ytid)
