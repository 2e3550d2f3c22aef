"""The reader of ESC-50, and what a class-split profile makes of it."""

import pandas as pd
import pytest

from clapleak import task
from clapleak.audio import open_store
from clapleak.config import ClapleakError, Setup, load_profile
from clapleak.datasets import load
from clapleak.leakage import label_words


@pytest.fixture
def profile():
    """The esc50 profile, small enough for the tiny layout."""
    full = load_profile("esc50")
    data = full.data.model_copy(update={"class_groups": full.data.class_groups.model_copy(update={"size": 2})})
    recipe = full.recipe.model_copy(update={"batch_size": 16})
    audio = full.audio.model_copy(update={"sample_rate": 8000, "f_max": 4000.0})
    return full.model_copy(update={"data": data, "recipe": recipe, "audio": audio})


def test_names_and_recordings(tiny_esc50):
    corpus = load("esc50", tiny_esc50)
    assert len(corpus) == 125
    row = corpus.table.set_index("clip").loc["esc50/1-1000-A-1"]
    assert row["text"] == "door wood knock" and row["labels"] == ["door wood knock"]
    assert row["recording"] == "freesound/1000" and row["split"] == "1"
    assert len(load("esc50", tiny_esc50.parent, split="4")) == 25  # the folder above the layout does as well


def test_a_file_that_is_gone_stays_in_the_table(tiny_esc50):
    (tiny_esc50 / "audio" / "1-0-A-0.wav").unlink()
    corpus = load("esc50", tiny_esc50)
    assert corpus.table.set_index("clip").loc["esc50/1-0-A-0", "path"] == "audio/1-0-A-0.wav"


def test_wrong_roots_and_tables_are_refused(tiny_esc50, tmp_path, monkeypatch):
    monkeypatch.delenv("CLAPLEAK_DATA", raising=False)
    with pytest.raises(ClapleakError, match="give --data-root"):
        load("esc50", None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ClapleakError, match="no meta/esc50.csv"):
        load("esc50", tmp_path / "empty")
    with pytest.raises(ClapleakError, match="unknown corpus 'esc10'"):
        load("esc10", tiny_esc50)
    path = tiny_esc50 / "meta" / "esc50.csv"
    whole = pd.read_csv(path)
    whole.drop(columns="category").to_csv(path, index=False)
    with pytest.raises(ClapleakError, match="esc50.csv: columns missing: category"):
        load("esc50", tiny_esc50)
    pd.concat([whole, whole[:1]]).to_csv(path, index=False)
    with pytest.raises(ClapleakError, match="is listed twice"):
        load("esc50", tiny_esc50)


@pytest.mark.parametrize(("classes", "sizes"), [(50, [10] * 5), (18, [9, 9]), (6, [6])])
def test_class_groups_share_the_classes_evenly(classes, sizes):
    groups = task.class_groups([f"class {i}" for i in range(classes)], 10)
    assert [len(group) for group in groups] == sizes
    assert sorted(sum(groups, [])) == sorted(f"class {i}" for i in range(classes))
    assert groups == task.class_groups([f"class {i}" for i in range(classes)], 10)


def prepared(profile, root, tmp_path, slug, group=0, allow_missing=False):
    world = task.world(profile, root)
    store = open_store(world.corpora(), profile.audio, tmp_path / "store")
    return world, task.prepare(world, profile, Setup.parse(slug), group, store, allow_missing=allow_missing)


def test_incomplete_classes_are_never_targets_and_missing_clips_are_counted(profile, tiny_esc50, tmp_path):
    world, found = prepared(profile, tiny_esc50, tmp_path, "dirty-dirty")
    assert world.complete_classes == 3
    assert "can opening" not in sum(world.groups, [])
    assert found.counts["missing_clips"] == 2000 - 125


def test_test_clips_are_the_held_out_folds_and_never_trained_on(profile, tiny_esc50, tmp_path):
    _, found = prepared(profile, tiny_esc50, tmp_path, "dirty-dirty")
    tested = set(found.test.table["clip"])
    assert len(tested) == 16 * len(found.targets)
    assert set(found.test.table["split"]) == {"4", "5"}
    assert tested.isdisjoint(found.pretrain.table["clip"]) and tested.isdisjoint(found.pairs.table["clip"])
    assert set(found.targets) <= set(found.pairs.clips()["labels"].str[0])  # dirty: the targets' other folds


def test_clean_data_hold_no_word_of_a_target(profile, tiny_esc50, tmp_path):
    small = profile.model_copy(update={"recipe": profile.recipe.model_copy(update={"batch_size": 4})})
    _, found = prepared(small, tiny_esc50, tmp_path, "clean-clean")
    words = label_words(found.targets)
    assert not any(words & set(text.split()) for text in found.pairs.table["text"])
    assert not any(words & set(label.split()) for labels in found.pretrain.table["labels"] for label in labels)
    assert found.counts["pairs_removed"] > 0 and found.counts["pretrain_removed"] > 0


def test_caption_templates_never_leak_by_themselves():
    words = label_words([name.replace("_", " ") for name in load_names()])
    assert not any(words & set(template.replace("{}", "").split()) for template in task.TEMPLATES)


def load_names() -> list[str]:
    from clapleak.leakage import load_labels

    return load_labels("esc50")


def test_unusable_clips_stop_the_run_unless_allowed(profile, tiny_esc50, tmp_path):
    (tiny_esc50 / "audio" / "1-0-A-0.wav").unlink()
    (tiny_esc50 / "audio" / "2-1-A-0.wav").write_text("no sound")
    with pytest.raises(ClapleakError, match=r"2 clips cannot be used.*1-0-A-0.wav \(missing\).*--allow-missing"):
        prepared(profile, tiny_esc50, tmp_path, "dirty-dirty")
    _, found = prepared(profile, tiny_esc50, tmp_path, "dirty-dirty", allow_missing=True)
    assert found.counts["missing_clips"] == 2000 - 123
    assert "esc50/1-0-A-0" not in set(found.pairs.table["clip"])


def test_unknown_group_and_too_few_pairs_are_refused(profile, tiny_esc50, tmp_path):
    with pytest.raises(ClapleakError, match="class groups 0 to 1; group is 7"):
        prepared(profile, tiny_esc50, tmp_path, "dirty-dirty", group=7)
    big = profile.model_copy(update={"recipe": profile.recipe.model_copy(update={"batch_size": 4096})})
    with pytest.raises(ClapleakError, match="fewer than one batch of 4096"):
        prepared(big, tiny_esc50, tmp_path, "dirty-dirty")


def test_real_clips_make_two_groups_of_nine(real_data):
    world = task.world(load_profile("esc50"), real_data)
    assert world.complete_classes == 18
    assert [len(group) for group in world.groups] == [9, 9]
    assert len(world.test.clips()) == 985
