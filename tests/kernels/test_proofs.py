"""What kernels take for proved while merging: intervals, disjoint pairs, bounds of float32."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import pytest

from geoprobe.kernels import activeset, agenda, directions, linkage, merging, pool
from geoprobe.kernels.checking import separate_group, solve_pair
from geoprobe.kernels.directions import FLOAT32_SLACK, base_of, separated
from geoprobe.kernels.jit import kernel
from geoprobe.kernels.nearest import DISJOINT, nearest, rounding, rounding32
from geoprobe.kernels.state import Merging, Points, Prices, Question
from geoprobe.probes.candidates import later_neighbours
from tests.support.reference import qp_distance

TAU = 1e-7


@kernel
def extend(state):
    """Merge ahead."""
    merging.extend(state.links, state.directions, state.agenda, state.conflicts, state.bans)


@kernel
def take_back(state):
    """Take back the last merge or ban."""
    merging.take_back(state.links, state.directions, state.agenda)


@kernel
def make_final(state):
    """Make the log final."""
    merging.make_final(state.links, state.directions, state.agenda)


@kernel
def solve(state, a, b):
    """Solve for a pair of slots, and keep what proves it disjoint."""
    links, threshold = state.links, state.threshold
    return solve_pair(
        links, state.directions, state.agenda, state.points, state.pool, a, b, threshold
    )[0]


@kernel
def solve_group(state, slot, others):
    """Try to separate a slot from several of one label at once."""
    number = others.shape[0]
    for m in range(number):
        state.agenda.open_slots[m] = others[m]
    links, threshold = state.links, state.threshold
    return separate_group(
        links, state.directions, state.agenda, state.points, state.pool, slot, number, threshold
    )


@kernel
def list_claims(state, slots, claims):
    """Write which pairs of ``slots`` (n_slots,) known directions are said to separate."""
    links, known = state.links, state.directions
    for m in range(slots.shape[0]):
        for n in range(m):
            a, b = links.label[slots[n]], links.label[slots[m]]
            pair = known.pair[a, b]
            if pair >= 0:
                p = base_of(known, pair, a, b) + known.place[slots[n]]
                q = base_of(known, pair, b, a) + known.place[slots[m]]
                used = min(known.used[pair], known.low.shape[1])
                slack = state.threshold + FLOAT32_SLACK
                claims[n, m] = separated(known, p, q, used, slack)


@kernel
def is_exempt(state, a, b):
    """Return whether a pair of slots counts as proved disjoint."""
    return agenda.is_exempt(state.agenda, a, b)


@kernel
def bound32(n_dims):
    """Return the bound of float32's rounding error."""
    return rounding32(n_dims)


@kernel
def product(a, b):
    """Return a dot product as kernels form it."""
    return activeset.dot(a, b)


def state_of(points: np.ndarray, first: np.ndarray) -> Merging:
    """Return merging about to begin; every two labels count as overlapping."""
    n_labels, n_dims = len(first) - 1, points.shape[1]
    links = linkage.allocate(
        points, first, np.arange(len(points)), np.ones(len(points)), np.ones(n_labels, bool)
    )
    barred = np.zeros(len(points), bool)
    for label in range(n_labels):
        span = slice(first[label], first[label + 1])
        known = later_neighbours(points[span], barred[span])
        linkage.prepare(links, label, barred, known.near, known.bound, known.others)
    return Merging(
        points=Points(points, points.astype(np.float32)),
        links=linkage.with_room(links, 256),
        directions=directions.allocate(links, ~np.eye(n_labels, dtype=bool), n_dims, n_bytes=0),
        agenda=agenda.allocate_agenda(len(points), np.eye(n_dims)),
        pool=pool.allocate_pool(n_dims),
        conflicts=agenda.allocate_certificates(16, n_dims),
        bans=agenda.allocate_certificates(256, n_dims),
        threshold=TAU,
    )


def merge_one(state: Merging) -> None:
    """Merge once, and ban what has to be banned on the way."""
    control = state.agenda.control
    control[agenda.AHEAD] = control[agenda.N_MERGED] + 1
    extend(state)


