"""`clapleak data list` and `clapleak data check`: damage is counted and named, and the verdict is right."""

import re
from pathlib import Path

import numpy as np
import official_layouts as layouts
import pandas as pd
import pytest
import soundfile
from click.testing import CliRunner, Result

from clapleak.cli import main
from clapleak.datasets import check

RIGHT = {
    "clotho": (15.5, 16),
    "audiocaps": (1, 2),
    "macs": (10, 10),
    "fsd50k": (1, 2),
    "audioset": (1, 2),
    "esc50": (5, 5),
}
RATE = 4000


def make(data: Path, name: str, clips: int = 5) -> Path:
    return layouts.CORPORA[name](data, clips=clips, seconds=RIGHT[name], rate=RATE)


def call(*words: object) -> Result:
    return CliRunner(env={"CLAPLEAK_DATA": None}).invoke(main, ["data", *map(str, words)])


def count(report: str, problem: str) -> int:
    return int(re.search(rf"^ +(\d+)  {problem}$", report, re.MULTILINE)[1])


@pytest.mark.parametrize("name", RIGHT)
def test_a_sound_corpus_may_be_trained_on(tmp_path, name):
    make(tmp_path, name)
    done = call("check", name, "--data-root", tmp_path)
    assert done.exit_code == 0, done.output
    assert "Training may start; --allow-missing is not needed." in done.output
    assert not re.search(r"^ +[1-9]\d*  ", done.output, re.MULTILINE)  # every count is 0


def test_expected_counts_stand_beside_the_found_ones(tmp_path):
    make(tmp_path, "clotho", clips=2)
    counts = check.check("clotho", tmp_path).counts
    assert counts.loc["development"].tolist() == [10, 19195, 2, 3839]
    assert counts.loc["evaluation"].tolist() == [10, 5225, 2, 1045]
    alone = check.check("clotho", tmp_path, "validation").counts
    assert alone.index.tolist() == ["validation"]


def test_splits_that_are_not_there_count_as_nothing(tmp_path):
    root = make(tmp_path, "audiocaps")
    (root / "csv_files_v1" / "test.csv").unlink()
    counts = check.check("audiocaps", tmp_path).counts
    assert counts.loc["test"].tolist() == [0, 4875, 0, 975]
    assert counts.loc["train"].tolist() == [5, 49838, 5, 49838]


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


def test_every_damaged_clip_is_counted_and_named(damaged):
    done = call("check", "fsd50k", "--data-root", damaged, "--cores", 2, "--output", damaged / "problems.csv")
    assert done.exit_code == 2
    for problem, number in {
        "missing": 1, "unreadable": 2, "empty": 1, "shorter than 0.1 s": 1, "non-finite samples": 1, "wrong length": 1,
        "is listed twice": 0,
    }.items():  # fmt: skip
        assert count(done.output, problem) == number, problem
    assert "FSD50K.dev_audio/10.wav: missing" in done.output
    assert "FSD50K.dev_audio/15.wav: wrong length (31.00 s)" in done.output
    assert "Training may start only with --allow-missing, without 6 of 25 clips." in done.output
    table = pd.read_csv(damaged / "problems.csv").set_index("name")
    assert len(table) == 7
    assert table.loc["FSD50K.dev_audio/16.flac", "problem"] == "unreadable"
    assert table["level"].value_counts().to_dict() == {"clip": 6, "note": 1}


def test_allow_missing_turns_the_verdict(damaged):
    done = call("check", "fsd50k", "--data-root", damaged, "--allow-missing")
    assert done.exit_code == 0
    assert "Training may start with --allow-missing, without 6 of 25 clips." in done.output


def test_quick_looks_at_headers_alone(damaged):
    done = call("check", "fsd50k", "--data-root", damaged, "--quick")
    assert count(done.output, "missing") == 1 and count(done.output, "unreadable") == 1
    assert count(done.output, "shorter than 0.1 s") == 2  # the empty one too
    assert "16.flac" not in done.output and "non-finite" not in done.output
    assert "headers read" in done.output


def test_a_corpus_without_any_sound_cannot_be_trained_on(tmp_path):
    root = make(tmp_path, "macs")
    for file in (root / "audio").iterdir():
        file.unlink()
    done = call("check", "macs", "--data-root", tmp_path, "--allow-missing")
    assert done.exit_code == 2 and "Training may not start: no clip can be used." in done.output


