"""The leak filter: traps of the paper's word rule, its laws, files of users, and the counts of the real corpora."""

import json
import re
import runpy
import sys

import numpy as np
import pandas as pd
import pytest
from helpers import corpus
from hypothesis import given
from hypothesis import strategies as some

from clapleak import leakage, texts
from clapleak.config import ClapleakError, find_root
from clapleak.setups import FILTERS

REFERENCE = find_root() / "reference"
ESC50 = leakage.load_labels("esc50")
MEANT = pd.read_csv(find_root() / "clapleak" / "corpora" / "esc50_audioset.csv", keep_default_na=False)
TRAPS = {  # rule -> text -> words and classes that leak
    "word": {
        "French horn": (["horn"], ["car horn"]), "Drum machine": (["machine"], ["washing machine"]),
        "Birds can be heard.": (["birds", "can"], ["chirping birds", "can opening"]),
        "A CAN rolls": (["can"], ["can opening"]), "a dog's bark": (["dog"], ["dog"]), "Cough": ([], []),
        "the door, the DOOR!": (["door"], ["door wood knock", "door wood creaks"]),
        "hand-held_saw": (["hand", "saw"], ["hand saw"]), "candle, dogs, catfish, carpet, rainy": ([], []),
        "eine Katze; un cañ": ([], []),  # a letter is a letter in any language
    },
    "phrase": {
        "French horn": ([], []), "Birds can be heard": ([], []), "scar hornet": ([], []), "horn of a car": ([], []),
        "Chirping birds can be heard": (["chirping", "birds"], ["chirping birds"]),
        "a car. Horn!": (["car", "horn"], ["car horn"]), "Rain on a car": (["rain"], ["rain"]),
    },
    "ontology": {
        "French horn": ([], []), "Cough": (["Cough"], ["coughing"]), "Bark": (["Bark"], ["dog"]),
        "Growling": (["Growling"], ["dog", "cat"]),  # below both
        "Chicken, rooster": (["Chicken, rooster"], ["rooster", "hen"]),
        "Chicken_and_rooster": (["Chicken, rooster"], ["rooster", "hen"]),  # as FSD50K writes it
        "Snort": (["Snort"], ["breathing"]), "Snort (horse)": ([], []),  # another class
        "Clicking": (["Clicking"], ["mouse click"]), "Clip-clop": ([], []),  # below Clicking, which is only wider
        "Animal": ([], []), "A dog": ([], []), "washing machine": ([], []),  # above dog; no label; AudioSet has none
    },
}  # fmt: skip


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule, traps in TRAPS.items() for text in traps])
def test_traps(rule, text):
    row = leakage.find_leaks([text], ESC50, rule).iloc[0]
    assert (row["words"], row["classes"]) == TRAPS[rule][text] and row["leaks"] == bool(row["words"])


@pytest.mark.parametrize(("text", "classes"), [
    ("un cafe\u0301", ["café"]), ("d\u00ado\u200b\u034fg", ["dog"]), ("\u2764\ufe0fdog\ufe0f", ["dog"]),
    ("\uff24\uff2f\uff27", ["dog"]),
    ("हिन्दी में", ["हिन्दी"]), ("हिन्द", []), ("ISTANBUL", ["İstanbul"]), ("istanbul, \u0130stanbul", ["İstanbul"]),
    ("do\u0332g", []), ("\ufb01re", ["fire"]), ("\u0301", []),
])  # fmt: skip
def test_a_letter_keeps_its_marks_and_what_is_not_seen_hides_nothing(text, classes):
    assert leakage.find_leaks([text], ["café", "dog", "हिन्दी", "İstanbul", "fire"])["classes"].tolist() == [classes]


def test_words_and_the_shape_of_what_is_found():
    with pytest.raises(ClapleakError, match="unknown labels 'dog.txt': use esc50, or texts.load_labels"):
        leakage.load_labels("dog.txt")
    assert leakage.label_words(["door_wood-knock", "Clock Alarm 2"]) == {"door", "wood", "knock", "clock", "alarm", "2"}
    assert len(ESC50) == 50 and ESC50[0] == "dog" and ESC50[49] == "hand saw"  # in the order of ESC-50's numbers
    leaks = leakage.find_leaks(pd.Series(["Growling", "speech"], index=[7, 3]), ["cat", "rain", "dog"], "ontology")
    assert list(leaks.index) == [7, 3] and list(leaks.columns) == ["leaks", "words", "classes"]
    assert leaks.loc[7, "classes"] == ["cat", "dog"]  # some classes of ESC-50, in their order
    assert leaks["leaks"].dtype == bool == leakage.find_leaks([], ESC50)["leaks"].dtype


