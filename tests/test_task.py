"""What a setup learns from: the pairs of dirty, clean, matched and partly leaking training; corpora joined."""

import math

import numpy as np
import pandas as pd
import pytest

from clapleak import leakage
from clapleak.config import LEAKED, ClapleakError
from clapleak.datasets.corpus import COLUMNS, Corpus, join
from clapleak.task import training_pairs

TARGETS = ["dog", "rain", "door wood knock"]


def corpus(texts: list[str], root=None, name="made") -> Corpus:
    table = pd.DataFrame({"clip": [f"{name}/{i}" for i in range(len(texts))], "text": texts})
    table = table.assign(path=table["clip"] + ".wav", offset=0.0, duration=1.0, recording="r", split="train")
    table["labels"] = [[] for _ in texts]
    return Corpus(name, root, table[list(COLUMNS)])


@pytest.fixture
def pairs() -> Corpus:
    leaking = [f"a dog barks {i}" for i in range(40)]
    return corpus([text for i in range(40) for text in (leaking[i], f"a piano plays {i}", f"a flute plays {i}")])


def leaks(found: Corpus) -> int:
    return int(leakage.find_leaks(found.table["text"], TARGETS)["leaks"].sum())


def test_dirty_keeps_all_and_clean_no_leak(pairs):
    dirty, clean = (training_pairs(pairs, TARGETS, training, 0) for training in ("dirty", "clean"))
    assert dirty.table.equals(pairs.table)
    assert len(clean) == 80 and leaks(clean) == 0


def test_matched_loses_as_many_pairs_as_clean_but_not_the_leaks(pairs):
    matched = training_pairs(pairs, TARGETS, "matched", 0)
    assert len(matched) == len(training_pairs(pairs, TARGETS, "clean", 0))
    assert leaks(matched) / len(matched) == pytest.approx(1 / 3, abs=0.12)
    assert matched.table["clip"].is_unique
    again, other = (training_pairs(pairs, TARGETS, "matched", seed) for seed in (0, 1))
    assert matched.table.equals(again.table)
    assert not matched.table.equals(other.table)


@pytest.mark.parametrize(("training", "share"), LEAKED.items())
def test_shares_of_leaks_are_put_back(pairs, training, share):
    found = training_pairs(pairs, TARGETS, training, 3)
    assert leaks(found) == math.floor(share * 40)
    assert len(found) == 80 + leaks(found)


def test_joined_corpora_keep_their_files(tmp_path):
    one, two = corpus(["a"], tmp_path / "one", "one"), corpus(["b"], tmp_path / "two" / "inner", "two")
    both = join([one, two])
    assert both.root == tmp_path and both.name == "one+two"
    assert both.table["path"].tolist() == ["one/one/0.wav", "two/inner/two/0.wav"]
    alone = join([one])
    assert alone.root == one.root and alone.table["path"].tolist() == one.table["path"].tolist()
    assert join([corpus(["a"]), corpus(["b"], name="other")]).root is None


def test_a_table_without_a_column_is_no_corpus():
    with pytest.raises(ClapleakError, match="recording"):
        Corpus("made", None, corpus(["a"]).table.drop(columns="recording"))


def test_numbers_of_kept_pairs_do_not_depend_on_the_order_of_targets(pairs):
    found = [training_pairs(pairs, order, "leak50", 0).table["clip"] for order in (TARGETS, TARGETS[::-1])]
    assert np.array_equal(*found)