def test_bad_rows_are_counted_and_stop_training_even_when_clips_may_be_missing(tmp_path):
    path = make(tmp_path, "audiocaps", clips=40) / "csv_files_v1" / "train.csv"
    lines = path.read_bytes().splitlines()
    lines[2] = lines[2].rsplit(b",", 1)[0] + b","
    lines[3] = lines[3].rsplit(b",", 1)[0] + b",Un caf\xe9"
    lines[4] = lines[4].rsplit(b",", 1)[0] + b",..."
    path.write_bytes(b"\n".join([*lines, lines[5], lines[6]]) + b"\n")
    done = call("check", "audiocaps", "--data-root", tmp_path, "--allow-missing")
    assert done.exit_code == 2
    assert count(done.output, "is listed twice") == 2
    assert count(done.output, "has an empty caption") == 1
    assert count(done.output, "has a caption that is not UTF-8") == 1
    assert count(done.output, "has a caption that is not text") == 1
    assert "train.csv: audiocap_id 5: has an empty caption" in done.output
    assert "Training may not start: 5 rows must be repaired first." in done.output


def test_only_the_first_problems_are_listed_and_all_are_written(tmp_path):
    root = make(tmp_path, "fsd50k", clips=20)
    for file in (root / "FSD50K.dev_audio").iterdir():
        file.unlink()
    done = call("check", "fsd50k", "--data-root", tmp_path, "--output", tmp_path / "all.csv")
    assert done.output.count(": missing") == check.LISTED
    assert "and 10 more: --output FILE writes them all" in done.output
    assert len(pd.read_csv(tmp_path / "all.csv")) == 20


def test_texts_made_of_labels_are_counted(tmp_path):
    make(tmp_path, "fsd50k", clips=20)
    assert "19 texts are captions, 6 are labels joined" in call("check", "fsd50k", "--data-root", tmp_path).output


@pytest.mark.parametrize(
    ("words", "message"),
    [(("esc10",), "unknown corpus 'esc10'"), (("clotho",), "no clotho_csv_files here"),
     (("fsd50k", "--split", "test"), "unknown split 'test' of fsd50k"), (("fsd50k",), "label Dogfish is not in")],
)  # fmt: skip
def test_mistakes_are_one_line(tmp_path, words, message):
    root = make(tmp_path, "fsd50k")
    layouts.edit(root / "FSD50K.ground_truth" / "dev.csv", "Dog", "Dogfish")
    done = call("check", *words, "--data-root", tmp_path, "--output", tmp_path / "problems.csv")
    assert done.exit_code == 2 and message in done.output
    assert done.output.startswith("clapleak: ") and done.output.count("\n") == 1
    assert not (tmp_path / "problems.csv").exists()


def test_list_says_what_is_found_and_where(tmp_path):
    root = make(tmp_path, "macs")
    listed = call("list", "--data-root", tmp_path)
    assert listed.exit_code == 0
    for name in RIGHT:
        assert re.search(rf"^{name} ", listed.output, re.MULTILINE)
    assert f"found in {root}" in listed.output and listed.output.count("not found below") == 5
    assert "17,275 rows, 3,930 clips, about 11 GB" in listed.output and "CC BY-NC 3.0" in listed.output
    assert call("list").output.count("--data-root DIR says where to look") == 6


def test_help_explains_every_option():
    assert {"list", "check"} <= set(re.findall(r"^  (\w+) +\w", call("--help").output, re.MULTILINE))
    shown = call("check", "--help").output
    for option in ("--data-root", "--split", "--quick", "--cores", "--allow-missing", "--output"):
        assert len(re.search(rf"{option}.*?(?:\n  -|\Z)", shown, re.DOTALL)[0].split()) > 5, option


def test_real_samples_decode(real_data):
    report = check.check("clotho", real_data / "samples", cores=2)
    assert report.clips == 9 and report.problems.empty and report.verdict()[0]
    report = check.check("fsd50k", real_data / "samples", cores=2)
    assert report.clips == 16 and report.from_labels == 16 and report.problems.empty
