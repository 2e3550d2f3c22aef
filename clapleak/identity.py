"""Versions and settings that determine a run's numbers, as short ids.

No id covers what changes no number: worker counts, the number of seeds, the perplexity of a map or a comment never make
a finished run look old. An id that holds another is as old as that: a new recipe trains backbones again as well. Source
code is not hashed: when a change of the code changes numbers, the constant of its format in FORMATS is raised by hand.

clips        the decoded clips: contents of the source files, front end
family       what runs must share to be compared: clips, networks, recipe; not the setup, group or seed
backbone     family, the rows of the pre-training, seed
training     backbone, the audio-text pairs, seed
measurement  a training, the test table, the prompt, the measures
"""

import hashlib
import json
import zlib
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from clapleak.config import Audio, Profile

# raise one when the code behind it gives other numbers; with the FORMAT of a synthesiser "clips" as well
FORMATS = {"clips": 1, "training": 1, "measurement": 2}


def digest(*parts: object) -> str:
    """16 hexadecimal digits that follow from the parts (text, numbers, lists, dictionaries) alone."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def stable_seed(*parts: object) -> int:
    """A 32-bit seed that follows from the parts alone, on every machine and in every process."""
    return zlib.crc32("/".join(map(str, parts)).encode())


def rows_id(table: pd.DataFrame, columns: list[str]) -> str:
    """Id of some columns of a table, of texts or lists of texts, in their order."""
    lines = "".join(f"{json.dumps(row)}\n" for row in table[columns].itertuples(index=False))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def contents(place: str | None) -> str | None:
    """Checksum of a file, or of the files of a folder, at an absolute path; anything else stands for itself."""
    path = Path(place or "")
    if path.is_absolute() and path.is_dir():
        return digest([(file.name, contents(str(file))) for file in sorted(path.glob("[!.]*")) if file.is_file()])
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_absolute() and path.is_file() else place


def clips_id(clips: Iterable[str], contents: Iterable[int], audio: Audio) -> str:
    """Id of decoded clips: their names, the checksums of their sources, and the front end."""
    lines = "\n".join(f"{clip}\t{content}" for clip, content in zip(clips, contents, strict=True))
    return digest(FORMATS["clips"], audio.model_dump(), hashlib.sha256(lines.encode()).hexdigest())


def run_ids(
    clips: str, profile: Profile, seed: int, pretrain: pd.DataFrame | str | None, pairs: pd.DataFrame | None,
    test: pd.DataFrame, targets: list[str],
) -> dict[str, str]:  # fmt: skip
    """All five ids of a run, by their names; without `pairs` those of a backbone, trained before any caption.

    `pretrain` holds the clips that the backbone learns from, the id of a network that others trained, or is None; every
    label of the test has a part in the last id.
    """
    sections = ("audio_encoder", "text_encoder", "projection", "loss", "pretrain", "recipe")
    numbers = {name: getattr(profile, name).model_dump() for name in sections}
    numbers["pretrain"]["checkpoint"] = contents(profile.pretrain.checkpoint)
    numbers["text_encoder"]["model"] = contents(profile.text_encoder.model)
    arithmetic = {"precision": profile.compute.precision, "compile": profile.compute.compile}
    family = digest(FORMATS["training"], clips, numbers, arithmetic, profile.data.label_rule)
    if isinstance(pretrain, pd.DataFrame):
        pretrain = rows_id(pretrain, ["clip", "labels"])
    backbone = digest(family, pretrain, seed)
    training = backbone if pairs is None else digest(backbone, rows_id(pairs, ["clip", "text"]), seed)
    rows, measures = rows_id(test, ["clip", "text"]), profile.measures.model_dump(exclude={"perplexity"})  # of a map
    measurement = digest(FORMATS["measurement"], training, rows, targets, profile.data.prompt, measures)
    return dict(clips=clips, family=family, backbone=backbone, training=training, measurement=measurement)
