"""The synthetic sounds: complete, deterministic, and always the same samples and sentences."""

import re
import zlib

import numpy as np
import pytest

from clapleak import corpora, foley, identity
from clapleak.config import ClapleakError, Foley
from clapleak.foley.synthesiser import draw_distractor
from clapleak.foley.table import parse

TARGETS = corpora.package_table("esc50_classes.csv")["name"].tolist()
OPTIONS = {"sample_rate": 16000, "duration": 2.5}
GOLDEN = {  # every 4000th sample; where they change, stored clips are wrong: raise foley.FORMAT
    "foley@0/dog/17": [-0.002, -0.026, 0.024, -0.001, 0.002, -0.047, 0.006, 0.007, -0.382, -0.009],
    "foley@0/rain/1000003": [-0.012, 0.003, 0.032, -0.022, -0.006, -0.002, 0.002, -0.026, -0.029, -0.007],
    "foley@0/church bells/2000001": [0.009, 0.01, 0.016, 0.018, 0.002, -0.042, 0.009, -0.019, -0.008, -0.04],
    "foley@3/siren/5": [0.114, 0.199, 0.063, -0.003, -0.057, -0.154, -0.388, 0.136, -0.178, -0.09],
    "foley@0/dog+rain/1000002": [0.01, -0.077, 0.101, 0.016, 0.161, 0.151, 0.051, -0.003, -0.08, 0.102],
    "foley@0/cat+airplane/1000001": [0.003, 0.012, -0.019, 0.137, -0.011, -0.05, 0.01, 0.023, -0.049, -0.06],
}


def table(part: str, **changes):
    sizes = {"seed": 0, "pretrain_clips": 3, "pair_clips": 4, "test_clips": 2, "scenes": 40, "limit_classes": None}
    return foley.corpus(part, Foley(**{**sizes, **changes}), 2.5).table


@pytest.mark.parametrize("path", GOLDEN)
def test_a_path_always_gives_the_same_samples_and_no_other_path_does(path):
    wave = foley.synthesise(path, **OPTIONS)
    assert np.allclose(wave[1000::4000], GOLDEN[path], atol=2e-3)  # other processors differ in the last bits
    assert np.array_equal(wave, foley.synthesise(path, **OPTIONS))
    for other in (path.replace("@", "@7"), f"{path}1"):  # another seed, another index
        assert not np.allclose(wave, foley.synthesise(other, **OPTIONS))


def test_the_ids_of_runs_go_with_the_format_of_their_sounds():
    assert (foley.FORMAT, identity.FORMATS["clips"]) == (2, 1)  # one is not raised without the other


def test_every_class_sounds_and_the_targets_are_esc50_s():
    classes = foley.classes()
    assert sorted(classes.index[classes["target"]]) == sorted(TARGETS)
    assert (~classes["target"]).sum() >= 150 and classes.index.is_unique
    for name in classes.index:
        wave = foley.synthesise(f"foley@0/{name}/0", **OPTIONS)
        assert wave.shape == (40000,) and wave.dtype == np.float32
        assert np.isfinite(wave).all() and np.abs(wave).max() <= 1
        assert wave.std() > 1e-3, f"{name} is silent"


@pytest.mark.parametrize("path", ["unicorn/1", "dog+cat+rain/1", "/1", "dog/-1", "dog+/1", "dog"])
def test_unknown_paths_are_refused(path):
    with pytest.raises(ClapleakError, match=re.escape(path)):
        foley.synthesise(f"foley@0/{path}", **OPTIONS)


def test_parts_share_no_clip_and_the_test_holds_targets_alone():
    parts = {part: table(part) for part in ("pretrain", "pairs", "test")}
    clips = [clip for part in parts.values() for clip in part["clip"]]
    assert len(set(clips)) == len(clips) == 337 * 7 + 50 * 2 + 80
    assert all((part["split"] == name).all() and (part["duration"] == 2.5).all() for name, part in parts.items())
    assert (parts["pretrain"]["text"] == "").all()
    test = parts["test"]
    assert test["text"].tolist() == test["labels"].str[0].tolist() and set(test["text"]) == set(TARGETS)
    names = set(table("pairs", limit_classes=8, scenes=0)["labels"].explode())
    assert len(names) == 8 and len(names & set(TARGETS)) == 4
    with pytest.raises(ClapleakError, match="unknown part 'eval'.*pretrain, pairs, test"):
        table("eval")


def test_what_sounds_and_what_is_said_follow_from_the_path():
    pairs = table("pairs")
    for path, labels, sounds in pairs[["path", "labels", "sounds"]].itertuples(index=False):
        _, names, index = parse(path)
        other = draw_distractor(0, names, index)
        assert labels == names and sounds == [*names, *(other[:1] if other else [])]
    assert pairs["labels"].str.len()[-41:].tolist() == [1] + [2] * 40
    assert pairs["text"][:2].tolist() == ["a dog barking in an empty room", "not far away a puppy yaps"]
    assert zlib.crc32("\n".join(pairs["text"]).encode()) == 3076615964
