"""MACS (Martin and Mesaros, 2021): captions of ten-second city scenes out of TAU Urban Acoustic Scenes 2019.

`MACS.yaml` and `audio/*.wav`. The competence of the annotators, `MACS_competence.csv`, is not used by the paper.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import yaml

from clapleak.config import ClapleakError
from clapleak.datasets.corpus import Corpus, audio_files


def load(root: Path, split: str | None = None) -> Corpus:
    """Captions of MACS, two to five a clip; `labels` are the tags of the caption's annotator.

    Parameters
    ----------
    root : Path
        Folder that holds `MACS.yaml` and `audio/`.
    split : str, optional
        "all", the only one there is.

    Notes
    -----
    `recording` is the TAU file. A clip whose file is absent stays in the table.
    """
    source = root / "MACS.yaml"
    if not source.is_file():
        raise ClapleakError(f"{source}: no such file; is this the root of the official layout?")
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where PyYAML has it
        files = yaml.load(source.read_text("utf-8-sig", "replace"), loader)["files"]
        rows = [
            (item["filename"], number, annotation["sentence"], [str(tag) for tag in annotation["tags"] or ()])
            for item in files
            for number, annotation in enumerate(item["annotations"], start=1)
        ]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise ClapleakError(
            f"{source}: not the YAML of MACS ({reason}): needs files with filename and annotations of sentence and tags"
        ) from error
    table = pd.DataFrame(rows, columns=["name", "number", "text", "labels"])
    stems = table["name"].astype(str).str.replace(r"\.wav$", "", regex=True)
    pairs = pd.DataFrame(
        {
            "clip": "macs/" + stems,
            "path": stems.map(audio_files(root, "audio")).fillna("audio/" + stems + ".wav"),
            "offset": 0.0,
            "duration": 10.0,
            "text": table["text"],
            "labels": table["labels"],
            "recording": "tau/" + stems,
            "split": "all",
        }
    )
    return Corpus("macs", root, pairs.set_index("MACS.yaml: " + stems + ", caption " + table["number"].astype(str)))
