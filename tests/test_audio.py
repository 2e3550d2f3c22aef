"""Decoding, the front end against torchlibrosa, and the clip store."""

import multiprocessing
import os
import pickle
import random
import signal
import subprocess
import sys
import time

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


def noise(folder, seconds: dict[str, float]) -> None:
    for i, (name, length) in enumerate(seconds.items()):
        soundfile.write(folder / name, np.random.default_rng(i).normal(0, 0.1, round(8000 * length)), 8000)


@pytest.fixture
def decoded(monkeypatch):
    """Names of the files that are decoded from now on."""
    names, read = [], audio.read
    monkeypatch.setattr(audio, "read", lambda path, *rest: names.append(path.name) or read(path, *rest))
    return names


@pytest.mark.parametrize("duration", [0.5, float("nan")])
def test_a_file_that_changes_is_decoded_again_and_no_other(tmp_path, decoded, duration):
    names = ["a.wav", "b.wav", "c.wav"]
    noise(tmp_path, dict.fromkeys(names, 0.5))
    corpus = Corpus("test", tmp_path, table(names, duration))
    first = audio.open_store([corpus], SMALL, tmp_path / "store")
    assert audio.open_store([corpus], SMALL, tmp_path / "store").identity == first.identity
    assert decoded == names
    before = first.batch(np.arange(3))
    soundfile.write(tmp_path / "b.wav", np.random.default_rng(9).normal(0, 0.1, 4001), 8000)
    again = audio.open_store([corpus], SMALL, tmp_path / "store")
    assert decoded == [*names, "b.wav"]
    assert again.identity != first.identity
    changed = [not torch.equal(x, y) for x, y in zip(again.batch(np.arange(3)), before, strict=True)]
    assert changed == [False, True, False]
    assert list(again.rows.items()) == [("a.wav", 0), ("b.wav", 1), ("c.wav", 2)]


def test_a_file_that_turns_up_later_is_no_longer_a_problem(tmp_path):
    noise(tmp_path, {"a.wav": 0.5})
    corpus = Corpus("test", tmp_path, table(["late.wav", "a.wav"], 0.5))
    first = audio.open_store([corpus], SMALL, tmp_path / "store")
    assert list(first.problems["reason"]) == ["missing"] and first.rows == {"a.wav": 0}
    noise(tmp_path, {"late.wav": 0.5})
    again = audio.open_store([corpus], SMALL, tmp_path / "store")
    assert not len(again.problems) and again.rows == {"late.wav": 0, "a.wav": 1}
    assert torch.equal(again.batch(np.array([1])), first.batch(np.array([0])))


def test_another_front_end_starts_the_store_afresh(tmp_path, decoded):
    noise(tmp_path, {"a.wav": 0.5})
    corpus = Corpus("test", tmp_path, table(["a.wav"], 0.5))
    audio.open_store([corpus], SMALL, tmp_path / "store")
    store = audio.open_store([corpus], SMALL.model_copy(update={"mel_bins": 8}), tmp_path / "store")
    assert decoded == ["a.wav"] * 2
    assert store.batch(np.array([0])).shape == (1, 1, 51, 8)


def test_nothing_usable_is_reported_and_does_not_fail(tmp_path):
    corpus = Corpus("test", tmp_path, table(["gone.wav"], 0.5))
    store = audio.open_store([corpus], SMALL, tmp_path / "store")
    assert not store.rows and list(store.problems["reason"]) == ["missing"]


@pytest.mark.parametrize(("duration", "name"), [(0.5, "log_mel.f16"), (float("nan"), "wave.i16")])
def test_a_truncated_store_is_refused(tmp_path, duration, name):
    noise(tmp_path, {"a.wav": 0.5})
    corpus = Corpus("test", tmp_path, table(["a.wav"], duration))
    audio.open_store([corpus], SMALL, tmp_path / "store")
    os.truncate(tmp_path / "store" / name, (tmp_path / "store" / name).stat().st_size - 2)
    with pytest.raises(ClapleakError, match=f"{name}: the clip store is truncated; delete .*store and run again"):
        audio.open_store([corpus], SMALL, tmp_path / "store")


