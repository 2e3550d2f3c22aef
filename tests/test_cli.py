"""The command line as a stranger meets it: help, counts, costs, locks; what it refuses stands in test_bad_inputs."""

import os
import re
import shutil
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from helpers import call, files, python

from clapleak import cli, plan
from clapleak.cli import main
from clapleak.config import load_profile
from clapleak.experiment import read_sources
from clapleak.files import locked
from clapleak.setups import SETUPS


def test_help_lists_every_command_and_each_explains_itself():
    listed = call("--help").output
    for command in main.commands:
        shown = call(command, "--help")
        assert re.search(rf"^  {command}\s+\w", listed, re.MULTILINE) and shown.exit_code == 0
        for option in re.findall(r"^  (--[\w-]+)", shown.output, re.MULTILINE):
            explained = re.search(rf"{option}.*?(?:\n  -|\Z)", shown.output, re.DOTALL)[0]
            assert len(explained.split()) > 3 or option == "--help", f"{command} {option} says nothing"
    assert call("--version").output.strip().endswith(version("clapleak"))


@pytest.mark.slow
def test_several_setups_train_in_one_process_and_tell_their_accuracy(place):
    done = call("train", "--profile", "smoke", "--setup", "none-clean", "--setup", "none-dirty", "--seed", 3)
    told = re.findall(r"/(none-\w+)/seed3: accuracy \d\.\d+, chance 0.250", done.output)
    assert done.exit_code == 0 and told == ["none-clean", "none-dirty"]
    assert not list(place.rglob("map.npz"))  # of the first seed alone
    done = call("pretrain", "--profile", "smoke", "--pretraining", "clean")
    assert done.exit_code == 0 and Path(done.stdout.strip(), "metrics.json").is_file()
    assert call("store", "--profile", "smoke").stdout.strip() == "200 clips, 0 unusable"


def test_leaks_counts_the_rows_of_several_files_columns_and_kinds_and_writes_them(here):
    (here / "a.csv").write_text("title,caption\nMy dog,rain\nsea,\n")
    (here / "b.jsonl").write_text('{"caption": ["a dog", "wind"], "n": 1}\n{"caption": null}\n{"caption": "cat"}\n')
    (here / "labels.csv").write_text("category\ndog\ndog\nsea_waves\n")
    done = call("leaks", "a.csv", "b.jsonl", "--labels", "labels.csv", "--output", "out.csv")
    assert done.exit_code == 0 and "dog" in done.output
    assert "1 of 3 rows hold a leak" in done.output  # of rows with a text
    columns = {"file": ["a.csv"] + ["b.jsonl"] * 3, "text": ["rain", "a dog", "wind", "cat"]}
    columns |= {"leaks": [False, True, False, False]}
    assert pd.read_csv("out.csv")[list(columns)].to_dict("list") == columns
    shown = call("leaks", "a.csv", "--labels", "labels.csv", "--column", "Title").output
    assert shown.startswith("2 of 2 texts leak") and "rows hold" not in shown  # where each row is one text
    code = "import sys; from clapleak.cli import main; main(['leaks', 'c.csv', '--labels', 'c.txt'])"
    (here / "c.csv").write_text("caption\nसागर\n")
    (here / "c.txt").write_text("सागर\n")
    done = python("-c", code, cwd=here, env={"PYTHONIOENCODING": "cp1252"})
    assert "1  \\u0938" in done.stdout and not done.stderr
    (here / "dev.csv").write_text('fname,labels\n1,"Bark,Dog"\n2,Chicken_and_rooster\n3,Music\n')
    assert "2 of 3 rows hold a leak" in call("leaks", "dev.csv", "--rule", "ontology").output


def test_the_workflow_has_a_path_even_where_the_environment_has_none(here, monkeypatch):
    """As under `env -i`: Snakemake asks for it."""
    monkeypatch.delenv("PATH")
    given, done = [], SimpleNamespace(returncode=0)
    monkeypatch.setattr("clapleak.cli.subprocess.run", lambda *_, **__: given.append(os.environ["PATH"]) or done)
    cli._snakemake(here, here / "settings.json", None, 1, "smoke", 0)
    assert given == [os.defpath]


def test_a_second_reproduction_at_the_same_time_is_refused_with_the_first_one_s_process(place):
    with locked(place / "build" / "reproduce.lock"):
        before = files(place)
        done = call("reproduce", "--profile", "smoke")
        assert done.exit_code == 2 and files(place) == before
    assert re.fullmatch(
        rf"clapleak: .*process {os.getpid()}, or what it started, is at work here; wait .*\n", done.stderr
    )


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (OSError(28, os.strerror(28), "build/smoke/x"), 2, "build/smoke/x: the disk is full; .* same command"),
        (PermissionError(13, os.strerror(13), "build"), 2, "clapleak: build: Permission denied; mend .* same command"),
        (NotADirectoryError(20, os.strerror(20), "build"), 2, "clapleak: build: Not a directory; .* same command"),
        (OSError("a library's own"), 1, ""), (BrokenPipeError(32, os.strerror(32)), 1, ""),
        (KeyboardInterrupt(), 130, "the same command goes on"), (RuntimeError("a defect"), 1, ""),
    ],
)  # fmt: skip
def test_what_a_disk_refuses_and_ctrl_c_are_one_line_and_a_defect_is_not_hidden(place, monkeypatch, error, code, says):
    def run(*args, **kwargs):
        raise error

    monkeypatch.setattr("clapleak.runs.run", run)
    done = call("train", "--profile", "smoke", "--setup", "none-clean")
    assert done.exit_code == code and re.search(says, (done.stderr.splitlines() or [""])[-1])
    assert code != 1 or done.exception is error or error.errno == 32  # click itself is quiet about a closed pipe


def test_a_file_where_a_folder_should_be_is_named(place):
    shutil.rmtree(place / "build")
    (place / "build").write_text("no folder")
    for words in (("store",), ("train", "--setup", "none-clean"), ("reproduce",)):
        done = call(*words, "--profile", "smoke")
        assert done.exit_code == 2 and re.search(r"^clapleak: \S*build\S*: .*; mend .*\n\Z", done.stderr, re.MULTILINE)


def test_costs_are_counted_in_the_data_or_by_the_official_releases(place):
    profile = load_profile("smoke")
    sizes, whole = plan.counted(profile, read_sources(profile)), plan.official(load_profile("paper"), "no data")
    assert sizes.clips["dirty"] == sizes.pairs["dirty"] == 88  # 8 classes x 8 clips + 24 scenes
    assert 6 <= sizes.tokens <= 12 and whole.tokens == plan.TOKENS
    assert 0 < sizes.clips["clean"] < 88 and sizes.seconds == pytest.approx(2.0 * (88 + 88 + 24))
    assert whole.clips["dirty"] == 22160 + 2041789
    assert whole.pairs["dirty"] == 36796 + 29645 + 49838 + 17275  # MS-CLAP names 128,010 with 44,292 of AudioCaps
    table = call("plan", "--profile", "smoke").output
    rows = {line.split()[0]: line.split()[1:4] for line in table.splitlines() if re.match(r"\w+-\w+ ", line)}
    assert list(rows) == [setup.slug for setup in SETUPS] and rows["none-dirty"][0] == "0"
    refused = call("plan", "--profile", "networks-unfrozen").stderr
    assert refused.endswith("log-mel of each takes minutes once, and a run minutes\n")
    assert rows["dirty-dirty"] == ["18", "8", "12"] and "GB a process at batch 16" in table  # 6 x 3; 4 x 2; 4 x 3
