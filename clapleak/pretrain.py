"""Supervised tagging: the audio backbone before it meets a caption (section 2.2; PANNs, Kong et al., 2020)."""

from __future__ import annotations

import pickle
import time
from pathlib import Path

import numpy as np
import pandas as pd
import safetensors.torch
import torch
import torch.nn.functional as F
from sklearn.metrics import average_precision_score
from torch import Tensor

from clapleak import embed, metrics, results
from clapleak.audio import mel_filters
from clapleak.compute import (
    StopRequest,
    autocast,
    average_gradients,
    first_process_first,
    load_checkpoint,
    pick_device,
    progress,
    rank_and_size,
    read_ahead,
    record,
    save_checkpoint,
    share_buffers,
    stable_seed,
)
from clapleak.config import ClapleakError, Profile, Setup
from clapleak.files import atomic_file, say
from clapleak.models import Cnn14, TextEncoder
from clapleak.task import Task

HISTORY = ("phase", "epoch", "learning_rate", "train_loss", "val_loss", "seconds")  # columns of history.csv


def new_backbone(profile: Profile, seed: int, classes: int = 1) -> Cnn14:
    """A random CNN14, the paper's pre-training "none"."""
    torch.manual_seed(stable_seed("backbone", seed))
    return Cnn14(profile.audio.mel_bins, classes, profile.audio_encoder)


def run(
    profile: Profile, setup: Setup, task: Task, text: TextEncoder, *, seed: int, group: int | None, root: Path
) -> Cnn14:
    """The backbone of a setup: random, read from PANNs' checkpoint, or trained on labels.

    Only `setup.pretraining` matters; setups that share it share the weights, which are kept in `build/`. Goes on from
    the last epoch after a crash.
    """
    if setup.pretraining == "none":
        return new_backbone(profile, seed)
    slug = f"backbone/{setup.pretraining}"
    folder = root / "build" / profile.name / slug / results.run_name(seed, group)
    published = profile.pretrain.checkpoint if setup.pretraining == "dirty" else None
    vocabulary = sorted({label for labels in task.pretrain.table["labels"] for label in labels})
    fingerprint = task.fingerprint(slug, profile, seed)
    weights, shown = folder / "model.safetensors", results.run_folder(profile.name, slug, seed, group, root)
    if not weights.is_file() or not results.finished(shown, fingerprint):
        if published is None:
            backbone = new_backbone(profile, seed, len(vocabulary))
            history = fit(backbone, profile, task, vocabulary, seed, folder / "checkpoint.pt", fingerprint)
        else:
            backbone, history = load_panns(Path(published), profile), pd.DataFrame(columns=HISTORY)
            backbone.to(pick_device(profile.compute))
        state = {name: value.cpu().contiguous() for name, value in backbone.state_dict().items()}
        found = results.header(profile, setup.pretraining, None, seed, group, task.counts)
        if task.tagging_test is not None and published is None:
            found["mean_average_precision"] = mean_average_precision(backbone, profile, task, vocabulary)
        clouds = embed.backbone_clouds(backbone, text, task, profile)
        found["silhouette"] = {"x_a": metrics.silhouette(clouds["x_a"], clouds["labels"].astype(int))}
        found["provenance"] = results.provenance(profile, pick_device(profile.compute).type, fingerprint)
        plane = {space: embed.tsne(clouds[space], profile.measures.perplexity, seed) for space in ("x_a", "x_t")}
        names = (profile.name, setup.pretraining, None, seed, group)
        with first_process_first():
            if rank_and_size()[0] == 0:
                with atomic_file(weights) as file:
                    file.write(safetensors.torch.save(state))
                results.write_run(results.Run(*names, found, history, clouds, plane, shown))
                (folder / "checkpoint.pt").unlink(missing_ok=True)
    state = safetensors.torch.load_file(weights)  # trained just now or before: the same way on
    backbone = new_backbone(profile, seed, len(state["fc_audioset.bias"]))
    backbone.load_state_dict(state)
    return backbone


