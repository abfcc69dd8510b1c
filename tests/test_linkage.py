"""Labels without a distance matrix: the same merges, bans and ties as with one."""

from __future__ import annotations

import numpy as np
import pytest

from geoprobe.hulls.frame import frame
from geoprobe.hulls.results import Status
from geoprobe.hulls.solving import Groups, solve_pairs
from geoprobe.probes.candidates import float32_slack, later_neighbours
from geoprobe.probes.merging import Merged, merge_clusters
from geoprobe.probes.sorting import find_contradictions, sort_rows

TAU = 1e-7


def merge(points: np.ndarray, codes: np.ndarray, matrix_limit: int) -> Merged:
    """Merge a space whose labels overlap, with or without matrices."""
    n_labels = int(codes.max()) + 1
    rows = sort_rows(frame(points).points, codes, n_labels)
    groups = Groups(np.arange(len(rows.points)), rows.first)
    a, b = (side.astype(np.int64) for side in np.triu_indices(n_labels, 1))
    close = solve_pairs(rows.points, groups, a, b, TAU, 1).status != Status.DISJOINT
    partner = np.zeros((n_labels, n_labels), bool)
    partner[a[close], b[close]] = partner[b[close], a[close]] = True
    assert partner.any(), "the space is linear and would test nothing"
    return merge_clusters(
        rows.points,
        rows.first,
        rows.original,
        rows.weight,
        partner,
        find_contradictions(rows, TAU).barred,
        TAU,
        matrix_limit=matrix_limit,
    )


def assert_same(points: np.ndarray, codes: np.ndarray) -> Merged:
    """Assert that both ways give the same clusters and the same bans in the same order."""
    by_matrix = merge(points, codes, len(points))
    by_centroids = merge(points, codes, 0)
    assert np.array_equal(by_matrix.cluster_of, by_centroids.cluster_of)
    assert by_matrix.merges == by_centroids.merges
    assert [ban.slots for ban in by_matrix.bans] == [ban.slots for ban in by_centroids.bans]
    return by_matrix


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("n_dims", [1, 2, 5, 12])
def test_gaussian_spaces(seed: int, n_dims: int) -> None:
    rng = np.random.default_rng(seed)
    codes = np.r_[0, 1, 2, rng.integers(0, 3, 150)]
    points = rng.normal(size=(len(codes), n_dims)) + 0.3 * codes[:, None]
    assert len(assert_same(points, codes).bans) > 0


@pytest.mark.parametrize("seed", range(20))
def test_grids_full_of_ties_weights_and_contradictions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = np.r_[0, 1, rng.integers(0, 2, 60)]
    points = rng.integers(0, 5, (len(codes), 2 + seed % 2)).astype(float)
    assert_same(points, codes)


def test_a_label_of_many_points() -> None:
    rng = np.random.default_rng(3)
    codes = np.repeat([0, 1], [3000, 400])
    centres = rng.normal(size=(40, 8)) * 3
    points = centres[rng.integers(0, 40, len(codes))] + rng.normal(size=(len(codes), 8))
    assert len(assert_same(points, codes).bans) > 10


@pytest.mark.parametrize("n_dims", [2, 40])
def test_neighbours_are_the_nearest_later_rows(n_dims: int) -> None:
    points = frame(np.random.default_rng(n_dims).normal(size=(400, n_dims))).points
    barred = np.zeros(400, bool)
    barred[::7] = True
    known = later_neighbours(points, barred)
    squares = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    squares[np.tril_indices(400)] = np.inf
    squares[:, barred] = np.inf
    for row in np.flatnonzero(~barred):
        nearest = squares[row].min()
        if known.near[row] >= 0:
            assert squares[row, known.near[row]] == nearest
            assert known.bound[row] == pytest.approx(nearest, rel=1e-12)
            rest = np.delete(squares[row], known.near[row])
            assert known.others[row] <= rest.min() * (1 + 1e-12)
        else:
            assert known.bound[row] <= nearest
    assert np.all(known.near[barred] == -1)
    assert (known.near >= 0).sum() > 100


def test_float32_slack_covers_faiss() -> None:
    import faiss

    points = frame(np.random.default_rng(0).normal(size=(500, 384))).points
    index = faiss.IndexFlatL2(384)
    index.add(points.astype(np.float32))
    distances, named = index.search(points.astype(np.float32), 20)
    exact = ((points[:, None] - points[named]) ** 2).sum(axis=2)
    assert np.abs(distances - exact).max() <= float32_slack(points)
