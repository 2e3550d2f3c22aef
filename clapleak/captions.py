"""Captions as token states: every text passes the frozen layers of the text encoder once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from clapleak.compute import autocast
from clapleak.config import Compute
from clapleak.files import atomic_folder
from clapleak.models import TextEncoder

_BATCH = 128


@dataclass(frozen=True)
class Captions:
    """States of unique texts after the frozen layers.

    Attributes
    ----------
    rows : dict
        Text -> row.
    """

    states: np.ndarray  # (tokens of all texts, H) float16, or (tokens of all texts,) int32 ids where all layers learn
    bounds: np.ndarray  # (N + 1,)
    rows: dict[str, int]

    def batch(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        """Padded states, (B, L, H) or (B, L), and mask, (B, L)."""
        lengths = self.bounds[rows + 1] - self.bounds[rows]
        padded = np.zeros((len(rows), lengths.max(), *self.states.shape[1:]), self.states.dtype)
        for i, row in enumerate(rows):
            padded[i, : lengths[i]] = self.states[self.bounds[row] : self.bounds[row + 1]]
        states = torch.from_numpy(padded)
        mask = torch.arange(int(lengths.max())) < torch.from_numpy(lengths)[:, None]
        return (states.float() if states.is_floating_point() else states.long()), mask


def open_captions(texts: list[str], encoder: TextEncoder, compute: Compute, folder: Path) -> Captions:
    """States of the texts, from `folder` when it holds just these, else computed and kept there."""
    unique = sorted(set(texts))
    identity = {
        "texts": hashlib.sha256("\0".join(unique).encode()).hexdigest(),
        "encoder": encoder.config.model_dump(mode="json"),
    }
    if not (folder / "captions.json").is_file() or json.loads((folder / "captions.json").read_text()) != identity:
        states, lengths = _states(unique, encoder, compute)
        with atomic_folder(folder) as temporary:
            np.save(temporary / "states.npy", states)
            np.save(temporary / "lengths.npy", lengths)
            (temporary / "captions.json").write_text(json.dumps(identity))
    lengths = np.load(folder / "lengths.npy")
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    rows = dict(zip(unique, range(len(unique)), strict=True))
    return Captions(np.load(folder / "states.npy", mmap_mode="r"), bounds, rows)


@torch.no_grad()
def _states(texts: list[str], encoder: TextEncoder, compute: Compute) -> tuple[np.ndarray, np.ndarray]:
    device = next(encoder.parameters()).device
    by_length = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # little padding
    found: dict[int, np.ndarray] = {}
    for start in tqdm(range(0, len(texts), _BATCH), "captions", unit=f"x{_BATCH} texts"):
        chosen = by_length[start : start + _BATCH]
        ids, mask = (t.to(device) for t in encoder.tokenise([texts[i] for i in chosen]))
        with autocast(device, compute):
            states = encoder.lower(ids, mask)
        dtype = np.float16 if states.is_floating_point() else np.int32
        for i, state, keep in zip(
            chosen, states.float().cpu() if dtype == np.float16 else states.cpu(), mask.cpu(), strict=True
        ):
            found[i] = state[keep].numpy().astype(dtype)
    ordered = [found[i] for i in range(len(texts))]
    return np.concatenate(ordered), np.array([len(s) for s in ordered])
