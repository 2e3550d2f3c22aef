"""Clotho 2.1 (Drossos, Lipping and Virtanen, 2020): five captions a clip.

`clotho_audio_files/<split>/*.wav`, `clotho_csv_files/clotho_captions_<split>.csv` and, for the Freesound ids,
`clotho_metadata_<split>.csv`.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from clapleak.datasets.corpus import Corpus, clip_paths, pairs, read_csv

SPLITS = ("development", "validation", "evaluation")
CAPTIONS = [f"caption_{k}" for k in range(1, 6)]


def load(root: Path, split: str | None = None) -> Corpus:
    """Captions of one of SPLITS, by default of every one that lies there.

    `recording` is the Freesound id of the metadata; the file itself where the metadata or its id is missing.
    """
    there = [s for s in SPLITS if (root / "clotho_csv_files" / f"clotho_captions_{s}.csv").is_file()]
    return Corpus("clotho", root, pd.concat([_read(root, s) for s in ([split] if split else there or SPLITS)]))


def _read(root: Path, split: str) -> pd.DataFrame:
    source, folder = root / "clotho_csv_files" / f"clotho_captions_{split}.csv", f"clotho_audio_files/{split}"
    table = read_csv(source, ["file_name", *CAPTIONS])
    names = table["file_name"]  # some begin or end with a blank, and so do their files
    clips = f"clotho/{split}/" + names
    recordings = clips
    metadata = source.with_name(f"clotho_metadata_{split}.csv")
    if metadata.is_file():
        sounds = read_csv(metadata, ["file_name", "sound_id"], encoding="iso-8859-1").drop_duplicates("file_name")
        ids = sounds.set_index("file_name")["sound_id"].str.strip()
        recordings = names.map("freesound/" + ids[ids.str.isdecimal()]).fillna(clips)  # some say "Not found"
    paths = clip_paths(root, folder, names.str.removesuffix(".wav"))
    parts = [
        pairs(f"{source.name}: {column} of " + names, clips, paths, table[column], recordings, split)
        for column in CAPTIONS
    ]
    return pd.concat(parts)
