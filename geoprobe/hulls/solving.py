"""Nearest points of many pairs of groups, over threads, in the frame's units."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoprobe.hulls.arbiter import look_closer, upright_bound
from geoprobe.hulls.results import Stage, Status, Supports
from geoprobe.kernels import activeset, pairs
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.threads import in_order

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Pairs in one task: enough to keep Python out of the way, few enough to share out evenly.
CHUNK_WORK = 200_000
# A relative gap of the bounds that is worth a second look at the hyperplane.
WIDE_GAP = 1e-8


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


@dataclass(frozen=True)
class Solved:
    """Answers about many pairs, in the frame's units; every column has shape (n_pairs,)."""

    status: NDArray[np.uint8]
    stage: NDArray[np.uint8]
    lower: FloatArray
    upper: FloatArray
    supports: Supports
    highs_calls: int


def solve_pairs(
    points: FloatArray,
    groups: Groups,
    first: IntArray,
    second: IntArray,
    threshold: float,
    n_threads: int,
    progress: ProgressCallback | None = None,
    phase: str = "distances",
) -> Solved:
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
    """
    tasks = _tasks(groups, first, second, points.shape[1])
    done = 0
    parts: list[_Part] = []

    rough = points.astype(np.float32)

    def work(task: slice) -> _Part:
        return _solve(points, rough, groups, first[task], second[task], threshold)

    for part in in_order(work, tasks, n_threads):
        parts.append(part)
        done += len(part.status)
        if progress is not None:
            progress(Progress(phase, done, len(first)))
    return _joined(parts)


def _tasks(groups: Groups, first: IntArray, second: IntArray, n_dims: int) -> list[slice]:
    """Cut the pairs into runs of about equal work."""
    cost = np.cumsum((groups.sizes[first] + groups.sizes[second]) * n_dims + 2000)
    total = int(cost[-1]) if len(cost) else 0
    number = max(1, min(len(first), total // CHUNK_WORK))
    cuts = np.searchsorted(cost, np.linspace(0, total, number + 1)[1:-1]) + 1
    edges = np.unique(np.r_[0, cuts, len(first)])
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(edges)]


@dataclass(frozen=True)
class _Part:
    """Answers of one task, with the supports end to end."""

    status: NDArray[np.uint8]
    stage: NDArray[np.uint8]
    lower: FloatArray
    upper: FloatArray
    sizes_a: IntArray
    sizes_b: IntArray
    entries_a: tuple[IntArray, FloatArray]
    entries_b: tuple[IntArray, FloatArray]
    highs_calls: int


def _solve(
    points: FloatArray,
    rough: NDArray[np.float32],
    groups: Groups,
    first: IntArray,
    second: IntArray,
    threshold: float,
) -> _Part:
    """Solve a run of pairs, and look closer at what is left open."""
    work = activeset.allocate(points.shape[1])
    w = np.empty(points.shape[1])
    supports: list[tuple[IntArray, FloatArray, IntArray, FloatArray]] = []
    columns: list[tuple[NDArray[np.uint8], FloatArray, FloatArray]] = []
    begin = 0
    while begin < len(first):
        out = pairs.allocate(min(len(first) - begin, 4096), points.shape[1])
        some = slice(begin, begin + len(out.status))
        done = int(
            pairs.solve_pairs(
                points, rough, groups.rows, groups.start, first[some], second[some],
                threshold, work, w, out,
            )
        )  # fmt: skip
        edge = 0
        for k in range(done):
            middle, end = int(out.middle[k]), int(out.end[k])
            supports.append(
                (
                    out.row[edge:middle],
                    out.weight[edge:middle],
                    out.row[middle:end],
                    out.weight[middle:end],
                )
            )
            edge = end
        columns.append((out.status[:done], out.lower[:done], out.upper[:done]))
        begin += done
    status = np.concatenate([c[0] for c in columns])
    lower = np.concatenate([c[1] for c in columns])
    upper = np.concatenate([c[2] for c in columns])
    stage = np.full(len(status), Stage.KERNEL, np.uint8)
    open_pairs = np.flatnonzero(status == Status.UNPROVED).tolist()
    for k in open_pairs:
        verdict = look_closer(points, groups[first[k]], groups[second[k]], threshold)
        status[k], stage[k] = verdict.status, verdict.stage
        lower[k], upper[k] = verdict.lower, verdict.upper
        supports[k] = verdict.rows_a, verdict.weights_a, verdict.rows_b, verdict.weights_b
    wide = (status == Status.DISJOINT) & (upper - lower > WIDE_GAP * upper)
    for k in np.flatnonzero(wide).tolist():
        a, b = points[groups[first[k]]], points[groups[second[k]]]
        rows_a, weights_a, rows_b, weights_b = supports[k]
        w = weights_a @ points[rows_a] - weights_b @ points[rows_b]
        lower[k] = max(lower[k], upright_bound(w, a, b, points[rows_a], points[rows_b]))
    return _Part(
        status=status,
        stage=stage,
        lower=lower,
        upper=upper,
        sizes_a=np.array([len(s[0]) for s in supports], np.int64),
        sizes_b=np.array([len(s[2]) for s in supports], np.int64),
        entries_a=_end_to_end([s[0] for s in supports], [s[1] for s in supports]),
        entries_b=_end_to_end([s[2] for s in supports], [s[3] for s in supports]),
        highs_calls=int((stage == Stage.HIGHS).sum()),
    )


def _end_to_end(
    rows: Sequence[IntArray], weights: Sequence[FloatArray]
) -> tuple[IntArray, FloatArray]:
    """Join rows and weights, each also where there are none."""
    return (
        np.concatenate([np.empty(0, np.int64), *rows]),
        np.concatenate([np.empty(0), *weights]),
    )


def _joined(parts: Sequence[_Part]) -> Solved:
    """Join the answers of all tasks."""
    if not parts:
        none = np.empty(0, np.uint8)
        return Solved(none, none, np.empty(0), np.empty(0), supports_from([]), 0)
    rows_a, weights_a = _end_to_end(
        [p.entries_a[0] for p in parts], [p.entries_a[1] for p in parts]
    )
    rows_b, weights_b = _end_to_end(
        [p.entries_b[0] for p in parts], [p.entries_b[1] for p in parts]
    )
    return Solved(
        status=np.concatenate([p.status for p in parts]),
        stage=np.concatenate([p.stage for p in parts]),
        lower=np.concatenate([p.lower for p in parts]),
        upper=np.concatenate([p.upper for p in parts]),
        supports=Supports(
            start_a=np.r_[0, np.cumsum(np.concatenate([p.sizes_a for p in parts]))],
            index_a=rows_a,
            weight_a=weights_a,
            start_b=np.r_[0, np.cumsum(np.concatenate([p.sizes_b for p in parts]))],
            index_b=rows_b,
            weight_b=weights_b,
        ),
        highs_calls=sum(p.highs_calls for p in parts),
    )


def supports_from(
    sides: Sequence[tuple[IntArray, FloatArray, IntArray, FloatArray]],
) -> Supports:
    """Store certificates, each (rows, weights, rows, weights), end to end."""
    index_a, weight_a = _end_to_end([s[0] for s in sides], [s[1] for s in sides])
    index_b, weight_b = _end_to_end([s[2] for s in sides], [s[3] for s in sides])
    return Supports(
        start_a=np.cumsum([0, *(len(s[0]) for s in sides)], dtype=np.int64),
        index_a=index_a,
        weight_a=weight_a,
        start_b=np.cumsum([0, *(len(s[2]) for s in sides)], dtype=np.int64),
        index_b=index_b,
        weight_b=weight_b,
    )
