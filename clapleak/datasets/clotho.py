"""Clotho 2.1 (Drossos, Lipping and Virtanen, 2020) in its official layout.

`clotho_audio_files/<split>/*.wav` and `clotho_csv_files/clotho_{captions,metadata}_<split>.csv`.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from clapleak.datasets.corpus import Corpus, audio_files, read_csv

SPLITS = ("development", "validation", "evaluation")
CAPTIONS = [f"caption_{k}" for k in range(1, 6)]


def load(root: Path, split: str | None = None) -> Corpus:
    """Captions of Clotho, five a clip.

    Parameters
    ----------
    root : Path
        Folder that holds `clotho_audio_files/` and `clotho_csv_files/`.
    split : str, optional
        One of SPLITS; by default every one whose captions lie there.

    Notes
    -----
    `recording` is the Freesound id of the metadata, which is ISO-8859-1; the file itself where the metadata or its id
    is missing. A clip whose file is absent stays in the table.
    """
    there = [s for s in SPLITS if (root / "clotho_csv_files" / f"clotho_captions_{s}.csv").is_file()]
    return Corpus("clotho", root, pd.concat([_read(root, s) for s in ([split] if split else there or SPLITS)]))


def _read(root: Path, split: str) -> pd.DataFrame:
    source = root / "clotho_csv_files" / f"clotho_captions_{split}.csv"
    captions = read_csv(source, ["file_name", *CAPTIONS])
    sounds = pd.Series(dtype=str)
    metadata = source.with_name(f"clotho_metadata_{split}.csv")
    if metadata.is_file():
        table = read_csv(metadata, ["file_name", "sound_id"], encoding="iso-8859-1").drop_duplicates("file_name")
        sounds = table.set_index(table["file_name"].str.strip())["sound_id"].str.strip()
        sounds = "freesound/" + sounds[sounds.str.isdecimal()]
    names = captions["file_name"]  # some begin or end with a blank, and so do their files
    stems, clips = names.str.replace(r"\.wav$", "", regex=True), f"clotho/{split}/" + names
    folder = f"clotho_audio_files/{split}"
    captions = captions.assign(
        clip=clips,
        path=stems.map(audio_files(root, folder)).fillna(f"{folder}/" + names),
        recording=names.str.strip().map(sounds).fillna(clips),
        source=f"{source.name}: " + names + ", caption_",
    )
    pairs = captions.melt(["clip", "path", "recording", "source"], CAPTIONS, "number", "text", ignore_index=False)
    pairs = pairs.sort_index(kind="stable").set_index(pairs["source"] + pairs["number"].str[-1])
    return pairs.drop(columns=["source", "number"]).assign(
        offset=0.0, duration=float("nan"), labels=[[] for _ in range(len(pairs))], split=split
    )
