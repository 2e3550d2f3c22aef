"""Bad inputs: one line on stderr that names file or key and the remedy, exit code 2, nothing written, within 20 s."""

import ctypes
import importlib.util
import inspect
import json
import shutil
import struct
import sys
import time
from pathlib import Path

import bad_inputs as bad
import numpy as np
import official_layouts as layouts
import pytest
import soundfile
import torch
import yaml
from fake_results import make_run
from helpers import call, files, python, write_profile

from clapleak import audio, metrics, results
from clapleak.config import ClapleakError, find_root, load_profile
from clapleak.models import networks, text
from clapleak.setups import SETUPS

LONGEST = 20.0  # seconds


@pytest.fixture(scope="module")
def wrong(tmp_path_factory) -> Path:
    """A project with profiles and notebooks alone, and beside them what is wrong."""
    folder = tmp_path_factory.mktemp("wrong") / "here"
    for name in ("profiles", "notebooks"):
        shutil.copytree(find_root() / name, folder / name)
    (folder / "book").mkdir()
    shutil.copy(find_root() / "book" / "_toc.yml", folder / "book")
    bad.write(folder)
    return folder


@pytest.fixture
def here(wrong, monkeypatch) -> Path:
    """That project as the working directory: no test changes it, which `refused` looks after."""
    monkeypatch.chdir(wrong)
    monkeypatch.delenv("CLAPLEAK_DATA", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    return wrong


def refused(words: tuple, *parts: str) -> None:
    before, started = files(Path()), time.monotonic()
    done = call(*words)
    one_line(done.exit_code, done.stdout, done.stderr, *parts)
    assert files(Path()) == before and time.monotonic() - started < LONGEST


def one_line(code: int, stdout: str, stderr: str, *parts: str) -> None:
    assert code == 2 and stdout == "" and stderr.startswith("clapleak: "), stdout + stderr
    assert len(stderr.strip().splitlines()) == 1 and all(part in stderr for part in parts), stderr


def test_the_tables_are_as_long_as_they_shall_be():
    tables = (bad.CALLS, bad.PROFILES, bad.KEYS, bad.TEXTS, bad.LABELS, bad.METRICS, bad.HISTORIES, bad.CLOUDS)
    assert sum(map(len, (*tables, bad.MAPS, bad.ARRAYS, SOUNDS))) >= 400


@pytest.mark.parametrize("case", bad.CALLS, ids=lambda case: " ".join(map(str, case[0]))[:90])
def test_a_bad_call_is_one_line_and_changes_nothing(here, case):
    refused(*case)


GIVEN = [  # a file that is there for one call alone, its content, the call, and what its line names
    *((f"{n}.yaml", content, ("publish", "--profile", f"./{n}.yaml"), (f"{' '.join(n.split())}.yaml: ", *parts))
      for n, (content, *parts) in bad.PROFILES.items()),
    *((n, content, ("leaks", n), (f"{n}: ", *parts)) for n, (content, *parts) in bad.TEXTS.items()),
    *((n, content, ("leaks", "good.csv", "--labels", n), parts) for n, (content, *parts) in bad.LABELS.items()),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "words", "parts"), GIVEN, ids=[f"{c[2][-2]} {c[0]!r}" for c in GIVEN])
def test_a_damaged_profile_table_or_list_of_labels_is_named(here, name, content, words, parts):
    try:
        Path(name).write_bytes(content)
        refused(words, *parts)
    finally:
        Path(name).unlink()


@pytest.mark.parametrize(("section", "key", "value"), bad.KEYS, ids=str)
def test_a_wrong_profile_names_file_and_key(here, tmp_path, section, key, value):
    path = write_profile(tmp_path / "wrong.yaml", **{section: value if key is None else {key: value}})
    if key is not None and value is None:
        content = yaml.safe_load(path.read_text())
        del content[section][key]
        path.write_text(yaml.safe_dump(content))
    refused(("publish", "--profile", str(path)), f"wrong.yaml: key '{section}")


