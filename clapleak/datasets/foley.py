"""The embedded world: a small synthesiser and a table with one row a sound class (`foley.csv`).

Everything here is synthetic. A row gives a name, phrases for captions, and acoustic parameters with their units in
the column names; an empty cell means "none". A clip has a virtual path, `foley@<seed>/<class>/<index>` or, with two
events, `foley@<seed>/<class>+<class>/<index>`, and follows from that path alone. Scenes with an even index hold both
events at once, scenes with an odd index one after the other.

How a row becomes sound: events start at onsets (rate, irregularity, bursts). An event is a tone (partials, glide,
arch, vibrato) plus band-passed noise, each with attack and decay. Amplitude modulation, resonances and an echo shape
their sum; a steady bed lies below. Then come the recording's own colour, its background and, at times, another sound.
"""

from __future__ import annotations

import re
import zlib
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import fft

from clapleak.config import ClapleakError
from clapleak.datasets.corpus import Corpus

# How hard the world is: spreads within a class, and nuisances. Set once, so that the same small network reaches the
# same silhouette on held-out clips of this world as on real ESC-50 clips (page "The embedded world").
PITCH_SPREAD_ST = 3.0  # standard deviation in semitones; noise bands and resonances move with it, less far
TEMPO_SPREAD = 0.25  # standard deviation of the logarithm of rates and of lengths
TIMBRE_SPREAD_DB = 4.0  # standard deviation of every partial and of the balance of tone and noise
COLOUR_SPREAD_DB_OCT = 1.5  # standard deviation of the tilt of a recording's frequency response
BACKGROUND_DB = (-45.0, -10.0)  # range of the background's level beside the events
ECHO_SHARE = 0.4  # share of clips in a room with an echo
DISTRACTOR_SHARE = 0.15  # share of clips with another sound
DISTRACTOR_DB = (-20.0, -6.0)  # range of its level

FIRST_INDEX = {"pretrain": 0, "pairs": 1_000_000, "test": 2_000_000}  # no clip is in two splits
NOUN_TEMPLATES = (
    "{}", "the sound of {}", "{} in the distance", "{} nearby", "a recording of {}", "{}, loud and close",
    "{}, soft and far away", "{} with some noise behind", "{} outdoors", "{} inside a building", "{} in an empty room",
    "{} in the street", "we hear {}", "someone listens to {}", "{} and nothing else", "{} over a quiet background",
    "an old recording of {}", "the noise of {}", "{} for a short time", "a faint sound of {}", "this is {}",
)  # fmt: skip
CLAUSE_TEMPLATES = (
    "{}", "{} in the distance", "{} nearby", "{} somewhere outside", "{} as somebody records", "{} loudly",
    "{} softly", "{} in a large hall", "{} as people listen", "somewhere {}", "not far away {}",
    "{} and then it is quiet", "{} in the background", "{} close to the microphone",
)  # fmt: skip
AT_ONCE = (
    "{} with {}", "{} and {} at the same time", "{} over {}", "{} together with {}", "{} and, behind it, {}",
    "{} while there is {}", "{} during {}",
)  # fmt: skip
IN_SEQUENCE = ("{} followed by {}", "{}, then {}", "{} before {}", "first {}, then {}", "{} and afterwards {}")

_TEXT_COLUMNS = ("name", "noun_phrases", "clauses", "resonances_hz", "course")
_PATH = re.compile(r"foley(?:@(\d+))?/([^/]+)/(\d+)")
_TABLE = 2048  # samples of one period in a wavetable


@cache
def _table() -> pd.DataFrame:
    table = pd.read_csv(Path(__file__).with_suffix(".csv"), dtype=dict.fromkeys(_TEXT_COLUMNS, str))
    table = table.set_index("name", verify_integrity=True).astype({"target": bool})
    text = list(_TEXT_COLUMNS[1:])
    table[text] = table[text].fillna("")
    return table.fillna(0.0)


def classes() -> pd.DataFrame:
    """The sound classes of the embedded world.

    Returns
    -------
    DataFrame
        Indexed by name, in the order of `foley.csv` and with its columns. `target` is True for the 50 names of
        ESC-50. `noun_phrases` and `clauses` are separated by "|", `resonances_hz` by spaces. Units stand at the end
        of each column's name: hz, st (semitones), ms, s, db, db_oct (decibels an octave), share (0 to 1).
    """
    return _table().copy()


@cache
def _rows() -> dict[str, dict]:
    return _table().to_dict("index")


