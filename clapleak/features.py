"""x_a of networks that others trained, kept once a clip: the clip store of the profiles with `networks`."""

from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from clapleak import audio
from clapleak.arrays import ArrayStore
from clapleak.clipstore import ClipStore, clip_table, kept
from clapleak.config import Audio
from clapleak.corpora import Corpus
from clapleak.models.networks import NETWORKS, Network, load_network

FORMAT = 1  # raise by hand when a front end or an architecture gives other numbers
_ready = lru_cache(maxsize=1)(load_network)


@dataclass(frozen=True)
class Features(ClipStore):
    """A clip store whose clips are x_a of one network, or what it looks at where it goes on learning.

    Its id leaves the network out, so that runs of several networks belong to one family; theirs is `network`.
    """

    learning: type[Network] | None = None  # where it goes on learning

    def batch(self, rows: np.ndarray, generator: torch.Generator | None = None) -> Tensor:
        """x_a of clips, (B, dim), or log-mel, (B, 1, T, M): random excerpts with a generator, whole clips without."""
        with self.arrays.reading() as values_of:
            values = torch.from_numpy(np.stack([values_of(self.keys[row]) for row in rows]))
        if self.learning is None:
            return values
        log_mel, excerpt = values.view(len(rows), 1, -1, self.learning.bands), self.learning.excerpt
        if generator is None:
            return log_mel
        firsts = torch.randint(log_mel.shape[2] - excerpt + 1, (len(rows),), generator=generator)
        return torch.stack([x[:, i : i + excerpt] for x, i in zip(log_mel, firsts.tolist(), strict=True)])


def open_features(
    corpora: list[Corpus], name: str, settings: Audio, folder: Path, *, learns: bool = False, cores: int = 1
) -> Features:
    """x_a of every clip of some corpora by one network, from `folder`; clips that are new are embedded first.

    With `learns` the log-mel that the network looks at takes the place of x_a, which will change. A clip is mono at
    the rate of the network, cut or padded to `settings.segment` seconds. ClapleakError as `load_network`.
    """
    clips, source = clip_table(corpora), NETWORKS[name.removeprefix("random_")]
    weights = "" if name.startswith("random_") else f" {source.sha256}"
    described = f"{FORMAT} {name}{weights}" + " unfrozen" * learns  # what of a network determines x_a
    clips["duration"] = clips["duration"].where(clips["root"].isna())  # files whole, which are cut at another rate
    arrays, build = ArrayStore(folder, np.float32), source.build
    convert = partial(_embedded, name, settings.segment, learns)
    about = round(settings.segment * 100 * build.bands) if learns else build.dim
    found = kept(clips, arrays, settings, (described, settings.segment), build.rate, convert, about, cores)
    return Features(settings, arrays, True, *found, network=described, learning=build if learns else None)


@torch.inference_mode()
def _embedded(name: str, seconds: float, learns: bool, wave: Tensor) -> Tensor:
    """x_a or log-mel of samples, (n,), flat."""
    network = _ready(name)
    x = network.front_end(audio.fit(wave, round(seconds * network.rate)))
    return x.flatten() if learns else network(x[None, None])[0]
