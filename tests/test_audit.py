"""The audit: leaks of known size, no alarms without one, every family of models, bad inputs, exit codes."""

import json
import re
import runpy
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from helpers import call, python
from scipy.signal import resample_poly

from clapleak import audit as audits
from clapleak import leakage, metrics, texts
from clapleak.audit import Clouds, audit, export, measures, sounds, verdicts
from clapleak.config import ClapleakError, TextEncoder, find_root
from clapleak.models import load_text_encoder

benchmark = SimpleNamespace(**runpy.run_path(str(find_root() / "benchmarks" / "audit_power.py")))
CLASSES, NAMES, world, drawn = benchmark.CLASSES, benchmark.NAMES, benchmark.world, benchmark.drawn
SCHEMA = json.loads((find_root() / "clapleak" / "audit" / "schema.json").read_text())


def test_measures_agree_with_those_of_the_paper_and_with_drawn_tasks():
    found, rng = world(0), np.random.default_rng(0)
    y, cosines = found.labels, metrics.unit(found.E_a) @ metrics.unit(found.E_t[0]).T
    source = np.unique(found.recordings, return_inverse=True)[1]
    assert measures.won(cosines, y).mean() == metrics.zero_shot_accuracy(found.E_a, found.E_t[0], y)
    assert measures.silhouettes(found.x_a, y).mean() == pytest.approx(metrics.silhouette(found.x_a, y))
    centroids = metrics.centroid_cosines(found.x_a, y, source)
    assert measures.won(centroids, y).mean() == metrics.centroid_accuracy(found.x_a, y, source)
    halves = np.arange(CLASSES) % 2  # from 25 answers to 50
    assert measures.won(cosines, y, halves).mean() == pytest.approx(measures.won(cosines, y).mean(), abs=0.03)
    assert measures.won(cosines[:, halves == 0], y // 2)[y % 2 == 0].mean() > measures.won(cosines, y).mean() + 0.03
    probed = measures.won(measures.linear_probe(found.x_a, y, source, 0), y).mean()
    noise = measures.won(measures.linear_probe(rng.normal(size=(len(y), 64)), y, source, 0), y).mean()
    assert 0.8 < probed < 1 and noise < 0.04
    pairs = np.repeat(rng.normal(size=(1000, 8)), 2, axis=0)  # a recording's clips are alike, its class is not
    assert measures.won(measures.linear_probe(pairs, y, source, 0), y).mean() < 0.05


@pytest.mark.slow
def test_planted_leaks_are_found_at_their_size(monkeypatch):
    monkeypatch.setattr(measures, "DRAWS", 100)
    monkeypatch.setattr(measures, "PERMUTATIONS", 399)
    sizes, truths, power = [], [], {}

    def fewer_clips(leaks: np.ndarray | None, seed: int) -> Clouds:
        return world(seed, leaks, clips=12)

    for share in (0, 0.1, 0.3, 0.5):
        runs = [benchmark.planted(share, seed, fewer_clips, np.ones(CLASSES)) for seed in range(10)]
        truth, size, power[share] = np.mean(runs, axis=0)
        sizes, truths = [*sizes, size], [*truths, truth]
    assert sizes == sorted(set(sizes)) and np.abs(np.subtract(sizes, truths)).max() < 0.05 and power[0.3] >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("easier", [0, 1])
def test_a_clean_model_raises_no_more_alarms_than_its_level(monkeypatch, easier):
    """As `benchmarks/audit_power.py`, smaller. In one model chance may favour the easier classes."""
    monkeypatch.setattr(measures, "PERMUTATIONS", 199)
    alarms, gaps = np.transpose([benchmark.alarms(world(model), easier, 50) for model in range(10)])
    assert alarms.mean() <= 0.065
    assert not easier or gaps.mean() > 0.05  # without the covariates it would raise more


def test_shuffled_labels_are_at_chance_and_alarm_nobody():
    found, rng = world(2, drawn(0.3, 2)), np.random.default_rng(2)
    shuffled = Clouds(rng.permutation(found.labels), NAMES, found.x_a, found.E_a, found.x_t, found.E_t)
    result = audit(shuffled, drawn(0.3, 2)).json
    assert result["notes"] == [verdicts.GUESSED] and not audit(found).json["notes"]
    low, high = result["shuffled_labels"]
    assert low <= result["measures"]["zero_shot"]["value"] <= high < 0.04 and low < 0.02
    assert result["verdicts"]["labels"]["state"] == verdicts.UNKNOWN
    assert audit(shuffled, drawn(0.3, 2)).gate() == 3
    assert abs(result["measures"]["silhouette_x_a"]["value"]) < 0.1


def test_too_few_classes_are_undecided_without_a_number_that_is_none():
    rng = np.random.default_rng(0)
    for classes in (2, 4):  # of four, what is held equal leaves nothing to compare
        y = np.repeat(np.arange(classes), 8)
        x = rng.normal(size=(classes, 8))[y] + 3 * rng.normal(size=(len(y), 8))
        made = Clouds(y, NAMES[:classes], x, x, None, rng.normal(size=(1, classes, 8)))
        found = audit(made, np.arange(classes) < classes // 2, alpha=0.2).json
        assert found["verdicts"]["labels"]["state"] == verdicts.UNKNOWN and json.dumps(found, allow_nan=False)


def test_embeddings_count_in_double_precision_whatever_their_type_and_scale():
    """Squares of half precision overflow at 256, those of single precision at 1e19."""
    found = world(3, clips=6)
    shift = found.x_a.mean(axis=0)
    x, t = (300 * (points - shift) for points in (found.x_a, found.E_t))
    right = audit(Clouds(found.labels, NAMES, x, x, None, t)).json["measures"]["zero_shot"]["value"]
    assert right > 0.4
    for kind, scale in (("float16", 1), ("float32", 1e30), ("longdouble", 1e-30), ("int64", 1)):
        a, b = ((points * scale).astype(kind) for points in (x, t))
        clouds = Clouds(found.labels, NAMES, a, a, None, b)
        assert clouds.E_a.dtype == clouds.E_t.dtype == np.float64
        assert audit(clouds).json["measures"]["zero_shot"]["value"] == pytest.approx(right, abs=0.01)


def test_seen_is_matched_by_name_and_must_be_yes_or_no():
    found, seen = world(3, drawn(0.3, 3), clips=6), pd.DataFrame({"seen": drawn(0.3, 3)}, index=list(NAMES))
    one, other = (audit(found, table).json for table in (seen, seen.sample(frac=1, random_state=0)))
    assert one == other and one == audit(found, drawn(0.3, 3)).json
    for wrong in (seen.rename(index={"class 1": "x"}), seen["seen"].astype(int).tolist(), [True], seen.astype(object)):
        with pytest.raises(ClapleakError, match="must say True or False of each of the 50 classes"):
            audit(found, wrong)


def test_a_gate_asks_what_is_named_and_refuses_other_names(monkeypatch):
    states = {"labels": {"state": verdicts.NONE}, "recordings": {"state": verdicts.UNKNOWN}}
    found = verdicts.Audit({"verdicts": states})
    assert [found.gate(names) for names in (["labels"], ["recordings"], ["unknown"], [])] == [0, 3, 1, 3]
    assert found.gate(["labels", "recordings"], 1) == 3  # whatever a leak may be worth
    states["labels"] = {"state": verdicts.EVIDENCE, "size": 0.2}
    assert found.gate(["unknown"], 0.3) == 1 and found.gate(["labels"], 0.3) == 0 and found.gate(["labels"]) == 1
    assert found.stopped(["labels"], 0.1) == {"labels": verdicts.EVIDENCE}
    with pytest.raises(ClapleakError, match="--fail-on label: use labels, recordings, unknown"):
        found.gate(["label"])


SAME = [  # names of recordings in test and training, and which of the test are the same
    (["100032", "7.wav", "8"], ["freesound/100032", "7", "9"], "110"),
    (["site.001", "site.002"], ["site.999", "site.002.flac"], "01"),
    (["speaker1/utt1", "speaker3/utt1"], ["speaker2/utt1", "speaker3/utt1"], "01"),
    (["a/1", "a\\2.WAV"], ["b/1.mp3", "c/3"], "10"), (["100032.0", "5.0"], ["100032", "6"], "10"),
]  # fmt: skip


@pytest.mark.parametrize(("test", "training", "same"), SAME)
def test_recordings_are_the_same_by_the_whole_of_their_names(test, training, same):
    assert "".join(str(int(one)) for one in verdicts._same(test, training)) == same


def test_recordings_that_nobody_knows_are_not_the_same(here):
    blank = np.where(np.arange(300) < 200, np.resize(["", "nan", " NaN", "None"], 300), world(3, clips=6).recordings)
    write_arrays(here / "m.npz", recordings=blank)
    (here / "recordings.csv").write_text("id,fname\n149,\n148,nan\n3,149\n")
    options = ("--training-recordings", "recordings.csv", "--fail-on", "recordings", "--max-leak", 0)
    assert call("audit", "m.npz", *options).exit_code == 1
    assert result()["verdicts"]["recordings"]["clips"] == 2 and result()["recordings"] == 250  # fname, not id
    write_arrays(here / "m.npz", recordings=[""] * 300)
    assert call("audit", "m.npz", *options).exit_code == 3  # as without the column


def write_arrays(path: Path, **changes) -> Path:
    found = world(3, drawn(0.3, 3), clips=6)
    held = dict(x_a=found.x_a, E_a=found.E_a, x_t=found.x_t[0], E_t=found.E_t[0], classes=NAMES, labels=found.labels)
    held |= {"recordings": found.recordings, **changes}
    np.savez(path, **{name: value for name, value in held.items() if value is not None})
    return path


def write_labels(path: Path, seen: np.ndarray) -> Path:
    path.write_text("display_name\n" + "\n".join(f"the {NAMES[i]} sound" for i in np.flatnonzero(seen)))
    return path


def result(folder: str | Path = "audit") -> dict:
    """The JSON of a call, which must follow the published schema."""
    found = json.loads(Path(folder, "audit.json").read_text())
    jsonschema.validate(found, SCHEMA)
    return found


def test_arrays_need_no_torch_and_exit_codes_say_what_was_decided(here):
    seen = drawn(0.3, 3)
    write_arrays(here / "m.npz")
    write_labels(here / "labels.csv", seen)
    words = ("audit", "m.npz", "--training-labels", "labels.csv", "--rule", "phrase")
    code = f"import sys; from clapleak.cli import main\ntry: main({list(words)})\nexcept SystemExit as end: "
    code += "print(end.code, *{'torch', 'transformers'} & set(sys.modules))"
    assert python("-c", code).stdout.splitlines()[-1].strip() == "1"  # and no torch
    found = result()
    assert [c["seen"] for c in found["classes"]] == seen.tolist()
    assert found["gate"]["code"] == 1 and found["verdicts"]["labels"]["state"] == verdicts.EVIDENCE
    page = Path("audit/report.html").read_text()
    assert "http" not in page.replace("http://www.w3.org", "") and "the class" in page
    charts = [json.loads(data) for data in re.findall('application/json">(.*)</script>', page)]
    assert [len(chart["marks"]) for chart in charts] == [5, 50]  # for the script of the page, and as tables
    marks = [mark for chart in charts for mark in chart["marks"]]
    assert all(f"<td>{mark['label']}</td><td>{mark['text']}</td>" in page for mark in marks)
    assert "<b>Gate</b>: failed" in page
    done = call(*words, "--max-leak", 0.9)
    assert done.exit_code == 0 and "passed (--max-leak 0.9)" in done.output
    assert "failed: labels, evidence of a leak (--max-leak 0.05)" in call(*words).output
    assert call("audit", "m.npz").exit_code == 3  # nobody said what the training held
    assert call("audit", "m.npz", "--fail-on", "labels,unknown").exit_code == 1
    write_labels(here / "labels.csv", drawn(0.5, 9))  # not the classes that leak
    assert call(*words).exit_code == 0 and "a gap above" in result()["verdicts"]["labels"]["sentence"]
    write_labels(here / "labels.csv", np.arange(CLASSES) > 0)
    done = call(*words)
    assert done.exit_code == 3 and "at least 2 seen and 2 unseen classes are needed" in done.output
    with np.load("m.npz") as held:  # the spelling of names, and texts as bytes, as other writers have them
        arrays = dict(held)
    first = result()["measures"]
    arrays |= {name: np.char.encode(arrays[name], "utf-8") for name in ("classes", "recordings")}
    arrays |= {"labels": np.array([f" {NAMES[i].replace(' ', '_')}".encode() for i in arrays["labels"]])}
    np.savez("bytes.npz", **arrays, prompts=np.array("{}"), notes=np.array("a note"))
    call("audit", "bytes.npz")
    assert result()["measures"] == first and result()["classes"][0]["name"] == "class 0"
    assert result()["notes"] == ["a note"] and list(result()["prompts"]) == ["{}"]


def test_recordings_and_a_reference_have_verdicts_of_their_own(here):
    write_arrays(here / "m.npz")
    write_arrays(here / "worse.npz", x_a=world(3, clips=6).x_a + np.random.default_rng(0).normal(0, 4, (300, 64)))
    (here / "recordings.csv").write_text("recording\n0.wav\nother/1\n77777\n")
    options = ("--training-recordings", "recordings.csv", "--fail-on", "recordings")
    assert call("audit", "worse.npz", *options, "-o", "worse").exit_code == 0  # four of 300 clips are below max-leak
    assert call("audit", "m.npz", *options, "--max-leak", 0, "--reference", "worse/audit.json").exit_code == 1
    found = result()["verdicts"]
    assert found["recordings"]["clips"] == 4 and "4 by recording id" in found["recordings"]["sentence"]
    assert found["backbone"]["state"] == verdicts.EVIDENCE and "fair reference" in found["backbone"]["sentence"]
    assert call("audit", "worse.npz", "--reference", "audit/audit.json", "-o", "back").exit_code == 3
    assert result("back")["verdicts"]["backbone"]["state"] == verdicts.NONE
    write_arrays(here / "m.npz", x_a=None)
    call("audit", "m.npz", "--training-labels", write_labels(here / "l.csv", drawn(0.3, 3)), "--rule", "phrase")
    found = result()["verdicts"]
    assert "no x_a" in found["backbone"]["sentence"] and found["labels"]["covariate"] == "E_a"


def test_texts_with_markup_are_shown_as_texts(here):
    names = ("<script>alert(1)</script> dog", *NAMES[1:])
    write_arrays(here / "m.npz", classes=names)
    (here / "c.csv").write_text('caption\n"a dog <img src=x onerror=alert(1)>"\n')
    call("audit", "m.npz", "--training-captions", "c.csv")
    page = Path("audit/report.html").read_text()
    assert "<script>alert" not in page and "<img" not in page and "&lt;img src=x" in page


@pytest.fixture
def clips(here) -> Path:
    """Eight short sounds of four classes."""
    rows, rng = ["path,label,recording"], np.random.default_rng(0)
    for i in range(8):
        soundfile.write(here / f"{i}.wav", rng.normal(0, 0.1, 8000 + 80 * i), 16000)
        rows.append(f"{i}.wav,{('dog', 'rain_drops', 'sea', 'cat')[i % 4]},{i // 4}")
    (here / "test.csv").write_text("\n".join(rows))
    return here / "test.csv"


def tiny_clap(folder: Path) -> Path:
    """A ClapModel with random weights, and the files that transformers wants beside it."""
    settings = TextEncoder(model="tiny", pooling="mean", max_tokens=60, trainable_layers=0)
    tokenizer = load_text_encoder(settings).tokenizer  # first: it has torchaudio ready for transformers
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

    audio = dict(
        depths=[1, 1], num_attention_heads=[1, 2], patch_embeds_hidden_size=8, hidden_size=16, num_mel_bins=32,
        spec_size=64, window_size=4, num_hidden_layers=2,
    )  # fmt: skip
    text = dict(vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, pad_token_id=0)
    torch.manual_seed(0)
    ClapModel(ClapConfig(audio_config=audio, text_config=text, projection_dim=12)).save_pretrained(folder)
    front = dict(feature_size=32, sampling_rate=16000, hop_length=160, fft_window_size=512, max_length_s=1)
    front |= dict(frequency_max=8000, truncation="rand_trunc", padding="repeatpad")
    ClapFeatureExtractor(**front).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.slow
def test_a_folder_of_transformers(here, clips):
    tiny_clap(here / "clap")
    assert call("audit", "clap", "test.csv").exit_code == 3
    first = result()
    assert {"probe_floor", "zero_shot", "centroid_x_a", "silhouette_E_a"} < first["measures"].keys()
    with np.load("audit/clouds.npz") as held:
        assert held["x_a"].shape == (8, 16) and held["E_t"].shape == (5, 4, 12) and held["x_t"].shape == (5, 4, 16)
        assert held["classes"].tolist() == ["cat", "dog", "rain drops", "sea"] and held["floor"].shape == (8, 120)
    again = call("audit", "clap", "test.csv")
    assert "embeddings of an earlier call" in again.stderr and result() == first
    tiny_clap(here / "clap")  # the same file, written again
    assert "earlier call" not in call("audit", "clap", "test.csv").stderr
    Path("audit/clouds.npz").write_bytes(Path("audit/clouds.npz").read_bytes()[:5000])  # damaged: made again
    assert "earlier call" not in call("audit", "clap", "test.csv").stderr and result() == first


def spectra(waves) -> torch.Tensor:
    return torch.from_numpy(np.stack([np.abs(np.fft.rfft(np.asarray(wave), 128))[:9] for wave in waves])).float()


def letters(names) -> torch.Tensor:
    return torch.tensor([[name.count(c) + 0.1 for c in "adginors"] for name in names])


def fake_msclap(version: str, use_cuda: bool) -> SimpleNamespace:
    assert version == "2023" and not use_cuda
    audio, text = torch.nn.AdaptiveAvgPool1d(4), torch.nn.AdaptiveAvgPool1d(4)

    def embedded(files, resample):
        read = [model.read_audio(file, resample) for file in files]
        assert all(rate == 8000 and wave.ndim == 2 for wave, rate in read)
        return audio(spectra(wave[0] for wave, _ in read))

    model = SimpleNamespace(
        args=SimpleNamespace(sampling_rate=8000), get_audio_embeddings=embedded,
        clap=SimpleNamespace(
            audio_encoder=SimpleNamespace(projection=audio), caption_encoder=SimpleNamespace(projection=text)
        ),
        get_text_embeddings=lambda names: text(letters(names)),
    )  # fmt: skip
    return model


def fake_laion(enable_fusion: bool, amodel: str) -> SimpleNamespace:
    assert not enable_fusion and amodel == "HTSAT-tiny"
    audio, text = torch.nn.AdaptiveAvgPool1d(4), torch.nn.AdaptiveAvgPool1d(4)
    return SimpleNamespace(
        model=SimpleNamespace(audio_projection=audio, text_projection=text),
        load_ckpt=["w.pt"].index,  # fails for another path
        get_audio_embedding_from_data=lambda waves: audio(spectra(waves)).numpy(),
        get_text_embedding=lambda names: text(letters(names)).numpy(),
    )


@pytest.mark.slow
@pytest.mark.parametrize(("spec", "name", "fake"), [
    ("msclap:2023", "msclap", {"CLAP": fake_msclap}), ("laion:w.pt", "laion_clap", {"CLAP_Module": fake_laion}),
])  # fmt: skip
def test_msclap_and_laion_clap_and_the_script_for_their_environment(here, clips, monkeypatch, spec, name, fake):
    monkeypatch.setitem(sys.modules, name, SimpleNamespace(**fake))
    Path("w.pt").touch()
    assert call("audit", spec, "test.csv").exit_code == 3 and result()["model"] == spec
    assert "earlier call" in call("audit", spec, "test.csv").stderr
    Path("w.pt").write_text("another checkpoint")
    assert ("earlier call" in call("audit", spec, "test.csv").stderr) == (name == "msclap")
    clips.write_text("\ufeff" + clips.read_text())  # as Excel writes it
    export.main(spec, "test.csv", "exported.npz")
    assert call("audit", "exported.npz", "-o", "second").exit_code == 3
    with np.load("audit/clouds.npz") as one, np.load("exported.npz") as other:
        assert one["x_a"].shape == other["x_a"].shape == (8, 9) and other["recordings"].tolist() == list("00001111")
        np.testing.assert_allclose(one["E_t"][0], other["E_t"])


SCRIPT = """
from __future__ import annotations
import sys
from dataclasses import dataclass
import numpy as np
import beside
@dataclass
class Settings:
    size: int = 3
def model():
    return lambda paths: np.random.rand(len(paths), 3) + 0.1, lambda texts: np.eye(4, 3)[: len(texts)] + 0.1
def broken():
    raise ValueError("first line\\nthe last line")
def short():
    return lambda paths: np.ones((1, 3)), texts
def texts(given):
    import later
    return np.ones((len(given), 3))
def leaves():
    sys.exit()
def left():
    return lambda paths: sys.exit(0), texts
def deep():
    return lambda paths: beside.fails(), texts
def growing():
    sizes = iter(range(3, 9))
    return lambda paths: np.ones((len(paths), next(sizes))), texts
def late():
    raise AssertionError("sounds before texts")
""" + "".join(f"""
def {name}():
    return (lambda paths: {answer}), texts
def {name}_texts():
    return (lambda paths: sys.exit("sounds before texts")), lambda texts: {answer}
""" for name, answer in {
    "none": "None", "generator": "(x for x in 'abc')", "scalar": "1.0", "text": "'x'", "mapping": "{}",
    "empty": "np.ones((0, 8))", "flat": "np.ones(8)", "triple": "(1, 2, 3)",
}.items())  # fmt: skip
ROWS = np.arange(300) % CLASSES
BAD_ARRAYS = [  # what changes in the arrays, and what the one line must name
    (dict(E_a=np.ones((299, 64))), "E_a is (299, 64), but there are 300 clips"),
    (dict(E_t=np.ones((49, 64))), "E_t is (1, 49, 64), but there are 50 classes"),
    (dict(x_a=np.where(ROWS[:, None] == 7, np.nan, 1.0) * np.ones(9)), "x_a holds NaN or infinity in row 7"),
    (dict(E_a=np.where(ROWS[:, None] == 3, 0.0, 1.0) * np.ones(64)), "E_a is all zero in row 3"),
    (dict(classes=("dog",), labels=np.zeros(300, int)), "1 class; an audit compares classes"),
    (dict(labels=np.minimum(ROWS, 48)), "no clip of class 'class 49'; leave it out"),
    (dict(labels=np.array(["bat"] * 300)), "label 'bat' is not among the classes"),
    (dict(labels=None), "no labels; put them into the .npz"), (dict(labels=ROWS + 1), "labels must be numbers 0 to 49"),
    (dict(E_t=np.ones((50, 8))), "E_a has 64 dimensions and E_t 8"), (dict(x_a=None, E_a=None), "neither x_a nor E_a"),
    (dict(classes=("dog",) * 50), "hold a name twice"), (dict(x_a=np.ones((300, 9)).astype(str)), "x_a is of type <U"),
    (dict(recordings=["one"] * 300), "all clips are from one recording"),
    (dict(prompts=["a", "b"]), "2 prompts, but E_t"), (dict(E_t=np.ones((0, 50, 64))), "E_t is (0, 50, 64), but"),
    (dict(classes=np.array(NAMES, object)), "classes holds objects; save np.array(classes, dtype=str)"),
    (dict(E_a=np.full((300, 64), 1e200)), "E_a holds NaN or infinity in row 0, or above 1e100"),
    (dict(classes=("cafe\u0301", "caf\u00e9", *NAMES[2:])), "hold a name twice"),
]  # fmt: skip
BAD_CALLS = [  # more of them in bad_inputs.py
    (("m.py:broken", "test.csv"), "ValueError: the last line (", "m.py, line 13)"),
    (("m.py:no", "test.csv"), "m.py:no: AttributeError"), (("gone.py:f", "test.csv"), "gone.py:f: FileNotFoundError"),
    (("m.py:short", "test.csv"), "m.py:short: ValueError: 1 rows for 8 paths or texts"),
    *(((f"m.py:{name}", "test.csv"), f"m.py:{name}: SystemExit", "m.py, line") for name in ("leaves", "left")),
    (("m.py:deep", "test.csv"), "m.py:deep: KeyError: 'no key' (", "beside.py, line 2)"),
    (("m.py:growing", "long.csv"), "m.py:growing: ValueError: all the input array dimensions"),
    *((("m.py:" + name + part, "test.csv"), f"m.py:{name}{part}: ClapleakError: a cloud must be finite real numbers")
      for name in ("none", "generator", "scalar", "text", "mapping", "empty", "flat") for part in ("", "_texts")),
    (("m.py:triple", "test.csv"), "m.py:triple: ValueError: too many values to unpack"),
    *(((name, "test.csv"), f"{name}: half a model; give file.py:function") for name in ("m.py", "msclap")),
    (("M.NPZ",), "M.NPZ: no such file; an .npz holds"), (("labels.npy",), "labels.npy: not an .npz"),
    *((("m.py:model", "test.csv", "--prompts", name), "{} once where the class name goes, and no other braces")
      for name in ("name.txt", "zero.txt", "open.txt")),
    (("m.py:model", "test.csv", "--prompts", "latin.txt"), "latin.txt: no such file, or not UTF-8"),
    (("m.py:model", "test.csv", "-o", "taken"), "taken/clouds.npz: would be overwritten, and no audit wrote it"),
    *((("m.npz", "-o", "taken", option, path), f"{path}: would be overwritten; give another --output")
      for option, path in (("--reference", "taken/audit.json"), ("--training-captions", "taken/../taken/report.html"))),
    (("no/clap", "test.csv"), "no/clap: no such folder, and the hub does not answer"),
    (("msclap:2023", "test.csv"), "msclap:2023: ModuleNotFoundError", "export.py"),
    (("m.py:model", "broken.csv"), "1 of 2 sounds cannot be used", "x.wav (unreadable)", "--allow-missing"),
    (("m.py:model", "unlabelled.csv"), "columns missing: label"), (("m.py:model", "bare.csv"), "no column path"),
    (("m.npz", "--training-audio", "."), "this test has no column path"),
    (("m.py:model", "test.csv", "--prompts", "bare.csv"), "put {} once where the class name goes"),
]  # fmt: skip


def refused(words: tuple, *parts: str) -> None:
    done = call("audit", *words)
    assert done.exit_code == 2 and not Path("audit/audit.json").exists(), done.output
    line = done.stderr.splitlines()[-1]
    assert line.startswith("clapleak: ") and [part for part in parts if part not in line] == []


def test_bad_inputs_are_one_line(here, clips):
    (here / "m.py").write_text(SCRIPT)
    (here / "beside.py").write_text("def fails():\n    return {}['no key']\n")
    (here / "later.py").touch()
    (here / "long.csv").write_text("\n".join(["path,label", *(f"{i % 8}.wav,{'ab'[i % 2]}" for i in range(20))]))
    for name, prompt in {"name": "{x} {}", "zero": "{0}", "open": "{} {"}.items():
        (here / f"{name}.txt").write_text(prompt)
    (here / "latin.txt").write_bytes("der Klang \u00fc {}".encode("latin-1"))
    np.save("labels.npy", ROWS)
    (here / "taken").mkdir()
    (here / "taken" / "report.html").write_text("caption\nrain\n")
    np.savez("taken/clouds.npz", E_a=ROWS)
    (here / "x.wav").write_text("no sound")
    (here / "broken.csv").write_text("path,label\n0.wav,dog\nx.wav,cat\n")
    (here / "unlabelled.csv").write_text("path\n0.wav\n")
    (here / "bare.csv").write_text("label\ndog\n")
    for changes, part in BAD_ARRAYS:
        write_arrays(here / "m.npz", **changes)
        refused(("m.npz",), part)
    write_arrays(here / "m.npz")
    for words, *parts in BAD_CALLS:
        refused(words, *parts)
    done = call("audit", "m.py:model", "test.csv")
    assert "other embeddings when asked again" in result()["notes"][0] and done.exit_code == 3
    (here / "test.csv").write_text((here / "test.csv").read_text() + "\nx.wav,dog,3\n")
    assert call("audit", "m.py:model", "test.csv", "--allow-missing").exit_code == 3
    assert "1 of 9 sounds could not be read" in result()["notes"][0]
    assert (
        "earlier call" not in call("audit", "m.py:model", "test.csv", "--allow-missing").stderr
    )  # a function is asked
    with np.load("taken/clouds.npz") as held:
        assert held.files == ["E_a"]


@pytest.mark.slow
def test_copies_of_a_sound_are_found_and_others_are_not(here):
    rng, rate = np.random.default_rng(0), 16000

    def sound() -> np.ndarray:  # bursts of noise with a pitch of their own
        t = np.arange(4 * rate) / rate
        tones = [np.sin(2 * np.pi * rng.uniform(300, 3000) * t + rng.uniform(0, 9)) for _ in range(6)]
        return sum(np.abs(np.sin(rng.uniform(3, 20) * t)) * tone for tone in tones) + rng.normal(0, 0.3, len(t))

    waves = [sound() for _ in range(12)]
    prints = [sounds.fingerprint(wave, rate) for wave in waves]
    changes = {
        "gain": lambda w: 0.1 * w, "shift": lambda w: w[3001:], "late": lambda w: np.concatenate([np.zeros(5000), w]),
        "noise": lambda w: w + rng.normal(0, 0.1 * w.std(), len(w)),
    }  # fmt: skip
    for name, change in changes.items():
        copies = ((str(i), sounds.fingerprint(change(wave), rate)) for i, wave in enumerate(waves))
        found = sounds.duplicates(prints, copies)
        assert (found["test"].astype(str) == found["training"]).all() and len(found) >= 11, name
    assert sounds.duplicates(prints, [("new", sounds.fingerprint(sound(), rate))]).empty
    whole = np.concatenate([*waves, *waves[::-1], *waves[::2]])  # two minutes, at another rate
    long = sounds.fingerprint(whole, rate), sounds.fingerprint(resample_poly(whole, 441, 160), 44100)
    assert len(long[1].words) == pytest.approx(len(long[0].words), abs=2)
    found = sounds.duplicates([long[0]], [("long", long[1])])
    assert len(found) == 1 and found["seconds"][0] > 100 and found["errors"][0] < 0.1
    faster = np.interp(np.arange(0, 4 * rate, 1.05), np.arange(4 * rate), waves[0])
    assert sounds.duplicates(prints, [("fast", sounds.fingerprint(faster, rate))]).empty  # the known limit


def test_training_sounds_count_as_recordings(here, clips):
    (here / "m.py").write_text(SCRIPT.replace("import beside", ""))
    (here / "later.py").touch()
    (here / "training").mkdir()
    wave = np.random.default_rng(5).normal(0, 0.1, 48000) * np.repeat(np.random.default_rng(6).random(48), 1000)
    soundfile.write("0.wav", wave, 16000)
    soundfile.write("training/copy.flac", 0.5 * wave, 16000)
    Path("training/broken.wav").write_text("no sound")
    options = ("--training-audio", "training", "--fail-on", "recordings")
    done = call("audit", "m.py:model", "test.csv", *options)
    assert done.exit_code == 1 and "1 of 2 files cannot be read" in done.stderr
    copies = result()["duplicates"]
    assert [Path(copies[0][name]).name for name in ("test", "training")] == ["0.wav", "copy.flac"]
    assert Path("audit/report.html").read_text().count("<audio") == 2
    (here / "ids.csv").write_text("recording\n0\n")
    clips.write_text(clips.read_text().replace(",recording", ",other"))  # no ids, but the sounds
    assert call("audit", "m.py:model", "test.csv", *options, "--training-recordings", "ids.csv").exit_code == 1
    sentence = result()["verdicts"]["recordings"]["sentence"]
    assert "(1 by fingerprint of the sound)" in sentence and "no column recording to compare ids" in sentence


def test_which_classes_the_training_names():
    training = ["A dog_barks", "the French horn", "Cough", "Cough", "rain"]
    seen = audits.seen_classes(["dog", "car_horn", "coughing", "sea"], training)
    assert seen["seen"].tolist() == [True, True, False, False] and seen.loc["dog", "quotes"] == ["A dog_barks"]
    by_lemma = audits.seen_classes(["dog", "coughing"], training, "lemma")
    assert by_lemma["texts"].tolist() == [1, 1] and by_lemma.loc["coughing", "quotes"] == ["Cough"]
    same = {"coughs": "coughing", "sneeze": "sneezing", "clapped": "clapping", "cries": "crying", "waves": "wave"}
    assert all(leakage.lemma(a) == leakage.lemma(b) for a, b in same.items())
    assert leakage.lemma("wing") == "wing" and leakage.lemma("glass") == "glass" and leakage.lemma("bus") == "bus"


def test_the_meaning_of_texts_has_the_calibrated_threshold():
    calibrate = runpy.run_path(str(find_root() / "reference" / "calibrate_meaning.py"))["calibrate"]
    assert calibrate()["threshold"].iloc[0] == texts.MEANING
    found = texts.find_leaks(["Laughter", "French toast", "Aircraft"], ["laughing", "airplane"], "meaning")
    assert found["classes"].tolist() == [["laughing"], [], ["airplane"]] and found["words"][0] == ["Laughter"]
    assert texts.find_leaks([], ["dog"], "meaning").empty


def test_parquet_is_read_and_without_pyarrow_refused_in_one_line(here, monkeypatch):
    pytest.importorskip("pyarrow")
    pd.DataFrame({"labels": [["Car_horn", "Speech, male"]]}).to_parquet("x.parquet")
    assert texts.read_texts("x.parquet")["text"].tolist() == ["Car horn", "Speech, male"]
    for name in ("pyarrow", "fastparquet"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ClapleakError, match=r"x.parquet: Parquet needs pyarrow; pip install 'clapleak\[parquet\]'"):
        texts.read_texts("x.parquet")


@pytest.mark.slow
def test_two_thousand_clips_take_less_than_a_minute(here):
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(50), 40)
    x = rng.normal(size=(50, 1024))[y] + 3 * rng.normal(size=(2000, 1024))
    np.savez("big.npz", x_a=x, E_a=x, E_t=rng.normal(size=(50, 1024)), labels=y, classes=NAMES)
    started = time.time()
    call("audit", "big.npz", "--training-labels", write_labels(here / "l.csv", drawn(0.3, 0)), "--rule", "phrase")
    assert time.time() - started < 60 and re.search("zero", json.dumps(result()))
