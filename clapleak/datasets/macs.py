"""MACS (Martin and Mesaros, 2021): captions of ten-second city scenes out of TAU Urban Acoustic Scenes 2019.

`MACS.yaml` and `audio/*.wav`. The competence of the annotators, `MACS_competence.csv`, is not used by the paper.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import yaml

from clapleak.config import ClapleakError
from clapleak.datasets.corpus import Corpus, clip_paths, pairs


def load(root: Path, split: str | None = None) -> Corpus:
    """Captions, two to five a clip; `labels` are the tags of the caption's annotator, `recording` is the TAU file.

    There is one split, "all".
    """
    source, loader = root / "MACS.yaml", getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # C is ten times as fast
    try:
        rows = [
            (str(item["filename"]), number, annotation["sentence"], [str(tag) for tag in annotation["tags"] or ()])
            for item in yaml.load(source.read_text("utf-8-sig", "replace"), loader)["files"]
            for number, annotation in enumerate(item["annotations"], start=1)
        ]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ClapleakError(
            f"{source}: not the YAML of MACS ({reason}); it has files of filename and annotations of sentence and tags"
        ) from error
    table = pd.DataFrame(rows, columns=["name", "number", "text", "labels"])
    stems = table["name"].str.removesuffix(".wav")
    paths = clip_paths(root, "audio", stems)
    ids = "MACS.yaml: caption " + table["number"].astype(str) + " of " + table["name"]
    captions = pairs(ids, "macs/" + stems, paths, table["text"], "tau/" + stems, "all", table["labels"], duration=10.0)
    return Corpus("macs", root, captions)
