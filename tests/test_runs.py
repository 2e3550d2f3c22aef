"""The conductor on the smoke profile: what is made once, made again or goes on, and that nothing but pairs teaches."""

import multiprocessing
import os
import signal
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import call, changed, write_profile

from clapleak import embed, experiment, loop, pretrain, results, runs, train
from clapleak.config import ClapleakError, load_profile
from clapleak.corpora import Corpus
from clapleak.setups import Setup

CLEAN, RUN = Setup("clean", "clean"), "build/results/smoke/clean-clean/seed0"
SMOKE = load_profile("smoke")


def measures(run: results.Run) -> dict:
    return {name: run.metrics[name] for name in ("accuracy", "silhouette", "topology", "centroid_accuracy", "ids")}


def times(place) -> dict[str, int]:
    """When each set of weights and each result was written."""
    kept = [*place.glob("build/**/model.safetensors"), *place.glob("build/**/metrics.json")]
    return {str(path): path.stat().st_mtime_ns for path in kept}


@pytest.fixture(scope="module")
def expected(whole) -> dict:
    """What the finished run measured."""
    return measures(results.read_run(whole / RUN))


def test_a_run_is_made_once_and_what_does_not_change_its_numbers_does_not_make_it_again(finished, expected, capfd):
    made, path = times(finished), finished / RUN / "map.npz"
    before = path.read_bytes()
    assert len(made) == 4 and not list(finished.rglob("checkpoint.pt"))
    other = changed(SMOKE, seeds=5, measures={"perplexity": 3.0}, compute={"workers": 2})
    again = runs.run(runs.open_study(other), CLEAN)
    assert measures(again) == expected and times(finished) == made
    assert capfd.readouterr().err.splitlines() == [
        f"{finished / RUN}: kept from an earlier run; after a change of code raise FORMATS in clapleak/identity.py"
    ]
    assert again.map["perplexity"] == 3 and path.read_bytes() != before  # a map of another perplexity is drawn again
    np.savez_compressed(path, **{name: again.map[name] for name in again.spaces})
    before = path.read_bytes()  # of an older release, which says no perplexity
    runs.run(runs.open_study(SMOKE), CLEAN)
    assert path.read_bytes() == before
    slower = runs.run(runs.open_study(changed(SMOKE, recipe={"learning_rate": 1e-4})), CLEAN)
    assert slower.metrics["ids"]["clips"] == expected["ids"]["clips"]
    assert all(times(finished)[name] > time for name, time in made.items())


@pytest.mark.parametrize("damaged", [False, True])
def test_the_map_of_a_backbone_that_was_finished_before_a_kill_is_drawn_and_so_is_a_damaged_one(finished, damaged):
    path = results.own_folder("smoke") / "backbone" / "clean" / "seed0" / "map.npz"
    before = path.read_bytes()
    path.unlink()
    if damaged:
        path.write_bytes(before[:100])
    runs.run(runs.open_study(SMOKE), Setup("clean", "matched"))
    assert path.read_bytes() == before


def test_a_corrected_test_label_is_measured_again_without_any_training(finished, expected):
    study, made = runs.open_study(SMOKE), times(finished)
    table = study.sources.test.table.copy()
    table.loc[0, "text"] = table["text"].iloc[-1]
    sources = replace(study.sources, test=Corpus("foley", None, table))
    again, now = measures(runs.run(replace(study, sources=sources), CLEAN)), times(finished)
    assert {name for name, value in again["ids"].items() if expected["ids"][name] != value} == {"measurement"}
    assert again["silhouette"] != expected["silhouette"]
    assert {name for name in made if now[name] > made[name]} == {name for name in made if name.endswith(".json")}


def test_a_finished_run_is_shown_and_trained_only_when_it_is_asked_for(finished, expected):
    (finished / "results").mkdir()
    os.rename(finished / "build" / "results" / "smoke", finished / "results" / "smoke")  # as published
    assert runs.obtain(SMOKE, CLEAN).path == finished / "results" / "smoke" / "clean-clean" / "seed0"
    assert not (finished / "build" / "results" / "smoke").exists()
    again = runs.obtain(SMOKE, CLEAN, train=True)
    assert again.path == finished / RUN and measures(again) == expected and len(again.map)
    assert runs.load_trained(again).audio.dim == again.embeddings["x_a"].shape[1]
    runs.weights(again).unlink()
    with pytest.raises(ClapleakError, match="no weights of this very training.*clapleak train --profile smoke"):
        runs.load_trained(again)


