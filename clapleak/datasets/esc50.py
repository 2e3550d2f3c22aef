"""ESC-50 in its official layout: `audio/*.wav` and `meta/esc50.csv`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from clapleak.config import ClapleakError
from clapleak.datasets.corpus import Corpus, audio_files, read_csv

CLIPS, CLIPS_PER_CLASS = 2000, 40


def load(root: Path, split: str | None = None) -> Corpus:
    """Clips of ESC-50 that the table lists; text is the class name with spaces.

    Parameters
    ----------
    root : Path
        Folder that holds `audio/` and `meta/`.
    split : str, optional
        A fold, "1" to "5"; all folds by default.

    Notes
    -----
    A clip whose file is absent stays in the table with the path of its `.wav`, so that it is counted later.
    """
    table = read_csv(root / "meta" / "esc50.csv", ["filename", "fold", "category", "src_file"])
    if not (root / "audio").is_dir():
        raise ClapleakError(f"{root / 'audio'}: no such folder; ESC-50 needs audio/ and meta/ below its root")
    stems = table["filename"].map(lambda name: Path(name).stem)
    label = table["category"].str.replace("_", " ")
    clips = pd.DataFrame(
        {
            "clip": "esc50/" + stems,
            "path": stems.map(audio_files(root, "audio")).fillna("audio/" + stems + ".wav"),
            "offset": 0.0,
            "duration": 5.0,
            "text": label,
            "labels": [[name] for name in label],
            "recording": "freesound/" + table["src_file"],
            "split": table["fold"],
        }
    )
    corpus = Corpus("esc50", root, clips.set_index("meta/esc50.csv: " + stems))
    return corpus if split is None else Corpus("esc50", root, corpus.table[corpus.table["split"] == split])
