"""The embedded world: complete, deterministic, honest about what its captions hold."""

import subprocess
import sys

import numpy as np
import pytest

from clapleak.config import ClapleakError
from clapleak.datasets import foley
from clapleak.leakage import clean, find_leaks, load_labels

OPTIONS = {"sample_rate": 16000, "duration": 2.5}


@pytest.fixture(scope="module")
def classes():
    return foley.classes()


def corpus(split, **changes):
    settings = {"seed": 0, "clips_per_class": 3, "scenes": 40, "duration": 2.5, "limit_classes": None, **changes}
    return foley.corpus(split, **settings)


def test_the_targets_are_esc50_s_names_and_the_rest_is_larger(classes):
    assert sorted(classes.index[classes["target"]]) == sorted(load_labels("esc50"))
    assert (~classes["target"]).sum() >= 150
    assert classes.index.is_unique


def test_a_clip_follows_from_its_path_alone():
    code = (
        "from clapleak.datasets import foley; import zlib; "
        "print(zlib.crc32(foley.synthesise('foley@0/dog/17', sample_rate=16000, duration=2.5).tobytes()))"
    )
    sums = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(sums) == 1
    first = foley.synthesise("foley@0/dog/17", **OPTIONS)
    assert np.array_equal(first, foley.synthesise("foley@0/dog/17", **OPTIONS))
    for other in ("foley@1/dog/17", "foley@0/dog/18", "foley@0/cat/17", "foley@0/dog+rain/17"):
        assert not np.array_equal(first, foley.synthesise(other, **OPTIONS))


def test_every_class_sounds(classes):
    for name in classes.index:
        wave = foley.synthesise(f"foley@0/{name}/0", **OPTIONS)
        assert wave.shape == (40000,) and wave.dtype == np.float32
        assert np.isfinite(wave).all() and np.abs(wave).max() <= 1
        assert wave.std() > 1e-3, f"{name} is silent"


@pytest.mark.parametrize("path", ["foley@0/unicorn/1", "dog.wav", "foley@0/dog+cat+rain/1", "foley@x/dog/1"])
def test_unknown_paths_are_refused(path):
    with pytest.raises(ClapleakError, match="foley"):
        foley.synthesise(path, **OPTIONS)


def test_splits_share_no_clip_and_the_test_holds_targets_alone(classes):
    parts = {split: set(corpus(split).table["clip"]) for split in ("pretrain", "pairs", "test")}
    assert (
        not parts["pretrain"] & parts["pairs"]
        and not parts["pairs"] & parts["test"]
        and not parts["pretrain"] & parts["test"]
    )
    test = corpus("test", scenes=0).table
    assert set(test["text"]) == set(classes.index[classes["target"]])


def test_scenes_have_two_labels_and_singles_one():
    lengths = corpus("pairs").table["labels"].map(len)
    assert set(lengths) == {1, 2} and (lengths == 2).sum() == 40


def test_most_classes_survive_the_filter_and_most_targets_do_not(classes):
    pairs = corpus("pairs", scenes=0)
    kept, removed = clean(pairs, load_labels("esc50"))
    names = {label for labels in kept.table["labels"] for label in labels}
    assert len(names - set(classes.index[classes["target"]])) >= 150
    targets = pairs.table["labels"].str[0].isin(list(classes.index[classes["target"]]))
    leaking = find_leaks(pairs.table.loc[targets, "text"], load_labels("esc50"))["leaks"]
    assert 0.5 < leaking.mean() < 1  # a literal filter catches most and misses many, as with real captions


def test_a_limited_world_is_half_targets():
    small = corpus("pairs", limit_classes=8, scenes=0)
    names = {label for labels in small.table["labels"] for label in labels}
    targets = set(load_labels("esc50"))
    assert len(names) == 8 and len(names & targets) == 4