@pytest.mark.parametrize(
    ("rows", "labels", "message"),
    [
        (["a", 3], ["dog"], "text 1"), (["a", float("nan")], ["dog"], "text 1"), ("a dog", ["dog"], "texts"),
        (["a"], "dog", "labels"), (["a"], [], "labels"), (["a"], ["dog", " - "], "' - '"),
        *((rows, ["dog"], "texts must be") for rows in (None, 3, b"dog", {"a": 1}, pd.DataFrame({"caption": ["dog"]}))),
        *((["a"], names, "labels must be") for names in (None, 3, b"dog", {"a": 1}, pd.DataFrame({"label": ["dog"]}))),
        (["a"], (name for name in ["dog"]), "labels must be"), (["a"], ["dog", 3], "label 3 holds no word"),
    ],
)  # fmt: skip
def test_refuses(rows, labels, message):
    with pytest.raises(ClapleakError, match=message) as caught:
        leakage.find_leaks(rows, labels)
    assert "\n" not in str(caught.value)


def test_by_meaning_texts_may_come_one_by_one_and_without_torch_the_rule_is_named(monkeypatch):
    monkeypatch.setattr(texts, "sentences", lambda rows: np.eye(2)[[int(row == "dog") for row in rows]])
    assert texts.find_leaks((text for text in ["a", "dog"]), ["dog"], "meaning")["leaks"].tolist() == [False, True]
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ClapleakError, match="the rule meaning needs torch: pip install"):
        texts.find_leaks(["a"], ["dog"], "meaning")


LINES = some.lists(
    some.lists(some.sampled_from("dog Dog, rain car horn door_wood knock dogs é -".split()), max_size=4).map(" ".join),
    min_size=1, max_size=12,
)  # fmt: skip
LABELS = some.lists(some.sampled_from(["dog", "car horn", "door wood knock", "rain"]), min_size=1, unique=True)


@given(LINES, LABELS, LABELS)
def test_more_labels_never_leak_less_and_a_phrase_leaks_by_word_too(lines, labels, more):
    few, many = (leakage.find_leaks(lines, names)["leaks"] for names in (labels, [*labels, *more]))
    assert (many | ~few).all()
    assert (few | ~leakage.find_leaks(lines, labels, "phrase")["leaks"]).all()


def leaking(table: pd.DataFrame, labels: list[str], *, sounds: bool, by_clip: bool) -> list[bool]:
    """Rows that leak by their captions, row by row as the text of the paper and of FILTERS says it."""
    words, rows = {word for label in labels for word in label.split()}, table.to_dict("records")
    own = [bool(words & set(re.findall(r"[^\W_]+", row["text"].lower()))) for row in rows]
    own = [leak or (sounds and bool({*row["sounds"]} & {*labels})) for leak, row in zip(own, rows, strict=True)]
    gone = {row["clip"] for leak, row in zip(own, rows, strict=True) if leak}
    return [row["clip"] in gone for row in rows] if by_clip else own


@given(LINES, LABELS, some.sampled_from(sorted(FILTERS)), some.integers(0, 3))
def test_the_filter_is_exact_repeatable_and_leaves_no_whole_word(lines, labels, name, seed):
    clips = [f"clip {i // 2}" for i in range(len(lines))]  # two captions each
    whole = corpus(clips, text=lines, sounds=[["dog"] if i % 4 < 2 else [] for i in range(len(lines))])
    kept, rule = leakage.filtered(whole, labels, name, on="text", seed=seed), FILTERS[name]
    assert kept.table.equals(leakage.filtered(whole, labels[::-1], name, on="text", seed=seed).table)
    leaks = leaking(whole.table, labels, sounds=rule.sounds, by_clip=rule.by_clip)
    assert len(kept) == leaks.count(False) + round((rule.share or 0) * sum(leaks))
    if rule.share == 0:
        assert kept.table.equals(whole.table[~np.array(leaks)].reset_index(drop=True))
        assert kept.table.equals(leakage.filtered(kept, labels, name, on="text", seed=seed).table)  # nothing more goes


def test_pre_training_goes_by_clip_and_judges_every_label():
    labels = [["Speech", "Dog"], ["Speech"], ["Bark"], ["Speech", "Music"], []]
    clips = corpus(["1", "1", "2", "3", "4"], labels=labels)
    assert list(leakage.filtered(clips, ["dog"], "clean", on="labels").table["clip"]) == ["2", "3", "4"]
    by_meaning = leakage.filtered(clips, ["dog"], "clean", on="labels", rule="ontology")
    assert list(by_meaning.table["clip"]) == ["3", "4"] and list(by_meaning.table.index) == [0, 1]
    with pytest.raises(ClapleakError, match="judges labels, not captions"):
        leakage.filtered(clips, ["dog"], "clean", on="text", rule="ontology")
    with pytest.raises(ClapleakError, match=r"corpus made: .*use clean, not truly_clean"):
        leakage.filtered(clips, ["dog"], "truly_clean", on="labels")


