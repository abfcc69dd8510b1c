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

# Points of a pair that have products with each other: their table takes 8 MiB.
MOST_MEMBERS = 1024
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
    each resample, with bounds as close; but R, the unit of ``tau``, is that of all points. They do
    not depend on which other resamples are asked about.

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


class _Side(NamedTuple):
    """The points of one side of a pair, in the order of labels."""

    members: IntArray
    """(n_members,): those that have products, in the order of their rows."""
    rest: IntArray
    """(n_rest,): the others."""
    support: IntArray
    """(n_support,): places among the members of those that carry the nearest points."""
    weights: FloatArray
    """(n_support,): their convex weights."""
    price: FloatArray
    """(n_members,): products with the vector from the other side to this one."""


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
                resamples = np.flatnonzero(is_open[:, k])
                found = self._solve_pair(k, resamples, room)
                solved = found.status == Status.DISJOINT
                closed = resamples[solved]
                lower[closed, k], upper[closed, k] = found.lower[solved], found.upper[solved]
                is_open[closed, k] = False
            self._spare.append(room)
            return len(task)

        done = 0
        answers = in_order(work, tasks, n_threads, long=True)
        with single_threaded_blas(), closing(answers):
            for number in answers:
                done += number
                if progress is not None:
                    progress(Progress("resampling", done, len(asked)))

    def _solve_pair(self, k: int, resamples: IntArray, room: Working) -> SubsetAnswers:
        """Solve the resamples of a pair."""
        a, b = self._sides(k)
        members = len(a.members), len(b.members)
        row = np.concatenate([a.members, b.members, a.rest, b.rest])
        ends = np.cumsum([0, *members, len(a.rest), len(b.rest)])
        support = np.concatenate([a.support, b.support + members[0]])
        weight = np.zeros(ends[2])
        weight[support] = np.concatenate([a.weights, b.weights])
        pair = Pair(
            table=self._table(k, a.members, b.members),
            row=row,
            side=np.repeat([0, 1], members),
            start=ends[:3],
            rest=ends[2:],
            support=support,
            support_start=np.cumsum([0, len(a.support), len(b.support)]),
            weight=weight,
            price=np.concatenate([a.price, b.price]),
            lower=float(self._whole.lower[k]),
            upper=float(self._whole.upper[k]),
        )
        search = SubsetSearch(
            room, np.empty(ends[2]), np.empty(ends[2]), np.empty(ends[2], np.int64)
        )
        n_resamples = len(resamples)
        out = SubsetAnswers(
            np.empty(n_resamples, np.uint8), np.empty(n_resamples), np.empty(n_resamples)
        )
        present = self._present[np.ix_(resamples, row)]
        subsets.solve_subsets(pair, self._points, present, search, self._whole.tau, out)
        return out

    def _sides(self, k: int) -> tuple[_Side, _Side]:
        """Return the points of both sides of a pair; the members are those that lie innermost."""
        labels = int(self._whole.first[k]), int(self._whole.second[k])
        supports = self._supports.side_a(k), self._supports.side_b(k)
        w = sum(
            sign * (weights @ self._points[rows])
            for sign, (rows, weights) in zip((1, -1), supports, strict=True)
        )
        spans = [np.arange(self._start[g], self._start[g + 1]) for g in labels]
        prices = [
            sign * (self._points[span[0] : span[-1] + 1] @ w)
            for sign, span in zip((1, -1), spans, strict=True)
        ]
        chosen = [np.ones(len(span), bool) for span in spans]
        if sum(map(len, spans)) > MOST_MEMBERS:
            outside = [price - price.min() for price in prices]
            limit = np.partition(np.concatenate(outside), MOST_MEMBERS)[MOST_MEMBERS]
            chosen = [each < limit for each in outside]
            for each, span, (rows, _) in zip(chosen, spans, supports, strict=True):
                each[rows - span[0]] = True
        sides = []
        for span, is_member, price, (rows, weights) in zip(
            spans, chosen, prices, supports, strict=True
        ):
            members = span[is_member]
            places = np.searchsorted(members, rows)
            sides.append(_Side(members, span[~is_member], places, weights, price[is_member]))
        return sides[0], sides[1]

    def _table(self, k: int, members_a: IntArray, members_b: IntArray) -> FloatArray:
        """Return the products of all members, as :class:`geoprobe.kernels.state.Pair` has them."""
        n_a, n = len(members_a), len(members_a) + len(members_b)
        table = np.empty((n, n))
        table[:n_a, :n_a] = self._own_products(int(self._whole.first[k]), members_a)
        table[n_a:, n_a:] = self._own_products(int(self._whole.second[k]), members_b)
        across = self._points[members_a] @ self._points[members_b].T
        np.negative(across, out=table[:n_a, n_a:])
        table[n_a:, :n_a] = table[:n_a, n_a:].T
        return table

    def _own_products(self, label: int, members: IntArray) -> FloatArray:
        """Return the products of members of a label with each other, plus 1; kept where few."""
        whole = len(members) == self._start[label + 1] - self._start[label]
        if whole and label in self._products:
            return self._products[label]
        points = self._points[members]
        products: FloatArray = points @ points.T + 1.0
        if whole and len(members) <= MOST_MEMBERS // 2:
            self._products[label] = products
        return products
