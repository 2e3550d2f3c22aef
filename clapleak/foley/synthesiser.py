"""From a virtual path to sound.

Events start at onsets (rate, irregularity, bursts). An event is a tone (partials, glide, arch, vibrato) plus
band-passed noise, each with attack and decay. Amplitude modulation, resonances and an echo shape their sum; a steady
bed of noise lies below. Then come, at times, another sound at a low level and a room, and always a background and the
recording's colour. In the code `p` is a row of the class table, whose column names end in their units.
"""

from functools import lru_cache

import numpy as np
from scipy import fft

from clapleak.config import ClapleakError
from clapleak.foley.spectrum import Axis, gain
from clapleak.foley.table import generator, parameters, parse

# How hard the sounds are to tell apart: spreads within a class, and nuisances. Set once, against real sounds: the same
# small network trained on labels reaches the same silhouette and accuracy on held-out clips here and on ESC-50.
PITCH_SPREAD_ST = 4.5  # standard deviation in semitones; noise bands and resonances move with it, less far
TEMPO_SPREAD = 0.4  # standard deviation of the logarithm of rates and of lengths
TIMBRE_SPREAD_DB = 6.5  # standard deviation of every partial and of the balance of tone and noise
COLOUR_SPREAD_DB_OCT = 3.0  # standard deviation of the tilt of a recording's frequency response
BACKGROUND_DB = (-45.0, -6.0)  # range of the background's level beside the events
ECHO_SHARE = 0.5  # share of clips in a room with an echo
DISTRACTOR_SHARE = 0.2  # share of clips with another sound
DISTRACTOR_DB = (-20.0, -3.0)  # range of its level

_PERIOD = 2048  # samples of a wavetable
_axis = lru_cache(maxsize=4)(Axis)


def synthesise(path: str, *, sample_rate: int, duration: float) -> np.ndarray:
    """The sound of a virtual path, float32 within [-1, 1]; the same path always gives the same samples.

    Parameters
    ----------
    path : str, "foley@<seed>/<class>/<index>"; "@<seed>" may be left out (0). A scene has two classes joined by "+":
        both sound at once where the index is even, and one after the other where it is odd.
    sample_rate : int, hertz
    duration : float, seconds; ClapleakError where it holds no sample, or for a path of another form

    Examples
    --------
    >>> synthesise("foley@0/dog/17", sample_rate=16000, duration=2.5).shape
    (40000,)
    """
    seed, names, index = parse(path)
    if (n := round(sample_rate * duration)) < 1:
        raise ClapleakError(f"{path}: a duration of {duration} s holds no sample; give a positive one")
    rng, axis = generator(seed, *names, index), _axis(sample_rate, n)
    in_sequence = len(names) == 2 and index % 2
    cut = round(n * rng.uniform(0.4, 0.6)) if in_sequence else n  # where the first class ends
    spectrum = _events(names[0], rng, axis, 0, cut)
    if len(names) == 2:
        spectrum += gain(rng.normal(0, 4)) * _events(names[1], rng, axis, cut % n, n)
    if distractor := draw_distractor(seed, names, index):
        spectrum += gain(distractor[1]) * _events(distractor[0], rng, axis, 0, n)
    if rng.random() < ECHO_SHARE:
        spectrum *= axis.echo(rng, rng.uniform(0.1, 0.8), rng.uniform(0.1, 0.5))
    hiss = axis.band(20.0, 10 ** rng.uniform(2, 4.5))  # a rumble in one recording, hiss in the next
    spectrum += gain(rng.uniform(*BACKGROUND_DB)) * axis.noise(rng, hiss)
    spectrum *= axis.tilt(rng.normal(0, COLOUR_SPREAD_DB_OCT))
    wave = fft.irfft(spectrum, axis.n_fft)[:n]
    return wave * (gain(rng.uniform(-18, -0.5)) / max(np.abs(wave).max(), np.float32(1e-9)))


def draw_distractor(seed: int, names: list[str], index: int) -> tuple[str, float] | None:
    """Class and level (dB) of another sound in a clip; in most clips there is none.

    It has a generator of its own, so that what sounds in a clip is known without synthesising it.
    """
    rng = generator("distractor", seed, *names, index)
    if rng.random() >= DISTRACTOR_SHARE:
        return None
    return list(parameters())[rng.integers(len(parameters()))], rng.uniform(*DISTRACTOR_DB)


