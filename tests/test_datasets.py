"""Readers of the official layouts: tiny copies, real samples and tables, and everything that can be wrong with them."""

import json
from pathlib import Path

import official_layouts as layouts
import pandas as pd
import pytest

from clapleak import leakage
from clapleak.config import ClapleakError
from clapleak.datasets import SOURCES, find, load
from clapleak.datasets.corpus import COLUMNS, read_csv

ESC50 = leakage.load_labels("esc50")
SHORT = {"seconds": (0.2, 0.3), "rate": 8000}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """A data root with all six corpora; tests of bad input make their own copy of one."""
    return layouts.everything(tmp_path_factory.mktemp("data"), **SHORT)


def row(corpus, clip: str) -> pd.Series:
    return corpus.table.set_index("clip").loc[clip]


@pytest.mark.parametrize(
    ("name", "rows", "clips"),
    [("esc50", 50, 50), ("clotho", 120, 24), ("audiocaps", 56 - 16 + 80, 56), ("macs", 42, 12), ("fsd50k", 50, 50),
     ("audioset", 100, 100)],
)  # fmt: skip
def test_a_corpus_is_found_below_the_data_root_and_read_whole(tiny, name, rows, clips):
    corpus = load(name, tiny)
    assert (len(corpus), len(corpus.clips())) == (rows, clips)
    assert corpus.name == name and corpus.root == find(name, corpus.root)  # the corpus's own root does as well
    assert set(corpus.table.columns) == set(COLUMNS)
    assert corpus.table.index.equals(pd.RangeIndex(rows))
    assert all((corpus.root / path).is_file() for path in corpus.table["path"])
    assert (corpus.table["offset"] == 0).all()
    assert all(isinstance(labels, list) for labels in corpus.table["labels"])


@pytest.mark.parametrize(
    ("name", "split", "rows"),
    [("clotho", "validation", 40), ("audiocaps", "train", 40), ("audiocaps", "test", 40), ("fsd50k", "train", 32),
     ("fsd50k", "val", 8), ("fsd50k", "dev", 40), ("fsd50k", "eval", 10), ("audioset", "balanced_train", 40),
     ("audioset", "eval", 20), ("macs", "all", 42), ("esc50", "1", 50)],
)  # fmt: skip
def test_splits_have_the_names_of_the_corpus(tiny, name, split, rows):
    table = load(name, tiny, split).table
    assert len(table) == rows
    assert set(table["split"]) == ({"train", "val"} if split == "dev" else {split})


def test_unknown_splits_are_refused_with_the_known_ones(tiny):
    with pytest.raises(ClapleakError, match="unknown split 'dev' of clotho: known are development, validation"):
        load("clotho", tiny, "dev")


def test_clotho_takes_the_freesound_id_from_the_latin_metadata(tiny):
    rows = row(load("clotho", tiny), "clotho/validation/ Café 1 .wav")
    assert len(rows) == 5 and set(rows["recording"]) == {"freesound/7009"}
    assert set(rows["text"]) == {layouts.caption(9 * 5 + k) for k in range(5)}
    assert rows["duration"].isna().all() and not any(rows["labels"])


def test_clotho_without_an_id_names_the_file_as_recording(tmp_path):
    root = layouts.clotho(tmp_path, clips=3, **SHORT)
    metadata = root / "clotho_csv_files" / "clotho_metadata_development.csv"
    layouts.edit(metadata, "7002,", "Not found,", encoding="iso-8859-1")
    metadata.with_name("clotho_metadata_validation.csv").unlink()
    recordings = load("clotho", tmp_path).clips().set_index("clip")["recording"]
    assert recordings["clotho/development/file 0.wav"] == "freesound/7000"
    assert recordings["clotho/development/file 2.wav"] == "clotho/development/file 2.wav"
    assert recordings["clotho/validation/file 0.wav"] == "clotho/validation/file 0.wav"


def test_audiocaps_is_named_by_video_and_start(tiny):
    first = row(load("audiocaps", tiny), "audiocaps/-tr_0000003_30")
    assert first["path"] == "audio_32000Hz/train/-tr_0000003_30.flac"
    assert first["recording"] == "youtube/-tr_0000003" and first["duration"] == 10 and first["labels"] == []


