"""Laws that hold whatever the points: motions, scale, order, subsets, a third hull between."""

from __future__ import annotations

import numpy as np
import pytest

from geoprobe.hulls import hull_distance, pairwise_hull_distances
from geoprobe.probes import DirectProbe

SEEDS = range(8)


def pair_of(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two random sets of points, apart for even seeds, near each other for odd ones."""
    rng = np.random.default_rng(seed)
    n_dims = int(rng.integers(2, 15))
    a = rng.normal(size=(rng.integers(2, 25), n_dims))
    b = rng.normal(size=(rng.integers(2, 25), n_dims))
    b[:, 0] += (4.0 if seed % 2 else 7.0) + rng.normal()
    return a, b


def rotation(n_dims: int, seed: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(n_dims, n_dims)))[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_motions_keep_distances(seed: int) -> None:
    a, b = pair_of(seed)
    distance = hull_distance(a, b).distance
    turn = rotation(a.shape[1], seed)
    shift = 1e3 * np.random.default_rng(seed).normal(size=a.shape[1])
    assert hull_distance(a @ turn, b @ turn).distance == pytest.approx(distance, rel=1e-8)
    assert hull_distance(a + shift, b + shift).distance == pytest.approx(distance, rel=1e-8)
    assert hull_distance(b, a).distance == pytest.approx(distance, rel=2e-9)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("factor", [1e-12, 0.125, 3.0, 1e9])
def test_scaling_scales(seed: int, factor: float) -> None:
    a, b = pair_of(seed)
    plain, scaled = hull_distance(a, b), hull_distance(factor * a, factor * b)
    assert scaled.status == plain.status
    assert scaled.distance == pytest.approx(factor * plain.distance, rel=1e-8)
    assert scaled.scale == pytest.approx(factor * plain.scale, rel=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_order_and_repeats_of_points_do_not_matter(seed: int) -> None:
    a, b = pair_of(seed)
    rng = np.random.default_rng(seed)
    scale = hull_distance(a, b).scale
    distance = hull_distance(a, b, scale=scale).distance
    shuffled = hull_distance(rng.permutation(a), rng.permutation(b), scale=scale)
    assert shuffled.distance == pytest.approx(distance, rel=2e-9)
    repeated = hull_distance(np.repeat(a, 3, axis=0), b, scale=scale)
    assert repeated.distance == pytest.approx(distance, rel=2e-9)
    inner = a[:1] / 2 + a[-1:] / 2
    assert hull_distance(np.vstack([a, inner]), b, scale=scale).distance == pytest.approx(
        distance, rel=2e-9, abs=1e-12
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_subsets_are_no_nearer(seed: int) -> None:
    a, b = pair_of(seed)
    whole = hull_distance(a, b)
    for size in range(1, len(a)):
        part = hull_distance(a[:size], b, scale=whole.scale)
        assert part.upper >= whole.lower * (1 - 1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_path_through_a_third_hull(seed: int) -> None:
    """Points obey the triangle inequality; a hull in between adds its diameter."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(3, 6))
    d = pairwise_hull_distances(points, np.arange(3)).matrix()
    assert d[0, 2] <= (d[0, 1] + d[1, 2]) * (1 + 1e-12)
    groups = [rng.normal(size=(5, 6)) + 5 * rng.normal(size=6) for _ in range(3)]
    d = pairwise_hull_distances(np.concatenate(groups), np.repeat(np.arange(3), 5)).matrix()
    diameter = np.linalg.norm(groups[1][:, None] - groups[1], axis=-1).max()
    assert d[0, 2] <= (d[0, 1] + diameter + d[1, 2]) * (1 + 1e-12)


def labelled(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    n_dims = int(rng.integers(2, 6))
    y = rng.integers(0, 3, 90)
    return rng.normal(size=(90, n_dims)) + 0.8 * rng.normal(size=(3, n_dims))[y], y


@pytest.mark.parametrize("seed", SEEDS)
def test_clusters_follow_motions_and_scale(seed: int) -> None:
    X, y = labelled(seed)
    clusters = DirectProbe().fit(X, y).labels_
    turn = rotation(X.shape[1], seed)
    for moved in (X @ turn, X + 100.0, 1e-6 * X, 1e6 * X):
        assert np.array_equal(DirectProbe().fit(moved, y).labels_, clusters)


@pytest.mark.parametrize("seed", SEEDS)
def test_clusters_follow_the_rows(seed: int) -> None:
    X, y = labelled(seed)
    clusters = DirectProbe().fit(X, y).labels_
    order = np.random.default_rng(seed).permutation(len(X))
    shuffled = DirectProbe().fit(X[order], y[order]).labels_
    same = clusters[order][:, None] == clusters[order]
    assert np.array_equal(shuffled[:, None] == shuffled, same)


@pytest.mark.parametrize("seed", SEEDS)
def test_names_of_labels_do_not_matter(seed: int) -> None:
    X, y = labelled(seed)
    clusters = DirectProbe().fit(X, y).labels_
    named = DirectProbe().fit(X, np.array(["a", "b", "c"])[y])
    assert np.array_equal(named.labels_, clusters)
    assert np.array_equal(np.unique(named.cluster_labels_), ["a", "b", "c"])


@pytest.mark.parametrize("seed", SEEDS)
def test_dimensions_of_zeros_change_nothing(seed: int) -> None:
    X, y = labelled(seed)
    wide = np.hstack([X, np.zeros((len(X), 3))])
    assert np.array_equal(DirectProbe().fit(wide, y).labels_, DirectProbe().fit(X, y).labels_)
