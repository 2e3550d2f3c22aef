"""ESC-50 in its official layout: `audio/*.wav` and `meta/esc50.csv`."""

from __future__ import annotations

from pathlib import Path

from clapleak.config import ClapleakError
from clapleak.datasets.corpus import Corpus, clip_paths, pairs, read_csv

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
    path = clip_paths(root, "audio", stems)
    recording, labels = "freesound/" + table["src_file"], [[name] for name in label]
    ids = "meta/esc50.csv: " + stems
    clips = pairs(ids, "esc50/" + stems, path, label, recording, table["fold"], labels, duration=5.0)
    return Corpus("esc50", root, clips if split is None else clips[clips["split"] == split])
