"""Embed a test with msclap or laion_clap, in their own environment, into the `.npz` that `clapleak audit` reads.

    python export.py msclap:2023 test.csv clouds.npz      # or laion:CHECKPOINT; test.csv has path,label[,recording]

Both packages need an older numpy than clapleak, so this file stands alone: numpy, librosa, torch and one of the two.
"""

import csv
import sys
from pathlib import Path

import numpy as np


def hooked(projector, call):
    """`call` as a function to (x, E): what goes into the projector, and what comes out of the model."""
    inputs = []
    projector.register_forward_pre_hook(lambda _, given: inputs.append(given[0].detach().cpu().numpy()))

    def both(batch):
        inputs.clear()
        joint = getattr(answer := call(batch), "pooler_output", answer)  # transformers 5 wraps it
        return np.concatenate(inputs), joint.detach().cpu().numpy() if hasattr(joint, "detach") else joint

    return both


def msclap(version, read):
    """Functions from paths and from texts to (x, E); `read` decodes a path to mono, msclap itself joins channels."""
    import torch
    from msclap import CLAP

    model = CLAP(version=version, use_cuda=False)
    rate = model.args.sampling_rate
    model.read_audio = lambda path, resample=True: (torch.as_tensor(read(path, rate))[None], rate)
    audio = hooked(model.clap.audio_encoder.projection, lambda paths: model.get_audio_embeddings(paths, resample=True))
    return audio, hooked(model.clap.caption_encoder.projection, model.get_text_embeddings)


def laion(checkpoint, read):
    """As `msclap`, for a checkpoint of laion_clap; its name tells which of the two architectures it fits."""
    import laion_clap

    size = "HTSAT-base" if "music" in checkpoint or "speech" in checkpoint else "HTSAT-tiny"
    model = laion_clap.CLAP_Module(enable_fusion="fusion" in checkpoint, amodel=size)
    model.load_ckpt(checkpoint)
    audio = hooked(
        model.model.audio_projection,
        lambda paths: np.concatenate([model.get_audio_embedding_from_data([read(path, 48000)]) for path in paths]),
    )
    return audio, hooked(model.model.text_projection, model.get_text_embedding)


FAMILIES = {"msclap": msclap, "laion": laion}


def main(model, table, output):
    import librosa

    with open(table, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    family, _, which = model.partition(":")
    audio, text = FAMILIES[family](which, lambda path, rate: librosa.load(path, sr=rate, mono=True)[0])
    held = {f"{name}s": [row[name] for row in rows] for name in ("label", "recording") if name in rows[0]}
    held["classes"] = sorted(set(held["labels"]))
    sounds = [audio([str(Path(table).parent / row["path"])]) for row in rows]
    held["x_a"], held["E_a"] = (np.concatenate([both[i] for both in sounds]) for i in (0, 1))
    held["x_t"], held["E_t"] = text([name.replace("_", " ") for name in held["classes"]])
    np.savez(output, name=model, **held)


if __name__ == "__main__":
    main(*sys.argv[1:])
