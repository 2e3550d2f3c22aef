"""The paper's measures: zero-shot accuracy, silhouette and topological similarity (section 3).

Embeddings are real arrays (points, dimensions) of any precision and scale; distances are cosine unless stated
otherwise, and a zero vector has cosine 0 with every other. Labels are integers.

S_k, section 3.2: N_k(p_i) are the indices of the k closest points to p_i, and S_k is the mean over i of
|N_k(p_i) and N_k(q_i) in common| / k. The paper counts p_i among its own neighbours, so S_1 = 1 by construction, and
the printed S = max over all k of S_k is 1 for any two clouds (S_n = 1 as well). Here, by default, a point is **not**
its own neighbour, k runs from 1 to n - 1, and the maximum is taken over k <= round(sqrt(n)): chance alone gives
S_k = k / (n - 1), which at that bound is still as small as about 1 / sqrt(n). The paper states neither choice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import pearsonr
from sklearn.metrics import silhouette_score

from clapleak.config import ClapleakError

Metric = Literal["cosine", "euclidean"]
ROWS = 256  # rows of the distance matrix in memory at once


def zero_shot_accuracy(audio_emb: ArrayLike, text_emb: ArrayLike, labels: ArrayLike) -> float:
    """Share of clips whose closest label embedding, by cosine, is that of their own label (Table 1).

    `audio_emb` (N, D) is E_a, `text_emb` (C, D) is E_t, `labels` (N,) holds the right row of `text_emb`, 0..C-1.
    Of equally close rows the first is the answer. From 0 to 1; guessing gives 1 / C.
    """
    (audio, y), text = _labelled(audio_emb, labels), _cloud(text_emb)
    if audio.shape[1] != text.shape[1] or len(text) <= max(1, y.max()):
        shapes = f"audio_emb {audio.shape}, text_emb {text.shape}, largest label {y.max()}"
        raise ClapleakError(f"need one space, at least 2 classes and a row of text_emb for every label; got {shapes}")
    return float(np.mean(np.argmax(unit(audio) @ unit(text).T, axis=1) == y))


def silhouette(emb: ArrayLike, labels: ArrayLike) -> float:
    """Mean silhouette of the classes with the cosine distance, as scikit-learn computes it (Table 2).

    With a clip's mean distance a to the rest of its class and b to the closest other class: (b - a) / max(a, b).
    1: tight classes far apart; 0: classes touch; below 0: clips sit among other classes. `emb` is (N, D), `labels`
    (N,) integers with 2 to N - 1 classes.
    """
    points, y = _labelled(emb, labels)
    if not 2 <= len(np.unique(y)) < len(points):
        raise ClapleakError(f"silhouette of {len(points)} points needs 2 to {len(points) - 1} classes")
    return float(silhouette_score(points, y, metric="cosine"))


def class_means(emb: ArrayLike, labels: ArrayLike) -> np.ndarray:
    """Label-wise mean vectors (C, D) of (N, D) embeddings (section 3.2); every class 0..C-1 needs a point."""
    points, y = _labelled(emb, labels)
    counts = np.bincount(y)
    if not counts.all():
        raise ClapleakError(f"class {np.argmin(counts)} of 0..{y.max()} has no point: its mean does not exist")
    sums = np.zeros((len(counts), points.shape[1]))
    np.add.at(sums, y, points)
    return sums / counts[:, None]


def neighborhood_overlap(
    p: ArrayLike, q: ArrayLike, *, metric: Metric = "cosine", include_self: bool = False
) -> np.ndarray:
    """S_k of two clouds for every k at once (section 3.2; the module's docstring states the convention).

    Let r(i, j) be the larger of the two ranks that j has as a neighbour of i, in P and in Q. Then j is in both
    k-neighbourhoods of i exactly when r(i, j) <= k, so n k S_k is the number of pairs with r(i, j) <= k: one sort a
    row and one count, O(n^2 log n), where the text taken literally costs O(n^3). Memory grows with n, not n^2.
    S_k runs from 0 (no neighbour shared) to 1, and ends with 1, where every point is a neighbour.

    Parameters
    ----------
    p, q : (n, D) and (n, D') arrays, n >= 3
        Row i of both is the same thing. Equally distant neighbours are ranked by index.
    include_self : bool
        True counts a point as its own nearest neighbour, as the paper prints; the result is then (n,), else (n - 1,).

    Examples
    --------
    >>> neighborhood_overlap([[0], [1], [3], [7]], [[0], [9], [4], [6]], metric="euclidean")
    array([0.25 , 0.625, 1.   ])
    """
    p, q = _pair(p, q)
    counts = np.zeros(len(p) + 1, dtype=np.int64)
    for in_p, in_q in zip(_rank_blocks(p, metric, include_self), _rank_blocks(q, metric, include_self), strict=True):
        counts += np.bincount(np.maximum(in_p, in_q).ravel(), minlength=len(counts))
    return _overlap(counts, include_self)


def chance_curve(n: int, include_self: bool = False) -> np.ndarray:
    """S_k expected of two unrelated clouds of n points: k / (n - 1); with self (1 + (k - 1)^2 / (n - 1)) / k."""
    k = np.arange(1, n + 1 if include_self else n)
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
    p: ArrayLike,
    q: ArrayLike,
    *,
    n_permutations: int = 1000,
    seed: int = 0,
    metric: Metric = "cosine",
    include_self: bool = False,
) -> np.ndarray:
    """S_k when the rows of `q` are shuffled: 2.5, 50 and 97.5 % curves, shape (3, n - 1), or (3, n) with self.

    S_k above the third curve is more than unrelated rows share. Ranks are computed once (two n x n tables of 32 bits).
    """
    if n_permutations < 1:
        raise ClapleakError(f"n_permutations = {n_permutations}: at least 1")
    p, q = _pair(p, q)
    in_p, in_q = (np.concatenate(list(_rank_blocks(x, metric, include_self))) for x in (p, q))
    rng = np.random.default_rng(seed)
    orders = (rng.permutation(len(q)) for _ in range(n_permutations))
    larger = (np.maximum(in_p, in_q[np.ix_(order, order)]) for order in orders)
    curves = [_overlap(np.bincount(ranks.ravel(), minlength=len(q) + 1), include_self) for ranks in larger]
    return np.percentile(curves, [2.5, 50, 97.5], axis=0)


def mixed_neighbours(emb: ArrayLike, labels: ArrayLike, k: int = 10) -> np.ndarray:
    """Share (C, C) of mixed nearest neighbours of every pair of classes: what the paper names by eye (section 3.2).

    A point's neighbours are the k closest other points by cosine, of all classes; equal ones are ranked by index. M_ij
    is the share of class j among the neighbours of class i, so rows of M sum to 1. The result is (M + M.T) / 2, since
    a wide class can run into a tight one whose neighbours are all its own. From 0 (never neighbours) to 1; n_i points
    of N give (n_i + n_j) / 2 / (N - 1) by chance, on the diagonal (n_i - 1) / (N - 1).

    `emb` is (N, D), `labels` (N,) integers in which no class 0..C-1 lacks; `k` is 1 to N - 1, else ClapleakError.

    Examples
    --------
    >>> mixed_neighbours([[1, 0], [9, 1], [1, 1], [0, 1]], [0, 0, 1, 1], k=1)
    array([[1.  , 0.25],
           [0.25, 0.5 ]])
    """
    points, y = _labelled(emb, labels)
    counts = np.bincount(y)
    if not counts.all() or not 1 <= k < len(points):
        raise ClapleakError(f"k = {k} neighbours of {len(points)} points in classes of {counts}: choose k below the "
                            "number of points, and number the classes without a gap")  # fmt: skip
    near = np.concatenate([ranks <= k for ranks in _rank_blocks(points, "cosine", False)])  # (N, N)
    members = np.eye(len(counts))[y]  # (N, C)
    shares = members.T @ near @ members / (k * counts[:, None])
    return (shares + shares.T) / 2


def pearson(x: ArrayLike, y: ArrayLike) -> tuple[float, float]:
    """Pearson correlation r of two series of at least 3 values, and its two-sided p, as scipy has them."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.ndim != 1 or x.shape != y.shape or len(x) < 3 or not (np.isfinite([x, y]).all() and np.ptp(x) and np.ptp(y)):
        raise ClapleakError(f"pearson needs two finite, varying series of one length >= 3; got {x.shape} and {y.shape}")
    r, p = pearsonr(x, y)
    return float(r), float(p)


def leave_one_out(x: ArrayLike, y: ArrayLike) -> np.ndarray:
    """`pearson` without each point in turn, shape (n, 2) for r and p, n >= 4: shows what rests on one point."""
    return np.array([pearson(np.delete(x, i), np.delete(y, i)) for i in range(len(x))])


def _cloud(values: ArrayLike) -> np.ndarray:
    points = np.asarray(values)
    if points.ndim != 2 or 0 in points.shape or points.dtype.kind not in "fiu" or not np.isfinite(points).all():
        raise ClapleakError(f"a cloud must be finite real numbers (points, dims); got {points.dtype} {points.shape}")
    return points.astype(np.float64)


def _pair(p: ArrayLike, q: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    p, q = _cloud(p), _cloud(q)
    if len(p) != len(q) or len(p) < 3:
        raise ClapleakError(f"p and q need one number of points, at least 3; got {len(p)} and {len(q)}")
    return p, q


def _labelled(emb: ArrayLike, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    points, y = _cloud(emb), np.asarray(labels)
    if y.shape != (len(points),) or y.dtype.kind not in "iu" or y.min() < 0:
        raise ClapleakError(f"labels must be {len(points)} integers from 0, one a point; got {y.dtype} {y.shape}")
    return points, y.astype(np.int64)


def unit(x: np.ndarray) -> np.ndarray:
    """Rows of (N, D) divided by their lengths, so that products are cosines; a zero vector stays zero."""
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(norm == 0, 1, norm)


def _rank_blocks(x: np.ndarray, metric: Metric, include_self: bool) -> Iterator[np.ndarray]:
    """Ranks (rows, n), from 1, of every point as a neighbour of the next rows; n is the rank of an excluded self."""
    n, index = len(x), np.arange(len(x))
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
        # one number to sort: the distance in steps of 2^-40, above any rounding error, so that index breaks ties
        key = (np.rint(gap * 2**40).astype(np.int64) << n.bit_length()) | index
        key.sort(axis=1)
        ranks = np.empty(key.shape, dtype=np.int32)
        np.put_along_axis(ranks, key & (2 ** n.bit_length() - 1), index[None] + 1, axis=1)
        yield ranks


def _overlap(counts: np.ndarray, include_self: bool) -> np.ndarray:
    """S_1, S_2, ... from the number of pairs at every larger rank 0..n; the rank of an excluded self is no k."""
    k = np.arange(1, len(counts) if include_self else len(counts) - 1)
    return np.cumsum(counts)[k] / ((len(counts) - 1) * k)
