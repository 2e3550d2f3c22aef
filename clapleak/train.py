"""Cross-modal training: the paper's recipe, section 2.1 (a) to (j)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from clapleak import embed, pretrain, results
from clapleak.audio import ClipStore, open_store
from clapleak.captions import Captions, open_captions
from clapleak.compute import (
    StopRequest,
    autocast,
    average_gradients,
    first_process_first,
    gather,
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
from clapleak.config import ClapleakError, Profile, Recipe, Setup, find_root
from clapleak.datasets import data_root as resolve_data_root
from clapleak.files import say
from clapleak.models import Clap, TextEncoder, contrastive_loss
from clapleak.models.text import load_text_encoder
from clapleak.task import Task, World, prepare, world


@dataclass(frozen=True)
class Pairs:
    """Row i pairs clip `clips[i]` of the store with caption `texts[i]`."""

    store: ClipStore
    captions: Captions
    clips: np.ndarray  # (P,)
    texts: np.ndarray  # (P,)

    def choose(self, rows: np.ndarray) -> Pairs:
        """Those pairs."""
        return Pairs(self.store, self.captions, self.clips[rows], self.texts[rows])


@dataclass(frozen=True)
class Stage:
    """Everything that stands ready before a training begins."""

    device: torch.device
    task: Task
    text: TextEncoder
    captions: Captions


def prepare_stores(
    profile: Profile, data_root: str | Path | None, *, cores: int = 1
) -> tuple[World, ClipStore, TextEncoder, Captions]:
    """Clip store and caption states of a profile, in `build/<profile>/`; built where they are absent."""
    build, device = find_root() / "build" / profile.name, pick_device(profile.compute)
    corpora = world(profile, resolve_data_root(data_root))
    with first_process_first():
        store = open_store(corpora.corpora(), profile.audio, build / "store", cores=cores)
        text = load_text_encoder(profile.text_encoder).to(device)
        # of all captions, so that every setup shares one file
        captions = open_captions(list(corpora.pairs.table["text"]), text, profile.compute, build / "captions")
    return corpora, store, text, captions


def prepare_stage(
    profile: Profile, setup: Setup, group: int | None, data_root: str | Path | None, allow_missing: bool, seed: int = 0
) -> Stage:
    """Stores, filtered task and text encoder of one setup. ClapleakError as `run`."""
    corpora, store, text, captions = prepare_stores(profile, data_root)
    task = prepare(corpora, profile, setup, group, store, allow_missing=allow_missing, seed=seed)
    return Stage(pick_device(profile.compute), task, text, captions)


def run_backbone(
    profile: Profile, setup: Setup, *, seed: int = 0, group: int | None = None, data_root: str | Path | None = None,
    allow_missing: bool = False,
) -> Path:  # fmt: skip
    """Pre-train the backbone of a setup alone; returns its results folder. ClapleakError as `run`."""
    stage = prepare_stage(profile, setup, group, data_root, allow_missing, seed)
    pretrain.run(profile, setup, stage.task, stage.text, seed=seed, group=group, root=find_root())
    return results.run_folder(profile.name, f"backbone/{setup.pretraining}", seed, group)


def run(
    profile: Profile, setup: Setup, *, seed: int = 0, group: int | None = None, data_root: str | Path | None = None,
    allow_missing: bool = False,
) -> results.Run:  # fmt: skip
    """Train one setup, embed the test set, measure, and write the results folder.

    What lies in `build/` and `results/` already and belongs to the same data, numbers and code is not made again
    (clip store, captions, backbone, the run itself). A training that was killed goes on from its last epoch and ends
    with the same numbers.

    Raises
    ------
    ClapleakError
        Missing data or weights, unusable clips without `allow_missing`, a loss that is not finite.
    """
    root = find_root()
    stage = prepare_stage(profile, setup, group, data_root, allow_missing, seed)
    task, fingerprint = stage.task, stage.task.fingerprint(setup.slug, profile, seed)
    folder = root / "build" / profile.name / setup.slug / results.run_name(seed, group)
    shown = results.run_folder(profile.name, setup.slug, seed, group, root)
    if (folder / "model.pt").is_file() and results.finished(shown, fingerprint):
        return results.read_run(shown)
    backbone = pretrain.run(profile, setup, task, stage.text, seed=seed, group=group, root=root)
    torch.manual_seed(stable_seed("projections", seed))
    model = Clap(backbone, stage.text, profile).to(stage.device, memory_format=torch.channels_last)
    if rank_and_size()[1] > 1 and stage.device.type == "cuda":
        model = torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)
    if profile.compute.compile:
        model.audio.compile()
    pairs = Pairs(
        task.store, stage.captions,
        np.array([task.store.rows[clip] for clip in task.pairs.table["clip"]]),
        np.array([stage.captions.rows[caption] for caption in task.pairs.table["text"]]),
    )  # fmt: skip
    training, validation = (pairs.choose(rows) for rows in split_validation(task.pairs.table, profile.recipe, seed))
    if setup.pretraining == "none":
        settle_batch_norm(model, training, seed)
    trainer = Trainer(model, training, validation, profile, seed, f"{setup.slug}, {folder.name}")
    history = trainer.fit(folder / "checkpoint.pt", fingerprint)
    clouds = embed.test_clouds(model, task, profile)
    found = results.header(profile, setup.pretraining, setup.training, seed, group, task.counts)
    found |= embed.measure(clouds, profile.measures)
    found |= {"provenance": results.provenance(profile, stage.device.type, fingerprint)}
    plane = {space: embed.tsne(clouds[space], profile.measures.perplexity, seed) for space in ("E_a", "E_t")}
    save_checkpoint(folder / "model.pt", model.learnt_state())
    names = (profile.name, setup.pretraining, setup.training, seed, group)
    with first_process_first():
        if rank_and_size()[0] == 0:
            results.write_run(results.Run(*names, found, history, clouds, plane, shown))
            (folder / "checkpoint.pt").unlink()
    return results.read_run(shown)


def split_validation(table: pd.DataFrame, recipe: Recipe, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers for training and for validation: a random share of the pairs, or of the clips (section 2.2)."""
    rng = np.random.default_rng(stable_seed("validation", seed))
    units = np.arange(len(table)) if recipe.split_by == "pair" else table["clip"].factorize()[0]
    shuffled = rng.permutation(units.max() + 1)
    held_out = np.isin(units, shuffled[: round(recipe.validation_share * len(shuffled))])
    if not held_out.any() or held_out.all():
        raise ClapleakError("recipe.validation_share leaves one part of the split empty; change it or add data")
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


