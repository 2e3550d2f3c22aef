"""Log-mel of clapleak beside `torchlibrosa`, PANNs' front end: the same decibels by FFT instead of by convolution.

Run `python benchmarks/log_mel.py [--repeats 7]`; it needs the extra `test`. Clips of 5 s at 32 kHz, window 1024, hop
320, 64 bins. The two take turns, so that other work on the machine slows both; the median of the ratios counts.
Where others use the machine set OMP_WAIT_POLICY=PASSIVE: torch's threads spin while they wait for each other.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

import torch
import torchlibrosa

from clapleak.audio import log_mel
from clapleak.config import Audio

AUDIO = Audio(
    sample_rate=32000, segment=5.0, window=1024, hop=320, mel_bins=64, f_min=50.0, f_max=14000.0,
    keep_checkpoint_frontend=False,
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    spectrogram = torchlibrosa.Spectrogram(n_fft=1024, hop_length=320, win_length=1024, freeze_parameters=True)
    mel = torchlibrosa.LogmelFilterBank(
        sr=32000, n_fft=1024, n_mels=64, fmin=50, fmax=14000, ref=1.0, amin=1e-10, top_db=None, freeze_parameters=True
    )
    able = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    print(f"{os.cpu_count()} cores, torch {torch.__version__}, bf16 arithmetic: {'yes' if able else 'no'} (not used)")
    for threads, batch in ((1, 1), (1, 8), (os.cpu_count(), 8), (os.cpu_count(), 32)):
        torch.set_num_threads(threads)
        wave = torch.randn(batch, 5 * 32000, generator=torch.Generator().manual_seed(0)) * 0.1
        times: list[tuple[float, float]] = []
        for _ in range(repeats + 1):
            start = time.perf_counter()
            theirs = mel(spectrogram(wave))[:, 0]
            middle = time.perf_counter()
            ours = log_mel(wave, AUDIO)
            times.append((middle - start, time.perf_counter() - middle))
        theirs_ms, ours_ms = (1000 * statistics.median(column) for column in zip(*times[1:], strict=True))
        ratio = statistics.median(a / b for a, b in times[1:])  # the first turn warms up
        print(
            f"{threads} threads, batch {batch:2d}: torchlibrosa {theirs_ms:6.1f} ms, clapleak {ours_ms:5.1f} ms", end=""
        )
        print(f"; ratio {ratio:.1f}; largest difference {(theirs - ours).abs().max():.1e} dB")


if __name__ == "__main__":
    with torch.inference_mode():
        main()
