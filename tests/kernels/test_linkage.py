"""Centroid linkage and whole merges against plain versions that keep nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations, pairwise

import numpy as np
import pytest
from sklearn.decomposition import PCA

from geoprobe.geometry.pairs import Status
from geoprobe.hulls.normalisation import normalise
from geoprobe.hulls.solving import Groups, solve_pairs
from geoprobe.kernels import agenda, directions, linkage
from geoprobe.kernels.centroids import GONE, MOST_CHANGES, N_LINKS, TIE
from geoprobe.kernels.jit import kernel
from geoprobe.kernels.linkage import ban, closest_pair, has_room, join, undo
from geoprobe.probes.candidates import float32_slack, later_neighbours
from geoprobe.probes.merging import Merged, merge_clusters
from geoprobe.probes.sorting import SortedRows, find_contradictions, sort_rows
from tests.support.reference import textbook_clustering

TAU = 1e-7
# What a replay may do: merge the closest pair, take back, make final, ban the closest pair.
JOIN, UNDO, FINAL, BAN = range(4)

Pair = tuple[int, int]


@kernel
def replay(links, actions, trail):
    """Do what ``actions`` (n_actions,) say; note the pairs, the level and whether the log is full.

    A full log is made final before it is written to.
    """
    for k in range(actions.shape[0]):
        action = actions[k]
        if action == FINAL:
            links.depth[0] = 0
        elif action == UNDO:
            if links.depth[0] > 0:
                undo(links)
        else:
            if not has_room(links):
                trail[k, 3] = 1
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


@kernel
def look(links, pair):
    """Write the closest pair."""
    i, j = closest_pair(links)
    pair[0] = i
    pair[1] = j


@kernel
def put(links, action, i, j):
    """Merge or ban a pair."""
    if action == BAN:
        ban(links, i, j)
    else:
        join(links, i, j)


@kernel
def back(links):
    """Take back the last merge or ban."""
    undo(links)


@dataclass
class Plain:
    """Centroid linkage that looks at all pairs in every step.

    ``clusters`` maps the smallest row of a cluster to its rows as they joined it, ``bans`` are
    pairs of rows, and the log keeps both whole.
    """

    points: np.ndarray
    label: np.ndarray
    original: np.ndarray
    weight: np.ndarray
    barred: np.ndarray
    clusters: dict[int, list[int]] = field(default_factory=dict)
    bans: list[Pair] = field(default_factory=list)
    log: list[tuple[dict[int, list[int]], list[Pair]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clusters = {row: [row] for row in range(len(self.points))}

    def centroid(self, slot: int) -> np.ndarray:
        """Return the mean of a cluster's points, with their weights."""
        rows = self.clusters[slot]
        return self.weight[rows] @ self.points[rows] / self.weight[rows].sum()

    def closest_pair(self) -> Pair:
        """Return the closest pair that is not banned; of equals the smallest original rows."""
        home = {row: slot for slot, rows in self.clusters.items() for row in rows}
        banned = {tuple(sorted((home[p], home[q]))) for p, q in self.bans}
        free = [slot for slot in self.clusters if not self.barred[slot]]
        place = {slot: self.centroid(slot) for slot in free}
        lengths = {
            (p, q): float(np.square(place[p] - place[q]).sum())
            for p, q in combinations(sorted(free), 2)
            if self.label[p] == self.label[q] and (p, q) not in banned
        }
        if not lengths:
            return -1, -1
        limit = min(lengths.values()) + TIE
        tied = [pair for pair, length in lengths.items() if length <= limit]
        return min(tied, key=lambda pair: self.original[list(pair)].tolist())

    def keep(self) -> None:
        """Write into the log what is to change."""
        rows = {slot: own.copy() for slot, own in self.clusters.items()}
        self.log.append((rows, self.bans.copy()))

    def do(self, action: int, full: bool) -> tuple[int, int, int]:
        """Do one action; return the pair and the depth of the log as :func:`replay` notes them."""
        pair = 0, 0
        if action == FINAL or full:
            self.log.clear()
        if action == UNDO and self.log:
            self.clusters, self.bans = self.log.pop()
        elif action in (JOIN, BAN):
            pair = self.closest_pair()
            if pair[0] >= 0:
                self.keep()
                if action == BAN:
                    self.bans.append(pair)
                else:
                    self.clusters[pair[0]] += self.clusters.pop(pair[1])
        return *pair, len(self.log)


