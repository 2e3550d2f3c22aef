"""Decoding, the front end against torchlibrosa, and the clip store."""

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from clapleak import audio
from clapleak.config import Audio, ClapleakError
from clapleak.datasets.corpus import Corpus

PANNS = Audio(
    sample_rate=32000, segment=1.0, window=1024, hop=320, mel_bins=64, f_min=50.0, f_max=14000.0,
    keep_checkpoint_frontend=False,
)  # fmt: skip
SMALL = Audio(
    sample_rate=8000, segment=0.5, window=256, hop=80, mel_bins=16, f_min=50.0, f_max=4000.0,
    keep_checkpoint_frontend=False,
)  # fmt: skip


def table(paths: list[str], duration: float) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "clip": paths, "path": paths, "offset": 0.0, "duration": duration, "text": "", "labels": [[]] * len(paths),
            "recording": paths, "split": "",
        }
    )  # fmt: skip


def test_log_mel_is_the_published_front_end():
    torchlibrosa = pytest.importorskip("torchlibrosa")
    wave = torch.randn(2, 32000, generator=torch.Generator().manual_seed(0)) * 0.1
    spectrogram = torchlibrosa.Spectrogram(n_fft=1024, hop_length=320, win_length=1024, freeze_parameters=True)
    mel = torchlibrosa.LogmelFilterBank(
        sr=32000, n_fft=1024, n_mels=64, fmin=50, fmax=14000, ref=1.0, amin=1e-10, top_db=None, freeze_parameters=True
    )
    expected = mel(spectrogram(wave))[:, 0]
    found = audio.log_mel(wave, PANNS)
    assert found.shape == (2, 101, 64)
    assert (found - expected).abs().max() < 1e-4  # dB


def test_silence_is_the_floor():
    assert torch.all(audio.log_mel(audio.standardise(torch.zeros(1, 4000)), SMALL) == -100)


def test_standardise_gives_zero_mean_and_unit_variance():
    wave = audio.standardise(torch.randn(3, 1000) * 5 + 2)
    assert torch.allclose(wave.mean(1), torch.zeros(3), atol=1e-6)
    assert torch.allclose(wave.var(1, correction=0), torch.ones(3), atol=1e-4)


def test_fit_cuts_and_pads():
    assert audio.fit(torch.arange(5.0), 3, start=1).tolist() == [1, 2, 3]
    assert audio.fit(torch.arange(2.0), 4).tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (44100, 2), (11025, 1), (48000, 3)])
def test_any_rate_and_channels_become_mono_at_the_asked_rate(tmp_path, rate, channels):
    time = np.arange(rate) / rate
    tone = np.sin(2 * np.pi * 440 * time)
    soundfile.write(tmp_path / "tone.wav", np.stack([tone] * channels, axis=1) * 0.5, rate)
    wave = audio.read(tmp_path / "tone.wav", 8000)
    assert wave.shape == (8000,) and wave.dtype == np.float32
    assert np.abs(np.fft.rfft(wave)).argmax() == 440
    assert np.abs(wave[1000:-1000]).max() == pytest.approx(0.5, abs=0.01)


def test_offset_and_duration_choose_a_part(tmp_path):
    soundfile.write(tmp_path / "ramp.wav", np.linspace(-0.5, 0.5, 8000), 8000, subtype="FLOAT")
    part = audio.read(tmp_path / "ramp.wav", 8000, offset=0.25, duration=0.5)
    assert len(part) == 4000
    assert part[0] == pytest.approx(-0.25, abs=1e-3)


def broken(folder) -> dict[str, str]:
    """One file a kind of damage, and the reason that must be reported."""
    soundfile.write(folder / "good.wav", np.random.default_rng(0).normal(0, 0.1, 4000), 8000)
    soundfile.write(folder / "empty.wav", np.zeros(0), 8000)
    soundfile.write(folder / "short.wav", np.zeros(10), 8000)
    soundfile.write(folder / "nan.wav", np.array([0.0, np.nan] * 1000), 8000, subtype="FLOAT")
    (folder / "text.wav").write_text("this is no sound")
    return {
        "empty.wav": "empty", "short.wav": "shorter than 0.1 s", "nan.wav": "non-finite samples",
        "text.wav": "unreadable", "gone.wav": "missing",
    }  # fmt: skip


def test_every_unusable_clip_is_listed_with_its_reason(tmp_path):
    reasons = broken(tmp_path)
    corpus = Corpus("test", tmp_path, table(["good.wav", *reasons], 0.5))
    store = audio.open_store([corpus], SMALL, tmp_path / "store")
    assert dict(zip(store.problems["path"], store.problems["reason"], strict=True)) == reasons
    assert list(store.rows) == ["good.wav"]
    assert store.deterministic
    assert store.batch(np.array([0])).shape == (1, 1, 51, 16)


def test_store_is_rebuilt_when_a_file_changes_and_only_then(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 4000), 8000)
    corpus = Corpus("test", tmp_path, table(["a.wav"], 0.5))
    first = audio.open_store([corpus], SMALL, tmp_path / "store")
    made = (tmp_path / "store" / "store.json").stat().st_mtime_ns
    audio.open_store([corpus], SMALL, tmp_path / "store")
    assert (tmp_path / "store" / "store.json").stat().st_mtime_ns == made
    before = first.batch(np.array([0]))
    soundfile.write(path, np.random.default_rng(1).normal(0, 0.1, 4001), 8000)
    again = audio.open_store([corpus], SMALL, tmp_path / "store")
    assert not torch.equal(again.batch(np.array([0])), before)
    assert again.identity != first.identity


def test_a_truncated_store_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.1, 4000), 8000)
    corpus = Corpus("test", tmp_path, table(["a.wav"], 0.5))
    audio.open_store([corpus], SMALL, tmp_path / "store")
    data = (tmp_path / "store" / "log_mel.f16").read_bytes()
    (tmp_path / "store" / "log_mel.f16").write_bytes(data[:-64])
    with pytest.raises(ClapleakError, match="truncated"):
        audio.open_store([corpus], SMALL, tmp_path / "store")


def test_long_recordings_give_random_segments(tmp_path):
    rng = np.random.default_rng(0)
    for name, seconds in (("a.wav", 2), ("b.wav", 0.3)):
        soundfile.write(tmp_path / name, rng.normal(0, 0.1, int(8000 * seconds)), 8000)
    corpus = Corpus("test", tmp_path, table(["a.wav", "b.wav"], float("nan")))
    store = audio.open_store([corpus], SMALL, tmp_path / "store")
    rows = np.array([0, 1])
    assert not store.deterministic
    assert torch.equal(store.batch(rows), store.batch(rows))  # without a generator: the first segment
    draws = [store.batch(rows, torch.Generator().manual_seed(seed)) for seed in (1, 2, 1)]
    assert torch.equal(draws[0], draws[2])
    assert not torch.equal(draws[0][0], draws[1][0])
    assert torch.equal(draws[0][1], draws[1][1])  # too short to have a choice


def test_a_store_too_large_for_the_disk_is_refused(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.wav", np.zeros(4000) + 0.1, 8000)
    corpus = Corpus("test", tmp_path, table(["a.wav"], 0.5))
    monkeypatch.setattr(audio.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 10})())
    with pytest.raises(ClapleakError, match="the disk has 0.0 GB left"):
        audio.open_store([corpus], SMALL, tmp_path / "store")
    assert not (tmp_path / "store").exists()
