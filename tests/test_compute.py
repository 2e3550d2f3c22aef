"""Atomic files, checkpoints, seeds, and torchaudio where its compiled part does not load."""

import errno
import os
import signal
import subprocess
import sys

import pytest
import torch

from clapleak.compute import StopRequest, atomic_file, load_checkpoint, pick_device, save_checkpoint, stable_seed
from clapleak.config import ClapleakError, load_profile


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "file.bin"
    with atomic_file(path) as file:
        file.write(b"first")
        assert not path.exists()
    assert path.read_bytes() == b"first"
    with pytest.raises(KeyError), atomic_file(path) as file:
        file.write(b"half")
        raise KeyError
    assert path.read_bytes() == b"first"
    assert [p.name for p in path.parent.iterdir()] == ["file.bin"]


def test_a_full_disk_is_a_clear_error_and_leaves_nothing(tmp_path):
    with pytest.raises(ClapleakError, match="file.bin: the disk is full"), atomic_file(tmp_path / "file.bin"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert not list(tmp_path.iterdir())
    with pytest.raises(PermissionError), atomic_file(tmp_path / "file.bin"):  # any other failure keeps its name
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def test_a_checkpoint_of_another_run_is_not_continued(tmp_path):
    path = tmp_path / "checkpoint.pt"
    assert load_checkpoint(path, "ours") is None
    save_checkpoint(path, {"fingerprint": "ours", "model": {"weight": torch.arange(3.0)}, "history": [{"epoch": 0}]})
    assert load_checkpoint(path, "theirs") is None
    state = load_checkpoint(path, "ours")
    assert torch.equal(state["model"]["weight"], torch.arange(3.0)) and state["history"] == [{"epoch": 0}]


def test_seeds_differ_by_every_part_and_not_by_process():
    assert len({stable_seed("a", 1), stable_seed("a", 2), stable_seed("b", 1), stable_seed("a", 1, 0)}) == 4
    code = "from clapleak.compute import stable_seed; print(stable_seed('train', 3, 'frozen', 1))"
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    other = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert int(other.stdout) == stable_seed("train", 3, "frozen", 1)


def test_a_gpu_that_is_asked_for_and_absent_is_refused(monkeypatch):
    compute = load_profile("smoke").compute
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device(compute.model_copy(update={"device": "auto"})).type == "cpu"
    with pytest.raises(ClapleakError, match="compute.device is cuda"):
        pick_device(compute.model_copy(update={"device": "cuda"}))


BROKEN_EXTENSION = """
import importlib.abc, sys

class Broken(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "torchaudio._extension" and BREAK:
            raise OSError("undefined symbol")

sys.meta_path.insert(0, Broken())
import torch
from clapleak.torchaudio_guard import import_torchaudio
functional = import_torchaudio().functional
assert functional.resample(torch.zeros(1000), 2, 1).shape == (500,)
assert functional.melscale_fbanks(257, 0.0, 4000.0, 20, 8000).shape == (257, 20)
assert functional.mask_along_axis_iid(torch.ones(2, 1, 8, 4), 3, 0.0, axis=2).shape == (2, 1, 8, 4)
from transformers import BertModel
"""


@pytest.mark.parametrize("broken", [True, False], ids=["broken", "as installed"])
def test_torchaudio_and_transformers_work_beside_any_build_of_torch(broken):
    code = BROKEN_EXTENSION.replace("BREAK", str(broken))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_signal_is_noticed_and_the_handlers_come_back():
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest() as stop:
        assert not stop.asked()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.asked()
    assert signal.getsignal(signal.SIGTERM) is before
