"""ESC-50 (Piczak, 2015): `meta/esc50.csv` and `audio/*.wav`. A split is a fold, "1" to "5"."""

import re
from pathlib import Path

import pandas as pd

from clapleak.config import ClapleakError
from clapleak.corpora.table import Corpus, clip_paths, pairs, read_csv

CLIPS, CLIPS_PER_CLASS = 2000, 40
TITLE = re.compile(r"- \[?([\w-]+?)(?:-\d+)?\.\w+\]?.*?: clip derived from (.*?) \(https?://")  # lines of LICENSE


def read(root: Path, source: Path) -> pd.DataFrame:
    """All clips; the text and the only label of a clip are the name of its class, with spaces."""
    table = read_csv(source, ["filename", "fold", "category", "src_file"])
    if not (root / "audio").is_dir():
        raise ClapleakError(f"{root / 'audio'}: no such folder; ESC-50 needs audio/ and meta/ below its root")
    stems, names = table["filename"].map(lambda name: Path(name).stem), table["category"].str.replace("_", " ")
    ids, clips, paths = "meta/esc50.csv: " + stems, "esc50/" + stems, clip_paths(root, "audio", stems)
    labels, recordings = names.map(lambda name: [name]), "freesound/" + table["src_file"]
    return pairs(ids, clips, paths, names, recordings, table["fold"], labels, sounds=labels, duration=5.0)


def titled(corpus: Corpus) -> Corpus:
    """The clips with the title that the recordist gave on Freesound as their caption, without the file's ending.

    The titles stand in the LICENSE file of the archive. Clips without a title that holds a letter are left out.
    """
    file = corpus.root / "LICENSE"
    if not file.is_file():
        raise ClapleakError(f"{file}: no such file; take it, with the titles, from the official archive of ESC-50")
    found = TITLE.findall(file.read_text("utf-8", "replace"))
    titles = {clip: re.sub(r"\.\w{2,4}$", "", title) for clip, title in found}
    names = corpus.table["clip"].str.extract(r"esc50/(.*)-\d+$")[0]
    table = corpus.table.assign(text=names.map(titles).fillna(""))
    return Corpus(corpus.name, corpus.root, table).keep(table["text"].str.contains(r"[^\W\d_]"))
