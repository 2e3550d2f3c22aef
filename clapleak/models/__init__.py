"""CNN14, the text encoder, and both joined by projections: Figure 1 of the paper."""

from clapleak.models.clap import AudioEncoder, Clap, KeptEncoder, Projection, contrastive_loss
from clapleak.models.cnn14 import Cnn14, load_panns
from clapleak.models.text import TextEncoder, load_text_encoder

__all__ = [
    "AudioEncoder", "Clap", "Cnn14", "KeptEncoder", "Projection", "TextEncoder",
    "contrastive_loss", "load_panns", "load_text_encoder",
]  # fmt: skip
