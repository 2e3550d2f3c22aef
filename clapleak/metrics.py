"""The paper's measures: zero-shot accuracy, silhouette and topological similarity (section 3).

Embeddings are finite real arrays (points, dimensions) of any precision and scale; distances are cosine unless stated
otherwise, and a zero vector has cosine 0 with every other. Labels are integers, one a point. Anything else is refused.

Topological similarity asks which neighbours two clouds share. N_k(p_i) are the indices of the k closest points to p_i,
and S_k is the mean over i of the share of N_k(p_i) that is also in N_k(q_i). The paper counts p_i among its own, so
S_1 = 1 by construction, and the printed S = max over all k of S_k is 1 for any two clouds (S_n = 1 as well). Here, by
default, a point is **not** its own neighbour, k runs from 1 to n - 1, and the maximum is taken over
k <= round(sqrt(n)): chance alone gives S_k = k / (n - 1), there about 1 / sqrt(n). The paper names no range of k.
Distances within 2^-40 are equal, and rank by index in both clouds: of two that have collapsed, S = 1 says nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from pandas import isna

from clapleak.files import ClapleakError

Metric = Literal["cosine", "euclidean"]
ROWS = 256  # rows of the distance matrix in memory at once


def zero_shot_accuracy(audio_emb: ArrayLike, text_emb: ArrayLike, labels: ArrayLike) -> float:
    """Share of clips whose closest label embedding, by cosine, is that of their own label (Table 1).

    `audio_emb` (N, D) is E_a, `text_emb` (C, D) is E_t, `labels` (N,) holds the right row of `text_emb`, 0..C-1.
    Of equally close rows the first is the answer. From 0 to 1; guessing gives 1 / C.
    """
    (audio, y), text = labelled(audio_emb, labels), cloud(text_emb)
    if audio.shape[1] != text.shape[1] or len(text) <= max(1, y.max()):
        shapes = f"audio_emb {audio.shape}, text_emb {text.shape}, largest label {y.max()}"
        raise ClapleakError(f"need one space, at least 2 classes and a row of text_emb for every label; got {shapes}")
    return float(np.mean(np.argmax(unit(audio) @ unit(text).T, axis=1) == y))


def silhouette(emb: ArrayLike, labels: ArrayLike) -> float:
    """Mean silhouette of the classes with the cosine distance, as scikit-learn computes it (Table 2).

    With a clip's mean distance a to the rest of its class and b to the closest other class: (b - a) / max(a, b).
    1: tight classes far apart; 0: classes touch; below 0: clips sit among other classes. N points need 2 to N - 1.
    """
    points, y = labelled(emb, labels)
    if not 2 <= len(np.unique(y)) < len(points):
        raise ClapleakError(f"silhouette of {len(points)} points needs 2 to {len(points) - 1} classes")
    from sklearn.metrics import silhouette_score  # slow to import, and most uses of this module need none of it

    return float(silhouette_score(_scaled(points, axis=1), y, metric="cosine"))


def centroid_accuracy(emb: ArrayLike, labels: ArrayLike, recordings: ArrayLike | None = None) -> float:
    """Share of clips that are closest, by cosine, to the mean of the other clips of their own class.

    What the audio embedding offers to zero-shot classification (no upper bound): every label stands where its clips
    are (class-centroid labels), and no text is needed. Class means are of vectors of unit length, without the clip
    itself or, where `recordings` (N,) are given, without all clips of its recording. From 0 to 1; of a class with one
    clip or recording that clip is missed.
    """
    cosines, y = centroid_cosines(emb, labels, recordings), np.asarray(labels)
    return float(np.mean((np.argmax(cosines, axis=1) == y) & (cosines[np.arange(len(y)), y] > -2)))


def centroid_cosines(emb: ArrayLike, labels: ArrayLike, recordings: ArrayLike | None = None) -> np.ndarray:
    """Cosines (N, C) to the class-centroid labels of `centroid_accuracy`; -2 to its own where it has no other clip."""
    points, y = labelled(emb, labels)
    names = np.arange(len(y)) if recordings is None else np.asarray(recordings, dtype=object)
    if names.shape != y.shape or isna(names).any():
        raise ClapleakError(f"recordings must be {len(y)} names, one a point and none empty; got {names.shape}")
    _, source = np.unique([str(name) for name in names], return_inverse=True)
    _, own = np.unique(source * (y.max() + 1) + y, return_inverse=True)  # clips of one recording and class
    points = unit(points)
    sums, shared = _sums(points, y), _sums(points, own)
    cosines = points @ unit(sums).T
    rest = np.einsum("nd,nd->n", points, unit(sums[y] - shared[own]))
    cosines[np.arange(len(y)), y] = np.where(np.bincount(own)[own] == np.bincount(y)[y], -2, rest)
    return cosines


def probe_accuracy(
    learnt: ArrayLike, learnt_labels: ArrayLike, test: ArrayLike, test_labels: ArrayLike, dims: int | None = None
) -> float:
    """Accuracy of a linear classifier: what an embedding knows about classes, however it is clustered. From 0 to 1.

    Logistic regression on standardised dimensions, or on `dims` principal components of them. Labels may be names; no
    test clip may share its recording with a learnt one.
    """
    from sklearn import decomposition, linear_model, pipeline, preprocessing  # slow to import

    x, seen, y, truth = cloud(learnt), cloud(test), _array(learnt_labels), _array(test_labels)
    fits = y.shape + x.shape[1:] == x.shape and truth.shape + x.shape[1:] == seen.shape
    if not fits or len(set(y.tolist())) < 2 or isna(y).any() or dims not in (None, *range(1, min(x.shape) + 1)):
        raise ClapleakError(f"need one space, a label a point, 2 classes; got {x.shape}, {seen.shape}, dims {dims!r}")
    x, seen = np.split(_scaled(np.concatenate([x, seen])), [len(x)])
    steps = [] if dims is None else [decomposition.PCA(int(dims), random_state=0)]
    steps = [preprocessing.StandardScaler(), *steps, linear_model.LogisticRegression(max_iter=1000)]
    return float(pipeline.make_pipeline(*steps).fit(x, y).score(seen, truth))


def class_means(emb: ArrayLike, labels: ArrayLike) -> np.ndarray:
    """Label-wise mean vectors (C, D) of (N, D) embeddings (section 3.2); every class 0..C-1 needs a point."""
    points, y = labelled(emb, labels, every_class=True)
    return _sums(points, y) / np.bincount(y)[:, None]


def _sums(points: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Sums (G, D) of the points (N, D) of every group 0..G-1."""
    sums = np.zeros((groups.max() + 1, points.shape[1]))
    np.add.at(sums, groups, points)
    return sums