def plain_of(
    points: np.ndarray, first: np.ndarray, barred: np.ndarray, rng: np.random.Generator
) -> Plain:
    """Return a plain linkage; the labels' rows stood between each other before sorting."""
    label = np.repeat(np.arange(len(first) - 1), np.diff(first))
    original = rng.permutation(len(points))
    for begin, end in pairwise(first):
        original[begin:end].sort()
    return Plain(points, label, original, rng.integers(1, 4, len(points)) * 1.0, barred)


def linkage_of(
    plain: Plain,
    first: np.ndarray,
    neighbours: int,
    log_bytes: int = 1 << 26,
    axes: np.ndarray | None = None,
) -> linkage.Linkage:
    """Return the kernels' linkage of the same clusters, ready for use."""
    involved = np.ones(len(first) - 1, bool)
    points, barred = plain.points, plain.barred
    links = linkage.allocate(points, first, plain.original, plain.weight, involved, log_bytes, axes)
    for label, (begin, end) in enumerate(pairwise(first)):
        known = later_neighbours(points[begin:end], barred[begin:end], neighbours)
        linkage.prepare(links, label, barred, known.near, known.bound, known.others)
    return links


def assert_same_state(links: linkage.Linkage, plain: Plain, axes: np.ndarray | None = None) -> None:
    """Assert that clusters, members, weights and centroids are those of the plain version."""
    for slot, rows in plain.clusters.items():
        assert linkage.members(links, slot).tolist() == rows
        assert set(links.cluster_of[rows]) == {slot}
        assert links.weight[slot] == plain.weight[rows].sum()
        centroid = links.centroid[:, slot].reshape(-1)[: plain.points.shape[1]]
        plainly = plain.centroid(slot) if axes is None else plain.centroid(slot) @ axes
        assert np.abs(centroid - plainly).max() < 1e-13
    assert links.counters[N_LINKS] == len(links.cluster_of) + 2 * len(plain.bans)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(40))
def test_the_same_pairs_as_by_brute_force(seed: int) -> None:
    """Joins, bans and steps back in any order find the same closest pairs, ties included."""
    rng = np.random.default_rng([1, seed])
    first = np.append(0, np.cumsum(rng.integers(1, 30, size=rng.integers(1, 4))))
    n_dims = int(rng.integers(1, 40)) if seed % 4 == 3 else int(rng.integers(1, 4))
    shape = (first[-1], n_dims)
    points = rng.normal(size=shape) if seed % 2 else rng.integers(0, 5, size=shape) * 1.0
    points /= max(1.0, np.sqrt(np.square(points).sum(axis=1).max()))
    plain = plain_of(points, first, rng.random(len(points)) < 0.1, rng)
    shares = [[0.6, 0.2, 0.02, 0.18], [0.4, 0.35, 0.02, 0.23], [0.35, 0.3, 0, 0.35]]
    actions = rng.choice(4, size=5 * len(points), p=shares[seed % 3])
    axes = np.linalg.qr(rng.normal(size=(n_dims, n_dims)))[0] if seed % 5 < 2 else None
    links = linkage_of(plain, first, neighbours=1 + seed % 9, axes=axes)
    links = linkage.with_room(links, len(actions))
    trail = np.zeros((len(actions), 4), np.int64)
    replay(links, actions, trail)
    for k, action in enumerate(actions):
        assert plain.do(action, bool(trail[k, 3])) == tuple(trail[k, :3]), k
    assert_same_state(links, plain, axes)


@pytest.mark.parametrize("seed", range(4))
def test_a_full_log_is_noticed(seed: int) -> None:
    """The log is full once its entries are, or the changes that they may bring about."""
    rng = np.random.default_rng([2, seed])
    first = np.array([0, 100])
    plain = plain_of(rng.normal(size=(100, 2)) / 9, first, np.zeros(100, bool), rng)
    links = linkage_of(plain, first, neighbours=3, log_bytes=0)
    if seed % 2:
        few = 3 * int(links.counters[MOST_CHANGES])
        links = links._replace(
            change_row=links.change_row[:few], change_distance=links.change_distance[:few]
        )
    links = linkage.with_room(links, 150)
    actions = rng.choice([JOIN, BAN, UNDO], size=150, p=[0.5, 0.45, 0.05])
    trail = np.zeros((len(actions), 4), np.int64)
    replay(links, actions, trail)
    full = np.flatnonzero(trail[:, 3])
    assert len(full) > 0 and trail[:, 2].max() <= len(links.log_pair) == 64
    assert seed % 2 or trail[full[0] - 1, 2] == 64
    assert links.log_change.max() <= len(links.change_row)
    for k, action in enumerate(actions):
        assert plain.do(action, bool(trail[k, 3])) == tuple(trail[k, :3]), k