def add_conflict(state: Merging, rows: list[int], blockers: list[int]) -> None:
    """Let a union of ``rows`` count as overlapping one of ``blockers``."""
    control, conflicts = state.agenda.control, state.conflicts
    c = control[agenda.N_CONFLICTS]
    control[agenda.N_CONFLICTS] += 1
    size = len(rows) + len(blockers)
    conflicts.slots[c] = rows[0]
    conflicts.size[c] = size
    conflicts.row[c, :size] = rows + blockers
    conflicts.side[c, :size] = [0] * len(rows) + [1] * len(blockers)


def is_slot(state: Merging, row: int) -> bool:
    """Return whether a row names a cluster."""
    return bool(state.links.cluster_of[row] == row)


def rounded(ends: np.ndarray) -> np.ndarray:
    """Return by how much ends of intervals may have been rounded to float32."""
    return 0.5 * np.spacing(np.abs(ends)).astype(np.float64) + 1e-13


@dataclass
class Columns:
    """The directions in use, in float64, as they were when each was added."""

    state: Merging
    normals: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    used: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        self.used = self.state.directions.used.copy()

    def note(self) -> None:
        """Note the direction that was added since the last call, if one was."""
        known, scratch = self.state.directions, self.state.pool.sets.scratch
        for pair in np.flatnonzero(known.used != self.used).tolist():
            assert known.used[pair] == self.used[pair] + 1
            column = int(self.used[pair]) % known.low.shape[1]
            length = np.linalg.norm(scratch.w) + rounding(len(scratch.w))
            self.normals[pair, column] = scratch.w / length
        self.used = known.used.copy()

    def lay_out(self) -> Merging:
        """Lay the directions out anew, the oldest first, and return the state with them."""
        before, kept = self.normals, self.state.directions
        known = directions.laid_out(kept, self.state.links)
        self.state, self.normals = self.state._replace(directions=known), {}
        self.used = known.used.copy()
        for pair, number in enumerate(self.used.tolist()):
            for column in range(number):
                old = (int(kept.used[pair]) - number + column) % kept.low.shape[1]
                self.normals[pair, column] = before[pair, old]
        return self.state

    def check(self) -> int:
        """Assert that intervals hold their clusters and claims are true; return how many do."""
        links, known = self.state.links, self.state.directions
        slots, number = np.unique(links.cluster_of, return_inverse=True)
        label = links.label[slots]
        claims = np.zeros((len(slots), len(slots)), bool)
        list_claims(self.state, slots, claims)
        gap = np.full(claims.shape, -np.inf)
        for (pair, column), normal in self.normals.items():
            # Sums in float64 are off by much less than what `rounded` leaves.
            value = self.state.points.float64 @ normal
            least, most = np.full(len(slots), np.inf), np.full(len(slots), -np.inf)
            np.minimum.at(least, number, value)
            np.maximum.at(most, number, value)
            a, b = np.argwhere(np.triu(known.pair == pair))[0]
            one, other = np.flatnonzero(label == a), np.flatnonzero(label == b)
            for own, base in (
                (one, base_of.py_func(known, pair, a, b)),
                (other, base_of.py_func(known, pair, b, a)),
            ):
                low = known.low[base + known.place[slots[own]], column]
                high = known.high[base + known.place[slots[own]], column]
                assert np.all(low <= least[own] + rounded(low)), (pair, column)
                assert np.all(high >= most[own] - rounded(high)), (pair, column)
            apart = np.maximum(least[one][:, None] - most[other], least[other] - most[one][:, None])
            place = np.ix_(one, other)
            gap[place] = np.maximum(gap[place], apart)
        assert np.all(gap[claims] > TAU)
        return int(claims.sum())


