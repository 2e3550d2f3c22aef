"""A training step of CNN14 at width 64: clapleak beside the class of `panns-inference` in its own default form.

Run `python benchmarks/cnn14.py [--batch 32] [--repeats 2] [--compile]`; it needs the extra `test`. Clips of 5 s at
32 kHz with PANNs' front end, 527 classes, masks and dropout on, Adam. The published class works in fp32, computes its
log-mel by convolution inside the step and knows one memory layout. clapleak takes bf16 where the processor has it,
channels_last, and a log-mel by FFT; "stored" leaves the log-mel out of the step, as where it comes from the clip store.
The sides take turns, so that other work on the machine slows all of them; the median of the ratios counts.
torch.compile is left out by default: on two cores its first step takes a minute or two.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from types import ModuleType

import torch
import torch.nn.functional as F

from clapleak.audio import import_torchaudio, log_mel
from clapleak.config import Audio, AudioEncoder, SpecAugment
from clapleak.models import Cnn14

AUDIO = Audio(
    sample_rate=32000, segment=5.0, window=1024, hop=320, mel_bins=64, f_min=50.0, f_max=14000.0,
    keep_checkpoint_frontend=False,
)  # fmt: skip
MASKS = SpecAugment(time_stripes=2, time_width=64, mel_stripes=2, mel_width=8)
PAPER = AudioEncoder(width=64, blocks=6, stem_stride=1, dropout=0.2, head_dropout=0.5, spec_augment=MASKS)
CLASSES = 527


def machine() -> str:
    """The processor, the versions and the arithmetic behind the numbers."""
    able = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return f"{torch.get_num_threads()} threads, torch {torch.__version__}, bf16 arithmetic: {'yes' if able else 'no'}"


def published_class() -> type[torch.nn.Module]:
    """PANNs' Cnn14; the package itself would fetch a checkpoint when imported, so only its `models` is."""
    import_torchaudio()
    package = ModuleType("panns_inference")
    package.__path__ = list(importlib.util.find_spec("panns_inference").submodule_search_locations)
    sys.modules["panns_inference"] = package
    return importlib.import_module("panns_inference.models").Cnn14


def published_step(wave: torch.Tensor, presence: torch.Tensor) -> Callable[[], None]:
    """One step as PANNs trains: probabilities, binary cross-entropy, Adam."""
    model = published_class()(32000, 1024, 320, 64, 50, 14000, CLASSES)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)

    def step() -> None:
        loss = F.binary_cross_entropy(model(wave)["clipwise_output"], presence)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def our_step(
    wave: torch.Tensor, presence: torch.Tensor, *, stored: bool, bf16: bool = True, compiled: bool = False
) -> Callable[[], None]:
    """One step as `clapleak.pretrain` does it."""
    model = Cnn14(AUDIO.mel_bins, CLASSES, PAPER).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    kept = log_mel(wave, AUDIO)[:, None]
    forward = torch.compile(model) if compiled else model

    def step() -> None:
        x = kept if stored else log_mel(wave, AUDIO)[:, None]
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()):
            logits = model.tag(forward(x))
        loss = F.binary_cross_entropy_with_logits(logits.float(), presence)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="also with torch.compile; needs a C++ compiler")
    options = parser.parse_args()
    torch.manual_seed(0)
    wave = torch.randn(options.batch, 5 * 32000) * 0.1
    presence = (torch.rand(options.batch, CLASSES) < 0.01).float()
    print(f"{machine()}; batch {options.batch}, {options.repeats} turns")
    steps = {
        "panns-inference": published_step(wave, presence),
        "clapleak": our_step(wave, presence, stored=False),
        "clapleak, stored": our_step(wave, presence, stored=True),
        "clapleak, fp32": our_step(wave, presence, stored=False, bf16=False),
    }
    if options.compile:
        steps["clapleak, compiled"] = our_step(wave, presence, stored=False, compiled=True)
    for name, step in steps.items():
        start = time.perf_counter()
        step()
        print(f"{name:20s} first step {time.perf_counter() - start:6.2f} s", flush=True)
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(options.repeats):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - start)
    reference = seconds["panns-inference"]
    for name, times in seconds.items():
        ratio = statistics.median(theirs / ours for theirs, ours in zip(reference, times, strict=True))
        middle = statistics.median(times)
        print(f"{name:20s} {middle:6.2f} s a step, {options.batch / middle:5.2f} clips/s, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
