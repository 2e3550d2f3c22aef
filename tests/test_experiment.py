"""What every setup learns from and is tested on, on synthetic sounds and on a tiny ESC-50."""

from types import SimpleNamespace

import pandas as pd
import pytest
from helpers import changed, corpus

from clapleak import experiment
from clapleak.config import ClapleakError, load_profile
from clapleak.leakage import label_words, load_labels
from clapleak.setups import CONTROLS, FILTERS, SETUPS, Setup

SYNTHETIC, REAL = (changed(load_profile(name), recipe={"batch_size": 4}) for name in ("smoke", "esc50"))
GROUPS = REAL.data.class_groups.model_copy(update={"size": 3})
REAL = changed(REAL, data={"class_groups": GROUPS})  # small enough for the tiny layout: two groups of three classes


def prepared(profile, root, slug, group=None, missing=(), seed=0) -> experiment.Experiment:
    """An experiment whose store holds every clip but the missing ones."""
    sources = experiment.read_sources(profile, root)
    clips = pd.concat([part.table["clip"] for part in sources.corpora()]).unique()
    store = SimpleNamespace(rows={clip: i for i, clip in enumerate(clips) if clip not in missing}, network=None)
    return experiment.prepare(sources, profile, Setup(*slug.split("-")), group, store, seed=seed)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("profile", [SYNTHETIC, REAL], ids=lambda profile: profile.name)
def test_every_filter_keeps_what_it_says(profile, tiny_esc50, name):
    root, group = (None, None) if profile.synthetic else (tiny_esc50, 0)
    kinds = name, "dirty", name if "clean" in name else "clean"
    found, dirty, clean = (prepared(profile, root, f"{kind}-{kind}", group) for kind in kinds)
    rule, words = FILTERS[name], label_words(found.targets)
    for part in ("pretrain", "pairs"):
        table, whole, least = (getattr(one, part).table for one in (found, dirty, clean))
        assert set(table["clip"]) <= set(whole["clip"]) and 0 < len(least) < len(whole)
        assert set(table["clip"]).isdisjoint(found.test.table["clip"])
        assert len(table) == len(least) + round((rule.share or 0) * (len(whole) - len(least)))
        texts = table["text"] if part == "pairs" else table["labels"].explode()
        assert any(words & label_words([text]) for text in texts.unique()) == (rule.share != 0)
        if rule.by_clip:  # no clip stands on both sides
            assert len(table) == whole["clip"].isin(table["clip"]).sum()
        if rule.sounds:
            assert set(found.targets).isdisjoint(table["sounds"].explode())
    assert found.counts["pairs"] == len(found.pairs) == len(dirty.pairs) - found.counts["pairs_removed"]
    assert found.counts["pretrain_clips"] == len(dirty.pretrain) - found.counts["pretrain_removed"]


def test_the_word_rule_leaves_sounds_of_targets_that_truly_clean_does_not_and_draws_follow_the_seed():
    found = {name: prepared(SYNTHETIC, None, f"none-{name}") for name in ("clean", "truly_clean", "matched")}
    targets, words = set(found["clean"].targets), label_words(found["clean"].targets)
    assert any(targets & set(sounds) for sounds in found["clean"].pairs.table["sounds"])
    assert set(found["truly_clean"].pairs.table["clip"]) < set(found["clean"].pairs.table["clip"])
    again, other = (prepared(SYNTHETIC, None, "none-matched", seed=seed).pairs.table for seed in (0, 1))
    assert found["matched"].pairs.table.equals(again) and not again.equals(other)
    assert 0 < sum(bool(words & label_words([text])) for text in again["text"]) < len(again)


def test_targets_are_complete_classes_and_are_tested_on_folds_that_nothing_learns(tiny_esc50):
    sources = experiment.read_sources(REAL, tiny_esc50)
    assert sources.complete_classes == 6 and [len(group) for group in sources.groups] == [3, 3]
    assert "can opening" not in sum(sources.groups, [])
    found = prepared(REAL, tiny_esc50, "dirty-dirty", 0, missing=["esc50/1-1000-A-0"])
    tested = found.test.table
    assert len(tested) == 16 * 3 and set(tested["split"]) == {"4", "5"} and set(tested["text"]) == set(found.targets)
    assert set(found.targets) <= set(found.pairs.clips()["labels"].str[0])  # dirty: the targets' other folds
    assert found.pairs.table["clip"].value_counts().eq(3).all()  # captions a clip
    assert found.counts["missing_clips"] == 2000 - 244 and "esc50/1-1000-A-0" not in set(found.pairs.table["clip"])


@pytest.mark.parametrize(("classes", "sizes"), [(50, [10] * 5), (18, [9, 9]), (6, [6])])
def test_class_groups_share_the_classes_evenly(classes, sizes):
    names = [f"class {i}" for i in range(classes)]
    groups = experiment.class_groups(names, 10)
    assert [len(group) for group in groups] == sizes and sorted(sum(groups, [])) == sorted(names)
    assert groups == experiment.class_groups(names, 10) and (len(groups) == 1 or groups[0] != names[: sizes[0]])


def test_captions_from_labels_never_leak_by_themselves():
    words = label_words(load_labels("esc50"))
    assert not any(words & label_words([template.format("x")]) for template in experiment.TEMPLATES)
    made = experiment.label_captions(corpus(["a", "b"], labels=[["rain"], ["sea"]]), 4).table
    assert made["clip"].tolist() == ["a"] * 4 + ["b"] * 4 and made["text"].is_unique
    assert all(label in text for [label], text in zip(made["labels"], made["text"], strict=True))


def test_refuses_too_little_to_learn_from_or_to_test_on(tiny_esc50):
    sources = experiment.read_sources(REAL, tiny_esc50)
    others = list(sources.pretrain.table["clip"][~sources.pretrain.table["text"].isin(sources.groups[0])])
    with pytest.raises(ClapleakError, match="fewer than one batch of 4096; lower recipe.batch_size"):
        prepared(changed(REAL, recipe={"batch_size": 4096}), tiny_esc50, "clean-dirty", 0)
    with pytest.raises(ClapleakError, match="no clip is left for pre-training clean; add data to data.pretrain"):
        prepared(REAL, tiny_esc50, "clean-dirty", 0, missing=others)
    few = changed(SYNTHETIC, data={"foley": SYNTHETIC.data.foley.model_copy(update={"limit_classes": 4})})
    with pytest.raises(ClapleakError, match="2 classes are left to test on, at least 3 are needed"):
        prepared(few, None, "none-dirty")


def test_setups_are_in_the_paper_s_order_and_controls_beside_them():
    slugs = ["dirty-dirty", "clean-dirty", "none-dirty", "dirty-clean", "clean-clean", "none-clean"]
    assert [(s.slug, s.figure) for s in SETUPS] == list(zip(slugs, ["2a", "2b", "2c", "2d", "2e", "2f"], strict=True))
    every = [setup for several in (SETUPS, *CONTROLS.values()) for setup in several]
    assert all(Setup.parse(setup.slug) == setup for setup in every)
