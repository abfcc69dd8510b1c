"""The clustering: known spaces, and the textbook algorithm on many random ones."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from geoprobe.errors import InputError, UnprovedError
from geoprobe.geometry import Status
from geoprobe.geometry.pairs import PairwiseDistances
from geoprobe.hulls import pairwise_hull_distances
from geoprobe.hulls.solving import solve_pairs
from geoprobe.memory import BYTES_PER_PAIR
from geoprobe.probes import DirectProbe, measure
from geoprobe.probes.sorting import equal_rows, find_contradictions, sort_rows
from geoprobe.progress import Progress
from geoprobe.spaces import Space
from geoprobe.verify import verify_geometry
from tests.support.certificates import check_probe
from tests.support.named_spaces import SPACES, NamedSpace
from tests.support.reference import exact_decision, highs_overlap, textbook_clustering

SMALL = [space for space in SPACES if len(space.X) <= 20]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_named_spaces(space: NamedSpace) -> None:
    probe = DirectProbe().fit(space.X, space.y)
    assert probe.labels_.tolist() == space.clusters.tolist()
    check_probe(probe, space.X, space.y)


@pytest.mark.parametrize("space", SMALL, ids=str)
def test_named_spaces_hold_in_the_textbook(space: NamedSpace) -> None:
    for overlap in (highs_overlap, exact_decision):
        found = textbook_clustering(space.X, space.y, overlap)
        assert found.clusters.tolist() == space.clusters.tolist()


def compare(X: np.ndarray, y: np.ndarray) -> DirectProbe:
    """Assert that probe and textbook agree, and that the probe's proofs hold."""
    expected = textbook_clustering(X, y)
    probe = DirectProbe().fit(X, y)
    assert probe.labels_.tolist() == expected.clusters.tolist()
    assert probe.counts_.merges == expected.merges
    check_probe(probe, X, y)
    return probe


@pytest.mark.full
@pytest.mark.parametrize("seed", range(60))
def test_gaussian_points(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_points, n_dims, n_labels = rng.integers(4, 40), rng.integers(1, 6), rng.integers(1, 5)
    y = rng.integers(0, n_labels, n_points)
    y[:2] = 0, 1
    X = rng.normal(size=(n_points, n_dims)) + rng.uniform(0, 2) * rng.normal(size=(5, n_dims))[y]
    compare(X, y)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(120))
@pytest.mark.parametrize("n_dims", [1, 2, 3, 4])
def test_integer_grids(n_dims: int, seed: int) -> None:
    """Grids bring touching hulls, duplicates, contradictions and exact ties of distances."""
    rng = np.random.default_rng([n_dims, seed])
    n_points = int(rng.integers(3, 26))
    side = int(rng.integers(2, 7))
    y = rng.integers(0, rng.integers(2, 4), n_points)
    y[:2] = 0, 1
    X = rng.integers(0, side, size=(n_points, n_dims)).astype(np.float64)
    compare(X, y)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(60))
def test_skewed_grids(seed: int) -> None:
    """A linear map keeps who touches whom and makes exact ties of distances rare."""
    rng = np.random.default_rng([7, seed])
    n_dims = int(rng.integers(2, 5))
    n_points = int(rng.integers(5, 26))
    y = rng.integers(0, 3, n_points)
    y[:2] = 0, 1
    skew = rng.integers(-400, 400, size=(n_dims, n_dims))
    compare(rng.integers(0, 4, size=(n_points, n_dims)) @ skew * 1.0, y)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(10))
