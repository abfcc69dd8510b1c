"""The overlap decision against exact rational arithmetic; the script exact_campaign runs more."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from geoprobe.hulls import Status, pairwise_hull_distances
from geoprobe.probes import DirectProbe
from scripts.exact_campaign import SHAPES, Pair, campaign, knife_edge
from tests.support.rational import exact_overlap, exact_squared_distance, exact_squared_scale
from tests.support.reference import exact_decision, highs_overlap, scale_of


@pytest.mark.full
@pytest.mark.parametrize("seed", range(4))
def test_random_integer_instances(seed: int) -> None:
    report = campaign(300, seed)
    assert report.instances == 300
    assert report.wrong == []
    assert report.undecided == []
    assert report.loose == []
    assert 60 < report.overlapping < 240
    assert report.touching_only > 20


@pytest.mark.full
@pytest.mark.parametrize("seed", range(30))
def test_pairwise_statuses_are_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_dims = int(rng.integers(1, 4))
    y = np.concatenate([np.arange(6), rng.integers(0, 6, 14)])
    X = rng.integers(0, 7, size=(20, n_dims))
    table = pairwise_hull_distances(X, y)
    squared_scale = exact_squared_scale(X)
    for k in range(len(table)):
        a, b = X[y == table.names[table.first[k]]], X[y == table.names[table.second[k]]]
        squared = exact_squared_distance(a, b)
        assert (table.status[k] == Status.OVERLAP) == (squared == 0)
        assert squared == 0 or squared > 1e-14 * squared_scale
        assert table.distance[k] == pytest.approx(float(squared) ** 0.5, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("seed", range(15))
def test_clusters_are_exactly_right(seed: int) -> None:
    """No two clusters of different labels meet, and no two of one label could be merged."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 5, size=(18, 2))
    y = rng.integers(0, 2, 18)
    y[:2] = 0, 1
    probe = DirectProbe().fit(X, y)
    label, clusters = probe.cluster_labels_, probe.labels_
    shared = {tuple(row) for row in X[y == 0].tolist()} & {tuple(row) for row in X[y == 1].tolist()}
    for p in range(probe.n_clusters_):
        for q in range(p + 1, probe.n_clusters_):
            mine, other = X[clusters == p], X[clusters == q]
            if label[p] != label[q]:
                meet = exact_overlap(mine, other).overlap
                assert not meet or {tuple(row) for row in mine.tolist()} <= shared
            else:
                union = np.concatenate([mine, other])
                rest = [X[clusters == c] for c in range(probe.n_clusters_) if label[c] != label[p]]
                assert any(exact_overlap(union, hull).overlap for hull in rest)


@pytest.mark.full
@pytest.mark.parametrize("shape", dict.fromkeys(SHAPES), ids=lambda shape: shape.__name__)
def test_the_references_agree_with_each_other(shape: Callable[..., Pair]) -> None:
    rng = np.random.default_rng(77)
    for _ in range(30):
        a, b = shape(rng)
        scale = scale_of(np.concatenate([a, b]))
        exact = exact_decision(a, b, scale)
        assert exact_overlap(a, b).overlap == (exact_squared_distance(a, b) == 0)
        if shape is not knife_edge:
            assert exact == exact_overlap(a, b).overlap
            assert exact == highs_overlap(a, b, scale)
