"""Tagging before any caption: sampling, mixup, losses, mean average precision, PANNs' checkpoint."""

import runpy
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import changed

from clapleak import pretrain
from clapleak.audio import log_mel
from clapleak.config import ClapleakError, find_root, load_profile
from clapleak.models import load_panns
from clapleak.pretrain import balanced, mixed, tagging_loss, tags
from clapleak.setups import Setup


def test_tags_are_the_labels_and_balanced_sampling_draws_every_class_equally_often():
    presence = tags(pd.Series([["b"], [], ["a", "c"]]), ["a", "b", "c"])
    assert presence[[2, 0, 1]].toarray().tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]
    labels = pd.Series([["common"]] * 970 + [["rare"]] * 20 + [["rare", "rarer"]] * 10)
    chosen = balanced(tags(labels, ["common", "never", "rare", "rarer"]), np.random.default_rng(0))
    counts = [np.sum(chosen < 970), np.sum((chosen >= 970) & (chosen < 990)), np.sum(chosen >= 990)]
    assert counts == pytest.approx([1000 / 3, 1000 / 3 * 20 / 30, 1000 / 3 * 40 / 30], rel=0.2) and sum(counts) == 1000


def test_mixup_mixes_sound_and_tags_alike():
    x, y = torch.arange(8.0).view(4, 1, 2, 1), torch.eye(4)
    assert mixed(x, y, 0.0)[0] is x and mixed(x, y, 0.0)[1] is y
    torch.manual_seed(0)
    mixed_x, mixed_y = mixed(x, y, 1.0)
    share = mixed_y.diagonal()[:, None, None, None]
    assert torch.allclose(mixed_y.sum(1), torch.ones(4)) and 0 < share.min() < share.max() < 1
    assert torch.allclose(mixed_x, share * x + (1 - share) * x.flip(0))


def test_tagging_losses_by_hand():
    logits, presence = torch.log(torch.tensor([[1.0, 3.0, 4.0]])), torch.tensor([[0.0, 1.0, 1.0]])
    # softmax 1/8, 3/8, 4/8, of which the last two count half each; sigmoids 1/2, 3/4, 4/5
    assert tagging_loss(logits, presence, "softmax").item() == pytest.approx(-(np.log(3 / 8) + np.log(4 / 8)) / 2)
    assert tagging_loss(logits, presence, "bce").item() == pytest.approx(-np.log([1 / 2, 3 / 4, 4 / 5]).mean())


def test_mean_average_precision_of_a_perfect_and_of_the_worst_tagger(study, monkeypatch):
    prepared = study.experiment(Setup("dirty", "dirty"), None, 0)
    prepared = replace(prepared, tagging_test=prepared.test)
    names = pretrain.vocabulary(prepared.pretrain)
    truth = torch.from_numpy(tags(prepared.test.table["labels"], names).toarray())
    backbone = pretrain.new_backbone(study.profile, 0, len(names))
    monkeypatch.setattr(backbone, "tag", lambda x_a: truth.clone())
    assert pretrain.mean_average_precision(backbone, prepared, study.profile) == pytest.approx(1)
    monkeypatch.setattr(backbone, "tag", lambda x_a: -truth)
    assert pretrain.mean_average_precision(backbone, prepared, study.profile) < 0.5


def paper_sized(**audio):
    """The smoke profile with PANNs' network and front end."""
    front = {"sample_rate": 44100, "window": 1024, "hop": 320, "f_max": 14000.0, **audio}
    return changed(load_profile("smoke"), audio=front, audio_encoder={"width": 64, "blocks": 6, "stem_stride": 1})


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A file with the keys and shapes of PANNs' checkpoint, and the model it was written from: theirs, random."""
    if find_spec("panns_inference") is None:
        pytest.skip("panns-inference is not installed")
    load = runpy.run_path(str(find_root() / "benchmarks" / "cnn14.py"))["published_class"]
    torch.manual_seed(0)
    panns = load()(32000, 1024, 320, 64, 50, 14000, 527)
    for module in panns.modules():  # statistics and scales away from 0 and 1, so that a forgotten batch norm shows
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.uniform_(-0.2, 0.2)
    path = tmp_path_factory.mktemp("panns") / "Cnn14_mAP=0.431.pth"
    torch.save({"iteration": 600000, "model": panns.state_dict()}, path)
    return path, panns.eval()


@pytest.mark.slow
def test_a_published_checkpoint_gives_the_published_numbers_and_the_front_end_trap_both_ways(published):
    """At 44.1 kHz the filters inside the checkpoint are not those of 44.1 kHz; the profile says which are used."""
    path, theirs = published
    kept, true = (paper_sized(keep_checkpoint_frontend=keep) for keep in (True, False))
    wave, ours = torch.randn(2, 44100), load_panns(path, kept).eval()
    with torch.no_grad():
        mel, expected = theirs.logmel_extractor(theirs.spectrogram_extractor(wave)), theirs(wave)  # its own filters
        x_a = ours(mel)
        presence = ours.tag(x_a).sigmoid()
    torch.testing.assert_close(x_a, expected["embedding"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(presence, expected["clipwise_output"], atol=1e-5, rtol=1e-5)
    assert torch.allclose(log_mel(wave, kept.audio), mel[:, 0], atol=1e-3)
    assert (log_mel(wave, true.audio) - mel[:, 0]).abs().max() > 1
    with pytest.raises(ClapleakError, match="mel filters are not those"):
        load_panns(path, paper_sized(keep_checkpoint_frontend=True, f_max=12000.0))
    load_panns(path, paper_sized(f_max=12000.0))  # true filters are the profile's own


@pytest.mark.slow
def test_a_checkpoint_that_does_not_fit_is_named(published, tmp_path):
    state = dict(published[1].state_dict())
    torch.save(state, tmp_path / "bare.pth")
    state["fc_new.weight"] = state.pop("fc1.weight")
    torch.save({"model": {**state, "bn0.weight": torch.ones(32)}}, tmp_path / "other.pth")
    named = "3 keys are missing, .*, such as bn0.weight, fc1.weight, fc_new.weight; audio_encoder.width"
    torch.save({"model": {}}, tmp_path / "empty.pth")
    torch.save({"model": 1}, tmp_path / "number.pth")
    faults = {"other": named, "gone": "no such file", "bare": "not a PANNs checkpoint", "number": "not a PANNs"}
    faults["empty"] = r"\d\d keys are .*, such as \S+, \S+, \S+; audio_encoder.width"
    for name, reason in faults.items():
        with pytest.raises(ClapleakError, match=f"{name}.pth: {reason}"):
            load_panns(tmp_path / f"{name}.pth", paper_sized())
