"""Device, precision, seeds and checkpoints: what every stage of training shares."""

from __future__ import annotations

import ast
import hashlib
import zlib
from pathlib import Path
from typing import Any

import torch

from clapleak.config import ClapleakError, Compute
from clapleak.files import atomic_file


def pick_device(compute: Compute) -> torch.device:
    """The device of a profile; "auto" takes a GPU when there is one."""
    if compute.device == "cuda" and not torch.cuda.is_available():
        raise ClapleakError("compute.device is cuda but no GPU answers: set it to auto or cpu")
    found = torch.cuda.is_available() and compute.device != "cpu"
    torch.set_num_threads(compute.threads)
    return torch.device("cuda" if found else "cpu")


def autocast(device: torch.device, compute: Compute) -> torch.autocast:
    """Mixed precision as the profile says; fp32 where the processor has no bf16 arithmetic."""
    if device.type == "cuda":
        able = torch.cuda.is_bf16_supported()
    else:
        able = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=compute.precision == "bf16" and able)


def stable_seed(*parts: object) -> int:
    """A 32-bit seed that follows from the parts alone, on every machine and in every process."""
    return zlib.crc32("/".join(map(str, parts)).encode())


def code_sha256() -> str:
    """Fingerprint of the sources that numbers hang on: a checkpoint or result of other code is never continued.

    Corpora, the leak filter and the synthesiser are left out: what they give is part of a run's identity itself.
    """
    folder = Path(__file__).parent
    names = ("audio", "captions", "compute", "embed", "metrics", "pretrain", "torchaudio_guard", "train")
    digest = hashlib.sha256()
    for path in (*(folder / f"{name}.py" for name in names), *sorted((folder / "models").glob("*.py"))):
        digest.update(path.name.encode() + b"\0" + meaning(path))
    return digest.hexdigest()


def meaning(path: Path) -> bytes:
    """A Python source without comments, layout and docstrings, so that only changes of substance count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
            node.body = node.body[1:]
    return ast.dump(tree).encode()


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint atomically."""
    with atomic_file(path) as file:
        torch.save(state, file)


def load_checkpoint(path: Path, fingerprint: str) -> dict[str, Any] | None:
    """The checkpoint at `path` when it belongs to the same profile, run and code; None otherwise."""
    if not path.is_file():
        return None
    state = torch.load(path, map_location="cpu", weights_only=True)
    return state if state["fingerprint"] == fingerprint else None