def slabs(seed: int, n_dims: int) -> tuple[np.ndarray, np.ndarray]:
    """Return three labels in parallel slabs, so near that float32 cannot tell them apart.

    Any two clusters of different labels are disjoint, in a direction oblique to all axes.
    """
    rng = np.random.default_rng([1, seed])
    first = np.array([0, 20, 45, 65])
    beside = rng.normal(size=(25, n_dims))
    beside *= 0.5 / np.linalg.norm(beside, axis=1).max()
    points = beside[np.concatenate([np.arange(n) for n in np.diff(first)])]
    gap = 2e-7 + 0.5 * bound32(n_dims) * (seed % 3)
    # Points on facing sides lie opposite to each other: the first ones, then those after them.
    for label, (bottom, at_top) in enumerate([(-0.3, [1, 0.5]), (-0.1, [0, 1]), (0.1, [0.5, 0])]):
        height = rng.random(first[label + 1] - first[label])
        height[:5], height[5:10] = at_top
        points[first[label] : first[label + 1], 0] = bottom + 0.5 * gap + height * (0.2 - gap)
    turn = np.linalg.qr(rng.normal(size=(n_dims, n_dims)))[0]
    return np.ascontiguousarray(points @ turn), first


def mixed(seed: int, n_dims: int) -> tuple[np.ndarray, np.ndarray]:
    """Return three labels that overlap."""
    rng = np.random.default_rng([2, seed])
    first = np.array([0, 15, 32, 40])
    points = rng.normal(size=(40, n_dims))
    return points / np.linalg.norm(points, axis=1).max(), first


@pytest.mark.full
@pytest.mark.parametrize(("make", "n_dims"), [(slabs, 3), (slabs, 40), (mixed, 2), (mixed, 5)])
@pytest.mark.parametrize("seed", range(6))
def test_proofs_hold_whatever_is_merged_and_taken_back(
    make: Callable[[int, int], tuple[np.ndarray, np.ndarray]], n_dims: int, seed: int
) -> None:
    """Intervals hold their clusters; what counts as separated or exempt is disjoint."""
    rng = np.random.default_rng([3, seed])
    points, first = make(seed, n_dims)
    state = state_of(points, first)
    # Room for 32 directions of all 130 entries, or for 64 of a few less.
    state.directions.limits[:] = 256, 8 * 63 * 130
    for _ in range(6):
        blockers = rng.choice(np.arange(first[1], first[2]), 2, replace=False).tolist()
        add_conflict(state, rng.choice(first[1], 2, replace=False).tolist(), blockers)
    columns = Columns(state)
    distance: dict[tuple[bytes, bytes], float] = {}
    claims = undone = 0
    for step in range(150):
        slots = np.unique(state.links.cluster_of)
        label = state.links.label[slots]
        chosen = rng.random()
        if chosen < 0.3:
            merge_one(state)
        elif chosen < 0.6:
            for _ in range(rng.integers(1, 4)):
                if state.links.depth[0] > 0:
                    take_back(state)
                    undone += 1
        elif chosen < 0.62:
            make_final(state)
            if rng.random() < 0.5:
                state = columns.lay_out()
        elif chosen < 0.9:
            a, b = rng.choice(3, 2, replace=False)
            pair = rng.choice(slots[label == a]), rng.choice(slots[label == b])
            solve(state, min(pair), max(pair))
        else:
            a, b = rng.choice(3, 2, replace=False)
            others = rng.permutation(slots[label == b])[:5]
            solve_group(state, rng.choice(slots[label == a]), others)
        columns.note()
        claims += columns.check()
        if step % 5 == 0:
            check_exempt(state, distance)
    assert claims > 100 and undone > 20 and state.directions.used.min() > 0


def check_exempt(state: Merging, distance: dict[tuple[bytes, bytes], float]) -> None:
    """Assert that exempt pairs are disjoint; ``distance`` remembers those of pairs met."""
    home, points = state.links.cluster_of, state.points.float64
    for p, q in state.agenda.exempt.tolist():
        if p >= 0 and is_slot(state, p) and is_slot(state, q):
            assert is_exempt(state, p, q)
            key = (home == p).tobytes(), (home == q).tobytes()
            if key not in distance:
                distance[key] = qp_distance(points[home == p], points[home == q])
            assert distance[key] > TAU