def test_audiocaps_may_be_wav(tmp_path):
    root = layouts.audiocaps(tmp_path, clips=5, **SHORT)
    flac = root / "audio_32000Hz" / "train" / "-tr_0000000_0.flac"
    flac.rename(flac.with_suffix(".wav"))
    paths = load("audiocaps", tmp_path, "train").table["path"]
    assert paths[0].endswith("_0.wav") and paths[1].endswith("_10.flac")


def test_macs_keeps_the_tags_of_each_annotator(tiny):
    rows = row(load("macs", tiny), "macs/airport-lisbon-1003-3-a")
    assert len(rows) == 5
    assert rows["labels"].tolist()[:2] == [["footsteps"], ["footsteps", "adults talking"]]
    assert set(rows["recording"]) == {"tau/airport-lisbon-1003-3-a"}


def test_fsd50k_takes_title_and_description_or_else_the_labels(tiny):
    table = load("fsd50k", tiny, "dev").table
    assert table["text"][0] == f"take 0. {layouts.caption(0)}. more"  # no suffix, no markup, no line break
    assert table["text"][3] == "Bowed string instrument" and table["labels"][3] == ["Bowed string instrument"]
    assert table["recording"][0] == "freesound/10"


def test_fsd50k_descriptions_lose_markup_and_addresses(tmp_path):
    root = layouts.fsd50k(tmp_path, clips=2, **SHORT)
    path = root / "FSD50K.metadata" / "dev_clips_info_FSD50K.json"
    info = json.loads(path.read_text())
    info["10"] |= {"title": "my_dog.WAV", "description": "Bark &amp; growl,\r\n see http://a.b/c <b>now</b>"}
    info["11"] |= {"title": " ", "description": None}
    path.write_text(json.dumps(info))
    assert load("fsd50k", tmp_path, "dev").table["text"].tolist() == [
        "my dog. Bark & growl, see now",
        "Speech, Writing",
    ]
    path.unlink()
    assert load("fsd50k", tmp_path, "dev").table["text"].tolist() == ["Dog", "Speech, Writing"]


def test_audioset_finds_the_three_usual_names_in_any_folder(tmp_path):
    root = layouts.audioset(tmp_path, clips=3, **SHORT)
    (root / "audio" / "balanced_train").rename(root / "balanced_train")
    table = load("audioset", tmp_path, "balanced_train").table
    names = ["-b_00000000.wav", "-b_00000001.flac", "Y-b_00000002.wav"]
    assert table["path"].tolist() == [f"balanced_train/{name}" for name in names]
    assert table["clip"][2] == "audioset/-b_00000002" and table["recording"][2] == "youtube/-b_00000002"
    assert table["labels"][1] == ["Speech", "Writing"] and table["text"][1] == "Speech, Writing"
    assert table["offset"].eq(0).all() and table["duration"].eq(10).all()


@pytest.mark.parametrize(
    ("name", "file", "path"),
    [("clotho", "clotho_audio_files/evaluation/file 0.wav", None), ("fsd50k", "FSD50K.dev_audio/10.wav", None),
     ("macs", "audio/airport-lisbon-1000-0-a.wav", None), ("audiocaps", "audio_32000Hz/val/-va_0000000_0.flac", None),
     ("audioset", "audio/eval/-e_00000001.flac", "audio/eval/-e_00000001.wav")],
)  # fmt: skip
def test_absent_files_stay_in_the_table(tmp_path, name, file, path):
    root = layouts.CORPORA[name](tmp_path, clips=5, **SHORT)
    rows = len(load(name, tmp_path))
    (root / file).unlink()
    table = load(name, tmp_path).table
    assert len(table) == rows and (path or file) in set(table["path"])


def test_the_leak_filter_leaves_some_of_every_tiny_corpus(tiny):
    for name in layouts.CORPORA:
        kept, removed = leakage.clean(load(name, tiny), ESC50)
        assert len(removed) > 0, name
        assert len(kept) > 0 or name == "esc50", name
    kept, removed = leakage.clean(load("audioset", tiny), ESC50, on="labels")
    assert len(kept) == len(removed) == 50