def neighborhood_overlap(
    p: ArrayLike, q: ArrayLike, *, metric: Metric = "cosine", include_self: bool = False
) -> np.ndarray:
    """S_k of two clouds for every k at once (section 3.2; the module states the convention).

    Let r(i, j) be the larger of the two ranks that j has as a neighbour of i, in P and in Q. Then j is in both
    k-neighbourhoods of i exactly when r(i, j) <= k, so n k S_k is the number of pairs with r(i, j) <= k: one sort a
    row and one count, O(n^2 log n), where the text taken literally costs O(n^3). Memory grows with n, not n^2.

    Row i of p, (n, D), and of q, (n, D'), is the same thing; n is at least 3. With `include_self` a point is its own
    nearest neighbour, as the paper prints: (n,) values, else (n - 1,).
    """
    p, q = cloud(p), cloud(q)
    if (n := len(p)) != len(q) or n < 3:
        raise ClapleakError(f"p and q need one number of points, at least 3; got {n} and {len(q)}")
    counts = np.zeros(n + 1, np.int64)  # of pairs, by the larger rank; n, the rank of an excluded self, is no k
    for ranks in map(np.maximum, _rank_blocks(p, metric, include_self), _rank_blocks(q, metric, include_self)):
        counts += np.bincount(ranks.ravel(), minlength=n + 1)
    k = np.arange(1, n + include_self)
    return np.cumsum(counts)[k] / (n * k)


@dataclass(frozen=True)
class Topology:
    """Topological similarity of two clouds (Table 3)."""

    value: float  # S, the largest S_k for k <= k_max; 0 to 1
    k: int  # the smallest k that reaches it
    curve: np.ndarray  # S_1, S_2, ...
    chance: np.ndarray  # of two unrelated clouds: k / (n - 1); with self (1 + (k - 1)^2 / (n - 1)) / k
    corrected: float  # (S_k - chance_k) / (1 - chance_k): 0 is chance, 1 equality; 0 where chance itself is 1


