"""CNN14, the text encoder, and both joined by projections: Figure 1 of the paper."""

from clapleak.models.clap import Clap, Projection, contrastive_loss
from clapleak.models.cnn14 import Cnn14
from clapleak.models.text import TextEncoder

__all__ = ["Clap", "Cnn14", "Projection", "TextEncoder", "contrastive_loss"]
