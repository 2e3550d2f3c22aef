"""What an audit looks at: the four clouds of a model on a labelled test, read from arrays or from a model's answers."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from clapleak import corpora
from clapleak.config import ClapleakError
from clapleak.corpora.table import read_csv
from clapleak.files import atomic_file

PROMPTS = ("{}", "this is a sound of {}", "a recording of {}", "{} can be heard", "the sound of {}")
AXES = dict(x_a=2, E_a=2, floor=2, x_t=3, E_t=3, recordings=1, paths=1)  # of the arrays
BLANK = ("", "nan", "none", "null", "<na>")  # what stands where nobody knows the recording
_TEST = "give ESC-50's folder, or a CSV with the columns path, label and, if known, recording"


@dataclass(frozen=True)
class Clouds:
    """Embeddings of N clips of C classes, in the names of the paper; what a model does not give is None.

    `x_a` (N, d) and `E_a` (N, D) are the audio embedding before and after the projection; `x_t` and `E_t`, (P, C, ...),
    those of the class names in P prompts. `floor` (N, F) are statistics of the sound itself, from no network.
    ClapleakError where they do not fit each other, or hold what is no embedding.
    """

    labels: np.ndarray  # (N,) integers 0..C-1
    classes: tuple[str, ...]
    x_a: np.ndarray | None = None
    E_a: np.ndarray | None = None
    x_t: np.ndarray | None = None
    E_t: np.ndarray | None = None
    recordings: np.ndarray | None = None  # (N,) names; None: every clip is one of its own
    paths: np.ndarray | None = None  # (N,) of sound files on this machine
    floor: np.ndarray | None = None
    prompts: tuple[str, ...] = ()
    name: str = "model"
    notes: tuple[str, ...] = ()  # what the reader of a report must know

    def __post_init__(self) -> None:
        for name, axes in AXES.items():
            if axes > 1 and (values := np.asarray(getattr(self, name))).dtype.kind in "fiu":
                object.__setattr__(self, name, np.asarray(values, np.float64))  # where no square overflows
        if np.ndim(self.recordings) == 1:  # two unknown recordings are not the same one
            known = [str(name).strip().lower() not in BLANK for name in self.recordings]
            names = [str(name) if known[i] else f"(unknown, clip {i})" for i, name in enumerate(self.recordings)]
            object.__setattr__(self, "recordings", np.array(names) if any(known) else None)
        if fault := next(self._faults(), None):
            raise ClapleakError(f"{self.name}: {fault}")

    def _faults(self) -> Iterator[str]:
        """What is wrong; only the first counts, since a later check may rely on an earlier one."""
        clips, count = len(self.labels), len(self.classes)
        if count < 2:
            yield f"{count} class; an audit compares classes, so give at least two"
        if len(set(map(spelt, self.classes))) < count:
            yield "classes hold a name twice; give every class once"
        if not clips or self.labels.min() < 0 or self.labels.max() >= count:
            yield f"labels must be numbers 0 to {count - 1}, or names out of classes"
        if len(empty := np.flatnonzero(np.bincount(self.labels, minlength=count) == 0)):
            yield f"no clip of class '{self.classes[empty[0]]}'; leave it out of classes"
        for name, axes in AXES.items():
            if (values := getattr(self, name)) is None:
                continue
            wanted, kind = (count, "classes") if axes == 3 else (clips, "clips")
            if values.ndim != axes or values.shape[axes == 3] != wanted or not values.size:
                yield f"{name} is {values.shape}, but there are {wanted} {kind}; give one row each, and no empty axis"
            if axes > 1 and values.dtype.kind not in "fiu":
                yield f"{name} is of type {values.dtype}; give real numbers"
            largest = np.abs(values).max(axis=-1) if axes > 1 else np.ones(1)
            if (bad := ~(largest < 1e100)).any():  # NaN, too
                yield f"{name} holds NaN or infinity in row {np.argwhere(bad)[0][-1]}, or above 1e100; embed it again"
            if name != "floor" and (bad := largest < 1e-100).any():
                yield f"{name} is all zero in row {np.argwhere(bad)[0][-1]}, which points nowhere; leave it out"
        if self.E_a is not None and self.E_t is not None and (d := self.E_a.shape[1]) != self.E_t.shape[-1]:
            yield f"E_a has {d} dimensions and E_t {self.E_t.shape[-1]}; both must lie in the joint space"
        if self.prompts and self.E_t is not None and len(self.prompts) != len(self.E_t):
            yield f"{len(self.prompts)} prompts, but E_t of {len(self.E_t)}; give one for each, or leave prompts out"
        if self.recordings is not None and len(np.unique(self.recordings)) < 2:
            yield "all clips are from one recording, so that none is left to compare them with; leave recordings out"
        if self.E_a is None and self.x_a is None:
            yield "neither x_a nor E_a; give at least one audio embedding"

    def save(self, path: Path, key: str | None = None) -> None:
        """Keep the clouds as an `.npz` that `clapleak audit` reads again; a key tells what a command made it from."""
        with atomic_file(path) as file:
            np.savez(file, **{name: value for name, value in {**vars(self), "key": key}.items() if value is not None})


def spelt(name: object) -> str:
    """A class name in the one spelling by which names are compared."""
    return unicodedata.normalize("NFC", str(name)).replace("_", " ").strip()


def load(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` by name; ClapleakError where they are not plain numbers and texts."""
    name, held = "", {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            for name in archive.files:
                held[name] = archive[name]
                if held[name].dtype.kind == "S":
                    held[name] = np.char.decode(held[name], "utf-8")
    except FileNotFoundError as error:
        raise ClapleakError(f"{path}: no such file; an .npz holds E_a, E_t, labels, classes and more") from error
    except Exception as error:  # there is no end to what damaged files raise
        reason = " ".join(str(error).split())
        if "Object arrays" in reason:
            reason = f"{name} holds objects; save np.array({name}, dtype={'float' if AXES.get(name, 1) > 1 else 'str'})"
        raise ClapleakError(f"{path}: not an .npz of plain arrays ({reason})") from error
    return held


def read_arrays(path: Path, test: pd.DataFrame | None = None) -> Clouds:
    """Clouds of an `.npz` with any of x_a, E_a (N, ...) and x_t, E_t (C, ...) or (P, C, ...).

    `labels` (N,), numbers or names, and `classes` (C,) stand in it too, with `recordings` (N,) where they are known; or
    a test gives them, whose rows are the arrays' rows and whose classes are in order of the alphabet.
    """
    held = load(path)
    if test is not None:
        held.setdefault("classes", np.unique(test["label"]))
        held |= {f"{name}s": test[name].to_numpy(str) for name in ("label", "recording", "path") if name in test}
    if absent := [name for name in ("labels", "classes") if name not in held]:
        raise ClapleakError(f"{path}: no {' and no '.join(absent)}; put them into the .npz, or {_TEST}")
    classes, labels = tuple(map(spelt, held["classes"].ravel())), held["labels"].ravel()
    if labels.dtype.kind not in "iu":
        numbers = {name: i for i, name in enumerate(classes)}
        if unknown := [name for name in map(spelt, labels) if name not in numbers]:
            raise ClapleakError(f"{path}: label '{unknown[0]}' is not among the classes; both must use one spelling")
        labels = np.array([numbers[spelt(name)] for name in labels])
    for name in {"x_t", "E_t"} & held.keys():
        held[name] = held[name][None] if held[name].ndim == 2 else held[name]
    strings = {name: tuple(map(str, held[name].ravel())) for name in ("prompts", "notes") if name in held}
    arrays = {name: held[name] for name in AXES if name in held}
    return Clouds(labels.astype(np.int64), classes, **arrays, **strings, name=str(held.get("name", path.name)))


def read_test(path: Path) -> pd.DataFrame:
    """A labelled test as columns `path` (of the sound), `label` and `recording`: ESC-50's layout, or a CSV of them."""
    if path.is_dir():
        esc50 = corpora.load("esc50", path)
        root, table = esc50.root, esc50.clips()[["path", "text", "recording"]].rename(columns={"text": "label"})
    elif path.is_file():
        root, table = path.parent, read_csv(path, ["label"], skipinitialspace=True)
        table = table.apply(lambda column: column.str.strip())
    else:
        raise ClapleakError(f"{path}: no such test; {_TEST}")
    table["label"] = table["label"].map(spelt)
    if (empty := table["label"] == "").any():
        raise ClapleakError(f"{path}: row {int(empty.idxmax()) + 1} has no label; every clip needs one")
    if table.empty:
        raise ClapleakError(f"{path}: no clip; {_TEST}")
    if "path" in table:
        table["path"] = table["path"].map(lambda name: str(root / name))
    return table