def test_a_damaged_index_is_refused(tmp_path):
    noise(tmp_path, {"a.wav": 0.5})
    corpus = Corpus("test", tmp_path, table(["a.wav"], 0.5))
    audio.open_store([corpus], SMALL, tmp_path / "store")
    (tmp_path / "store" / "index.tsv").write_bytes(bytes(40) + b"\n")
    with pytest.raises(ClapleakError, match="index.tsv: the index is damaged; delete .*store and run again"):
        audio.open_store([corpus], SMALL, tmp_path / "store")


def test_a_torn_tail_is_cut_off(tmp_path, decoded):
    noise(tmp_path, {"a.wav": 0.5, "b.wav": 0.7})
    one, two = (Corpus("test", tmp_path, table(names, float("nan"))) for names in (["a.wav"], ["a.wav", "b.wav"]))
    whole = audio.open_store([two], SMALL, tmp_path / "whole").batch(np.arange(2))
    audio.open_store([one], SMALL, tmp_path / "store")
    decoded.clear()
    for name, torn in (("wave.i16", bytes(1001)), ("index.tsv", b"123\t40")):  # as a kill between two writes leaves
        with (tmp_path / "store" / name).open("ab") as file:
            file.write(torn)
    store = audio.open_store([two], SMALL, tmp_path / "store")
    assert decoded == ["b.wav"]
    assert torch.equal(store.batch(np.arange(2)), whole)
    assert (tmp_path / "store" / "wave.i16").stat().st_size == 2 * (4000 + 5600)


BUILD = """
import sys, time, pandas
from pathlib import Path
from clapleak import audio
from clapleak.config import Audio
from clapleak.datasets.corpus import Corpus
settings, table, folder = sys.argv[1:]
read = audio.read
audio.read = lambda *arguments: time.sleep(0.01) or read(*arguments)  # long enough to be hit
audio._ROUND = 20_000  # bytes: one or two clips
table = pandas.read_json(table, dtype={"clip": str}, convert_dates=False).assign(duration=float("nan"))
corpus = Corpus("test", Path(folder), table)
audio.open_store([corpus], Audio.model_validate_json(settings), Path(folder) / "store")
"""


def test_a_killed_build_goes_on_where_it_was(tmp_path, decoded):
    names = [f"{i}.wav" for i in range(200)]
    noise(tmp_path, {name: 0.2 + i / 200 for i, name in enumerate(names)})
    corpus = Corpus("test", tmp_path, table(names, float("nan")))
    whole = audio.open_store([corpus], SMALL, tmp_path / "whole")
    corpus.table.to_json(tmp_path / "table.json")
    index, lines = tmp_path / "store" / "index.tsv", 0
    for _ in range(2):
        build = subprocess.Popen(
            [sys.executable, "-c", BUILD, SMALL.model_dump_json(), str(tmp_path / "table.json"), str(tmp_path)],
            stderr=subprocess.DEVNULL,
        )
        while build.poll() is None and (index.read_bytes().count(b"\n") if index.exists() else 0) <= lines:
            time.sleep(0.01)
        time.sleep(random.uniform(0, 0.3))
        build.send_signal(signal.SIGKILL)
        assert build.wait() == -signal.SIGKILL
        assert lines < index.read_bytes().count(b"\n") < 200
        lines = index.read_bytes().count(b"\n")
    decoded.clear()
    store = audio.open_store([corpus], SMALL, tmp_path / "store")
    assert len(decoded) == 200 - lines
    assert store.identity == whole.identity and store.rows == whole.rows
    assert torch.equal(store.batch(np.arange(200)), whole.batch(np.arange(200)))
    assert (tmp_path / "store" / "wave.i16").read_bytes() == (tmp_path / "whole" / "wave.i16").read_bytes()


def open_and_read(corpus: Corpus, folder) -> torch.Tensor:
    store = audio.open_store([corpus], SMALL, folder)
    return store.batch(np.arange(40), torch.Generator().manual_seed(0))


def read_again(store: audio.ClipStore) -> torch.Tensor:
    return store.batch(np.arange(40), torch.Generator().manual_seed(0))


def test_processes_build_and_read_side_by_side(tmp_path):
    names = [f"{i}.wav" for i in range(40)]
    noise(tmp_path, {name: 0.4 + i / 20 for i, name in enumerate(names)})
    corpus = Corpus("test", tmp_path, table(names, float("nan")))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        built = pool.starmap(open_and_read, [(corpus, tmp_path / "store")] * 2, chunksize=1)
        store = audio.open_store([corpus], SMALL, tmp_path / "store")
        expected = read_again(store)
        sent = pool.map(read_again, [store] * 2, chunksize=1)
    assert all(torch.equal(found, expected) for found in (*built, *sent))
    assert (tmp_path / "store" / "index.tsv").read_text().count("\n") == 40  # no clip was decoded twice
    assert len(pickle.dumps(store)) < 20_000  # the recordings stay in the file


