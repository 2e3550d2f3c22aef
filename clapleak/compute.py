"""Device, precision, processes, seeds and checkpoints: what every stage of training shares."""

from __future__ import annotations

import ast
import hashlib
import os
import signal
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed
from tqdm import tqdm

from clapleak.config import ClapleakError, Compute
from clapleak.files import atomic_file


def pick_device(compute: Compute) -> torch.device:
    """The device of a profile; "auto" takes a GPU when there is one, under torchrun one a process.

    Under torchrun the first call also joins the processes, through accelerate.
    """
    if compute.device == "cuda" and not torch.cuda.is_available():
        raise ClapleakError("compute.device is cuda but no GPU answers: set it to auto or cpu")
    found = torch.cuda.is_available() and compute.device != "cpu"
    torch.set_num_threads(compute.threads)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        try:
            from accelerate import PartialState
        except ImportError as error:
            raise ClapleakError("several processes need accelerate: pip install 'clapleak[cluster]'") from error
        return PartialState(cpu=not found).device
    return torch.device("cuda" if found else "cpu")


def rank_and_size() -> tuple[int, int]:
    """Number of this process and how many train together; (0, 1) without torchrun."""
    return (distributed.get_rank(), distributed.get_world_size()) if distributed.is_initialized() else (0, 1)


@contextmanager
def first_process_first() -> Iterator[None]:
    """What the first process builds on disk, the others find there."""
    rank, size = rank_and_size()
    if size > 1 and rank > 0:
        distributed.barrier()
    try:
        yield
    finally:
        if size > 1 and rank == 0:
            distributed.barrier()


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        parts = [torch.empty_like(x) for _ in range(rank_and_size()[1])]
        distributed.all_gather(parts, x)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        rank, size = rank_and_size()
        gradient = gradient.contiguous()
        distributed.all_reduce(gradient)
        return gradient.chunk(size)[rank]


def gather(x: Tensor) -> Tensor:
    """Rows of all processes, (B, D) -> (B * processes, D), with gradients to each of them.

    Backward sums over the processes what each of their (equal) losses asks of a row; `average_gradients` divides.
    """
    return x if rank_and_size()[1] == 1 else _Gather.apply(x.contiguous())


def average_gradients(parameters: list[torch.nn.Parameter]) -> None:
    """Replace every gradient by its mean over the processes."""
    if rank_and_size()[1] == 1:
        return
    gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
    flat = torch.cat([g.flatten() for g in gradients])
    distributed.all_reduce(flat)
    flat /= rank_and_size()[1]
    for parameter, part in zip(parameters, flat.split([g.numel() for g in gradients]), strict=True):
        parameter.grad = part.view_as(parameter)


def read_ahead(read: Callable[[int], Any], steps: range, compute: Compute) -> Iterator[Any]:
    """`read(step)` of every step in turn, by the profile's number of worker processes."""
    loader = torch.utils.data.DataLoader(
        _Steps(read, steps),
        batch_size=None,
        num_workers=compute.workers,
        multiprocessing_context="fork" if compute.workers else None,
        pin_memory=torch.cuda.is_available() and compute.device != "cpu",
        generator=torch.Generator(),  # of its own, or it would draw from the one of dropout
    )
    return iter(loader)


class _Steps(torch.utils.data.Dataset):
    def __init__(self, read: Callable[[int], Any], steps: range) -> None:
        self.read, self.steps = read, steps

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: int) -> Any:
        return self.read(self.steps[index])


def progress(steps: Iterable, total: int, done: int, title: str) -> Iterable:
    """A bar over the steps of an epoch, shown when it takes longer than some seconds on a terminal."""
    hidden = rank_and_size()[0] > 0 or not sys.stderr.isatty()
    return tqdm(steps, title, total, initial=done, leave=False, delay=5, disable=hidden)


def share_buffers(model: torch.nn.Module) -> None:
    """Give every process the batch-norm statistics of the first."""
    if rank_and_size()[1] > 1:
        for buffer in model.buffers():
            distributed.broadcast(buffer, 0)


class StopRequest:
    """Notices SIGTERM and SIGUSR1, which clusters send before they take a machine away.

    Used as a context manager around a training; the loop asks `asked()` after every step, saves and stops.
    """

    def __enter__(self) -> StopRequest:
        self._received = False
        self._before = {}
        for number in (signal.SIGTERM, signal.SIGUSR1):
            self._before[number] = signal.signal(number, self._notice)
        return self

    def _notice(self, number: int, frame: object) -> None:
        self._received = True

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def asked(self) -> bool:
        """Whether any process was asked to stop; the same answer in all of them."""
        if rank_and_size()[1] == 1:
            return self._received
        flag = torch.tensor(float(self._received), device="cuda" if distributed.get_backend() == "nccl" else "cpu")
        distributed.all_reduce(flag, distributed.ReduceOp.MAX)
        return bool(flag)


def record(folder: Path, row: dict[str, Any]) -> None:
    """One epoch of a history as TensorBoard events. ClapleakError where TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ClapleakError(
            "compute.tensorboard is true but TensorBoard is absent: pip install 'clapleak[cluster]'"
        ) from error
    with SummaryWriter(str(folder / "tensorboard")) as writer:
        for name in ("train_loss", "val_loss", "learning_rate"):
            writer.add_scalar(f"{row['phase']}/{name}", row[name], row["epoch"])


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
    """Write a checkpoint atomically; of several processes the first writes."""
    if rank_and_size()[0] > 0:
        return
    with atomic_file(path) as file:
        torch.save(state, file)


def load_checkpoint(path: Path, fingerprint: str) -> dict[str, Any] | None:
    """The checkpoint at `path` when it belongs to the same profile, run and code; None otherwise."""
    if not path.is_file():
        return None
    state = torch.load(path, map_location="cpu", weights_only=True)
    return state if state["fingerprint"] == fingerprint else None
