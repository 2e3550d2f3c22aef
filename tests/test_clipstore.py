"""Clips decoded once: what is decoded again, what is not, and several processes on one store."""

import multiprocessing
import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from helpers import SMALL, corpus, noise, python

from clapleak import audio
from clapleak.arrays import ArrayStore
from clapleak.clipstore import open_store
from clapleak.config import ClapleakError
from clapleak.corpora import Corpus

LONG, SHORT = float("nan"), 0.5  # of unknown length: kept as samples; no longer than a segment: as log-mel


@pytest.fixture
def decoded(monkeypatch):
    """Names of the files that are decoded from now on."""
    names, read = [], audio.read
    monkeypatch.setattr(audio, "read", lambda path, *rest: names.append(path.name) or read(path, *rest))
    return names


@pytest.mark.parametrize("duration", [SHORT, LONG])
def test_a_file_that_changes_or_turns_up_is_decoded_again_and_no_other(tmp_path, decoded, duration):
    names = ["a.wav", "b.wav", "c.wav"]
    noise(tmp_path, dict.fromkeys(names, 0.5))
    clips = corpus([*names, "late.wav"], tmp_path, duration=duration)
    first = open_store([clips], SMALL, tmp_path / "store")
    assert open_store([clips], SMALL, tmp_path / "store").id == first.id and decoded == [*names, "late.wav"]
    assert first.problems[["path", "reason"]].to_numpy().tolist() == [["late.wav", "missing"]]  # others: SOUNDS
    before = first.batch(np.arange(3))
    soundfile.write(tmp_path / "b.wav", np.random.default_rng(9).normal(0, 0.1, 4001), 8000)
    noise(tmp_path, {"late.wav": 0.5})
    again = open_store([clips], SMALL, tmp_path / "store")
    assert decoded[4:] == ["b.wav", "late.wav"] and again.id != first.id and not len(again.problems)
    assert again.rows == {"a.wav": 0, "b.wav": 1, "c.wav": 2, "late.wav": 3}
    differ = [not torch.equal(x, y) for x, y in zip(again.batch(np.arange(3)), before, strict=True)]
    assert differ == [False, True, False]


@pytest.mark.parametrize("duration", [SHORT, LONG])
@pytest.mark.parametrize("bins", [16, 8])
def test_what_is_stored_is_what_is_decoded_for_every_front_end(tmp_path, duration, bins):
    noise(tmp_path, {"a.wav": 0.3, "b.wav": 0.5})
    clips, front = corpus(["a.wav", "b.wav"], tmp_path, duration=duration), SMALL.model_copy(update={"mel_bins": bins})
    _, store = (open_store([clips], settings, tmp_path / "store") for settings in (SMALL, front))
    waves = [audio.fit(torch.from_numpy(audio.read(tmp_path / name, 8000)), 4000) for name in ("b.wav", "a.wav")]
    expected = torch.stack([audio.log_mel(audio.standardise(wave)[None], front) for wave in waves])
    torch.testing.assert_close(store.batch(store.index(["b.wav", "a.wav"])), expected, atol=0.1, rtol=1e-3)


def test_long_recordings_give_random_segments(tmp_path):
    noise(tmp_path, {"a.wav": 2, "b.wav": 0.3})
    store, rows = open_store([corpus(["a.wav", "b.wav"], tmp_path, duration=LONG)], SMALL, tmp_path / "s"), np.arange(2)
    assert torch.equal(store.batch(rows), store.batch(rows))  # without a generator: the first segment
    draws = [store.batch(rows, torch.Generator().manual_seed(seed)) for seed in (1, 2, 1)]
    assert torch.equal(draws[0], draws[2]) and not torch.equal(draws[0][0], draws[1][0])
    assert torch.equal(draws[0][1], draws[1][1])  # too short to have a choice


