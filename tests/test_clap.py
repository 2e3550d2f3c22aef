"""The contrastive loss by hand, its properties, the projection, the split text encoder."""

import math

import pytest
import torch
import torch.nn.functional as F

from clapleak.config import ClapleakError, load_profile
from clapleak.models import Clap, Cnn14, Projection, contrastive_loss
from clapleak.models.text import check_sha256, load_text_encoder

ZERO = torch.tensor(0.0)


def unit(*shape: int) -> torch.Tensor:
    return F.normalize(torch.randn(*shape), dim=-1)


def test_loss_of_a_hand_worked_batch_of_four():
    # E_a = E_t = identity: C has 1 on the diagonal and 0 elsewhere, so every softmax gives e / (e + 3)
    found = contrastive_loss(torch.eye(4), torch.eye(4), ZERO)
    assert found.item() == pytest.approx(-math.log(math.e / (math.e + 3)), abs=1e-6)


def test_loss_when_two_texts_are_swapped():
    # rows 0 and 1 point at each other: their own entry is 0, so they pay log(e + 3), the others log((e + 3) / e)
    swapped = torch.eye(4)[[1, 0, 2, 3]]
    expected = (2 * math.log(math.e + 3) + 2 * (math.log(math.e + 3) - 1)) / 4
    assert contrastive_loss(torch.eye(4), swapped, ZERO).item() == pytest.approx(expected, abs=1e-6)


def test_loss_is_the_plain_formula():
    torch.manual_seed(0)
    a, t, s = unit(6, 5), unit(6, 5), torch.tensor(1.3)
    C = math.exp(1.3) * a @ t.T
    rows = sum(torch.logsumexp(C[i], 0) - C[i, i] for i in range(6)) / 6
    columns = sum(torch.logsumexp(C[:, i], 0) - C[i, i] for i in range(6)) / 6
    assert contrastive_loss(a, t, s).item() == pytest.approx(((rows + columns) / 2).item(), abs=1e-5)


def test_permuting_pairs_together_leaves_the_loss_unchanged():
    torch.manual_seed(0)
    a, t, order = unit(16, 8), unit(16, 8), torch.randperm(16)
    s = torch.tensor(2.0)
    assert contrastive_loss(a[order], t[order], s).item() == pytest.approx(contrastive_loss(a, t, s).item(), abs=1e-6)
    assert contrastive_loss(a[order], t, s).item() != pytest.approx(contrastive_loss(a, t, s).item(), abs=1e-3)


def test_logits_are_limited():
    huge = torch.tensor(20.0)
    limited = contrastive_loss(torch.eye(2), torch.eye(2)[[1, 0]], huge, max_logit=100.0)
    assert limited.item() == pytest.approx(100.0, abs=1e-4)


def test_projection_gives_unit_rows():
    assert torch.allclose(Projection(7, 5, 0.5)(torch.randn(3, 7)).norm(dim=1), torch.ones(3), atol=1e-6)


@pytest.mark.parametrize("layers", [0, 1, "all"])
def test_lower_and_upper_part_together_are_the_whole_encoder(layers):
    config = load_profile("smoke").text_encoder.model_copy(update={"trainable_layers": layers})
    encoder = load_text_encoder(config)
    texts = ["a dog barks", "rain"]
    ids, mask = encoder.tokenise(texts)
    whole = encoder.bert(input_ids=ids, attention_mask=mask).last_hidden_state
    expected = (whole * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    torch.testing.assert_close(encoder(texts), expected, atol=1e-5, rtol=1e-5)
    learns = {name for name, p in encoder.named_parameters() if p.requires_grad}
    assert bool(learns) == (layers != 0)
    assert any("embeddings" in name for name in learns) == (layers == "all")


def test_padding_does_not_change_a_text():
    encoder = load_text_encoder(load_profile("smoke").text_encoder)
    alone, padded = encoder(["rain"])[0], encoder(["rain", "a very long caption about a dog"])[0]
    torch.testing.assert_close(alone, padded, atol=1e-5, rtol=1e-5)


def test_too_many_trainable_layers_are_refused():
    config = load_profile("smoke").text_encoder.model_copy(update={"trainable_layers": 9})
    with pytest.raises(ClapleakError, match="trainable_layers is 9"):
        load_text_encoder(config)


def test_learnt_state_leaves_out_the_frozen_text_layers():
    profile = load_profile("smoke")
    model = Clap(Cnn14(64, 3, profile.audio_encoder), load_text_encoder(profile.text_encoder), profile)
    kept = model.learnt_state()
    assert any(name.startswith("text.bert.encoder.layer.1.") for name in kept)
    assert not any(name.startswith(("text.bert.encoder.layer.0.", "text.bert.embeddings.")) for name in kept)
    assert "logit_scale" in kept and "audio.bn0.running_mean" in kept


def test_weights_with_another_sum_are_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"not the weights")
    with pytest.raises(ClapleakError, match="model.safetensors: SHA-256"):
        check_sha256(path, "0" * 64)
