"""Tagging before any caption: sampling, mixup, mean average precision, PANNs' checkpoint, stopping and going on."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from clapleak import pretrain, train
from clapleak.audio import log_mel, mel_filters
from clapleak.config import ClapleakError, Setup, find_root, load_profile
from clapleak.pretrain import Tags, load_panns, mixed


def test_tags_are_the_labels():
    tags = Tags(pd.Series([["b"], [], ["a", "c"]]), ["a", "b", "c"])
    assert tags.batch(np.array([2, 0, 1])).tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]


def test_balanced_sampling_draws_every_class_equally_often():
    labels = pd.Series([["common"]] * 970 + [["rare"]] * 20 + [["rare", "rarer"]] * 10)
    chosen = Tags(labels, ["common", "never", "rare", "rarer"]).balanced(np.random.default_rng(0))
    assert len(chosen) == 1000
    counts = [np.sum(chosen < 970), np.sum((chosen >= 970) & (chosen < 990)), np.sum(chosen >= 990)]
    expected = [1000 / 3, 1000 / 3 * 20 / 30, 1000 / 3 * 40 / 30]
    assert counts == pytest.approx(expected, rel=0.2)


def test_mixup_mixes_sound_and_tags_alike():
    x, y = torch.arange(8.0).view(4, 1, 2, 1), torch.eye(4)
    same_x, same_y = mixed(x, y, 0.0)
    assert same_x is x and same_y is y
    torch.manual_seed(0)
    mixed_x, mixed_y = mixed(x, y, 1.0)
    share = mixed_y.diagonal()
    assert torch.allclose(mixed_y.sum(1), torch.ones(4))
    expected = share[:, None, None, None] * x + (1 - share[:, None, None, None]) * x.flip(0)
    assert torch.allclose(mixed_x, expected)


def paper_sized(**audio):
    """The smoke profile with PANNs' network and front end."""
    profile = load_profile("smoke")
    front = {"sample_rate": 44100, "window": 1024, "hop": 320, "f_max": 14000.0, **audio}
    network = profile.audio_encoder.model_copy(update={"width": 64, "stem_stride": 1})
    update = {"audio": profile.audio.model_copy(update=front), "audio_encoder": network}
    return profile.model_copy(update=update)


@pytest.fixture(scope="module")
def published(panns, tmp_path_factory):
    """A file with the keys and shapes of PANNs' checkpoint, and the model it was written from."""
    torch.manual_seed(0)
    model = panns.Cnn14(
        sample_rate=32000, window_size=1024, hop_size=320, mel_bins=64, fmin=50, fmax=14000, classes_num=527
    )
    path = tmp_path_factory.mktemp("panns") / "Cnn14_mAP=0.431.pth"
    torch.save({"iteration": 600000, "model": model.state_dict()}, path)
    return path, model.eval()


def test_panns_checkpoint_loads_and_gives_its_embeddings(published):
    path, theirs = published
    ours = load_panns(path, paper_sized()).eval()
    mel = torch.randn(2, 1, 101, 64)
    with torch.no_grad():
        x = theirs.bn0(mel.transpose(1, 3)).transpose(1, 3)
        for i in range(6):
            x = getattr(theirs, f"conv_block{i + 1}")(x, pool_size=(1, 1) if i == 5 else (2, 2), pool_type="avg")
        x = x.mean(3)
        expected = torch.relu(theirs.fc1(x.amax(2) + x.mean(2)))
        assert torch.allclose(ours(mel), expected, atol=1e-5)
        assert torch.allclose(ours.tag(expected), theirs.fc_audioset(expected), atol=1e-5)


