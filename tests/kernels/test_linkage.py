"""Labels without a distance matrix: the same merges, bans and ties as with one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from sklearn.decomposition import PCA

from geoprobe.geometry.pairs import Status
from geoprobe.hulls.normalisation import normalise
from geoprobe.hulls.solving import Groups, solve_pairs
from geoprobe.kernels import linkage
from geoprobe.kernels.jit import kernel
from geoprobe.kernels.linkage import ban, closest_pair, has_room, join, undo
from geoprobe.probes import DirectProbe, clustering
from geoprobe.probes.candidates import float32_slack, later_neighbours
from geoprobe.probes.merging import Merged, merge_clusters
from geoprobe.probes.sorting import find_contradictions, sort_rows
from tests.support.named_spaces import SPACES, NamedSpace
from tests.support.reference import textbook_clustering

TAU = 1e-7
JOIN, UNDO, RESOLVE, BAN = range(4)


@kernel
def replay(links, actions, trail):
    """Do what ``actions`` (n_actions,) say; note the pairs, the level and how many are left."""
    for k in range(actions.shape[0]):
        action = actions[k]
        if action == RESOLVE:
            links.depth[0] = 0
        elif action == UNDO:
            if links.depth[0] > 0:
                undo(links)
        else:
            if action == BAN or not has_room(links):
                links.depth[0] = 0
            i, j = closest_pair(links)
            trail[k, 0] = i
            trail[k, 1] = j
            if i >= 0:
                if action == BAN:
                    ban(links, i, j)
                else:
                    join(links, i, j)
        trail[k, 2] = links.depth[0]


def linkage_of(
    points: np.ndarray, first: np.ndarray, barred: np.ndarray, matrix_limit: int, neighbours: int
) -> linkage.Linkage:
    """Return a linkage ready for use; every row has weight 1."""
    involved = np.ones(len(first) - 1, bool)
    original = np.arange(len(points))
    weight = np.ones(len(points))
    links = linkage.allocate(points, first, original, weight, involved, matrix_limit)
    for label, (begin, end) in enumerate(pairwise(first)):
        part = points[begin:end]
        if end - begin > matrix_limit:
            known = later_neighbours(part, barred[begin:end], neighbours)
            linkage.prepare_centroids(links, label, barred, known.near, known.bound, known.others)
        else:
            linkage.label_matrix(links, label)[:] = np.square(part[:, None] - part).sum(axis=2)
            linkage.prepare(links, label, barred)
    return links


@pytest.mark.full
@pytest.mark.parametrize("seed", range(40))
def test_same_pairs_in_the_same_order(seed: int) -> None:
    """Joins, bans and steps back in any order find the same closest pairs, ties included."""
    rng = np.random.default_rng([1, seed])
    sizes = rng.integers(1, 60, size=rng.integers(1, 4))
    n_dims = int(rng.integers(1, 40)) if seed % 4 == 3 else int(rng.integers(1, 4))
    shape = (sizes.sum(), n_dims)
    points = rng.normal(size=shape) if seed % 2 else rng.integers(0, 5, size=shape) * 1.0
    points /= max(1.0, np.sqrt(np.square(points).sum(axis=1).max()))
    first = np.append(0, np.cumsum(sizes))
    barred = rng.random(len(points)) < 0.1
    share = [0.6, 0.2, 0.1, 0.1] if seed % 3 else [0.45, 0.4, 0.05, 0.1]
    actions = rng.choice(4, size=6 * len(points), p=share)
    found = []
    for matrix_limit in (len(points), 0, int(sizes.min())):
        links = linkage_of(points, first, barred, matrix_limit, neighbours=1 + seed % 9)
        links = linkage.with_room(links, len(actions))
        trail = np.zeros((len(actions), 3), np.int64)
        replay(links, actions, trail)
        found.append((trail, links.cluster_of, links.n_members))
    for other in found[1:]:
        assert all(np.array_equal(mine, its) for mine, its in zip(found[0], other, strict=True))


@pytest.mark.parametrize("matrix_limit", [0, 4])
def test_a_new_cluster_that_ties_with_a_known_neighbour_counts(matrix_limit: int) -> None:
    points = np.array([[0, 0], [-2, 0.5], [-2, -0.5], [2, 0]]) / 4
    links = linkage_of(points, np.array([0, 4]), np.zeros(4, bool), matrix_limit, neighbours=4)
    trail = np.zeros((2, 3), np.int64)
    replay(links, np.array([JOIN, JOIN]), trail)
    assert trail[:, :2].tolist() == [[1, 2], [0, 1]]


def merge(points: np.ndarray, codes: np.ndarray, matrix_limit: int) -> Merged:
    """Merge a space whose labels overlap, with or without matrices."""
    n_labels = int(codes.max()) + 1
    rows = sort_rows(normalise(points).points, codes, n_labels)
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


def assert_same(points: np.ndarray, codes: np.ndarray, *limits: int) -> Merged:
    """Assert that without matrices clusters, bans and their order are those with matrices."""
    expected = merge(points, codes, len(points))
    for matrix_limit in limits or (0,):
        found = merge(points, codes, matrix_limit)
        assert np.array_equal(found.cluster_of, expected.cluster_of)
        assert [ban.slots for ban in found.bans] == [ban.slots for ban in expected.bans]
        assert found.solves == expected.solves
    return expected


@pytest.mark.full
@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("n_dims", [1, 2, 5, 12])
def test_gaussian_spaces(seed: int, n_dims: int) -> None:
    rng = np.random.default_rng(seed)
    codes = np.r_[0, 1, 2, rng.integers(0, 3, 150)]
    points = rng.normal(size=(len(codes), n_dims)) + 0.3 * codes[:, None]
    assert len(assert_same(points, codes, 0, 50).bans) > 0


@pytest.mark.parametrize("seed", range(20))
def test_grids_full_of_ties_weights_and_contradictions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = np.r_[0, 1, rng.integers(0, 2, 60)]
    points = rng.integers(0, 5, (len(codes), 2 + seed % 2)).astype(float)
    assert_same(points, codes, 0, 20)


@pytest.mark.full
def test_a_label_of_many_points() -> None:
    rng = np.random.default_rng(3)
    codes = np.repeat([0, 1], [3000, 400])
    centres = rng.normal(size=(40, 8)) * 3
    points = centres[rng.integers(0, 40, len(codes))] + rng.normal(size=(len(codes), 8))
    assert len(assert_same(points, codes).bans) > 10


@pytest.mark.full
def test_more_bans_than_there_is_room_for_at_the_start() -> None:
    rng = np.random.default_rng(4)
    merged = assert_same(rng.normal(size=(1200, 2)), rng.integers(0, 2, 1200))
    assert len(merged.bans) > 1000


@pytest.fixture
def without_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every label be too large for a matrix."""
    forced = partial(merge_clusters, matrix_limit=0)
    monkeypatch.setattr(clustering, "merge_clusters", forced)


