"""Statistics of the audit: what a clip's answer is worth by class, by recording, and seen against unseen classes.

A "right" array, (N,), says of every clip how far its answer is right, 0 to 1; what is reported are means over classes.
"""

from collections.abc import Iterable
from itertools import chain
from statistics import NormalDist

import numpy as np
from scipy.special import betaln

from clapleak.metrics import class_means, unit

DRAWS, PERMUTATIONS, FOLDS, POWER_Z = 1000, 4999, 5, 0.8416  # the last: the normal quantile of power 0.8


def class_mean(right: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean of `right` (N,) over the clips of every class 0..C-1, (C,)."""
    return np.bincount(y, right) / np.bincount(y)


def won(cosines: np.ndarray, y: np.ndarray, group: np.ndarray | None = None) -> np.ndarray:
    """Whether (N,) a clip's own class wins: 1 or 0; of equally close classes the first, as in `zero_shot_accuracy`.

    `cosines` is (N, C). With `group`, (C,), only classes of the own group are answers, and the result is what it would
    be were there C of that kind: accuracy falls with the number of answers. By how much follows from a beta
    distribution, over the group's clips, of the chance that another class is closer, fitted by its first two moments.
    """
    own = cosines[np.arange(len(y)), y][:, None]
    closer = (cosines > own) | ((cosines == own) & (np.arange(cosines.shape[1]) < y[:, None]))
    if group is None:
        return (~closer.any(axis=1)).astype(float)
    chances = np.empty(len(y))
    for name in np.unique(group):
        clips, others = group[y] == name, int((group == name).sum()) - 1
        k = closer[np.ix_(clips, group == name)].sum(axis=1)
        mean, pairs = max(k.mean() / others, 1e-6), (k * (k - 1)).mean() / max(others * (others - 1), 1)
        size = max(mean * (1 - mean) / max(pairs - mean**2, 1e-6) - 1, 0.05)
        a, b = mean * size, (1 - mean) * size
        chances[clips] = (k == 0) * np.exp(betaln(a, b + cosines.shape[1] - 1) - betaln(a, b + others))
    return chances


def silhouettes(points: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Cosine silhouette (N,) of every clip, as `metrics.silhouette` averages it, in linear time; 0 for a lone clip."""
    points, members, rows = unit(points), np.bincount(y), np.arange(len(y))
    # the mean cosine distance to a class is one minus the product with the mean of its unit vectors
    far = 1 - points @ class_means(points, y).T
    a = far[rows, y] * members[y] / np.maximum(members[y] - 1, 1)
    far[rows, y] = np.inf
    b = far.min(axis=1)
    return np.where(members[y] > 1, (b - a) / np.maximum(np.maximum(a, b), 1e-12), 0.0)


def linear_probe(points: np.ndarray, y: np.ndarray, recordings: np.ndarray, seed: int) -> np.ndarray:
    """Scores (N, C) of a linear classifier that never learnt from a clip's recording: ridge to one-hot, in folds."""
    from sklearn.linear_model import Ridge  # slow to import
    from sklearn.model_selection import PredefinedSplit, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    names, first = np.unique(recordings, return_index=True)
    rank = np.argsort(np.lexsort([np.random.default_rng(seed).random(len(names)), y[first]]))  # by class, then drawn
    # a tenth of the mean eigenvalue of the standardised features' products, the number of clips, for every model
    model = make_pipeline(StandardScaler(), Ridge(0.1 * len(y) * (1 - 1 / FOLDS), solver="cholesky"))
    return cross_val_predict(model, points, np.eye(y.max() + 1)[y], cv=PredefinedSplit(rank[recordings] % FOLDS))


def over_recordings(rights: dict, y: np.ndarray, recordings: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Class means of every measure, (1 + DRAWS, C) each: as found, then with recordings drawn again, alike for all."""
    rng, count, means = np.random.default_rng(seed), recordings.max() + 1, []
    drawn = (np.bincount(rng.integers(count, size=count), minlength=count) for _ in range(DRAWS))
    for times in chain([np.ones(count)], drawn):
        weight = times[recordings]
        total = np.bincount(y, weight)
        with np.errstate(invalid="ignore"):  # NaN: none of the class was drawn
            means.append([np.bincount(y, weight * right) / total for right in rights.values()])
    return dict(zip(rights, np.array(means).swapaxes(0, 1), strict=True))


def interval(draws: Iterable[float]) -> list[float]:
    """The middle 95 % of some draws."""
    return [float(edge) for edge in np.nanpercentile(list(draws), [2.5, 97.5])]


def adjusted(values: np.ndarray, cover: np.ndarray, seen: np.ndarray) -> tuple[float, float]:
    """Seen minus unseen classes at equal `cover`, (C, k), by least squares, and the standard error of that gap."""
    away = _away(cover)
    apart, rest = away @ seen, away @ values
    if (weight := float(apart @ apart)) < 1e-9:
        return float("nan"), float("inf")  # seen and unseen classes do not overlap in `cover`
    gap = float(apart @ rest) / weight
    spare = max(len(values) - cover.shape[1] - 2, 1)
    return gap, float(np.sqrt(((rest - gap * apart) ** 2).sum() / spare / weight))


def _away(cover: np.ndarray) -> np.ndarray:
    """The projection (C, C) that takes a constant and `cover` out of a column."""
    base = np.column_stack([np.ones(len(cover)), cover])
    return np.eye(len(base)) - base @ np.linalg.pinv(base)


def freedman_lane(values: np.ndarray, cover: np.ndarray, seen: np.ndarray, seed: int) -> float:
    """p of "seen classes are no better at equal cover", one-sided, by permuted residuals (Freedman and Lane, 1983)."""
    away, rng = _away(cover), np.random.default_rng(seed)
    apart, rest = away @ seen, away @ values
    permuted = rng.permuted(np.tile(rest, (PERMUTATIONS, 1)), axis=1)
    left = np.vstack([rest, permuted]) @ away
    gaps = left @ apart / max(apart @ apart, 1e-12)
    ts = gaps / np.maximum(np.linalg.norm(left - gaps[:, None] * apart, axis=1), 1e-12)
    return float((ts >= ts[0] - 1e-12).mean())


def detectable(error: float, alpha: float) -> float:
    """The smallest gap found with power 0.8 at level `alpha`, one-sided, from the standard error of the contrast."""
    return (NormalDist().inv_cdf(1 - alpha) + POWER_Z) * error