@pytest.mark.parametrize("path", sorted((find_root() / "profiles").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_profile_loads_and_every_number_has_its_source(path):
    assert load_profile(path.stem).name == path.stem
    for line in path.read_text().splitlines():
        key, _, value = line.partition(":")
        assert "#" in value or not (key.startswith("  ") and value.strip()[:1].isdigit()), line


# --- folders of results


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    """A project in which the six setups of `smoke` are finished."""
    folder = tmp_path_factory.mktemp("template") / "project"
    shutil.copytree(find_root() / "profiles", folder / "profiles")
    (folder / "README.md").touch()  # of a clone
    for setup in SETUPS:
        make_run(folder / "build" / "results" / "smoke", setup)
    return folder


@pytest.fixture
def run(template, tmp_path, monkeypatch) -> results.Run:
    """One of its runs, in a copy that is the working directory."""
    monkeypatch.chdir(shutil.copytree(template, tmp_path / "project"))
    return results.read_run(results.own_folder("smoke") / "dirty-dirty" / results.run_name(0, None))


def test_what_is_right_is_published(run, monkeypatch):
    """So that the cases below fail for what they name."""
    shutil.copytree(run.path, run.path.with_name(".seed0.k1ll3d"))  # left by a kill
    (run.path.with_name(".seed0.k1ll3d") / "metrics.json").write_text("{")
    assert call("publish", "--profile", "smoke").exit_code == 0 and Path("results/smoke/dirty-dirty/seed0").is_dir()
    assert not list(Path("results").rglob(".*"))
    assert run.embeddings and run.map and len(run.history) and not results.finished(run.path, "other measurement")


@pytest.mark.parametrize("name", bad.METRICS)
def test_a_run_that_is_damaged_or_of_another_place_is_named(run, name):
    content, *parts = bad.METRICS[name]
    if isinstance(content, dict):
        content = json.dumps(run.metrics | content).encode()
    (run.path / "metrics.json").unlink()
    if content is not None:
        (run.path / "metrics.json").write_bytes(content)
    refused(("publish", "--profile", "smoke"), "smoke", *parts, "clapleak reproduce --profile")
    assert not results.finished(run.path, "smoke") or name == "family"


DAMAGED = [
    *((file, kind) for file in bad.RUN for kind in ("folder", "circle")),
    *(("history.csv", content) for content in bad.HISTORIES.values()),
    *(("embeddings.npz", content) for content in bad.CLOUDS.values()),
    *(("map.npz", content) for content in bad.MAPS.values()),
]  # fmt: skip


@pytest.mark.parametrize(("file", "content"), DAMAGED, ids=lambda value: str(value)[:30])
def test_a_damaged_file_of_a_run_is_named_with_the_remedy_and_made_again(run, file, content):
    path, held = run.path / file, run.embeddings
    path.unlink()
    if isinstance(content, dict):
        content = bad.npz(**{key: value for key, value in (held | content).items() if value is not None})
    if content == "folder":
        path.mkdir()
    elif content == "circle":
        path.symlink_to(file)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(ClapleakError, match=f"{file}: not readable .*; run `clapleak reproduce --profile smoke` again"):
        again = results.read_run(run.path)
        _ = again.history, again.embeddings, again.map
    assert results.finished(run.path, "smoke") == (file == "map.npz")  # a map is drawn again


@pytest.mark.parametrize(("function", "given", "part"), bad.ARRAYS, ids=lambda value: str(value)[:20].replace("\n", ""))
def test_arrays_that_are_no_clouds_or_do_not_match_are_refused(function, given, part):
    assert inspect.isfunction(getattr(metrics, function))
    with pytest.raises(ClapleakError) as caught:
        getattr(metrics, function)(*given)
    assert part in str(caught.value) and "\n" not in str(caught.value)


# --- sounds


def header(path: Path, place: int, kind: str, value: int) -> None:
    """Change a number in the header of a file."""
    content = bytearray(path.read_bytes())
    struct.pack_into(kind, content, place, value)
    path.write_bytes(content)


SOUNDS = {  # what is done to one second of noise at 8 kHz, and why the clip cannot be used; "" where it can
    "empty.wav": (lambda path: path.write_bytes(b""), "unreadable"),
    "text.wav": (lambda path: path.write_text("hello"), "unreadable"),
    "bytes.wav": (lambda path: path.write_bytes(bad.BINARY * 20), "unreadable"),
    "half.wav": (lambda path: path.write_bytes(path.read_bytes()[:30]), "unreadable"),
    "cut.flac": (lambda path: path.write_bytes(path.read_bytes()[:3000]), "unreadable"),
    "nothing.wav": (lambda path: path.write_bytes(path.read_bytes()[:44]), "empty"),
    "rate.wav": (lambda path: header(path, 24, "<I", 0), "unreadable"),
    "fast.wav": (lambda path: header(path, 24, "<I", 2**31 - 1), "sample rate of 2147483647 Hz"),
    "slow.wav": (lambda path: header(path, 24, "<I", 1), "sample rate of 1 Hz"),
    "channels.wav": (lambda path: header(path, 22, "<H", 0), "unreadable"),
    "many.wav": (lambda path: header(path, 22, "<H", 1000), "shorter than 0.1 s"),
    "long.wav": (lambda path: header(path, 40, "<I", 2**32 - 1), ""),
    "unknown.flac": (lambda path: header(path, 18, ">Q", flac_head(path)), ""),  # of unknown length, which is allowed
    "endless.flac": (lambda path: header(path, 18, ">Q", flac_head(path) | (1 << 36) - 1), "unreadable"),
    "huge.flac": (lambda path: header(path, 18, ">Q", flac_head(path) | 1 << 35), "unreadable"),
    "odd.wav": (lambda path: soundfile.write(path, np.ones(44101) / 9, 44101), ""),  # once 80 s and 12 GB
    "prime.wav": (lambda path: soundfile.write(path, np.ones(96001) / 9, 96001), ""),
    "short.wav": (lambda path: soundfile.write(path, np.ones(700) / 9, 8000), "shorter than 0.1 s"),
    "nan.wav": (lambda path: soundfile.write(path, np.full(8000, np.nan), 8000, "FLOAT"), "non-finite samples"),
    "infinite.wav": (lambda path: soundfile.write(path, np.full(8000, np.inf), 8000, "FLOAT"), "non-finite samples"),
    "flac.wav": (lambda path: soundfile.write(path, np.ones(8000) / 9, 8000, format="FLAC"), ""),  # another ending
    "raw.raw": (lambda path: path.write_bytes(b"raw"), "unreadable"),
    "absent.wav": (Path.unlink, "missing"), "folder.wav": (lambda path: (path.unlink(), path.mkdir()), "missing"),
    "circle.wav": (lambda path: (path.unlink(), path.symlink_to(path.name)), "missing"),
    "zero.wav": (lambda path: (path.unlink(), path.symlink_to("/dev/zero")), "missing"),
}  # fmt: skip


def flac_head(path: Path) -> int:
    """Rate, channels and bits of a FLAC file without its number of samples."""
    return struct.unpack_from(">Q", path.read_bytes(), 18)[0] >> 36 << 36


@pytest.mark.parametrize("name", SOUNDS)
def test_a_sound_is_read_or_the_reason_is_given_in_seconds_and_little_memory(tmp_path, name):
    path, (change, reason) = tmp_path / name, SOUNDS[name]
    suffix = path.suffix if path.suffix != ".raw" else ".wav"
    soundfile.write(path.with_suffix(suffix), np.random.default_rng(0).normal(0, 0.1, 8000), 8000)
    path.with_suffix(suffix).rename(path)
    change(path)
    started = time.monotonic()
    if reason:
        with pytest.raises(ClapleakError, match=f"^{reason}$"):
            audio.read(path, 16000)
    else:
        assert len(audio.read(path, 16000)) == pytest.approx(16000, abs=50)
    assert time.monotonic() - started < LONGEST


@pytest.mark.slow
def test_broken_sounds_are_listed_before_training_and_counted_where_they_may_be_missing(place):
    """The same files in ESC-50's layout, through the command line, and a table of which half the clips are absent."""
    targets = [target for target in (0, 30, 10, 3, 45, 16) for _ in range(40)]
    root = layouts.esc50(place, targets=targets, seconds=(0.1, 0.1), rate=8000)
    table = (root / "meta" / "esc50.csv").read_text().splitlines()[1:]
    broken = [name for name, (_, reason) in SOUNDS.items() if reason and name != "raw.raw"]
    clips = [root / "audio" / line.split(",")[0] for line in table]
    for path, name in zip(clips, broken, strict=False):
        soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 8000), 8000, format=Path(name).suffix[1:].upper())
        SOUNDS[name][0](path)
    groups = {"size": 3, "test_folds": [4, 5], "captions_per_clip": 2}
    real = {"pretrain": ["esc50"], "pairs": ["esc50"], "test": "esc50", "foley": None, "class_groups": groups}
    profile = write_profile(place / "real.yaml", data=real)
    words = ("pretrain", "--profile", profile, "--pretraining", "dirty", "--data-root", root, "--group", 1)
    line = (done := call(*words)).stderr.splitlines()[-1]  # lines of progress stand before
    assert done.exit_code == 2 and f"{clips[0].name} (unreadable)" in line and "--allow-missing" in line
    assert not (place / "build" / "results").exists()
    assert call(*words, "--allow-missing").exit_code == 0
    assert (place / "build/results/real/backbone/dirty/group1-seed0/metrics.json").is_file()
    for path in clips[120:]:
        path.unlink()
    shutil.rmtree(place / "build")
    words = ("train", "--profile", profile, "--setup", "none-clean", "--data-root", root)
    done = call(*words, "--group", 9)
    assert done.exit_code == 2 and "has class groups 0 to 1: say which with --group; --group is 9" in done.stderr
    assert (done := call(*words)).exit_code == 2 and done.stderr.endswith("say which with --group\n")
    assert not (place / "build" / "real" / "store").exists()  # before anything is decoded
    done = call(*words, "--group", 0)
    line = done.stderr.splitlines()[-1]
    assert done.exit_code == 2 and f"{120 + len(broken)} clips cannot be used (" in line and "--allow-missing" in line
    absent = sum(SOUNDS[name][1] == "missing" for name in broken)
    assert (
        f"{120 + absent} missing" in line and f"{clips[-1].name} (missing)" in line and "1 sample rate of 1 Hz" in line
    )
    assert not (place / "build" / "results").exists()
    done = call("store", "--profile", profile, "--data-root", root)
    assert f"{120 - len(broken)} clips, {120 + len(broken)} unusable" in done.stdout


