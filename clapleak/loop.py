"""The one training loop: seeds, steps, checkpoints and the history.

Pre-training (`pretrain`) and cross-modal training (`train`) say what is learnt and when to stop; this loop says how: in
epochs of batches, each step with random numbers that follow from the seed, the phase, the epoch and the step alone. So
a run that was killed goes on from its checkpoint and ends with the same numbers. `plan` measures single steps of it.
"""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau

from clapleak.checkpoints import load_checkpoint, load_weights, record, save_checkpoint, save_weights
from clapleak.config import ClapleakError, Compute
from clapleak.files import say
from clapleak.identity import stable_seed
from clapleak.parallel import average_gradients, own_share, rank_and_size, read_ahead, share_buffers, stop_requests

Data = tuple[Tensor | None, ...]


@dataclass
class Phase:
    """A part of a training in which the same parameters learn."""

    name: str  # "pretrain", "frozen" or "unfrozen"
    parameters: list[nn.Parameter]
    optimizer: torch.optim.Optimizer
    schedule: OneCycleLR | ReduceLROnPlateau  # moves at every step, or at the end of an epoch
    max_gradient: float = math.inf

    def step(self, loss: Tensor) -> None:
        """Learn from one loss, (scalar); of several processes each gets the mean of all gradients."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(self.parameters)
        if self.max_gradient < math.inf:
            nn.utils.clip_grad_norm_(self.parameters, self.max_gradient)
        self.optimizer.step()
        if isinstance(self.schedule, OneCycleLR):
            self.schedule.step()


class Training(ABC):
    """What the loop asks of a training, and the loop itself. A batch holds the numbers of its examples.

    `model` lies on its device, `phases` lead from the name of each phase, in order, to its largest number of epochs,
    and messages name `clips`, the id of the clip of every example, and the training by its `name`.
    """

    def __init__(
        self, model: nn.Module, clips: np.ndarray, phases: dict[str, int], batch_size: int, seed: int,
        compute: Compute, name: str,
    ) -> None:  # fmt: skip
        self.model, self.clips, self.phases, self.batch_size, self.seed = model, clips, phases, batch_size, seed
        self.compute, self.name, self.device = compute, name, next(model.parameters()).device
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, Tensor] = {}  # weights after the epoch with the lowest validation loss
        if batch_size % (size := rank_and_size()[1]):
            raise ClapleakError(f"{name}: batch_size is {batch_size}: no multiple of {size} processes")

    @abstractmethod
    def begin(self, phase: str) -> Phase:
        """Optimiser and schedule of a phase."""

    @abstractmethod
    def batches(self, draw: np.random.Generator) -> list[np.ndarray]:
        """The batches of an epoch, in the order that is drawn; each process takes its share of every batch."""

    @abstractmethod
    def read(self, batch: np.ndarray, segments: torch.Generator | None) -> Data:
        """The data of a batch, from disk; random segments of long clips with a generator."""

    @abstractmethod
    def loss(self, batch: np.ndarray, data: Data) -> Tensor:
        """Loss, (scalar), of this process's share of a batch."""

    def set_mode(self, phase: str) -> None:
        """Put each part of the model into training or evaluation mode."""
        self.model.train()

    def validate(self) -> float:
        """Loss on held-out data after an epoch; NaN where nothing is held out."""
        return math.nan

    def stopped(self) -> bool:
        """Whether the current phase has nothing more to gain."""
        return False

    def state(self) -> dict[str, Tensor]:
        """Everything of the model that may have changed."""
        return self.model.state_dict()

    def fit(self, path: Path, training_id: str) -> pd.DataFrame:
        """Train, from the checkpoint at `path` where it fits; leaves the weights of the best epoch in the model.

        The best has the lowest validation loss; without validation it is the last. Returns one row an epoch: phase,
        epoch, learning_rate, train_loss, val_loss, seconds. ClapleakError where the loss is not finite, or a signal
        asked to stop (the checkpoint is written first).
        """
        saved = load_checkpoint(path, training_id)
        if saved is not None:
            self.history, self.best = saved["history"], saved["best"]
            self.model.load_state_dict(saved["model"], strict=False)
        for name, epochs in self.phases.items():
            finished = sum(row["phase"] == name for row in self.history)
            if finished == epochs:
                continue
            phase, partial, rate = self.begin(name), (0, 0.0), 0.0  # of a part of an epoch: steps, losses, first rate
            if saved is not None and saved["phase"] == name:
                phase.optimizer.load_state_dict(saved["optimizer"])
                phase.schedule.load_state_dict(saved["schedule"])
                partial, rate = saved["partial"], saved.get("rate", math.nan)  # an older release had none
            with stop_requests() as stop_asked:  # an epoch that is learnt is kept, whenever the signal comes
                for epoch in range(finished, epochs):
                    if self.stopped():
                        break
                    rate = rate if partial[0] else phase.optimizer.param_groups[0]["lr"]
                    row = {"phase": name, "epoch": epoch, "learning_rate": rate}
                    started = time.monotonic()
                    row["train_loss"], partial = self.train_epoch(phase, epoch, path, *partial, stop_asked)
                    whole = partial[0] == 0
                    if whole:
                        row["val_loss"] = val_loss = self.validate()
                        row["seconds"] = time.monotonic() - started
                        if isinstance(phase.schedule, ReduceLROnPlateau):
                            phase.schedule.step(val_loss)
                        if all(val_loss < before["val_loss"] for before in self.history) and not math.isnan(val_loss):
                            self.best = {k: v.detach().cpu().clone() for k, v in self.state().items()}
                        self.history.append(row)
                    kept = {"id": training_id, "model": self.state(), "best": self.best, "history": self.history}
                    kept |= {"optimizer": phase.optimizer.state_dict(), "schedule": phase.schedule.state_dict()}
                    save_checkpoint(path, {**kept, "phase": name, "partial": partial, "rate": rate})
                    if whole:
                        value = "" if math.isnan(val_loss) else f", validation loss {val_loss:.4f}"
                        say(f"{self.name}: {name} epoch {epoch + 1}/{epochs}, loss {row['train_loss']:.4f}{value}")
                        if self.compute.tensorboard and rank_and_size()[0] == 0:
                            record(path.parent, row)
                    if stop_asked():
                        raise ClapleakError(f"{self.name}: stopped by a signal; the same command goes on from {path}")
        self.model.load_state_dict(self.best, strict=False)
        return pd.DataFrame(self.history)

    def train_epoch(
        self, phase: Phase, epoch: int, path: Path, done: int = 0, total: float = 0.0,
        stop_asked: Callable[[], bool] = lambda: False,
    ) -> tuple[float, tuple[int, float]]:  # fmt: skip
        """One epoch from step `done` on, whose losses before sum up to `total`; `path` is named when it fails.

        Returns the mean loss, and where to go on as (steps done, their sum): (0, 0) after a whole epoch.
        """
        place, rank = (self.seed, phase.name, epoch), rank_and_size()[0]
        draw = np.random.default_rng(stable_seed("order", *place))
        batches = [batch for batch in self.batches(draw) if len(own_share(batch))]
        steps = range(done, len(batches))

        def read(step: int) -> Data:
            segments = torch.Generator().manual_seed(stable_seed("segments", *place, step, rank))
            return self.read(own_share(batches[step]), segments)

        self.set_mode(phase.name)
        loaded = read_ahead(read, steps, self.compute, self.device, f"{self.name}: {phase.name} {epoch + 1}")
        with closing(loaded):
            for step, data in zip(steps, loaded, strict=True):
                torch.manual_seed(stable_seed("step", *place, step, rank))
                loss = self.loss(own_share(batches[step]), data)
                if not loss.isfinite():
                    where = f"the loss is not finite at {phase.name} epoch {epoch + 1}, step {step + 1}"
                    clips = f"clips of the batch: {', '.join(self.clips[batches[step]])}"
                    raise ClapleakError(f"{self.name}: {where}; last good checkpoint: {path}; {clips}")
                phase.step(loss)
                total += loss.item()
                if stop_asked():
                    return total / (step + 1), (step + 1, total)
        share_buffers(self.model)
        return total / len(batches), (0, 0.0)


def kept_or_trained(model: nn.Module, folder: Path, training_id: str, start: Callable[[], Training]) -> pd.DataFrame:
    """Load the finished weights in `folder` into a model where they have that id, else train it there; its history.

    `start` gives the training of just this model; one that was killed goes on from its checkpoint in the folder.
    """
    weights, checkpoint = folder / "model.safetensors", folder / "checkpoint.pt"
    if (kept := load_weights(weights, training_id)) is not None:
        model.load_state_dict(kept[0], strict=False)
        return kept[1]
    training = start()
    history = training.fit(checkpoint, training_id)
    save_weights(weights, training.state(), history, training_id)
    if rank_and_size()[0] == 0:
        for path in (checkpoint, *folder.glob(".*.pt.*")):  # the latter left by kills
            path.unlink(missing_ok=True)
    return history
