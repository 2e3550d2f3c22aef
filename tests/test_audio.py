"""Decoding, and the front end against torchlibrosa; the clips on disk have tests of their own."""

import numpy as np
import pytest
import soundfile
import torch
from helpers import SMALL

from clapleak import audio

PANNS = {"sample_rate": 32000, "segment": 1.0, "window": 1024, "hop": 320, "mel_bins": 64, "f_max": 14000.0}


@pytest.mark.slow  # torchlibrosa takes long to import
def test_log_mel_is_the_published_front_end():
    torchlibrosa = pytest.importorskip("torchlibrosa")
    wave = torch.randn(2, 32000, generator=torch.Generator().manual_seed(0)) * 0.1
    spectrogram = torchlibrosa.Spectrogram(n_fft=1024, hop_length=320, win_length=1024, freeze_parameters=True)
    mel = torchlibrosa.LogmelFilterBank(
        sr=32000, n_fft=1024, n_mels=64, fmin=50, fmax=14000, ref=1.0, amin=1e-10, top_db=None, freeze_parameters=True
    )
    found = audio.log_mel(wave, SMALL.model_copy(update=PANNS))
    assert found.shape == (2, 101, 64)
    assert (found - mel(spectrogram(wave))[:, 0]).abs().max() < 1e-4  # dB


def test_silence_is_the_floor_loudness_does_not_count_and_pieces_fit():
    assert torch.all(audio.log_mel(audio.standardise(torch.zeros(1, 4000)), SMALL) == -100)
    wave = torch.randn(3, 1000) * 5 + 2
    unit = audio.standardise(wave)
    assert torch.allclose(unit.mean(1), torch.zeros(3), atol=1e-6)
    assert torch.allclose(unit.var(1, correction=0), torch.ones(3), atol=1e-4)
    assert torch.allclose(audio.standardise(wave * 0.01), unit, atol=1e-5)
    assert audio.fit(torch.arange(5.0), 3).tolist() == [0, 1, 2]
    assert audio.fit(torch.arange(2.0), 4).tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (44100, 2), (11025, 1), (48000, 3)])
def test_any_rate_and_channels_become_mono_at_the_asked_rate(tmp_path, rate, channels):
    tone = np.sin(2 * np.pi * 440 * np.arange(rate) / rate) * 0.5
    soundfile.write(tmp_path / "tone.wav", np.stack([tone] * channels, axis=1), rate)
    wave = audio.read(tmp_path / "tone.wav", 8000)
    assert wave.shape == (8000,) and wave.dtype == np.float32 and np.abs(np.fft.rfft(wave)).argmax() == 440
    assert np.abs(wave[1000:-1000]).max() == pytest.approx(0.5, abs=0.01)
    part = audio.read(tmp_path / "tone.wav", 8000, offset=0.25, duration=0.5)
    assert part == pytest.approx(wave[2000:6000], abs=0.06)  # but for the filter's edges
