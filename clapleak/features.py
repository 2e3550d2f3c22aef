"""x_a of networks that others trained, kept once a clip: the clip store of the profiles with `networks`."""

import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from joblib import Parallel, delayed
from torch import Tensor
from tqdm import tqdm

from clapleak import audio
from clapleak.arrays import ArrayStore, array_key
from clapleak.clipstore import ClipStore, clip_table, source_state
from clapleak.config import Audio, ClapleakError
from clapleak.corpora import Corpus
from clapleak.files import locked
from clapleak.models.networks import NETWORKS, Network, load_network, refuse_absent

FORMAT = 1  # raise by hand when a front end or an architecture gives other numbers
_ROUND = 64  # clips a core between two writes


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


def network_id(name: str) -> str:
    """What of a network determines x_a: its weights and the format of its code."""
    source = NETWORKS[name.removeprefix("random_")]
    return f"{FORMAT} {name} {'' if name.startswith('random_') else source.sha256}".strip()


def open_features(
    corpora: list[Corpus], name: str, settings: Audio, folder: Path, *, learns: bool = False, cores: int = 1
) -> Features:
    """x_a of every clip of some corpora by one network, from `folder`; clips that are new are embedded first.

    With `learns` the log-mel that the network looks at takes the place of x_a, which will change. A clip is mono at
    the rate of the network, cut or padded to `settings.segment` seconds. ClapleakError as `load_network`; clips that
    cannot be decoded are listed in `problems`.
    """
    clips, described = clip_table(corpora), network_id(name) + (" unfrozen" if learns else "")
    files = [root / path for root, path in zip(clips["root"], clips["path"], strict=True)]
    states = [source_state(*row) for row in clips.itertuples(index=False, name=None)]
    keys = [array_key(described, settings.segment, str(file), state) for file, state in zip(files, states, strict=True)]
    arrays = ArrayStore(folder, np.float32)
    with locked(folder.with_suffix(".lock")):
        lacking = [i for i, note in enumerate(arrays.notes(keys)) if note is None]
        if lacking:
            refuse_absent([name])  # before any process starts
        pool = Parallel(n_jobs=cores)
        for start in tqdm(
            range(0, len(lacking), _ROUND * cores), name, unit=f"x{_ROUND * cores} clips", disable=not lacking
        ):
            chosen = lacking[start : start + _ROUND * cores]
            shares = [share for share in np.array_split(chosen, cores) if len(share)]
            made = pool(
                delayed(_embedded)(name, [files[i] for i in share], settings.segment, learns) for share in shares
            )
            found = [row for part in made for row in part]
            arrays.put((keys[i], *row) for i, row in zip(chosen, found, strict=True))
    learning = NETWORKS[name.removeprefix("random_")].build if learns else None
    store = Features.of(clips, settings, arrays, True, keys, arrays.notes(keys))
    return replace(store, network=described, learning=learning)


@torch.inference_mode()
def _embedded(name: str, files: list[Path], seconds: float, learns: bool) -> list[tuple[np.ndarray, str]]:
    """x_a or log-mel of files, each with the checksum of its file and why it cannot be decoded; "" where it could."""
    torch.set_num_threads(1)
    network, found = load_network(name).to(memory_format=torch.channels_last), []  # half as long
    for file in files:
        try:
            wave = audio.fit(torch.from_numpy(audio.read(file, network.rate)), round(seconds * network.rate))
            x = network.front_end(wave)
            x = x.flatten() if learns else network(x[None, None])[0]
            found.append((x.numpy(), f"{zlib.crc32(file.read_bytes())}\t"))
        except ClapleakError as error:
            found.append((np.empty(0, np.float32), f"0\t{' '.join(str(error).split())}"))
    return found