def topological_similarity(
    p: ArrayLike, q: ArrayLike, *, k_max: int | None = None, metric: Metric = "cosine", include_self: bool = False
) -> Topology:
    """S = max over k <= k_max of S_k (Table 3), with curve and chance line; k_max is round(sqrt(n)) unless given."""
    curve = neighborhood_overlap(p, q, metric=metric, include_self=include_self)
    n, k = len(p), np.arange(1, len(curve) + 1)
    chance = (1 + (k - 1) ** 2 / (n - 1)) / k if include_self else k / (n - 1)
    k_max = round(n**0.5) if k_max is None else k_max
    if not isinstance(k_max, int | np.integer) or not 1 <= k_max <= len(curve):
        raise ClapleakError(f"k_max = {k_max!r}: choose 1 to {len(curve)}, a whole number, for {n} points")
    best = int(np.argmax(curve[:k_max]))
    corrected = (curve[best] - chance[best]) / (1 - chance[best]) if chance[best] < 1 else 0
    return Topology(float(curve[best]), best + 1, curve, chance, float(corrected))


def cloud(values: ArrayLike) -> np.ndarray:
    """Points (N, D) in double precision; ClapleakError for what is no array of finite real numbers."""
    points = _array(values)
    if points.ndim != 2 or not points.size or points.dtype.kind not in "fiu" or not np.isfinite(points).all():
        raise ClapleakError(f"a cloud must be finite real numbers (points, dims); got {points.dtype} {points.shape}")
    return points.astype(np.float64)


def labelled(emb: ArrayLike, labels: ArrayLike, *, every_class: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """A cloud and its labels, (N,) integers from 0; with `every_class` none up to the largest may lack a point."""
    points, y = cloud(emb), _array(labels)
    if y.shape != (len(points),) or y.dtype.kind not in "iu" or y.min() < 0 or y.max() >= 2**31:
        raise ClapleakError(f"labels must be {len(points)} integers from 0, one a point; got {y.dtype} {y.shape}")
    if every_class and not (counts := np.bincount(y)).all():
        raise ClapleakError(f"class {np.argmin(counts)} of 0..{y.max()} has no point: number classes without a gap")
    return points, y.astype(np.int64)


def _array(values: ArrayLike) -> np.ndarray:
    try:
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:  # rows of several lengths, or a tensor with a gradient
        raise ClapleakError(f"no array of real numbers ({error}); of a tensor: .detach().float().numpy()") from error


def unit(x: np.ndarray) -> np.ndarray:
    """Rows of (N, D) divided by their lengths, so that products are cosines; a zero vector stays zero."""
    x = _scaled(x, axis=1)
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(norm == 0, 1, norm)


def _scaled(x: np.ndarray, axis: int | None = None) -> np.ndarray:
    """The largest number comes to 0.5 to 1 by a power of two, so that no square overflows and no digit changes."""
    x = x.astype(np.result_type(x, np.float32), copy=False)  # half precision would lose some in a sum
    return np.ldexp(x, -np.frexp(np.abs(x).max(axis=axis, keepdims=True, initial=0))[1])


def _rank_blocks(x: np.ndarray, metric: Metric, include_self: bool) -> Iterator[np.ndarray]:
    """Ranks (rows, n), from 1, of every point as a neighbour of the next rows; n is the rank of an excluded self."""
    n = len(x)
    if metric == "cosine":
        x, half = unit(x), np.full(n, 0.5)
    elif metric == "euclidean":
        x = (x := _scaled(x)) - x.mean(axis=0)
        x /= np.linalg.norm(x, axis=1).max() or 1
        half = (x**2).sum(axis=1) / 2
    else:
        raise ClapleakError(f"unknown metric '{metric}': use cosine or euclidean")
    for start in range(0, n, ROWS):
        gap = half[start : start + ROWS, None] + half - x[start : start + ROWS] @ x.T  # 0..2; half squared Euclidean
        np.fill_diagonal(gap[:, start:], -1 if include_self else 3)
        order = np.argsort(np.rint(gap * 2**40), axis=1, kind="stable")  # in steps above any rounding error
        ranks = np.empty(order.shape, dtype=np.int32)
        np.put_along_axis(ranks, order, np.arange(1, n + 1)[None], axis=1)
        yield ranks


def permutation_band(
    p: np.ndarray, q: np.ndarray, *, n_permutations: int = 300, seed: int = 0, include_self: bool = False
) -> np.ndarray:
    """2.5, 50 and 97.5 % curves of S_k when the rows of `q` are shuffled: (3, n - 1), or (3, n) with self."""
    rng = np.random.default_rng(seed)
    shuffled = (q[rng.permutation(len(q))] for _ in range(n_permutations))
    curves = [neighborhood_overlap(p, other, include_self=include_self) for other in shuffled]
    return np.percentile(curves, [2.5, 50, 97.5], axis=0)
