"""The loop and the recipe of section 2.1, step by step, on the smoke profile."""

import itertools
import multiprocessing
import os
import signal

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import changed

from clapleak import loop, pretrain, train
from clapleak.config import ClapleakError, load_profile
from clapleak.models import Clap, load_text_encoder
from clapleak.setups import Setup


@pytest.fixture
def made(study):
    """A function that gives a fresh training, "pairs" or "tags", its recipe changed as asked."""
    prepared = study.experiment(Setup("dirty", "dirty"), None, 0)

    def make(kind="pairs", compute=None, **recipe):
        profile = changed(study.profile, recipe=recipe, compute=compute or {})
        if kind == "tags":
            backbone = pretrain.new_backbone(profile, 0, len(pretrain.vocabulary(prepared.pretrain)))
            return pretrain.TagTraining(backbone, prepared.pretrain, study.store, profile, 0, "test")
        torch.manual_seed(0)
        model = Clap(pretrain.new_backbone(profile, seed=0), load_text_encoder(profile.text_encoder), profile)
        return train.PairTraining(model, prepared.pairs.table, study.store, study.captions, profile, 0, "test")

    return make


def snapshot(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def differ(before: dict, after: dict) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_a_random_backbone_gets_the_statistics_of_its_clips_before_it_is_frozen(study, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "kept_or_trained", lambda model, folder, training_id, start: start())
    prepared, backbone = study.experiment(Setup("none", "dirty"), None, 0), pretrain.new_backbone(study.profile, 0)
    momentum = backbone.bn0.momentum
    model, _ = train.trained(study.profile, backbone, study.text, study.captions, prepared, tmp_path, "", seed=0)
    log_mel = study.store.batch(study.store.index(prepared.pairs.table["clip"]))
    assert log_mel.mean((0, 1, 2)).abs().max() > 15  # decibels, far from the 0 of a new layer
    torch.testing.assert_close(model.audio.bn0.running_mean, log_mel.mean((0, 1, 2)), atol=3, rtol=0)
    assert model.audio.bn0.momentum == momentum


def test_validation_is_the_asked_share_and_disjoint_and_batches_are_whole():
    table = pd.DataFrame({"clip": np.repeat([f"clip {i}" for i in range(100)], 5)})
    recipe = load_profile("smoke").recipe.model_copy(update={"validation_share": 0.2, "split_by": "pair"})
    training, validation = train.split_validation(table, recipe, 0)
    assert len(validation) == 100 and np.array_equal(np.union1d(training, validation), np.arange(500))
    assert set(table["clip"][training]) & set(table["clip"][validation])  # by pair: a clip may stand in both
    assert not np.array_equal(train.split_validation(table, recipe, 1)[1], validation)
    by_clip = recipe.model_copy(update={"split_by": "clip"})
    training, validation = train.split_validation(table, by_clip, 0)
    assert len(validation) == 100 and not set(table["clip"][training]) & set(table["clip"][validation])
    with pytest.raises(ClapleakError, match="recipe.validation_share"):
        train.split_validation(pd.DataFrame({"clip": ["a", "a"]}), by_clip, 0)
    assert [[len(b) for b in train.full_batches(np.arange(n), 4)] for n in (10, 3)] == [[4, 4], [3]]  # or the only one


def test_frozen_phase_trains_heads_alone_and_the_next_one_the_backbones_too(made, tmp_path):
    subject = made()
    states = [snapshot(subject.model)]
    for name in ("frozen", "unfrozen"):
        subject.train_epoch(subject.begin(name), 0, tmp_path)
        states.append(snapshot(subject.model))
    first, second = differ(*states[:2]), differ(*states[1:])
    assert first and all(n.startswith(("audio_projection.", "text_projection.", "logit_scale")) for n in first)  # (b)
    assert {"audio.conv_block1.conv1.weight", "audio.fc1.weight", "audio_projection.linear1.weight"} <= second  # (d)
    assert any(name.startswith("text.bert.encoder.layer.1.") for name in second)
    never = ("text.bert.embeddings", "text.bert.encoder.layer.0.", "audio.fc_audioset")
    assert not any(name.startswith(never) for name in second)


def test_the_rate_falls_on_a_plateau_training_stops_there_and_keeps_the_best_weights(made, tmp_path, monkeypatch):
    rates = {"frozen_learning_rate": 1e-3, "learning_rate": 1e-4, "plateau_patience": 1, "plateau_factor": 0.1}
    subject, states = made(frozen_epochs=2, max_epochs=9, stop_patience=3, **rates), []
    losses = [5.0, 4.0, 3.0, 2.0, 2.5, 2.1, 2.2, 0.1]

    def validate(self):
        states.append(snapshot(self.model))
        return losses[len(states) - 1]

    monkeypatch.setattr(train.PairTraining, "validate", validate)
    history = subject.fit(tmp_path / "checkpoint.pt", "test")
    assert history["phase"].tolist() == ["frozen"] * 2 + ["unfrozen"] * 5
    assert history["val_loss"].tolist() == losses[:-1]
    # (c), (e); (h): lowered after two epochs without a lower loss
    assert history["learning_rate"].tolist() == pytest.approx([1e-3] * 2 + [1e-4] * 4 + [1e-5])
    assert not differ(states[3], snapshot(subject.model)) and differ(states[6], snapshot(subject.model))


def test_embeddings_kept_in_the_frozen_phase_give_the_same_loss_and_gradients_are_limited(made, tmp_path):
    subject, norms = made(max_gradient=1e-3), []
    plain = subject.validate()

    class Probe(torch.optim.SGD):
        def step(self, closure=None):
            norms.append(torch.cat([p.grad.flatten() for g in self.param_groups for p in g["params"]]).norm().item())

    phase = subject.begin("frozen")
    assert subject.frozen_x_a is not None and subject.frozen_x_t is not None
    assert subject.validate() == subject.validate() == pytest.approx(plain, abs=2e-2)  # 16 bits in other batches
    phase.optimizer = Probe(subject.model.heads(), lr=1.0)
    subject.train_epoch(phase, 0, tmp_path)
    assert norms and max(norms) == pytest.approx(1e-3, rel=1e-2)  # (f)


def test_a_loss_that_is_not_finite_stops_with_the_place_and_the_clips(made, tmp_path):
    subject = made()
    subject.model.logit_scale.data.fill_(float("nan"))
    with pytest.raises(ClapleakError, match=r"not finite at frozen epoch 1, step 1.*checkpoint.pt.*foley"):
        subject.fit(tmp_path / "checkpoint.pt", "test")
    assert not (tmp_path / "checkpoint.pt").exists()


@pytest.mark.parametrize("kind", ["pairs", "tags"])
def test_workers_that_read_ahead_change_no_number_and_a_signal_does_not_end_them(made, tmp_path, monkeypatch, kind):
    def step(self, loss, original=loop.Phase.step):
        original(self, loss)
        for process, number in itertools.product(multiprocessing.active_children(), ("SIGINT", "SIGTERM", "SIGUSR1")):
            os.kill(process.pid, getattr(signal, number))

    monkeypatch.setattr(loop.Phase, "step", step)
    trainings = (made(kind, {"workers": workers}, frozen_epochs=1, max_epochs=1) for workers in (0, 2))
    first, second = (made.fit(tmp_path / "checkpoint.pt", str(i)) for i, made in enumerate(trainings))
    assert first.drop(columns="seconds").equals(second.drop(columns="seconds"))
    assert not multiprocessing.active_children()
