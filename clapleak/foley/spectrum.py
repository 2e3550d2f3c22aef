"""Filters and noise over the frequencies of a clip. A gain is an amplitude for each frequency."""

import numpy as np
from scipy import fft


def gain(level: float | np.ndarray) -> np.float32 | np.ndarray:
    """Decibels to amplitude."""
    return np.float32(10 ** (level / 20))


class Axis:
    """Frequencies of a clip's Fourier transform, and what is drawn or filtered over them."""

    def __init__(self, sample_rate: int, samples: int) -> None:
        self.sample_rate = sample_rate
        self.n_fft = fft.next_fast_len(samples + sample_rate // 3, real=True)  # some room for the tails of echoes
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
        """Gain with a peak at each of `centres`, hertz; the larger q, the narrower."""
        peaks = np.full(len(self.f), 0.06, np.float32)
        for centre in centres:
            off = (self.f - np.float32(centre)) * np.float32(q / centre)
            peaks += 1 / (1 + 4 * off * off)
        return peaks

    def noise(self, rng: np.random.Generator, shape: np.ndarray) -> np.ndarray:
        """Spectrum of noise with the gain `shape` and unit RMS."""
        parts = rng.random(2 * len(self.f), dtype=np.float32) - np.float32(0.5)  # Gaussian after the transform
        spectrum = parts.view(np.complex64) * shape
        spectrum[0] = 0
        return spectrum / self.rms(spectrum)

    def rms(self, spectrum: np.ndarray) -> np.float32:
        """Root mean square of the signal with that spectrum, over n_fft samples."""
        return np.float32(np.sqrt(2 * np.vdot(spectrum, spectrum).real) / self.n_fft + 1e-9)

    def echo(self, rng: np.random.Generator, seconds: float, level: float) -> np.ndarray:
        """Spectrum of a click and its tail of noise; the tail falls by 60 dB in `seconds`."""
        length = min(int(seconds * self.sample_rate) + 1, self.n_fft // 2)
        tail = rng.random(length, dtype=np.float32) - np.float32(0.5)
        tail *= np.exp(np.linspace(0, -6.9, length, dtype=np.float32))
        tail *= np.float32(level) / np.sqrt(np.dot(tail, tail) + np.float32(1e-9))
        tail[0] += 1
        return fft.rfft(tail, self.n_fft)