def load_panns(path: Path, profile: Profile) -> Cnn14:
    """The backbone with the weights of a published PANNs checkpoint (`Cnn14_mAP=0.431.pth` or its like).

    The file also holds the mel filters that it was trained with, at 32 kHz. Whether the profile's front end uses those
    is the key `audio.keep_checkpoint_frontend`; where it does, the file's filters must be the ones that it uses.

    Raises
    ------
    ClapleakError
        No such file, not a checkpoint, or keys that are missing, unknown or of another shape (each is named).
    """
    if not path.is_file():
        raise ClapleakError(f"{path}: no such file; see pretrain.checkpoint, or `clapleak data fetch panns`")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)["model"]
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, TypeError) as error:
        raise ClapleakError(f"{path}: not a PANNs checkpoint (a dict with the key 'model'); fetch it again") from error
    filters = state.get("logmel_extractor.melW")
    state = {k: v for k, v in state.items() if not k.startswith(("spectrogram_extractor.", "logmel_extractor."))}
    classes = len(state["fc_audioset.bias"]) if "fc_audioset.bias" in state else 527
    backbone = Cnn14(profile.audio.mel_bins, classes, profile.audio_encoder)
    own = backbone.state_dict()
    wrong = {
        "missing": sorted(own.keys() - state.keys()),
        "unknown": sorted(state.keys() - own.keys()),
        "of another shape": sorted(k for k in own.keys() & state.keys() if own[k].shape != state[k].shape),
    }
    if any(wrong.values()):
        listed = "; ".join(f"{kind}: {', '.join(keys)}" for kind, keys in wrong.items() if keys)
        raise ClapleakError(f"{path}: {listed}; audio_encoder.width and stem_stride must be 64 and 1 for PANNs' Cnn14")
    if profile.audio.keep_checkpoint_frontend:
        ours = mel_filters(profile.audio)
        if filters is None or filters.shape != ours.shape or not torch.allclose(filters, ours, atol=1e-6):
            raise ClapleakError(
                f"{path}: its mel filters are not those of audio.window, mel_bins, f_min and f_max at 32 kHz; "
                "set these to 1024, 64, 50 and 14000, or audio.keep_checkpoint_frontend to false"
            )
    backbone.load_state_dict(state)
    return backbone


