"""Statistics of the audit: what a clip's answer is worth by class, by recording, and seen against unseen classes.

A "right" array, (N,), says of every clip how far its answer is right, 0 to 1; what is reported are means over classes.
"""

from collections.abc import Callable, Iterable
from math import comb
from statistics import NormalDist

import numpy as np

from clapleak.metrics import class_means, unit

DRAWS, PERMUTATIONS, POWER_Z = 1000, 4999, 0.8416  # the last: the normal quantile of power 0.8


def class_mean(right: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean of `right` (N,) over the clips of every class 0..C-1, (C,)."""
    return np.bincount(y, right) / np.bincount(y)


def won(cosines: np.ndarray, y: np.ndarray, group: np.ndarray | None = None, size: int | None = None) -> np.ndarray:
    """Chance (N,) that a clip's own class wins among `size` classes of its own group: one over C where all answer.

    `cosines` is (N, C), `group` (C,) says which classes belong together. The mean over all tasks of that size is exact:
    with k of the group's G classes closer than its own, a clip wins C(G - 1 - k, size - 1) of C(G - 1, size - 1) tasks.
    Of equally close classes the first is the answer, as in `metrics.zero_shot_accuracy`.
    """
    own = cosines[np.arange(len(y)), y][:, None]
    closer = (cosines > own) | ((cosines == own) & (np.arange(cosines.shape[1]) < y[:, None]))
    if group is None:
        return (~closer.any(axis=1)).astype(float)
    chances = np.empty(len(y))
    for name in np.unique(group):
        clips, others = group[y] == name, int((group == name).sum()) - 1
        table = np.array([comb(others - k, size - 1) / comb(others, size - 1) for k in range(others + 1)])
        chances[clips] = table[closer[np.ix_(clips, group == name)].sum(axis=1)]
    return chances


def silhouettes(points: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Cosine silhouette (N,) of every clip, as `metrics.silhouette` averages it, in time and memory linear in N.

    The mean cosine distance to a class is one minus the product with the mean of its unit vectors; 0 for a lone clip.
    """
    points, members, rows = unit(points), np.bincount(y), np.arange(len(y))
    far = 1 - points @ class_means(points, y).T
    a = far[rows, y] * members[y] / np.maximum(members[y] - 1, 1)
    far[rows, y] = np.inf
    b = far.min(axis=1)
    return np.where(members[y] > 1, (b - a) / np.maximum(np.maximum(a, b), 1e-12), 0.0)


def linear_probe(points: np.ndarray, y: np.ndarray, recordings: np.ndarray, seed: int, parts: int = 5) -> np.ndarray:
    """Scores (N, C) of a linear classifier that never learnt from a clip's recording: ridge to one-hot, five folds.

    Ridge has a closed form, so that 100,000 clips take a minute. Its strength is a tenth of the mean eigenvalue of the
    standardised features' products, which is the number of clips: chosen once and for all models.
    """
    from sklearn.linear_model import Ridge  # slow to import
    from sklearn.model_selection import PredefinedSplit, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    names, first = np.unique(recordings, return_index=True)
    order = np.lexsort([np.random.default_rng(seed).random(len(names)), y[first]])  # every class is in all folds
    fold = np.empty(len(names), int)
    fold[order] = np.arange(len(names)) % parts
    model = make_pipeline(StandardScaler(), Ridge(0.1 * len(y) * (1 - 1 / parts), solver="cholesky"))
    return cross_val_predict(model, points, np.eye(y.max() + 1)[y], cv=PredefinedSplit(fold[recordings]))


def over_recordings(
    rights: dict[str, np.ndarray], y: np.ndarray, recordings: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """Class means of every measure, (DRAWS, C) each, with the recordings drawn again, the same draws for all."""
    rng, count, draws = np.random.default_rng(seed), recordings.max() + 1, []
    for _ in range(DRAWS):
        weight = np.bincount(rng.integers(count, size=count), minlength=count)[recordings]
        total = np.bincount(y, weight)
        with np.errstate(invalid="ignore"):  # NaN: none of the class was drawn
            draws.append([np.bincount(y, weight * right) / total for right in rights.values()])
    return dict(zip(rights, np.array(draws).swapaxes(0, 1), strict=True))


def interval(draws: Iterable[float]) -> list[float]:
    """The middle 95 % of some draws."""
    return [float(edge) for edge in np.nanpercentile(list(draws), [2.5, 97.5])]


def adjusted(values: np.ndarray, cover: np.ndarray, seen: np.ndarray) -> tuple[float, float]:
    """Seen minus unseen classes at equal `cover`, (C, k), by least squares, and the standard error of that gap.

    NaN and infinity where seen and unseen classes do not overlap in `cover`.
    """
    away = _away(cover)
    apart, rest = away @ seen, away @ values
    if (weight := float(apart @ apart)) < 1e-9:
        return float("nan"), float("inf")
    gap = float(apart @ rest) / weight
    spare = max(len(values) - cover.shape[1] - 2, 1)
    return gap, float(np.sqrt(((rest - gap * apart) ** 2).sum() / spare / weight))


def _away(cover: np.ndarray) -> np.ndarray:
    """The projection (C, C) that takes a constant and `cover` out of a column."""
    base = np.column_stack([np.ones(len(cover)), cover])
    return np.eye(len(base)) - base @ np.linalg.pinv(base)


def freedman_lane(values: np.ndarray, cover: np.ndarray, seen: np.ndarray, seed: int) -> float:
    """p of "seen classes are no better than unseen ones at equal cover", one-sided, by permuted residuals.

    Freedman and Lane (1983): what `cover`, (C, k), leaves of `values` is permuted over classes, with a new t each time.
    """
    away, rng = _away(cover), np.random.default_rng(seed)
    apart, rest = away @ seen, away @ values
    permuted = rng.permuted(np.tile(rest, (PERMUTATIONS, 1)), axis=1)
    left = np.vstack([rest, permuted]) @ away
    gaps = left @ apart / max(apart @ apart, 1e-12)
    ts = gaps / np.maximum(np.linalg.norm(left - gaps[:, None] * apart, axis=1), 1e-12)
    return float((ts >= ts[0] - 1e-12).mean())


def over_classes(statistic: Callable[[np.ndarray], float], seen: np.ndarray, seed: int) -> list[float]:
    """Interval of a statistic of class numbers, with the classes of each group drawn again."""
    rng, groups = np.random.default_rng(seed), [np.flatnonzero(seen), np.flatnonzero(~seen)]
    drawn = (np.concatenate([rng.choice(group, len(group)) for group in groups]) for _ in range(DRAWS))
    return interval(map(statistic, drawn))


def detectable(error: float, alpha: float) -> float:
    """The smallest gap found with power 0.8 at level `alpha`, one-sided, from the standard error of the contrast."""
    return (NormalDist().inv_cdf(1 - alpha) + POWER_Z) * error
