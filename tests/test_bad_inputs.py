"""Bad inputs: one line on stderr that names file or key and the remedy, exit code 2, nothing written."""

import importlib.util
import shutil
from pathlib import Path

import pytest
import yaml
from helpers import call, files, write_profile

from clapleak.config import ClapleakError, find_root, load_profile
from clapleak.models import text

TRAIN, REPRODUCE, LEAKS = ("train", "--setup", "dirty-dirty", "--profile"), ("reproduce", "--profile"), ("leaks",)
SMOKE_RUN = "build/results/smoke/dirty-dirty/seed0/metrics.json"
SLURM = "sbatch" if importlib.util.find_spec("snakemake_executor_plugin_slurm") else "'clapleak[cluster]'"
FILES = {
    "broken.yaml": b"name: [", "list.yaml": b"- 1\n", "empty.csv": b"", "columns.csv": b"a,b\n1,2\n",
    "header.csv": b"caption\n", "more.csv": b"caption\na dog, a cat\n", "captions.csv": b"caption\nrain\n",
    "huge.csv": b'caption\n"' + b"a" * 200_000 + b'"\n', "labels.csv": b"labels\nRain\n", "no.txt": b"\n",
    "mine.txt": b"dog\nfoghorn\n", "sign.txt": b"dog\n--\n", "none/config.yaml": b"- executor\n",
    "cloud/config.yaml": b"executor: cloud-of-mine\n", "slurm/config.yaml": b"executor: slurm\n", "other/x": b"",
    "esc50/meta/esc50.csv": b"filename,fold\na.wav,1\n", SMOKE_RUN: b'{"schema": 1}',
}  # fmt: skip
CALLS = [  # words of the command line, then what its one line must name
    ((*TRAIN, "smok"), "unknown profile 'smok' (did you mean 'smoke'?)", "mini-long"),
    ((*REPRODUCE, "esc5"), "(did you mean 'esc50'?)"),
    (("pretrain", "--pretraining", "dirty", "--profile", "gone.yaml"), "gone.yaml does not exist"),
    ((*TRAIN, "broken.yaml"), "broken.yaml: not valid YAML"),
    ((*TRAIN, "renamed.yaml"), "renamed.yaml: key 'name'", "must be the file's name, 'renamed'"),
    ((*TRAIN, "list.yaml"), "list.yaml: key '(top level)'"),
    (("train", "--profile", "smoke", "--setup", "dirty-claen"), "'dirty-claen' (did you mean 'dirty-clean'?)"),
    (("train", "--profile", "smoke", "--setup", "clean-none"), "unknown setup 'clean-none'", "dirty-dirty"),
    ((*TRAIN, "smoke", "--group", 1), "profile smoke has no class groups", "--group"),
    (("pretrain", "--pretraining", "clean", "--profile", "mini", "--group", 0), "no class groups", "--group"),
    ((*TRAIN, "esc50"), "profile esc50 has class groups", "--group"),
    ((*TRAIN, "esc50", "--group", 0), "corpus esc50", "--data-root DIR or set CLAPLEAK_DATA"),
    ((*REPRODUCE, "esc50"), "--data-root DIR or set CLAPLEAK_DATA"),
    ((*REPRODUCE, "esc50", "--data-root", "other"), "other: no meta/esc50.csv", "give the root of the official layout"),
    ((*REPRODUCE, "esc50", "--data-root", "esc50"), "esc50.csv: columns missing: category, src_file"),
    ((*REPRODUCE, "smoke", "--workflow-profile", "gone"), "gone/config.yaml: no settings for Snakemake", "slurm"),
    ((*REPRODUCE, "smoke", "--workflow-profile", "none"), "none/config.yaml: no settings for Snakemake"),
    ((*REPRODUCE, "smoke", "--workflow-profile", "cloud"), "pip install snakemake-executor-plugin-cloud-of-mine"),
    ((*REPRODUCE, "smoke", "--workflow-profile", "slurm"), "slurm/config.yaml", SLURM),
    ((*LEAKS, "gone.csv"), "gone.csv: no such file"),
    ((*LEAKS, "empty.csv"), "empty.csv: no column of texts; found nothing"),
    ((*LEAKS, "columns.csv"), "columns.csv: no column of texts; found a, b", "caption"),
    ((*LEAKS, "header.csv"), "header.csv", "holds no text"),
    ((*LEAKS, "more.csv"), "more.csv: row 1 has more fields", "quote"),
    ((*LEAKS, "huge.csv"), "huge.csv: not a readable CSV"),
    ((*LEAKS, "captions.csv", "--rule", "fuzzy"), "unknown rule 'fuzzy'", "word, lemma, phrase, ontology or meaning"),
    ((*LEAKS, "captions.csv", "--rule", "ontology"), "captions.csv: no column of labels; found caption"),
    ((*LEAKS, "captions.csv", "--labels", "esc51"), "esc51: no such file", "use esc50"),
    ((*LEAKS, "captions.csv", "--labels", "no.txt"), "no.txt: no label", "use esc50"),
    ((*LEAKS, "captions.csv", "--labels", "sign.txt"), "'--' holds no word"),
    ((*LEAKS, "labels.csv", "--rule", "ontology", "--labels", "mine.txt"), "'foghorn' is no class of ESC-50"),
    (("publish", "--profile", "smoke"), f"{SMOKE_RUN}: fields missing", "clapleak reproduce --profile smoke"),
    (("publish", "--profile", "mini"), "results/mini: no such results", "clapleak reproduce --profile mini"),
    (("page", "nothing", "out.ipynb"), "nothing.py: no such notebook", "notebooks/"),
    (("book",), "pages missing: intro", "clapleak reproduce"),
]  # fmt: skip


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A project with profiles alone as the working directory, and files beside them that are wrong."""
    shutil.copytree(find_root() / "profiles", tmp_path / "here" / "profiles")
    (tmp_path / "here" / "book").mkdir()
    shutil.copy(find_root() / "book" / "_toc.yml", tmp_path / "here" / "book")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("CLAPLEAK_DATA", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    for name, content in FILES.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content)
    write_profile(Path("renamed.yaml"), name="mini")
    return Path()


def refused(words: tuple, *parts: str) -> None:
    before = files(Path())
    done = call(*words)
    assert done.exit_code == 2 and done.stdout == "" and done.stderr.startswith("clapleak: "), done.output
    assert len(done.stderr.strip().splitlines()) == 1 and all(part in done.stderr for part in parts), done.stderr
    assert files(Path()) == before


@pytest.mark.parametrize("case", CALLS, ids=lambda case: " ".join(map(str, case[0])))
def test_a_bad_call_is_one_line_and_changes_nothing(here, case):
    refused(*case)


def test_outside_a_clone_it_says_where_to_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in (("book",), (*TRAIN, "mini"), ("publish",)):
        refused(words, "no folder here or above holds profiles/; run inside a clone")


KEYS = [  # section, key, value that is refused; None takes the key away
    ("recipe", "momentum", 0.9), ("recipe", "batch_size", "128"), ("recipe", "batch_size", None), ("seeds", None, 0),
    ("recipe", "validation_share", 1.5), ("recipe", "validation_share", float("nan")), ("extra", None, 1),
    ("audio", "segment", -1.0), ("text_encoder", "pooling", "max"), ("compute", "device", "tpu"),
    ("data", "prompt", "a sound"), ("data", "prompt", "{a}"), ("data", "prompt", "{} {}"), ("data", "pretrain", []),
    ("audio", "segment", float("inf")), ("audio", "f_max", 10.0), ("loss", "max_logit", -1.0),
    ("measures", "k_max", 0), ("data", "test", "foley:9"),
]  # fmt: skip


@pytest.mark.parametrize(("section", "key", "value"), KEYS, ids=str)
def test_a_wrong_profile_names_file_and_key(here, section, key, value):
    path = write_profile(here / "wrong.yaml", **{section: value if key is None else {key: value}})
    if key is not None and value is None:
        content = yaml.safe_load(path.read_text())
        del content[section][key]
        path.write_text(yaml.safe_dump(content))
    with pytest.raises(ClapleakError, match=f"wrong.yaml: key '{section}{f'.{key}' if key else ''}[^\n]+$"):
        load_profile(str(path))


@pytest.mark.parametrize("path", sorted((find_root() / "profiles").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_profile_loads_and_every_number_has_its_source(path):
    assert load_profile(path.stem).name == path.stem
    for line in path.read_text().splitlines():
        key, _, value = line.partition(":")
        assert "#" in value or not (key.startswith("  ") and value.strip()[:1].isdigit()), line


@pytest.mark.parametrize("model", ["minilm", "no/where"])
def test_text_weights_that_are_wrong_or_nowhere_are_refused(place, monkeypatch, model):
    if model == "minilm" and importlib.util.find_spec(text.MINILM_PACKAGE) is None:
        pytest.skip("the offline weights are not installed")
    monkeypatch.setattr(text, "MINILM_SHA256", "0" * 64)
    done = call("store", "--profile", write_profile(place / "changed.yaml", text_encoder={"model": model}))
    line = done.stderr.splitlines()[-1]  # lines of progress stand before
    assert done.exit_code == 2 and line.startswith("clapleak: ")
    assert ("model.safetensors: SHA-256" if model == "minilm" else f"text_encoder.model {model}") in line