# --- weights


@pytest.mark.parametrize("model", ["minilm", "no/where", "empty", "pickled", "bare"])
def test_text_weights_that_are_wrong_or_nowhere_are_refused(place, monkeypatch, model):
    if model == "minilm" and importlib.util.find_spec(text.MINILM_PACKAGE) is None:
        pytest.skip("the offline weights are not installed")
    monkeypatch.setattr(text, "MINILM_SHA256", dict.fromkeys(text.MINILM_SHA256, "0" * 64))
    for name, content in {"empty/x": b"", "pickled/pytorch_model.bin": b"x", "bare/config.json": b"{}"}.items():
        (place / name).parent.mkdir()
        (place / name).write_bytes(content)
    done = call("store", "--profile", write_profile(place / "changed.yaml", text_encoder={"model": model}))
    line = done.stderr.splitlines()[-1]  # lines of progress stand before
    assert (
        done.exit_code == 2 and line.startswith("clapleak: ") and not (place / "build" / "changed" / "store").exists()
    )
    named = model if model == "no/where" else place / model  # a folder is named in full
    assert ("SHA-256" if model == "minilm" else f"text_encoder.model {named}: ") in line


@pytest.mark.parametrize("content", [b"", b"x", bad.pickle.dumps({"model": 1}), "list", "keys", None], ids=repr)
def test_a_checkpoint_that_is_none_is_refused_before_anything_is_decoded(place, content):
    if isinstance(content, str):
        torch.save([1] if content == "list" else {"model": {"a": torch.ones(1)}}, place / "panns.pth")
    elif content is not None:
        (place / "panns.pth").write_bytes(content)
    profile = write_profile(place / "mine.yaml", pretrain={"checkpoint": "panns.pth"})
    refused(("train", "--profile", profile, "--setup", "dirty-clean"), "panns.pth")