def _parse(path: str) -> tuple[int, list[str], int]:
    match = _PATH.fullmatch(path)
    if match is None:
        raise ClapleakError(f"{path}: not a sound of the embedded world; write foley@0/dog/17 or foley@0/dog+rain/17")
    names = match[2].split("+")
    unknown = [name for name in names if name not in _rows()]
    if unknown or len(names) > 2:
        reason = f"no class '{unknown[0]}' in foley.csv" if unknown else "more than two events"
        raise ClapleakError(f"{path}: {reason}")
    return int(match[1] or 0), names, int(match[3])


def _generator(*parts: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32("/".join(map(str, parts)).encode()))  # hash() changes with the process


def synthesise(path: str, *, sample_rate: int, duration: float) -> np.ndarray:
    """The sound of a virtual path; the same path always gives the same samples.

    Parameters
    ----------
    path : str
        "foley@<seed>/<class>/<index>"; "@<seed>" may be left out (0). A scene has two classes joined by "+".
    sample_rate : int
        Hertz.
    duration : float
        Seconds.

    Returns
    -------
    ndarray, float32, (round(sample_rate * duration),)
        Mono, within [-1, 1].

    Raises
    ------
    ClapleakError
        A path of another form or with an unknown class, or a duration that holds no sample.

    Examples
    --------
    >>> synthesise("foley@0/dog/17", sample_rate=16000, duration=2.5).shape
    (40000,)
    """
    seed, names, index = _parse(path)
    n = round(sample_rate * duration)
    if n < 1:
        raise ClapleakError(f"{path}: a duration of {duration} s holds no sample; give a positive one")
    rng = _generator(seed, *names, index)
    echo = rng.random() < ECHO_SHARE
    axis = _Axis.of(sample_rate, n)
    parts = [(0, n)] * len(names)
    if len(names) == 2 and index % 2:  # one after the other
        cut = round(n * rng.uniform(0.4, 0.6))
        parts = [(0, cut), (cut, n)]
    spectrum = np.zeros(len(axis.f), np.complex64)
    for name, part in zip(names, parts, strict=True):
        spectrum += _decibels(rng.normal(0, 3)) * _event(_rows()[name], rng, axis, part)
    if rng.random() < DISTRACTOR_SHARE:
        other = list(_rows().values())[rng.integers(len(_rows()))]
        spectrum += _decibels(rng.uniform(*DISTRACTOR_DB)) * _event(other, rng, axis, (0, n))
    if echo:
        spectrum *= axis.echo(rng, rng.uniform(0.1, 0.8), rng.uniform(0.1, 0.5))
    edge = rng.uniform(100, 2000)
    hiss = axis.band(20.0, edge * np.exp(rng.uniform(0, 3)))  # rumble in one recording, hiss in the next
    spectrum += _decibels(rng.uniform(*BACKGROUND_DB)) * axis.noise(rng, hiss)
    spectrum *= axis.tilt(rng.normal(0, COLOUR_SPREAD_DB_OCT))
    wave = fft.irfft(spectrum, axis.n_fft)[:n]
    return (wave * (_decibels(rng.uniform(-18, -0.5)) / max(np.abs(wave).max(), 1e-9))).astype(np.float32, copy=False)


def _decibels(level: float) -> np.float32:
    return np.float32(10 ** (level / 20))


