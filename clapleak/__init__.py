"""clapleak: how much of zero-shot audio-text accuracy is leakage (Tavares et al., 2024), rerun and shown."""
