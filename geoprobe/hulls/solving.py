"""Nearest points of many pairs of groups, over threads, in units of R."""

from __future__ import annotations

import itertools
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geoprobe.geometry.measured import all_pairs
from geoprobe.geometry.pairs import PairwiseDistances, Stage, Status, Supports
from geoprobe.hulls.active_set import WIDE_GAP, face_bound
from geoprobe.hulls.fallback import resolve
from geoprobe.hulls.normalisation import Normalised
from geoprobe.hulls.solver import Solver, decided
from geoprobe.kernels import activeset, nearest, pairs
from geoprobe.kernels.state import Answers, Points, Question, Working
from geoprobe.memory import check_room
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.threads import in_order, single_threaded_blas

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Pairs in one task: enough to keep Python out of the way, few enough to share out evenly.
CHUNK_WORK = 2_000_000
# Steps for each dimension before a first solve gives up.
STEPS_PER_DIM = 200


def pairs_to_measure(labels: IntArray, what: str) -> tuple[IntArray, IntArray]:
    """List the pairs of groups of different labels, if the memory holds their distances.

    Parameters
    ----------
    labels : ndarray of int64, shape (n_groups,)
        Label of each group.
    what : str
        What the groups are, such as "labels".

    Raises
    ------
    InputError
        If it does not, naming what is needed and what is free.
    """
    of_label = np.bincount(labels)
    n_pairs = int(len(labels) ** 2 - np.sum(of_label**2)) // 2
    check_room(n_pairs, f"the distances of {n_pairs:,} pairs of {len(labels):,} {what}")
    return all_pairs(labels)


@dataclass(frozen=True)
class Groups:
    """Sets of rows: group ``g`` is ``rows[start[g]:start[g + 1]]``.

    Attributes
    ----------
    rows : ndarray of int64, shape (n_entries,)
    start : ndarray of int64, shape (n_groups + 1,)
    """

    rows: IntArray
    start: IntArray

    def __len__(self) -> int:
        """Return the number of groups."""
        return len(self.start) - 1

    def __getitem__(self, g: int) -> IntArray:
        """Return the rows of group ``g``."""
        return self.rows[self.start[g] : self.start[g + 1]]

    @property
    def sizes(self) -> IntArray:
        """Number of rows of each group, shape (n_groups,)."""
        return np.diff(self.start)


def group_rows(codes: NDArray[np.integer], n_groups: int) -> Groups:
    """Gather the rows of each code, in ascending order.

    Parameters
    ----------
    codes : ndarray of int, shape (n_points,)
        Values from 0 to ``n_groups - 1``.
    n_groups : int
    """
    return Groups(
        rows=np.argsort(codes, kind="stable").astype(np.int64),
        start=np.r_[0, np.cumsum(np.bincount(codes, minlength=n_groups))].astype(np.int64),
    )


