"""Supervised tagging: the audio backbone before it meets a caption (section 2.2; PANNs, Kong et al., 2020)."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import safetensors.torch
import torch
import torch.nn.functional as F

from clapleak import embed, metrics, results
from clapleak.compute import autocast, load_checkpoint, pick_device, save_checkpoint, stable_seed
from clapleak.config import Profile, Setup
from clapleak.files import atomic_file, say
from clapleak.models import Cnn14, TextEncoder
from clapleak.task import Task


def new_backbone(profile: Profile, seed: int, classes: int = 1) -> Cnn14:
    """A random CNN14, the paper's pre-training "none"."""
    torch.manual_seed(stable_seed("backbone", seed))
    return Cnn14(profile.audio.mel_bins, classes, profile.audio_encoder)


def run(
    profile: Profile, setup: Setup, task: Task, text: TextEncoder, *, seed: int, group: int | None, root: Path
) -> Cnn14:
    """The backbone of a setup: random, or trained on labels unless its weights lie in `build/` already.

    Only `setup.pretraining` matters; setups that share it share the weights. Goes on from the last epoch after a crash.
    """
    if setup.pretraining == "none":
        return new_backbone(profile, seed)
    slug = f"backbone/{setup.pretraining}"
    folder = root / "build" / profile.name / slug / results.run_name(seed, group)
    vocabulary = sorted({label for labels in task.pretrain.table["labels"] for label in labels})
    backbone = new_backbone(profile, seed, len(vocabulary))
    fingerprint = task.fingerprint(slug, profile, seed)
    weights, shown = folder / "model.safetensors", results.run_folder(profile.name, slug, seed, group, root)
    if not weights.is_file() or not results.finished(shown, fingerprint):
        history = fit(backbone, profile, task, vocabulary, seed, folder / "checkpoint.pt", fingerprint)
        state = {name: value.cpu().contiguous() for name, value in backbone.state_dict().items()}
        with atomic_file(weights) as file:
            file.write(safetensors.torch.save(state))
        clouds = embed.backbone_clouds(backbone, text, task, profile)
        results.write_run(_measured(clouds, history, profile, setup, task, seed, group, shown, fingerprint))
        (folder / "checkpoint.pt").unlink()
        backbone = new_backbone(profile, seed, len(vocabulary))
    backbone.load_state_dict(safetensors.torch.load_file(weights))  # trained just now or before: the same way on
    return backbone


def fit(
    backbone: Cnn14, profile: Profile, task: Task, vocabulary: list[str], seed: int, path: Path, fingerprint: str
) -> pd.DataFrame:
    """Train a backbone to tag `task.pretrain`; history as `train.Trainer.fit`.

    `vocabulary` names the outputs of the head; a checkpoint is kept at `path` after every epoch.
    """
    device, settings = pick_device(profile.compute), profile.pretrain
    backbone.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(backbone.parameters(), settings.learning_rate)
    clips = task.pretrain.clips()
    rows = np.array([task.store.rows[clip] for clip in clips["clip"]])
    number = {label: i for i, label in enumerate(vocabulary)}
    targets = torch.zeros(len(clips), len(vocabulary))
    for i, labels in enumerate(clips["labels"]):
        targets[i, [number[label] for label in labels]] = 1
    steps = -(-len(rows) // settings.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, settings.epochs * steps)
    state = load_checkpoint(path, fingerprint)
    history: list[dict] = []
    if state is not None:
        backbone.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        history = state["history"]
    for epoch in range(len(history), settings.epochs):
        started = time.monotonic()
        torch.manual_seed(stable_seed("pretrain", seed, epoch))  # one an epoch, so a resumed run repeats the draws
        backbone.train()
        losses = []
        for chosen in torch.randperm(len(rows)).split(settings.batch_size):
            x, y = task.store.batch(rows[chosen.numpy()]), targets[chosen]
            if settings.mixup > 0:  # in decibels, as PANNs mixes log-mel
                share = torch.distributions.Beta(settings.mixup, settings.mixup).sample((len(x),))
                x = torch.lerp(x.flip(0), x, share[:, None, None, None])
                y = torch.lerp(y.flip(0), y, share[:, None])
            with autocast(device, profile.compute):
                logits = backbone.tag(backbone(x.to(device)))
            loss = tagging_loss(logits.float(), y.to(device), settings.loss)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.detach())
        row = {"phase": "pretrain", "epoch": epoch, "learning_rate": schedule.get_last_lr()[0]}
        row |= {"train_loss": torch.stack(losses).mean().item(), "val_loss": float("nan")}
        history.append({**row, "seconds": time.monotonic() - started})
        state = {"model": backbone.state_dict(), "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}
        save_checkpoint(path, {**state, "history": history, "fingerprint": fingerprint})
        name = f"pre-training {path.parent.parent.name}, {path.parent.name}"
        say(f"{name}: epoch {epoch + 1}/{settings.epochs}, loss {row['train_loss']:.4f}")
    return pd.DataFrame(history)


def tagging_loss(logits: torch.Tensor, presence: torch.Tensor, loss: str) -> torch.Tensor:
    """Loss of tags: logits and presence (0 to 1), both (B, classes) -> scalar.

    "bce" is PANNs' binary cross-entropy of every class; "softmax" the cross-entropy of one choice, with the presence
    of several events shared out evenly.
    """
    if loss == "bce":
        return F.binary_cross_entropy_with_logits(logits, presence)
    return F.cross_entropy(logits, presence / presence.sum(1, keepdim=True))


def _measured(
    clouds: dict[str, np.ndarray], history: pd.DataFrame, profile: Profile, setup: Setup, task: Task, seed: int,
    group: int | None, folder: Path, fingerprint: str,
) -> results.Run:  # fmt: skip
    found = results.header(profile, setup.pretraining, None, seed, group, task.counts)
    found["silhouette"] = {"x_a": metrics.silhouette(clouds["x_a"], clouds["labels"].astype(int))}
    found["provenance"] = results.provenance(profile, pick_device(profile.compute).type, fingerprint)
    plane = {space: embed.tsne(clouds[space], profile.measures.perplexity, seed) for space in ("x_a", "x_t")}
    return results.Run(profile.name, setup.pretraining, None, seed, group, found, history, clouds, plane, folder)
