"""S_k for every k: clapleak's one sort and one count against the paper's text taken literally.

Run `python benchmarks/overlap.py`. It prints the ratio of the two times at n = 300, and time and peak memory at larger
n, with 1,024 dimensions as in the paper. Each larger n runs in a process of its own, so that peaks do not mix.
"""

from __future__ import annotations

import multiprocessing
import resource
import time

import numpy as np

from clapleak.metrics import neighborhood_overlap


def literal(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """S_k as section 3.2 says it: two sets of neighbours for every point and every k."""
    n = len(p)
    order = []
    for cloud in (p, q):
        cloud = cloud.astype(np.float64)
        unit = cloud / np.linalg.norm(cloud, axis=1, keepdims=True)
        distance = 1 - unit @ unit.T
        np.fill_diagonal(distance, np.inf)
        order.append(np.argsort(distance, axis=1, kind="stable")[:, :-1])
    shared = [[len(set(a[:k]) & set(b[:k])) / k for a, b in zip(*order, strict=True)] for k in range(1, n)]
    return np.mean(shared, axis=1)


def clouds(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Two clouds of n points that share part of their structure."""
    rng = np.random.default_rng(n)
    p = rng.standard_normal((n, 1024), dtype=np.float32)
    return p, p + rng.standard_normal((n, 1024), dtype=np.float32)


def measure(n: int) -> tuple[float, float]:
    """Seconds, and MiB that the call adds to the peak of the process."""
    p, q = clouds(n)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    neighborhood_overlap(p, q)
    seconds = time.perf_counter() - start
    return seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def main() -> None:
    p, q = clouds(300)
    start = time.perf_counter()
    slow = literal(p, q)
    middle = time.perf_counter()
    runs = 10
    for _ in range(runs):
        fast = neighborhood_overlap(p, q)
    fast_time, slow_time = (time.perf_counter() - middle) / runs, middle - start
    print(f"n =  300: literal {slow_time:.2f} s, clapleak {fast_time * 1000:.1f} ms", end="; ")
    print(f"ratio {slow_time / fast_time:.0f}; largest difference {np.abs(slow - fast).max():.1e}")
    for n in (1000, 2000, 5000):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            seconds, memory = pool.apply(measure, (n,))
        print(f"n = {n:4d}: clapleak {seconds:.2f} s, {memory:.0f} MiB on top of the two clouds")


if __name__ == "__main__":
    main()