def test_centroids_along_principal_axes(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large labels have their centroids turned: here all of them, over several stretches."""
    monkeypatch.setattr("geoprobe.probes.merging.MANY", 2)
    rng = np.random.default_rng([9, seed])
    y = rng.integers(0, 3, 60)
    noise = rng.normal(size=(60, 3)) + 0.5 * rng.normal(size=(3, 3))[y]
    probe = compare(noise @ rng.normal(size=(3, 40)), y)
    assert probe.counts_.bans > 0


@pytest.mark.full
@pytest.mark.parametrize("seed", range(20))
def test_shells_and_moons(seed: int) -> None:
    """Labels wound around each other need several clusters each."""
    rng = np.random.default_rng([8, seed])
    n_points = int(rng.integers(20, 60))
    y = np.arange(n_points) % 2
    angle = rng.uniform(0, np.pi, n_points) if seed % 2 else rng.uniform(0, 2 * np.pi, n_points)
    X = np.c_[np.cos(angle), np.sin(angle)] * (1.0 if seed % 2 else 1.0 + y[:, None])
    if seed % 2:
        X[y == 1] = [1.0, 0.5] - X[y == 1]
    X += 0.05 * rng.normal(size=X.shape)
    probe = compare(X, y)
    assert probe.n_clusters_ >= (2 if seed % 2 else 3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_do_not_change_a_bit(dtype: type) -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(400, 5)).astype(dtype)
    y = rng.integers(0, 6, 400)
    one, two = (DirectProbe(n_threads=n).fit(X, y) for n in (1, 2))
    assert np.array_equal(one.labels_, two.labels_)
    assert one.counts_.merges == two.counts_.merges
    for table in ("distances_", "blocks_"):
        mine, other = getattr(one, table), getattr(two, table)
        for column in ("first", "second"):
            assert np.array_equal(getattr(mine, column), getattr(other, column))
        for column in ("start_a", "index_a", "weight_a", "start_b", "index_b", "weight_b"):
            assert np.array_equal(getattr(mine.supports, column), getattr(other.supports, column))
    assert np.array_equal(one.distances_.lower, two.distances_.lower)
    assert np.array_equal(one.distances_.upper, two.distances_.upper)
    assert np.array_equal(one.blocks_.gap, two.blocks_.gap)
    assert np.array_equal(one.blocks_.blocker, two.blocks_.blocker)


def test_fitting_twice_gives_the_same() -> None:
    rng = np.random.default_rng(4)
    X, y = rng.normal(size=(150, 3)), rng.integers(0, 3, 150)
    probe = DirectProbe()
    first = probe.fit(X, y).distances_.upper
    assert np.array_equal(probe.fit(X, y).distances_.upper, first)


def test_linear_spaces_merge_without_solving_unions() -> None:
    rng = np.random.default_rng(6)
    y = np.repeat(np.arange(4), 100)
    X = rng.normal(size=(400, 8)) + 20 * np.eye(8)[y]
    probe = DirectProbe().fit(X, y)
    assert probe.is_linear_
    assert probe.counts_.bans == 0
    check_probe(probe, X, y)


def test_counts() -> None:
    X = np.array([[0.0], [0], [0], [5], [5], [9]])
    probe = DirectProbe().fit(X, np.array([0, 0, 1, 1, 1, 0]))
    assert probe.counts_.duplicate_points == 2
    assert probe.counts_.contradictory_points == 3
    assert probe.scale_ == pytest.approx(9 - 19 / 6)


def test_progress_and_timings() -> None:
    seen: list[Progress] = []
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(120, 3)), rng.integers(0, 2, 120)
    probe = DirectProbe(progress=seen.append).fit(X, y)
    assert len({report.phase for report in seen}) >= 2
    assert all(0 <= report.done <= report.total for report in seen)
    assert probe.timings_
    assert all(seconds >= 0 for seconds in probe.timings_.values())


def test_tau_can_join_what_nearly_touches() -> None:
    X = np.array([[0.0, 0], [1, 0], [0.5, 1e-3], [0.5, 1]])
    y = np.array([0, 0, 1, 1])
    assert DirectProbe().fit(X, y).n_clusters_ == 2
    assert DirectProbe(tau=1e-2).fit(X, y).n_clusters_ == 3


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
def test_all_points_equal(value: float) -> None:
    """One point with three labels: nothing tells them apart, and everything is proved."""
    points, labels = np.full((6, 3), value), list("aabbcc")
    probe = DirectProbe(n_threads=1).fit(points, labels)
    assert probe.n_clusters_ == 3
    assert not probe.is_linear_
    assert probe.counts_.contradictory_points == 6
    assert probe.counts_.duplicate_points == 3
    assert probe.distances_.distance.tolist() == [0.0] * 3
    assert probe.distances_.status.tolist() == [Status.OVERLAP] * 3
    distances, clusters = probe.rank_clusters([[value] * 3, [value + 2, value, value]])
    np.testing.assert_allclose(distances, [[0] * 3, [2] * 3], rtol=1e-9)
    assert clusters.tolist() == [[0, 1, 2]] * 2
    geometry = measure(Space(points, np.array(labels)))
    verify_geometry(geometry, points, labels)


def test_labels_that_share_their_only_point_are_not_linear() -> None:
    probe = DirectProbe(n_threads=1).fit([[0.0, 0], [0, 0], [5, 5]], ["a", "b", "c"])
    assert probe.n_clusters_ == 3
    assert not probe.is_linear_


@pytest.mark.parametrize("refit", ["unproved", "interrupted"])
def test_a_fit_that_fails_leaves_the_probe_as_it_was(
    refit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = DirectProbe(n_threads=1).fit([[0.0, 0], [1, 0], [5, 5]], ["a", "a", "b"])
    before = dict(vars(probe))
    error = UnprovedError("nothing") if refit == "unproved" else KeyboardInterrupt()

    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("geoprobe.probes.directprobe.cluster_space", fails)
    with pytest.raises(type(error)):
        probe.fit([[0.0], [1.0]], ["x", "y"])
    assert vars(probe) == before
    assert probe.predict([[0.4, 0]]).tolist() == ["a"]


def test_more_labels_than_memory_holds_are_refused_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points, labels = np.arange(40.0)[:, None], np.arange(40)
    monkeypatch.setattr("geoprobe.memory.free_memory", lambda: 780 * BYTES_PER_PAIR - 1)
    for measured in (lambda: DirectProbe().fit(points, labels),
                     lambda: pairwise_hull_distances(points, labels)):  # fmt: skip
        with pytest.raises(InputError, match=r"780 pairs of 40 labels need about .* are free"):
            measured()
    monkeypatch.setattr("geoprobe.memory.free_memory", lambda: 780 * BYTES_PER_PAIR)
    assert DirectProbe().fit(points, labels).n_clusters_ == 40
    # Two labels are one pair, but many clusters are many.
    mixed = np.arange(40) % 2
    monkeypatch.setattr("geoprobe.memory.free_memory", lambda: 399 * BYTES_PER_PAIR)
    with pytest.raises(InputError, match="400 pairs of 40 clusters"):
        DirectProbe().fit(points, mixed)


def test_thousands_of_points_that_coincide() -> None:
    """One vector under 3,000 labels: no list of their 4.5 million pairs is made."""
    rows = sort_rows(np.zeros((3000, 2)), np.arange(3000), 3000)
    tracemalloc.start()
    contradictions = find_contradictions(rows, 1e-7)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert contradictions.barred.all()
    assert contradictions.other.tolist() == [1] + [0] * 2999
    assert peak < 5e6


@pytest.mark.parametrize("k", [2.0, True, "2", 0, 9])
def test_a_number_of_clusters_that_is_none(k: object) -> None:
    probe = DirectProbe(n_threads=np.int64(1)).fit([[0.0], [1.0], [2.0]], ["a", "b", "a"])
    with pytest.raises(InputError, match="k must be a whole number from 1 to 3"):
        probe.rank_clusters([[0.5]], k)
    assert probe.rank_clusters([[0.5]], np.int64(2))[1].shape == (1, 2)


@pytest.mark.parametrize("collide", [False, True])
def test_rows_are_equal_where_all_numbers_are(
    collide: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if collide:
        monkeypatch.setattr(
            "geoprobe.probes.sorting._hashes", lambda bits: np.zeros(len(bits), np.uint64)
        )
    rng = np.random.default_rng(2)
    for n_dims in (1, 2, 3):
        points = rng.integers(-1, 2, (40, n_dims)) * rng.choice([-1.0, 1.0, 1.0 / 3], (40, 1))
        assert np.signbit(points[points == 0.0]).any()
        expected = (points[:, None] == points).all(axis=2)
        number = equal_rows(points)
        assert np.array_equal(number[:, None] == number, expected)


def test_what_labels_tell_is_not_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clusters that hold all points that carry the distance of two labels have that distance."""
    rng = np.random.default_rng(7)
    y = np.repeat(np.arange(6), 20)
    X = rng.normal(size=(120, 3)) + 12.0 * np.eye(6, 3)[y]
    X[y == 5] += 12.0 * np.eye(3)[0]  # among label 0
    asked: list[int] = []

    def watched(*given: Any, **named: Any) -> PairwiseDistances:
        asked.append(len(given[2]))
        return solve_pairs(*given, **named)

    monkeypatch.setattr("geoprobe.probes.clustering.solve_pairs", watched)
    probe = DirectProbe(n_threads=1).fit(X, y)
    check_probe(probe, X, y)
    table = probe.distances_
    assert np.isin(probe.cluster_labels_, [1, 2]).sum() == 2
    labels = pairwise_hull_distances(X, y)
    told = 0
    for k in np.flatnonzero(labels.status == Status.DISJOINT):
        (rows_a, _), (rows_b, _) = labels.supports.sides(k)
        told += len({*probe.labels_[rows_a]}) == len({*probe.labels_[rows_b]}) == 1
    assert asked == [15, len(table) - told] and told > 1
    assert probe.counts_.solves >= sum(asked)
    matrix = pairwise_hull_distances(X, probe.labels_).matrix()
    assert np.allclose(table.distance, matrix[table.first, table.second], rtol=1e-9)