CLOTHO_CSV = "clotho_csv_files/clotho_captions_validation.csv"
# What can be wrong: corpus, file, pattern, replacement, message
BROKEN = [
    ("clotho", CLOTHO_CSV, "file 0.wav", "file 2.wav", "file 2.wav is listed twice"),
    ("clotho", CLOTHO_CSV, "caption_3", "text", "columns missing: caption_3"),
    ("clotho", CLOTHO_CSV, r"file 0.wav,[^,]*,", "file 0.wav,,",
     "caption_1 of file 0.wav has an empty caption"),
    ("clotho", CLOTHO_CSV, r"file 0.wav,[^,]*,", "file 0.wav,17,",
     "caption_1 of file 0.wav has a caption that is not text"),
    ("clotho", CLOTHO_CSV, r"(file 0.wav,[^\n]*)\n", r"\1,more\n", "not a readable CSV"),
    ("audiocaps", "csv_files_v1/val.csv", r"\n\d+,", "\n7,", None),
    ("audiocaps", "csv_files_v1/val.csv", "youtube_id", "ytid", "columns missing: youtube_id"),
    ("audiocaps", "csv_files_v1/val.csv", r"(_0000000,0),[^\n]*", r"\1,  ", "has an empty caption"),
    ("audiocaps", "csv_files_v1/val.csv", r"(_0000000,0),[^\n]*", r"\1", "has an empty caption"),
    ("macs", "MACS.yaml", "airport-lisbon-1001-1", "airport-lisbon-1000-0", "lisbon-1000-0-a.wav is listed twice"),
    ("macs", "MACS.yaml", "sentence: .*", "sentence: 12",
     "caption 1 of airport-lisbon-1000-0-a.wav has a caption that is not text"),
    ("macs", "MACS.yaml", "sentence: .*", "sentence:", "has a caption that is not text"),
    ("macs", "MACS.yaml", "sentence: .*", "sentence: ''", "has an empty caption"),
    ("macs", "MACS.yaml", "sentence", "caption", r"not the YAML of MACS \(KeyError: 'sentence'\)"),
    ("macs", "MACS.yaml", "files:", "files: [", "MACS.yaml: not the YAML of MACS"),
    ("fsd50k", "FSD50K.ground_truth/dev.csv", "\n12,", "\n11,", "dev.csv: 11 is listed twice"),
    ("fsd50k", "FSD50K.ground_truth/dev.csv", "Dog", "Dogfish", "dev.csv: label Dogfish is not in the vocabulary"),
    ("fsd50k", "FSD50K.ground_truth/dev.csv", "split", "part", "columns missing: split"),
    ("fsd50k", "FSD50K.ground_truth/dev.csv", "13,Bowed_string_instrument", "13,", "dev.csv: 13 has an empty caption"),
    ("fsd50k", "FSD50K.metadata/dev_clips_info_FSD50K.json", r"\{", "[", "not the clip information of FSD50K"),
    ("audioset", "balanced_train_segments.csv", "-b_00000001", "-b_00000000", "-b_00000000 is listed twice"),
    ("audioset", "balanced_train_segments.csv", "/m/0bt9lr", "/m/nothing", "label /m/nothing is not in the vocabulary"),
    ("audioset", "balanced_train_segments.csv", "10.000", "start", "-b_00000000 does not end after its start"),
    ("audioset", "balanced_train_segments.csv", r', "[^"]*"\n', "\n", "-b_00000000 has an empty caption"),
    ("audioset", "class_labels_indices.csv", "mid", "id", "columns missing: mid"),
    ("esc50", "meta/esc50.csv", "1-1001-A-1.wav", "1-1000-A-0.wav", "1-1000-A-0 is listed twice"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "file", "pattern", "replacement", "message"), BROKEN)
def test_damaged_tables_are_refused_in_one_line(tmp_path, name, file, pattern, replacement, message):
    root = layouts.CORPORA[name](tmp_path, clips=5, **SHORT)
    layouts.edit(root / file, pattern, replacement, count=2 if message is None else 1)
    with pytest.raises(ClapleakError, match=message or "audiocap_id 7 is listed twice") as error:
        load(name, tmp_path)
    assert "\n" not in str(error.value) and str(tmp_path) in str(error.value)


