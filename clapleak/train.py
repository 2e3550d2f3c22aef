"""Cross-modal training: the paper's recipe, section 2.1 (a) to (j)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from clapleak import embed, pretrain, results
from clapleak.audio import ClipStore, open_store
from clapleak.captions import Captions, open_captions
from clapleak.compute import autocast, load_checkpoint, pick_device, save_checkpoint, stable_seed
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
    store = open_store(corpora.corpora(), profile.audio, build / "store", cores=cores)
    text = load_text_encoder(profile.text_encoder).to(device)
    # of all captions, so that every setup shares one file
    captions = open_captions(list(corpora.pairs.table["text"]), text, profile.compute, build / "captions")
    return corpora, store, text, captions


def prepare_stage(
    profile: Profile, setup: Setup, group: int | None, data_root: str | Path | None, allow_missing: bool
) -> Stage:
    """Stores, filtered task and text encoder of one setup. ClapleakError as `run`."""
    corpora, store, text, captions = prepare_stores(profile, data_root)
    task = prepare(corpora, profile, setup, group, store, allow_missing=allow_missing)
    return Stage(pick_device(profile.compute), task, text, captions)


def run_backbone(
    profile: Profile, setup: Setup, *, seed: int = 0, group: int | None = None, data_root: str | Path | None = None,
    allow_missing: bool = False,
) -> Path:  # fmt: skip
    """Pre-train the backbone of a setup alone; returns its results folder. ClapleakError as `run`."""
    stage = prepare_stage(profile, setup, group, data_root, allow_missing)
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
    stage = prepare_stage(profile, setup, group, data_root, allow_missing)
    task, fingerprint = stage.task, stage.task.fingerprint(setup.slug, profile, seed)
    folder = root / "build" / profile.name / setup.slug / results.run_name(seed, group)
    shown = results.run_folder(profile.name, setup.slug, seed, group, root)
    if (folder / "model.pt").is_file() and results.finished(shown, fingerprint):
        return results.read_run(shown)
    backbone = pretrain.run(profile, setup, task, stage.text, seed=seed, group=group, root=root)
    torch.manual_seed(stable_seed("projections", seed))
    model = Clap(backbone, stage.text, profile).to(stage.device, memory_format=torch.channels_last)
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
    """Both phases of the recipe; one checkpoint after every epoch.

    Parameters
    ----------
    model : Clap
        On its device.
    training, validation : Pairs
    profile : Profile
    seed : int
        Every epoch draws from a seed made of this, the phase and the epoch, so a resumed run repeats the lost numbers.
    name : str
        For the lines of progress.
    """

    def __init__(self, model: Clap, training: Pairs, validation: Pairs, profile: Profile, seed: int, name: str) -> None:
        self.model, self.training, self.validation = model, training, validation
        self.profile, self.recipe, self.seed, self.name = profile, profile.recipe, seed, name
        self.device = model.logit_scale.device
        self.cache: tuple[Tensor, Tensor] | None = None  # x_a by store row and x_t by caption while both are frozen

    def fit(self, path: Path, fingerprint: str) -> pd.DataFrame:
        """Train, from the checkpoint at `path` where it fits; leaves the best weights in the model.

        Returns
        -------
        DataFrame
            One row an epoch: phase, epoch, learning_rate, train_loss, val_loss, seconds.
        """
        state = load_checkpoint(path, fingerprint)
        history: list[dict] = state["history"] if state else []
        best: dict[str, Tensor] = state["best"] if state else {}
        phases = {"frozen": self.recipe.frozen_epochs, "unfrozen": self.recipe.max_epochs}  # steps (b) and (d)
        for phase, epochs in phases.items():
            done = [row for row in history if row["phase"] == phase]
            if phase == "frozen" and (len(done) == epochs or not epochs):
                continue
            optimizer, schedule = self._optimizer(phase)
            if state:
                self.model.load_state_dict(state["model"], strict=False)
                if done:  # otherwise the checkpoint is the last one of the phase before
                    optimizer.load_state_dict(state["optimizer"])
                    schedule.load_state_dict(state["schedule"])
            self.cache = self._frozen_embeddings() if phase == "frozen" and self.training.store.deterministic else None
            for epoch in range(len(done), epochs):
                if phase == "unfrozen" and epochs_since_best(history, phase) >= self.recipe.stop_patience:
                    break
                started, rate = time.monotonic(), optimizer.param_groups[0]["lr"]
                losses = {
                    "train_loss": self._train_epoch(phase, epoch, optimizer, path),
                    "val_loss": self.validate(phase),
                }
                schedule.step(losses["val_loss"])
                row = {"phase": phase, "epoch": epoch, "learning_rate": rate, **losses}
                if all(losses["val_loss"] < earlier["val_loss"] for earlier in history):
                    best = {k: v.detach().cpu().clone() for k, v in self.model.learnt_state().items()}
                history.append({**row, "seconds": time.monotonic() - started})
                parts = {"model": self.model.learnt_state(), "optimizer": optimizer.state_dict()}
                parts |= {"schedule": schedule.state_dict(), "history": history, "best": best}
                save_checkpoint(path, {**parts, "fingerprint": fingerprint})
                say(f"{self.name}: {phase} epoch {epoch + 1}/{epochs}, validation loss {losses['val_loss']:.4f}")
            state = None  # used up: the next phase starts from the model at hand
        self.model.load_state_dict(best, strict=False)
        return pd.DataFrame(history)

    def _optimizer(self, phase: str) -> tuple[torch.optim.Adam, torch.optim.lr_scheduler.ReduceLROnPlateau]:
        recipe, model = self.recipe, self.model
        frozen = phase == "frozen"
        parameters = model.heads() + ([] if frozen else model.backbones())
        optimizer = torch.optim.Adam(
            parameters, recipe.frozen_learning_rate if frozen else recipe.learning_rate
        )  # (c), (e)
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=recipe.plateau_factor, patience=recipe.plateau_patience
        )  # (h)
        return optimizer, schedule

    @torch.no_grad()
    def _frozen_embeddings(self) -> tuple[Tensor, Tensor]:
        """x_a and x_t of every clip and caption in use; rows that are not in use stay zero."""
        store, captions = self.training.store, self.training.captions
        clips = np.union1d(self.training.clips, self.validation.clips)
        texts = np.union1d(self.training.texts, self.validation.texts)
        x_a = torch.zeros(len(store.rows), self.model.audio.dim, device=self.device)
        x_a[clips] = embed.audio_embeddings(self.model.audio, store, clips, self.profile)
        x_t = torch.zeros(len(captions.rows), self.model.text.dim, device=self.device)
        self.model.text.eval()
        for chosen in np.array_split(texts, -(-len(texts) // 256)):
            states, mask = (t.to(self.device) for t in captions.batch(chosen))
            with autocast(self.device, self.profile.compute):
                x_t[chosen] = self.model.text.upper(states, mask)
        return x_a, x_t

    def _embed(
        self, pairs: Pairs, chosen: np.ndarray, phase: str, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """E_a and E_t, both (B, D), of chosen pairs."""
        clips, texts = pairs.clips[chosen], pairs.texts[chosen]
        if self.cache is not None:
            x_a, x_t = self.cache[0][clips], self.cache[1][texts]
        else:
            with torch.set_grad_enabled(phase == "unfrozen" and torch.is_grad_enabled()):
                x_a = self.model.audio(pairs.store.batch(clips, generator).to(self.device))
                states, mask = (t.to(self.device) for t in pairs.captions.batch(texts))
                x_t = self.model.text.upper(states, mask)
        return self.model.audio_projection(x_a), self.model.text_projection(x_t)

    def _train_epoch(self, phase: str, epoch: int, optimizer: torch.optim.Optimizer, path: Path) -> float:
        torch.manual_seed(stable_seed("train", self.seed, phase, epoch))
        generator = torch.Generator().manual_seed(stable_seed("segments", self.seed, phase, epoch))
        self.model.train()
        if phase == "frozen":  # frozen also means: batch norm keeps its statistics, no dropout below the projections
            self.model.audio.eval()
            self.model.text.eval()
        total, steps = 0.0, 0
        for chosen in full_batches(torch.randperm(len(self.training.clips)).numpy(), self.recipe.batch_size):
            with autocast(self.device, self.profile.compute):
                E_a, E_t = self._embed(self.training, chosen, phase, generator)
            loss = contrastive_loss(E_a, E_t, self.model.logit_scale, self.profile.loss.max_logit)  # (g)
            if not loss.isfinite():
                ids = np.array(list(self.training.store.rows))[self.training.clips[chosen]]
                raise ClapleakError(
                    f"{self.name}: the loss is not finite at {phase} epoch {epoch + 1}, step {steps + 1}; "
                    f"last good checkpoint: {path}; clips of the batch: {', '.join(ids)}"
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(
                [p for g in optimizer.param_groups for p in g["params"]], self.recipe.max_gradient
            )  # (f)
            optimizer.step()
            total, steps = total + loss.item(), steps + 1
        return total / steps

    @torch.no_grad()
    def validate(self, phase: str) -> float:
        """Mean loss over whole batches of the validation pairs, always the same ones."""
        self.model.eval()
        order = np.random.default_rng(stable_seed("validation order", self.seed)).permutation(
            len(self.validation.clips)
        )
        losses = []
        for chosen in full_batches(order, self.recipe.batch_size):
            with autocast(self.device, self.profile.compute):
                E_a, E_t = self._embed(self.validation, chosen, phase, None)
            losses.append(contrastive_loss(E_a, E_t, self.model.logit_scale, self.profile.loss.max_logit).item())
        return sum(losses) / len(losses)


def full_batches(order: np.ndarray, size: int) -> list[np.ndarray]:
    """Batches of just `size`, since the loss depends on it; one smaller batch where there is no full one."""
    return [order[i : i + size] for i in range(0, len(order) - size + 1, size)] or [order]


def epochs_since_best(history: list[dict], phase: str) -> int:
    """Epochs of a phase after the one with its lowest validation loss; 0 for an empty history."""
    losses = [row["val_loss"] for row in history if row["phase"] == phase]
    return len(losses) - 1 - int(np.argmin(losses)) if losses else 0
