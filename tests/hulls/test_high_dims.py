"""Few points in many dimensions: the cost follows the points, and proofs hold in all dimensions."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from geoprobe import DirectProbe, hull_distance, pairwise_hull_distances
from geoprobe.hulls.normalisation import DIMS_PER_POINT, normalise
from geoprobe.probes import measure
from geoprobe.spaces import Space
from geoprobe.verify import verify_geometry

SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(1, 6))]


def space(seed: int, n_points: int = 20, n_dims: int = 2000, rank: int = 3) -> Space:
    """Labels that overlap: many dimensions, of which only a few differ."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n_points, rank)) @ rng.normal(size=(rank, n_dims)) + 5.0
    labels = np.arange(n_points) % 2
    new = rng.normal(size=(7, rank)) @ rng.normal(size=(rank, n_dims)) + 5.0
    return Space(points, labels, test=Space(new, np.arange(7) % 2))


@pytest.mark.parametrize("seed", SEEDS[:6])
def test_the_same_clusters_as_in_all_dimensions(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    s = space(seed, n_dims=200)
    few = measure(s)
    assert normalise(s.points).basis is not None
    monkeypatch.setattr("geoprobe.hulls.normalisation.FEWEST_DIMS", 10**9)
    whole = measure(s)
    assert normalise(s.points).basis is None
    assert np.array_equal(few.clusters.assignment, whole.clusters.assignment)
    for name in ("lower", "upper"):
        for one, other in (
            (few.hulls, whole.hulls),
            (few.clusters.distances, whole.clusters.distances),
        ):
            np.testing.assert_allclose(
                getattr(one, name), getattr(other, name), rtol=1e-8, atol=1e-9 * few.scale
            )
    np.testing.assert_allclose(few.predictions.distance, whole.predictions.distance, rtol=1e-9)
    assert np.array_equal(few.predictions.cluster, whole.predictions.cluster)


@pytest.mark.parametrize("seed", SEEDS[:4])
def test_everything_is_proved_in_all_dimensions(seed: int) -> None:
    s = space(seed)
    verify_geometry(
        measure(s), s.points, s.labels, test_points=s.test.points, test_labels=s.test.labels
    )
    a, b = s.points[s.labels == 0], s.points[s.labels == 1] + 3.0
    result = hull_distance(a, b)
    assert (a @ result.normal).min() - (b @ result.normal).max() >= result.lower * (1 - 1e-12)
    one, other = result.weights_a @ a[result.support_a], result.weights_b @ b[result.support_b]
    assert np.linalg.norm(one - other) <= result.upper
    assert result.gap < 1e-9


def test_memory_follows_the_points() -> None:
    """Two points of 100,000 dimensions once asked for 74.5 GiB."""
    points = np.random.default_rng(0).normal(size=(2, 100_000))
    DirectProbe().fit(points[:, :1000], ["a", "b"])
    tracemalloc.start()
    probe = DirectProbe().fit(points, ["a", "b"])
    table = pairwise_hull_distances(points, ["a", "b"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    length = np.linalg.norm(points[0] - points[1])
    np.testing.assert_allclose([probe.distances_.upper, table.upper], [[length]] * 2, rtol=1e-9)
    assert peak < 60e6
    assert DIMS_PER_POINT >= 2
