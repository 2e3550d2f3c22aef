"""Cross-modal training: the paper's recipe, section 2.1 (a) to (j)."""

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from clapleak import embed
from clapleak.captions import Captions
from clapleak.clipstore import ClipStore
from clapleak.config import ClapleakError, Profile, Recipe
from clapleak.experiment import Experiment
from clapleak.identity import stable_seed
from clapleak.loop import Data, Phase, Training, kept_or_trained
from clapleak.models import Clap, Cnn14, TextEncoder, contrastive_loss
from clapleak.parallel import autocast, gather, own_share, pick_device, rank_and_size, read_ahead


def trained(
    profile: Profile, backbone: Cnn14, text: TextEncoder, captions: Captions, experiment: Experiment, folder: Path,
    training_id: str, *, seed: int,
) -> tuple[Clap, pd.DataFrame]:  # fmt: skip
    """The trained model of a setup and its history; weights of that id are kept in the folder, see `kept_or_trained`.

    Parameters
    ----------
    backbone, text : as pre-training left them; the text encoder is copied, since other runs start from it too
    """
    device = pick_device(profile.compute)
    torch.manual_seed(stable_seed("projections", seed))
    model = Clap(backbone, copy.deepcopy(text), profile).to(device, memory_format=torch.channels_last)

    def start() -> PairTraining:
        store, name = experiment.store, f"{folder.parent.name}, {folder.name}"
        training = PairTraining(model, experiment.pairs.table, store, captions, profile, seed, name)
        if experiment.pretrain is None and experiment.store.network is None:
            # Frozen and evaluated, a random backbone without statistics would pass raw decibels on (not in paper)
            torch.manual_seed(stable_seed("batch norm", seed))
            rows = training.clip_rows[training.learnt]
            chosen = [rows[n.numpy()] for n in torch.randperm(len(rows)).split(64)[:8]]
            torch.optim.swa_utils.update_bn((store.batch(some).to(device) for some in chosen), model.audio)
        if rank_and_size()[1] > 1 and device.type == "cuda":
            torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)
        if profile.compute.compile:
            model.audio.compile()
        return training

    return model, kept_or_trained(model, folder, training_id, start)


