"""The embedded world: a small synthesiser and a table with one row a sound class (`foley.csv`).

Everything here is synthetic. A row gives a name, phrases for captions, and acoustic parameters with their units in
the column names; an empty cell means "none". A clip has a virtual path, `foley@<seed>/<class>/<index>` or, with two
events, `foley@<seed>/<class>+<class>/<index>`, and follows from that path alone. Scenes with an even index hold both
events at once, scenes with an odd index one after the other.

How a row becomes sound: events start at onsets (rate, irregularity, bursts). An event is a tone (partials, glide,
arch, vibrato) plus band-passed noise, each with attack and decay. Amplitude modulation, resonances and an echo shape
their sum; a steady bed lies below. Then come another sound at times, a room, a background and the recording's colour.
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

# How hard the world is: spreads within a class, and nuisances. Set once, against real sounds: the same small network
# trained on labels reaches the same silhouette and accuracy on held-out clips here and on ESC-50 (page "world").
PITCH_SPREAD_ST = 4.5  # standard deviation in semitones; noise bands and resonances move with it, less far
TEMPO_SPREAD = 0.4  # standard deviation of the logarithm of rates and of lengths
TIMBRE_SPREAD_DB = 6.5  # standard deviation of every partial and of the balance of tone and noise
COLOUR_SPREAD_DB_OCT = 3.0  # standard deviation of the tilt of a recording's frequency response
BACKGROUND_DB = (-45.0, -6.0)  # range of the background's level beside the events
ECHO_SHARE = 0.5  # share of clips in a room with an echo
DISTRACTOR_SHARE = 0.2  # share of clips with another sound
DISTRACTOR_DB = (-20.0, -3.0)  # range of its level

FIRST_INDEX = {"pretrain": 0, "pairs": 1_000_000, "test": 2_000_000}  # no clip is in two splits
NOUN_TEMPLATES = (
    "{}", "the sound of {}", "{} in the distance", "{} nearby", "a recording of {}", "{}, loud and close",
    "{}, soft and far away", "{} with some noise behind", "{} outdoors", "{} inside a building", "{} in an empty room",
    "{} in the street", "we hear {}", "someone listens to {}", "{} and nothing else", "{} over a quiet background",
    "an old recording of {}", "the noise of {}", "{} for a short time", "a faint sound of {}", "this is {}",
)  # fmt: skip
CLAUSE_TEMPLATES = (
    "{}", "{} in the distance", "{} nearby", "{} somewhere outside", "{} as somebody listens", "{} loudly",
    "{} softly", "{} in a large hall", "{} as people talk", "somewhere {}", "not far away {}",
    "{} and then it is quiet", "{} in the background", "{} close to the microphone",
)  # fmt: skip
AT_ONCE = (
    "{} with {}", "{} and {} at the same time", "{} over {}", "{} together with {}", "{} and, behind it, {}",
    "{} while we also hear {}", "{} during {}",
)  # fmt: skip
IN_SEQUENCE = ("{} followed by {}", "{}, then {}", "{} before {}", "first {}, then {}", "{} and afterwards {}")

_TEXT_COLUMNS = ("name", "noun_phrases", "clauses", "resonances_hz", "course")
_PATH = re.compile(r"foley(?:@(\d+))?/([^/]+)/(\d+)")
_PERIOD = 2048  # samples of a wavetable


@cache
def _table() -> pd.DataFrame:
    table = pd.read_csv(Path(__file__).with_suffix(".csv"), dtype=dict.fromkeys(_TEXT_COLUMNS, str))
    if table["name"].duplicated().any():
        raise ClapleakError(f"foley.csv: class {table['name'][table['name'].duplicated()].iloc[0]} stands twice")
    table = table.set_index("name").astype({"target": bool})
    return table.fillna({column: "" for column in _TEXT_COLUMNS[1:]}).fillna(0.0)


@cache
def _rows() -> dict[str, dict]:
    return _table().to_dict("index")  # a look-up in a dictionary is much faster than in a table


def classes() -> pd.DataFrame:
    """The sound classes of the embedded world.

    Returns
    -------
    DataFrame
        Indexed by name, in the order of `foley.csv` and with its columns. `target` is True for the 50 names of
        ESC-50. `noun_phrases` and `clauses` are separated by "|", `resonances_hz` by spaces. Units stand at the end
        of a column's name: hz, st (semitones), ms, s, db, db_oct (decibels an octave), share (0 to 1).
    """
    return _table().copy()


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
    rng, axis = _generator(seed, *names, index), _axis(sample_rate, n)
    cut = round(n * rng.uniform(0.4, 0.6)) if len(names) == 2 and index % 2 else n
    spectrum = _events(_rows()[names[0]], rng, axis, 0, cut)
    if len(names) == 2:
        spectrum += _gain(rng.normal(0, 4)) * _events(_rows()[names[1]], rng, axis, cut % n, n)
    if rng.random() < DISTRACTOR_SHARE:
        other = list(_rows().values())[rng.integers(len(_rows()))]
        spectrum += _gain(rng.uniform(*DISTRACTOR_DB)) * _events(other, rng, axis, 0, n)
    if rng.random() < ECHO_SHARE:
        spectrum *= axis.echo(rng, rng.uniform(0.1, 0.8), rng.uniform(0.1, 0.5))
    hiss = axis.band(20.0, 10 ** rng.uniform(2, 4.5))  # a rumble in one recording, hiss in the next
    spectrum += _gain(rng.uniform(*BACKGROUND_DB)) * axis.noise(rng, hiss)
    spectrum *= axis.tilt(rng.normal(0, COLOUR_SPREAD_DB_OCT))
    wave = fft.irfft(spectrum, axis.n_fft)[:n]
    return wave * (_gain(rng.uniform(-18, -0.5)) / max(np.abs(wave).max(), np.float32(1e-9)))


def _parse(path: str) -> tuple[int, list[str], int]:
    match = _PATH.fullmatch(path)
    if match is None:
        raise ClapleakError(f"{path}: not a sound of the embedded world; write foley@0/dog/17 or foley@0/dog+rain/17")
    names = match[2].split("+")
    unknown = [name for name in names if name not in _rows()]
    if unknown or len(names) > 2:
        reason = f"no class '{unknown[0]}' in foley.csv" if unknown else "more than two classes"
        raise ClapleakError(f"{path}: {reason}; see foley.classes()")
    return int(match[1] or 0), names, int(match[3])


def _generator(*parts: object) -> np.random.Generator:
    # hash() would change from process to process
    return np.random.default_rng(zlib.crc32("/".join(map(str, parts)).encode()))


def _gain(level: float | np.ndarray) -> np.float32 | np.ndarray:
    """Decibels to amplitude."""
    return np.float32(10 ** (level / 20))


class _Axis:
    """Frequencies of a clip's transform, and what is drawn or filtered over them. Gains are amplitudes."""

    def __init__(self, sample_rate: int, n: int) -> None:
        self.sample_rate, self.n = sample_rate, n
        self.n_fft = fft.next_fast_len(n + sample_rate // 3, real=True)  # some room for the tails of echoes
        self.f = np.maximum(fft.rfftfreq(self.n_fft, 1 / sample_rate), 1.0).astype(np.float32)  # hertz
        self.octaves = np.clip(np.log2(self.f / 1000), -4, 3).astype(np.float32)  # from 1 kHz

    def band(self, low: float, high: float) -> np.ndarray:
        """Gain of a band-pass, about 24 dB an octave outside of low..high hertz."""
        below, above = (np.float32(low) / self.f) ** 2, (self.f / np.float32(high)) ** 2
        return 1 / ((1 + below * below) * (1 + above * above))

    def tilt(self, slope: float) -> np.ndarray:
        """Gain that changes by `slope` dB an octave between 60 Hz and 8 kHz, 0 dB at 1 kHz."""
        return np.exp(np.float32(slope * np.log(10) / 20) * self.octaves)

    def resonances(self, centres: list[float], q: float) -> np.ndarray:
        """Gain with a peak at each of `centres`, hertz."""
        gain = np.full(len(self.f), 0.06, np.float32)
        for centre in centres:
            off = (self.f - np.float32(centre)) * np.float32(q / centre)
            gain += 1 / (1 + 4 * off * off)
        return gain

    def noise(self, rng: np.random.Generator, gain: np.ndarray) -> np.ndarray:
        """Spectrum of noise with that gain and unit RMS."""
        parts = rng.random(2 * len(self.f), dtype=np.float32) - np.float32(0.5)  # Gaussian after the transform
        spectrum = parts.view(np.complex64) * gain
        spectrum[0] = 0
        return spectrum / self.rms(spectrum)

    def rms(self, spectrum: np.ndarray) -> np.float32:
        return np.float32(np.sqrt(2 * np.vdot(spectrum, spectrum).real) / self.n_fft + 1e-9)

    def echo(self, rng: np.random.Generator, seconds: float, level: float) -> np.ndarray:
        """Spectrum of a click and its tail of noise; the tail falls by 60 dB in `seconds`."""
        length = min(int(seconds * self.sample_rate) + 1, self.n_fft // 2)
        tail = rng.random(length, dtype=np.float32) - np.float32(0.5)
        tail *= np.exp(np.linspace(0, -6.9, length, dtype=np.float32))
        tail *= np.float32(level) / np.sqrt(np.dot(tail, tail) + np.float32(1e-9))
        tail[0] += 1
        return fft.rfft(tail, self.n_fft)


_axis = lru_cache(maxsize=4)(_Axis)


def _events(row: dict, rng: np.random.Generator, axis: _Axis, first: int, end: int) -> np.ndarray:
    """Spectrum of one class's events between two samples of the clip; about unit RMS while they sound."""
    rate, duration = axis.sample_rate, (end - first) / axis.sample_rate
    pitch = 2 ** (rng.normal(0, PITCH_SPREAD_ST) / 12)
    size = np.sqrt(pitch) * 2 ** (rng.normal(0, PITCH_SPREAD_ST / 4) / 12)  # of bands and resonances
    tempo, stretch = np.exp(rng.normal(0, TEMPO_SPREAD, 2))
    starts = first + (_onsets(row, rng, duration, tempo, stretch) * rate).astype(np.int32)
    event = np.repeat(np.arange(len(starts)), np.diff(starts, append=end))  # which one sounds at each sample
    u = (np.arange(starts[0], end, dtype=np.int32) - starts[event]).astype(np.float32) / np.float32(rate)  # its age, s
    length, decay = row["length_ms"] / 1000 * stretch, row["decay_ms"] / 1000 * stretch
    attack = max(row["attack_ms"] / 1000 * stretch, 5e-4)
    share = _balance(row["tone_share"], rng)
    sound = np.zeros(len(u), np.float32)
    if share > 0:
        steps = row["wander_st"] * rng.normal(0, 1, len(starts)) + row["alternate_st"] * (np.arange(len(starts)) % 2)
        tone = _tone(row, rng, rate, pitch, steps.astype(np.float32)[event], u, length or duration)
        sound += np.float32(share) * _envelope(u, attack, length, decay) * tone
    if share < 1:
        late, fall = u - np.float32(row["noise_delay_ms"] / 1000 * stretch), row["noise_decay_ms"] / 1000 * stretch
        band = axis.band(row["low_hz"] * size, row["high_hz"] * size)
        noise = fft.irfft(axis.noise(rng, band), axis.n_fft)[: len(u)]
        sound += np.float32(1 - share) * _envelope(late, attack, length, fall or decay) * noise
    sound *= _gain((2 + 4 * row["irregular_share"]) * rng.normal(0, 1, len(starts)))[event]
    if row["am_depth_share"]:
        phase = np.arange(len(u), dtype=np.float32) * np.float32(np.pi * row["am_hz"] * tempo / rate)
        beat = np.sin(phase + np.float32(3.14 * rng.random()))
        sound *= 1 - np.float32(row["am_depth_share"]) * beat * beat
    if row["course"]:
        sound *= _course(row["course"], np.linspace(0, 1, len(u), dtype=np.float32), rng)
    padded = np.zeros(axis.n_fft, np.float32)
    padded[starts[0] : end] = sound
    spectrum = fft.rfft(padded)
    square = sound * sound
    crest = np.sqrt(np.dot(square, square) * axis.n_fft) / (square.sum() + 1e-9)  # level of the loud parts to the mean
    if row["resonances_hz"]:
        centres = [float(hz) * size for hz in row["resonances_hz"].split()]
        spectrum *= axis.resonances(centres, row["resonance_q"] or 5.0)
    if row["echo_s"]:
        spectrum *= axis.echo(rng, row["echo_s"], 0.7)
    spectrum *= np.float32(1 / (axis.rms(spectrum) * max(crest, 1.0)))
    if row["bed_high_hz"]:
        bed = axis.noise(rng, axis.band(row["bed_low_hz"] * size, row["bed_high_hz"] * size))
        spectrum += _gain(row["bed_db"] + rng.normal(0, TIMBRE_SPREAD_DB / 2)) * bed
    return spectrum


def _balance(share: float, rng: np.random.Generator) -> float:
    """Share of the tone, moved by some decibels where there are both tone and noise."""
    if not 0 < share < 1:
        return share
    odds = share / (1 - share) * _gain(rng.normal(0, TIMBRE_SPREAD_DB))
    return odds / (1 + odds)


def _onsets(row: dict, rng: np.random.Generator, duration: float, tempo: float, stretch: float) -> np.ndarray:
    """Seconds at which events start, at least one."""
    if not row["rate_hz"]:  # one event: somewhere, or all the time when it has no length
        length = max(row["length_ms"], row["decay_ms"]) / 1000 * stretch
        return np.array([0.7 * rng.random() * max(duration - length, 0.1 * duration) if length else 0.0])
    interval = 1 / (row["rate_hz"] * tempo)
    count = int(2 * duration / interval) + 2
    gaps = interval * (1 - row["irregular_share"] + row["irregular_share"] * rng.exponential(1, count))
    begin = min(interval, 0.4 * duration)
    if row["burst_events"]:
        burst = max(1, round(row["burst_events"] * np.exp(rng.normal(0, TEMPO_SPREAD))))
        pause = (row["pause_s"] or duration) / tempo * np.exp(rng.normal(0, TEMPO_SPREAD, count))
        gaps += np.where(np.arange(1, count + 1) % burst == 0, pause, 0)
        begin = 0.4 * duration
    onsets = begin * rng.random() + np.concatenate([[0], np.cumsum(np.maximum(gaps, 0.004))])
    return onsets[(onsets < duration - 0.02) | (np.arange(len(onsets)) == 0)]


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
    """Tone of unit RMS; `steps` are semitones of each sample's event, `u` seconds since it began."""
    x = np.minimum(u * np.float32(1 / length), 1)
    semitones = steps + np.float32(row["glide_st"]) * x + np.float32(4 * row["arch_st"]) * x * (1 - x)
    if row["vibrato_st"]:
        phase = np.arange(len(u), dtype=np.float32) * np.float32(2 * np.pi * row["vibrato_hz"] / rate)
        semitones += np.float32(row["vibrato_st"]) * np.sin(phase + np.float32(6.28 * rng.random()))
    f = np.minimum(np.float32(row["pitch_hz"] * pitch) * np.exp2(semitones / 12), np.float32(0.45 * rate))
    cycles = np.cumsum(f, dtype=np.float64) / rate
    highest = 0.45 * rate / f.max()  # partial below the Nyquist frequency
    number = np.arange(1, int(row["partials"]) + 1)
    slope = row["tilt_db_oct"] + rng.normal(0, TIMBRE_SPREAD_DB / 4)
    level = _gain(slope * np.log2(number) + rng.normal(0, TIMBRE_SPREAD_DB, len(number)))
    ratio = number ** (row["inharmonic_power"] or 1.0)  # bells and bars: a power of the number, not a multiple
    number, ratio, level = (values[ratio <= max(highest, 1)] for values in (number, ratio, level))
    level /= np.sqrt((level**2).sum() / 2)
    if row["inharmonic_power"]:
        turns = (cycles * r for r in ratio)
        waves = (np.sin(np.float32(2 * np.pi) * (turn - np.floor(turn)).astype(np.float32)) for turn in turns)
        return sum(a * wave for a, wave in zip(level, waves, strict=True))
    harmonics = np.zeros(_PERIOD // 2 + 1, np.complex64)
    harmonics[number] = level * np.exp(2j * np.pi * rng.random(len(number))) * _PERIOD / 2
    return fft.irfft(harmonics, _PERIOD)[(cycles * _PERIOD).astype(np.int64) & (_PERIOD - 1)]


def _course(course: str, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Level over the clip, `x` from 0 to 1: the sound comes ("in"), goes ("out") or passes by ("pass")."""
    if course == "pass":
        return np.exp(np.float32(-12) * (x - np.float32(rng.uniform(0.3, 0.7))) ** 2)
    return np.exp(np.float32(-rng.uniform(1.5, 3)) * (x if course == "out" else 1 - x))


def _caption(path: str) -> str:
    """Caption of a clip; like its sound it follows from the path."""
    _, names, index = _parse(path)
    rng = _generator("caption", path)

    def one_of(choices) -> str:
        return choices[rng.integers(len(choices))]

    nouns = [one_of(_rows()[name]["noun_phrases"].split("|")) for name in names]
    if len(names) == 2:
        return one_of(IN_SEQUENCE if index % 2 else AT_ONCE).format(*nouns)
    if rng.random() < len(NOUN_TEMPLATES) / (len(NOUN_TEMPLATES) + len(CLAUSE_TEMPLATES)):
        return one_of(NOUN_TEMPLATES).format(nouns[0])
    return one_of(CLAUSE_TEMPLATES).format(one_of(_rows()[names[0]]["clauses"].split("|")))


def corpus(
    split: str, *, seed: int, clips_per_class: int, scenes: int, duration: float, limit_classes: int | None
) -> Corpus:
    """A part of the embedded world. Clip ids are the virtual paths that `synthesise` reads; `root` is None.

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
        Clips with events of two classes, drawn at random; "test" has none.
    duration : float
        Seconds, of every clip.
    limit_classes : int or None
        Keep that many classes, half of them targets.

    Raises
    ------
    ClapleakError
        Unknown split.
    """
    if split not in FIRST_INDEX:
        raise ClapleakError(f"unknown split '{split}' of the embedded world: use {', '.join(FIRST_INDEX)}")
    target = _table()["target"]
    names = _thin(list(target.index[target]), limit_classes)
    if split != "test":
        names += _thin(list(target.index[~target]), limit_classes)
    rng = _generator("scenes", seed, split)
    pairs = [rng.choice(len(names), 2, replace=False) for _ in range(0 if split == "test" else scenes)]
    labels = [[name] for name in names for _ in range(clips_per_class)] + [[names[i], names[j]] for i, j in pairs]
    index = [*range(clips_per_class)] * len(names) + [*range(len(pairs))]
    paths = [f"foley@{seed}/{'+'.join(name)}/{FIRST_INDEX[split] + i}" for name, i in zip(labels, index, strict=True)]
    if split == "pairs":
        text = [_caption(path) for path in paths]
    else:
        text = [name[0] if split == "test" else "" for name in labels]
    sizes = {"offset": 0.0, "duration": duration, "text": text, "labels": labels, "recording": paths, "split": split}
    return Corpus("foley", None, pd.DataFrame({"clip": paths, "path": paths, **sizes}))


def _thin(names: list[str], limit: int | None) -> list[str]:
    """Half of `limit` names, evenly spread over the list."""
    half = len(names) if limit is None else min(max(1, limit // 2), len(names))
    return [names[i * len(names) // half] for i in range(half)]
