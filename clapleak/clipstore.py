"""Every clip decoded once.

Where every clip is no longer than a segment its log-mel is the same in every epoch, so that is kept. Longer recordings
are kept as 16-bit samples, and a random segment is cut at every visit, section 2.1 (i). A killed build loses few clips.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import torch
from joblib import Parallel, delayed
from tqdm import tqdm

from clapleak import identity
from clapleak.arrays import ArrayStore, array_key
from clapleak.audio import decode, segment_log_mel
from clapleak.config import Audio, ClapleakError
from clapleak.corpora import Corpus, synthesiser
from clapleak.files import say

_ROUND, _CLIPS = 8e6, 512  # most that a core decodes between two writes: bytes, three clips of 30 s at 44.1 kHz


@dataclass(frozen=True)
class ClipStore:
    """The clips of a profile; several processes may read at once."""

    audio: Audio
    arrays: ArrayStore  # log-mel of clips, float16, or their samples, int16
    deterministic: bool  # log-mel: a clip gives the same batch at every visit, so frozen embeddings can be kept
    keys: list[bytes]  # (N,) of `arrays`
    id: str  # of the clips and the front end; see `clapleak.identity`
    rows: dict[str, int]  # clip id -> row of the store, 0 to N - 1 in this order
    problems: pd.DataFrame  # clip, path and reason of the clips that could not be decoded
    network: str | None = None  # of `features`: what determines x_a, the name and the weights of a network of others

    def index(self, clips: pd.Series) -> np.ndarray:
        """Rows of the store, (len(clips),), of clip ids."""
        return np.array([self.rows[clip] for clip in clips])

    def segment(self, row: int, generator: torch.Generator | None = None) -> torch.Tensor:
        """Samples, (n,) in [-1, 1], of a random segment with a generator, else of the first; a short clip whole."""
        size = round(self.audio.segment * self.audio.sample_rate)
        with self.arrays.reading() as samples_of:
            samples = samples_of(self.keys[row])
            room = max(0, len(samples) - size) + 1
            first = 0 if generator is None else int(torch.randint(room, (), generator=generator))
            return torch.from_numpy(np.divide(samples[first : first + size], np.float32(32767), dtype=np.float32))

    def batch(self, rows: np.ndarray, generator: torch.Generator | None = None) -> torch.Tensor:
        """Log-mel of clips, (B, 1, T, M); random segments with a generator, the first segment without."""
        if self.deterministic:
            with self.arrays.reading() as log_mel_of:
                batch = np.stack([log_mel_of(self.keys[row]) for row in rows]).astype(np.float32)
            return torch.from_numpy(batch).view(len(rows), 1, -1, self.audio.mel_bins)
        return torch.stack([segment_log_mel(self.segment(row, generator), self.audio) for row in rows])[:, None]


def frames(audio: Audio) -> int:
    """T, frames of the log-mel of a segment."""
    return round(audio.segment * audio.sample_rate) // audio.hop + 1


def open_store(corpora: list[Corpus], audio: Audio, folder: Path, *, cores: int = 1) -> ClipStore:
    """Open the store of some corpora in a folder; clips that are new, or whose file has changed, are decoded first.

    One process decodes, on several `cores`; others wait for it. ClapleakError where the disk is too small.
    """
    clips = clip_table(corpora)
    whole = bool((clips["duration"] <= audio.segment).all())
    settings = (identity.FORMATS["clips"], sorted(audio.model_dump().items()), whole)
    arrays = ArrayStore(folder, np.float16 if whole else np.int16)
    convert, values = (partial(segment_log_mel, audio=audio), frames(audio) * audio.mel_bins) if whole else (_coded, 0)
    found = kept(clips, arrays, audio, settings, audio.sample_rate, convert, values, cores)
    return ClipStore(audio, arrays, whole, *found)


def _coded(wave: torch.Tensor) -> torch.Tensor:
    """Samples, (n,), as integers of 16 bits."""
    return (wave.clamp(-1, 1) * 32767).round().short()


def kept(
    clips: pd.DataFrame, arrays: ArrayStore, audio: Audio, settings: object, rate: int, convert: Callable,
    values: int, cores: int,
) -> tuple[list[bytes], str, dict[str, int], pd.DataFrame]:  # fmt: skip
    """Keys, id, rows and problems of a ClipStore; what `arrays` lack is decoded first, by `cores` processes.

    The clips are those of `clip_table`, `settings` what else an array depends on, `rate` and `convert` are those of
    `audio.decode`, and an array holds about so many `values`, or 0: as many as its clip has samples.
    """
    rows = list(clips.itertuples(index=False, name=None))
    keys = [array_key(settings, row[1:4], source_state(*row)) for row in rows]
    with arrays.lacking(keys) as lacking, tqdm(lacking, arrays.path.name, unit=" clips", disable=not lacking) as bar:
        size = np.array([values or _samples(rate, *rows[i]) for i in lacking]) * np.dtype(arrays.dtype).itemsize
        need, free = size.sum(), shutil.disk_usage(arrays.path.parent).free
        if need > free:
            raise ClapleakError(f"{arrays.path}: needs {need / 1e9:.1f} GB, the disk has {free / 1e9:.1f} GB left")
        if lacking:
            say(f"{arrays.path}: {len(lacking)} clips to decode, {need / 1e6:.0f} MB")
        work = np.cumsum(np.maximum(size, _ROUND / _CLIPS)) / _ROUND
        jobs = cores if len(work) and work[-1] > 1 else 1  # processes take seconds to start
        for chosen in np.split(lacking, np.flatnonzero(np.diff(work // cores)) + 1) if lacking else ():
            pool = Parallel(n_jobs=jobs, batch_size=len(chosen) // cores + 1)
            decoded = zip(chosen, pool(delayed(decode)(*rows[i][1:], rate, convert) for i in chosen), strict=True)
            arrays.put((keys[i], array, f"{content}\t{reason}") for i, (array, content, reason) in decoded)
            bar.update(len(chosen))
    contents, reasons = zip(*(note.split("\t") for note in arrays.notes(keys)), strict=True)
    usable = [i for i, reason in enumerate(reasons) if not reason]
    problems = clips[["clip", "path"]].assign(reason=reasons).drop(index=usable).reset_index(drop=True)
    numbers = {clip: row for row, clip in enumerate(clips["clip"].iloc[usable])}
    clips_id = identity.clips_id(numbers, (int(contents[i]) for i in usable), audio)
    return [keys[i] for i in usable], clips_id, numbers, problems


def clip_table(corpora: list[Corpus]) -> pd.DataFrame:
    """Every clip of some corpora once: clip, path, offset and duration in seconds, root."""
    clips = pd.concat([c.clips().assign(root=c.root) for c in corpora]).drop_duplicates("clip", ignore_index=True)
    clips = clips[["clip", "path", "offset", "duration", "root"]].astype({"offset": float, "duration": float})
    return clips.fillna({"offset": 0.0})


def source_state(clip: str, path: str, offset: float, duration: float, root: Path | None) -> object:
    """What changes with the file of a clip, or with the format of its synthesiser."""
    if root is None:
        return synthesiser(path.partition("@")[0]).FORMAT
    stat = (root / path).stat() if (root / path).is_file() else None
    return stat and (stat.st_size, stat.st_mtime_ns)


def _samples(rate: int, clip: str, path: str, offset: float, duration: float, root: Path | None) -> float:
    """Length of a clip by the table or else by its file's header; 0 for a file that cannot be read."""
    try:
        told = min(soundfile.info(root / path).duration, 3600.0)  # a header may say anything
        return rate * (max(told - offset, 0.0) if pd.isna(duration) else duration)
    except (soundfile.LibsndfileError, RuntimeError):
        return 0.0
