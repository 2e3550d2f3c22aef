"""AudioCaps, first version (Kim et al., 2019): captions of ten-second parts of YouTube videos.

`csv_files_v1/<split>.csv` and `audio_32000Hz/<split>/<youtube_id>_<start_time>.flac` or .wav. The audio is not
published and many of the videos are gone, so missing clips are normal.
"""

from pathlib import Path

import pandas as pd

from clapleak.corpora.table import clip_paths, pairs, read_csv


def read(root: Path, source: Path) -> pd.DataFrame:
    """Captions of the split whose table is `source`: one a clip in train, five in val and test."""
    table = read_csv(source, ["audiocap_id", "youtube_id", "start_time", "caption"])
    ids, split = f"{source.name}: audiocap_id " + table["audiocap_id"], source.stem
    stems, recordings = table["youtube_id"] + "_" + table["start_time"], "youtube/" + table["youtube_id"]
    paths = clip_paths(root, f"audio_32000Hz/{split}", stems, ".flac")
    # ten seconds at most: some videos end earlier
    return pairs(ids, "audiocaps/" + stems, paths, table["caption"], recordings, split, duration=10.0)
