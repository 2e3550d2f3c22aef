"""The benchmarks load: their imports and settings fit the package (their times are no test's business)."""

import importlib.util

import pytest

from clapleak.config import find_root

FILES = sorted((find_root() / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_benchmark_loads(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert callable(module.main)
    if hasattr(module, "front_end"):
        assert module.front_end(44100).sample_rate == 44100
