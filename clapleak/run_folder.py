"""The folder of one run: metrics.json, history.csv, embeddings and map, each checked when it is read."""

import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clapleak.files import ClapleakError
from clapleak.metrics import cloud, labelled

_DAMAGE = (ValueError, OSError, EOFError, LookupError, TypeError, AttributeError, RuntimeError, MemoryError)
HISTORY = ("phase", "epoch", "learning_rate", "train_loss", "val_loss", "seconds")  # columns of history.csv


@dataclass(frozen=True)
class Run:
    """One trained setup, or one pre-trained backbone when `training` is None; its files are read when asked for."""

    profile: str
    pretraining: str
    training: str | None
    seed: int
    group: int | None
    metrics: dict[str, Any]  # metrics.json: the keys above, counts of the data, measures, ids and provenance
    path: Path

    @property
    def slug(self) -> str:
        """Setup slug, or the pre-training of a backbone."""
        return self.pretraining if self.training is None else f"{self.pretraining}-{self.training}"

    @property
    def spaces(self) -> tuple[str, str]:
        """Names of the embeddings of clips and of labels that maps and measures are made of."""
        return ("x_a", "x_t") if self.training is None else ("E_a", "E_t")

    @property
    def has_clouds(self) -> bool:
        """Whether embeddings and maps lie there; of most published runs the measures alone are kept."""
        return (self.path / "embeddings.npz").is_file()

    @cached_property
    def history(self) -> pd.DataFrame:
        """One row an epoch: phase, epoch, learning_rate, train_loss, val_loss, seconds."""
        table = readable(self.path / "history.csv", partial(pd.read_csv, usecols=HISTORY))
        if len(table) != self.metrics.get("epochs", len(table)):
            raise ClapleakError(f"{self.path}/history.csv: not readable ({len(table)} epochs); {again(self.path)}")
        return table

    @cached_property
    def embeddings(self) -> dict[str, np.ndarray]:
        """x_a (N, Da), x_t (C, Dt), labels (N,), clips (N,), classes (C,); after training E_a (N, D), E_t (C, D)."""
        return readable(self.path / "embeddings.npz", partial(self._arrays, fitting=True))

    @cached_property
    def map(self) -> dict[str, np.ndarray]:
        """Two-dimensional t-SNE of E_a (N, 2) and E_t (C, 2), of a backbone x_a and x_t, and its perplexity."""
        return readable(self.path / "map.npz", partial(self._arrays, fitting=False))

    def _arrays(self, file: Path, fitting: bool) -> dict[str, np.ndarray]:
        with zipfile.ZipFile(file) as archive:
            if sum(member.file_size for member in archive.infolist()) > 2e9:  # damaged or hostile
                raise ValueError("too large when unpacked")
        held = dict(np.load(file))
        audio, text = (cloud(held[name]) for name in self.spaces)
        if fitting:  # and each label has its class
            classes = labelled(audio, held["labels"])[1].max()
            if not classes < len(text) == len(held["classes"]) or self.training and audio.shape[1] != text.shape[1]:
                raise ValueError("clouds, labels and classes do not fit each other")
        return held


def readable(file: Path, read: Callable[[Path], Any]) -> Any:
    """What `read` makes of a file; ClapleakError for one that is damaged, with the command that makes it again."""
    try:
        return read(file)
    except (*_DAMAGE, zipfile.BadZipFile, zlib.error) as error:
        raise ClapleakError(f"{file}: not readable ({' '.join(str(error).split())}); {again(file.parent)}") from error


def again(path: Path) -> str:
    """The command that makes a run again."""
    above = path.parents[1]
    return f"run `clapleak reproduce --profile {(above.parent if above.name == 'backbone' else above).name}` again"
