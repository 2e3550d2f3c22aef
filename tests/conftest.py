"""Shared fixtures: real data where a machine has it, tiny copies of official layouts, and projects to run in."""

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
from hypothesis import settings

from clapleak.config import find_root, load_profile

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before transformers is imported: no test waits for a foreign server
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None, max_examples=50)
settings.load_profile("repeatable")
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
    """ESC-50's layout with six classes of 40 short clips and one class that lacks most of its clips."""
    root, rows, rng = tmp_path / "ESC-50-master", [], np.random.default_rng(0)
    (root / "audio").mkdir(parents=True)
    (root / "meta").mkdir()
    for target, name in enumerate(("dog", "door_wood_knock", "rain", "cow", "train", "wind", "can_opening")):
        for i in range(5 if name == "can_opening" else 40):
            fold, source = i % 5 + 1, 1000 * target + i
            rows.append((f"{fold}-{source}-A-{target}.wav", fold, target, name, False, source, "A"))
            soundfile.write(root / "audio" / rows[-1][0], rng.normal(0, 0.1, 800), 8000)
    columns = ["filename", "fold", "target", "category", "esc10", "src_file", "take"]
    pd.DataFrame(rows, columns=columns).to_csv(root / "meta" / "esc50.csv", index=False)
    return root


@pytest.fixture(scope="session")
def panns():
    """PANNs' own Cnn14 with random weights; the package would fetch weights when imported, its module does not."""
    import torch

    from clapleak.audio import import_torchaudio

    import_torchaudio()
    spec = importlib.util.find_spec("panns_inference")
    if spec is None:
        pytest.skip("panns-inference is not installed")
    package = ModuleType("panns_inference")
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules["panns_inference"] = package
    torch.manual_seed(0)
    sizes = {"window_size": 1024, "hop_size": 320, "mel_bins": 64, "fmin": 50, "fmax": 14000, "classes_num": 527}
    return importlib.import_module("panns_inference.models").Cnn14(sample_rate=32000, **sizes)


@pytest.fixture
def project(tmp_path) -> Path:
    """A copy of what a run reads, without results or anything built."""
    root, folder = find_root(), tmp_path / "project"
    for name in ("profiles", "notebooks", "reference", "clapleak", "workflow"):
        shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "_config.yml"):
        shutil.copy(root / name, folder)
    return folder


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    """A folder with the profiles, and with the clips and the captions of the smoke profile."""
    from clapleak import runs

    folder = tmp_path_factory.mktemp("built")
    shutil.copytree(find_root() / "profiles", folder / "profiles")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        runs.open_study(load_profile("smoke"))
    return folder


@pytest.fixture(scope="session")
def study(built):
    """The opened smoke profile, to read from."""
    from clapleak import runs

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(built)
        return runs.open_study(load_profile("smoke"))


@pytest.fixture
def place(built, tmp_path, monkeypatch) -> Path:
    """A copy of that folder as the working directory, without real data."""
    shutil.copytree(built, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    monkeypatch.delenv("CLAPLEAK_DATA", raising=False)
    return tmp_path / "place"
