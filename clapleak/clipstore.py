"""Every clip decoded once.

Where every clip is no longer than a segment its log-mel is the same in every epoch, so that is kept. Longer recordings
are kept as 16-bit samples, and a random segment is cut at every visit, section 2.1 (i). A build that is killed loses a
few clips at most. A file that changes has another key and is decoded again.
"""

import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

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
from clapleak.files import locked, say

_ROUND = 8e6  # bytes a core between two writes: three clips of 30 s at 44.1 kHz


@dataclass(frozen=True)
class ClipStore:
    """The clips of a profile; several processes may read at once."""

    audio: Audio
    arrays: ArrayStore  # log-mel of clips, float16, or their samples, int16
    deterministic: bool  # log-mel: a clip gives the same batch at every visit, so frozen embeddings can be kept
    keys: list[bytes]  # (N,) of `arrays`
    contents: list[int]  # (N,) checksum of the source file
    rows: dict[str, int]  # clip id -> row of the store, 0 to N - 1 in this order
    problems: pd.DataFrame  # clip, path and reason of the clips that could not be decoded
    network: str | None = None  # of `features`: what determines x_a, the name and the weights of a network of others

    @classmethod
    def of(
        cls, clips: pd.DataFrame, audio: Audio, arrays: ArrayStore, deterministic: bool, keys: list[bytes],
        notes: list[str],
    ) -> Self:  # fmt: skip
        """The store of some clips, of which each note holds the checksum of the source, a tab, and the problem."""
        contents, reasons = zip(*(note.split("\t") for note in notes), strict=True)
        usable = [i for i, reason in enumerate(reasons) if not reason]
        problems = clips[["clip", "path"]].assign(reason=reasons).drop(index=usable).reset_index(drop=True)
        rows = {clip: row for row, clip in enumerate(clips["clip"].iloc[usable])}
        keys, contents = [keys[i] for i in usable], [int(contents[i]) for i in usable]
        return cls(audio, arrays, deterministic, keys, contents, rows, problems)

    @cached_property
    def id(self) -> str:
        """Id of the clips and the front end; see `clapleak.identity`."""
        return identity.clips_id(self.rows, self.contents, self.audio)

    def index(self, clips: pd.Series) -> np.ndarray:
        """Rows of the store, (len(clips),), of clip ids."""
        return np.array([self.rows[clip] for clip in clips])

    def segments(self, rows: np.ndarray, generator: torch.Generator | None = None) -> torch.Tensor:
        """Recordings as stored, (B, samples) in [-1, 1]: random segments with a generator, else the first; padded."""
        size = round(self.audio.segment * self.audio.sample_rate)
        segments = torch.zeros(len(rows), size)
        with self.arrays.reading() as samples_of:
            for segment, row in zip(segments.numpy(), rows, strict=True):
                samples = samples_of(self.keys[row])
                length = min(len(samples), size)
                room = len(samples) - length + 1
                first = 0 if generator is None else int(torch.randint(room, (), generator=generator))
                np.divide(samples[first : first + length], np.float32(32767), out=segment[:length], dtype=np.float32)
        return segments

    def batch(self, rows: np.ndarray, generator: torch.Generator | None = None) -> torch.Tensor:
        """Log-mel of clips, (B, 1, T, M); random segments with a generator, the first segment without."""
        if self.deterministic:
            with self.arrays.reading() as log_mel_of:
                batch = np.stack([log_mel_of(self.keys[row]) for row in rows]).astype(np.float32)
            return torch.from_numpy(batch).view(len(rows), 1, -1, self.audio.mel_bins)
        waves = (self.segments(rows[i : i + 1], generator)[0] for i in range(len(rows)))  # one at a time: little memory
        return torch.stack([segment_log_mel(wave, self.audio) for wave in waves])[:, None]


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
    keys = [array_key(settings, row[1:4], source_state(*row)) for row in clips.itertuples(index=False, name=None)]
    arrays = ArrayStore(folder, np.float16 if whole else np.int16)
    notes = arrays.notes(keys)
    if None in notes:
        with locked(folder.with_suffix(".lock")):
            if len(arrays) > 2 * len(clips):  # more waste than use
                arrays.clear()
            lacking = [i for i, note in enumerate(arrays.notes(keys)) if note is None]
            if lacking:  # else another process has decoded them meanwhile
                _fill(arrays, clips.iloc[lacking], [keys[i] for i in lacking], audio, whole, cores)
        notes = arrays.notes(keys)
    return ClipStore.of(clips, audio, arrays, whole, keys, notes)


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


def _fill(arrays: ArrayStore, clips: pd.DataFrame, keys: list[bytes], audio: Audio, whole: bool, cores: int) -> None:
    rows = list(clips.itertuples(index=False, name=None))
    values = [frames(audio) * audio.mel_bins if whole else _length(*row) * audio.sample_rate for row in rows]
    need, free = 2 * sum(values), shutil.disk_usage(arrays.path.parent).free
    say(f"clip store: {len(clips)} clips to decode, {need / 1e6:.0f} MB in {arrays.path}")
    if need > free:
        raise ClapleakError(f"{arrays.path}: needs {need / 1e9:.1f} GB, the disk has {free / 1e9:.1f} GB left")
    rounds = np.split(np.arange(len(rows)), np.flatnonzero(np.diff(2 * np.cumsum(values) // (_ROUND * cores))) + 1)
    jobs = cores if need > _ROUND else 1  # processes take seconds to start
    with tqdm(total=len(rows), desc="clip store", unit=" clips") as bar:
        for chosen in rounds:
            pool = Parallel(n_jobs=jobs, batch_size=-(-len(chosen) // cores))
            decoded = zip(chosen, pool(delayed(decode)(*rows[i][1:], audio, whole) for i in chosen), strict=True)
            arrays.put((keys[i], clip, f"{content}\t{reason}") for i, (clip, content, reason) in decoded)
            bar.update(len(chosen))


def _length(clip: str, path: str, offset: float, duration: float, root: Path | None) -> float:
    """Seconds of a clip by the table or else by its file's header; 0 for a file that cannot be read."""
    try:
        told = min(soundfile.info(root / path).duration, 3600.0)  # a header may say anything
        return max(told - offset, 0.0) if pd.isna(duration) else duration
    except (soundfile.LibsndfileError, RuntimeError):
        return 0.0