def test_fewer_clusters_leave_room_for_more_directions() -> None:
    points, first = mixed(0, 5)
    state = state_of(points, first)
    state.directions.limits[:] = 256, 8 * 63 * 80
    columns = Columns(state)
    for step in range(40):
        a, b = step % 15, 15 + step % 17
        solve(state, a, b)
        columns.note()
    for _ in range(3):
        merge_one(state)
    make_final(state)
    state = columns.lay_out()
    assert state.directions.low.shape == (2 * (40 - 3), 64)
    assert state.directions.used[state.directions.pair[0, 1]] == len(columns.normals) > 1
    assert columns.check() > 0


def test_exempt_until_one_of_the_two_grows() -> None:
    """A pair that was disjoint before a merge was taken back still is."""
    points = np.array([[0, 0], [1, 0], [3, 0], [9, 0], [0, 5], [1, 5.5]]) / 10.0
    state = state_of(points, np.array([0, 4, 6]))
    assert solve(state, 0, 4) == solve(state, 2, 4) == DISJOINT
    assert is_exempt(state, 0, 4) and is_exempt(state, 2, 4) and not is_exempt(state, 0, 5)
    merge_one(state)
    assert state.links.cluster_of.tolist() == [0, 0, 2, 3, 4, 5]
    assert not is_exempt(state, 0, 4) and is_exempt(state, 2, 4)
    assert solve(state, 0, 4) == DISJOINT
    take_back(state)
    assert is_exempt(state, 0, 4) and is_exempt(state, 2, 4)
    merge_one(state)
    assert not is_exempt(state, 0, 4)
    take_back(state)
    assert not is_exempt(state, 0, 4) and is_exempt(state, 2, 4)


def test_only_the_latest_pairs_stay_exempt() -> None:
    state = state_of(np.eye(6) / 2, np.array([0, 3, 6]))
    number = len(state.agenda.exempt)
    for other in range(number):
        agenda.exempt(state.agenda, 1000 + other, 3)
    assert is_exempt(state, 3, 1000)
    agenda.exempt(state.agenda, 0, 4)
    assert not is_exempt(state, 3, 1000) and is_exempt(state, 3, 1001) and is_exempt(state, 0, 4)


