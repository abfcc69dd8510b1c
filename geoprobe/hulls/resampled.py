"""Distances of the hulls of labels in many resamples of the points, from what all points say.

A resample has the hulls of its different points, which are subsets of the hulls of all points. The
nearest points of two hulls stay where they are in every subset that has the points that carry
them: no solve is needed. Otherwise the search begins with those that are left, and goes on among
products of points, which all resamples of a pair of labels share (:mod:`geoprobe.kernels.subsets`).
Whatever that leaves open is solved from scratch.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geoprobe.arrays import as_labels, as_points
from geoprobe.errors import InputError
from geoprobe.geometry.pairs import PairwiseDistances, Status
from geoprobe.hulls.normalisation import Normalised, normalise
from geoprobe.hulls.solving import Groups, group_rows, pairs_to_measure, proved_in_full, solve_pairs
from geoprobe.kernels import activeset, subsets
from geoprobe.kernels.state import Pair, SubsetAnswers, SubsetSearch, Working
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.threads import checked_threads, in_order, single_threaded_blas
from geoprobe.tolerances import TAU, checked_tau

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

# Points of a pair that have products with each other at first, and in the end: tables of 8 and of
# 32 MiB.
MOST_MEMBERS = 1024
LARGEST_TABLE = 2048
# Passes over the resamples of a pair, each with more products than the one before.
PASSES = 4
# Pairs in one task.
TASK = 8


@dataclass(frozen=True, eq=False)
class ResampledHulls:
    """Distances of the hulls of labels, of all points and of resamples.

    Attributes
    ----------
    whole : PairwiseDistances
        Of all points, with certificates.
    lower, upper : ndarray of float64, shape (n_resamples, n_pairs)
        Bounds of the distance of each pair of ``whole`` in each resample, in the units of the
        points; NaN where a label of the pair is absent.
    distance : ndarray of float64, shape (n_resamples, n_pairs)
        ``upper``, or 0 where the hulls are proved to overlap.
    """

    whole: PairwiseDistances
    lower: FloatArray
    upper: FloatArray
    distance: FloatArray


def resampled_hull_distances(
    X: Any,
    y: Any,
    resamples: Sequence[Any] | NDArray[Any],
    *,
    tau: float = TAU,
    n_threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> ResampledHulls:
    """Distances of the convex hulls of all pairs of labels in resamples of the points.

    The distances are those that :func:`geoprobe.pairwise_hull_distances` finds for the points of
    each resample, with bounds as close; but R, the unit of ``tau``, is that of all points. Which
    other resamples are asked about changes last bits at most, of pairs of more than 1,024 points.

    Parameters
    ----------
    X : array-like, shape (n_points, n_dims)
    y : array-like, shape (n_points,)
    resamples : sequence of arrays of int, or array of bool, shape (n_resamples, n_points)
        The rows of each resample, or which points it has. A row that is drawn twice is there.
    tau : float, default=1e-7
        Hulls at most ``tau * R`` apart overlap, R the largest distance of a point to the mean.
    n_threads : int, optional
        All processors by default; the outcome does not depend on it.
    progress : callable, optional
        Called with a :class:`geoprobe.progress.Progress` now and then.

    Returns
    -------
    ResampledHulls

    Raises
    ------
    InputError
        If an array cannot be used, there is only one label, or a row is none of the points.
    """
    points = as_points(X)
    names, codes = as_labels(y, len(points), min_labels=2)
    tau = checked_tau(tau)
    threads = checked_threads(n_threads)
    present = as_presence(resamples, len(points))
    scaled = normalise(points)
    groups = group_rows(codes, len(names))
    first, second = pairs_to_measure(np.arange(len(names)), "labels")
    whole = solve_pairs(scaled.points, groups, first, second, tau, threads, progress, "labels")
    whole = proved_in_full(whole, groups, scaled)
    has_label = np.stack([present[:, groups[g]].any(axis=1) for g in range(len(names))], axis=1)
    absent = ~(has_label[:, first] & has_label[:, second])
    lower, upper, is_open = _reuse(whole, present, absent)
    family = _Family(scaled, groups, whole, present)
    family.solve(lower, upper, is_open, threads, progress)
    for k in np.flatnonzero(is_open.any(axis=1)).tolist():
        left = np.flatnonzero(is_open[k])
        rows = np.flatnonzero(present[k])
        own = group_rows(codes[rows], len(names))
        own = Groups(rows[own.rows], own.start)
        solved = solve_pairs(scaled.points, own, first[left], second[left], tau, threads)
        solved = proved_in_full(solved, own, scaled)
        lower[k, left], upper[k, left] = solved.lower, solved.upper
    return ResampledHulls(
        whole=whole.in_units(scaled.scale, tau, names),
        lower=lower * scaled.scale,
        upper=upper * scaled.scale,
        distance=np.where(upper <= tau, 0.0, upper) * scaled.scale,
    )


def as_presence(resamples: Sequence[Any] | NDArray[Any], n_points: int) -> BoolArray:
    """Return which points each resample has, shape (n_resamples, n_points).

    Parameters
    ----------
    resamples : sequence of arrays of int, or array of bool, shape (n_resamples, n_points)
    n_points : int

    Raises
    ------
    InputError
        If there is no resample, or one names a row that is none of the points.
    """
    if len(resamples) == 0:
        raise InputError("there are no resamples: expected at least one array of rows.")
    present = np.zeros((len(resamples), n_points), bool)
    for k, given in enumerate(resamples):
        rows = np.asarray(given)
        if rows.dtype == bool and rows.shape == (n_points,):
            present[k] = rows
        elif rows.ndim == 1 and rows.dtype.kind in "iu":
            if len(rows) and not (0 <= rows.min() and rows.max() < n_points):
                raise InputError(
                    f"resample {k} names the rows {rows.min()} to {rows.max()}, but there are "
                    f"{n_points} points."
                )
            present[k, rows] = True
        else:
            raise InputError(
                f"resample {k} should be rows of the points, or {n_points} truth values, but it "
                f"has dtype {rows.dtype} and shape {rows.shape}."
            )
    return present


def _reuse(
    whole: PairwiseDistances, present: BoolArray, absent: BoolArray
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return the bounds of pairs that have all of their support, and which pairs are left open.

    Of what is not known the bounds are NaN; absent pairs are not open.
    """
    supports = whole.supports
    lost = _lost(present, supports.index_a, supports.start_a)
    lost |= _lost(present, supports.index_b, supports.start_b)
    lower = np.where(lost | absent, np.nan, whole.lower)
    upper = np.where(lost | absent, np.nan, whole.upper)
    return lower, upper, lost & ~absent


