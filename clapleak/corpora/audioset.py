"""AudioSet (Gemmeke et al., 2017): labels of ten-second segments of YouTube videos.

`class_labels_indices.csv`, `<split>_segments.csv` and the audio, which is not published: `<ytid>.wav`, `<ytid>.flac`
or `Y<ytid>.wav`, anywhere below `audio/`, `audios/` or `<split>/`. Missing clips are normal.
"""

from pathlib import Path

import pandas as pd

from clapleak.config import ClapleakError
from clapleak.corpora.table import audio_files, label_lists, pairs, read_csv


def read(root: Path, source: Path) -> pd.DataFrame:
    """Segments of the split whose table is `source`; `text` is the labels' names joined.

    Start and end in the table are places in the video; the file holds the segment alone, so `offset` is 0.
    """
    classes = read_csv(root / "class_labels_indices.csv", ["mid", "display_name"])
    columns, split = ["ytid", "start", "end", "mids"], source.stem.removesuffix("_segments")
    table = read_csv(source, columns, header=None, names=columns, comment="#", skipinitialspace=True)
    ytid, start, end = table["ytid"], *(pd.to_numeric(table[c], errors="coerce") for c in ("start", "end"))
    wrong = ~(end > start)  # also where one is no number
    if wrong.any():
        raise ClapleakError(f"{source}: segment {ytid[wrong.idxmax()]} does not end after its start; fetch it again")
    labels = label_lists(table["mids"], dict(zip(classes["mid"], classes["display_name"], strict=True)), source)
    files = audio_files(root, "audio", "audios", split)
    paths = ytid.map(files).astype(object).fillna(("Y" + ytid).map(files)).fillna(f"audio/{split}/" + ytid + ".wav")
    clips, recordings, seconds = "audioset/" + ytid, "youtube/" + ytid, end - start
    return pairs(ytid, clips, paths, labels.str.join(", "), recordings, split, labels, duration=seconds)
