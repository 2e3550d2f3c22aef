"""The measures against hand-worked cases, the paper's text taken literally, and laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist
from sklearn.metrics import silhouette_score

from clapleak import embed, metrics
from clapleak.book import analysis
from clapleak.config import ClapleakError, load_profile


def angles(*degrees: float) -> np.ndarray:
    """Unit vectors in the plane."""
    return np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], axis=1)


def literal(p, q, metric="cosine", include_self=False) -> np.ndarray:
    """S_k as section 3.2 is written: sets, one point and one k at a time; ties by index."""
    n, near = len(p), []  # of both clouds, for every point the others in order
    for cloud in (p, q):
        zero = ~np.asarray(cloud, float).any(1) & (metric == "cosine")  # a zero vector has cosine 0 with every other
        with np.errstate(invalid="ignore"):
            distance = cdist(cloud, cloud, metric).round(10)
        distance[zero] = distance[:, zero] = 1
        orders = [sorted((j for j in range(n) if j != i), key=lambda j, d=distance[i]: (d[j], j)) for i in range(n)]
        near.append([[i, *order] if include_self else order for i, order in enumerate(orders)])
    both = list(zip(*near, strict=True))
    return np.array([np.mean([len(set(a[:k]) & set(b[:k])) / k for a, b in both]) for k in range(1, n + include_self)])


def literal_centroids(points, labels, recordings) -> float:
    """One clip at a time: the closest mean of unit vectors, its own class without its own recording."""
    unit, hits = [p / (np.linalg.norm(p) or 1) for p in points], 0
    for i, own in enumerate(labels):
        scores = {}
        for j, other in enumerate(labels):
            if other != own or recordings[j] != recordings[i]:
                scores[other] = scores.get(other, 0) + unit[j]
        scores = {label: unit[i] @ total / (np.linalg.norm(total) or 1) for label, total in scores.items()}
        hits += own in scores and max(scores, key=scores.get) == own
    return hits / len(points)


def test_accuracy_by_hand_and_without_regard_to_length():
    # labels at 0, 90 and 180 degrees; clips at 10 (right), 80 (right), 50 (closer to 90: wrong), 170 (right)
    audio, text, labels = angles(10, 80, 50, 170), angles(0, 90, 180), [0, 1, 0, 2]
    assert metrics.zero_shot_accuracy(audio.astype(np.float32), text, labels) == 0.75
    assert metrics.zero_shot_accuracy(audio * [[9], [0.1], [3], [1]], text * [[1], [50], [0.1]], labels) == 0.75


@given(some.integers(0, 999), some.integers(4, 12), some.integers(2, 3), some.integers(1, 4))
def test_centroids_are_the_literal_loop_and_silhouettes_scikit_learn_s(seed, n, classes, sources):
    rng = np.random.default_rng(seed)
    labels = np.r_[np.arange(classes), rng.integers(0, classes, n - classes)]
    points, recordings = rng.normal(size=(n, 3)) + 2 * np.eye(3)[labels], rng.integers(0, sources, n).astype(str)
    alone = literal_centroids(points, labels.tolist(), range(n))
    assert metrics.centroid_accuracy(points, labels) == metrics.centroid_accuracy(7 * points, labels) == alone
    assert metrics.centroid_accuracy(points, labels, recordings) == literal_centroids(points, labels, recordings)
    expected = silhouette_score(points, labels, metric="cosine")
    assert metrics.silhouette(points, labels) == pytest.approx(expected, abs=1e-12)


def test_overlap_by_hand():
    # P: 0 1 3 7 on a line.           Q: 0 9 4 6, so neighbours in order of distance:
    # 0: 1 2 3   2 3 1  -> k=1 none, k=2 {2}        2: 1 0 3   3 0 1  -> none, {0}
    # 1: 0 2 3   3 2 0  -> none, {2}                3: 2 1 0   2 1 0  -> {2}, {1, 2}
    p, q = np.array([[0], [1], [3], [7]]), np.array([[0], [9], [4], [6]])
    curve = metrics.neighborhood_overlap(p, q, metric="euclidean")
    np.testing.assert_allclose(curve, [1 / 4, (1 + 1 + 1 + 2) / 8, 1])
    with_self = metrics.neighborhood_overlap(p, q, metric="euclidean", include_self=True)
    np.testing.assert_allclose(with_self, [1, (4 + 1) / 8, (4 + 5) / 12, 1])


METRIC = some.sampled_from(["cosine", "euclidean"])
CLOUDS = some.integers(3, 14).flatmap(
    lambda n: some.tuples(*(arrays(float, (n, d), elements=some.integers(-3, 3).map(float)) for d in (2, 3)))
)  # whole numbers: full of ties, of repeated points and of zero vectors


@given(CLOUDS, METRIC, some.booleans(), some.sampled_from([2, 256]))
def test_overlap_is_the_papers_text_with_ties_by_index(clouds, metric, include_self, rows):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "ROWS", rows)  # of the distances in memory at once
        curve = metrics.neighborhood_overlap(*clouds, metric=metric, include_self=include_self)
    np.testing.assert_allclose(curve, literal(*clouds, metric, include_self), atol=1e-12)
    assert (curve >= 0).all() and (curve <= 1).all() and curve[-1] == 1 and (not include_self or curve[0] == 1)
    swapped = metrics.neighborhood_overlap(*clouds[::-1], metric=metric, include_self=include_self)
    np.testing.assert_array_equal(swapped, curve)


@given(some.integers(0, 999), some.integers(3, 40), METRIC, some.sampled_from([1e-30, 1, 1e30]))
def test_overlap_sees_neither_order_nor_scale_nor_rotation(seed, n, metric, scale):
    rng = np.random.default_rng(seed)
    p, q, order = rng.normal(size=(n, 4)), rng.normal(size=(n, 6)), rng.permutation(n)
    rotation, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    curve = metrics.neighborhood_overlap(p, q, metric=metric)
    np.testing.assert_allclose(metrics.neighborhood_overlap(p[order], q[order], metric=metric), curve)
    np.testing.assert_array_equal(metrics.neighborhood_overlap(scale * p @ rotation, q, metric=metric), curve)
    np.testing.assert_allclose(metrics.neighborhood_overlap(p, p - 100, metric="euclidean"), 1)


@pytest.mark.parametrize("include_self", [False, True])
def test_chance_and_the_band_of_shuffled_rows(include_self):
    rng, shuffle = np.random.default_rng(11), np.random.default_rng(0)
    p = rng.normal(size=(30, 8))
    q = p + 0.3 * rng.normal(size=(30, 8))
    chance = metrics.topological_similarity(p, q, include_self=include_self).chance
    band = metrics.permutation_band(p, q, n_permutations=200, include_self=include_self)
    slow = [metrics.neighborhood_overlap(p, q[shuffle.permutation(30)], include_self=include_self) for _ in range(200)]
    np.testing.assert_allclose(band, np.percentile(slow, [2.5, 50, 97.5], axis=0), atol=1e-12)
    np.testing.assert_allclose(np.mean(slow, axis=0), chance, atol=0.02)


def test_topological_similarity_and_why_the_printed_one_is_always_one():
    rng = np.random.default_rng(10)
    p, noise = rng.normal(size=(50, 20)), rng.normal(size=(50, 20))
    found = metrics.topological_similarity(p, p + 0.7 * noise)
    assert found.k <= 7 and found.value == found.curve[:7].max() == found.curve[found.k - 1]  # 7: round(sqrt(50))
    assert found.corrected == pytest.approx((found.value - found.k / 49) / (1 - found.k / 49))
    printed = metrics.topological_similarity(p, noise, k_max=50, include_self=True)
    assert (printed.value, printed.k, printed.corrected) == (1, 1, 0)
    for wrong in ({"metric": "manhattan"}, {"k_max": "3"}, {"k_max": 2.5}, {"k_max": 50}):
        with pytest.raises(ClapleakError, match=str(*wrong.values())):
            metrics.topological_similarity(p, noise, **wrong)
    still = [np.ones(8) + 1e-7 * part[:, :8] for part in (p, noise)]  # collapsed: all distances are equal
    assert metrics.topological_similarity(*still).value == 1


@pytest.mark.parametrize(("power", "kind"), [(900, float), (-900, float), (100, np.float32), (3, np.half)])
def test_no_measure_sees_precision_or_scale_as_long_as_the_numbers_can_be_written(power, kind):
    rng, labels = np.random.default_rng(4), np.arange(40) % 4
    points = (rng.normal(size=(40, 6)) + 3 * np.eye(4, 6)[labels]).astype(np.half)  # which every precision holds
    other, p = rng.normal(size=(40, 3)), points.astype(float)
    q = (points.astype(kind) * kind(2.0**power)).astype(kind)
    for name, rest in (("silhouette", (labels,)), ("centroid_accuracy", (labels,)), ("neighborhood_overlap", (other,))):
        np.testing.assert_array_equal(getattr(metrics, name)(q, *rest), getattr(metrics, name)(p, *rest))
    for metric in ("cosine", "euclidean"):
        curves = (metrics.neighborhood_overlap(cloud, other, metric=metric) for cloud in (p, q))
        np.testing.assert_array_equal(*curves)
    parts = ((c[:30], labels[:30], c[30:], labels[30:]) for c in (p, q))
    assert metrics.probe_accuracy(*next(parts)) == metrics.probe_accuracy(*next(parts))
    np.testing.assert_allclose(metrics.unit(q), metrics.unit(p), rtol=1e-6)


@pytest.mark.parametrize("k", [1, 4, 39])
def test_mixed_neighbours_is_the_definition_taken_literally(k):
    rng = np.random.default_rng(k)
    labels, shares = np.r_[np.arange(4), rng.integers(0, 4, 36)], np.zeros((4, 4))
    emb = rng.normal(size=(40, 3)) + labels[:, None] % 3
    for i, distance in enumerate(cdist(emb, emb, "cosine")):
        for j in [j for j in np.argsort(distance) if j != i][:k]:
            shares[labels[i], labels[j]] += 1 / k / (labels == labels[i]).sum()
    np.testing.assert_allclose(analysis.mixed_neighbours(emb, labels, k), (shares + shares.T) / 2, atol=1e-12)


def test_the_measures_of_small_clouds():
    """Four classes at 0, 90, 180 and 270 degrees, two clips each, 10 degrees to either side of the middle in x_a.

    E_a turns class 3 onto class 2, so a quarter of the clips is answered wrong. x_t and E_t have equal neighbours.
    """
    x_a, E_a = angles(-10, 10, 80, 100, 170, 190, 260, 280), angles(-10, 10, 80, 100, 170, 190, 175, 185)
    labels, E_t, middles = np.repeat(np.arange(4), 2), angles(0, 80, 185, 270), angles(0, 90, 180, 180)
    clouds = {"x_a": x_a, "E_a": E_a, "x_t": 3 * E_t, "E_t": E_t, "labels": labels.astype(np.int16), "classes": "abcd"}
    clouds["recordings"] = np.arange(8).astype(str)
    found = embed.measure(clouds, load_profile("smoke").measures)
    assert found["chance"] == 0.25 and found["accuracy"] == 0.75
    inside, beside = 1 - np.cos(np.radians(20)), 1 - np.cos(np.radians([70, 90])).mean()  # of the closest class
    assert found["silhouette"]["x_a"] == pytest.approx((beside - inside) / beside)
    assert found["silhouette"]["E_a"] == pytest.approx(silhouette_score(E_a, labels, metric="cosine"))
    assert found["centroid_accuracy"] == {"x_a": 1, "E_a": literal_centroids(E_a, labels, range(8))}
    pairs = {"x_a-E_a": (angles(0, 90, 180, 270), middles), "x_t-E_t": (3 * E_t, E_t), "E_a-E_t": (middles, E_t)}
    for name, clouds in pairs.items():
        curve, measured = literal(*clouds), found["topology"][name]
        np.testing.assert_allclose(measured["curve"], curve)
        assert measured["value"] == pytest.approx(curve[:2].max()) and measured["k"] == curve[:2].argmax() + 1
    assert found["topology"]["x_t-E_t"]["value"] == found["topology"]["x_t-E_t"]["corrected"] == 1