def test_the_front_end_trap_both_ways(published):
    """At 44.1 kHz the filters inside the checkpoint are not those of 44.1 kHz; the profile says which are used."""
    path, theirs = published
    wave = torch.randn(1, 44100)
    with torch.no_grad():
        checkpoint = theirs.logmel_extractor(theirs.spectrogram_extractor(wave))[:, 0]  # at any rate: its own filters
    kept, true = (paper_sized(keep_checkpoint_frontend=keep) for keep in (True, False))
    assert torch.allclose(log_mel(wave, kept.audio), checkpoint, atol=1e-3)
    assert (log_mel(wave, true.audio) - checkpoint).abs().max() > 1
    centre = [float(mel_filters(p.audio)[:, 40].argmax()) * 44100 / 1024 for p in (true, kept)]
    assert centre[1] / centre[0] == pytest.approx(44100 / 32000, rel=0.03)
    load_panns(path, kept)
    with pytest.raises(ClapleakError, match="mel filters are not those"):
        load_panns(path, paper_sized(keep_checkpoint_frontend=True, f_max=12000.0))
    load_panns(path, paper_sized(f_max=12000.0))  # true filters are the profile's own


def test_a_checkpoint_that_does_not_fit_is_named(published, tmp_path):
    path, theirs = published
    state = dict(theirs.state_dict())
    state["fc_new.weight"] = state.pop("fc1.weight")
    state["bn0.weight"] = torch.ones(32)
    torch.save({"model": state}, tmp_path / "other.pth")
    with pytest.raises(ClapleakError) as refused:
        load_panns(tmp_path / "other.pth", paper_sized())
    line = str(refused.value)
    assert "missing: fc1.weight" in line and "unknown: fc_new.weight" in line and "another shape: bn0.weight" in line
    with pytest.raises(ClapleakError, match="no such file"):
        load_panns(tmp_path / "nothing.pth", paper_sized())
    (tmp_path / "broken.pth").write_bytes(b"no weights")
    with pytest.raises(ClapleakError, match="not a PANNs checkpoint"):
        load_panns(tmp_path / "broken.pth", paper_sized())
    torch.save(theirs.state_dict(), tmp_path / "bare.pth")
    with pytest.raises(ClapleakError, match="not a PANNs checkpoint"):
        load_panns(tmp_path / "bare.pth", paper_sized())


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    root = find_root()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("project"))
        shutil.copytree(root / "profiles", "profiles")
        yield train.prepare_stage(load_profile("smoke"), Setup.parse("dirty-dirty"), None, None, False)


def fitted(stage, path):
    profile = load_profile("smoke")
    vocabulary = sorted({label for labels in stage.task.pretrain.table["labels"] for label in labels})
    backbone = pretrain.new_backbone(profile, 0, len(vocabulary))
    history = pretrain.fit(backbone, profile, stage.task, vocabulary, 0, path, "test")
    return backbone, history, vocabulary


def test_stopped_in_the_middle_of_an_epoch_it_goes_on_with_the_same_numbers(stage, tmp_path, monkeypatch):
    expected, history, _ = fitted(stage, tmp_path / "whole.pt")
    calls = iter(range(1000))
    with monkeypatch.context() as patch:
        patch.setattr(pretrain.StopRequest, "asked", lambda self: next(calls) == 7)  # in the second epoch
        with pytest.raises(ClapleakError, match="stopped by a signal.*cut.pt"):
            fitted(stage, tmp_path / "cut.pt")
    state = torch.load(tmp_path / "cut.pt", weights_only=True)
    assert len(state["history"]) == 1 and state["partial"][0] > 0
    found, again, _ = fitted(stage, tmp_path / "cut.pt")
    assert again["train_loss"].tolist() == history["train_loss"].tolist()
    for (name, value), other in zip(expected.state_dict().items(), found.state_dict().values(), strict=True):
        assert torch.equal(value, other), name


def test_mean_average_precision_of_a_perfect_and_a_random_tagger(stage, tmp_path, monkeypatch):
    backbone, _, vocabulary = fitted(stage, tmp_path / "checkpoint.pt")
    task = stage.task.__class__(**{**vars(stage.task), "tagging_test": stage.task.test})
    rows = {clip: i for i, clip in enumerate(task.test.table["clip"])}
    truth = Tags(task.test.table["labels"], vocabulary).batch(np.arange(len(rows)))
    monkeypatch.setattr(backbone, "tag", lambda x_a: truth.clone())
    assert pretrain.mean_average_precision(backbone, load_profile("smoke"), task, vocabulary) == pytest.approx(1)
    monkeypatch.setattr(backbone, "tag", lambda x_a: -truth)
    assert pretrain.mean_average_precision(backbone, load_profile("smoke"), task, vocabulary) < 0.5
