"""Captions as token states: every text passes the frozen layers of the text encoder once."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from clapleak.arrays import ArrayStore, array_key
from clapleak.config import Compute
from clapleak.identity import FORMATS, contents
from clapleak.models import TextEncoder
from clapleak.parallel import autocast

_BATCH = 128
_LINE = 64  # tokens; batches of few different sizes run faster than batches of just the right size


@dataclass(frozen=True)
class Captions:
    """States of unique texts after the frozen layers."""

    arrays: ArrayStore  # a text's (tokens, H) as float16, or its token ids, int32, where all layers learn
    keys: list[bytes]
    rows: dict[str, int]  # text -> row
    shape: tuple[int, ...]  # (-1, H), or (-1,) of ids

    def batch(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        """States of B texts laid end to end in lines of L tokens, (lines, L, H) or (lines, L), and whose they are.

        Nearly half of a batch padded to its longest text would be padding. The second tensor, (lines, L), holds the
        number of each token's text in the batch, 0 to B - 1, and -1 where a line has room left.
        """
        with self.arrays.reading() as states_of:
            texts = [states_of(self.keys[row]).reshape(self.shape).copy() for row in rows]
        width, starts, line, used = max(_LINE, *map(len, texts)), [], 0, 0
        for text in texts:
            line, used = (line, used) if used + len(text) <= width else (line + 1, 0)
            starts.append(line * width + used)
            used += len(text)
        states = np.zeros(((line + 1) * width, *self.shape[1:]), self.arrays.dtype)
        owner = np.full(len(states), -1)
        for i, (start, text) in enumerate(zip(starts, texts, strict=True)):
            states[start : start + len(text)] = text
            owner[start : start + len(text)] = i
        lines = torch.from_numpy(states).unflatten(0, (-1, width))
        return lines.float() if lines.is_floating_point() else lines.long(), torch.from_numpy(owner).view(-1, width)


@torch.no_grad()
def open_captions(texts: list[str], encoder: TextEncoder, compute: Compute, folder: Path) -> Captions:
    """States of texts, of which each may come several times; what is not in `folder` yet is computed and kept there."""
    unique, ids_only = sorted(set(texts)), encoder.frozen_layers < 0
    described = {**encoder.config.model_dump(mode="json"), "model": contents(encoder.config.model)}
    settings = (FORMATS["training"], compute.precision, sorted(described.items()))
    keys = [array_key(settings, text) for text in unique]
    arrays = ArrayStore(folder, np.int32 if ids_only else np.float16)
    with arrays.lacking(keys) as lacking:
        lacking.sort(key=lambda i: len(unique[i]))  # little padding
        device = next(encoder.parameters()).device
        batches = [lacking[start : start + _BATCH] for start in range(0, len(lacking), _BATCH)]
        for chosen in tqdm(batches, "captions", unit=f"x{_BATCH} texts", disable=not batches):
            ids, mask = (t.to(device) for t in encoder.tokenise([unique[i] for i in chosen]))
            with autocast(device, compute):
                states = encoder.lower(ids, mask)
            states, mask = states.cpu() if ids_only else states.float().cpu(), mask.cpu()
            arrays.put((keys[i], states[n][mask[n]].numpy().ravel(), "") for n, i in enumerate(chosen))
    rows = {text: i for i, text in enumerate(unique)}
    return Captions(arrays, keys, rows, (-1,) if ids_only else (-1, encoder.dim))
