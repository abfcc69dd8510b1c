"""Checks that an answer is proved by what it carries, written apart from the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geoprobe.hulls import HullResult, PairwiseDistances, Status
from tests.support.reference import scale_of

if TYPE_CHECKING:
    from geoprobe.probes import DirectProbe

ROUNDING = 1e-13
"""Of R: how far plain float64 sums over some hundred dimensions may stray here."""


def check_hull_result(result: HullResult, a: np.ndarray, b: np.ndarray) -> None:
    """Assert that the certificate of ``result`` proves its status and both bounds."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    slack = ROUNDING * result.scale
    limit = result.tau * result.scale
    nearest_a = _convex_point(a, result.support_a, result.weights_a)
    nearest_b = _convex_point(b, result.support_b, result.weights_b)
    length = np.linalg.norm(nearest_a - nearest_b)
    assert abs(result.upper - length) <= slack
    assert 0 <= result.lower <= result.upper + slack
    if result.status is Status.OVERLAP:
        assert result.upper <= limit
        assert result.distance == 0
        assert not result.normal.any()
        assert result
        return
    assert result.status is Status.DISJOINT
    assert not result
    assert result.lower > limit
    assert result.distance == result.upper
    assert abs(np.linalg.norm(result.normal) - 1) <= 1e-14 * len(result.normal)
    low_a, high_b = (a @ result.normal).min(), (b @ result.normal).max()
    size = ROUNDING * (result.scale + max(np.abs(a).max(), np.abs(b).max()))
    assert low_a - high_b >= result.lower - size
    assert abs(result.offset - (low_a + high_b) / 2) <= size + (result.upper - result.lower)


def check_pairwise(table: PairwiseDistances, points: np.ndarray, groups: np.ndarray) -> None:
    """Assert that every row of ``table`` is proved; ``groups`` (n_points,) holds its names."""
    points = np.asarray(points, dtype=np.float64)
    slack = ROUNDING * table.scale
    assert abs(table.scale - scale_of(points)) <= 1e-12 * table.scale
    assert len(table.supports) == len(table)
    assert table.lower.dtype == table.upper.dtype == np.float64
    order = list(zip(table.first.tolist(), table.second.tolist(), strict=True))
    assert order == sorted(set(order))
    assert all(first < second for first, second in order)
    for k, (first, second) in enumerate(order):
        side_a, side_b = table.supports.side_a(k), table.supports.side_b(k)
        assert np.all(groups[side_a[0]] == table.names[first])
        assert np.all(groups[side_b[0]] == table.names[second])
        difference = _convex_point(points, *side_a) - _convex_point(points, *side_b)
        length = np.linalg.norm(difference)
        assert abs(table.upper[k] - length) <= slack
        if table.status[k] == Status.OVERLAP:
            assert table.upper[k] <= table.tau * table.scale
            continue
        assert table.status[k] == Status.DISJOINT
        assert table.tau * table.scale < table.lower[k] <= table.upper[k] + slack
        normal = difference / length
        low = (points[groups == table.names[first]] @ normal).min()
        high = (points[groups == table.names[second]] @ normal).max()
        lost = ROUNDING * np.abs(points).max() + turning(table.scale, length)
        assert low - high >= table.lower[k] - slack - lost


def turning(scale: float, distance: np.ndarray) -> np.ndarray:
    """Return what the lower bound may lose because rounding turns the normal.

    The normal is the difference of two points of size R, rounded in the last digit: over a short
    distance that turns it by ``eps * R / distance``, and points R away lose R times as much.
    """
    return 1e-15 * scale**2 / np.asarray(distance)


def check_tight(lower: np.ndarray, upper: np.ndarray, scale: float) -> None:
    """Assert the promised relative gap of the bounds, 1e-9 as far as float64 allows it."""
    allowed = np.maximum(1e-9 * np.asarray(upper), 1e-14 * scale + turning(scale, upper))
    assert np.all(np.asarray(upper) - np.asarray(lower) <= allowed)


def _convex_point(points: np.ndarray, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    assert len(rows) == len(weights) > 0
    assert len(np.unique(rows)) == len(rows)
    assert rows.min() >= 0
    assert weights.min() >= 0
    assert abs(weights.sum() - 1) <= 1e-12
    return weights @ points[rows]


def check_probe(probe: DirectProbe, X: np.ndarray, y: np.ndarray) -> None:
    """Assert that a fitted probe's clusters are valid, proved, and cannot be merged further."""
    clusters = probe.labels_
    n_clusters = probe.n_clusters_
    heads = np.array([np.flatnonzero(clusters == c)[0] for c in range(n_clusters)])
    assert clusters.dtype == np.int64
    assert np.array_equal(np.unique(clusters), np.arange(n_clusters))
    assert np.array_equal(probe.cluster_labels_[clusters], y)
    assert np.array_equal(probe.cluster_sizes_, np.bincount(clusters))
    order = sorted(range(n_clusters), key=lambda c: (probe.cluster_labels_[c], heads[c]))
    assert order == list(range(n_clusters))
    assert np.array_equal(probe.classes_, np.unique(y))
    apart = bool((probe.distances_.status == Status.DISJOINT).all())
    assert probe.is_linear_ == (apart and n_clusters == len(probe.classes_))
    assert probe.n_features_in_ == X.shape[1]

    same = probe.cluster_labels_[:, None] == probe.cluster_labels_
    upper = np.triu(np.ones((n_clusters, n_clusters), dtype=bool), k=1)
    table = probe.distances_
    check_pairwise(table, X, clusters)
    assert np.array_equal(np.transpose([table.first, table.second]), np.argwhere(upper & ~same))
    contradictory = _contradictory(X, y)
    for k in np.flatnonzero(table.status == Status.OVERLAP):
        for cluster in (table.first[k], table.second[k]):
            assert contradictory[clusters == cluster].all()
    assert probe.counts_.contradictory_points == contradictory.sum()
    _check_blocks(probe, X, np.argwhere(upper & same))


def _contradictory(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return which points lie on a point of another label."""
    equal = (X[:, None, :] == X[None, :, :]).all(axis=2)
    return (equal & (y[:, None] != y)).any(axis=1)


def _check_blocks(probe: DirectProbe, X: np.ndarray, expected: np.ndarray) -> None:
    blocks, clusters = probe.blocks_, probe.labels_
    points = np.asarray(X, dtype=np.float64)
    assert np.array_equal(np.transpose([blocks.first, blocks.second]), expected)
    for k in range(len(blocks)):
        rows_a, weights_a = blocks.supports.side_a(int(blocks.certificate[k]))
        rows_b, weights_b = blocks.supports.side_b(int(blocks.certificate[k]))
        assert np.isin(clusters[rows_a], [blocks.first[k], blocks.second[k]]).all()
        assert np.all(clusters[rows_b] == blocks.blocker[k])
        assert probe.cluster_labels_[blocks.blocker[k]] != probe.cluster_labels_[blocks.first[k]]
        gap = np.linalg.norm(
            _convex_point(points, rows_a, weights_a) - _convex_point(points, rows_b, weights_b)
        )
        assert abs(gap - blocks.gap[k]) <= ROUNDING * probe.scale_
        assert blocks.gap[k] <= probe.tau * probe.scale_