def test_an_array_store_grows_beside_a_reader_and_forty_are_open_at_once(tmp_path):
    stores = [ArrayStore(tmp_path / str(number), np.int32) for number in range(40)]  # the address space has an end
    assert [store.notes([b"0"]) for store in stores] == [[None]] * 40
    code = "import sys, numpy as np; from pathlib import Path; from clapleak.arrays import ArrayStore\n"
    code += "array = np.arange(5_000_000, dtype=np.int32)\n"
    code += "ArrayStore(Path(sys.argv[1]), np.int32).put((b'%d' % i, array[i:], 'x') for i in range(3))"
    python("-c", code, stores[0].path)  # 60 MB; 10 are mapped at first
    assert stores[0].notes([b"0", b"2", b"3"]) == ["x", "x", None] and len(stores[0]) == 3
    with stores[0].reading() as array_of:
        assert array_of(b"2")[0] == 2 and len(array_of(b"2")) == 5_000_000 - 2


def test_a_store_that_another_process_has_removed_is_opened_anew(tmp_path):
    store = ArrayStore(tmp_path / "store", np.int32)
    store.put([(b"old", np.arange(3), "old")])
    code = "import sys, numpy as np; from pathlib import Path; from clapleak.arrays import ArrayStore\n"
    code += "store = ArrayStore(Path(sys.argv[1]), np.int32)\n"
    code += "if len(sys.argv) == 3: store.clear(), store.put([(b'new', np.arange(2), 'new')])\n"
    code += "print(store.notes([b'new', b'ours']))"
    assert "None, None" in python("-c", code, store.path).stdout
    python("-c", code, store.path, "again")
    store.put([(b"ours", np.arange(4), "ours")])
    assert store.notes([b"old", b"new", b"ours"]) == [None, "new", "ours"]
    assert "'new', 'ours'" in python("-c", code, store.path).stdout
    with pytest.raises(ClapleakError, match="store: emptied by another process; give the same"), store.reading() as of:
        of(b"old")


def test_damage_in_the_middle_of_an_array_store_is_one_line_and_what_it_held_is_made_again(tmp_path):
    store, keys = ArrayStore(tmp_path / "store", np.int32), [b"%03d" % i for i in range(300)]
    store.put((key, np.arange(10), "x") for key in keys)
    with (tmp_path / "store" / "data.mdb").open("r+b") as file:
        file.seek(4096 * 2)
        file.write(b"rubbish!" * 512 * 8)
    with pytest.raises(ClapleakError, match="store: damaged in the middle; .*the same command makes it again$"):
        store.notes(keys)
    assert store.notes(keys) == [None] * 300


def test_an_array_store_of_which_most_is_of_no_use_is_emptied_before_it_grows(tmp_path):
    store = ArrayStore(tmp_path / "store", np.int32)
    store.put((b"%05d" % i, np.arange(1), "") for i in range(10_004))
    for keys, left in (([b"00000", b"00001"], 10_004), ([b"00000", b"new"], 10_004), ([b"new"], 0)):
        with store.lacking(keys) as lacking:
            assert lacking == [i for i, key in enumerate(keys) if key == b"new"] and len(store) == left


def build(clips: Corpus, folder: Path) -> torch.Tensor:
    store = open_store([clips], SMALL, folder)
    assert len(pickle.dumps(store)) < 20_000  # the recordings stay on disk
    return store.batch(np.arange(40), torch.Generator().manual_seed(0))


@pytest.mark.slow
def test_processes_build_and_read_side_by_side(tmp_path):
    names = [f"{i}.wav" for i in range(40)]
    noise(tmp_path, {name: 0.4 + i / 20 for i, name in enumerate(names)})
    job, found = (corpus(names, tmp_path, duration=LONG), tmp_path / "store"), []
    for method in ("spawn", "fork"):  # the latter as the readers ahead of a training
        with multiprocessing.get_context(method).Pool(2) as pool:
            found += pool.starmap(build, [job] * 2, chunksize=1)
    assert len(found) == 4 and all(torch.equal(batch, build(*job)) for batch in found)
