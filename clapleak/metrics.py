"""The paper's measures: zero-shot accuracy, silhouette and topological similarity (section 3).

Embeddings are real arrays (points, dimensions) of any precision and scale; distances are cosine unless stated
otherwise, and a zero vector has cosine 0 with every other. Labels are integers.
"""

import numpy as np
from numpy.typing import ArrayLike

from clapleak.config import ClapleakError
from clapleak.topology import (  # noqa: F401 (these are measures of the paper too)
    chance_curve,
    cloud,
    labelled,
    mixed_neighbours,
    neighborhood_overlap,
    permutation_band,
    topological_similarity,
    unit,
)


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
    1: tight classes far apart; 0: classes touch; below 0: clips sit among other classes. `emb` is (N, D), `labels`
    (N,) integers with 2 to N - 1 classes.
    """
    points, y = labelled(emb, labels)
    if not 2 <= len(np.unique(y)) < len(points):
        raise ClapleakError(f"silhouette of {len(points)} points needs 2 to {len(points) - 1} classes")
    from sklearn.metrics import silhouette_score  # slow to import, and most uses of this module need none of it

    return float(silhouette_score(points, y, metric="cosine"))


def centroid_accuracy(emb: ArrayLike, labels: ArrayLike, recordings: ArrayLike | None = None) -> float:
    """Share of clips that are closest, by cosine, to the mean of the other clips of their own class.

    An upper bound of what the audio embedding offers to zero-shot classification: every label stands where its clips
    are (class-centroid labels), and no text is needed. Class means are of vectors of unit length, without the clip
    itself or, where `recordings` (N,) are given, without all clips of its recording. `emb` is (N, D), `labels` (N,)
    integers. From 0 to 1; of a class with one clip or recording that clip is missed.
    """
    points, y = labelled(emb, labels)
    _, source = np.unique(np.arange(len(y)) if recordings is None else recordings, return_inverse=True)
    _, own = np.unique(source * (y.max() + 1) + y, return_inverse=True)  # clips of one recording and class
    points = unit(points)
    sums, shared = _sums(points, y), _sums(points, own)
    cosines = points @ unit(sums).T
    cosines[np.arange(len(y)), y] = (points * unit(sums[y] - shared[own])).sum(axis=1)
    alone = np.bincount(own)[own] == np.bincount(y)[y]
    return float(np.mean((np.argmax(cosines, axis=1) == y) & ~alone))


def probe_accuracy(
    learnt: ArrayLike, learnt_labels: ArrayLike, test: ArrayLike, test_labels: ArrayLike, dims: int | None = None
) -> float:
    """Accuracy of a linear classifier: what an embedding knows about classes, however it is clustered. From 0 to 1.

    Logistic regression on standardised dimensions, or on `dims` principal components of them. Embeddings are (N, D) and
    (M, D), labels (N,) and (M,); no test clip may share its recording with a learnt one.
    """
    from sklearn.decomposition import PCA  # slow to import
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    steps = [
        StandardScaler(),
        *([] if dims is None else [PCA(dims, random_state=0)]),
        LogisticRegression(max_iter=1000),
    ]
    return float(make_pipeline(*steps).fit(cloud(learnt), learnt_labels).score(cloud(test), test_labels))


def class_means(emb: ArrayLike, labels: ArrayLike) -> np.ndarray:
    """Label-wise mean vectors (C, D) of (N, D) embeddings (section 3.2); every class 0..C-1 needs a point."""
    points, y = labelled(emb, labels, every_class=True)
    return _sums(points, y) / np.bincount(y)[:, None]


def _sums(points: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Sums (G, D) of the points (N, D) of every group 0..G-1."""
    sums = np.zeros((groups.max() + 1, points.shape[1]))
    np.add.at(sums, groups, points)
    return sums


def pearson(x: ArrayLike, y: ArrayLike) -> tuple[float, float]:
    """Pearson correlation r of two series of at least 3 values, and its two-sided p, as scipy has them."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.ndim != 1 or x.shape != y.shape or len(x) < 3 or not (np.isfinite([x, y]).all() and np.ptp(x) and np.ptp(y)):
        raise ClapleakError(f"pearson needs two finite, varying series of one length >= 3; got {x.shape} and {y.shape}")
    from scipy.stats import pearsonr  # slow to import as well

    r, p = pearsonr(x, y)
    return float(r), float(p)


def leave_one_out(x: ArrayLike, y: ArrayLike) -> np.ndarray:
    """`pearson` without each point in turn, shape (n, 2) for r and p, n >= 4: shows what rests on one point."""
    return np.array([pearson(np.delete(x, i), np.delete(y, i)) for i in range(len(x))])
