"""Readers of the official layouts: tiny copies, real samples and tables, and everything that can be wrong with them."""

import json
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace

import official_layouts as layouts
import pandas as pd
import pytest

from clapleak import corpora, leakage
from clapleak.config import ClapleakError
from clapleak.corpora import SOURCES, Corpus, find, load
from clapleak.corpora.table import COLUMNS

SHORT = {"seconds": (0.2, 0.3), "rate": 8000}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """A data root with all six corpora; tests of bad input make their own copy of one."""
    return layouts.everything(tmp_path_factory.mktemp("data"), **SHORT)


@pytest.mark.parametrize(("name", "rows", "clips", "splits"), [
    ("esc50", 50, 50, {"1": 50}), ("clotho", 120, 24, {"validation": 40}), ("macs", 42, 12, {"all": 42}),
    ("audiocaps", 120, 56, {"train": 40, "test": 40}), ("audioset", 100, 100, {"balanced_train": 40, "eval": 20}),
    ("fsd50k", 50, 50, {"train": 32, "val": 8, "dev": 40, "eval": 10}),
])  # fmt: skip
def test_a_corpus_is_found_below_the_data_root_and_read_whole(tiny, name, rows, clips, splits):
    corpus = load(name, tiny)
    table = corpus.table
    assert (len(corpus), len(corpus.clips()), corpus.name) == (rows, clips, name)
    assert corpus.root == find(name, corpus.root)  # the corpus's own root does as well
    assert set(table.columns) == set(COLUMNS) and table.index.equals(pd.RangeIndex(rows))
    assert all((corpus.root / path).is_file() for path in table["path"]) and (table["offset"] == 0).all()
    known = name == "esc50"  # captions do not say everything that sounds, and labels of others use other names
    assert table["sounds"].tolist() == (table["labels"].tolist() if known else [None] * rows)
    kept = leakage.filtered(corpus, leakage.load_labels("esc50"), "clean", on="text")
    assert len(kept) < rows and (len(kept) > 0 or name == "esc50")  # so that tests of the filter see both
    for split, number in splits.items():
        part = load(name, tiny, split).table["split"]
        assert len(part) == number and set(part) == ({"train", "val"} if split == "dev" else {split})


# One clip of each layout with what it must say: labels and texts in the spelling of the corpus
CLIPS = {
    "esc50/1-1030-A-30": {"text": "door wood knock", "labels": ["door wood knock"], "recording": "freesound/1030",
        "path": "audio/1-1030-A-30.wav", "duration": 5},
    "clotho/validation/ Café 1 .wav": {"recording": "freesound/7009", "labels": [], "text": layouts.caption(45)},
    "audiocaps/-tr_0000003_30": {"path": "audio_32000Hz/train/-tr_0000003_30.flac", "duration": 10, "labels": [],
        "recording": "youtube/-tr_0000003"},
    "macs/airport-lisbon-1003-3-a": {"labels": ["footsteps"], "recording": "tau/airport-lisbon-1003-3-a"},
    "fsd50k/10": {"text": f"take 0. {layouts.caption(0)}. more", "labels": ["Dog"], "recording": "freesound/10"},
    "audioset/-b_00000002": {"text": "Rain, Engine", "labels": ["Rain", "Engine"], "duration": 10,
        "path": "audio/balanced_train/Y-b_00000002.wav", "recording": "youtube/-b_00000002"},
}  # fmt: skip


@pytest.mark.parametrize(("clip", "said"), CLIPS.items())
def test_a_clip_says_what_its_corpus_says(tiny, clip, said):
    row = load(clip.partition("/")[0], tiny).clips().set_index("clip").loc[clip]
    assert row[list(said)].to_dict() == said


def test_what_the_layouts_of_clotho_macs_and_fsd50k_need_beyond_one_row_a_clip(tmp_path):
    clotho, macs, fsd50k = (make(tmp_path, clips=3, **SHORT) for make in (layouts.clotho, layouts.macs, layouts.fsd50k))
    layouts.edit(clotho / "clotho_csv_files" / "clotho_metadata_development.csv", "7002,", "Not found,", 1, "latin-1")
    (clotho / "clotho_csv_files" / "clotho_metadata_validation.csv").unlink()
    table = load("clotho", tmp_path).table.set_index("clip")
    assert set(table.loc["clotho/validation/file 2.wav", "text"]) == {layouts.caption(25 + k) for k in range(5)}
    recordings = table["recording"].groupby("clip").first()
    assert recordings["clotho/development/file 0.wav"] == "freesound/7000"
    assert all(recordings[clip] == clip for clip in ("clotho/development/file 2.wav", "clotho/validation/file 0.wav"))
    tags = load("macs", tmp_path).table.set_index("clip").loc["macs/airport-lisbon-1002-2-a", "labels"].tolist()
    assert tags == [["footsteps"], ["footsteps", "adults talking"]] * 2
    path = fsd50k / "FSD50K.metadata" / "dev_clips_info_FSD50K.json"
    info = json.loads(path.read_text())
    info["10"] |= {"title": "my_dog.WAV", "description": "Bark &amp; growl,\r\n see http://a.b/c <b>now</b>"}
    info["11"] |= {"title": " ", "description": None}
    path.write_text(json.dumps(info))
    described = load("fsd50k", tmp_path, "dev").table["text"].tolist()
    path.unlink()
    labelled = load("fsd50k", tmp_path, "dev").table["text"].tolist()
    assert described[:2] == ["my dog. Bark & growl, see now", labelled[1]]
    assert labelled[:2] == ["Dog", "Speech, Writing"]


