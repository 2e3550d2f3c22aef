"""The recipe of section 2.1, step by step, on the smoke profile."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from clapleak import train
from clapleak.config import ClapleakError, Setup, find_root, load_profile
from clapleak.models import Clap
from clapleak.pretrain import new_backbone


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """Stores and texts of the smoke profile, in a project of their own."""
    root = find_root()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("project"))
        shutil.copytree(root / "profiles", "profiles")
        yield train.prepare_stage(load_profile("smoke"), Setup.parse("none-dirty"), None, None, False)


@pytest.fixture
def trainer(stage):
    """A function that gives a fresh trainer, its recipe changed as asked."""

    def make(**changes) -> train.Trainer:
        profile = load_profile("smoke")
        profile = profile.model_copy(update={"recipe": profile.recipe.model_copy(update=changes)})
        torch.manual_seed(0)
        model = Clap(new_backbone(profile, seed=0), train.load_text_encoder(profile.text_encoder), profile)
        clips = np.array([stage.task.store.rows[clip] for clip in stage.task.pairs.table["clip"]])
        texts = np.array([stage.captions.rows[text] for text in stage.task.pairs.table["text"]])
        pairs = train.Pairs(stage.task.store, stage.captions, clips, texts)
        parts = (pairs.choose(rows) for rows in train.split_validation(stage.task.pairs.table, profile.recipe, 0))
        return train.Trainer(model, *parts, profile, 0, "test")

    return make


def snapshot(model: Clap) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def changed(before: dict, after: dict) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


def scripted(monkeypatch, losses: list[float]) -> None:
    """Validation losses as written here, one an epoch."""
    script = iter(losses)
    monkeypatch.setattr(train.Trainer, "validate", lambda self, phase: next(script))


def test_validation_is_the_asked_share_and_disjoint():
    table = pd.DataFrame({"clip": np.repeat([f"clip {i}" for i in range(100)], 5)})
    recipe = load_profile("smoke").recipe.model_copy(update={"validation_share": 0.2, "split_by": "pair"})
    training, validation = train.split_validation(table, recipe, 0)
    assert len(validation) == 100 and len(training) == 400
    assert np.array_equal(np.union1d(training, validation), np.arange(500))
    shared = set(table["clip"][training]) & set(table["clip"][validation])
    assert shared  # by pair, as the paper's text reads: a clip may stand in both
    assert not np.array_equal(train.split_validation(table, recipe, 1)[1], validation)
    by_clip = recipe.model_copy(update={"split_by": "clip"})
    training, validation = train.split_validation(table, by_clip, 0)
    assert len(validation) == 100
    assert not set(table["clip"][training]) & set(table["clip"][validation])


def test_an_empty_part_is_refused():
    recipe = load_profile("smoke").recipe.model_copy(update={"validation_share": 0.2, "split_by": "clip"})
    with pytest.raises(ClapleakError, match="recipe.validation_share"):
        train.split_validation(pd.DataFrame({"clip": ["a", "a"]}), recipe, 0)


def test_batches_are_whole_or_the_only_one():
    assert [len(b) for b in train.full_batches(np.arange(10), 4)] == [4, 4]
    assert [len(b) for b in train.full_batches(np.arange(3), 4)] == [3]


def test_frozen_phase_trains_heads_alone_and_the_next_one_the_backbones_too(trainer, tmp_path):
    heads = ("audio_projection.", "text_projection.", "logit_scale")
    subject = trainer(frozen_epochs=1, max_epochs=1)
    before = snapshot(subject.model)
    subject.start_phase("frozen")
    with train.StopRequest() as stop:
        subject.train_epoch("frozen", 0, tmp_path, stop)
    middle = snapshot(subject.model)
    assert changed(before, middle) and all(name.startswith(heads) for name in changed(before, middle))  # (b)
    subject.start_phase("unfrozen")
    with train.StopRequest() as stop:
        subject.train_epoch("unfrozen", 0, tmp_path, stop)
    moved = changed(middle, snapshot(subject.model))
    assert {"audio.conv_block1.conv1.weight", "audio.fc1.weight", "audio_projection.linear1.weight"} <= moved  # (d)
    assert any(name.startswith("text.bert.encoder.layer.1.") for name in moved)
    assert not any(name.startswith(("text.bert.embeddings", "text.bert.encoder.layer.0.")) for name in moved)
    assert not any(name.startswith("audio.fc_audioset") for name in moved)


def test_learning_rates_and_plateau(trainer, tmp_path, monkeypatch):
    scripted(monkeypatch, [5.0, 4.0, 4.0, 4.0, 4.0, 4.0])
    subject = trainer(
        frozen_epochs=2, max_epochs=4, frozen_learning_rate=1e-3, learning_rate=1e-4, plateau_patience=1,
        plateau_factor=0.1, stop_patience=9,
    )  # fmt: skip
    history = subject.fit(tmp_path / "checkpoint.pt", "test")
    assert history["phase"].tolist() == ["frozen"] * 2 + ["unfrozen"] * 4
    expected = [1e-3, 1e-3, 1e-4, 1e-4, 1e-4, 1e-5]  # (c), (e); (h): lowered after two epochs without a lower loss
    assert history["learning_rate"].tolist() == pytest.approx(expected)


def test_training_stops_when_the_loss_stops_falling_and_keeps_the_best_weights(trainer, tmp_path, monkeypatch):
    subject = trainer(frozen_epochs=1, max_epochs=9, stop_patience=2)
    states = []

    def validate(self, phase):
        states.append(snapshot(self.model))
        return [3.0, 2.0, 1.0, 1.5, 1.4, 0.1][len(states) - 1]

    monkeypatch.setattr(train.Trainer, "validate", validate)
    history = subject.fit(tmp_path / "checkpoint.pt", "test")
    assert history["val_loss"].tolist() == [3.0, 2.0, 1.0, 1.5, 1.4]
    assert not changed(states[2], snapshot(subject.model))
    assert changed(states[4], snapshot(subject.model))


def test_cached_embeddings_of_the_frozen_phase_give_the_same_loss(trainer):
    subject = trainer()
    plain = subject.validate("frozen")
    subject.start_phase("frozen")
    assert subject.validate("frozen") == pytest.approx(plain, abs=2e-2)  # 16-bit arithmetic in other batches
    assert subject.validate("frozen") == subject.validate("frozen")


def test_gradients_are_limited(trainer, tmp_path):
    subject = trainer(max_gradient=1e-3)
    norms = []

    class Probe(torch.optim.SGD):
        def step(self, closure=None):
            norms.append(torch.cat([p.grad.flatten() for g in self.param_groups for p in g["params"]]).norm().item())

    subject.start_phase("frozen")
    subject.optimizer = Probe(subject.model.heads(), lr=1.0)
    with train.StopRequest() as stop:
        subject.train_epoch("frozen", 0, tmp_path, stop)
    assert norms and max(norms) == pytest.approx(1e-3, rel=1e-2)  # (f)


def test_a_loss_that_is_not_finite_stops_with_the_place_and_the_clips(trainer, tmp_path):
    subject = trainer()
    with torch.no_grad():
        subject.model.logit_scale.fill_(float("nan"))
    with pytest.raises(ClapleakError, match=r"not finite at frozen epoch 1, step 1.*checkpoint.pt.*foley"):
        subject.fit(tmp_path / "checkpoint.pt", "test")
    assert not (tmp_path / "checkpoint.pt").exists()


def test_stopped_in_the_middle_of_an_epoch_it_goes_on_with_the_same_numbers(trainer, tmp_path, monkeypatch):
    whole = trainer(frozen_epochs=1, max_epochs=2)
    expected = whole.fit(tmp_path / "whole.pt", "test")
    for stop_at, phase in ((2, "frozen"), (8, "unfrozen")):
        folder, calls = tmp_path / phase, iter(range(1000))
        with monkeypatch.context() as patch:
            patch.setattr(train.StopRequest, "asked", lambda self, calls=calls, at=stop_at: next(calls) == at)
            with pytest.raises(ClapleakError, match="stopped by a signal.*checkpoint.pt"):
                trainer(frozen_epochs=1, max_epochs=2).fit(folder / "checkpoint.pt", "test")
        state = torch.load(folder / "checkpoint.pt", weights_only=True)
        assert state["phase"] == phase and state["partial"][0] > 0
        again = trainer(frozen_epochs=1, max_epochs=2)
        history = again.fit(folder / "checkpoint.pt", "test")
        assert history.drop(columns="seconds").equals(expected.drop(columns="seconds"))
        assert not changed(snapshot(whole.model), snapshot(again.model))
        assert (folder / "last.pt").is_file()


def test_workers_that_read_ahead_change_no_number(trainer, tmp_path):
    losses = []
    for workers in (0, 2):
        subject = trainer(frozen_epochs=1, max_epochs=1)
        subject.profile = subject.profile.model_copy(
            update={"compute": subject.profile.compute.model_copy(update={"workers": workers})}
        )
        losses.append(subject.fit(tmp_path / f"{workers}.pt", "test")["val_loss"].tolist())
    assert losses[0] == losses[1]
