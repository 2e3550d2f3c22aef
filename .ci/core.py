"""Install the core alone, outside the clone, and use it: metrics, leak filter, audit of arrays. On every system.

python .ci/core.py
"""

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

LARGEST, SLOWEST = 450, 0.6  # MB of the environment; seconds of `import clapleak.metrics`, of the best of five
USE = """
import numpy as np
from clapleak import leakage, metrics
rng = np.random.default_rng(0)
labels, centres = np.repeat(np.arange(10), 20), rng.normal(size=(10, 16))
sounds = centres[labels] + 0.1 * rng.normal(size=(200, 16))
assert metrics.zero_shot_accuracy(sounds, centres, labels) > 0.9 < metrics.silhouette(sounds, labels) + 0.5
np.savez("arrays.npz", E_a=sounds, E_t=centres, labels=labels, classes=leakage.load_labels("esc50")[:10])
"""


def main() -> None:
    clone = Path(__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        place = Path(folder)
        venv.create(place / "venv", with_pip=True)
        binaries = place / "venv" / ("Scripts" if os.name == "nt" else "bin")
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment |= {"HOME": folder, "USERPROFILE": folder}

        def run(*words: object, code: int = 0) -> str:
            words = [str(binaries / str(words[0])), *map(str, words[1:])]
            done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == code, f"{words}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
            return done.stdout + done.stderr

        run("python", "-m", "pip", "install", "--quiet", clone)
        size = sum(path.stat().st_size for path in (place / "venv").rglob("*") if path.is_file()) / 1e6
        timed = "import time; start = time.perf_counter(); import clapleak.metrics; print(time.perf_counter() - start)"
        seconds = min(float(run("python", "-c", timed)) for _ in range(5))
        print(f"Python {sys.version.split()[0]}: {size:.0f} MB, clapleak.metrics imported in {seconds:.2f} s")
        assert size <= LARGEST and seconds <= SLOWEST
        run("python", "-c", USE)
        (place / "captions.csv").write_text("caption\na dog barks\nrain\n", encoding="utf-8")
        assert "2 of 2 texts leak" in run("clapleak", "leaks", "captions.csv")
        assert "zero-shot:  1.0" in run("clapleak", "audit", "arrays.npz", code=3)  # nobody said what was seen
        assert "[train]" in run("clapleak", "train", "--profile", "smoke", "--setup", "none-clean", code=2)
        assert "clapleak" in run("clapleak", "--version") and "esc50" in run("clapleak", "data", "list")


if __name__ == "__main__":
    main()
