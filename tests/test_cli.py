"""The command line as a stranger meets it: help, one line and exit code 2 for mistakes, nothing half-written."""

import importlib.util
import os
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner, Result

from clapleak import __version__
from clapleak.cli import main
from clapleak.config import ClapleakError, find_root
from clapleak.models import text

COMMANDS = ["reproduce", "train", "pretrain", "leaks", "book"]


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """An empty project as working directory: profiles alone, no results, no data."""
    shutil.copytree(find_root() / "profiles", tmp_path / "project" / "profiles")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.delenv("CLAPLEAK_DATA", raising=False)
    return tmp_path / "project"


def call(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def refused(*words: object) -> str:
    """The one line of a call that must be refused."""
    done = call(*words)
    assert done.exit_code == 2, done.output
    lines = done.output.strip().splitlines()
    assert len(lines) == 1, done.output
    assert lines[0].startswith("clapleak: ")
    return lines[0]


def files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def edit(project: Path, change, base: str = "smoke") -> Path:
    """A changed copy of a profile."""
    content = yaml.safe_load((project / "profiles" / f"{base}.yaml").read_text()) | {"name": "changed"}
    change(content)
    path = project / "changed.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_help_lists_every_command_and_each_explains_itself():
    listed = call("--help").output
    for command in COMMANDS:
        assert re.search(rf"^  {command}\s+\w", listed, re.MULTILINE), f"{command} has no word of explanation"
        shown = call(command, "--help")
        assert shown.exit_code == 0
        for option in re.findall(r"^  (--[\w-]+)", shown.output, re.MULTILINE):
            explained = re.search(rf"{option}.*?(?:\n  -|\Z)", shown.output, re.DOTALL)[0]
            assert len(explained.split()) > 3, f"{command} {option} says nothing"
    assert call("--version").output.strip().endswith(__version__)


def test_outside_a_clone_it_says_where_to_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "run inside a clone" in refused("book")


@pytest.mark.parametrize(
    "command", [("reproduce",), ("train", "--setup", "dirty-dirty"), ("pretrain", "--pretraining", "dirty")]
)
def test_unknown_profile_is_refused_with_the_known_ones(project, command):
    before = files(project)
    line = refused(*command, "--profile", "huge")
    assert "unknown profile 'huge'" in line and "mini" in line
    assert files(project) == before


def test_unknown_key_and_wrong_type_name_file_and_key(project):
    unknown = edit(project, lambda c: c["recipe"].update(momentum=0.9))
    line = refused("train", "--profile", unknown, "--setup", "dirty-dirty")
    assert "changed.yaml" in line and "recipe.momentum" in line
    wrong = edit(project, lambda c: c["pretrain"].update(epochs="many"))
    assert "pretrain.epochs" in refused("pretrain", "--profile", wrong, "--pretraining", "clean")


def test_unknown_setup_and_pretraining_are_refused(project):
    for words in (("train", "--setup", "clean-none"), ("pretrain", "--pretraining", "none")):
        done = call(*words)
        assert done.exit_code == 2
        assert "clean" in done.output  # the choices


def test_real_profile_without_data_asks_for_it(project, tmp_path):
    before = files(project)
    assert "--data-root" in refused("reproduce", "--profile", "esc50")
    (tmp_path / "other").mkdir()
    line = refused("reproduce", "--profile", "esc50", "--data-root", tmp_path / "other")
    assert "meta/esc50.csv" in line and str(tmp_path / "other") in line
    line = refused(
        "train", "--profile", "esc50", "--setup", "dirty-dirty", "--group", 0, "--data-root", tmp_path / "no"
    )
    assert str(tmp_path / "no") in line
    assert files(project) == before


def test_table_with_missing_columns_is_refused(project, tiny_esc50):
    path = tiny_esc50 / "meta" / "esc50.csv"
    pd.read_csv(path).drop(columns=["category", "src_file"]).to_csv(path, index=False)
    line = refused("reproduce", "--profile", "esc50", "--data-root", tiny_esc50)
    assert "esc50.csv" in line and "category, src_file" in line


def test_unusable_audio_is_listed_before_training_and_nothing_is_written(project, tiny_esc50):
    (tiny_esc50 / "audio" / "1-0-A-0.wav").write_text("no sound")
    (tiny_esc50 / "audio" / "2-1-A-0.wav").unlink()
    tiny = edit(project, lambda c: c.update(**REAL))
    words = ("pretrain", "--profile", tiny, "--pretraining", "dirty", "--group", 0, "--data-root", tiny_esc50)
    done = call(*words)
    assert done.exit_code == 2
    line = done.output.strip().splitlines()[-1]  # lines of progress may stand before
    assert "2 clips" in line and "1-0-A-0.wav (unreadable)" in line and "2-1-A-0.wav (missing)" in line
    assert "--allow-missing" in line
    assert not (project / "results").exists()
    assert call(*words, "--allow-missing").exit_code == 0
    assert (project / "results" / "changed" / "backbone" / "dirty" / "group0-seed0" / "metrics.json").is_file()


REAL = {
    "data": {
        "pretrain": ["esc50"], "pairs": ["esc50"], "test": "esc50", "prompt": "this is a sound of {}", "foley": None,
        "tagging_test": None, "label_rule": "word",
        "class_groups": {"size": 2, "test_folds": [4, 5], "captions_per_clip": 2},
    }
}  # fmt: skip


def test_weights_with_another_sum_are_refused(project, monkeypatch):
    if importlib.util.find_spec(text.MINILM_PACKAGE) is None:
        pytest.skip("the offline weights are not installed")
    monkeypatch.setattr(text, "MINILM_SHA256", "0" * 64)
    done = call("store", "--profile", edit(project, lambda c: c["text_encoder"].update(model="minilm")))
    assert done.exit_code == 2
    line = done.output.strip().splitlines()[-1]
    assert line.startswith("clapleak: ") and "model.safetensors" in line and "SHA-256" in line


def test_text_model_that_is_nowhere_is_refused(project):
    done = call("store", "--profile", edit(project, lambda c: c["text_encoder"].update(model="no/where")))
    assert done.exit_code == 2
    assert "no/where" in done.output.strip().splitlines()[-1]


def test_leaks_counts_texts_and_writes_the_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("captions.csv").write_text('caption\n"A dog barks"\n"Somebody plays the piano"\n"Birds can be heard"\n')
    done = call("leaks", "captions.csv", "--output", "found.csv")
    assert done.exit_code == 0, done.output
    assert re.search(r"\b2\b", done.output) and re.search(r"\b3\b", done.output) and "dog" in done.output
    table = pd.read_csv("found.csv")
    assert table["leaks"].tolist() == [True, False, True]
    assert table["text"].iloc[1] == "Somebody plays the piano"


def test_leaks_judges_label_lists_by_ontology(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("dev.csv").write_text(
        'fname,labels,mids,split\n1,"Bark,Dog",x,dev\n2,Chicken_and_rooster,y,dev\n3,Music,z,dev\n'
    )
    done = call("leaks", "dev.csv", "--rule", "ontology")
    assert done.exit_code == 0 and "2 of 3 rows hold a leak" in done.output
    Path("names.csv").write_text('index,mid,display_name\n0,/m/1,"Chicken, rooster"\n1,/m/2,French horn\n')
    assert "1 of 2 rows hold a leak" in call("leaks", "names.csv", "--rule", "ontology").output
    Path("captions.csv").write_text("caption\na dog\n")
    assert "no column of labels" in refused("leaks", "captions.csv", "--rule", "ontology")
    Path("mine.txt").write_text("dog\nfoghorn\n")
    assert "foghorn" in refused("leaks", "dev.csv", "--rule", "ontology", "--labels", "mine.txt")


def test_leaks_refuses_what_it_cannot_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "gone.csv" in refused("leaks", "gone.csv")
    Path("other.csv").write_text("a,b\n1,2\n")
    assert "other.csv" in refused("leaks", "other.csv")
    Path("captions.csv").write_text("caption\nrain\n")
    assert "fuzzy" in refused("leaks", "captions.csv", "--rule", "fuzzy")
    assert "nolabels" in refused("leaks", "captions.csv", "--labels", "nolabels")


def test_book_without_pages_names_the_command(project):
    line = refused("book")
    assert "pages missing" in line and "clapleak reproduce" in line


def test_unknown_notebook_and_parameter_are_refused(project):
    shutil.copy(Path(__file__).parents[1] / "_config.yml", project)
    (project / "notebooks").mkdir()
    (project / "notebooks" / "sum.py").write_text('# %% tags=["parameters"]\nfirst = 1\n\n# %%\nprint(first + 1)\n')
    assert "nothing.py" in refused("page", "nothing", "out.ipynb")
    line = refused("page", "sum", "out.ipynb", "-p", "second", "3")
    assert "unknown parameters: second" in line and "known: first" in line
    assert not Path("out.ipynb").exists()
    assert call("page", "sum", "out.ipynb", "-p", "first", "41").exit_code == 0
    page = Path("out.ipynb").read_text()
    assert '"42\\n"' in page
    done = call("page", "sum", "out.ipynb", "-p", "first", "word")  # fails in its cell: the good page stays
    assert done.exit_code == 2 and "TypeError" in done.output.strip().splitlines()[-1]
    assert Path("out.ipynb").read_text() == page


def test_a_workflow_profile_that_cannot_run_names_the_remedy(project, monkeypatch):
    def message() -> str:
        return refused("reproduce", "--profile", "smoke", "--workflow-profile", "cluster")

    monkeypatch.setenv("PATH", "/nowhere")
    settings = Path("cluster/config.yaml")
    assert f"{settings}: no settings for Snakemake" in message()
    settings.parent.mkdir()
    settings.write_text("- executor\n")
    assert f"{settings}: no settings for Snakemake" in message()
    settings.write_text("executor: cloud-of-mine\n")
    assert "pip install snakemake-executor-plugin-cloud-of-mine" in message()
    settings.write_text("executor: slurm\n")
    assert ("sbatch" if importlib.util.find_spec("snakemake_executor_plugin_slurm") else "[cluster]") in message()


def test_full_disk_is_one_line(project, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, os.strerror(28), "build/smoke/x")

    monkeypatch.setattr("clapleak.train.run", full)
    line = refused("train", "--profile", "smoke", "--setup", "none-clean")
    assert "disk is full" in line and "same command" in line


def test_a_defect_of_the_program_is_not_hidden(project, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("a defect")

    monkeypatch.setattr("clapleak.train.run", broken)
    done = call("train", "--profile", "smoke", "--setup", "none-clean")
    assert done.exit_code == 1 and isinstance(done.exception, RuntimeError)
    assert not isinstance(done.exception, ClapleakError)