@pytest.mark.parametrize(("names", "parts"), [
    (("byola", "soundnet"), ("data fetch byola`", "data fetch soundnet`")), (("yamnett",), ("did you mean 'yamnet'?",)),
    (("random_vggish", "byola"), ("unknown network 'random_vggish'", "data fetch byola`")),
], ids=str)  # fmt: skip
def test_all_weights_that_are_absent_are_named_in_one_line(here, names, parts):
    with pytest.raises(ClapleakError) as caught:
        networks.refuse_absent(names)
    assert all(part in str(caught.value) for part in parts) and "\n" not in str(caught.value)


# --- through real processes


@pytest.mark.parametrize("words", [("train", "--setup", "dirty-claen"), ("tarin",)], ids=str)
def test_a_process_answers_alike(here, words):
    done = python("-m", "clapleak", *words, code=2, cwd=here)
    one_line(done.returncode, done.stdout, done.stderr)


def without_privileges() -> None:
    """Permissions of files hold for the superuser too (Linux: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH are dropped)."""
    for capability in (1, 2):
        ctypes.CDLL(None).prctl(24, capability)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="permissions are taken away as Linux does it")
@pytest.mark.parametrize(("locked", "words"), [
    ("profiles/smoke.yaml", ("store", "--profile", "smoke")),
    ("out", ("leaks", "good.csv", "--output", "out/x.csv")), ("good.csv", ("leaks", "good.csv")),
    ("build", ("reproduce", "--profile", "smoke")),
], ids=str)  # fmt: skip
def test_what_may_not_be_read_or_written_is_named(tmp_path, locked, words):
    shutil.copytree(find_root() / "profiles", tmp_path / "profiles")
    (tmp_path / "out").mkdir()
    (tmp_path / "build").mkdir()
    (tmp_path / "good.csv").write_bytes(bad.FILES["good.csv"])
    before = files(tmp_path)
    (tmp_path / locked).chmod(0o000 if "." in locked else 0o555)
    done = python("-m", "clapleak", *words, code=2, cwd=tmp_path, preexec_fn=without_privileges)
    (tmp_path / locked).chmod(0o755)
    fault = "is not readable" if locked == "good.csv" else "Permission denied; mend"
    one_line(done.returncode, done.stdout, done.stderr.splitlines()[-1], Path(locked).name, fault)
    assert files(tmp_path) == before