def solve_pairs(
    points: FloatArray,
    groups: Groups,
    first: IntArray,
    second: IntArray,
    threshold: float,
    n_threads: int,
    progress: ProgressCallback | None = None,
    phase: str = "distances",
    solver: Solver | None = None,
    decide: bool = False,
) -> PairwiseDistances:
    """Find distance and certificate of each pair of groups.

    The outcome does not depend on the number of threads: a task is a run of pairs, and every
    pair is solved from scratch.

    Parameters
    ----------
    points : ndarray of float64, shape (n_points, n_dims)
        In the unit ball.
    groups : Groups
    first, second : ndarray of int64, shape (n_pairs,)
        Groups of each pair.
    threshold : float
        Groups at most this far apart overlap.
    n_threads : int
    progress : callable, optional
    phase : str
        What the progress is called.
    solver : Solver, optional
        Asked for every pair by itself, instead of the kernels and their fallback.
    decide : bool, default=False
        Whether a pair is done with once it is proved disjoint or overlapping: its bounds hold, but
        may be far apart.

    Returns
    -------
    PairwiseDistances
        In units of R: ``scale`` is 1 and ``tau`` the threshold; ``names`` number the groups.
    """
    n_pairs = len(first)
    both = Points(points, points.astype(np.float32))
    # Working sets that no task uses at the moment: as many as there are threads, in the end.
    spare: list[Working] = []
    status, stage = np.empty(n_pairs, np.uint8), np.empty(n_pairs, np.uint8)
    lower, upper = np.empty(n_pairs), np.empty(n_pairs)

    def work(task: slice) -> PairAnswers:
        if solver is not None:
            return _ask(solver, points, groups, first[task], second[task], threshold)
        room = spare.pop() if spare else activeset.allocate(points.shape[1])
        answers = _solve(both, groups, first[task], second[task], threshold, room, decide)
        spare.append(room)
        return answers

    supports: list[Supports] = []
    done = 0
    tasks = _tasks(groups, first, second, points.shape[1])
    # Closed whatever happens here: nothing goes on in other threads after an interrupt.
    with closing(in_order(work, tasks, n_threads, long=True)) as all_answers:
        for answers in all_answers:
            part = slice(done, done + len(answers.status))
            status[part], stage[part] = answers.status, answers.stage
            lower[part], upper[part] = answers.lower, answers.upper
            supports.append(answers.supports)
            done = part.stop
            if progress is not None:
                progress(Progress(phase, done, n_pairs))
    return PairwiseDistances(
        names=np.arange(len(groups)),
        first=first,
        second=second,
        lower=lower,
        upper=upper,
        status=status,
        stage=stage,
        supports=Supports.joined(supports),
        scale=1.0,
        tau=threshold,
    )


class PairAnswers(NamedTuple):
    """PairAnswers about a run of pairs; every column has shape (n_pairs,)."""

    status: NDArray[np.uint8]
    stage: NDArray[np.uint8]
    lower: FloatArray
    upper: FloatArray
    supports: Supports