def adversarial(kind: str, n_dims: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a point in the ball and a unit vector whose product float32 gets wrong."""
    if kind == "mixed signs":
        x, w = rng.normal(size=(2, n_dims))
    elif kind == "one sign":
        x = w = 1.0 + 0.3 * rng.random(n_dims)
    elif kind == "half a unit":
        # Every factor, and with it every product, is rounded the same way by nearly half a unit.
        x = w = (1.0 + 2.0**-24 * (1 - 2.0**-20)) * np.ones(n_dims)
    elif kind == "one large":
        x = w = np.r_[1.0, np.full(n_dims - 1, 2.0**-12.5)]
    elif kind == "cancelling":
        x = w = np.exp(rng.normal(size=n_dims) * 3)
        w = w * rng.choice([-1.0, 1.0], n_dims)
    else:
        x, w = np.exp(-40 * rng.random((2, n_dims)))
    return x / np.linalg.norm(x) * (1 - 1e-15), w / np.linalg.norm(w)


KINDS = ["mixed signs", "one sign", "half a unit", "one large", "cancelling", "tiny"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_dims", [1, 2, 7, 64, 900])
def test_float32_bound_holds(kind: str, n_dims: int) -> None:
    """Whatever the order of the sum: as kernels form it, from the left, and by halves."""
    rng = np.random.default_rng([4, n_dims])
    worst = 0.0
    for _ in range(5):
        x, w = adversarial(kind, n_dims, rng)
        exact = sum(Fraction(a) * Fraction(b) for a, b in zip(x.tolist(), w.tolist(), strict=True))
        x32, w32 = x.astype(np.float32), w.astype(np.float32)
        terms = x32 * w32
        for found in (product(x32, w32), np.cumsum(terms)[-1], np.cumsum(terms[::-1])[-1]):
            worst = max(worst, abs(float(Fraction(float(found)) - exact)))
    assert 0 < worst <= bound32(n_dims) or n_dims == 1
    assert worst <= bound32(n_dims)


@pytest.mark.parametrize("n_dims", [2, 30, 300])
@pytest.mark.parametrize("seed", range(8))
def test_disjoint_by_float32_is_disjoint(seed: int, n_dims: int) -> None:
    """Hulls about as far apart as float32 can just tell; exact products confirm the bound."""
    rng = np.random.default_rng([5, seed, n_dims])
    limit = TAU + 2.0 * bound32(n_dims)
    proved = 0
    for share in (0.2, 0.9, 0.99, 1.01, 1.1, 1.5, 4.0):
        gap = share * limit
        points = rng.normal(size=(24, n_dims))
        points *= 0.6 / np.linalg.norm(points, axis=1).max()
        points[12:] = points[:12]
        points[:12, 0] = 0.5 * gap + np.abs(points[:12, 0]) * (np.arange(12) > 3)
        points[12:, 0] = -0.5 * gap - np.abs(points[12:, 0]) * (np.arange(12) > 3)
        points = np.ascontiguousarray(points @ np.linalg.qr(rng.normal(size=(n_dims,) * 2))[0])
        work = activeset.allocate(n_dims)
        given = Points(points, points.astype(np.float32))
        question = Question(TAU, np.bool_(True), np.int64(100 * (n_dims + 16)))
        rows_a, rows_b = np.arange(12), np.arange(12, 24)
        status, lower, upper = nearest(given, rows_a, rows_b, work, question)
        assert status == DISJOINT
        assert TAU < lower <= exact_gap(points, work.scratch.w) <= upper
        cold = activeset.allocate(n_dims)
        exact = Question(TAU, np.bool_(False), question.max_steps)
        assert nearest(given, rows_a, rows_b, cold, exact)[0] == DISJOINT
        # What is left to the true gap tells which precision the proof was in.
        proved += exact_gap(points, work.scratch.w) - lower > 0.5 * bound32(n_dims)
    assert 0 < proved < 7


def exact_gap(points: np.ndarray, w: np.ndarray) -> float:
    """Return the gap of the first 12 points and the others along ``w``, rounded once."""
    normal = [Fraction(step) for step in w.tolist()]
    heights = [
        sum(Fraction(step) * own for step, own in zip(point, normal, strict=True))
        for point in points.tolist()
    ]
    gap = min(heights[:12]) - max(heights[12:])
    return float(gap) / float(np.sqrt(float(sum(step * step for step in normal))))


@kernel
def add_along(state, rows_a, rows_b, error):
    """Keep the direction in ``w``, as a solve does whose prices, of length 1, err by ``error``."""
    work = pool.working_set(state.pool, 0)
    prices = state.agenda.prices
    price = prices.price[: rows_a.shape[0] + rows_b.shape[0]]
    for m in range(price.shape[0]):
        row = rows_a[m] if m < rows_a.shape[0] else rows_b[m - rows_a.shape[0]]
        price[m] = activeset.dot(state.points.float64[row], work.scratch.w)
    prices.error[0] = error
    known = Prices(
        price,
        prices.candidates,
        prices.n_listed,
        prices.float32_first,
        prices.last_look,
        prices.error,
    )
    links, sides = state.links, (rows_a, rows_b)
    directions.add_direction(
        links=links,
        directions=state.directions,
        points=state.points,
        pair=np.int64(0),
        sides=sides,
        work=work,
        prices=known,
        length=1.0,
    )


@pytest.mark.parametrize("n_clusters", [1, 2])
def test_clusters_of_a_group_that_lie_back_have_prices_in_float32(n_clusters: int) -> None:
    """Float64 looks at the foremost points only, and another cluster may have none of them."""
    n_dims = 64
    points = np.zeros((4, n_dims))
    points[:, 0] = [0.5, 0.2, 0.1, -0.3]
    state = state_of(points, np.array([0, 1, 4]))
    state.pool.sets.scratch.w[:] = np.eye(n_dims)[0]
    rows_b = np.arange(1, 1 + n_clusters)
    add_along(state, np.array([0]), rows_b, 1e-14)
    known = state.directions
    entries = base_of.py_func(known, 0, 1, 0) + known.place[[1, 2, 3]]
    wide = 0.5 * bound32(n_dims)
    above = known.high[entries, 0] - points[1:, 0]
    assert list(above > wide) == [n_clusters > 1, True, True]
