"""`clapleak data list` and `clapleak data check`: damage is counted and named, and the verdict is right."""

import re
from pathlib import Path

import numpy as np
import official_layouts as layouts
import pandas as pd
import pytest
import soundfile
from helpers import call

from clapleak.config import ClapleakError
from clapleak.fetch.check import LISTED, Check, check, overview

RIGHT = {  # seconds of a right clip
    "clotho": (15.5, 16), "audiocaps": (1, 2), "macs": (10, 10), "fsd50k": (1, 2), "audioset": (1, 2), "esc50": (5, 5),
}  # fmt: skip
RATE = 4000


def make(data: Path, name: str, clips: int = 5) -> Path:
    return layouts.CORPORA[name](data, clips=clips, seconds=RIGHT[name], rate=RATE)


def counted(report: Check) -> dict[str, int]:
    """Every problem that the printed report counts, but those that it does not have."""
    lines = re.findall(r"^ +(\d+)  (.+)$", str(report), re.MULTILINE)
    return {problem: int(number) for number, problem in lines if number != "0"}


@pytest.mark.parametrize("name", RIGHT)
def test_a_sound_corpus_may_be_trained_on(tmp_path, name):
    make(tmp_path, name)
    report = check(name, tmp_path)
    assert report.verdict() == (True, "Training may start; --allow-missing is not needed.")
    assert report.problems.empty and counted(report) == {}
    assert "       0  missing" in str(report) and "decoded to the end" in str(report)


def test_expected_counts_stand_beside_those_of_the_tables(tmp_path):
    make(tmp_path, "clotho", clips=2)
    counts = check("clotho", tmp_path).counts
    assert counts.columns.tolist() == ["rows", "rows expected", "clips", "clips expected"]
    assert counts.loc["development"].tolist() == [10, 19195, 2, 3839]
    assert check("clotho", tmp_path, "validation").counts.index.tolist() == ["validation"]
    (make(tmp_path, "fsd50k", clips=20) / "FSD50K.ground_truth" / "eval.csv").unlink()
    report = check("fsd50k", tmp_path)
    assert report.counts.loc["eval"].tolist() == [0, 10231, 0, 10231]
    assert "15 texts are captions, 5 are labels joined" in str(report)
    assert check("fsd50k", tmp_path, "dev").counts["rows"].to_dict() == {"train": 16, "val": 4}


