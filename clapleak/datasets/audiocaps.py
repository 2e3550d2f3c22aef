"""AudioCaps, first version (Kim et al., 2019): captions of ten-second parts of YouTube videos.

`csv_files_v1/<split>.csv` and `audio_32000Hz/<split>/<youtube_id>_<start_time>.flac` or .wav. The audio is not
published and many of the videos are gone, so missing clips are normal.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from clapleak.datasets.corpus import Corpus, clip_paths, pairs, read_csv

SPLITS = ("train", "val", "test")


def load(root: Path, split: str | None = None) -> Corpus:
    """Captions of one of SPLITS, by default of every one that lies there: one a clip in train, five in val and test."""
    there = [s for s in SPLITS if (root / "csv_files_v1" / f"{s}.csv").is_file()]
    return Corpus("audiocaps", root, pd.concat([_read(root, s) for s in ([split] if split else there or SPLITS)]))


def _read(root: Path, split: str) -> pd.DataFrame:
    source, folder = root / "csv_files_v1" / f"{split}.csv", f"audio_32000Hz/{split}"
    table = read_csv(source, ["audiocap_id", "youtube_id", "start_time", "caption"])
    stems = table["youtube_id"] + "_" + table["start_time"]
    paths = clip_paths(root, folder, stems, ".flac")
    ids, recordings = f"{split}.csv: audiocap_id " + table["audiocap_id"], "youtube/" + table["youtube_id"]
    # ten seconds at most: some videos end earlier
    return pairs(ids, "audiocaps/" + stems, paths, table["caption"], recordings, split, duration=10.0)