MOVES = [  # corpus, file or folder, where it goes below the corpus's root, path that the table must then hold
    *((name, file, "gone", None) for name, file in [
        ("clotho", "clotho_audio_files/evaluation/file 0.wav"), ("fsd50k", "FSD50K.dev_audio/10.wav"),
        ("macs", "audio/airport-lisbon-1000-0-a.wav"), ("esc50", "audio/1-1000-A-0.wav"),
        ("audiocaps", "audio_32000Hz/val/-va_0000000_0.flac")]),
    ("audiocaps", "audio_32000Hz/val/-va_0000000_0.flac", "audio_32000Hz/val/-va_0000000_0.wav", "moved"),
    ("audioset", "audio/eval/-e_00000001.flac", "gone", "audio/eval/-e_00000001.wav"),
    ("audioset", "audio/eval/-e_00000001.flac", "audios/a/b/Y-e_00000001.WAV", "moved"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "file", "to", "path"), MOVES)
def test_files_may_be_absent_or_stand_elsewhere_and_no_row_is_lost(tmp_path, name, file, to, path):
    root = layouts.CORPORA[name](tmp_path, clips=5, **SHORT)
    rows = len(load(name, tmp_path))
    (root / to).parent.mkdir(parents=True, exist_ok=True)
    (root / file).rename(root / to)
    for link in ("a", "b"):  # that lead in circles
        (root / to).with_name(link).symlink_to((root / to).parent, target_is_directory=True)
    table = load(name, tmp_path).table
    assert len(table) == rows and {"moved": to, None: file}.get(path, path) in set(table["path"])


# --- what can be wrong

CLOTHO_CSV = "clotho_csv_files/clotho_captions_validation.csv"
BROKEN = [  # corpus, file, pattern, replacement, message
    ("clotho", CLOTHO_CSV, "file 0.wav", "file 2.wav", "file 2.wav is listed twice"),
    ("clotho", CLOTHO_CSV, "caption_3", "text", "columns missing: caption_3"),
    ("clotho", CLOTHO_CSV, r"file 0.wav,[^,]*,", "file 0.wav,,", "caption_1 of file 0.wav has an empty caption"),
    ("clotho", CLOTHO_CSV, r"file 0.wav,[^,]*,", "file 0.wav,17,", "caption_1 of file 0.wav has a caption that is not"),
    ("clotho", CLOTHO_CSV, r"file 0.wav,[^,]*,", "file 0.wav,\ufffd,", "caption_1 of file 0.wav .*is not UTF-8"),
    ("clotho", CLOTHO_CSV, r"(file 0.wav,[^\n]*)\n", r"\1,more\n", "not a readable CSV"),
    ("clotho", CLOTHO_CSV, r"(?s).*", "", "not a readable CSV"),
    ("audiocaps", "csv_files_v1/val.csv", r"\n(\d+)(.*)\n\d+,", r"\n\1\2\n\1,", r"audiocap_id \d+ is listed twice"),
    ("audiocaps", "csv_files_v1/val.csv", "youtube_id", "ytid", "columns missing: youtube_id"),
    ("audiocaps", "csv_files_v1/val.csv", r"(_0000000,0),[^\n]*", r"\1", "has an empty caption"),
    ("audiocaps", "csv_files_v1/val.csv", r"(_0000000,0,)", r"\1a dog, ", "not a readable CSV"),
    ("macs", "MACS.yaml", "airport-lisbon-1001-1", "airport-lisbon-1000-0", "lisbon-1000-0-a.wav is listed twice"),
    ("macs", "MACS.yaml", "sentence: .*", "sentence: 12", "caption 1 of airport-lisbon-1000-0-a.wav .* is not text"),
    ("macs", "MACS.yaml", "sentence", "caption", r"not the YAML of MACS \(KeyError: 'sentence'\)"),
    ("macs", "MACS.yaml", r"(?s).*", "files: []", "MACS: no clip in any split"),
    ("fsd50k", "FSD50K.ground_truth/dev.csv", "Dog", "Dogfish", "dev.csv: label Dogfish is not in the vocabulary"),
    ("fsd50k", "FSD50K.ground_truth/dev.csv", "13,Bowed_string_instrument", "13,", "dev.csv: 13 has an empty caption"),
    ("fsd50k", "FSD50K.metadata/dev_clips_info_FSD50K.json", r"\{", "[", "not the clip information of FSD50K"),
    ("audioset", "balanced_train_segments.csv", "-b_00000001", "-b_00000000", "-b_00000000 is listed twice"),
    ("audioset", "balanced_train_segments.csv", "/m/0bt9lr", "/m/nothing", "label /m/nothing is not in the vocabulary"),
    ("audioset", "balanced_train_segments.csv", "10.000", "start", "-b_00000000 does not end after its start"),
    ("esc50", "meta/esc50.csv", "1-1001-A-1.wav", "1-1000-A-0.wav", "1-1000-A-0 is listed twice"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "file", "pattern", "replacement", "message"), BROKEN)
