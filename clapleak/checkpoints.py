"""What a training keeps on disk: checkpoints, finished weights, its history for TensorBoard."""

import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from clapleak.files import say, write
from clapleak.parallel import rank_and_size

_DAMAGE = (pickle.UnpicklingError, SafetensorError, RuntimeError, EOFError, LookupError, TypeError, ValueError, OSError)


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint atomically; of several processes the first writes."""
    if rank_and_size()[0] == 0:
        buffer = io.BytesIO()  # torch's own writer hides that a disk is full
        torch.save(state, buffer)
        write(path, buffer.getvalue())


def load_checkpoint(path: Path, training_id: str) -> dict[str, Any] | None:
    """The checkpoint at `path` when it is readable and belongs to the same training; None otherwise."""
    return _kept(path, training_id, lambda: torch.load(path, map_location="cpu", weights_only=True))


def save_weights(path: Path, model: dict[str, Tensor], history: pd.DataFrame, training_id: str) -> None:
    """Finished weights as safetensors, with the history and the id of their training; the first process writes."""
    if rank_and_size()[0] == 0:
        state = {name: value.detach().cpu().contiguous() for name, value in model.items()}
        notes = {"id": training_id, "history": history.to_json(orient="records", double_precision=15)}
        write(path, safetensors.torch.save(state, notes))


def load_weights(path: Path, training_id: str) -> tuple[dict[str, Tensor], pd.DataFrame] | None:
    """Weights and history at `path` when they are readable and of just this training; None otherwise."""

    def read() -> dict[str, Any]:
        with safetensors.safe_open(path, "pt") as file:
            return {"weights": {name: file.get_tensor(name) for name in file.keys()}, **file.metadata()}

    kept = _kept(path, training_id, read)
    return None if kept is None else (kept["weights"], pd.DataFrame(json.loads(kept["history"])))


def _kept(path: Path, training_id: str, read: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        state = read()
        return state if state["id"] == training_id else None
    except _DAMAGE:
        say(f"{path}: damaged; this training is made again")
        return None


def record(folder: Path, row: dict[str, Any]) -> None:
    """One epoch of a history as TensorBoard events."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder / "tensorboard")) as writer:
        for name in ("train_loss", "val_loss", "learning_rate"):
            writer.add_scalar(f"{row['phase']}/{name}", row[name], row["epoch"])
