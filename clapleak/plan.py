"""What a profile costs on this machine: steps, disk, memory and hours, from a few steps that are measured."""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from clapleak import leakage, pretrain
from clapleak.compute import autocast, pick_device
from clapleak.config import SETUPS, ClapleakError, Profile
from clapleak.datasets import SOURCES
from clapleak.models import Clap, TextEncoder, contrastive_loss
from clapleak.models.text import load_text_encoder
from clapleak.task import training_pairs, world

STEPS = 3  # measured, after one that warms up
CPU_BATCH = 8  # a CPU is measured with so few clips, and the rest is counted up
CLASSES = 527  # AudioSet's
UNKNOWN_SECONDS = 15.0  # of a recording whose length no table gives


@dataclass(frozen=True)
class Sizes:
    """What there is to learn from: clips to pre-train on and pairs to train on, dirty and clean, and all sound."""

    clips: dict[str, int]
    pairs: dict[str, int]
    seconds: float
    source: str


@dataclass(frozen=True)
class Cost:
    """Of one step, by stage, and of the model: seconds, bytes of memory at the profile's batch, bytes to save."""

    seconds: dict[str, float]
    memory: float
    checkpoint: float


def plan(profile: Profile, data_root: Path | None) -> str:
    """A table of the six setups with steps and hours, then the disk and memory that they need.

    Steps are counted from the data below `data_root`, or from the official sizes of the corpora where it lacks; the
    clean sizes are then upper bounds. Hours come from a few steps on this machine with random input; reading the
    data is not in them.
    """
    try:
        sizes = counted(profile, data_root)
    except ClapleakError as error:
        sizes = official(profile, str(error))
    cost, recipe, rows = measured(profile), profile.recipe, {}
    for setup in SETUPS:
        epoch = max(int(sizes.pairs[setup.training] * (1 - recipe.validation_share)) // recipe.batch_size, 1)
        given = setup.pretraining == "dirty" and profile.pretrain.checkpoint is not None
        clips = 0 if given else sizes.clips.get(setup.pretraining, 0)
        steps = {
            "pretrain": math.ceil(clips / profile.pretrain.batch_size) * profile.pretrain.epochs,
            "frozen": epoch * recipe.frozen_epochs,
            "unfrozen": epoch * recipe.max_epochs,
        }
        hours = {f"h {stage}": count * cost.seconds[stage] / 3600 for stage, count in steps.items()}
        rows[setup.slug] = {f"{stage} steps": f"{count:,}" for stage, count in steps.items()} | hours
    table = pd.DataFrame(rows).T
    shared = table["h pretrain"].iloc[: len(rows) // 2].sum()  # one pre-training serves both of its setups
    hours = shared + table[["h frozen", "h unfrozen"]].sum().sum()
    facts = [
        f"{sizes.source}",
        f"device: {pick_device(profile.compute)}; hours are upper bounds: training stops when the loss does",
        f"disk: {_store_bytes(profile, sizes) / 1e9:.2f} GB of clips, {cost.checkpoint / 1e9:.2f} GB a checkpoint",
        f"memory: {cost.memory / 1e9:.1f} GB at batch {recipe.batch_size}",
        f"all six setups, one seed: at most {hours:.1f} h, without reading the data",
    ]
    return table.to_string(float_format="{:.2f}".format) + "\n\n" + "\n".join(facts)


def counted(profile: Profile, data_root: Path | None) -> Sizes:
    """Sizes of the data at hand; of the first class group where there are several. ClapleakError as `task.world`."""
    found = world(profile, data_root)
    targets = sorted(found.test.table["text"].unique()) if found.groups is None else found.groups[0]
    clean = leakage.clean(found.pretrain, targets, profile.data.label_rule, on="labels")[0]
    clips = pd.concat([c.clips() for c in found.corpora()]).drop_duplicates("clip")
    return Sizes(
        {"dirty": len(found.pretrain.clips()), "clean": len(clean.clips())},
        {training: len(training_pairs(found.pairs, targets, training, 0)) for training in ("dirty", "clean")},
        float(clips["duration"].fillna(UNKNOWN_SECONDS).sum()),
        "sizes: counted in the data of this machine",
    )


def official(profile: Profile, reason: str) -> Sizes:
    """Sizes of the complete corpora, for machines without them."""

    def count(names: list[str]) -> tuple[int, int, float]:
        pairs, clips, seconds = 0, 0, 0.0
        for name in names:
            corpus, _, split = name.partition(":")
            source = SOURCES[corpus]
            parts = [split] if split in source.counts else [s for s in source.counts if s != "eval" or split != "dev"]
            pairs += sum(source.counts[s][0] for s in parts)
            clips += sum(source.counts[s][1] for s in parts)
            seconds += sum(source.counts[s][1] for s in parts) * sum(source.seconds) / 2
        return pairs, clips, seconds

    pretraining, pairs = count(profile.data.pretrain), count(profile.data.pairs)
    return Sizes(
        dict.fromkeys(("dirty", "clean"), pretraining[1]), dict.fromkeys(("dirty", "clean"), pairs[0]),
        pretraining[2] + pairs[2] + count([profile.data.test])[2],
        f"sizes: of the complete corpora, clean taken to be as large as dirty, since {reason}",
    )  # fmt: skip


def measured(profile: Profile) -> Cost:
    """Time and memory of training steps at the profile's batch sizes, with random clips and captions."""
    device = pick_device(profile.compute)
    try:
        text = load_text_encoder(profile.text_encoder)
    except ClapleakError:  # BERT of the standard size and random weights costs the same
        from transformers import BertConfig, BertModel

        text = TextEncoder(BertModel(BertConfig(), add_pooling_layer=False), None, profile.text_encoder)
    model = Clap(pretrain.new_backbone(profile, 0, CLASSES), text, profile).to(device)
    model.to(memory_format=torch.channels_last)
    everything = model.heads() + model.backbones()
    frames = round(profile.audio.segment * profile.audio.sample_rate) // profile.audio.hop + 1

    def inputs(batch: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        ids = torch.randint(5, 30, (batch, min(profile.text_encoder.max_tokens, 24)), device=device)
        mask = torch.ones_like(ids, dtype=torch.bool)
        with torch.no_grad():
            return torch.randn(batch, 1, frames, profile.audio.mel_bins, device=device), text.lower(ids, mask), mask

    def tag(log_mel: torch.Tensor, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        model.train()
        return pretrain.tagging_loss(model.audio.tag(model.audio(log_mel)).float(), present[: len(log_mel)], "bce")

    def pair(log_mel: torch.Tensor, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        model.train()
        return matched(model.audio(log_mel), text.upper(states, mask))

    def frozen_pair(log_mel: torch.Tensor, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        model.eval()
        with torch.no_grad():
            x_a, x_t = model.audio(log_mel), text.upper(states, mask)
        return matched(x_a, x_t)

    def matched(x_a: torch.Tensor, x_t: torch.Tensor) -> torch.Tensor:
        return contrastive_loss(model.audio_projection(x_a), model.text_projection(x_t), model.logit_scale)

    present = torch.zeros(profile.pretrain.batch_size, CLASSES, device=device)
    recipe, seconds = profile.recipe, {}
    seconds["pretrain"] = _seconds(tag, inputs, profile.pretrain.batch_size, everything, profile, device)
    seconds["frozen"] = _seconds(frozen_pair, inputs, recipe.batch_size, model.heads(), profile, device)
    before = _memory(device)
    seconds["unfrozen"] = _seconds(pair, inputs, recipe.batch_size, everything, profile, device)
    parameters = sum(p.numel() for p in everything)
    grown = max(_memory(device) - before, 0) * (recipe.batch_size / CPU_BATCH if device.type == "cpu" else 1)
    return Cost(seconds, 16 * parameters + grown, 4 * 4 * parameters)  # weights, gradients, two moments; twice weights


def _seconds(
    loss: Callable, inputs: Callable, batch: int, parameters: list, profile: Profile, device: torch.device
) -> float:
    """Median time of a step, scaled to the whole batch."""
    small = batch if device.type == "cuda" else min(batch, CPU_BATCH)
    optimizer, data, times = torch.optim.Adam(parameters, 1e-9, fused=True), inputs(small), []
    for _ in range(STEPS + 1):
        started = time.monotonic()
        with autocast(device, profile.compute):
            value = loss(*data)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.monotonic() - started)
    return sorted(times[1:])[STEPS // 2] * batch / small


def _memory(device: torch.device) -> float:
    """Peak so far, bytes."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def _store_bytes(profile: Profile, sizes: Sizes) -> float:
    return 2.0 * sizes.seconds * profile.audio.sample_rate