def test_damaged_tables_are_refused_in_one_line(tmp_path, name, file, pattern, replacement, message):
    path = layouts.CORPORA[name](tmp_path, clips=5, **SHORT) / file
    layouts.edit(path, pattern, replacement)
    path.write_bytes(path.read_bytes().replace("\ufffd".encode(), b"\xe9"))  # one byte of Latin-1
    with pytest.raises(ClapleakError, match=message) as error:
        load(name, tmp_path)
    assert "\n" not in str(error.value) and str(tmp_path) in str(error.value)


def test_wrong_roots_names_and_splits_are_refused(tiny, tmp_path, monkeypatch):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "CLOTHO_v2.1" / "clotho_csv_files").mkdir(parents=True)
    for arguments, message in {
        ("clotho", tiny, "dev"): "unknown split 'dev' of clotho: known are development, validation",
        ("esc50", tiny, "2"): "no clip in 2", ("esc50", "~nouser"): "no meta/esc50.csv here",
        ("esc50", tmp_path / "loop"): "no meta/esc50.csv", ("clotho", tmp_path): "development.csv: no such file",
        **{(name, tmp_path / "x"): f"no {s.marker} here or in {s.folders[0]}" for name, s in SOURCES.items()},
    }.items():  # fmt: skip
        with pytest.raises(ClapleakError, match=message):
            load(*arguments)
    monkeypatch.setenv("CLAPLEAK_DATA", str(tiny))
    assert len(load("esc50", None)) == 50


# --- several corpora, synthesisers


def test_joined_corpora_keep_their_files_and_what_sounds(tiny):
    joined = corpora.join([load("esc50", tiny), load("macs", tiny), load("esc50", tiny)])
    assert joined.name == "esc50+macs" and joined.root == tiny and len(joined) == 142 and len(joined.clips()) == 62
    assert all((tiny / path).is_file() for path in joined.table["path"])
    assert joined.table["sounds"].isna().sum() == 42
    with pytest.raises(ClapleakError, match="corpus x: columns missing: sounds"):
        Corpus("x", None, joined.table.drop(columns="sounds"))


def test_synthesisers_register_themselves(monkeypatch):
    drums, uncached = ModuleType("drums"), corpora.synthesiser.__wrapped__
    points = {"clapleak.sources": [SimpleNamespace(name="drums", load=lambda: drums)]}
    monkeypatch.setattr(metadata, "entry_points", lambda group: points[group])
    assert uncached("drums") is drums
    with pytest.raises(ClapleakError, match="unknown source 'foley': esc50, .* are drums; for foley delete .*egg-info"):
        uncached("foley")


# --- real samples and the real tables


@pytest.mark.slow
def test_real_tables_have_the_expected_counts_and_esc50_shares_recordings_with_fsd50k(real_data, tmp_path):
    for name, place, splits in (
        ("audiocaps", "AUDIOCAPS/csv_files_v1", ["train", "val"]), ("audioset", "AUDIOSET", ["balanced_train"]),
        ("clotho", "CLOTHO_v2.1/clotho_csv_files", ["development", "validation"]),
        ("fsd50k", "FSD50K/FSD50K.ground_truth", ["train", "val"]),
    ):  # fmt: skip
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).symlink_to(real_data / "metadata" / name)
        for split in splits:
            corpus = load(name, tmp_path, split)
            assert [len(corpus), len(corpus.clips())] == SOURCES[name].counts[split], (name, split)
    table = load("esc50", real_data).table
    assert table.groupby("text")["clip"].nunique().tolist() == [40] * 50
    assert table["split"].value_counts().tolist() == [400] * 5
    assert table["recording"].isin(set(load("fsd50k", tmp_path, "dev").table["recording"])).sum() == 459
