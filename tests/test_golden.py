"""Two smoke runs give the numbers that were stored; `python tests/test_golden.py` stores those of another machine.

Processors round differently, so the numbers are compared only on a kind of machine that gave some.
"""

import json
import platform
import re
import shutil
import tempfile
import zlib
from contextlib import chdir
from pathlib import Path

import pytest
import torch

from clapleak import runs
from clapleak.config import find_root, load_profile
from clapleak.setups import Setup

FILE = Path(__file__).with_name("golden") / "smoke.json"


def machine() -> str:
    """Processor, torch and Python, as far as numbers hang on them."""
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").is_file() else ""
    model = (re.search(r"model name\s*: (.*)", info) or [None, platform.machine()])[1]
    flags = zlib.crc32((re.search(r"flags\s*: (.*)", info) or [None, ""])[1].encode())  # the name alone says little
    return f"{model}, instructions {flags:x}, torch {torch.__version__}, Python {platform.python_version_tuple()[1]}"


def measured() -> dict[str, dict[str, float]]:
    """Accuracy, silhouettes and similarities of the runs, made in the working directory."""
    study, found = runs.open_study(load_profile("smoke")), {}
    for slug in ("clean-clean", "none-dirty"):
        metrics = runs.run(study, Setup.parse(slug)).metrics
        found[slug] = {"accuracy": metrics["accuracy"]}
        found[slug] |= {f"silhouette {space}": value for space, value in metrics["silhouette"].items()}
        found[slug] |= {f"S {pair}": similarity["value"] for pair, similarity in metrics["topology"].items()}
    return found


def test_smoke_runs_give_the_stored_numbers(finished):
    golden = json.loads(FILE.read_text())
    if machine() not in golden:
        pytest.skip(f"the stored numbers are those of other kinds of machines: {'; '.join(golden)}")
    for slug, numbers in measured().items():
        assert numbers == pytest.approx(golden[machine()][slug], rel=0, abs=1e-12), slug


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        shutil.copytree(find_root() / "profiles", "profiles")
        content = json.loads(FILE.read_text()) | {machine(): measured()}
    FILE.write_text(json.dumps(content, indent=1) + "\n")