def kept_of(links: linkage.Linkage) -> list[np.ndarray]:
    """Return a copy of everything that an undo has to restore."""
    used = links.counters[N_LINKS]
    heads = links.ban_link[: len(links.cluster_of), 1]
    names = "cluster_of next_member last_member n_members near near_distance best weight centroid"
    return [
        *(getattr(links, name).copy() for name in names.split()),
        links.visit_mark == GONE,
        np.array([used]),
        heads.copy(),
        links.ban_link[len(links.cluster_of) : used].copy(),
    ]


@pytest.mark.parametrize("seed", range(8))
def test_taking_back_restores_every_bit(seed: int) -> None:
    """Merges, bans and the bounds resolved since go back to what they were, entry by entry."""
    rng = np.random.default_rng([3, seed])
    first = np.array([0, 14, 30])
    points = rng.integers(0, 4, size=(30, 2)) / 9.0 if seed % 2 else rng.normal(size=(30, 2)) / 9
    plain = plain_of(points, first, np.zeros(30, bool), rng)
    links = linkage.with_room(linkage_of(plain, first, neighbours=2), 200)
    before: list[list[np.ndarray]] = []
    pair = np.zeros(2, np.int64)
    resolved = 0
    for _ in range(300):
        if before and rng.random() < 0.45:
            level = len(before) - 1
            resolved += links.log_change[level + 1] - links.log_change[level] > 2
            back(links)
            assert links.depth[0] == level
            then = before.pop()
            assert all(np.array_equal(a, b) for a, b in zip(then, kept_of(links), strict=True))
        else:
            look(links, pair)
            if pair[0] >= 0:
                before.append(kept_of(links))
                put(links, rng.choice([JOIN, BAN]), *pair.tolist())
    assert resolved > 10


def test_a_new_cluster_that_ties_with_a_known_neighbour_counts() -> None:
    points = np.array([[0, 0], [-2, 0.5], [-2, -0.5], [2, 0]]) / 4
    every = np.arange(4)
    plain = Plain(points, np.zeros(4), every, np.ones(4), np.zeros(4, bool))
    links = linkage_of(plain, np.array([0, 4]), neighbours=4)
    trail = np.zeros((2, 4), np.int64)
    replay(links, np.array([JOIN, JOIN]), trail)
    assert trail[:, :2].tolist() == [[1, 2], [0, 1]]


def test_a_ban_holds_for_supersets_until_it_is_taken_back() -> None:
    """The pair 0, 1 is banned, 1 merges with 2; then 0 may merge with 3 alone."""
    points = np.array([[0.0], [0.1], [0.25], [0.9]])
    plain = Plain(points, np.zeros(4), np.arange(4), np.ones(4), np.zeros(4, bool))
    links = linkage.with_room(linkage_of(plain, np.array([0, 4]), neighbours=4), 1)
    trail = np.zeros((6, 4), np.int64)
    replay(links, np.array([BAN, JOIN, JOIN, UNDO, UNDO, UNDO]), trail)
    assert trail[:3, :2].tolist() == [[0, 1], [1, 2], [1, 3]]
    assert trail[:, 2].tolist() == [1, 2, 3, 2, 1, 0]
    replay(links, np.array([JOIN]), trail)
    assert trail[0, :2].tolist() == [0, 1]


def merge(points: np.ndarray, codes: np.ndarray) -> tuple[Merged, SortedRows, np.ndarray]:
    """Merge a space whose labels overlap; return its rows and which are barred, too."""
    n_labels = int(codes.max()) + 1
    rows = sort_rows(normalise(points).points, codes, n_labels)
    groups = Groups(np.arange(len(rows.points)), rows.first)
    a, b = (side.astype(np.int64) for side in np.triu_indices(n_labels, 1))
    close = solve_pairs(rows.points, groups, a, b, TAU, 1).status != Status.DISJOINT
    partner = np.zeros((n_labels, n_labels), bool)
    partner[a[close], b[close]] = partner[b[close], a[close]] = True
    assert partner.any(), "the space is linear and would test nothing"
    barred = find_contradictions(rows, TAU).barred
    merged = merge_clusters(
        rows.points, rows.first, rows.original, rows.weight, partner, barred, TAU
    )
    return merged, rows, barred


def assert_textbook(points: np.ndarray, codes: np.ndarray) -> Merged:
    """Assert that clusters, bans and the order of the bans are those of the textbook.

    The textbook tries contradictory points as well, and all that it tries with them is banned.
    """
    merged, rows, barred = merge(points, codes)
    expected = textbook_clustering(points, codes)
    kept_out = set(rows.original[barred].tolist())
    assert [tuple(rows.original[list(ban.slots)].tolist()) for ban in merged.bans] == [
        pair for pair in expected.bans if not kept_out.intersection(pair)
    ]
    numbers = np.unique(merged.cluster_of[rows.row_of], return_inverse=True)[1]
    assert numbers.tolist() == expected.clusters.tolist()
    return merged


