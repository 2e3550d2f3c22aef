"""The folder of one run: metrics.json, history.csv, embeddings and map, each checked when it is read."""

import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clapleak.config import ClapleakError

_DAMAGE = (ValueError, OSError, EOFError, LookupError, TypeError, AttributeError, RuntimeError, MemoryError)
_UNPACKED = 2e9  # bytes; an archive that grows to more is damaged or hostile


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
        return readable(self.path / "history.csv", self._history)

    def _history(self, file: Path) -> pd.DataFrame:
        table = pd.read_csv(file)
        phases = table[["phase", "epoch", "val_loss"]]["phase"].isin(("pretrain", "frozen", "unfrozen"))
        if phases.sum() != self.metrics.get("epochs", len(table)):
            raise ValueError(f"{phases.sum()} epochs")
        return table

    @cached_property
    def embeddings(self) -> dict[str, np.ndarray]:
        """x_a (N, Da), x_t (C, Dt), labels (N,), clips (N,), classes (C,); after training E_a (N, D), E_t (C, D)."""
        return readable(self.path / "embeddings.npz", lambda file: self._arrays(file, ("labels", "classes")))

    @cached_property
    def map(self) -> dict[str, np.ndarray]:
        """Two-dimensional t-SNE of E_a (N, 2) and E_t (C, 2), of a backbone x_a and x_t."""
        return readable(self.path / "map.npz", lambda file: self._arrays(file, ()))

    def _arrays(self, file: Path, beside: tuple[str, ...]) -> dict[str, np.ndarray]:
        """Arrays of a file in which the two clouds fit each other, and what lies `beside` them."""
        with zipfile.ZipFile(file) as archive:
            if sum(member.file_size for member in archive.infolist()) > _UNPACKED:
                raise ValueError("too large when unpacked")
        held = dict(np.load(file))
        audio, text, *others = (held[name] for name in (*self.spaces, *beside))
        right = all(x.dtype.kind == "f" and x.ndim == 2 and np.isfinite(x).all() for x in (audio, text))
        right &= self.training is None or audio.shape[1:] == text.shape[1:]
        if others:
            right &= len(others[0]) == len(audio) and np.isin(others[0], range(len(text))).all()
            right &= len(others[1]) == len(text)
        if not right:
            raise ValueError("arrays that do not fit each other, or are not finite")
        return held


def readable(file: Path, read: Callable[[Path], Any]) -> Any:
    """What `read` makes of a file; ClapleakError for one that is damaged, with the command that makes it again."""
    try:
        return read(file)
    except ClapleakError:
        raise
    except (*_DAMAGE, zipfile.BadZipFile, zlib.error) as error:
        raise ClapleakError(f"{file}: not readable ({' '.join(str(error).split())}); {again(file.parent)}") from error


def profile_of(path: Path) -> str:
    """Profile of a run by its place."""
    above = path.parents[1]
    return (above.parent if above.name == "backbone" else above).name


def again(path: Path) -> str:
    """The command that makes a run again."""
    return f"run `clapleak reproduce --profile {profile_of(path)}` again"