def test_counts_by_class_and_word():
    counts = texts.count(leakage.find_leaks(["a dog in the rain", "dog", "a door", "speech"], ESC50))
    total, by_class, by_word = ([line.split(None, 1) for line in part.splitlines()] for part in counts.split("\n\n"))
    assert total == [["3", "of 4 texts leak (75.0%)"]]
    assert by_word[1:] == [["2", "dog"], ["1", "door"], ["1", "rain"]]
    assert by_class[1:] == [["2", "dog"], ["1", "door wood creaks"], ["1", "door wood knock"], ["1", "rain"]]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"caption\na dog\n\nrain\n", [(1, "a dog"), (2, "rain")]),
        (b'id,Caption\n1,"a dog, barking"\n2,\n', [(1, "a dog, barking")]),
        (b"file_name,caption_1,caption_2\nx.wav,one,two\ny.wav,,four\n", [(1, "one"), (1, "two"), (2, "four")]),
        (b'fname,labels,split\n1,"Car_horn,Speech",dev\n', [(1, "Car horn"), (1, "Speech")]),
        (b'index,mid,display_name\n0,/m/1,"Male speech, man speaking"\n', [(1, "Male speech, man speaking")]),
        (b"text,labels\na,b\n", [(1, "a")]), (b"\xef\xbb\xbfcaption\na\n", [(1, "a")]),
        (b",caption\n0,a\n1,b\n", [(1, "a"), (2, "b")]),
        (b"a,caption\nx\ny,z\n", [(2, "z")]), ("caption\ncafé\n".encode("iso-8859-1"), [(1, "café")]),
    ],
)  # fmt: skip
def test_texts_of_a_user_are_read_from_every_usual_table(tmp_path, content, rows):
    (tmp_path / "texts.csv").write_bytes(content)
    assert list(texts.read_texts(tmp_path / "texts.csv").itertuples(index=False, name=None)) == rows


@pytest.mark.parametrize(("name", "content"), [
    ("a.txt", b"\xef\xbb\xbfcaf\xc3\xa9\r\n\r\n  car horn \r\n"), ("a", "café\ncar horn".encode()),
    ("a.tsv", "x\tLabel\n1\tcafé\n2\tcar_horn\n".encode()),
    ("a.csv", "label\ncafé\ncar_horn\ncafé\n".encode("latin-1")),
    ("a.jsonl", '\ufeff{"name": "café"}\n{"name": "car horn"}\n'.encode()),
])  # fmt: skip
def test_labels_of_a_user_are_read_from_every_usual_table_and_list(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert texts.load_labels(tmp_path / name) == ["café", "car horn"]


def test_the_meant_classes_are_just_what_lies_below_in_audioset_s_ontology(real_data):
    nodes = json.loads((real_data / "metadata" / "audioset" / "ontology.json").read_text(encoding="utf-8"))
    children, names = ({node["id"]: node[key] for node in nodes} for key in ("child_ids", "name"))

    def below(mid: str) -> set[str]:
        return set(children[mid]).union(*map(below, children[mid]))

    assert set(MEANT["name"]) == set(ESC50)
    shown = MEANT[MEANT["mid"] != ""]
    for name, rows in shown.groupby("name"):
        by = {relation: set(part["mid"]) for relation, part in rows.groupby("relation")}
        same = by.get("same", set())
        assert by.get("below", set()) == set().union(*map(below, same)) - same, name
    assert (shown["label"] == shown["mid"].map(names)).all()
    vocabulary = pd.read_csv(real_data / "metadata" / "fsd50k" / "vocabulary.csv", header=None)
    leaks = leakage.find_leaks(vocabulary[1], ESC50, "ontology")["leaks"]  # FSD50K's labels, by their AudioSet id
    assert (leaks == vocabulary[2].isin(MEANT["mid"])).all() and 50 < leaks.sum() < 150


def test_the_rules_differ_just_where_a_person_judged_a_hit_to_be_false():
    judged = pd.read_csv(REFERENCE / "leak_judgements.csv")
    hits = {rule: leakage.find_leaks(judged["label"], ESC50, rule)["leaks"] for rule in ("word", "ontology")}
    assert (hits["word"] == (judged["judgement"] == "false hit")).all() and (hits["ontology"] != hits["word"]).all()


@pytest.mark.slow
def test_counts_of_the_real_corpora(real_data):
    script, metadata = runpy.run_path(str(REFERENCE / "count_leaks.py")), real_data / "metadata"
    tables = (*script["counts"](metadata), script["survivors"](metadata), script["overlaps"](metadata))
    for table, name in zip(tables, ("counts", "words", "classes", "survivors", "overlaps"), strict=True):
        pd.testing.assert_frame_equal(table, pd.read_csv(REFERENCE / f"leak_{name}.csv"))
