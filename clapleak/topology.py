"""Which neighbours two clouds share: S_k and topological similarity (section 3.2).

N_k(p_i) are the indices of the k closest points to p_i, and S_k is the mean over i of
|N_k(p_i) and N_k(q_i) in common| / k. The paper counts p_i among its own neighbours, so S_1 = 1 by construction, and
the printed S = max over all k of S_k is 1 for any two clouds (S_n = 1 as well). Here, by default, a point is **not**
its own neighbour, k runs from 1 to n - 1, and the maximum is taken over k <= round(sqrt(n)): chance alone gives
S_k = k / (n - 1), which at that bound is still as small as about 1 / sqrt(n). The paper states neither choice.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from clapleak.config import ClapleakError

Metric = Literal["cosine", "euclidean"]
ROWS = 256  # rows of the distance matrix in memory at once


def neighborhood_overlap(
    p: ArrayLike, q: ArrayLike, *, metric: Metric = "cosine", include_self: bool = False
) -> np.ndarray:
    """S_k of two clouds for every k at once (section 3.2; the module's docstring states the convention).

    Let r(i, j) be the larger of the two ranks that j has as a neighbour of i, in P and in Q. Then j is in both
    k-neighbourhoods of i exactly when r(i, j) <= k, so n k S_k is the number of pairs with r(i, j) <= k: one sort a
    row and one count, O(n^2 log n), where the text taken literally costs O(n^3). Memory grows with n, not n^2.
    S_k runs from 0 (no neighbour shared) to 1, and ends with 1, where every point is a neighbour.

    Row i of p, (n, D), and of q, (n, D'), is the same thing; n is at least 3. Equally distant neighbours are ranked by
    index. With `include_self` a point is its own nearest neighbour, as the paper prints: (n,) values, else (n - 1,).
    """
    p, q = pair(p, q)
    return _overlap(_rank_blocks(p, metric, include_self), _rank_blocks(q, metric, include_self), include_self)


def chance_curve(n: int, include_self: bool = False) -> np.ndarray:
    """S_k expected of two unrelated clouds of n points: k / (n - 1); with self (1 + (k - 1)^2 / (n - 1)) / k."""
    k = np.arange(1, n + include_self)
    return (1 + (k - 1) ** 2 / (n - 1)) / k if include_self else k / (n - 1)


@dataclass(frozen=True)
class Topology:
    """Topological similarity of two clouds (Table 3)."""

    value: float  # S, the largest S_k for k <= k_max; 0 to 1
    k: int  # the smallest k that reaches it
    curve: np.ndarray  # S_1, S_2, ...
    chance: np.ndarray  # what two unrelated clouds are expected to give
    corrected: float  # (S_k - chance_k) / (1 - chance_k): 0 is chance, 1 equality; 0 where chance itself is 1


def topological_similarity(
    p: ArrayLike, q: ArrayLike, *, k_max: int | None = None, metric: Metric = "cosine", include_self: bool = False
) -> Topology:
    """S = max over k <= k_max of S_k (Table 3), with its whole curve and its chance line.

    `k_max` is round(sqrt(n)) unless given; the other parameters are those of `neighborhood_overlap`. With
    `include_self` the value is 1 at k = 1 whatever the clouds and `k_max`: the definition as printed.
    """
    curve = neighborhood_overlap(p, q, metric=metric, include_self=include_self)
    chance = chance_curve(len(p), include_self)
    k_max = round(len(p) ** 0.5) if k_max is None else k_max
    if not 1 <= k_max <= len(curve):
        raise ClapleakError(f"k_max = {k_max}: choose 1 to {len(curve)} for {len(p)} points")
    best = int(np.argmax(curve[:k_max]))
    corrected = (curve[best] - chance[best]) / (1 - chance[best]) if chance[best] < 1 else 0
    return Topology(float(curve[best]), best + 1, curve, chance, float(corrected))


def permutation_band(
    p: ArrayLike, q: ArrayLike, *, n_permutations: int = 1000, seed: int = 0, include_self: bool = False
) -> np.ndarray:
    """S_k when the rows of `q` are shuffled: 2.5, 50 and 97.5 % curves, shape (3, n - 1), or (3, n) with self.

    S_k above the third curve is more than unrelated rows share. Ranks are computed once (two n x n tables of 32 bits).
    """
    if n_permutations < 1:
        raise ClapleakError(f"n_permutations = {n_permutations}: at least 1")
    in_p, in_q = (np.concatenate(list(_rank_blocks(x, "cosine", include_self))) for x in pair(p, q))
    rng = np.random.default_rng(seed)
    orders = (rng.permutation(len(in_p)) for _ in range(n_permutations))
    curves = [_overlap([in_p], [in_q[np.ix_(order, order)]], include_self) for order in orders]
    return np.percentile(curves, [2.5, 50, 97.5], axis=0)


def mixed_neighbours(emb: ArrayLike, labels: ArrayLike, k: int = 10) -> np.ndarray:
    """Share (C, C) of mixed nearest neighbours of every pair of classes: what the paper names by eye (section 3.2).

    M_ij is the share of class j among the k closest other points, by cosine, to each point of class i. The result is
    (M + M.T) / 2, since a wide class can run into a tight one whose neighbours are all its own. From 0 (never
    neighbours) to 1; n_i points of N give (n_i + n_j) / 2 / (N - 1) by chance, on the diagonal (n_i - 1) / (N - 1).
    `emb` is (N, D), `labels` (N,) integers; every class 0..C-1 needs a point.
    """
    points, y = labelled(emb, labels, every_class=True)
    if not 1 <= k < len(points):
        raise ClapleakError(f"k = {k} neighbours of {len(points)} points: choose 1 to {len(points) - 1}")
    near = np.concatenate([ranks <= k for ranks in _rank_blocks(points, "cosine", False)])  # (N, N)
    members = np.eye(y.max() + 1)[y]  # (N, C)
    shares = members.T @ near @ members / (k * members.sum(axis=0)[:, None])
    return (shares + shares.T) / 2


def cloud(values: ArrayLike) -> np.ndarray:
    """Points (N, D) in double precision; ClapleakError for what is no array of finite real numbers."""
    points = np.asarray(values)
    if points.ndim != 2 or not points.size or points.dtype.kind not in "fiu" or not np.isfinite(points).all():
        raise ClapleakError(f"a cloud must be finite real numbers (points, dims); got {points.dtype} {points.shape}")
    return points.astype(np.float64)


def pair(p: ArrayLike, q: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Two clouds of one number of points, at least 3."""
    p, q = cloud(p), cloud(q)
    if len(p) != len(q) or len(p) < 3:
        raise ClapleakError(f"p and q need one number of points, at least 3; got {len(p)} and {len(q)}")
    return p, q


def labelled(emb: ArrayLike, labels: ArrayLike, *, every_class: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """A cloud and its labels, (N,) integers from 0; with `every_class` none up to the largest may lack a point."""
    points, y = cloud(emb), np.asarray(labels)
    if y.shape != (len(points),) or y.dtype.kind not in "iu" or y.min() < 0:
        raise ClapleakError(f"labels must be {len(points)} integers from 0, one a point; got {y.dtype} {y.shape}")
    if every_class and not (counts := np.bincount(y)).all():
        raise ClapleakError(f"class {np.argmin(counts)} of 0..{y.max()} has no point: number classes without a gap")
    return points, y.astype(np.int64)


def unit(x: np.ndarray) -> np.ndarray:
    """Rows of (N, D) divided by their lengths, so that products are cosines; a zero vector stays zero."""
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(norm == 0, 1, norm)


def _rank_blocks(x: np.ndarray, metric: Metric, include_self: bool) -> Iterator[np.ndarray]:
    """Ranks (rows, n), from 1, of every point as a neighbour of the next rows; n is the rank of an excluded self."""
    n = len(x)
    if metric == "cosine":
        x, half = unit(x), np.full(n, 0.5)
    elif metric == "euclidean":
        x = x - x.mean(axis=0)
        x /= np.linalg.norm(x, axis=1).max() or 1
        half = (x**2).sum(axis=1) / 2
    else:
        raise ClapleakError(f"unknown metric '{metric}': use cosine or euclidean")
    for start in range(0, n, ROWS):
        gap = half[start : start + ROWS, None] + half - x[start : start + ROWS] @ x.T  # 0..2; half squared Euclidean
        np.fill_diagonal(gap[:, start:], -1 if include_self else 3)
        # in steps of 2^-40, above any rounding error, so that a stable sort ranks equal distances by index
        order = np.argsort(np.rint(gap * 2**40), axis=1, kind="stable")
        ranks = np.empty(order.shape, dtype=np.int32)
        np.put_along_axis(ranks, order, np.arange(1, n + 1)[None], axis=1)
        yield ranks


def _overlap(in_p: Iterable[np.ndarray], in_q: Iterable[np.ndarray], include_self: bool) -> np.ndarray:
    """S_1, S_2, ... from blocks of ranks, (rows, n); n, the rank of an excluded self, is no k."""
    blocks = map(np.maximum, in_p, in_q)
    counts = sum(np.bincount(block.ravel(), minlength=block.shape[1] + 1) for block in blocks)  # of pairs, by rank
    n = len(counts) - 1
    k = np.arange(1, n + include_self)
    return np.cumsum(counts)[k] / (n * k)
