"""All pairs of labels at once: bounds, certificates, order and threads."""

from __future__ import annotations

import numpy as np
import pytest

from geoprobe.hulls import PairwiseDistances, Status, hull_distance, pairwise_hull_distances
from geoprobe.progress import Progress
from tests.support.certificates import check_pairwise, check_tight
from tests.support.reference import highs_overlap, scale_of


def blobs(
    seed: int, n_points: int, n_dims: int, n_labels: int, spread: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return Gaussian points around random centres; every label has a point."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(n_labels), rng.integers(0, n_labels, n_points - n_labels)])
    return rng.normal(size=(n_points, n_dims)) + spread * rng.normal(size=(n_labels, n_dims))[y], y


SHAPES = [(40, 2, 5, 2.0), (80, 6, 4, 1.0), (30, 50, 6, 0.0), (400, 3, 3, 1.5), (9, 4, 9, 1.0)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(4))
def test_every_pair_is_proved(shape: tuple[int, int, int, float], seed: int) -> None:
    X, y = blobs(seed, *shape)
    table = pairwise_hull_distances(X, y)
    check_pairwise(table, X, y)
    assert np.array_equal(table.names, np.unique(y))
    assert len(table) == shape[2] * (shape[2] - 1) // 2
    for k in range(len(table)):
        a, b = X[y == table.names[table.first[k]]], X[y == table.names[table.second[k]]]
        alone = hull_distance(a, b, scale=table.scale)
        assert table.status[k] == alone.status
        assert table.distance[k] == pytest.approx(alone.distance, rel=2e-9)
        assert bool(alone) == highs_overlap(a, b, table.scale)
    apart = table.status == Status.DISJOINT
    check_tight(table.lower[apart], table.upper[apart], table.scale)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_do_not_change_a_bit(dtype: type) -> None:
    X, y = blobs(11, 300, 10, 12, 1.0)
    assert_same_bits(*(pairwise_hull_distances(X.astype(dtype), y, n_threads=n) for n in (1, 2)))


def assert_same_bits(one: PairwiseDistances, two: PairwiseDistances) -> None:
    for column in ("names", "first", "second", "lower", "upper", "status", "stage"):
        assert np.array_equal(getattr(one, column), getattr(two, column)), column
    for column in ("start_a", "index_a", "weight_a", "start_b", "index_b", "weight_b"):
        mine, other = getattr(one.supports, column), getattr(two.supports, column)
        assert np.array_equal(mine, other), column


def test_string_labels_and_matrix() -> None:
    X = np.array([[0.0], [1], [5], [9], [10]])
    table = pairwise_hull_distances(X, np.array(["b", "b", "-1", "a", "a"]))
    assert table.names.tolist() == ["-1", "a", "b"]
    assert np.allclose(table.matrix(), [[0, 4, 4], [4, 0, 8], [4, 8, 0]])
    assert table.scale == scale_of(X) == 5.0


def test_overlapping_labels_have_distance_zero() -> None:
    X = np.array([[0.0], [4], [1], [2], [9]])
    table = pairwise_hull_distances(X, np.array([0, 0, 1, 1, 2]))
    assert table.status.tolist() == [Status.OVERLAP, Status.DISJOINT, Status.DISJOINT]
    assert table.distance.tolist() == pytest.approx([0, 5, 7])


def test_progress_reaches_its_end() -> None:
    X, y = blobs(1, 60, 3, 6, 2.0)
    seen: list[Progress] = []
    pairwise_hull_distances(X, y, progress=seen.append)
    assert seen[-1].done == seen[-1].total
    done = [report.done for report in seen if report.phase == seen[-1].phase]
    assert done == sorted(done)
