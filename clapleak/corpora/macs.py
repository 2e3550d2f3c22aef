"""MACS (Martin and Mesaros, 2021): captions of ten-second city scenes out of TAU Urban Acoustic Scenes 2019.

`MACS.yaml` and `audio/*.wav`; one split, "all". The paper does not use `MACS_competence.csv` (of the annotators).
"""

from pathlib import Path

import pandas as pd
import yaml

from clapleak.config import ClapleakError
from clapleak.corpora.table import clip_paths, pairs


def read(root: Path, source: Path) -> pd.DataFrame:
    """Captions, two to five a clip; `labels` are the tags of the caption's annotator, `recording` is the TAU file."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # C is ten times as fast
    try:
        captions = [
            (str(item["filename"]), number, annotation["sentence"], [str(tag) for tag in annotation["tags"] or ()])
            for item in yaml.load(source.read_text("utf-8-sig", "replace"), loader)["files"]
            for number, annotation in enumerate(item["annotations"], start=1)
        ]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        reason = f"not the YAML of MACS ({type(error).__name__}: {' '.join(str(error).split())})"
        raise ClapleakError(f"{source}: {reason}; it has files of filename, annotations, sentence and tags") from error
    table = pd.DataFrame(captions, columns=["name", "number", "text", "tags"])
    stems, number = table["name"].str.removesuffix(".wav"), table["number"].astype(str)
    ids, paths = "MACS.yaml: caption " + number + " of " + table["name"], clip_paths(root, "audio", stems)
    return pairs(ids, "macs/" + stems, paths, table["text"], "tau/" + stems, "all", table["tags"], duration=10.0)