def _lost(present: BoolArray, index: IntArray, start: IntArray) -> BoolArray:
    """Return which certificates lack a point in which resample, (n_resamples, n_certificates)."""
    return np.stack([np.logical_or.reduceat(~row[index], start[:-1]) for row in present])


class _Sides(NamedTuple):
    """The points of a pair of labels: those of the first, then those of the second."""

    labels: tuple[int, int]
    rows: IntArray
    """(n_points,): in the order of labels."""
    n_first: int
    support: IntArray
    """(n_support,): places of the points that carry the nearest points of all."""
    n_support_first: int
    weight: FloatArray
    """(n_points,): convex weights."""
    price: FloatArray
    """(n_points,): products of signed points with the vector between the nearest points of all."""


class _Family:
    """All resamples of all pairs of labels, solved pair by pair."""

    def __init__(
        self, scaled: Normalised, groups: Groups, whole: PairwiseDistances, present: BoolArray
    ) -> None:
        self._points = scaled.full[groups.rows]
        self._present = present[:, groups.rows]
        self._start = groups.start
        self._whole = whole
        place = np.empty(len(groups.rows), np.int64)
        place[groups.rows] = np.arange(len(place))
        self._supports = whole.supports.of_rows(place)
        self._products: dict[int, FloatArray] = {}
        # Room that no task uses at the moment.
        self._spare: list[Working] = []
        # What lies in few dimensions of many is proved by solves from scratch.
        self._possible = (whole.status == Status.DISJOINT) & (scaled.basis is None)

    def solve(
        self,
        lower: FloatArray,
        upper: FloatArray,
        is_open: BoolArray,
        n_threads: int,
        progress: ProgressCallback | None,
    ) -> None:
        """Close what products lead to the end of: bounds and what is open are changed in place."""
        asked = np.flatnonzero(is_open.any(axis=0) & self._possible)
        tasks = [asked[begin : begin + TASK] for begin in range(0, len(asked), TASK)]

        def work(task: IntArray) -> int:
            room = self._spare.pop() if self._spare else activeset.allocate(self._points.shape[1])
            for k in task.tolist():
                sides = self._sides(k)
                is_member = _innermost(sides)
                for _ in range(PASSES):
                    left = np.flatnonzero(is_open[:, k])
                    found, crossed = self._solve_pair(k, sides, is_member, left, room)
                    solved = found.status == Status.DISJOINT
                    lower[left[solved], k] = found.lower[solved]
                    upper[left[solved], k] = found.upper[solved]
                    is_open[left[solved], k] = False
                    if solved.all() or not crossed.any():
                        break
                    is_member |= crossed
            self._spare.append(room)
            return len(task)

        done = 0
        answers = in_order(work, tasks, n_threads, long=True)
        with single_threaded_blas(), closing(answers):
            for number in answers:
                done += number
                if progress is not None:
                    progress(Progress("resampling", done, len(asked)))

    def _sides(self, k: int) -> _Sides:
        """Return the points of a pair, and what all of them say."""
        labels = int(self._whole.first[k]), int(self._whole.second[k])
        spans = [slice(self._start[g], self._start[g + 1]) for g in labels]
        (rows_a, weights_a), (rows_b, weights_b) = self._supports.sides(k)
        w = weights_a @ self._points[rows_a] - weights_b @ self._points[rows_b]
        rows = np.concatenate([np.arange(span.start, span.stop) for span in spans])
        support = np.searchsorted(rows, np.concatenate([rows_a, rows_b]))
        weight = np.zeros(len(rows))
        weight[support] = np.concatenate([weights_a, weights_b])
        price = np.concatenate([self._points[spans[0]] @ w, -(self._points[spans[1]] @ w)])
        n_first = int(spans[0].stop - spans[0].start)
        return _Sides(labels, rows, n_first, support, len(rows_a), weight, price)

    def _solve_pair(
        self, k: int, sides: _Sides, is_member: BoolArray, resamples: IntArray, room: Working
    ) -> tuple[SubsetAnswers, BoolArray]:
        """Solve resamples of a pair; return the answers, and which points stood in the way."""
        members, rest = np.flatnonzero(is_member), np.flatnonzero(~is_member)
        order = np.concatenate([members, rest])
        start = np.array([0, np.searchsorted(members, sides.n_first), len(members)])
        end = np.array([0, np.searchsorted(rest, sides.n_first), len(rest)]) + len(members)
        pair = Pair(
            table=self._table(sides, members, int(start[1])),
            row=sides.rows[order],
            side=np.repeat([0, 1], np.diff(start)),
            start=start,
            rest=end,
            support=np.searchsorted(members, sides.support),
            support_start=np.array([0, sides.n_support_first, len(sides.support)]),
            weight=sides.weight[members],
            price=sides.price[members],
            lower=float(self._whole.lower[k]),
            upper=float(self._whole.upper[k]),
        )
        places = np.empty(len(members), np.int64)
        search = SubsetSearch(room, np.empty(len(members)), np.empty(len(members)), places)
        number = len(resamples)
        out = SubsetAnswers(np.empty(number, np.uint8), np.empty(number), np.empty(number))
        crossed = np.zeros(len(order), np.int64)
        present = self._present[np.ix_(resamples, pair.row)]
        threshold = self._whole.tau
        subsets.solve_subsets(pair, self._points, present, search, threshold, crossed, out)
        # More points than there is room for: those that stood in the way the most often.
        often = np.argsort(-crossed, kind="stable")[: max(0, LARGEST_TABLE - len(members))]
        stood = np.zeros(len(order), bool)
        stood[order[often]] = crossed[often] > 0
        return out, stood

    def _table(self, sides: _Sides, members: IntArray, n_first: int) -> FloatArray:
        """Return the products of members, as :class:`geoprobe.kernels.state.Pair` has them."""
        rows_a, rows_b = np.split(sides.rows[members], [n_first])
        table = np.empty((len(members), len(members)))
        table[:n_first, :n_first] = self._own_products(sides.labels[0], rows_a)
        table[n_first:, n_first:] = self._own_products(sides.labels[1], rows_b)
        across = self._points[rows_a] @ self._points[rows_b].T
        np.negative(across, out=table[:n_first, n_first:])
        table[n_first:, :n_first] = table[:n_first, n_first:].T
        return table

    def _own_products(self, label: int, rows: IntArray) -> FloatArray:
        """Return the products of points of a label with each other, plus 1; kept where few."""
        whole = len(rows) == self._start[label + 1] - self._start[label]
        if whole and label in self._products:
            return self._products[label]
        points = self._points[rows]
        products: FloatArray = points @ points.T + 1.0
        if whole and len(rows) <= MOST_MEMBERS // 2:
            self._products[label] = products
        return products


def _innermost(sides: _Sides) -> BoolArray:
    """Return which points of a pair have products at first: those that are the closest to crossing.

    The points that carry the distance are always among them.
    """
    if len(sides.rows) <= MOST_MEMBERS:
        return np.ones(len(sides.rows), bool)
    first, second = np.split(sides.price, [sides.n_first])
    behind = np.concatenate([first - first.min(), second - second.min()])
    behind[sides.support] = -1.0
    limit = np.partition(behind, MOST_MEMBERS)[MOST_MEMBERS]
    is_member: BoolArray = (behind < limit) | (behind < 0.0)
    return is_member