def _tasks(groups: Groups, first: IntArray, second: IntArray, n_dims: int) -> list[slice]:
    """Cut the pairs into runs of about equal work."""
    cost = np.cumsum((groups.sizes[first] + groups.sizes[second]) * n_dims + 2000)
    total = int(cost[-1]) if len(cost) else 0
    number = max(1, min(len(first), total // CHUNK_WORK))
    cuts = np.searchsorted(cost, np.linspace(0, total, number + 1)[1:-1]) + 1
    edges = np.unique(np.r_[0, cuts, len(first)])
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(edges)]


def _solve(
    both: Points,
    groups: Groups,
    first: IntArray,
    second: IntArray,
    threshold: float,
    work: Working,
    decide: bool,
) -> PairAnswers:
    """Solve a run of pairs in the room for a working set, and resolve those that are left open."""
    points = both.float64
    n_pairs = len(first)
    parts: list[Supports] = []
    status = np.empty(n_pairs, np.uint8)
    stage = np.full(n_pairs, Stage.KERNEL, np.uint8)
    lower, upper = np.empty(n_pairs), np.empty(n_pairs)
    question = Question(threshold, decide, STEPS_PER_DIM * (points.shape[1] + 16))
    begin = 0
    while begin < n_pairs:
        out = pairs.allocate(min(n_pairs - begin, 4096), points.shape[1])
        asked = slice(begin, begin + len(out.status))
        done = int(
            pairs.solve_pairs(
                both, groups.rows, groups.start, first[asked], second[asked],
                question, work, out,
            )
        )  # fmt: skip
        parts.append(_supports(out, done))
        answered = slice(begin, begin + done)
        for column, answers in ((status, out.status), (lower, out.lower), (upper, out.upper)):
            column[answered] = answers[:done]
        begin += done
    supports = Supports.joined(parts)
    is_open = status == Status.UNPROVED
    is_wide = (status == Status.DISJOINT) & (upper - lower > WIDE_GAP * upper) & (not decide)
    unsure = np.flatnonzero(is_open | is_wide)
    with single_threaded_blas() if len(unsure) else nullcontext():
        for k in unsure.tolist():
            a, b = points[groups[first[k]]], points[groups[second[k]]]
            (rows_a, weights_a), (rows_b, weights_b) = supports.sides(k)
            w = weights_a @ points[rows_a] - weights_b @ points[rows_b]
            lower[k] = max(lower[k], face_bound(w, a, b, points[rows_a], points[rows_b])[1])
        status[is_open & (lower > threshold)] = Status.DISJOINT
        open_pairs = np.flatnonzero(status == Status.UNPROVED).tolist()
        if open_pairs:
            sides = [(*supports.side_a(k), *supports.side_b(k)) for k in range(n_pairs)]
            for k in open_pairs:
                answer = resolve(points, groups[first[k]], groups[second[k]], threshold)
                status[k], stage[k] = answer.status, answer.stage
                lower[k], upper[k] = answer.lower, answer.upper
                sides[k] = answer.sides
            supports = Supports.of(sides)
    return PairAnswers(status, stage, lower, upper, supports)


def _supports(out: Answers, done: int) -> Supports:
    """Return the supports of the first ``done`` answers, copied."""
    middle, end = out.middle[:done], out.end[:done]
    sizes = np.column_stack([middle - np.r_[0, end[:-1]], end - middle])
    n_entries = int(end[-1])
    row, weight = out.row[:n_entries], out.weight[:n_entries]
    on_a = np.repeat(np.tile([True, False], done), sizes.ravel())
    start = np.concatenate([np.zeros((1, 2), np.int64), np.cumsum(sizes, axis=0)])
    return Supports(
        start_a=start[:, 0],
        index_a=row[on_a],
        weight_a=weight[on_a],
        start_b=start[:, 1],
        index_b=row[~on_a],
        weight_b=weight[~on_a],
    )


def _ask(
    solver: Solver,
    points: FloatArray,
    groups: Groups,
    first: IntArray,
    second: IntArray,
    threshold: float,
) -> PairAnswers:
    """Solve a run of pairs by a solver, one after the other."""
    answers = [
        solver(points, groups[int(a)], groups[int(b)], threshold)
        for a, b in zip(first, second, strict=True)
    ]
    return PairAnswers(
        status=np.array([each.status for each in answers], np.uint8),
        stage=np.array([each.stage for each in answers], np.uint8),
        lower=np.array([each.lower for each in answers], np.float64),
        upper=np.array([each.upper for each in answers], np.float64),
        supports=Supports.of([each.sides for each in answers]),
    )


def proved_in_full(
    distances: PairwiseDistances, groups: Groups, scaled: Normalised
) -> PairwiseDistances:
    """Return answers found among coordinates with bounds that hold in all dimensions.

    The convex weights stay; both bounds are formed anew from the points themselves.

    Parameters
    ----------
    distances : PairwiseDistances
        In units of R, of ``scaled.points``.
    groups : Groups
        Rows of each group.
    scaled : Normalised
    """
    if scaled.basis is None:
        return distances
    full, threshold = scaled.full, distances.tau
    slack = float(nearest.rounding(full.shape[1]))
    lower, upper = distances.lower.copy(), distances.upper.copy()
    status = distances.status.copy()
    for k in range(len(distances)):
        (rows_a, weights_a), (rows_b, weights_b) = distances.supports.sides(k)
        w = weights_a @ full[rows_a] - weights_b @ full[rows_b]
        length = float(np.sqrt(w @ w))
        upper[k] = length + slack
        lower[k] = 0.0
        if upper[k] > threshold:
            a, b = groups[int(distances.first[k])], groups[int(distances.second[k])]
            margin = float((full[a] @ w).min() - (full[b] @ w).max()) / length
            lower[k] = max(0.0, margin - slack)
        status[k] = decided(lower[k], upper[k], threshold)
    return replace(distances, lower=lower, upper=upper, status=status)
