"""ESC-50 (Piczak, 2015): `meta/esc50.csv` and `audio/*.wav`. A split is a fold, "1" to "5"."""

from pathlib import Path

import pandas as pd

from clapleak.config import ClapleakError
from clapleak.corpora.table import clip_paths, pairs, read_csv

CLIPS, CLIPS_PER_CLASS = 2000, 40


def read(root: Path, source: Path) -> pd.DataFrame:
    """All clips; the text and the only label of a clip are the name of its class, with spaces."""
    table = read_csv(source, ["filename", "fold", "category", "src_file"])
    if not (root / "audio").is_dir():
        raise ClapleakError(f"{root / 'audio'}: no such folder; ESC-50 needs audio/ and meta/ below its root")
    stems, names = table["filename"].map(lambda name: Path(name).stem), table["category"].str.replace("_", " ")
    ids, clips, paths = "meta/esc50.csv: " + stems, "esc50/" + stems, clip_paths(root, "audio", stems)
    labels, recordings = names.map(lambda name: [name]), "freesound/" + table["src_file"]
    return pairs(ids, clips, paths, names, recordings, table["fold"], labels, sounds=labels, duration=5.0)