@torch.no_grad()
def settle_batch_norm(model: Clap, pairs: Pairs, seed: int, batches: int = 8) -> None:
    """Give a random backbone the batch-norm statistics of its training clips (not in paper).

    Without them its frozen, evaluated form would pass raw decibels on, far outside the range of any trained network.
    """
    norms = [m for m in model.audio.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    momentum = norms[0].momentum
    for norm in norms:
        norm.momentum = None  # cumulative average
    model.audio.train()
    torch.manual_seed(stable_seed("batch norm", seed))
    for chosen in torch.randperm(len(pairs.clips)).split(64)[:batches]:
        model.audio(pairs.store.batch(pairs.clips[chosen.numpy()]).to(model.logit_scale.device))
    for norm in norms:
        norm.momentum = momentum


class Trainer:
    """Both phases of the recipe; a checkpoint after every epoch and when a signal asks to stop.

    Parameters
    ----------
    model : Clap
        On its device.
    training, validation : Pairs
    profile : Profile
    seed : int
        Every step draws from a seed made of this, the phase, the epoch and the step, so a resumed run repeats the
        lost numbers.
    name : str
        For the lines of progress.
    """

    def __init__(self, model: Clap, training: Pairs, validation: Pairs, profile: Profile, seed: int, name: str) -> None:
        self.model, self.training, self.validation = model, training, validation
        self.profile, self.recipe, self.seed, self.name = profile, profile.recipe, seed, name
        self.device = model.logit_scale.device
        self.history: list[dict] = []
        self.best: dict[str, Tensor] = {}
        self.x_a: Tensor | None = (
            None  # by row of the store, while the backbone is frozen and each clip gives one batch
        )
        self.x_t: Tensor | None = None  # by caption, while the text encoder is frozen
        size = rank_and_size()[1]
        if profile.recipe.batch_size % size:
            raise ClapleakError(f"recipe.batch_size is {profile.recipe.batch_size}: no multiple of {size} processes")

    def fit(self, path: Path, fingerprint: str) -> pd.DataFrame:
        """Train, from the checkpoint at `path` where it fits; leaves the best weights in the model.

        The last weights are kept beside it, in `last.pt`.

        Returns
        -------
        DataFrame
            One row an epoch: phase, epoch, learning_rate, train_loss, val_loss, seconds.

        Raises
        ------
        ClapleakError
            The loss is not finite, or a signal asked to stop (the checkpoint is written first).
        """
        state = load_checkpoint(path, fingerprint)
        if state is not None:
            self.history, self.best = state["history"], state["best"]
            self.model.load_state_dict(state["model"], strict=False)
        phases = {"frozen": self.recipe.frozen_epochs, "unfrozen": self.recipe.max_epochs}  # steps (b) and (d)
        for phase, epochs in phases.items():
            done = sum(row["phase"] == phase for row in self.history)
            if phase == "frozen" and done == epochs:
                continue
            self.start_phase(phase)
            partial = (0, 0.0)  # steps of the epoch that are done, and the sum of their losses
            if state is not None and state["phase"] == phase:
                self.optimizer.load_state_dict(state["optimizer"])
                self.schedule.load_state_dict(state["schedule"])
                partial = state["partial"]
            for epoch in range(done, epochs):
                if phase == "unfrozen" and epochs_since_best(self.history, phase) >= self.recipe.stop_patience:
                    break
                started, rate = time.monotonic(), self.optimizer.param_groups[0]["lr"]
                with StopRequest() as stop:
                    train_loss, partial = self.train_epoch(phase, epoch, path, stop, *partial)
                if partial[0]:
                    self._save(path, fingerprint, phase, partial)
                    raise ClapleakError(f"{self.name}: stopped by a signal; the same command goes on from {path}")
                val_loss = self.validate(phase)
                self.schedule.step(val_loss)
                row = {"phase": phase, "epoch": epoch, "learning_rate": rate}
                row |= {"train_loss": train_loss, "val_loss": val_loss}
                if all(val_loss < earlier["val_loss"] for earlier in self.history):
                    self.best = {k: v.detach().cpu().clone() for k, v in self.model.learnt_state().items()}
                self.history.append({**row, "seconds": time.monotonic() - started})
                self._save(path, fingerprint, phase, partial)
                if self.profile.compute.tensorboard and rank_and_size()[0] == 0:
                    record(path.parent, row)
                say(f"{self.name}: {phase} epoch {epoch + 1}/{epochs}, validation loss {val_loss:.4f}")
        save_checkpoint(path.with_name("last.pt"), self.model.learnt_state())
        self.model.load_state_dict(self.best, strict=False)
        return pd.DataFrame(self.history)

    def start_phase(self, phase: str) -> None:
        """Optimiser and schedule of a phase, and what can be embedded once while the backbones are frozen."""
        recipe, frozen = self.recipe, phase == "frozen"
        self.parameters = self.model.heads() + ([] if frozen else self.model.backbones())
        rate = recipe.frozen_learning_rate if frozen else recipe.learning_rate  # (c), (e)
        self.optimizer = torch.optim.Adam(self.parameters, rate, fused=True)
        self.schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.optimizer, factor=recipe.plateau_factor, patience=recipe.plateau_patience
        )  # (h)
        self.x_a, self.x_t = (self._frozen_audio(), self._frozen_texts()) if frozen else (None, None)

    def _save(self, path: Path, fingerprint: str, phase: str, partial: tuple[int, float]) -> None:
        parts = {"model": self.model.learnt_state(), "best": self.best, "history": self.history}
        parts |= {"optimizer": self.optimizer.state_dict(), "schedule": self.schedule.state_dict()}
        save_checkpoint(path, {**parts, "phase": phase, "partial": partial, "fingerprint": fingerprint})

    @torch.no_grad()
    def _frozen_audio(self) -> Tensor | None:
        """x_a of every clip in use, (clips of the store, Da), zero elsewhere; None where segments are random."""
        store = self.training.store
        if not store.deterministic:
            return None
        clips = np.union1d(self.training.clips, self.validation.clips)
        x_a = torch.zeros(len(store.rows), self.model.audio.dim, device=self.device)
        x_a[clips] = embed.audio_embeddings(self.model.audio, store, clips, self.profile)
        return x_a

    @torch.no_grad()
    def _frozen_texts(self) -> Tensor:
        """x_t of every caption in use, (captions, Dt), zero elsewhere."""
        captions = self.training.captions
        texts = np.union1d(self.training.texts, self.validation.texts)
        x_t = torch.zeros(len(captions.rows), self.model.text.dim, device=self.device)
        self.model.text.eval()
        for chosen in np.array_split(texts, -(-len(texts) // 256)):
            states, mask = (t.to(self.device) for t in captions.batch(chosen))
            with autocast(self.device, self.profile.compute):
                x_t[chosen] = self.model.text.upper(states, mask)
        return x_t

    def _embedded(self, pairs: Pairs, batches: list[np.ndarray], first: int, phase: str, *segments: object) -> Iterator:
        """E_a and E_t, both (B, D), of every batch from the `first`; random segments where a seed is given.

        Each process embeds its share of a batch, and all get the whole of it.
        """
        rank, size = rank_and_size()
        audio, text = self.model.audio, self.model.text
        # equal shares: a lone small batch loses a remainder
        batches = [rows[: len(rows) // size * size][rank::size] for rows in batches]

        def read(step: int) -> tuple:
            rows = batches[step]
            draw = torch.Generator().manual_seed(stable_seed(*segments, step, rank)) if segments else None
            log_mel = pairs.store.batch(pairs.clips[rows], draw) if self.x_a is None else None
            return log_mel, *(pairs.captions.batch(pairs.texts[rows]) if self.x_t is None else (None, None))

        steps = range(first, len(batches))
        learn = phase == "unfrozen" and bool(segments)
        for step, loaded in zip(steps, read_ahead(read, steps, self.profile.compute), strict=True):
            torch.manual_seed(stable_seed("dropout", *segments, step, rank))
            log_mel, states, mask = (None if t is None else t.to(self.device, non_blocking=True) for t in loaded)
            rows = batches[step]
            with autocast(self.device, self.profile.compute):
                with torch.set_grad_enabled(learn):
                    x_a = audio(log_mel) if self.x_a is None else self.x_a[pairs.clips[rows]]
                    x_t = text.upper(states, mask) if self.x_t is None else self.x_t[pairs.texts[rows]]
                with torch.set_grad_enabled(bool(segments)):
                    E_a, E_t = self.model.audio_projection(x_a), self.model.text_projection(x_t)
            yield gather(E_a), gather(E_t)

    def train_epoch(
        self, phase: str, epoch: int, path: Path, stop: StopRequest, done: int = 0, total: float = 0.0
    ) -> tuple[float, tuple[int, float]]:
        """One epoch from step `done` on, whose losses before sum up to `total`.

        Returns the mean loss and (0, 0.0), or, when it was asked to stop, where to go on as (steps done, their sum).
        """
        self.model.train()
        if phase == "frozen":  # frozen also means: batch norm keeps its statistics, no dropout below the projections
            self.model.audio.eval()
            self.model.text.eval()
        order = np.random.default_rng(stable_seed("order", self.seed, phase, epoch)).permutation(
            len(self.training.clips)
        )
        batches = full_batches(order, self.recipe.batch_size)
        embedded = self._embedded(self.training, batches, done, phase, "train", self.seed, phase, epoch)
        for step, (E_a, E_t) in enumerate(progress(embedded, len(batches), done, f"{phase} epoch {epoch + 1}"), done):
            loss = contrastive_loss(E_a, E_t, self.model.logit_scale, self.profile.loss.max_logit)  # (g)
            if not loss.isfinite():
                ids = np.array(list(self.training.store.rows))[self.training.clips[batches[step]]]
                raise ClapleakError(
                    f"{self.name}: the loss is not finite at {phase} epoch {epoch + 1}, step {step + 1}; "
                    f"last good checkpoint: {path}; clips of the batch: {', '.join(ids)}"
                )
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            average_gradients(self.parameters)
            torch.nn.utils.clip_grad_norm_(self.parameters, self.recipe.max_gradient)  # (f)
            self.optimizer.step()
            total += loss.item()
            if stop.asked() and step + 1 < len(batches):
                return total / (step + 1), (step + 1, total)
        share_buffers(self.model)
        return total / len(batches), (0, 0.0)

    def validate(self, phase: str) -> float:
        """Mean loss over whole batches of the validation pairs, always the same ones."""
        self.model.eval()
        order = np.random.default_rng(stable_seed("validation order", self.seed)).permutation(
            len(self.validation.clips)
        )
        batches = full_batches(order, self.recipe.batch_size)
        with torch.no_grad():
            losses = [
                contrastive_loss(E_a, E_t, self.model.logit_scale, self.profile.loss.max_logit).item()
                for E_a, E_t in self._embedded(self.validation, batches, 0, phase)
            ]
        return sum(losses) / len(losses)


def full_batches(order: np.ndarray, size: int) -> list[np.ndarray]:
    """Batches of just `size`, since the loss depends on it; one smaller batch where there is no full one."""
    return [order[i : i + size] for i in range(0, len(order) - size + 1, size)] or [order]


def epochs_since_best(history: list[dict], phase: str) -> int:
    """Epochs of a phase after the one with its lowest validation loss; 0 for an empty history."""
    losses = [row["val_loss"] for row in history if row["phase"] == phase]
    return len(losses) - 1 - int(np.argmin(losses)) if losses else 0
