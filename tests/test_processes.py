"""Several processes give the numbers of one."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from clapleak.config import find_root

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("accelerate") is None, reason="accelerate is not installed"),
]


def torchrun(processes: int, *words: object, cwd: Path) -> None:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(find_root())}
    done = subprocess.run(
        [*launcher, *map(str, words)], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_two_processes_give_loss_and_gradients_of_the_whole_batch(tmp_path):
    found = {}
    for processes in (1, 2):
        path = tmp_path / f"{processes}.pt"
        torchrun(processes, Path(__file__).with_name("two_processes.py"), path, cwd=find_root())
        found[processes] = torch.load(path, weights_only=True)
        assert found[processes]["size"] == processes
    assert torch.allclose(found[1]["loss"], found[2]["loss"], rtol=0, atol=1e-6)
    one, two = (found[processes]["gradients"] for processes in (1, 2))
    assert (one - two).abs().max() < 1e-6 * one.abs().max()  # 32-bit sums in another order
    assert (one - two).norm() < 1e-6 * one.norm()
    assert one.abs().min() < one.abs().max()


def test_a_setup_trains_in_two_processes(tmp_path):
    shutil.copytree(find_root() / "profiles", tmp_path / "profiles")
    torchrun(2, "-m", "clapleak", "train", "--profile", "smoke", "--setup", "clean-clean", cwd=tmp_path)
    folder = tmp_path / "build" / "results" / "smoke" / "clean-clean" / "seed0"
    found = json.loads((folder / "metrics.json").read_text())
    assert 0 <= found["accuracy"] <= 1 and found["data"]["test_clips"] == 24
    assert not (tmp_path / "build" / "smoke" / "clean-clean" / "seed0" / "checkpoint.pt").exists()