def fit(
    backbone: Cnn14, profile: Profile, task: Task, vocabulary: list[str], seed: int, path: Path, fingerprint: str
) -> pd.DataFrame:
    """Train a backbone to tag `task.pretrain`; history as `train.Trainer.fit`.

    `vocabulary` names the outputs of the head; a checkpoint is kept at `path` after every epoch, and when a signal asks
    to stop.
    """
    device, settings = pick_device(profile.compute), profile.pretrain
    (rank, size), name = rank_and_size(), f"pre-training {path.parent.parent.name}, {path.parent.name}"
    if settings.batch_size % size:
        raise ClapleakError(f"pretrain.batch_size is {settings.batch_size}: no multiple of {size} processes")
    backbone.to(device, memory_format=torch.channels_last)
    parameters = list(backbone.parameters())
    optimizer = torch.optim.Adam(parameters, settings.learning_rate, fused=True)
    clips = task.pretrain.clips()
    rows, tags = np.array([task.store.rows[clip] for clip in clips["clip"]]), Tags(clips["labels"], vocabulary)
    steps = -(-len(rows) // settings.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, settings.epochs * steps)
    state = load_checkpoint(path, fingerprint)
    history: list[dict] = []
    done, total = 0, 0.0  # steps of the epoch that are done, and the sum of their losses
    if state is not None:
        backbone.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        history, (done, total) = state["history"], state["partial"]

    def save(partial: tuple[int, float]) -> None:
        parts = {"model": backbone.state_dict(), "optimizer": optimizer.state_dict()}
        parts |= {"schedule": schedule.state_dict(), "history": history, "partial": partial}
        save_checkpoint(path, {**parts, "fingerprint": fingerprint})

    for epoch in range(len(history), settings.epochs):
        started = time.monotonic()
        backbone.train()
        draw = np.random.default_rng(stable_seed("order", seed, "pretrain", epoch))
        order = draw.permutation(len(rows)) if settings.sampling == "shuffled" else tags.balanced(draw)
        batches = [order[i : i + settings.batch_size] for i in range(0, len(order), settings.batch_size)]

        def read(step: int, batches: list[np.ndarray] = batches, epoch: int = epoch) -> tuple[Tensor, Tensor]:
            chosen = batches[step][: max(len(batches[step]) // size, 1) * size][rank::size]
            segments = torch.Generator().manual_seed(stable_seed("segments", seed, epoch, step, rank))
            return task.store.batch(rows[chosen], segments), tags.batch(chosen)

        loaded = progress(read_ahead(read, range(done, steps), profile.compute), steps, done, f"{name}, {epoch + 1}")
        with StopRequest() as stop:
            for step, (x, y) in enumerate(loaded, done):
                torch.manual_seed(stable_seed("pretrain", seed, epoch, step, rank))
                x, y = mixed(x.to(device, non_blocking=True), y.to(device, non_blocking=True), settings.mixup)
                with autocast(device, profile.compute):
                    logits = backbone.tag(backbone(x))
                loss = tagging_loss(logits.float(), y, settings.loss)
                if not loss.isfinite():
                    ids = clips["clip"].to_numpy()[batches[step]]
                    raise ClapleakError(
                        f"{name}: the loss is not finite at epoch {epoch + 1}, step {step + 1}; "
                        f"last good checkpoint: {path}; clips of the batch: {', '.join(ids)}"
                    )
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                average_gradients(parameters)
                optimizer.step()
                schedule.step()
                total += loss.item()
                if stop.asked() and step + 1 < steps:
                    save((step + 1, total))
                    raise ClapleakError(f"{name}: stopped by a signal; the same command goes on from {path}")
        share_buffers(backbone)
        row = {"phase": "pretrain", "epoch": epoch, "learning_rate": schedule.get_last_lr()[0]}
        row |= {"train_loss": total / steps, "val_loss": float("nan"), "seconds": time.monotonic() - started}
        history.append(row)
        done, total = 0, 0.0
        save((done, total))
        if profile.compute.tensorboard and rank == 0:
            record(path.parent, row)
        say(f"{name}: epoch {epoch + 1}/{settings.epochs}, loss {row['train_loss']:.4f}")
    return pd.DataFrame(history)


class Tags:
    """Labels of clips as numbers, kept short: the full table of AudioSet would take 4 GB.

    Parameters
    ----------
    labels : Series of lists of str
    vocabulary : list of str
    """

    def __init__(self, labels: pd.Series, vocabulary: list[str]) -> None:
        lengths = labels.map(len).to_numpy()
        number = {label: i for i, label in enumerate(vocabulary)}
        self.flat = np.fromiter((number[label] for row in labels for label in row), np.int32, lengths.sum())
        self.bounds = np.concatenate([[0], np.cumsum(lengths)])
        self.classes = len(vocabulary)

    def batch(self, rows: np.ndarray) -> Tensor:
        """Presence, (B, classes), 0 or 1."""
        presence = torch.zeros(len(rows), self.classes)
        for i, row in enumerate(rows):
            presence[i, self.flat[self.bounds[row] : self.bounds[row + 1]]] = 1
        return presence

    def balanced(self, draw: np.random.Generator) -> np.ndarray:
        """As many rows as there are, with replacement, every class equally often (PANNs' balanced sampling)."""
        by_class = np.argsort(self.flat, kind="stable")
        row_of = np.repeat(np.arange(len(self.bounds) - 1), np.diff(self.bounds))[by_class]
        counts = np.bincount(self.flat, minlength=self.classes)
        present, first = np.flatnonzero(counts), np.cumsum(counts) - counts
        chosen = present[draw.integers(len(present), size=len(self.bounds) - 1)]
        return row_of[first[chosen] + draw.integers(counts[chosen])]


def mixed(x: Tensor, y: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Mixup of log-mel, (B, 1, T, M), and of presence, (B, classes), as PANNs: shares from Beta(alpha, alpha)."""
    if alpha == 0:
        return x, y
    share = torch.distributions.Beta(alpha, alpha).sample((len(x),)).to(x.device)
    return torch.lerp(x.flip(0), x, share[:, None, None, None]), torch.lerp(y.flip(0), y, share[:, None])


@torch.no_grad()
def mean_average_precision(backbone: Cnn14, profile: Profile, task: Task, vocabulary: list[str]) -> float:
    """PANNs' measure of tagging: average precision on `task.tagging_test`, mean over the classes that occur there."""
    clips = task.tagging_test.clips()
    known = set(vocabulary)  # clean pre-training has no name for the classes that were removed
    tags = Tags(clips["labels"].map(lambda labels: [label for label in labels if label in known]), vocabulary)
    x_a = embed.audio_embeddings(backbone, task.store, np.array([task.store.rows[c] for c in clips["clip"]]), profile)
    truth = tags.batch(np.arange(len(clips))).numpy()
    present = truth.any(0)
    return float(average_precision_score(truth[:, present], backbone.tag(x_a).cpu().numpy()[:, present]))


def tagging_loss(logits: torch.Tensor, presence: torch.Tensor, loss: str) -> torch.Tensor:
    """Loss of tags: logits and presence (0 to 1), both (B, classes) -> scalar.

    "bce" is PANNs' binary cross-entropy of every class; "softmax" the cross-entropy of one choice, with the presence
    of several events shared out evenly.
    """
    if loss == "bce":
        return F.binary_cross_entropy_with_logits(logits, presence)
    return F.cross_entropy(logits, presence / presence.sum(1, keepdim=True))
