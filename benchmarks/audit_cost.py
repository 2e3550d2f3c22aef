"""Time and memory of `clapleak audit` on arrays of random clouds in fifty classes, on one core.

Run `python benchmarks/audit_cost.py`. It writes results/audit/cost.csv: clips, dimensions of x_a and of E_a, seconds
passed, seconds of computing, and the largest memory of the process.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from clapleak.config import find_root

SIZES = ((2_000, 512), (2_000, 1_024), (10_000, 1_024), (100_000, 512), (100_000, 1_024))
CLASSES = 50


def write_arrays(path: Path, clips: int, dims: int) -> None:
    """Clouds in single precision, as models give them, two clips a recording."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(CLASSES, dims)).astype(np.float32)
    y = np.arange(clips) * CLASSES // clips
    x_a, E_a = (centres[y] + 3 * rng.normal(size=(clips, dims)).astype(np.float32) for _ in range(2))
    names = [f"class {i}" for i in range(CLASSES)]
    text = centres + rng.normal(size=centres.shape)
    np.savez(path, x_a=x_a, E_a=E_a, E_t=text, x_t=text, labels=y, classes=names, recordings=np.arange(clips) // 2)


def measured(folder: Path) -> tuple[float, float, float]:
    """Seconds passed, seconds of computing and gigabytes of one audit in a process of its own."""
    command = [sys.executable, "-m", "clapleak", "audit", "clouds.npz", "--training-labels", "labels.csv"]
    one_core = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    started = time.monotonic()
    process = subprocess.Popen([*command, "--rule", "phrase"], cwd=folder, env=one_core, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1, 3):
        sys.exit("the audit failed")
    return time.monotonic() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6


def main() -> None:
    rows = []
    for clips, dims in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            write_arrays(Path(folder, "clouds.npz"), clips, dims)
            Path(folder, "labels.csv").write_text("text\n" + "\n".join(f"class {i}" for i in range(CLASSES // 3)))
            rows.append((clips, dims, *measured(Path(folder))))
        print(*rows[-1])
    table = pd.DataFrame(rows, columns=["clips", "dimensions", "seconds", "computing", "gigabytes"])
    table.round(2).to_csv(find_root() / "results" / "audit" / "cost.csv", index=False)


if __name__ == "__main__":
    main()