@pytest.mark.usefixtures("without_matrices")
@pytest.mark.parametrize("space", SPACES, ids=str)
def test_named_spaces(space: NamedSpace) -> None:
    assert DirectProbe().fit(space.X, space.y).labels_.tolist() == space.clusters.tolist()


@pytest.mark.full
@pytest.mark.usefixtures("without_matrices")
@pytest.mark.parametrize("seed", range(20))
def test_textbook(seed: int) -> None:
    rng = np.random.default_rng([5, seed])
    y = rng.integers(0, 2, 25)
    y[:2] = 0, 1
    X = rng.integers(0, 6, size=(25, 2)) * 1.0 if seed % 2 else rng.normal(size=(25, 3))
    expected = textbook_clustering(X, y)
    probe = DirectProbe().fit(X, y)
    assert probe.labels_.tolist() == expected.clusters.tolist()
    assert probe.counts_.merges == expected.merges


@pytest.mark.full
@pytest.mark.parametrize("n_dims", [2, 40])
@pytest.mark.parametrize("neighbours", [1, 4, 16, 500])
@pytest.mark.parametrize("spread", [1e-7, 1e-6, 1e-3, 1.0])
def test_neighbours_are_the_nearest_later_rows(n_dims: int, neighbours: int, spread: float) -> None:
    """With a small spread float32 cannot tell the points of a bunch apart."""
    rng = np.random.default_rng(1)
    points = rng.normal(size=(8, n_dims))[np.arange(400) % 8]
    points = normalise(points + spread * rng.normal(size=points.shape)).points
    barred = np.zeros(400, bool)
    barred[::7] = True
    known = later_neighbours(points, barred, neighbours)
    squares = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    squares[np.tril_indices(400)] = np.inf
    squares[:, barred] = squares[barred] = np.inf
    assert np.all(known.bound <= squares.min(axis=1) * (1 + 1e-12))
    rows = np.flatnonzero(known.near >= 0)
    assert np.array_equal(squares[rows].argmin(axis=1), known.near[rows])
    nearest = squares[rows, known.near[rows]]
    assert known.bound[rows] == pytest.approx(nearest, rel=1e-12)
    squares[rows, known.near[rows]] = np.inf
    assert np.all(known.others <= squares.min(axis=1) * (1 + 1e-12))
    if neighbours == 500:
        assert len(rows) == np.count_nonzero(~barred) - 1
    elif spread == 1.0 and neighbours > 1:
        assert len(rows) > 100


@pytest.mark.full
@pytest.mark.parametrize("n_dims", [1, 16, 384])
def test_float32_slack_covers_faiss(n_dims: int) -> None:
    import faiss

    rng = np.random.default_rng(n_dims)
    points = rng.normal(size=(400, n_dims))
    points[:100] = points[100:200] + 1e-5 * rng.normal(size=(100, n_dims))
    points /= np.sqrt(np.square(points).sum(axis=1).max())
    points[0] = points[1] = points[2] / np.sqrt(points[2] @ points[2])
    points[1] *= -1.0
    index = faiss.IndexFlatL2(n_dims)
    index.add(points.astype(np.float32))
    distances, named = index.search(points.astype(np.float32), len(points))
    true = np.square(points[:, None] - points).sum(axis=2)
    error = np.abs(np.take_along_axis(true, named, axis=1) - distances).max()
    assert 0 < error < float32_slack(points) < 1e-3


@pytest.mark.full
def test_9000_points_in_one_label() -> None:
    rng = np.random.default_rng(6)
    centres = rng.normal(size=(60, 8))
    codes = np.repeat([0, 1], [9000, 2000])
    own = np.where(codes == 0, rng.integers(0, 50, 11000), rng.integers(50, 60, 11000))
    points = centres[own] + 0.2 * rng.normal(size=(11000, 8))
    assert len(assert_same(points, codes, linkage.MATRIX_LIMIT).bans) > 0


@pytest.mark.slow
def test_real_space(shared_space: Callable[[str], dict[str, np.ndarray]]) -> None:
    space = shared_space("ps_layer6")
    X = PCA(16, random_state=0).fit_transform(space["X"].astype(np.float64)).astype(np.float32)
    assert_same(X, np.unique(space["role"], return_inverse=True)[1], 0, 200)
