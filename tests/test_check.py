"""`clapleak data list` and `clapleak data check`: damage is counted and named, and the verdict is right."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import official_layouts as layouts
import pandas as pd
import pytest
import soundfile
from helpers import call

from clapleak import corpora
from clapleak.config import ClapleakError
from clapleak.fetch.check import Check, check, overview

RATE, RIGHT = 4000, {  # seconds of a right clip
    "clotho": (15.5, 16), "audiocaps": (1, 2), "macs": (10, 10), "fsd50k": (1, 2), "audioset": (1, 2), "esc50": (5, 5),
}  # fmt: skip


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
    there, release = report.counts[["rows", "rows expected"]].sum()
    but = f", but {there} of {release} rows of the release are there"  # five clips a split
    assert report.verdict() == (True, f"Training may start{but}; --allow-missing is not needed.")
    whole = replace(report, counts=report.counts.assign(rows=report.counts["rows expected"] + 1))
    assert whole.verdict() == (True, "Training may start; --allow-missing is not needed.")
    assert report.problems.empty and counted(report) == {}
    if name == "clotho":  # counts of the tables beside the official ones
        assert report.counts.columns.tolist() == ["rows", "rows expected", "clips", "clips expected"]
        assert report.counts.loc["development"].tolist() == [25, 19195, 5, 3839]
        assert check("clotho", tmp_path, "validation").counts.index.tolist() == ["validation"]


def test_every_damaged_clip_is_counted_and_named_and_the_verdict_is_the_exit_code(tmp_path):
    audio = make(tmp_path, "fsd50k", clips=20) / "FSD50K.dev_audio"
    (audio / "10.wav").unlink()
    (audio / "11.wav").write_text("this is no sound")
    soundfile.write(audio / "12.wav", np.zeros(0), RATE)
    soundfile.write(audio / "13.wav", np.zeros(RATE // 20), RATE)
    soundfile.write(audio / "14.wav", np.full(RATE, np.nan), RATE, subtype="FLOAT")
    soundfile.write(audio / "15.wav", np.zeros(31 * RATE), RATE)
    soundfile.write(audio / "16.flac", layouts.NOISE[: 3 * RATE], RATE)
    (audio / "16.wav").unlink()
    (audio / "16.flac").write_bytes((audio / "16.flac").read_bytes()[:6000])
    report = check("fsd50k", tmp_path, cores=2)
    assert counted(report) == {
        "missing": 1, "unreadable": 2, "wrong length": 1, "empty": 1, "shorter than 0.1 s": 1, "non-finite samples": 1
    }  # fmt: skip
    for line in ("FSD50K.dev_audio/10.wav: missing", "15.wav: wrong length (31.00 s)", "16.flac: unreadable"):
        assert line in str(report)
    words, sentence = ["data", "check", "fsd50k", "--data-root", tmp_path], "%s --allow-missing, without 6 of 25 clips,"
    for more, code, word in (["--output", tmp_path / "all.csv"], 2, "only with"), (["--allow-missing"], 0, "with"):
        done = call(*words, *more)
        assert done.exit_code == code and f"Training may start {sentence % word}" in done.output
    assert pd.read_csv(tmp_path / "all.csv", keep_default_na=False).equals(report.problems)
    # headers alone: the empty clip is too short as well; half a flac and samples that are no numbers go unseen
    quick = counted(check("fsd50k", tmp_path, quick=True))
    assert quick == {"missing": 1, "unreadable": 1, "shorter than 0.1 s": 2, "wrong length": 1}


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


def test_of_esc50_a_category_or_a_fold_that_it_does_not_have_must_be_repaired(tmp_path):
    path = make(tmp_path, "esc50") / "meta" / "esc50.csv"
    lines = path.read_text().splitlines()
    for number, column, value in ((1, 3, "unicorn"), (2, 1, "9")):
        cells = lines[number].split(",")
        lines[number] = ",".join([*cells[:column], value, *cells[column + 1 :]])
    path.write_text("\n".join(lines) + "\n")
    report = check("esc50", tmp_path)
    assert counted(report) == {"has a category or fold that ESC-50 does not have": 2}
    assert report.verdict() == (False, "Training may not start: 2 rows must be repaired first.")
    with pytest.raises(ClapleakError, match="2 rows cannot be used; .* has a category or fold that ESC-50"):
        corpora.load("esc50", tmp_path)


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
    [
        ("clotho", "samples", 9, 0),
        ("fsd50k", "samples", 16, 16),
        pytest.param("esc50", "esc50", 2000, 2000, marks=pytest.mark.slow),
    ],
)
def test_real_clips_are_sound(real_data, name, folder, clips, from_labels):
    report = check(name, real_data / folder, cores=2, quick=name == "esc50")
    assert (report.clips, report.from_labels) == (clips, from_labels)
    assert set(report.problems["level"]) <= {"note"} and report.verdict()[0]  # some ogg copies of ESC-50 are longer