@pytest.mark.parametrize(
    ("phase", "step", "number"),
    [("frozen", 2, signal.SIGINT), ("validation", 2, signal.SIGTERM),  # the last step of an epoch, and after it
     pytest.param("pretrain", 3, signal.SIGTERM, marks=pytest.mark.slow),
     pytest.param("frozen", 1, signal.SIGINT, marks=pytest.mark.slow),
     pytest.param("unfrozen", 3, signal.SIGUSR1, marks=pytest.mark.slow)],
    ids=str,
)  # fmt: skip
def test_a_signal_is_one_line_and_the_same_command_goes_on_with_the_same_numbers(
    place, whole, expected, monkeypatch, phase, step, number
):
    """The signal reaches the processes that read ahead as well, as it does from a terminal or a cluster."""
    words, steps, before = ("train", "--profile", "smoke", "--setup", "clean-clean"), [], signal.getsignal(number)
    write_profile(place / "profiles" / "smoke.yaml", compute={"workers": 2})

    def count(name):
        steps.append(name)
        if name == phase and steps.count(phase) == step:
            for process in (*multiprocessing.active_children(), multiprocessing.current_process()):
                os.kill(process.pid, number)

    def learn(self, loss, original=loop.Phase.step):
        original(self, loss)
        count(self.name)

    def validation_loss(self, batch, data, original=train.PairTraining.loss):
        if not self.model.training:
            count("validation")
        return original(self, batch, data)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Phase, "step", learn)
        patch.setattr(train.PairTraining, "loss", validation_loss)
        done = call(*words)
    last, [checkpoint] = done.stderr.splitlines()[-1], place.rglob("checkpoint.pt")
    assert done.exit_code in (2, 130) and steps.count(phase) == step and signal.getsignal(number) is before
    assert last.startswith("clapleak: ") and f"the same command goes on from {checkpoint}" in last
    if phase == "validation":  # the epoch before it is kept
        assert len(torch.load(checkpoint)["history"]) == step
    assert call(*words).exit_code == 0 and not checkpoint.exists()
    assert measures(results.read_run(place / RUN)) == expected
    for name in (RUN, f"{RUN.partition('clean-clean')[0]}backbone/clean/seed0"):
        kept, undisturbed = (
            results.read_run(folder / name).history.drop(columns="seconds") for folder in (place, whole)
        )
        assert kept.equals(undisturbed)


SLOW = [pytest.param(text, marks=pytest.mark.slow, id=text[:7] or "empty") for text in ("rubbish, no store\n" * 9, "")]


@pytest.mark.parametrize("damage", ["cut", *SLOW])
@pytest.mark.parametrize("name", [
    "smoke/store/data.mdb", "smoke/captions/data.mdb", "smoke/clean-clean/seed0/checkpoint.pt",
    "smoke/backbone/clean/seed0/model.safetensors", "smoke/clean-clean/seed0/model.safetensors",
    "results/smoke/clean-clean/seed0/metrics.json", "results/smoke/backbone/clean/seed0/metrics.json",
    "results/smoke/clean-clean/seed0/embeddings.npz", "results/smoke/clean-clean/seed0/history.csv",
    "results/smoke/clean-clean/seed0/map.npz",
])  # fmt: skip
def test_what_is_damaged_is_made_again_with_the_same_numbers(finished, capfd, expected, name, damage):
    path = finished / "build" / name
    if path.name == "checkpoint.pt":
        path.with_name("model.safetensors").rename(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if damage == "cut" else damage.encode())
    if "results" not in name:
        (finished / RUN / "metrics.json").write_text("{")  # so that all is needed again
    again = runs.run(runs.open_study(SMOKE), CLEAN)
    assert measures(again) == expected and len(again.history) == 5 and "E_a" in again.embeddings and len(again.map)
    said = capfd.readouterr().err
    assert f"{path.parent if path.suffix == '.mdb' else path}: damaged" in said or "results" in name or damage == ""


@pytest.mark.slow
def test_shuffled_captions_give_chance_where_right_ones_do_not(study, tmp_path, monkeypatch):
    """The sounds of the test say nothing about labels that were never paired with their sounds."""
    profile = changed(
        SMOKE, audio_encoder={"width": 4}, pretrain={"epochs": 40, "learning_rate": 3e-3}, projection={"dropout": 0.1},
        recipe={"frozen_epochs": 15, "frozen_learning_rate": 1e-2, "max_epochs": 1},
    )  # fmt: skip
    monkeypatch.setattr(loop, "save_checkpoint", lambda *given: None)  # takes longer than the training
    right = experiment.prepare(study.sources, profile, Setup("dirty", "dirty"), None, study.store)
    backbone, _ = pretrain.pretrained(profile, "dirty", right, tmp_path / "backbone", "id", seed=0)
    texts, hits = right.pairs.table["text"].to_numpy(), []
    for number, order in enumerate([range(len(texts)), *(np.random.default_rng(i).permutation(88) for i in range(10))]):
        pairs, folder = right.pairs.table.assign(text=texts[list(order)]), tmp_path / str(number)
        learnt = replace(right, pairs=Corpus("foley", None, pairs))
        model, _ = train.trained(profile, deepcopy(backbone), study.text, study.captions, learnt, folder, "id", seed=0)
        hits.append(embed.measure(embed.test_clouds(model, learnt, profile), profile.measures)["accuracy"])
    # clips of a class answer together, so the 4 classes count, not their 24 clips: 40 draws of 1 in 4
    limit = 0.25 + 3 * np.sqrt(0.25 * 0.75 / 40)
    assert np.mean(hits[1:]) < limit < hits[0]
