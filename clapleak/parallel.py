"""Device, precision, several processes (torchrun), reading ahead and signals: what both trainings share."""

import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, distributed
from tqdm import tqdm

from clapleak.config import ClapleakError, Compute
from clapleak.files import locked

# Ctrl-C, and what clusters send before they take a machine away; Windows lacks the last
_STOP = [number for number in signal.Signals if number.name in ("SIGINT", "SIGTERM", "SIGUSR1")]


def pick_device(compute: Compute) -> torch.device:
    """The device of a profile; "auto" takes a GPU if there is one. Under torchrun the first call joins processes."""
    if compute.device == "cuda" and not torch.cuda.is_available():
        raise ClapleakError("compute.device is cuda but no GPU answers: set it to auto or cpu")
    gpu = torch.cuda.is_available() and compute.device != "cpu"
    torch.set_num_threads(compute.threads)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        from accelerate import PartialState

        patient = timedelta(days=30)  # others wait while the first process decodes, or waits for another training
        return PartialState(cpu=not gpu, timeout=patient).device
    return torch.device("cuda" if gpu else "cpu")


def autocast(device: torch.device, compute: Compute) -> torch.autocast:
    """Mixed precision as the profile says; fp32 where the processor has no bf16 arithmetic."""
    mkldnn = torch.backends.mkldnn.is_available() and torch.ops.mkldnn  # absent on macOS
    able = torch.cuda.is_bf16_supported() if device.type == "cuda" else mkldnn and mkldnn._is_mkldnn_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=compute.precision == "bf16" and able)


def rank_and_size() -> tuple[int, int]:
    """Number of this process and how many train together; (0, 1) without torchrun."""
    return (distributed.get_rank(), distributed.get_world_size()) if distributed.is_initialized() else (0, 1)


def own_share(batch: np.ndarray) -> np.ndarray:
    """What this process takes of a batch, as much as every other; what cannot be shared evenly is left out."""
    rank, size = rank_and_size()
    return batch[: len(batch) // size * size][rank::size]


@contextmanager
def first_process_first() -> Iterator[None]:
    """What the first process builds on disk, the others find there."""
    rank, size = rank_and_size()
    if rank > 0:
        distributed.barrier()
    try:
        yield
    finally:
        if size > 1 and rank == 0:
            distributed.barrier()


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Other trainings wait outside the block; the processes of one torchrun enter together, once the first may."""
    with locked(lock) if rank_and_size()[0] == 0 else nullcontext():
        agreed(True)  # after the first one's lock
        yield


def agreed(flag: bool) -> bool:
    """Whether any process says yes; the same answer in all of them."""
    if rank_and_size()[1] == 1:
        return flag
    votes = torch.tensor(float(flag), device="cuda" if distributed.get_backend() == "nccl" else "cpu")
    distributed.all_reduce(votes, distributed.ReduceOp.MAX)
    return bool(votes)


def gather(x: Tensor) -> Tensor:
    """Rows of all processes, (B, D) -> (B * processes, D), of which this process learns through its own.

    The gradient of these is that of all (equal) losses together, which `average_gradients` divides.
    """
    rank, size = rank_and_size()
    if size == 1:
        return x
    parts = [torch.empty_like(x) for _ in range(size)]  # torch's own, in distributed.nn, is on its way out
    distributed.all_gather(parts, x.detach())
    parts[rank] = x.clone()
    if x.requires_grad:
        parts[rank].register_hook(lambda gradient: size * gradient)
    return torch.cat(parts)


def average_gradients(parameters: list[torch.nn.Parameter]) -> None:
    """Replace every gradient by its mean over the processes."""
    if rank_and_size()[1] > 1:
        flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parameters])
        distributed.all_reduce(flat)
        parts = (flat / rank_and_size()[1]).split([parameter.numel() for parameter in parameters])
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.grad = part.view_as(parameter)


def share_buffers(model: torch.nn.Module) -> None:
    """Give every process the batch-norm statistics of the first."""
    if rank_and_size()[1] > 1:
        for buffer in model.buffers():
            distributed.broadcast(buffer, 0)


def read_ahead(
    read: Callable[[int], tuple], steps: range, compute: Compute, device: torch.device, title: str = ""
) -> Generator[tuple]:
    """Tensors, or None, of `read(step)` for every step in turn, on the device; processes read ahead until it is closed.

    With a title, a bar over the steps is shown when they take longer than some seconds on a terminal.
    """
    loader = torch.utils.data.DataLoader(
        steps, batch_size=None, collate_fn=read, num_workers=compute.workers,
        multiprocessing_context="fork" if compute.workers else None, pin_memory=device.type == "cuda",
        generator=torch.Generator(),  # of its own, or it would draw from the one of dropout
    )  # fmt: skip
    hidden = not title or rank_and_size()[0] > 0 or not sys.stderr.isatty()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)  # in the processes that start here, which we end
    batches = iter(loader)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    bar = tqdm(batches, title, steps.stop, initial=steps.start, leave=False, delay=5, disable=hidden)
    return (tuple(part if part is None else part.to(device, non_blocking=True) for part in parts) for parts in bar)


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """A function that tells whether any process was asked to stop, the same in all of them."""
    received: list[int] = []
    before = {number: signal.signal(number, lambda number, frame: received.append(number)) for number in _STOP}
    try:
        yield lambda: agreed(bool(received))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for number in received:  # after the last time that somebody asked
        signal.raise_signal(number)
