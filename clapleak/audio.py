"""From an audio file to a log-mel: decode, convert to mono, resample, fit to a segment, standardise, log-mel."""

import sys
import zlib
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import soundfile
import torch

from clapleak.config import Audio, ClapleakError
from clapleak.corpora import synthesiser

SHORTEST = 0.1  # seconds; anything shorter holds no sound event
RATES = (1000, 1_000_000)  # hertz; below and above it is no sound for people
_BLOCK = 1 << 20  # samples decoded at once: what a header says of the length may be wrong


def import_torchaudio() -> ModuleType:
    """The torchaudio module, whole where possible and without its compiled extension elsewhere.

    The package index ships torchaudio's wheel for CUDA only. Beside a CPU build of torch its extension fails, and then
    `transformers` does, which imports it. The parts that we use are plain Python, so a stub in its place is enough.
    """
    try:
        import torchaudio
    except OSError:
        for name in [n for n in sys.modules if n.split(".")[0] == "torchaudio"]:
            del sys.modules[name]
        stub = sys.modules["torchaudio._extension"] = ModuleType("torchaudio._extension")
        stub._IS_TORCHAUDIO_EXT_AVAILABLE = stub._IS_RIR_AVAILABLE = stub._IS_ALIGN_AVAILABLE = False
        stub.fail_if_no_align = stub.fail_if_no_rir = lambda function: function
        import torchaudio
    return torchaudio


def read(path: str | Path, sample_rate: int, offset: float = 0.0, duration: float | None = None) -> np.ndarray:
    """As `samples`, at `sample_rate` hertz."""
    mono, rate = samples(path, offset, duration)
    ratio = Fraction(rate, sample_rate).limit_denominator(1000)  # exact for the usual rates; 44101 Hz would take 12 GB
    return import_torchaudio().functional.resample(torch.from_numpy(mono), *ratio.as_integer_ratio()).numpy()


def samples(path: str | Path, offset: float = 0.0, duration: float | None = None) -> tuple[np.ndarray, int]:
    """Decode a wav, flac, ogg or mp3 file to mono, (samples,) float32, and its rate in hertz.

    `offset` and `duration` choose a part, in seconds. ClapleakError where the audio is missing, unreadable, empty, too
    short or not finite; its message holds the reason alone.
    """
    if not Path(path).is_file():
        raise ClapleakError("missing")
    try:
        with soundfile.SoundFile(path) as file:
            if file.frames > 2**62:  # a FLAC may leave its length unknown, and no library seeks behind its end
                file.seekable = lambda: False
            rate, parts = file.samplerate, []
            file.seek(min(round(offset * rate), file.frames))
            left = file.frames if duration is None else round(duration * rate)
            while left > 0 and len(part := file.read(min(left, _BLOCK), dtype="float32", always_2d=True)):
                parts.append(part)
                left -= len(part)
            wave = np.concatenate(parts) if parts else np.empty((0, 1), np.float32)
    except (soundfile.LibsndfileError, RuntimeError, TypeError) as error:  # the last for a name such as x.raw
        raise ClapleakError("unreadable") from error
    if not RATES[0] <= rate <= RATES[1]:
        raise ClapleakError(f"sample rate of {rate} Hz")
    if len(wave) == 0:
        raise ClapleakError("empty")
    if len(wave) < SHORTEST * rate:
        raise ClapleakError(f"shorter than {SHORTEST} s")
    if not np.isfinite(wave).all():
        raise ClapleakError("non-finite samples")
    return wave.mean(axis=1), rate


def fit(wave: torch.Tensor, samples: int) -> torch.Tensor:
    """Cut to the first `samples` or pad zeros at the end: (n,) -> (samples,)."""
    return torch.nn.functional.pad(wave[:samples], (0, max(0, samples - len(wave))))


def standardise(wave: torch.Tensor) -> torch.Tensor:
    """Zero mean and unit variance over the last axis, section 2.1 (i); silence stays zero."""
    centred = wave - wave.mean(-1, keepdim=True)
    return centred / centred.std(-1, correction=0, keepdim=True).clamp_min(1e-8)


@cache
def mel_filters(audio: Audio) -> torch.Tensor:
    """Slaney-normalised filters, (window // 2 + 1, mel_bins)."""
    # PANNs' checkpoint has those of 32 kHz: used at 44.1 kHz, each sits 1.38 times as high in hertz
    rate = 32000 if audio.keep_checkpoint_frontend else audio.sample_rate
    return import_torchaudio().functional.melscale_fbanks(
        audio.window // 2 + 1, audio.f_min, audio.f_max, audio.mel_bins, rate, "slaney", "slaney"
    )


def log_mel(wave: torch.Tensor, audio: Audio) -> torch.Tensor:
    """PANNs' front end, (B, samples) -> (B, T, M): power spectrogram, Slaney mel filters, decibels.

    10 log10(max(energy, 1e-10)), at least -100 dB; T = samples // hop + 1 frames.
    """
    window, bank = (t.to(wave.device) for t in (torch.hann_window(audio.window), mel_filters(audio)))
    parts = []
    for part in wave.split(len(wave) if wave.is_cuda else 1):  # one clip's spectrogram stays in a processor's cache
        spectrum = torch.stft(part, audio.window, audio.hop, window=window, center=True, return_complex=True)
        power = spectrum.real.square().add_(spectrum.imag.square())  # (B, F, T)
        parts.append(10 * torch.log10((power.transpose(1, 2) @ bank).clamp_min(1e-10)))
    return torch.cat(parts)


def segment_log_mel(wave: torch.Tensor, audio: Audio) -> torch.Tensor:
    """Log-mel, (T, M), of the first segment of a recording, (n,): fitted to its length and standardised."""
    return log_mel(standardise(fit(wave, round(audio.segment * audio.sample_rate)))[None], audio)[0]


def decode(
    path: str, offset: float, duration: float, root: Path | None, rate: int, convert: Callable
) -> tuple[np.ndarray, int, str]:
    """A clip for a store, the checksum of its source file, and why it could not be decoded; "" where it could.

    `convert` makes the array that is kept of its samples, (n,) float32 at `rate` hertz. Where the clip lies is said as
    in a Corpus; without a root a synthesiser makes it.
    """
    torch.set_num_threads(1)
    content = 0
    try:
        if root is None:
            wave = synthesiser(path.partition("@")[0]).synthesise(path, sample_rate=rate, duration=duration)
        else:
            wave = read(root / path, rate, offset, None if pd.isna(duration) else duration)
            content = zlib.crc32((root / path).read_bytes())
    except ClapleakError as error:
        return np.empty(0), 0, " ".join(str(error).split())
    return convert(torch.from_numpy(wave)).numpy(), content, ""
