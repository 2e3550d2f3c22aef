"""The tables of sound classes and of templates, virtual paths, and random generators that follow from names alone."""

import re
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from clapleak.config import ClapleakError
from clapleak.identity import stable_seed

_PATH = re.compile(r"foley(?:@(\d+))?/([^/]+)/(\d+)")


def classes() -> pd.DataFrame:
    """The classes of the synthetic sounds, indexed by name, in the order of `classes.csv` and with its columns.

    `target` is True for the 50 names of ESC-50. `noun_phrases` and `clauses` are separated by "|", `resonances_hz` by
    spaces. Units stand at the end of a column's name: hz, st (semitones), ms, s, db, db_oct (decibels an octave),
    share (0 to 1). Where the file's cell is empty stands 0 or "", which means "none".
    """
    texts = ("name", "noun_phrases", "clauses", "resonances_hz", "course")
    table = pd.read_csv(Path(__file__).with_name("classes.csv"), dtype=dict.fromkeys(texts, str))
    return table.fillna(dict.fromkeys(texts, "")).fillna(0.0).astype({"target": bool}).set_index("name")


@cache
def parameters() -> dict[str, dict]:
    """The table as name -> column -> value: a look-up in a dictionary is much faster than in a DataFrame."""
    return classes().to_dict("index")


@cache
def templates() -> dict[str, list[str]]:
    """Templates of captions by kind: for a "noun" phrase, a "clause", and two nouns "at_once" or "in_sequence"."""
    return pd.read_csv(Path(__file__).with_name("templates.csv")).groupby("kind")["template"].agg(list).to_dict()


def parse(path: str) -> tuple[int, list[str], int]:
    """Seed, one or two classes, and index of a virtual path; ClapleakError for a path of another form."""
    match = _PATH.fullmatch(path)
    names = match[2].split("+") if match else []
    if unknown := [name for name in names if name not in parameters()]:
        raise ClapleakError(f"{path}: no class '{unknown[0]}' in classes.csv; see clapleak.foley.classes()")
    if not 1 <= len(names) <= 2:
        raise ClapleakError(f"{path}: not a synthetic sound; write foley@0/dog/17 or foley@0/dog+rain/17")
    return int(match[1] or 0), names, int(match[3])


def generator(*parts: object) -> np.random.Generator:
    """A random generator that follows from names and numbers; hash() would change from process to process."""
    return np.random.default_rng(stable_seed(*parts))