@pytest.fixture
def damaged(tmp_path) -> Path:
    """FSD50K with one clip of every kind of damage; its flac is cut in the middle."""
    audio = make(tmp_path, "fsd50k", clips=20) / "FSD50K.dev_audio"
    (audio / "10.wav").unlink()
    (audio / "11.wav").write_text("this is no sound")
    soundfile.write(audio / "12.wav", np.zeros(0), RATE)
    soundfile.write(audio / "13.wav", np.zeros(RATE // 20), RATE)
    soundfile.write(audio / "14.wav", np.full(RATE, np.nan), RATE, subtype="FLOAT")
    soundfile.write(audio / "15.wav", np.zeros(31 * RATE), RATE)
    soundfile.write(audio / "16.flac", layouts.NOISE[: 3 * RATE], RATE)
    (audio / "16.wav").unlink()
    whole = (audio / "16.flac").read_bytes()
    (audio / "16.flac").write_bytes(whole[: len(whole) // 2])
    return tmp_path


def test_every_damaged_clip_is_counted_and_named_and_the_verdict_is_the_exit_code(damaged):
    report = check("fsd50k", damaged, cores=2)
    assert counted(report) == {
        "missing": 1, "unreadable": 2, "wrong length": 1, "empty": 1, "shorter than 0.1 s": 1, "non-finite samples": 1
    }  # fmt: skip
    assert "FSD50K.dev_audio/10.wav: missing" in str(report)
    assert "FSD50K.dev_audio/15.wav: wrong length (31.00 s)" in str(report)
    assert report.problems.set_index("name").loc["FSD50K.dev_audio/16.flac", "problem"] == "unreadable"
    assert report.problems["level"].value_counts().to_dict() == {"clip": 6, "note": 1}
    words, sentence = ["data", "check", "fsd50k", "--root", damaged], "%s --allow-missing, without 6 of 25 clips."
    for more, code, word in (["--output", damaged / "all.csv"], 2, "only with"), (["--allow-missing"], 0, "with"):
        done = call(*words, *more)
        assert done.exit_code == code and f"Training may start {sentence % word}" in done.output
    assert pd.read_csv(damaged / "all.csv", keep_default_na=False).equals(report.problems)


def test_quick_looks_at_headers_alone(damaged):
    report = check("fsd50k", damaged, quick=True)
    # the empty clip is too short as well; half a flac and samples that are no numbers go unseen
    assert counted(report) == {"missing": 1, "unreadable": 1, "shorter than 0.1 s": 2, "wrong length": 1}
    assert "headers read" in str(report) and "16.flac" not in str(report)


def test_a_corpus_without_any_sound_cannot_be_trained_on_and_only_some_problems_are_listed(tmp_path):
    for file in (make(tmp_path, "macs", clips=LISTED + 2) / "audio").iterdir():
        file.unlink()
    report = check("macs", tmp_path)
    assert report.verdict(allow_missing=True) == (False, "Training may not start: no clip can be used.")
    assert str(report).count(": missing") == LISTED and len(report.problems) == LISTED + 2
    assert "and 2 more: --output FILE writes them all" in str(report)


def test_bad_rows_are_counted_and_stop_training_even_when_clips_may_be_missing(tmp_path):
    path = make(tmp_path, "audiocaps", clips=40) / "csv_files_v1" / "train.csv"
    lines = path.read_bytes().splitlines()
    for number, caption in ((2, b""), (3, b"Un caf\xe9"), (4, b"...")):
        lines[number] = lines[number].rsplit(b",", 1)[0] + b"," + caption
    path.write_bytes(b"\n".join([*lines, lines[5], lines[6]]) + b"\n")
    report = check("audiocaps", tmp_path)
    assert counted(report) == {
        "is listed twice": 2, "has an empty caption": 1, "has a caption that is not UTF-8": 1,
        "has a caption that is not text": 1,
    }  # fmt: skip
    assert "train.csv: audiocap_id 5: has an empty caption" in str(report)
    assert report.verdict(allow_missing=True) == (False, "Training may not start: 5 rows must be repaired first.")


def test_user_errors_are_those_of_the_readers(tmp_path):
    layouts.edit(make(tmp_path, "fsd50k") / "FSD50K.ground_truth" / "dev.csv", "Dog", "Dogfish")
    for name, split, message in (
        ("esc10", None, "unknown corpus 'esc10'"), ("clotho", None, "no clotho_csv_files here"),
        ("fsd50k", "test", "unknown split 'test' of fsd50k"), ("fsd50k", None, "label Dogfish is not in"),
    ):  # fmt: skip
        with pytest.raises(ClapleakError, match=message):
            check(name, tmp_path, split)


def test_the_overview_says_what_is_there_and_where(tmp_path, monkeypatch):
    root = make(tmp_path, "macs")
    text = overview(tmp_path)
    assert all(re.search(rf"^{name} ", text, re.MULTILINE) for name in RIGHT)
    assert f"found in {root}" in text and text.count("not found below") == 5
    assert "17,275 rows, 3,930 clips, about 11 GB" in text and "CC BY-NC 3.0" in text
    monkeypatch.delenv("CLAPLEAK_DATA", raising=False)
    assert call("data", "list").output.count("--data-root DIR says where to look") == 6


@pytest.mark.parametrize(
    ("name", "folder", "clips", "from_labels"),
    [("clotho", "samples", 9, 0), ("fsd50k", "samples", 16, 16), ("esc50", "esc50", 2000, 2000)],
)
def test_real_clips_are_sound(real_data, name, folder, clips, from_labels):
    report = check(name, real_data / folder, cores=2, quick=name == "esc50")
    assert (report.clips, report.from_labels) == (clips, from_labels)
    assert set(report.problems["level"]) <= {"note"} and report.verdict()[0]  # some ogg copies of ESC-50 are longer
    if name == "esc50":
        assert (report.counts["rows"] == report.counts["rows expected"]).all()
