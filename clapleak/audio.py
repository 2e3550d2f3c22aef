"""From audio files to log-mel batches: decode, convert to mono, resample, fit to a segment, standardise, log-mel.

Two stores keep the work from being done twice. Where every clip is no longer than a segment the log-mel is the same
in every epoch, so it is computed once (`log_mel.f16`). Longer recordings are kept as 16-bit samples (`wave.i16`) and
a random segment is cut at every visit, section 2.1 (i).

Both grow at their end: samples reach the disk first, then a line of `index.tsv` (key of the clip, length, reason of a
failure). A build that is killed loses a few clips at most. A file that changes has another key and is decoded again.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import io
import json
import os
import shutil
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import torch
from joblib import Parallel, delayed
from tqdm import tqdm

from clapleak.compute import meaning
from clapleak.config import Audio, ClapleakError
from clapleak.datasets import foley
from clapleak.datasets.corpus import Corpus
from clapleak.files import atomic_file, say
from clapleak.torchaudio_guard import import_torchaudio

CHECKPOINT_RATE = 32000  # hertz, of PANNs' published weights
SHORTEST = 0.1  # seconds; anything shorter holds no sound event
_ROUND = 8e6  # bytes a core between two writes: three clips of 30 s at 44.1 kHz


def read(path: Path, sample_rate: int, offset: float = 0.0, duration: float | None = None) -> np.ndarray:
    """Decode a file to mono at `sample_rate`.

    Parameters
    ----------
    path : Path
        wav, flac, ogg or mp3; any sample rate, any number of channels.
    sample_rate : int
        Hertz, of the result.
    offset, duration : float
        Part to read, seconds; to the end by default.

    Returns
    -------
    ndarray, float32, (samples,)

    Raises
    ------
    ClapleakError
        Missing, unreadable, empty, too short or non-finite audio; the message holds the reason alone.
    """
    if not path.is_file():
        raise ClapleakError("missing")
    try:
        with soundfile.SoundFile(path) as file:
            rate = file.samplerate
            file.seek(min(round(offset * rate), file.frames))
            wave = file.read(-1 if duration is None else round(duration * rate), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise ClapleakError("unreadable") from error
    if len(wave) == 0:
        raise ClapleakError("empty")
    if len(wave) < SHORTEST * rate:
        raise ClapleakError(f"shorter than {SHORTEST} s")
    if not np.isfinite(wave).all():
        raise ClapleakError("non-finite samples")
    mono = torch.from_numpy(wave.mean(axis=1))
    if rate != sample_rate:
        mono = import_torchaudio().functional.resample(mono, rate, sample_rate)
    return mono.numpy()


def fit(wave: torch.Tensor, samples: int, start: int = 0) -> torch.Tensor:
    """Cut `samples` from `start` or pad zeros at the end: (n,) -> (samples,)."""
    piece = wave[start : start + samples]
    return torch.nn.functional.pad(piece, (0, samples - len(piece)))


def standardise(wave: torch.Tensor) -> torch.Tensor:
    """Zero mean and unit variance over the last axis, section 2.1 (i); silence stays zero."""
    centred = wave - wave.mean(-1, keepdim=True)
    return centred / centred.std(-1, correction=0, keepdim=True).clamp_min(1e-8)


@cache
def mel_filters(audio: Audio) -> torch.Tensor:
    """Slaney-normalised filters, (window // 2 + 1, mel_bins).

    With `keep_checkpoint_frontend` they are those of PANNs' checkpoint, made for 32 kHz: at 44.1 kHz each then sits
    1.38 times as high in hertz.
    """
    rate = CHECKPOINT_RATE if audio.keep_checkpoint_frontend else audio.sample_rate
    return import_torchaudio().functional.melscale_fbanks(
        audio.window // 2 + 1, audio.f_min, audio.f_max, audio.mel_bins, rate, "slaney", "slaney"
    )


def log_mel(wave: torch.Tensor, audio: Audio) -> torch.Tensor:
    """PANNs' front end: power spectrogram, Slaney mel filters, decibels.

    Parameters
    ----------
    wave : Tensor, (B, samples)
    audio : Audio
        Section `audio` of a profile.

    Returns
    -------
    Tensor, (B, T, M)
        10 log10(max(energy, 1e-10)), at least -100 dB; T = samples // hop + 1 frames.
    """
    window, bank = (t.to(wave.device) for t in (torch.hann_window(audio.window), mel_filters(audio)))
    found = []
    for part in wave.split(len(wave) if wave.is_cuda else 1):  # one clip's spectrogram stays in a processor's cache
        spectrum = torch.stft(part, audio.window, audio.hop, window=window, center=True, return_complex=True)
        power = spectrum.real.square().add_(spectrum.imag.square())  # (B, F, T)
        found.append(10 * torch.log10((power.transpose(1, 2) @ bank).clamp_min(1e-10)))
    return torch.cat(found)


def _samples(row: dict, root: Path | None, audio: Audio) -> np.ndarray:
    duration = None if pd.isna(row["duration"]) else float(row["duration"])
    if root is None:
        return foley.synthesise(row["path"], sample_rate=audio.sample_rate, duration=float(row["duration"]))
    return read(root / row["path"], audio.sample_rate, float(row["offset"]), duration)


def _decode(rows: list[dict], audio: Audio, whole: bool) -> list[np.ndarray | str]:
    """Clips as log-mel (float16) or as 16-bit samples; in the place of a clip that fails stands the reason."""
    torch.set_num_threads(1)
    done: list[np.ndarray | str] = []
    for row in rows:
        try:
            wave = torch.from_numpy(_samples(row, row["root"], audio))
        except ClapleakError as error:
            done.append(str(error))
            continue
        if whole:
            segment = standardise(fit(wave, round(audio.segment * audio.sample_rate)))
            done.append(log_mel(segment[None], audio)[0].numpy().astype(np.float16))
        else:
            done.append((wave.clamp(-1, 1) * 32767).round().numpy().astype(np.int16))
    return done


@dataclass(frozen=True)
class ClipStore:
    """Every clip of a profile, decoded once and memory-mapped; several processes may read at once."""

    audio: Audio
    identity: str  # changes with the clips, their files, the front end and this code
    path: Path  # (clips, T, M) float16 log-mel, or (samples of all clips,) int16
    deterministic: bool  # log-mel: a clip gives the same batch at every visit, so frozen embeddings can be cached
    first: np.ndarray  # (N,) where a clip begins in the file, in samples or in frames of log-mel
    samples: np.ndarray  # (N,) length, in the same unit
    rows: dict[str, int]  # clip id -> row of the store, 0 to N - 1 in this order
    problems: pd.DataFrame  # clip, path and reason of the clips that could not be decoded

    @cached_property
    def _data(self) -> np.ndarray:
        data = np.memmap(self.path, np.float16 if self.deterministic else np.int16, "r")
        return data.reshape(-1, _frames(self.audio), self.audio.mel_bins) if self.deterministic else data

    def __getstate__(self) -> dict:
        """Without the map, which would be pickled as a copy of the whole file; each process maps it anew."""
        return {name: value for name, value in self.__dict__.items() if name != "_data"}

    def segments(self, rows: np.ndarray, generator: torch.Generator | None = None) -> torch.Tensor:
        """Recordings as stored, (B, samples) in [-1, 1]: random segments with a generator, else the first; padded."""
        size = round(self.audio.segment * self.audio.sample_rate)
        found = torch.empty(len(rows), size)
        for segment, first, samples in zip(found.numpy(), self.first[rows], self.samples[rows], strict=True):
            length = min(int(samples), size)
            if generator is not None:
                first += int(torch.randint(int(samples) - length + 1, (), generator=generator))
            np.divide(self._data[first : first + length], np.float32(32767), out=segment[:length], dtype=np.float32)
            segment[length:] = 0
        return found

    def batch(self, rows: np.ndarray, generator: torch.Generator | None = None) -> torch.Tensor:
        """Log-mel of clips, (B, 1, T, M); random segments with a generator, the first segment without."""
        if self.deterministic:
            places = self.first[rows] // _frames(self.audio)
            return torch.from_numpy(np.asarray(self._data[places], dtype=np.float32))[:, None]
        waves = (self.segments(rows[i : i + 1], generator) for i in range(len(rows)))  # one at a time: little memory
        return torch.stack([log_mel(standardise(wave), self.audio) for wave in waves])


def _frames(audio: Audio) -> int:
    return round(audio.segment * audio.sample_rate) // audio.hop + 1


def open_store(corpora: list[Corpus], audio: Audio, folder: Path, *, cores: int = 1) -> ClipStore:
    """Open the store of some corpora; clips that are not in it yet, or whose file has changed, are decoded first.

    A build that was killed goes on where it was. Of several processes one builds and the others wait.

    Raises
    ------
    ClapleakError
        The disk is too small for the store, or the store is damaged.
    """
    clips = pd.concat([c.clips().assign(root=c.root) for c in corpora]).drop_duplicates("clip", ignore_index=True)
    clips = clips[["clip", "path", "offset", "duration", "root"]].astype({"offset": float, "duration": float})
    clips["offset"] = clips["offset"].fillna(0.0)
    whole = bool((clips["duration"] <= audio.segment).all())
    code = hashlib.sha256(meaning(Path(__file__))).hexdigest()
    settings = json.dumps({"audio": audio.model_dump(), "whole": whole, "code": code})
    keys, path = _keys(clips), folder / ("log_mel.f16" if whole else "wave.i16")
    entries = _entries(path, settings, audio)
    if not np.isin(keys, entries.index).all():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # ends with the process, whichever way that ends
            _build(clips, keys, path, settings, audio, cores)
        entries = _entries(path, settings, audio)
    entries = entries.loc[keys]
    usable = (entries["reason"] == "").to_numpy()
    return ClipStore(
        audio,
        hashlib.sha256(settings.encode() + keys.tobytes()).hexdigest(),
        path,
        whole,
        entries["first"].to_numpy()[usable],
        entries["samples"].to_numpy()[usable],
        {clip: row for row, clip in enumerate(clips["clip"][usable])},
        clips[["clip", "path"]].assign(reason=entries["reason"].to_numpy())[~usable].reset_index(drop=True),
    )


def _keys(clips: pd.DataFrame) -> np.ndarray:
    """64 bits a clip; they change with its row, with the size or time of its file, and with the synthesiser."""
    synthesiser = meaning(Path(foley.__file__)) + Path(foley.__file__).with_suffix(".csv").read_bytes()
    made_by, keys = hashlib.sha256(synthesiser).hexdigest(), np.empty(len(clips), np.uint64)
    for i, (*row, root) in enumerate(clips.itertuples(index=False)):
        file = None if root is None else root / row[1]
        stat = file.stat() if file and file.is_file() else None
        source = made_by if file is None else stat and (stat.st_size, stat.st_mtime_ns)
        keys[i] = int.from_bytes(hashlib.blake2b(repr((*row, source)).encode(), digest_size=8).digest())
    return keys


def _entries(path: Path, settings: str, audio: Audio) -> pd.DataFrame:
    """samples, reason and first of the clips in a store, by key; none where it was made with other settings."""
    index, made, text = path.with_name("index.tsv"), path.with_name("store.json"), b""
    if made.is_file() and made.read_text() == settings and index.is_file():
        text = index.read_bytes()
    types = {"key": np.uint64, "samples": np.int64, "reason": str}
    lines = io.BytesIO(text[: text.rfind(b"\n") + 1])  # without the torn one that a kill may leave
    try:
        table = pd.read_csv(lines, sep="\t", names=list(types), dtype=types, na_filter=False, quoting=csv.QUOTE_NONE)
    except ValueError as error:
        raise ClapleakError(f"{index}: the index is damaged; delete {path.parent} and run again") from error
    table["first"] = table["samples"].cumsum() - table["samples"]
    if len(table) and (not path.is_file() or path.stat().st_size < _size(table["samples"].sum(), path, audio)):
        raise ClapleakError(f"{path}: the clip store is truncated; delete {path.parent} and run again")
    return table.set_index("key")


def _size(samples: int, path: Path, audio: Audio) -> int:
    """Bytes of that many samples, or frames of log-mel."""
    return 2 * int(samples) * (audio.mel_bins if path.suffix == ".f16" else 1)


def _length(path: str, offset: float, duration: float, root: Path | None) -> float:
    """Seconds of a clip by the table or else by its file's header; 0 for a file that cannot be read."""
    try:
        return max(soundfile.info(root / path).duration - offset, 0.0) if pd.isna(duration) else duration
    except (soundfile.LibsndfileError, RuntimeError):
        return 0.0


def _build(clips: pd.DataFrame, keys: np.ndarray, path: Path, settings: str, audio: Audio, cores: int) -> None:
    """Decode what the store lacks and append it."""
    folder, index, whole = path.parent, path.with_name("index.tsv"), path.suffix == ".f16"
    entries = _entries(path, settings, audio)  # once more: another process may have built meanwhile
    if 2 * np.isin(entries.index, keys).sum() <= len(entries):  # other settings, or more waste than use
        shutil.rmtree(folder, ignore_errors=True)
        entries = entries[:0]
    lacking = ~np.isin(keys, entries.index)
    todo, keys = clips[lacking], keys[lacking]
    lengths = [_frames(audio) if whole else _length(*row) * audio.sample_rate for _, *row in todo.itertuples(False)]
    sizes = np.array([_size(length, path, audio) for length in lengths])
    need, free = sizes.sum(), shutil.disk_usage(folder.parent).free
    say(f"clip store: {len(todo)} of {len(clips)} clips to decode, {need / 1e6:.0f} MB in {folder}")
    if need > free:
        raise ClapleakError(f"{folder}: the store needs {need / 1e9:.1f} GB, the disk has {free / 1e9:.1f} GB left")
    with atomic_file(folder / "store.json") as file:
        file.write(settings.encode())
    rounds = np.split(np.arange(len(todo)), np.flatnonzero(np.diff(sizes.cumsum() // (_ROUND * cores))) + 1)
    jobs = cores if need > _ROUND else 1  # processes take seconds to start
    bar = tqdm(total=len(todo), desc="clip store", unit=" clips")
    with path.open("ab") as data, index.open("ab") as lines, Parallel(n_jobs=jobs) as pool, bar:
        data.truncate(_size(entries["samples"].sum(), path, audio))  # what a kill left behind the last whole line
        lines.truncate(index.read_bytes().rfind(b"\n") + 1)
        for chosen in rounds:
            rows = todo.iloc[chosen].to_dict("records")
            parts = pool(delayed(_decode)(rows[i::cores], audio, whole) for i in range(cores))
            text = ""
            for i, key in enumerate(keys[chosen]):
                clip = parts[i % cores][i // cores]
                samples, reason = (0, " ".join(clip.split())) if isinstance(clip, str) else (len(clip), "")
                data.write(b"" if reason else clip.tobytes())
                text += f"{key}\t{samples}\t{reason}\n"
            for file, content in ((data, b""), (lines, text.encode())):  # the index never promises what is not there
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            bar.update(len(chosen))
