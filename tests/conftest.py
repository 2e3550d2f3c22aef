"""Shared fixtures: real data where a machine has it, and tiny copies of official layouts."""

import importlib
import importlib.util
import os
import shutil
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import soundfile

from clapleak.config import find_root

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before transformers is imported: no test waits for a foreign server


# The longest first, so that no process is left alone with one of them at the end; the built book is made once.
GROUPS = {"slurm": ("test_slurm",), "book": ("test_book", "test_browser", "test_pdf", "test_places")}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file stay in one process, and so do those of the built book."""
    order = {name: (rank, group) for rank, (group, names) in enumerate(GROUPS.items()) for name in names}
    for item in items:
        item.add_marker(pytest.mark.xdist_group(order.get(item.path.stem, (0, item.path.stem))[1]))
    items.sort(key=lambda item: order.get(item.path.stem, (len(GROUPS), ""))[0])


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Root of the real data; skips where CLAPLEAK_DATA is not set."""
    root = os.environ.get("CLAPLEAK_DATA")
    if not root:
        pytest.skip("real data: set CLAPLEAK_DATA to a folder with esc50/ and metadata/")
    return Path(root)


@pytest.fixture
def tiny_esc50(tmp_path) -> Path:
    """ESC-50's layout with three classes of 40 short clips and one class that lacks most of its clips."""
    root = tmp_path / "ESC-50-master"
    (root / "audio").mkdir(parents=True)
    (root / "meta").mkdir()
    rng, rows = np.random.default_rng(0), []
    for target, (name, clips) in enumerate({"dog": 40, "door_wood_knock": 40, "rain": 40, "can_opening": 5}.items()):
        for i in range(clips):
            fold = i % 5 + 1
            file = f"{fold}-{1000 * target + i}-A-{target}.wav"
            soundfile.write(root / "audio" / file, rng.normal(0, 0.1, 800), 8000)
            rows.append((file, fold, target, name, False, 1000 * target + i, "A"))
    columns = ["filename", "fold", "target", "category", "esc10", "src_file", "take"]
    pd.DataFrame(rows, columns=columns).to_csv(root / "meta" / "esc50.csv", index=False)
    return root


@pytest.fixture(scope="session")
def panns():
    """PANNs' own Cnn14 class; the package itself would fetch a checkpoint when imported, so only `models` is."""
    from clapleak.torchaudio_guard import import_torchaudio

    import_torchaudio()
    spec = importlib.util.find_spec("panns_inference")
    if spec is None:
        pytest.skip("panns-inference is not installed")
    package = ModuleType("panns_inference")
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules["panns_inference"] = package
    return importlib.import_module("panns_inference.models")


@pytest.fixture
def project(tmp_path) -> Path:
    """A copy of what a run reads, without results or anything built."""
    root = find_root()
    for name in ("profiles", "notebooks", "reference", "clapleak", "workflow"):
        shutil.copytree(root / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "_config.yml"):
        shutil.copy(root / name, tmp_path)
    return tmp_path
