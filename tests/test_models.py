"""The networks: statistics and masks, the loss by hand, the text encoder in two parts."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import changed

from clapleak.captions import open_captions
from clapleak.config import SpecAugment, load_profile
from clapleak.models import Projection, contrastive_loss, load_text_encoder
from clapleak.models.cnn14 import spec_augment


def test_spec_augment_masks_stripes_of_each_clip_alone():
    torch.manual_seed(1)
    masks = SpecAugment(time_stripes=1, time_width=20, mel_stripes=1, mel_width=8)
    x = spec_augment(torch.ones(8, 64, 100, 1), masks).transpose(1, 3)
    frames = (x.sum(3) == 0).squeeze(1)  # (B, T): wholly masked
    assert len({tuple(row.tolist()) for row in frames}) > 1 and 0 < frames.sum(1).max() < 20
    assert 0 < ((x.sum(2) == 0).squeeze(1).sum(1)).max() < 8


def test_loss_is_the_plain_formula_and_does_not_see_the_order_of_pairs():
    torch.manual_seed(0)
    a, t = (F.normalize(torch.randn(6, 5), dim=-1) for _ in range(2))
    C, s, order = math.exp(1.3) * a @ t.T, torch.tensor(1.3), torch.tensor([3, 1, 5, 0, 2, 4])
    parts = [torch.logsumexp(C[i], 0) - C[i, i] + torch.logsumexp(C[:, i], 0) - C[i, i] for i in range(6)]
    loss = contrastive_loss(a, t, s).item()
    assert loss == pytest.approx(sum(parts).item() / 12, abs=1e-5)
    assert contrastive_loss(a[order], t[order], s).item() == pytest.approx(loss, abs=1e-6)
    assert contrastive_loss(a[order], t, s).item() != pytest.approx(loss, abs=1e-3)
    # four pairs: C has 1 on the diagonal and 0 elsewhere, so every softmax gives e / (e + 3)
    by_hand = contrastive_loss(torch.eye(4), torch.eye(4), torch.tensor(0.0)).item()
    assert by_hand == pytest.approx(-math.log(math.e / (math.e + 3)), abs=1e-5)
    # two texts swapped and a huge scale, limited to 100: two rows pay 100, the others nothing
    limited = contrastive_loss(torch.eye(4), torch.eye(4)[[1, 0, 2, 3]], torch.tensor(20.0), max_logit=100.0).item()
    assert limited == pytest.approx(50, abs=1e-4)
    assert contrastive_loss(a[:1].expand(6, 5), t[:1].expand(6, 5), s).item() == pytest.approx(math.log(6), abs=1e-5)
    assert torch.allclose(Projection(7, 5, 0.5)(torch.randn(3, 7)).norm(dim=1), torch.ones(3), atol=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("layers", [0, 1, "all"])
def test_frozen_and_learning_part_together_are_the_whole_encoder(tmp_path, layers, pooling):
    profile = changed(load_profile("smoke"), text_encoder={"trainable_layers": layers, "pooling": pooling})
    encoder, texts = load_text_encoder(profile.text_encoder), ["a dog barks", "rain", "a very long caption about a dog"]
    ids, mask = encoder.tokenise(texts)
    whole = encoder.bert(input_ids=ids, attention_mask=mask).last_hidden_state
    expected = (whole * mask[..., None]).sum(1) / mask.sum(1, keepdim=True) if pooling == "mean" else whole[:, 0]
    torch.testing.assert_close(encoder(texts), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(encoder(texts[1:2])[0], expected[1], atol=1e-5, rtol=1e-5)  # padding does not count
    kept = open_captions(texts * 2, encoder, profile.compute, tmp_path / "captions")
    rows = np.array([kept.rows[text] for text in texts])
    torch.testing.assert_close(encoder.upper(*kept.batch(rows)), expected, atol=5e-3, rtol=5e-3)  # kept in 16 bits
    learns = {name for name, p in encoder.named_parameters() if p.requires_grad}
    assert bool(learns) == (layers != 0) and any("embeddings" in name for name in learns) == (layers == "all")


def test_states_of_captions_are_those_of_the_weights_that_lie_in_the_folder_now(tmp_path):
    profile, folder = load_profile("smoke"), tmp_path / "bert"
    tiny, found = load_text_encoder(profile.text_encoder), []
    tiny.tokenizer.save_pretrained(folder)
    settings = changed(profile, text_encoder={"model": str(folder)}).text_encoder
    for scale in (1, 1, 2):
        tiny.bert.embeddings.word_embeddings.weight.data *= scale
        tiny.bert.save_pretrained(folder)
        encoder = load_text_encoder(settings)
        assert encoder.bert.config._attn_implementation == "sdpa"  # the others take no mask of true and false
        kept = open_captions(["a dog barks"], encoder, profile.compute, tmp_path / "captions")
        found.append((kept.keys, kept.batch(np.array([0]))[0].tolist()))
    assert found[0] == found[1] and found[1][0] != found[2][0] and found[1][1] != found[2][1]
