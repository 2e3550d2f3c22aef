"""From audio files to log-mel batches: decode, convert to mono, resample, fit to a segment, standardise, log-mel.

Two stores keep the work from being done twice. Where every clip is no longer than a segment the log-mel is the same
in every epoch, so it is computed once (`log_mel.f16`). Longer recordings are kept as 16-bit samples (`wave.i16`) and
a random segment is cut at every visit, section 2.1 (i).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from functools import cache
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
from clapleak.files import atomic_folder, say
from clapleak.torchaudio_guard import import_torchaudio

CHECKPOINT_RATE = 32000  # hertz, of PANNs' published weights
SHORTEST = 0.1  # seconds; anything shorter holds no sound event
_CHUNK = 64  # clips a task of the pool


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
            file.seek(min(int(offset * rate), file.frames))
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
    spectrum = torch.stft(wave, audio.window, audio.hop, window=window, center=True, return_complex=True)  # (B, F, T)
    power = spectrum.real.square() + spectrum.imag.square()
    return 10 * torch.log10((power.transpose(1, 2) @ bank).clamp_min(1e-10))


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
    """Every clip of a profile, decoded once and memory-mapped.

    Attributes
    ----------
    rows : dict
        Clip id -> row of the store.
    problems : DataFrame
        clip, path, reason of the clips that could not be decoded.
    """

    audio: Audio
    identity: str  # changes with the clips, their files and the front end
    data: np.ndarray  # (N, T, M) float16 log-mel, or (samples of all clips,) int16
    bounds: np.ndarray | None  # (N + 1,) first sample of each clip; None for log-mel
    rows: dict[str, int]
    problems: pd.DataFrame

    @property
    def deterministic(self) -> bool:
        """Whether a clip gives the same batch at every visit, so that frozen embeddings can be cached."""
        return self.bounds is None

    def batch(self, rows: np.ndarray, generator: torch.Generator | None = None) -> torch.Tensor:
        """Log-mel of clips, (B, 1, T, M); random segments with a generator, the first segment without."""
        if self.bounds is None:
            return torch.from_numpy(np.asarray(self.data[rows], dtype=np.float32))[:, None]
        samples = round(self.audio.segment * self.audio.sample_rate)
        pieces = []
        for row in rows:
            first, end = int(self.bounds[row]), int(self.bounds[row + 1])
            spare = max(end - first - samples, 0)
            start = int(torch.randint(spare + 1, (), generator=generator)) if generator is not None else 0
            cut = np.asarray(self.data[first + start : min(first + start + samples, end)], dtype=np.float32)
            pieces.append(fit(torch.from_numpy(cut / 32767), samples))
        return log_mel(standardise(torch.stack(pieces)), self.audio)[:, None]


def open_store(corpora: list[Corpus], audio: Audio, folder: Path, *, cores: int = 1) -> ClipStore:
    """Open the store of some corpora, building it first where it is absent or belongs to other clips.

    Raises
    ------
    ClapleakError
        The disk is too small for the store.
    """
    clips = pd.concat([c.clips().assign(root=c.root) for c in corpora], ignore_index=True).drop_duplicates(
        "clip", ignore_index=True
    )
    identity = {"audio": audio.model_dump(), "clips": _fingerprint(clips)}
    if not (folder / "store.json").is_file() or json.loads((folder / "store.json").read_text()) != identity:
        _build(clips, identity, audio, folder, cores)
    index = pd.read_csv(folder / "index.csv", dtype={"clip": str}, keep_default_na=False)
    problems = pd.read_csv(folder / "problems.csv", dtype=str, keep_default_na=False)
    lengths = index["samples"].to_numpy()
    if (folder / "wave.i16").is_file():
        data = np.memmap(folder / "wave.i16", np.int16, "r")
        bounds, expected = np.concatenate([[0], np.cumsum(lengths)]), lengths.sum()
    else:
        data = np.memmap(folder / "log_mel.f16", np.float16, "r")
        bounds, expected = None, lengths.sum() * audio.mel_bins
    if len(data) != expected:
        raise ClapleakError(f"{folder}: the clip store is truncated; delete the folder and run again")
    if bounds is None:
        data = data.reshape(len(index), -1, audio.mel_bins)
    return ClipStore(
        audio,
        hashlib.sha256(json.dumps(identity).encode()).hexdigest(),
        data,
        bounds,
        dict(zip(index["clip"], range(len(index)), strict=True)),
        problems,
    )


def _fingerprint(clips: pd.DataFrame) -> str:
    """Changes with the list of clips, with the size or time of any file, with this code and with the synthesiser."""
    digest = hashlib.sha256(meaning(Path(__file__)))
    for clip, path, root in clips[["clip", "path", "root"]].itertuples(index=False):
        digest.update(f"{clip}\0{path}".encode())
        if root is not None and (root / path).is_file():
            stat = (root / path).stat()
            digest.update(f"{stat.st_size}/{stat.st_mtime_ns}".encode())
    if clips["root"].isna().any():
        digest.update(meaning(Path(foley.__file__)) + Path(foley.__file__).with_suffix(".csv").read_bytes())
    return digest.hexdigest()


def _build(clips: pd.DataFrame, identity: dict, audio: Audio, folder: Path, cores: int) -> None:
    whole = bool((clips["duration"] <= audio.segment).all())
    rows = clips[["clip", "path", "offset", "duration", "root"]].to_dict("records")
    frames = round(audio.segment * audio.sample_rate) // audio.hop + 1
    # upper bound: unknown lengths count as 30 s, the longest clips of the paper's corpora
    seconds = clips["duration"].fillna(30.0).sum()
    need = 2 * len(rows) * frames * audio.mel_bins if whole else int(2 * audio.sample_rate * seconds)
    folder.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder.parent).free
    say(f"clip store: {len(rows)} clips, {need / 1e6:.0f} MB in {folder}")
    if need > free:
        raise ClapleakError(f"{folder}: the store needs {need / 1e9:.1f} GB, the disk has {free / 1e9:.1f} GB left")
    chunks = [rows[i : i + _CHUNK] for i in range(0, len(rows), _CHUNK)]
    index, problems = [], []
    with atomic_folder(folder) as temporary:
        name = "log_mel.f16" if whole else "wave.i16"
        done = Parallel(n_jobs=cores, return_as="generator")(delayed(_decode)(chunk, audio, whole) for chunk in chunks)
        with (temporary / name).open("wb") as file:
            for chunk, decoded in zip(tqdm(chunks, "clip store", unit=f"x{_CHUNK} clips"), done, strict=True):
                for row, clip in zip(chunk, decoded, strict=True):
                    if isinstance(clip, str):
                        problems.append({"clip": row["clip"], "path": row["path"], "reason": clip})
                    else:
                        file.write(clip.tobytes())
                        index.append({"clip": row["clip"], "samples": len(clip)})
        pd.DataFrame(index, columns=["clip", "samples"]).to_csv(temporary / "index.csv", index=False)
        pd.DataFrame(problems, columns=["clip", "path", "reason"]).to_csv(temporary / "problems.csv", index=False)
        (temporary / "store.json").write_text(json.dumps(identity))
