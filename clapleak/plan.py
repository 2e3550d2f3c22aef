"""What a profile costs on this machine: steps, disk, memory and time, from a few steps of the real training loop."""

import copy
import math
import resource
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch

from clapleak import embed, pretrain, train
from clapleak.captions import Captions
from clapleak.clipstore import ClipStore, frames
from clapleak.config import ClapleakError, Profile
from clapleak.corpora import SOURCES, Corpus
from clapleak.experiment import Sources, read_sources
from clapleak.leakage import filtered
from clapleak.loop import Training
from clapleak.models import Clap, TextEncoder, load_text_encoder
from clapleak.parallel import pick_device
from clapleak.setups import SETUPS, TRAININGS

SLOW = 4.0  # seconds; where a whole batch takes longer than that on a CPU, two small ones are measured instead
SMALL = (4, 8)  # sizes of these
CLIPS = 1024  # of noise, to measure with
CLASSES = 527  # AudioSet's
TOKENS = 14  # of a caption, where there is none to count
UNKNOWN_SECONDS = 15.0  # of a recording whose length no table gives
START = 5.0  # seconds of a run beside its training: half a process that imports and opens, and writing the results


@dataclass(frozen=True)
class Sizes:
    """What there is to learn from."""

    clips: dict[str, int]  # to pre-train on, dirty and clean
    pairs: dict[str, int]  # to train on, dirty and clean
    stored: int  # clips in the store
    seconds: float  # of all sound
    captions: int  # that differ
    tokens: int  # of a caption
    whole: bool  # whether no clip is longer than a segment, so that log-mel is stored and frozen clips are kept
    groups: int  # class groups, each an experiment of its own
    source: str


