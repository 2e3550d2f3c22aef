"""Clotho 2.1 (Drossos, Lipping and Virtanen, 2020): five captions a clip.

`clotho_audio_files/<split>/*.wav`, `clotho_csv_files/clotho_captions_<split>.csv` and, for the Freesound ids,
`clotho_metadata_<split>.csv`.
"""

from pathlib import Path

import pandas as pd

from clapleak.corpora.table import clip_paths, pairs, read_csv

CAPTIONS = [f"caption_{k}" for k in range(1, 6)]


def read(root: Path, source: Path) -> pd.DataFrame:
    """Captions of the split whose table is `source`.

    `recording` is the Freesound id of the metadata; the file itself where the metadata or its id is missing.
    """
    table, split = read_csv(source, ["file_name", *CAPTIONS]), source.stem.removeprefix("clotho_captions_")
    names = table["file_name"]  # some begin or end with a blank, and so do their files
    clips = recordings = f"clotho/{split}/" + names
    metadata = source.with_name(f"clotho_metadata_{split}.csv")
    if metadata.is_file():
        uploads = read_csv(metadata, ["file_name", "sound_id"], encoding="iso-8859-1").drop_duplicates("file_name")
        ids = uploads.set_index("file_name")["sound_id"].str.strip()
        recordings = names.map("freesound/" + ids[ids.str.isdecimal()]).fillna(clips)  # some say "Not found"
    paths = clip_paths(root, f"clotho_audio_files/{split}", names.str.removesuffix(".wav"))
    parts = [pairs(f"{source.name}: {c} of " + names, clips, paths, table[c], recordings, split) for c in CAPTIONS]
    return pd.concat(parts)