class _Axis:
    """Frequencies of the transform of a clip, and the filters that are drawn over them; all gains are amplitudes."""

    def __init__(self, sample_rate: int, n: int) -> None:
        self.sample_rate, self.n = sample_rate, n
        self.n_fft = fft.next_fast_len(n + sample_rate // 3, real=True)  # spare time for the tails of echoes
        self.f = np.maximum(fft.rfftfreq(self.n_fft, 1 / sample_rate), 1.0).astype(np.float32)
        self.octaves = np.log2(self.f / np.float32(1000))

    @classmethod
    @lru_cache(maxsize=4)
    def of(cls, sample_rate: int, n: int) -> _Axis:
        return cls(sample_rate, n)

    def band(self, low: float, high: float) -> np.ndarray:
        """About 24 dB an octave outside of low..high hertz."""
        below, above = (np.float32(low) / self.f) ** 2, (self.f / np.float32(high)) ** 2
        return 1 / ((1 + below * below) * (1 + above * above))

    def tilt(self, slope: float) -> np.ndarray:
        """`slope` dB an octave, 0 dB at 1 kHz, between 60 Hz and 8 kHz."""
        return np.exp(np.float32(slope * np.log(10) / 20) * np.clip(self.octaves, -4, 3))

    def resonances(self, centres: list[float], q: float) -> np.ndarray:
        gain = np.full(len(self.f), 0.06, np.float32)
        for centre in centres:
            off = (self.f - np.float32(centre)) * np.float32(q / centre)
            gain += 1 / (1 + 4 * off * off)
        return gain

    def noise(self, rng: np.random.Generator, gain: np.ndarray) -> np.ndarray:
        """Spectrum of noise with that gain and unit RMS over the clip."""
        parts = rng.random(2 * len(self.f), dtype=np.float32) - np.float32(0.5)  # Gaussian after the transform
        spectrum = parts.view(np.complex64) * gain
        spectrum[0] = 0
        return spectrum / self.rms(spectrum)

    def rms(self, spectrum: np.ndarray) -> np.float32:
        return np.float32(np.sqrt(2 * np.vdot(spectrum, spectrum).real) / self.n_fft + 1e-9)

    def echo(self, rng: np.random.Generator, seconds: float, level: float) -> np.ndarray:
        """Spectrum of a click and its decaying tail; `seconds` to -60 dB."""
        length = min(int(seconds * self.sample_rate), self.n_fft // 2)
        tail = rng.random(length, dtype=np.float32) - np.float32(0.5)
        tail *= np.exp(np.linspace(0, -6.9, length, dtype=np.float32))
        tail *= level / np.sqrt(np.dot(tail, tail) + 1e-9)
        tail[0] += 1
        return fft.rfft(tail, self.n_fft)


def _event(row: dict, rng: np.random.Generator, axis: _Axis, part: tuple[int, int]) -> np.ndarray:
    """Spectrum of one class's events within `part` (first sample, end); about unit RMS while it sounds."""
    rate, n = axis.sample_rate, part[1] - part[0]
    pitch = 2 ** (rng.normal(0, PITCH_SPREAD_ST) / 12)
    size = np.sqrt(pitch) * np.exp(rng.normal(0, 0.02 * PITCH_SPREAD_ST))  # of bands and resonances
    tempo, stretch = np.exp(rng.normal(0, TEMPO_SPREAD, 2))
    onsets = _onsets(row, rng, n / rate, tempo, stretch)
    starts = np.round(onsets * rate).astype(np.int64)
    ends = np.append(starts[1:], n)
    which = np.repeat(np.arange(len(starts)), ends - starts)  # event of each sample from the first onset on
    u = (np.arange(starts[0], n, dtype=np.int32) - starts[which]).astype(np.float32) * np.float32(1 / rate)  # seconds
    count = len(starts)
    odd = np.arange(count) % 2
    steps = rng.normal(0, 1, count) * row["wander_st"] + odd * row["alternate_st"]
    level = _decibels_of(rng.normal(0, 2, count) + 4 * row["irregular_share"] * rng.normal(0, 1, count))
    length = row["length_ms"] / 1000 * stretch
    attack = max(row["attack_ms"] / 1000 * stretch, 5e-4)
    share = _balance(row["tone_share"], rng)
    loud = level.astype(np.float32)[which]
    sound = np.zeros(len(u), np.float32)
    if share > 0:
        envelope = _envelope(u, attack, length, row["decay_ms"] / 1000 * stretch)
        sound += np.float32(share) * envelope * _tone(row, rng, rate, pitch, steps[which], u, length or n / rate)
    if share < 1:
        late = u - np.float32(row["noise_delay_ms"] / 1000 * stretch)
        decay = (row["noise_decay_ms"] or row["decay_ms"]) / 1000 * stretch
        envelope = _envelope(late, attack, length, decay)
        noise = axis.noise(rng, axis.band(row["low_hz"] * size, row["high_hz"] * size))
        sound += np.float32(1 - share) * envelope * fft.irfft(noise, axis.n_fft)[: len(u)]
    sound *= loud
    t = np.arange(len(u), dtype=np.float32) / np.float32(rate)
    if row["am_depth_share"]:
        beat = np.sin(np.float32(np.pi * row["am_hz"] * tempo) * t + np.float32(rng.uniform(0, 6)))
        sound *= 1 - np.float32(row["am_depth_share"]) * beat * beat
    sound *= _course(row["course"], t / t[-1] if len(t) > 1 else t, rng)
    padded = np.zeros(axis.n_fft, np.float32)
    padded[part[0] + starts[0] : part[1]] = sound
    square = sound * sound
    crest = np.sqrt(np.dot(square, square) / (square.sum() ** 2 + 1e-12) * axis.n_fft)  # of the loud parts to the mean
    spectrum = fft.rfft(padded)
    if row["resonances_hz"]:
        spectrum *= axis.resonances([float(hz) * size for hz in row["resonances_hz"].split()], row["resonance_q"] or 5.0)
    if row["echo_s"]:
        spectrum *= axis.echo(rng, row["echo_s"], 0.7)
    spectrum *= np.float32(1 / (axis.rms(spectrum) * max(crest, 1.0)))
    if row["bed_high_hz"]:
        bed = axis.noise(rng, axis.band(row["bed_low_hz"] * size, row["bed_high_hz"] * size))
        spectrum += _decibels(row["bed_db"] + rng.normal(0, TIMBRE_SPREAD_DB / 2)) * bed
    return spectrum


def _decibels_of(levels: np.ndarray) -> np.ndarray:
    return 10 ** (levels / 20)


def _balance(share: float, rng: np.random.Generator) -> float:
    """Share of the tone, moved by some decibels where there are both tone and noise."""
    if not 0 < share < 1:
        return share
    odds = share / (1 - share) * 10 ** (rng.normal(0, TIMBRE_SPREAD_DB) / 20)
    return odds / (1 + odds)


def _onsets(row: dict, rng: np.random.Generator, duration: float, tempo: float, stretch: float) -> np.ndarray:
    """Seconds at which events start, at least one, within the first part of `duration`."""
    if not row["rate_hz"]:  # one event: somewhere, or all the time when it has no length
        length = max(row["length_ms"], row["decay_ms"]) / 1000 * stretch
        return np.array([rng.uniform(0, 1) * 0.7 * max(duration - length, 0.1 * duration) if length else 0.0])
    interval = 1 / (row["rate_hz"] * tempo)
    count = int(duration / interval * 2) + 2
    gaps = interval * (1 - row["irregular_share"] + row["irregular_share"] * rng.exponential(1, count))
    first = rng.uniform(0, min(interval, 0.4 * duration))
    if row["burst_events"]:
        burst = max(1, round(row["burst_events"] * np.exp(rng.normal(0, TEMPO_SPREAD))))
        pause = row["pause_s"] * np.exp(rng.normal(0, TEMPO_SPREAD, count)) / tempo if row["pause_s"] else duration
        gaps += np.where(np.arange(1, count + 1) % burst == 0, pause, 0)
        first = rng.uniform(0, 0.4 * duration)
    onsets = first + np.concatenate([[0], np.cumsum(np.maximum(gaps, 0.004))])
    return onsets[onsets < max(duration - 0.02, first + 1e-6)]


def _envelope(u: np.ndarray, attack: float, length: float, decay: float) -> np.ndarray:
    """Level of an event `u` seconds after its start; without length and decay it lasts until the next one."""
    level = np.clip(u * np.float32(1 / attack), 0, 1)
    if decay:
        level *= np.exp(np.minimum(np.float32(attack) - u, 0) * np.float32(1 / decay))
    if length:
        level *= np.clip((np.float32(length) - u) * np.float32(1 / (0.3 * length)), 0, 1)
    return level


def _tone(
    row: dict, rng: np.random.Generator, rate: int, pitch: float, steps: np.ndarray, u: np.ndarray, length: float
) -> np.ndarray:
    """Tone of unit RMS; `steps` are semitones of each sample's event, `u` seconds since its start."""
    x = np.minimum(u * np.float32(1 / length), 1)
    semitones = steps.astype(np.float32) + np.float32(row["glide_st"]) * x
    if row["arch_st"]:
        semitones += np.float32(4 * row["arch_st"]) * x * (1 - x)
    if row["vibrato_st"]:
        t = np.arange(len(u), dtype=np.float32) * np.float32(2 * np.pi * row["vibrato_hz"] / rate)
        semitones += np.float32(row["vibrato_st"]) * np.sin(t + np.float32(rng.uniform(0, 6)))
    f = np.minimum(np.float32(row["pitch_hz"] * pitch) * np.exp2(semitones * np.float32(1 / 12)), 0.45 * rate)
    cycles = np.cumsum(f, dtype=np.float64) / rate
    numbers = np.arange(1, max(1, min(int(row["partials"]), int(0.45 * rate / f.max()))) + 1)
    slope = row["tilt_db_oct"] + rng.normal(0, TIMBRE_SPREAD_DB / 4)
    level = _decibels_of(slope * np.log2(numbers) + rng.normal(0, TIMBRE_SPREAD_DB, len(numbers)))
    level /= np.sqrt((level**2).sum() / 2)
    if row["inharmonic_power"]:  # partials of bells and bars: number to a power, not multiples
        tone = np.zeros(len(u), np.float32)
        for number, amplitude in zip(numbers, level, strict=True):
            ratio = number ** row["inharmonic_power"]
            if ratio * f.max() < 0.48 * rate:
                tone += np.float32(amplitude) * np.sin((2 * np.pi * (cycles * ratio % 1)).astype(np.float32))
        return tone
    harmonics = np.zeros(_TABLE // 2 + 1, np.complex64)
    harmonics[numbers[numbers < len(harmonics)]] = (level * np.exp(2j * np.pi * rng.random(len(numbers))))[: len(harmonics) - 1]
    period = fft.irfft(harmonics * np.float32(_TABLE / 2), _TABLE)
    return period[(cycles * _TABLE).astype(np.int64) & (_TABLE - 1)]


def _course(course: str, x: np.ndarray, rng: np.random.Generator) -> np.ndarray | np.float32:
    """Loudness over the clip, `x` from 0 to 1: it comes ("in"), goes ("out") or passes by ("pass")."""
    if course == "pass":
        return np.exp(-((x - np.float32(rng.uniform(0.3, 0.7))) ** 2) * np.float32(12))
    if course in ("in", "out"):
        return np.exp(np.float32(-rng.uniform(1.5, 3)) * (x if course == "out" else 1 - x))
    return np.float32(1)


def _caption(path: str) -> str:
    """Caption of a clip; like the sound it follows from the path."""
    _, names, index = _parse(path)
    rng = _generator("caption", path)

    def one_of(choices) -> str:
        return choices[rng.integers(len(choices))]

    nouns = [one_of(_rows()[name]["noun_phrases"].split("|")) for name in names]
    if len(names) == 2:
        return one_of(IN_SEQUENCE if index % 2 else AT_ONCE).format(*nouns)
    if rng.random() < 0.6:
        return one_of(NOUN_TEMPLATES).format(nouns[0])
    return one_of(CLAUSE_TEMPLATES).format(one_of(_rows()[names[0]]["clauses"].split("|")))


def corpus(
    split: str, *, seed: int, clips_per_class: int, scenes: int, duration: float, limit_classes: int | None
) -> Corpus:
    """A part of the embedded world.

    Parameters
    ----------
    split : str
        "pretrain" (clips with labels, no text), "pairs" (clips with captions) or "test" (single events of the 50
        targets; text is the label). No clip is in two parts.
    seed : int
        Number of the world: another seed gives other clips of the same classes.
    clips_per_class : int
        Clips with a single event.
    scenes : int
        Clips with two events of two classes, drawn at random; in "pretrain" and "pairs".
    duration : float
        Seconds, of every clip.
    limit_classes : int or None
        Keep that many classes, half of them targets.

    Returns
    -------
    Corpus
        Clip ids are the virtual paths that `synthesise` reads; `root` is None.

    Raises
    ------
    ClapleakError
        Unknown split.
    """
    if split not in FIRST_INDEX:
        raise ClapleakError(f"unknown split '{split}' of the embedded world: use {', '.join(FIRST_INDEX)}")
    table = _table()
    names = [*_thin(list(table.index[table["target"]]), limit_classes), *_thin(list(table.index[~table["target"]]), limit_classes)]
    if split == "test":
        names = [name for name in names if table.at[name, "target"]]
    first = FIRST_INDEX[split]
    labels = [[name] for name in names for _ in range(clips_per_class)]
    paths = [f"foley@{seed}/{name}/{first + i}" for name in names for i in range(clips_per_class)]
    rng = _generator("scenes", split, seed)
    for i in range(0 if split == "test" else scenes):
        pair = [names[j] for j in rng.choice(len(names), 2, replace=False)]
        labels.append(pair)
        paths.append(f"foley@{seed}/{'+'.join(pair)}/{first + i}")
    text = {"pretrain": lambda path: "", "pairs": _caption, "test": lambda path: path.split("/")[1]}[split]
    columns = {"clip": paths, "path": paths, "offset": 0.0, "duration": duration, "text": [text(path) for path in paths]}
    return Corpus("foley", None, pd.DataFrame({**columns, "labels": labels, "recording": paths, "split": split}))


def _thin(names: list[str], limit: int | None) -> list[str]:
    """Half of `limit` names, evenly spread over the list."""
    if limit is None:
        return names
    half = max(1, limit // 2)
    return [names[i * len(names) // half] for i in range(min(half, len(names)))]
