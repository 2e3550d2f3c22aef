"""CNN14 against the published class, with shared random weights."""

import torch

from clapleak.config import AudioEncoder, SpecAugment, load_profile
from clapleak.models import Cnn14
from clapleak.models.cnn14 import spec_augment

NO_MASK = SpecAugment(time_stripes=0, time_width=0, mel_stripes=0, mel_width=0)
PAPER = AudioEncoder(width=64, stem_stride=1, dropout=0.2, head_dropout=0.5, spec_augment=NO_MASK)


def randomise(model: torch.nn.Module) -> None:
    """Statistics and scales away from 0 and 1, so that a forgotten batch norm shows."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
            with torch.no_grad():
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.2, 0.2)


def test_same_embedding_as_the_published_class(panns):
    torch.manual_seed(0)
    theirs = panns.Cnn14(
        sample_rate=32000, window_size=1024, hop_size=320, mel_bins=64, fmin=50, fmax=14000, classes_num=527
    )
    randomise(theirs)
    ours = Cnn14(64, 527, PAPER)
    state = {k: v for k, v in theirs.state_dict().items() if not k.startswith(("spectrogram", "logmel"))}
    ours.load_state_dict(state)  # strict: every name and shape is the checkpoint's
    theirs.eval(), ours.eval()
    wave = torch.randn(2, 32000)
    with torch.no_grad():
        mel = theirs.logmel_extractor(theirs.spectrogram_extractor(wave))
        expected = theirs(wave)
        x_a = ours(mel)
        tags = ours.tag(x_a).sigmoid()
    assert x_a.shape == (2, 2048)
    torch.testing.assert_close(x_a, expected["embedding"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(tags, expected["clipwise_output"], atol=1e-5, rtol=1e-5)


def test_width_scales_every_block():
    small = Cnn14(64, 10, PAPER.model_copy(update={"width": 4}))
    assert small(torch.randn(2, 1, 64, 64)).shape == (2, 128)
    assert small.conv_block3.conv2.weight.shape == (16, 16, 3, 3)


def test_evaluation_is_deterministic_and_training_is_not():
    model = Cnn14(64, 10, load_profile("mini").audio_encoder)
    x = torch.randn(4, 1, 101, 64)
    model.eval()
    assert torch.equal(model(x), model(x))
    model.train()
    assert not torch.equal(model(x), model(x))


def test_spec_augment_masks_stripes_of_each_clip_alone():
    torch.manual_seed(1)
    masks = SpecAugment(time_stripes=1, time_width=20, mel_stripes=1, mel_width=8)
    x = spec_augment(torch.ones(8, 1, 100, 64), masks)
    frames = (x.sum(3) == 0).squeeze(1)  # (B, T): wholly masked
    assert len({tuple(row.tolist()) for row in frames}) > 1
    assert frames.sum(1).max() < 20
    assert ((x.sum(2) == 0).squeeze(1).sum(1)).max() < 8
    assert (x == 0).any()
