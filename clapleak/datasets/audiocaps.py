"""AudioCaps, first version (Kim et al., 2019): captions of ten-second parts of YouTube videos.

`csv_files_v1/<split>.csv` and `audio_32000Hz/<split>/<youtube_id>_<start_time>.flac` (or .wav). The audio is not
published, and many of the videos are gone.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from clapleak.datasets.corpus import Corpus, audio_files, read_csv

SPLITS = ("train", "val", "test")


def load(root: Path, split: str | None = None) -> Corpus:
    """Captions of AudioCaps: one a clip in train, five in val and test.

    Parameters
    ----------
    root : Path
        Folder that holds `csv_files_v1/` and `audio_32000Hz/`.
    split : str, optional
        One of SPLITS; by default every one whose CSV lies there.

    Notes
    -----
    `recording` is the video. A clip whose file is absent, which is normal here, stays in the table.
    """
    there = [s for s in SPLITS if (root / "csv_files_v1" / f"{s}.csv").is_file()]
    return Corpus("audiocaps", root, pd.concat([_read(root, s) for s in ([split] if split else there or SPLITS)]))


def _read(root: Path, split: str) -> pd.DataFrame:
    table = read_csv(root / "csv_files_v1" / f"{split}.csv", ["audiocap_id", "youtube_id", "start_time", "caption"])
    stems, folder = table["youtube_id"] + "_" + table["start_time"], f"audio_32000Hz/{split}"
    pairs = pd.DataFrame(
        {
            "clip": "audiocaps/" + stems,
            "path": stems.map(audio_files(root, folder)).fillna(f"{folder}/" + stems + ".flac"),
            "offset": 0.0,
            "duration": 10.0,  # at most: some videos end earlier
            "text": table["caption"],
            "labels": [[] for _ in range(len(table))],
            "recording": "youtube/" + table["youtube_id"],
            "split": split,
        }
    )
    return pairs.set_index(f"{split}.csv: audiocap_id " + table["audiocap_id"])