def split_validation(table: pd.DataFrame, recipe: Recipe, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers for training and for validation: a random share of the pairs, or of the clips (section 2.2)."""
    units = np.arange(len(table)) if recipe.split_by == "pair" else table["clip"].factorize()[0]
    shuffled = np.random.default_rng(stable_seed("validation", seed)).permutation(units.max() + 1)
    held_out = np.isin(units, shuffled[: recipe.held_out(len(shuffled))])
    if not held_out.any() or held_out.all():
        raise ClapleakError("recipe.validation_share leaves one part of the split empty; change it or add data")
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


class PairTraining(Training):
    """Bring each sound close to its own caption; a row of `table` is a pair."""

    def __init__(
        self, model: Clap, table: pd.DataFrame, store: ClipStore, captions: Captions, profile: Profile, seed: int,
        name: str,
    ) -> None:  # fmt: skip
        recipe, clips = profile.recipe, table["clip"].to_numpy()
        phases = {"frozen": recipe.frozen_epochs, "unfrozen": recipe.max_epochs}  # steps (b) and (d)
        super().__init__(model, clips, phases, recipe.batch_size, seed, profile.compute, name)
        self.store, self.captions, self.recipe, self.profile = store, captions, recipe, profile
        self.learnt, self.held_out = split_validation(table, recipe, seed)
        self.clip_rows = store.index(table["clip"])
        self.text_rows = np.array([captions.rows[caption] for caption in table["text"]])
        # every clip and caption in use once, and the number of a pair's own: while frozen these alone are embedded
        self.used_clips, self.clip_numbers = np.unique(self.clip_rows, return_inverse=True)
        self.used_texts, self.text_numbers = np.unique(self.text_rows, return_inverse=True)
        self.frozen_x_a: Tensor | None = None  # (clips in use, Da), while frozen and where clips give one batch
        self.frozen_x_t: Tensor | None = None  # (captions in use, Dt), while the text encoder is frozen

    def begin(self, phase: str) -> Phase:
        recipe, frozen = self.recipe, self.is_frozen(phase)
        parameters = self.model.heads() + ([] if frozen else self.model.backbones())
        rate = recipe.frozen_learning_rate if phase == "frozen" else recipe.learning_rate  # (c), (e)
        optimizer = torch.optim.Adam(parameters, rate, fused=True)
        schedule = ReduceLROnPlateau(optimizer, factor=recipe.plateau_factor, patience=recipe.plateau_patience)  # (h)
        self.frozen_x_a, self.frozen_x_t = None, self.frozen_texts() if frozen else None
        if frozen and self.store.deterministic:
            self.frozen_x_a = embed.audio_embeddings(self.model.audio, self.store, self.used_clips, self.profile)
        return Phase(phase, parameters, optimizer, schedule, recipe.max_gradient)  # (f)

    def is_frozen(self, phase: str) -> bool:
        """Whether the projections alone learn: in the frozen phase, and where no backbone can learn at all."""
        return phase == "frozen" or not self.model.backbones()

    def batches(self, draw: np.random.Generator) -> list[np.ndarray]:
        return full_batches(draw.permutation(self.learnt), self.batch_size)

    def read(self, batch: np.ndarray, segments: torch.Generator | None) -> Data:
        """Log-mel, token states and whose they are; None for what was embedded once."""
        log_mel = self.store.batch(self.clip_rows[batch], segments) if self.frozen_x_a is None else None
        return log_mel, *(self.captions.batch(self.text_rows[batch]) if self.frozen_x_t is None else (None, None))

    def set_mode(self, phase: str) -> None:
        self.model.train()
        for backbone in (self.model.audio, self.model.text):  # frozen ones keep their statistics and drop nothing out
            backbone.train(not self.is_frozen(phase))

    def loss(self, batch: np.ndarray, data: Data) -> Tensor:
        """Each process embeds its own pairs, and all get the loss of the whole batch."""
        (log_mel, states, owner), model = data, self.model
        x_a, x_t = self.frozen_x_a, self.frozen_x_t
        learns = x_t is None and torch.is_grad_enabled()  # where the backbones are not frozen
        with autocast(self.device, self.compute):
            with torch.set_grad_enabled(learns):
                x_a = model.audio(log_mel) if x_a is None else x_a[self.clip_numbers[batch]]
                x_t = model.text.upper(states, owner) if x_t is None else x_t[self.text_numbers[batch]]
            E_a, E_t = model.audio_projection(x_a), model.text_projection(x_t)  # (B, D)
        return contrastive_loss(gather(E_a), gather(E_t), self.model.logit_scale, self.profile.loss.max_logit)  # (g)

    @torch.no_grad()
    def validate(self) -> float:
        """Mean loss over whole batches of the held-out pairs, always the same ones."""
        self.model.eval()
        draw = np.random.default_rng(stable_seed("validation order", self.seed))
        parts = [own_share(batch) for batch in full_batches(draw.permutation(self.held_out), self.batch_size)]
        loaded = read_ahead(lambda i: self.read(parts[i], None), range(len(parts)), self.compute, self.device)
        losses = [self.loss(part, data).item() for part, data in zip(parts, loaded, strict=True)]
        return sum(losses) / len(losses)

    def stopped(self) -> bool:
        losses = [row["val_loss"] for row in self.history if row["phase"] == "unfrozen"]
        return len(losses) > 0 and len(losses) - 1 - np.argmin(losses) >= self.recipe.stop_patience

    def state(self) -> dict[str, Tensor]:
        return self.model.learnt_state()

    @torch.no_grad()
    def frozen_texts(self) -> Tensor:
        """x_t, (captions in use, Dt)."""
        parts = []
        self.model.text.eval()
        for rows in np.array_split(self.used_texts, -(-len(self.used_texts) // 256)):
            states, owner = (part.to(self.device) for part in self.captions.batch(rows))
            with autocast(self.device, self.compute):
                parts.append(self.model.text.upper(states, owner))
        return torch.cat(parts)


def full_batches(order: np.ndarray, size: int) -> list[np.ndarray]:
    """Batches of just `size`, since the loss depends on it; one smaller batch where there is no full one."""
    return [order[i : i + size] for i in range(0, len(order) - size + 1, size)] or [order]
