"""Many labelings of the same points: clusters and distances are those of fitting each by itself."""

from __future__ import annotations

import numpy as np
import pytest

from geoprobe.errors import InputError
from geoprobe.probes import DirectProbe, permuted, permuted_cluster_counts
from geoprobe.probes.permuted import measure_labelings
from geoprobe.progress import Progress
from tests.support.reference import plain_cluster_counts


def shuffled(n_points: int, n_dims: int, n_labels: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return Gaussian points and five permutations of labels of unequal sizes."""
    rng = np.random.default_rng(seed)
    y = np.sort(rng.integers(0, n_labels, n_points) * rng.integers(0, 2, n_points))
    return rng.normal(size=(n_points, n_dims)), np.array([rng.permutation(y) for _ in range(5)])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shape", [(40, 2, 3), (80, 20, 4), (120, 30, 3), (30, 60, 5)])
def test_plain_loop(shape: tuple[int, int, int], seed: int) -> None:
    X, labelings = shuffled(*shape, seed)
    counts = permuted_cluster_counts(X, labelings)
    assert counts.dtype == np.int64
    assert counts.tolist() == plain_cluster_counts(X, labelings)


def test_equal_points_and_contradictions() -> None:
    X, labelings = shuffled(60, 3, 3, 9)
    X[40:] = X[:20]
    counts = permuted_cluster_counts(X, labelings)
    assert counts.tolist() == plain_cluster_counts(X, labelings)
    assert permuted_cluster_counts(np.zeros((4, 2)), [[0, 0, 1, 1]]).tolist() == [2]


def test_labelings_may_differ_in_kind_and_number() -> None:
    X = np.array([[0.0, 0], [1, 1], [0, 1], [1, 0]])
    labelings = [["same", "same", "not", "not"], [0, 1, 1, 1], [True, False, False, True]]
    assert permuted_cluster_counts(X, labelings).tolist() == [3, 2, 2]


@pytest.mark.parametrize("shape", [(80, 20, 4), (40, 2, 3), (30, 60, 5), (24, 3, 2)])
def test_clusters_and_distances_are_those_of_fitting_each_labeling(
    shape: tuple[int, int, int],
) -> None:
    X, labelings = shuffled(*shape, 3)
    X[:4] = X[4:8]
    found = measure_labelings(X, labelings)
    fitted = [DirectProbe(n_threads=1).fit(X, y).geometry_ for y in labelings]
    assert found.n_clusters.tolist() == [each.n_clusters for each in fitted]
    assert np.array_equal(found.distances, [each.hulls.distance for each in fitted])


def test_labelings_of_one_point_many_times() -> None:
    found = measure_labelings(np.zeros((4, 2)), [[0, 0, 1, 1]])
    assert found.n_clusters.tolist() == [2] and found.distances.tolist() == [[0.0]]


def test_threads_and_neighbours_change_nothing() -> None:
    X, labelings = shuffled(100, 4, 4, 11)
    one, two = (permuted_cluster_counts(X, labelings, n_threads=n) for n in (1, 2))
    assert one.max() > 4
    assert np.array_equal(one, two)
    assert np.array_equal(permuted_cluster_counts(X, labelings[::-1]), one[::-1])


def test_merging_is_left_out_where_labels_are_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    X, labelings = shuffled(30, 60, 5, 0)
    monkeypatch.setattr("geoprobe.probes.clustering.merge_clusters", None)
    expected = [len(np.unique(y)) for y in labelings]
    assert permuted_cluster_counts(X, labelings).tolist() == expected


def test_progress() -> None:
    X, labelings = shuffled(40, 5, 3, 12)
    seen: list[Progress] = []
    permuted_cluster_counts(X, labelings, progress=seen.append)
    assert [(p.phase, p.done, p.total) for p in seen] == [("labelings", k, 5) for k in range(1, 6)]


@pytest.mark.parametrize(
    ("labelings", "message"),
    [
        ([], "there are no labelings"),
        ([[0, 0, 1, 1], [0, 1, 1]], "labeling 1 has 3 labels, but there are 4 points"),
        ([[0, 0, 0, 0]], "labeling 0"),
    ],
)
def test_bad_labelings(labelings: list[list[int]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        permuted_cluster_counts(np.eye(4), labelings)


def test_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs of labels are only decided about."""
    asked = []
    solve = permuted.solve_pairs

    def watched(*given: object, **named: object) -> object:
        asked.append(named)
        return solve(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(permuted, "solve_pairs", watched)
    X, labelings = shuffled(40, 5, 3, 13)
    permuted_cluster_counts(X, labelings)
    assert asked == [{"decide": True}] * 5