def _events(name: str, rng: np.random.Generator, axis: Axis, first: int, end: int) -> np.ndarray:
    """Spectrum of one class's events between two samples of the clip; about unit RMS while they sound."""
    p, rate, duration = parameters()[name], axis.sample_rate, (end - first) / axis.sample_rate
    # How this clip differs from its class: pitch, size of what sounds (bands and resonances), tempo, length of events
    pitch = 2 ** (rng.normal(0, PITCH_SPREAD_ST) / 12)
    size = np.sqrt(pitch) * 2 ** (rng.normal(0, PITCH_SPREAD_ST / 4) / 12)
    tempo, stretch = np.exp(rng.normal(0, TEMPO_SPREAD, 2))
    starts = first + (_onsets(p, rng, duration, tempo, stretch) * rate).astype(np.int32)
    event = np.repeat(np.arange(len(starts)), np.diff(starts, append=end))  # which one sounds at each sample
    age = (np.arange(starts[0], end, dtype=np.int32) - starts[event]).astype(np.float32) / np.float32(rate)  # seconds
    length, decay = p["length_ms"] / 1000 * stretch, p["decay_ms"] / 1000 * stretch
    attack = max(p["attack_ms"] / 1000 * stretch, 5e-4)
    share = p["tone_share"]
    if 0 < share < 1:
        odds = share / (1 - share) * gain(rng.normal(0, TIMBRE_SPREAD_DB))  # of tone to noise
        share = odds / (1 + odds)
    sound = np.zeros(len(age), np.float32)  # the samples from the first event on
    if share > 0:
        steps = p["wander_st"] * rng.normal(0, 1, len(starts)) + p["alternate_st"] * (np.arange(len(starts)) % 2)
        tone = _tone(p, rng, rate, pitch, steps.astype(np.float32)[event], age, length or duration)
        sound += np.float32(share) * _envelope(age, attack, length, decay) * tone
    if share < 1:
        late, fall = age - np.float32(p["noise_delay_ms"] / 1000 * stretch), p["noise_decay_ms"] / 1000 * stretch
        band = axis.band(p["low_hz"] * size, p["high_hz"] * size)
        noise = fft.irfft(axis.noise(rng, band), axis.n_fft)[: len(age)]
        sound += np.float32(1 - share) * _envelope(late, attack, length, fall or decay) * noise
    loudness = gain((2 + 4 * p["irregular_share"]) * rng.normal(0, 1, len(starts)))  # of each event
    sound *= loudness[event]
    if p["am_depth_share"]:
        phase = np.arange(len(age), dtype=np.float32) * np.float32(np.pi * p["am_hz"] * tempo / rate)
        beat = np.sin(phase + np.float32(3.14 * rng.random()))
        sound *= 1 - np.float32(p["am_depth_share"]) * beat * beat
    if p["course"]:
        sound *= _course(p["course"], np.linspace(0, 1, len(age), dtype=np.float32), rng)
    spectrum = fft.rfft(np.pad(sound, (starts[0], axis.n_fft - end)))
    square = sound * sound
    crest = np.sqrt(np.dot(square, square) * axis.n_fft) / (square.sum() + 1e-9)  # loud parts beside the whole clip
    if p["resonances_hz"]:
        centres = [float(hz) * size for hz in p["resonances_hz"].split()]
        spectrum *= axis.resonances(centres, p["resonance_q"] or 5.0)
    if p["echo_s"]:
        spectrum *= axis.echo(rng, p["echo_s"], 0.7)
    spectrum *= np.float32(1 / (axis.rms(spectrum) * max(crest, 1.0)))
    if p["bed_high_hz"]:
        bed = axis.noise(rng, axis.band(p["bed_low_hz"] * size, p["bed_high_hz"] * size))
        spectrum += gain(p["bed_db"] + rng.normal(0, TIMBRE_SPREAD_DB / 2)) * bed
    return spectrum