@pytest.mark.parametrize(
    ("name", "file", "what"),
    [("clotho", CLOTHO_CSV, "caption_1 of file 0.wav"),
     ("audiocaps", "csv_files_v1/train.csv", "audiocap_id"), ("macs", "MACS.yaml", "caption 1 of airport")],
)  # fmt: skip
def test_captions_that_are_not_utf8_are_named(tmp_path, name, file, what):
    path = layouts.CORPORA[name](tmp_path, clips=5, **SHORT) / file
    path.write_bytes(path.read_bytes().replace(b"A dog barks", b"Un caf\xe9", 1).replace(b"People", b"Caf\xe9", 1))
    with pytest.raises(ClapleakError, match=f"{what}.*is not UTF-8"):
        load(name, tmp_path)


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    root = layouts.audiocaps(tmp_path, clips=5, **SHORT)
    path = root / "csv_files_v1" / "train.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(load("audiocaps", tmp_path, "train")) == 5


def test_rows_longer_than_the_header_are_not_cut_in_silence(tmp_path):
    (tmp_path / "x.csv").write_text("id,caption\n1,a dog, barking\n2,rain, falling\n")
    with pytest.raises(ClapleakError, match="x.csv: not a readable CSV"):
        read_csv(tmp_path / "x.csv", ["id", "caption"])


def test_a_root_without_the_layout_is_refused(tmp_path):
    for name, source in SOURCES.items():
        with pytest.raises(ClapleakError, match=f"no {source.marker} here or in {source.folders[0]}"):
            load(name, tmp_path)
    (tmp_path / "CLOTHO_v2.1" / "clotho_csv_files").mkdir(parents=True)
    with pytest.raises(ClapleakError, match="clotho_captions_development.csv: no such file"):
        load("clotho", tmp_path)


# --- real samples and the real tables


def test_real_clotho_sample(real_data):
    corpus = load("clotho", real_data / "samples", "validation")
    assert (len(corpus), len(corpus.clips())) == (45, 9)
    assert all((corpus.root / path).is_file() for path in corpus.table["path"])
    assert (corpus.table["recording"] == corpus.table["clip"]).all()  # this copy lacks the metadata


def test_real_fsd50k_sample(real_data):
    corpus = load("fsd50k", real_data / "samples")
    assert len(corpus) == 16 and all((corpus.root / path).is_file() for path in corpus.table["path"])
    guitar = row(corpus, "fsd50k/64760")
    assert guitar["labels"][:2] == ["Electric guitar", "Guitar"] and guitar["recording"] == "freesound/64760"
    assert guitar["text"].startswith("Electric guitar, Guitar, ")  # this copy lacks titles and descriptions


@pytest.fixture(scope="module")
def tables(real_data, tmp_path_factory) -> Path:
    """The real tables, without sounds, at their places in the official layouts."""
    root, metadata = tmp_path_factory.mktemp("tables"), real_data / "metadata"
    places = {
        "audiocaps": "AUDIOCAPS/csv_files_v1", "clotho": "CLOTHO_v2.1/clotho_csv_files", "audioset": "AUDIOSET",
        "fsd50k": "FSD50K/FSD50K.ground_truth",
    }  # fmt: skip
    for name, place in places.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).symlink_to(metadata / name)
    return root


@pytest.mark.parametrize(
    ("name", "split"),
    [("audiocaps", "train"), ("audiocaps", "val"), ("clotho", "development"), ("clotho", "validation"),
     ("fsd50k", "train"), ("fsd50k", "val"), ("audioset", "balanced_train")],
)  # fmt: skip
def test_real_tables_have_the_expected_counts(tables, name, split):
    corpus = load(name, tables, split)
    assert (len(corpus), len(corpus.clips())) == SOURCES[name].counts[split]


def test_the_word_rule_removes_as_many_real_pairs_as_counted(tables):
    removed = {
        (name, split, on): len(leakage.clean(load(name, tables, split), ESC50, on=on)[1])
        for name, split, on in [
            ("audiocaps", "train", "text"), ("clotho", "development", "text"), ("fsd50k", "dev", "labels"),
            ("audioset", "balanced_train", "labels"), ("audioset", "balanced_train", "text"),
        ]
    }  # fmt: skip
    assert list(removed.values()) == [28768, 10411, 15555, 5267, 5267]
    corpus = load("clotho", tables, "development")
    leaking = leakage.clean(corpus, ESC50)[1]
    assert leaking.table["clip"].nunique() == 3064


def test_real_esc50_shares_recordings_with_fsd50k(tables, real_data):
    fsd50k = set(load("fsd50k", tables, "dev").table["recording"])
    full = read_csv(real_data / "metadata" / "esc50" / "esc50.csv", ["src_file"])
    assert ("freesound/" + full["src_file"]).isin(fsd50k).sum() == 459
