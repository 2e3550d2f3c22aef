"""What is written whole or not at all, locks, checkpoints and devices."""

import errno
import os
import signal
import subprocess
import sys

import pytest
import torch
from helpers import call, files

from clapleak.checkpoints import load_checkpoint, save_checkpoint
from clapleak.config import ClapleakError, load_profile
from clapleak.files import atomic_file, atomic_folder, locked
from clapleak.parallel import pick_device, stop_requests


def test_files_and_folders_appear_whole_or_not_at_all(tmp_path):
    (tmp_path / ".seed0.k1ll3d").mkdir()  # what a kill left
    with atomic_file(tmp_path / "deep" / "file") as file, atomic_folder(tmp_path / "seed0") as temporary:
        file.write(b"first")
        (temporary / "a").write_bytes(b"1")
        assert not (tmp_path / "deep" / "file").exists() and not (tmp_path / "seed0").exists()
    with pytest.raises(PermissionError), atomic_file(tmp_path / "deep" / "file") as file:
        file.write(b"half")
        raise PermissionError(errno.EACCES, "not the disk: keeps its name")
    with pytest.raises(KeyError), atomic_folder(tmp_path / "seed0") as temporary:
        (temporary / "a").write_bytes(b"2")
        raise KeyError
    for make, name in ((atomic_folder, "deep/file"), (atomic_file, "seed0")):  # one in the place of the other
        with pytest.raises(OSError, match=f"[^.]{name}'?( ->|$)"), make(tmp_path / name) as made:
            getattr(made, "write", lambda content: None)(b"3")
    assert files(tmp_path) == {"deep/file": b"first", "seed0/a": b"1"} and len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_and_the_old_checkpoint_stays(tmp_path, monkeypatch, number):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"id": "ours", "weight": torch.arange(3.0)})

    def full(handle):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch, pytest.raises(OSError, match="checkpoint.pt"):
        patch.setattr("clapleak.files.os.fsync", full)
        save_checkpoint(path, {"id": "ours", "weight": torch.ones(3)})
    assert load_checkpoint(path, "ours")["weight"].tolist() == [0, 1, 2]
    assert load_checkpoint(path, "theirs") is None  # a checkpoint of another training
    assert list(files(tmp_path)) == ["checkpoint.pt"]


def test_a_lock_keeps_others_out_names_its_process_and_ends_with_it(tmp_path):
    code = "import pathlib, sys; from clapleak.files import locked as lock\n"
    code += "with lock(pathlib.Path(sys.argv[1])): print(), input()"
    holder = subprocess.Popen([sys.executable, "-uc", code, tmp_path / "lock"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)  # fmt: skip
    holder.stdout.readline()
    with pytest.raises(ClapleakError, match=f"{tmp_path}: process {holder.pid}, or what it started, is at work here"):
        with locked(tmp_path / "lock", wait=False):
            pass
    holder.kill()
    holder.communicate()
    with locked(tmp_path / "lock", wait=False):
        assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_a_signal_that_nobody_asked_for_in_time_is_not_lost():
    with pytest.raises(KeyboardInterrupt), stop_requests() as stop_asked:
        assert not stop_asked()
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(ValueError, match="asked"), stop_requests() as stop_asked:
        signal.raise_signal(signal.SIGTERM)
        raise ValueError("asked" if stop_asked() else "")


def test_a_working_directory_that_was_deleted_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    done = call("train", "--profile", "smoke", "--setup", "clean-clean")
    assert done.exit_code == 2 and done.stderr.startswith("clapleak: the working directory was deleted; change into")


def test_a_gpu_that_is_asked_for_and_absent_is_refused(monkeypatch):
    compute = load_profile("smoke").compute
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device(compute.model_copy(update={"device": "auto"})).type == "cpu"
    with pytest.raises(ClapleakError, match="compute.device is cuda"):
        pick_device(compute.model_copy(update={"device": "cuda"}))