def _onsets(p: dict, rng: np.random.Generator, duration: float, tempo: float, stretch: float) -> np.ndarray:
    """Seconds at which events start, at least one."""
    if not p["rate_hz"]:  # one event: somewhere, or all the time when it has no length
        length = max(p["length_ms"], p["decay_ms"]) / 1000 * stretch
        return np.array([0.7 * rng.random() * max(duration - length, 0.1 * duration) if length else 0.0])
    interval = 1 / (p["rate_hz"] * tempo)
    count = int(2 * duration / interval) + 2
    gaps = interval * (1 - p["irregular_share"] + p["irregular_share"] * rng.exponential(1, count))
    begin = min(interval, 0.4 * duration)
    if p["burst_events"]:  # so many events, then a pause
        burst = max(1, round(p["burst_events"] * np.exp(rng.normal(0, TEMPO_SPREAD))))
        pause = (p["pause_s"] or duration) / tempo * np.exp(rng.normal(0, TEMPO_SPREAD, count))
        gaps += np.where(np.arange(1, count + 1) % burst == 0, pause, 0)
        begin = 0.4 * duration
    onsets = begin * rng.random() + np.concatenate([[0], np.cumsum(np.maximum(gaps, 0.004))])
    return onsets[(onsets < duration - 0.02) | (np.arange(len(onsets)) == 0)]


def _envelope(age: np.ndarray, attack: float, length: float, decay: float) -> np.ndarray:
    """Level of an event `age` seconds after its start; without length and decay it lasts until the next one."""
    level = np.clip(age * np.float32(1 / attack), 0, 1)
    if decay:
        level *= np.exp(np.minimum(np.float32(attack) - age, 0) * np.float32(1 / decay))
    if length:
        level *= np.clip((np.float32(length) - age) * np.float32(1 / (0.3 * length)), 0, 1)
    return level


def _tone(
    p: dict, rng: np.random.Generator, rate: int, pitch: float, steps: np.ndarray, age: np.ndarray, length: float
) -> np.ndarray:
    """Tone of unit RMS; `steps` are semitones of each sample's event, `age` the seconds since it began."""
    x = np.minimum(age * np.float32(1 / length), 1)  # 0 at the start of an event, 1 at its end
    semitones = steps + np.float32(p["glide_st"]) * x + np.float32(4 * p["arch_st"]) * x * (1 - x)
    if p["vibrato_st"]:
        phase = np.arange(len(age), dtype=np.float32) * np.float32(2 * np.pi * p["vibrato_hz"] / rate)
        semitones += np.float32(p["vibrato_st"]) * np.sin(phase + np.float32(6.28 * rng.random()))
    f = np.minimum(np.float32(p["pitch_hz"] * pitch) * np.exp2(semitones / 12), np.float32(0.45 * rate))
    cycles = np.cumsum(f, dtype=np.float64) / rate
    highest = 0.45 * rate / f.max()  # partial below the Nyquist frequency
    number = np.arange(1, int(p["partials"]) + 1)
    slope = p["tilt_db_oct"] + rng.normal(0, TIMBRE_SPREAD_DB / 4)
    level = gain(slope * np.log2(number) + rng.normal(0, TIMBRE_SPREAD_DB, len(number)))
    ratio = number ** (p["inharmonic_power"] or 1.0)  # bells and bars: a power of the number, not a multiple
    number, ratio, level = (values[ratio <= max(highest, 1)] for values in (number, ratio, level))
    level /= np.sqrt((level**2).sum() / 2)
    if p["inharmonic_power"]:  # a sine for each partial
        turns = (np.mod(cycles * r, 1).astype(np.float32) for r in ratio)  # 0 to 1 over each period
        return sum(a * np.sin(np.float32(2 * np.pi) * turn) for a, turn in zip(level, turns, strict=True))
    harmonics = np.zeros(_PERIOD // 2 + 1, np.complex64)  # one period of all partials, read at the pitch of each sample
    harmonics[number] = level * np.exp(2j * np.pi * rng.random(len(number))) * _PERIOD / 2
    return fft.irfft(harmonics, _PERIOD)[(cycles * _PERIOD).astype(np.int64) & (_PERIOD - 1)]


def _course(course: str, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Level over the clip, `x` from 0 to 1: the sound comes ("in"), goes ("out") or passes by ("pass")."""
    if course == "pass":
        return np.exp(np.float32(-12) * (x - np.float32(rng.uniform(0.3, 0.7))) ** 2)
    return np.exp(np.float32(-rng.uniform(1.5, 3)) * (x if course == "out" else 1 - x))
