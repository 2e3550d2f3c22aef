"""clapleak: how much of zero-shot audio-text accuracy is leakage (Tavares et al., 2024), rerun and shown."""

__version__ = "0.1.0"
