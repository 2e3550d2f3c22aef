"""The measures against hand-worked cases, the paper's text taken literally, and the paper's own numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from clapleak import metrics
from clapleak.config import ClapleakError

PAPER = Path(__file__).parents[1] / "reference" / "paper.csv"


def angles(*degrees: float) -> np.ndarray:
    """Unit vectors in the plane."""
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


def literal(p, q, metric="cosine", include_self=False) -> np.ndarray:
    """S_k as section 3.2 is written: sets, one point and one k at a time; ties by index."""
    n = len(p)
    curve = []
    for k in range(1, n + 1 if include_self else n):
        shares = []
        for i in range(n):
            near = []
            for cloud in (p, q):
                distance = cdist(cloud[i : i + 1], cloud, metric)[0].round(10)
                others = [j for j in range(n) if j != i]
                order = sorted(others, key=lambda j, d=distance: (d[j], j))
                near.append(set(([i] + order if include_self else order)[:k]))
            shares.append(len(near[0] & near[1]) / k)
        curve.append(np.mean(shares))
    return np.array(curve)


# zero-shot accuracy


def test_accuracy_by_hand():
    # labels at 0, 90 and 180 degrees; clips at 10 (right), 80 (right), 50 (closer to 90: wrong), 170 (right)
    audio, text = angles(10, 80, 50, 170), angles(0, 90, 180)
    assert metrics.zero_shot_accuracy(audio, text, [0, 1, 0, 2]) == 0.75


def test_accuracy_does_not_see_length():
    rng = np.random.default_rng(0)
    audio, text, labels = rng.normal(size=(60, 5)), rng.normal(size=(4, 5)), rng.integers(0, 4, 60)
    scaled = metrics.zero_shot_accuracy(audio * rng.uniform(0.1, 9, (60, 1)), text * [[1], [50], [0.1], [3]], labels)
    assert scaled == metrics.zero_shot_accuracy(audio.astype(np.float32), text, labels)


def test_accuracy_of_shuffled_labels_is_chance():
    rng = np.random.default_rng(1)
    text = rng.normal(size=(10, 64))
    labels = np.repeat(np.arange(10), 200)
    audio = text[labels] + 0.1 * rng.normal(size=(2000, 64))
    assert metrics.zero_shot_accuracy(audio, text, labels) == 1
    assert metrics.zero_shot_accuracy(audio, text, rng.permutation(labels)) == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(
    ("audio", "text", "labels"),
    [
        (np.ones((2, 3)), np.ones((2, 4)), [0, 1]),  # two spaces
        (np.ones((2, 3)), np.ones((1, 3)), [0, 0]),  # one class
        (np.ones((2, 3)), np.ones((2, 3)), [0, 2]),  # no such row
        (np.ones((2, 3)), np.ones((2, 3)), [0, -1]),
        (np.ones((2, 3)), np.ones((2, 3)), [0.0, 1.0]),
        (np.ones((2, 3)), np.ones((2, 3)), [0]),
        (np.full((2, 3), np.nan), np.ones((2, 3)), [0, 1]),
        (np.ones(3), np.ones((2, 3)), [0]),
        (np.ones((0, 3)), np.ones((2, 3)), []),
    ],
)
def test_accuracy_refuses(audio, text, labels):
    with pytest.raises(ClapleakError):
        metrics.zero_shot_accuracy(audio, text, labels)


# silhouette and class means


def test_silhouette_by_hand():
    # class 0 at 0 and 60 degrees, class 1 at 90 and 150; cosine distances 1 - cos: 60 -> 0.5, 90 -> 1, 30 -> 1 - h
    h = np.sqrt(3) / 2
    outer = ((1 + 1 + h) / 2 - 0.5) / ((1 + 1 + h) / 2)  # b: mean of 90 and 150 degrees
    inner = ((1 - h + 1) / 2 - 0.5) / ((1 - h + 1) / 2)  # b: mean of 30 and 90 degrees
    assert metrics.silhouette(angles(0, 60, 90, 150), [0, 0, 1, 1]) == pytest.approx((outer + inner) / 2)


def test_silhouette_by_its_formula_and_its_range():
    rng = np.random.default_rng(2)
    labels = np.repeat(np.arange(3), 8)
    points = rng.normal(size=(3, 6))[labels] + rng.normal(size=(24, 6))
    distance = cdist(points, points, "cosine")
    values = []
    for i, own in enumerate(labels):
        a = distance[i, (labels == own) & (np.arange(24) != i)].mean()
        b = min(distance[i, labels == c].mean() for c in range(3) if c != own)
        values.append((b - a) / max(a, b))
    assert metrics.silhouette(points, labels) == pytest.approx(np.mean(values), abs=1e-12)
    assert metrics.silhouette(points.astype(np.float16), labels) == pytest.approx(np.mean(values), abs=1e-2)
    assert abs(metrics.silhouette(rng.normal(size=(300, 50)), rng.integers(0, 5, 300))) < 0.02


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2], [0, 1], ["a", "b", "b"]])
def test_silhouette_refuses(labels):
    with pytest.raises(ClapleakError):
        metrics.silhouette(np.eye(3), labels)


def test_class_means():
    means = metrics.class_means([[1.0, 0], [3, 2], [0, 5]], [1, 1, 0])
    np.testing.assert_array_equal(means, [[0, 5], [2, 1]])
    with pytest.raises(ClapleakError, match="class 1"):
        metrics.class_means(np.eye(2), [0, 2])


# topological similarity


def test_overlap_by_hand():
    # P: 0 1 3 7 on a line.           Q: 0 9 4 6, so neighbours in order of distance:
    # 0: 1 2 3   2 3 1  -> k=1 none, k=2 {2}
    # 1: 0 2 3   3 2 0  -> none, {2}
    # 2: 1 0 3   3 0 1  -> none, {0}
    # 3: 2 1 0   2 1 0  -> {2}, {1, 2}
    p, q = np.array([[0], [1], [3], [7]]), np.array([[0], [9], [4], [6]])
    curve = metrics.neighborhood_overlap(p, q, metric="euclidean")
    np.testing.assert_allclose(curve, [1 / 4, (1 + 1 + 1 + 2) / 8, 1])
    with_self = metrics.neighborhood_overlap(p, q, metric="euclidean", include_self=True)
    np.testing.assert_allclose(with_self, [1, (4 + 1) / 8, (4 + 5) / 12, 1])


@pytest.mark.parametrize("include_self", [False, True])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_overlap_is_the_papers_text(metric, include_self):
    rng = np.random.default_rng(3)
    p = rng.normal(size=(40, 6)).astype(np.float32)
    q = np.concatenate([p[:, :4] + 0.5 * rng.normal(size=(40, 4)), rng.normal(size=(40, 5))], axis=1) * 30 + 1
    curve = metrics.neighborhood_overlap(p, q, metric=metric, include_self=include_self)
    np.testing.assert_allclose(curve, literal(p, q, metric, include_self), atol=1e-12)


@pytest.mark.parametrize("include_self", [False, True])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_ties_go_by_index(metric, include_self):
    """A grid of whole numbers with repeated points is full of ties, also with itself."""
    rng = np.random.default_rng(4)
    p, q = rng.integers(1, 4, (30, 2)), rng.integers(1, 4, (30, 3))
    curve = metrics.neighborhood_overlap(p, q, metric=metric, include_self=include_self)
    np.testing.assert_allclose(curve, literal(p, q, metric, include_self), atol=1e-12)


def test_blocks_of_rows_change_nothing(monkeypatch):
    rng = np.random.default_rng(5)
    p, q = rng.normal(size=(50, 3)), rng.normal(size=(50, 3))
    whole = metrics.neighborhood_overlap(p, q)
    monkeypatch.setattr(metrics, "ROWS", 7)
    np.testing.assert_array_equal(metrics.neighborhood_overlap(p, q), whole)


def test_overlap_properties():
    rng = np.random.default_rng(6)
    p, q = rng.normal(size=(60, 8)), rng.normal(size=(60, 8))
    curve = metrics.neighborhood_overlap(p, q)
    assert curve.shape == (59,) and curve[-1] == 1 and (curve >= 0).all() and (curve <= 1).all()
    np.testing.assert_array_equal(metrics.neighborhood_overlap(q, p), curve)
    order = rng.permutation(60)
    np.testing.assert_allclose(metrics.neighborhood_overlap(p[order], q[order]), curve)
    rotation, _ = np.linalg.qr(rng.normal(size=(8, 8)))
    np.testing.assert_allclose(metrics.neighborhood_overlap(p, 3 * p @ rotation), 1)
    np.testing.assert_allclose(metrics.neighborhood_overlap(p, p - 100, metric="euclidean"), 1)


def test_euclidean_ranks_do_not_depend_on_scale():
    rng = np.random.default_rng(7)
    p, q = rng.normal(size=(30, 4)), rng.normal(size=(30, 4))
    curve = metrics.neighborhood_overlap(p, q, metric="euclidean")
    for scale in (1e-30, 1e30):
        np.testing.assert_array_equal(metrics.neighborhood_overlap(p * scale, q, metric="euclidean"), curve)


@pytest.mark.parametrize("include_self", [False, True])
def test_chance_curve_is_the_mean_of_unrelated_clouds(include_self):
    rng = np.random.default_rng(8)
    curves = [
        metrics.neighborhood_overlap(rng.normal(size=(20, 9)), rng.normal(size=(20, 9)), include_self=include_self)
        for _ in range(300)
    ]
    np.testing.assert_allclose(np.mean(curves, axis=0), metrics.chance_curve(20, include_self), atol=0.02)


def test_printed_definition_is_always_one():
    rng = np.random.default_rng(9)
    unrelated = metrics.topological_similarity(
        rng.normal(size=(50, 9)), rng.normal(size=(50, 9)), k_max=50, include_self=True
    )
    assert (unrelated.value, unrelated.k, unrelated.corrected) == (1, 1, 0)
    # without self, but with every k allowed, it is 1 as well, at the other end
    every_k = metrics.topological_similarity(rng.normal(size=(50, 9)), rng.normal(size=(50, 9)), k_max=49)
    assert (every_k.value, every_k.k) == (1, 49)


def test_topological_similarity():
    rng = np.random.default_rng(10)
    p = rng.normal(size=(50, 20))
    topology = metrics.topological_similarity(p, p + 0.7 * rng.normal(size=(50, 20)))
    assert len(topology.curve) == len(topology.chance) == 49
    assert topology.k <= 7  # round(sqrt(50))
    assert topology.value == topology.curve[:7].max() == topology.curve[topology.k - 1]
    chance = topology.k / 49
    assert topology.corrected == pytest.approx((topology.value - chance) / (1 - chance))
    assert metrics.topological_similarity(p, p).corrected == 1
    assert metrics.topological_similarity(p, p).k == 1
    unrelated = [metrics.topological_similarity(p, rng.normal(size=(50, 20))).corrected for _ in range(50)]
    assert abs(np.mean(unrelated)) < 0.03


@pytest.mark.parametrize(
    ("p", "q", "options"),
    [
        (np.eye(4), np.eye(5), {}),
        (np.eye(2), np.eye(2), {}),
        (np.eye(4), np.full((4, 4), np.inf), {}),
        (np.eye(4), np.eye(4, dtype=complex), {}),
        (np.eye(4), np.eye(4), {"k_max": 4}),
        (np.eye(4), np.eye(4), {"k_max": 0}),
        (np.eye(4), np.eye(4), {"metric": "manhattan"}),
    ],
)
def test_similarity_refuses(p, q, options):
    with pytest.raises(ClapleakError):
        metrics.topological_similarity(p, q, **options)


@pytest.mark.parametrize("include_self", [False, True])
def test_permutation_band(include_self):
    rng = np.random.default_rng(11)
    p = rng.normal(size=(30, 8))
    q = p + 0.3 * rng.normal(size=(30, 8))
    band = metrics.permutation_band(p, q, n_permutations=200, seed=5, include_self=include_self)
    again = metrics.permutation_band(p, q, n_permutations=200, seed=5, include_self=include_self)
    np.testing.assert_array_equal(band, again)
    shuffle = np.random.default_rng(5)  # the same permutations, the long way
    slow = [metrics.neighborhood_overlap(p, q[shuffle.permutation(30)], include_self=include_self) for _ in range(200)]
    np.testing.assert_allclose(band, np.percentile(slow, [2.5, 50, 97.5], axis=0), atol=1e-12)
    np.testing.assert_allclose(band[1], metrics.chance_curve(30, include_self), atol=0.03)
    curve = metrics.neighborhood_overlap(p, q, include_self=include_self)
    assert (curve[1:8] > band[2, 1:8]).all()
    with pytest.raises(ClapleakError):
        metrics.permutation_band(p, q, n_permutations=0)


# correlations


def paper(row: str) -> np.ndarray:
    table = pd.read_csv(PAPER)
    return table.loc[table["row"] == row, "value"].to_numpy()


@pytest.mark.parametrize(
    ("x", "y", "r", "p"),
    [
        (paper("accuracy"), paper("silhouette E_a"), 0.9721, 0.00116),
        (paper("accuracy"), paper("silhouette x_a"), 0.9273, 0.0077),
        (np.log(paper("accuracy")), paper("S(E_a,E_t)"), 0.8446, 0.0344),
        (paper("accuracy"), paper("S(E_a,E_t)"), 0.7246, 0.103),
    ],
)
def test_correlations_of_the_printed_tables(x, y, r, p):
    assert metrics.pearson(x, y) == (pytest.approx(r, abs=5e-5), pytest.approx(p, rel=1e-2))


def test_paper_csv_is_complete():
    table = pd.read_csv(PAPER)
    assert list(table.columns) == ["table", "row", "column", "value"]
    assert len(table) == 36 and not table.duplicated(["row", "column"]).any()
    assert list(dict.fromkeys(table["column"])) == [
        "dirty-dirty",
        "clean-dirty",
        "none-dirty",
        "dirty-clean",
        "clean-clean",
        "none-clean",
    ]


def test_leave_one_out():
    x, y = [0.0, 1, 2, 3, 10], [0.0, 1, 0, 1, 10]
    left = metrics.leave_one_out(x, y)
    assert left.shape == (5, 2)
    assert tuple(left[4]) == metrics.pearson(x[:4], y[:4])
    assert left[4, 0] < 0.5 < 0.9 < left[:4, 0].min()  # all of it rests on the last point


@pytest.mark.parametrize(
    ("x", "y"), [([1, 2], [1, 2]), ([1, 2, 3], [1, 1, 1]), ([1, 2, np.inf], [1, 2, 3]), ([1], [1, 2])]
)
def test_pearson_refuses(x, y):
    with pytest.raises(ClapleakError):
        metrics.pearson(x, y)


def literal_mixed(emb, labels, k):
    """The definition, one clip and one neighbour at a time."""
    n, classes = len(emb), max(labels) + 1
    shares = np.zeros((classes, classes))
    for i in range(n):
        cosine = [emb[i] @ emb[j] / np.linalg.norm(emb[i]) / np.linalg.norm(emb[j]) for j in range(n)]
        near = sorted((j for j in range(n) if j != i), key=lambda j: -cosine[j])[:k]
        for j in near:
            shares[labels[i], labels[j]] += 1 / k / labels.tolist().count(labels[i])
    return (shares + shares.T) / 2


@pytest.mark.parametrize("k", [1, 4, 39])
def test_mixed_neighbours_is_the_definition_taken_literally(k):
    rng = np.random.default_rng(k)
    labels = np.r_[np.arange(4), rng.integers(0, 4, 36)]  # classes of unequal size
    emb = rng.normal(size=(40, 3)) + labels[:, None] % 3
    found = metrics.mixed_neighbours(emb, labels, k)
    np.testing.assert_allclose(found, literal_mixed(emb, labels, k), atol=1e-12)
    np.testing.assert_array_equal(found, found.T)


def test_mixed_neighbours_by_hand():
    #  degrees:   0  1 | 10 12 | 80     class 0: 0, 1; class 1: 10, 12; class 2: 80 alone
    emb = angles(0, 1, 10, 12, 80) * [[1], [5], [1], [9], [2]]  # lengths do not count
    # neighbours for k = 2: 0 -> 1, 10; 1 -> 0, 10; 10 -> 12, 1; 12 -> 10, 1; 80 -> 12, 10
    expected = np.array([[0.5, 0.5, 0], [0.5, 0.5, 0.5], [0, 0.5, 0]])
    np.testing.assert_allclose(metrics.mixed_neighbours(emb, [0, 0, 1, 1, 2], k=2), expected)


def test_mixed_neighbours_of_all_points_are_chance():
    labels = np.array([0, 0, 0, 1, 1, 2])
    found = metrics.mixed_neighbours(np.random.default_rng(0).normal(size=(6, 4)), labels, k=5)
    n = np.bincount(labels)
    np.testing.assert_allclose(found, (n[:, None] + n - 2 * np.eye(3)) / 2 / 5)


def test_mixed_neighbours_refuses_too_many_and_empty_classes():
    for labels, k in (([0, 1, 1], 3), ([0, 1, 1], 0), ([0, 2, 2], 1)):
        with pytest.raises(ClapleakError, match="k ="):
            metrics.mixed_neighbours(np.eye(3), labels, k)
