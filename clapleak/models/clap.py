"""CLAP: two backbones, two projections, one contrastive loss (section 2.1, Figure 1)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clapleak.config import Profile
from clapleak.models.architectures import Network
from clapleak.models.cnn14 import Cnn14
from clapleak.models.text import TextEncoder


class KeptEncoder(nn.Identity):
    """In place of an audio network that does not learn: what it is given is x_a already, (B, dim)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim


AudioEncoder = Cnn14 | KeptEncoder | Network


class Projection(nn.Module):
    """The projector of MS-CLAP 2022: e = L1 x, then LayerNorm(e + Dropout(L2 GELU(e))), then unit length."""

    def __init__(self, dim_in: int, dim_out: int, dropout: float) -> None:
        super().__init__()
        self.linear1 = nn.Linear(dim_in, dim_out, bias=False)
        self.linear2 = nn.Linear(dim_out, dim_out, bias=False)
        self.layer_norm = nn.LayerNorm(dim_out)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, dim_in) -> (B, dim_out), rows of unit length."""
        e = self.linear1(x)
        e = self.layer_norm(e + self.dropout(self.linear2(F.gelu(e))))
        return F.normalize(e.float(), dim=-1)


def contrastive_loss(E_a: Tensor, E_t: Tensor, logit_scale: Tensor, max_logit: float = 100.0) -> Tensor:
    """Symmetric cross-entropy between each sound and its own text (CLIP loss, section 2.1): log(B) before learning.

    Rows of E_a and of E_t, both (B, D), have unit length; row i of both is one pair. The mean is over the rows and the
    columns of C = exp(logit_scale) E_a E_t^T, limited to [-max_logit, max_logit], step (g) of the recipe.
    """
    C = (logit_scale.exp() * E_a @ E_t.T).clamp(-max_logit, max_logit)  # (B, B)
    pairs = torch.arange(len(C), device=C.device)
    return (F.cross_entropy(C, pairs) + F.cross_entropy(C.T, pairs)) / 2


class Clap(nn.Module):
    """The whole model; of the profile it takes the sections `projection` and `loss`."""

    def __init__(self, audio: AudioEncoder, text: TextEncoder, profile: Profile) -> None:
        super().__init__()
        dim, dropout = profile.projection.dim, profile.projection.dropout
        self.audio, self.text = audio, text
        self.audio_projection = Projection(audio.dim, dim, dropout)
        self.text_projection = Projection(text.dim, dim, dropout)
        self.logit_scale = nn.Parameter(torch.tensor(float(profile.loss.logit_scale)))
        if hasattr(audio, "fc_audioset"):  # the tagging head has no part in the loss
            audio.fc_audioset.requires_grad_(False)

    def heads(self) -> list[nn.Parameter]:
        """What learns while the backbones are frozen, step (b): both projections and the temperature."""
        return [*self.audio_projection.parameters(), *self.text_projection.parameters(), self.logit_scale]

    def backbones(self) -> list[nn.Parameter]:
        """What joins after the frozen phase, step (d)."""
        return [p for p in (*self.audio.parameters(), *self.text.parameters()) if p.requires_grad]

    def learnt_state(self) -> dict[str, Tensor]:
        """State without the text layers that never change."""
        return {k: v for k, v in self.state_dict().items() if not self.text.is_frozen(k.removeprefix("text."))}