def plan(profile: Profile, data_root: Path | None) -> str:
    """A table of the six setups with steps and times, then the disk and memory that they need.

    Steps are counted from the data below `data_root`, or from the official sizes of the corpora where it lacks; the
    clean sizes are then upper bounds. Times come from a few steps of one process on this machine, with random input.
    """
    if profile.networks is not None:
        what, length = ("log-mel", "minutes") if profile.networks.unfrozen else ("x_a", "a few seconds")
        seconds = f"{what} of each takes minutes once, and a run {length}"
        raise ClapleakError(f"profile {profile.name} starts from networks of others, which no plan measures: {seconds}")
    try:
        sizes = counted(profile, read_sources(profile, data_root))
    except ClapleakError as error:
        sizes = official(profile, str(error))
    cost, recipe = Cost(profile, sizes.whole, sizes.tokens), profile.recipe
    given = {"none"} if profile.pretrain.checkpoint is None else {"none", "dirty"}  # nothing to pre-train
    steps, embedded, names = [], [], [setup.slug for setup in SETUPS]
    for setup in SETUPS:
        pairs, clips = sizes.pairs[setup.training], 0 if setup.pretraining in given else sizes.clips[setup.pretraining]
        held_out = recipe.held_out(pairs)
        epoch = max((pairs - held_out) // recipe.batch_size, 1)
        pretraining = math.ceil(clips / profile.pretrain.batch_size) * profile.pretrain.epochs
        steps.append([pretraining, epoch * recipe.frozen_epochs, epoch * recipe.max_epochs])
        embedded.append([0, pairs if sizes.whole else 0, held_out * recipe.max_epochs])  # beside the steps
    counts = pd.DataFrame(steps, names, [f"{phase} steps" for phase in cost.seconds]).map("{:,}".format)
    spent = np.multiply(steps, list(cost.seconds.values())) + np.multiply(embedded, cost.embed) + [0, 0, START]
    seconds = spent[:3, 0].sum() + spent[:, 1:].sum()  # one pre-training serves two setups
    runs = profile.seeds * sizes.groups
    frame = 2 * frames(profile.audio) * profile.audio.mel_bins
    store = sizes.stored * frame if sizes.whole else 2 * sizes.seconds * profile.audio.sample_rate
    store += sizes.captions * cost.caption
    kept = 8 * runs * cost.weights  # two backbones and six models of each seed and group
    facts = [
        sizes.source,
        f"device: {cost.device}; times are of all epochs, though training stops when the loss does",
        f"disk: {(store + kept) / 1e9:.2f} GB; clips and captions {store / 1e9:.2f}, a model {cost.weights / 1e9:.3f}",
        f"memory: {(cost.memory + min(store, 1e9)) / 1e9:.2f} GB a process at batch {recipe.batch_size}, with both",
        f"one seed{' of one group' * (sizes.groups > 1)}: about {_time(seconds)}; "
        f"all {runs} of them: about {_time(seconds * runs)}, divided by the processes that run side by side",
    ]
    times = pd.DataFrame(spent, names, list(cost.seconds)).map(_time)
    return counts.join(times).to_string() + "\n\n" + "\n".join(facts)


def _time(seconds: float) -> str:
    unit, length = ("h", 3600) if seconds >= 3600 else ("min", 60) if seconds >= 60 else ("s", 1)
    return f"{seconds / length:.1f} {unit}"


def counted(profile: Profile, sources: Sources) -> Sizes:
    """Sizes of the data at hand; of the first class group where there are several."""
    targets = sorted(sources.test.table["text"].unique()) if sources.groups is None else sources.groups[0]
    rule, clips = profile.data.label_rule, pd.concat([c.clips() for c in sources.corpora()]).drop_duplicates("clip")
    return Sizes(
        {name: len(filtered(sources.pretrain, targets, name, on="labels", rule=rule).clips()) for name in TRAININGS},
        {name: len(filtered(sources.pairs, targets, name, on="text")) for name in TRAININGS},
        len(clips), float(clips["duration"].fillna(UNKNOWN_SECONDS).sum()), sources.pairs.table["text"].nunique(),
        3 + round(sources.pairs.table["text"].str.split().str.len().mean()),  # two at the ends, a word in pieces
        bool((clips["duration"] <= profile.audio.segment).all()), len(sources.group_numbers()),
        "sizes: counted in the data of this machine",
    )  # fmt: skip


def official(profile: Profile, reason: str) -> Sizes:
    """Sizes of the complete corpora, for machines without them; `reason` says why they are not counted."""
    totals = []  # pairs, clips and seconds of each part
    for names in (profile.data.pretrain, profile.data.pairs, [profile.data.test]):
        totals.append(np.zeros(3, int))
        for corpus, _, split in (name.partition(":") for name in names):
            source = SOURCES[corpus]
            pairs, clips = np.sum([source.counts[part] for part in source.splits(split or None)], axis=0)
            totals[-1] += [pairs, clips, round(clips * sum(source.seconds) / 2)]
    _, stored, seconds = map(int, sum(totals))
    groups = profile.data.class_groups
    captions = int(totals[1][0]) * (groups.captions_per_clip if groups else 1)
    return Sizes(
        dict.fromkeys(TRAININGS, int(totals[0][1])), dict.fromkeys(TRAININGS, captions), stored, seconds, captions,
        TOKENS, seconds / stored <= profile.audio.segment, 5 if groups else 1,
        f"sizes: of the complete corpora, clean taken to be as large as dirty, since {reason}",
    )  # fmt: skip


def noise(array: np.ndarray) -> SimpleNamespace:
    """Like an `ArrayStore` that holds the same array under every key."""
    return SimpleNamespace(dtype=array.dtype, reading=lambda: nullcontext(lambda key: array))


class Cost:
    """Measured here: `seconds` of a step by phase and to `embed` a pair; bytes of `memory`, `weights`, a `caption`."""

    def __init__(self, profile: Profile, whole: bool, tokens: int) -> None:
        self.device, audio, rows = pick_device(profile.compute), profile.audio, {str(i): i for i in range(CLIPS)}
        self.cuda, self.threads = self.device.type == "cuda", profile.compute.threads
        values = np.random.default_rng(0).normal(0, 1, frames(audio) * (audio.mel_bins if whole else audio.hop))
        array = values.astype(np.float16) if whole else (3000 * values).astype(np.int16)  # log-mel, or samples
        store = ClipStore(audio, noise(array), whole, range(CLIPS), "", rows, pd.DataFrame())
        table = pd.DataFrame({"clip": list(rows), "labels": [[str(i % CLASSES)] for i in range(CLIPS)]})
        table = table.assign(path="", offset=0.0, duration=0.0, text=list(rows), sounds=None, recording="", split="")
        backbone = pretrain.new_backbone(profile, 0, CLASSES).to(self.device)
        tagging = pretrain.TagTraining(backbone, Corpus("noise", None, table), store, profile, 0, "plan")
        self.seconds = {"pretrain": self._step(tagging, "pretrain", profile.pretrain.batch_size)}
        try:
            text = load_text_encoder(profile.text_encoder, hub=False)
        except ClapleakError:  # BERT of the standard size and random weights costs the same
            from transformers import BertConfig, BertModel

            text = TextEncoder(BertModel(BertConfig(), add_pooling_layer=False), None, profile.text_encoder)
        ids_only = text.frozen_layers < 0
        states = np.full(tokens, 5, np.int32) if ids_only else np.full(tokens * text.dim, 5, np.float16)
        captions = Captions(noise(states), range(CLIPS), rows, (-1,) if ids_only else (-1, text.dim))
        self.caption = float(states.nbytes)
        model = Clap(backbone, copy.deepcopy(text), profile).to(self.device, memory_format=torch.channels_last)
        training = train.PairTraining(model, table, store, captions, profile, 0, "plan")
        self.embed = self._timed(lambda: embed.audio_embeddings(model.audio, store, np.arange(64), profile)) / 64
        self.seconds |= {phase: self._step(training, phase, profile.recipe.batch_size) for phase in training.phases}
        self.weights = 4.0 * sum(value.numel() for value in model.learnt_state().values())
        if self.cuda:
            self.memory = float(torch.cuda.max_memory_allocated())

    def _timed(self, work: Callable[[], object]) -> float:
        """Seconds of some work: of the clock on a GPU, else of the processor by the number of threads."""
        clock, threads = (time.monotonic, 1) if self.cuda else (time.process_time, self.threads)
        started = clock()
        work()
        if self.cuda:
            torch.cuda.synchronize()  # what the GPU was given is not done yet
        return (clock() - started) / threads

    def _step(self, training: Training, name: str, batch: int) -> float:
        """Seconds of a step at that batch size, after one that warms up; leaves the process's `memory` at that size."""
        phase, unit = training.begin(name), 1.0 if sys.platform == "darwin" else 1024.0  # bytes
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

        def timed(size: int, steps: int = 1) -> float:
            training.batches = lambda draw: [np.arange(size) % CLIPS] * steps
            return self._timed(lambda: training.train_epoch(phase, 0, Path())) / steps

        small = timed(SMALL[1]) and timed(SMALL[1])
        if self.cuda or small * batch / SMALL[1] < SLOW:
            timed(batch)
            measured, seconds = batch, timed(batch, 3)
        else:
            fixed = max(2 * timed(SMALL[0]) - small, 0.0)  # the optimiser costs the same at any batch
            measured, seconds = SMALL[1], fixed + (small - fixed) * batch / SMALL[1]
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit - used
        self.memory = used + grown * max(1.0, batch / measured)
        return seconds