READ = r"""
import re, sys, threading, time, numpy, torch
from pathlib import Path
from clapleak.audio import ClipStore
from clapleak.config import Audio
import pandas
settings, path, count, samples = sys.argv[1:]
count, samples, peak = int(count), int(samples), 0
first, names = numpy.arange(count) * samples, {str(i): i for i in range(count)}
audio = Audio.model_validate_json(settings)
store = ClipStore(audio, "", Path(path), False, first, numpy.full(count, samples), names, pandas.DataFrame())
rng, generator = numpy.random.default_rng(0), torch.Generator().manual_seed(0)

def watch():
    global peak
    while True:
        peak = max(peak, int(re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]))
        time.sleep(0.002)

threading.Thread(target=watch, daemon=True).start()
for _ in range(6):
    assert not store.segments(rng.integers(0, count, 128), generator).any()
assert store.batch(rng.integers(0, count, 128), generator).shape[:2] == (128, 1)
print(peak / 1024)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux to count anonymous memory")
def test_memory_does_not_grow_with_the_store(tmp_path):
    """6 GB of stored recordings (a sparse file of silence), the paper's batches: below 1 GB."""
    paper = PANNS.model_copy(update={"sample_rate": 44100, "segment": 5.0})
    count, samples = 2400, 30 * 44100
    with (tmp_path / "wave.i16").open("wb") as file:
        file.truncate(2 * count * samples)
    done = subprocess.run(
        [sys.executable, "-c", READ, paper.model_dump_json(), str(tmp_path / "wave.i16"), str(count), str(samples)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert float(done.stdout) < 1000  # MiB


def test_parts_of_one_file_are_clips_of_their_own(tmp_path):
    ramp = np.linspace(-0.5, 0.5, 16000)
    soundfile.write(tmp_path / "ramp.wav", ramp, 8000, subtype="FLOAT")
    parts = table(["ramp.wav"] * 3, 0.5).assign(clip=["a", "b", "c"], offset=[0.0, 0.57, 1.9], duration=[0.7, 0.5, 0.5])
    store = audio.open_store([Corpus("test", tmp_path, parts)], SMALL, tmp_path / "store")
    found = store.segments(np.arange(3)).numpy()
    assert np.abs(found[0] - ramp[:4000]).max() < 1e-4
    assert np.abs(found[1] - ramp[4560:8560]).max() < 1e-4
    assert np.abs(found[2][:800] - ramp[15200:]).max() < 1e-4  # the file ends there
    assert not found[2][800:].any()


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


@pytest.mark.parametrize(("spare", "fits"), [(0, True), (-1, False)])
def test_the_disk_need_of_clips_of_unknown_length_is_told_beforehand(tmp_path, monkeypatch, capsys, spare, fits):
    noise(tmp_path, {"a.wav": 100.0, "b.wav": 150.0})
    corpus = Corpus("test", tmp_path, table(["a.wav", "b.wav", "gone.wav"], float("nan")))
    free = 2 * 250 * 8000 + spare
    monkeypatch.setattr(audio.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": free})())
    if fits:
        assert len(audio.open_store([corpus], SMALL, tmp_path / "store").rows) == 2
    else:
        with pytest.raises(ClapleakError, match="the store needs 0.0 GB"):
            audio.open_store([corpus], SMALL, tmp_path / "store")
    assert capsys.readouterr().err.startswith(f"clip store: 3 of 3 clips to decode, 4 MB in {tmp_path / 'store'}")


def test_a_store_too_large_for_the_disk_is_refused(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.wav", np.zeros(4000) + 0.1, 8000)
    corpus = Corpus("test", tmp_path, table(["a.wav"], 0.5))
    monkeypatch.setattr(audio.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 10})())
    with pytest.raises(ClapleakError, match="the disk has 0.0 GB left"):
        audio.open_store([corpus], SMALL, tmp_path / "store")
    assert not (tmp_path / "store").exists()