def random_space(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points of labels that overlap: normal ones, or a grid with ties and equal points."""
    rng = np.random.default_rng([5, seed])
    codes = np.r_[0, 1, 0, 1, 0, 1, rng.integers(0, 2 + seed % 3 // 2, 22)]
    if seed % 2:
        shape = len(codes), 2 + seed // 2 % 2
        points = rng.integers(0, 5, size=shape) * 1.0
    else:
        points = rng.normal(size=(len(codes), 1 + seed // 2 % 3)) + 0.2 * codes[:, None]
    # A cross in the middle: every two labels overlap.
    arms = np.eye(points.shape[1])[0]
    middle = points.mean(axis=0)
    for label in range(int(codes.max()) + 1):
        points[np.flatnonzero(codes == label)[:2]] = (
            middle + (3.1 + 0.2 * label) * arms,
            middle - (3.2 + 0.1 * label) * arms,
        )
    return points, codes


@pytest.mark.full
@pytest.mark.parametrize("seed", range(30))
def test_whole_merges_are_those_of_the_textbook(seed: int) -> None:
    assert len(assert_textbook(*random_space(seed)).bans) > 0


@dataclass(frozen=True)
class Rooms:
    """How much room merging is given; the least that each may be."""

    bans: int = 1
    conflicts: int = 1
    exempt: int = 1
    log_bytes: int = 0
    direction_bytes: int = 0

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let merging have no more room than this."""
        sizes = iter([self.conflicts, self.bans] * 99)
        certificates, whole, log, columns = (
            agenda.allocate_certificates,
            agenda.allocate_agenda,
            linkage.allocate,
            directions.allocate,
        )

        def with_few_exempt(*given: np.ndarray) -> object:
            return whole(*given)._replace(exempt=np.full((self.exempt, 2), -1))

        monkeypatch.setattr(
            agenda, "allocate_certificates", lambda _, n_dims: certificates(next(sizes), n_dims)
        )
        monkeypatch.setattr(agenda, "allocate_agenda", with_few_exempt)
        monkeypatch.setattr(linkage, "allocate", partial(log, log_bytes=self.log_bytes))
        monkeypatch.setattr(directions, "allocate", partial(columns, n_bytes=self.direction_bytes))


LARGE = 1 << 26
ROOMS = {
    "least": Rooms(),
    "bans": Rooms(1, 256, 256, LARGE, LARGE),
    "few bans": Rooms(3, 256, 256, LARGE, LARGE),
    "conflicts": Rooms(256, 1, 256, LARGE, LARGE),
    "log": Rooms(256, 256, 256, 0, LARGE),
}


@pytest.mark.full
@pytest.mark.parametrize("rooms", ROOMS.values(), ids=ROOMS)
@pytest.mark.parametrize("seed", range(6))
def test_room_that_is_full_changes_nothing(
    seed: int, rooms: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    rooms.use(monkeypatch)
    assert len(assert_textbook(*random_space(seed)).bans) > 1


def assert_same_in_little_room(
    points: np.ndarray, codes: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> Merged:
    """Assert that clusters, bans and their order are the same however little room there is."""
    merged = merge(points, codes)[0]
    for rooms in ROOMS.values():
        with monkeypatch.context() as patch:
            rooms.use(patch)
            found = merge(points, codes)[0]
        assert np.array_equal(found.cluster_of, merged.cluster_of)
        assert [ban.slots for ban in found.bans] == [ban.slots for ban in merged.bans]
    return merged


@pytest.mark.full
@pytest.mark.parametrize(("n_dims", "bans"), [(2, 300), (6, 20)])
def test_many_bans_in_little_room(n_dims: int, bans: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than there is room for at the start, and more merges than the log has entries."""
    rng = np.random.default_rng(4)
    points, codes = rng.normal(size=(500, n_dims)), rng.integers(0, 2, 500)
    assert len(assert_same_in_little_room(points, codes, monkeypatch).bans) > bans


@pytest.mark.slow
def test_real_space(
    shared_space: Callable[[str], dict[str, np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    space = shared_space("ps_layer6")
    X = PCA(16, random_state=0).fit_transform(space["X"].astype(np.float64)).astype(np.float32)
    codes = np.unique(space["role"], return_inverse=True)[1]
    assert len(assert_same_in_little_room(X, codes, monkeypatch).bans) > 0


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
