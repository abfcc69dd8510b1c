"""Clustering of a space: labels, merging, distances, and what keeps clusters apart."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geoprobe.geometry.clusters import Blocks, Clusters, Counts
from geoprobe.geometry.pairs import PairwiseDistances, Status, Supports
from geoprobe.hulls.normalisation import Normalised
from geoprobe.hulls.solver import Solver
from geoprobe.hulls.solving import Groups, group_rows, pairs_to_measure, proved_in_full, solve_pairs
from geoprobe.probes.ahead import compile_ahead, wait_for_kernels
from geoprobe.probes.merging import Ban, Merged, merge_clusters
from geoprobe.probes.sorting import Contradictions, SortedRows, find_contradictions, sort_rows
from geoprobe.probes.textbook import merge_literally
from geoprobe.progress import ProgressCallback

IntArray = NDArray[np.int64]

Side = tuple[IntArray, NDArray[np.float64]]


def find_blocks(
    rows: SortedRows,
    cluster_of: IntArray,
    cluster_labels: IntArray,
    bans: Sequence[Ban],
    contradictions: Contradictions,
    scale: float,
) -> Blocks:
    """Give every pair of clusters of one label the certificate that keeps it apart.

    A ban found early holds for every superset: the point that its two hulls share stays in them.

    Parameters
    ----------
    rows : SortedRows
    cluster_of : ndarray of int64, shape (n_rows,)
        Cluster id of each row.
    cluster_labels : ndarray of int64, shape (n_clusters,)
        Label code of each cluster.
    bans : sequence of Ban
    contradictions : Contradictions
    scale : float
        R, to put gaps into the units of the points.
    """
    sides: list[tuple[Side, Side]] = []
    proof: dict[tuple[int, int], int] = {}
    lonely: dict[int, int] = {}
    for row in np.flatnonzero(contradictions.barred).tolist():
        lonely[int(cluster_of[row])] = len(sides)
        one = np.ones(1)
        sides.append(((np.array([row]), one), (contradictions.other[row : row + 1], one)))
    for ban in bans:
        i, j = (int(cluster_of[slot]) for slot in ban.slots)
        pair = (min(i, j), max(i, j))
        if pair not in proof:
            proof[pair] = len(sides)
            sides.append(((ban.rows, ban.weights), (ban.blocker_rows, ban.blocker_weights)))

    first: list[int] = []
    second: list[int] = []
    certificate: list[int] = []
    for label in np.unique(cluster_labels):
        clusters = np.flatnonzero(cluster_labels == label)
        for i, j in itertools.combinations(clusters.tolist(), 2):
            number = lonely.get(i, lonely.get(j, -1))
            first.append(i)
            second.append(j)
            certificate.append(number if number >= 0 else proof[i, j])

    used, position_of = np.unique(np.array(certificate, np.int64), return_inverse=True)
    kept = [sides[k] for k in used]
    gaps = np.array([_gap(rows, side, scale) for side in kept])
    blockers = np.array([cluster_of[b[0][0]] for _, b in kept], np.int64)
    supports = Supports.of(
        [(rows.original[a[0]], a[1], rows.original[b[0]], b[1]) for a, b in kept]
    )
    return Blocks(
        first=np.array(first, np.int64),
        second=np.array(second, np.int64),
        blocker=blockers[position_of] if len(kept) else np.empty(0, np.int64),
        gap=gaps[position_of] if len(kept) else np.empty(0),
        certificate=position_of.astype(np.int64),
        supports=supports,
    )


def _gap(rows: SortedRows, sides: tuple[Side, Side], scale: float) -> float:
    """Length between the two convex combinations, in the units of the points."""
    (a, weights_a), (b, weights_b) = sides
    apart = weights_a @ rows.points[a] - weights_b @ rows.points[b]
    return float(np.sqrt(apart @ apart)) * scale


FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


class ClusteredSpace(NamedTuple):
    """What clustering finds out about a space, in the units of its points."""

    hulls: PairwiseDistances
    """Distances of the hulls of whole labels; supports speak of the rows given."""
    clusters: Clusters
    counters: Counts
    timings: dict[str, float]
    """Seconds in each phase."""


def cluster_space(
    scaled: Normalised,
    codes: NDArray[np.integer],
    n_labels: int,
    tau: float,
    n_threads: int,
    progress: ProgressCallback | None = None,
    solver: Solver | None = None,
) -> ClusteredSpace:
    """Find the clusters of a space, measure them and say what keeps them apart.

    Parameters
    ----------
    scaled : Normalised
        The points, centred and scaled.
    codes : ndarray of int, shape (n_points,)
        Label of each point, from 0 to ``n_labels - 1``.
    n_labels : int
    tau : float
    n_threads : int
    progress : callable, optional
    solver : Solver, optional
        Decides about every merge by itself, instead of the kernels: a second opinion. Distances
        are measured by the kernels all the same.

    Raises
    ------
    UnprovedError
        If a pair of clusters can neither be told apart nor be shown to overlap.
    """
    clock = _Clock()
    rows = sort_rows(scaled.points, codes, n_labels)
    contradictions = find_contradictions(rows, tau)
    clock.lap("sorting")

    if n_threads > 1 and solver is None:
        compile_ahead()
    labels = Groups(np.arange(len(rows.points)), rows.first)
    a, b = pairs_to_measure(np.arange(n_labels), "labels")
    by_label = solve_pairs(rows.points, labels, a, b, tau, n_threads, progress, "labels")
    in_full = sorted_in_full(scaled, rows)
    by_label = proved_in_full(by_label, labels, in_full)
    clock.lap("labels")

    if solver is None:
        merged = merge_labels(rows, by_label, contradictions.barred, tau, progress, n_threads)
    else:
        merged = merge_literally(rows, contradictions.barred, tau, solver, progress)
    slots, cluster_of = np.unique(merged.cluster_of, return_inverse=True)
    cluster_codes = rows.labels[slots]
    clock.lap("merging")

    measured = [by_label]
    distances = by_label
    if len(slots) > n_labels:
        first, second = pairs_to_measure(cluster_codes, "clusters")
        known = _known_pairs(by_label, cluster_codes, cluster_of, first, second)
        new = known < 0
        groups = group_rows(cluster_of, len(slots))
        solved = solve_pairs(rows.points, groups, first[new], second[new], tau, n_threads, progress)
        solved = proved_in_full(solved, groups, in_full)
        measured.append(solved)
        distances = _together(by_label, solved, known, first, second)
    clock.lap("distances")

    blocks = find_blocks(rows, cluster_of, cluster_codes, merged.bans, contradictions, scaled.unit)
    clock.lap("blocks")
    hulls = by_label.of_rows(rows.original).in_units(scaled.scale, tau, np.arange(n_labels))
    if distances is by_label:
        distances = hulls
    else:
        distances = distances.of_rows(rows.original)
        distances = distances.in_units(scaled.scale, tau, np.arange(len(slots)))
    return ClusteredSpace(
        hulls=hulls,
        clusters=Clusters(
            assignment=cluster_of[rows.row_of].astype(np.int64),
            label=cluster_codes,
            distances=distances,
            blocks=blocks,
        ),
        counters=Counts(
            merges=len(rows.points) - len(slots),
            bans=len(merged.bans),
            solves=merged.solves + sum(len(each) for each in measured),
            highs_calls=merged.highs_calls + sum(each.highs_calls for each in measured),
            duplicate_points=len(codes) - len(rows.points),
            contradictory_points=int(rows.weight[contradictions.barred].sum()),
        ),
        timings=clock.seconds,
    )


def _known_pairs(
    by_label: PairwiseDistances,
    cluster_codes: IntArray,
    cluster_of: IntArray,
    first: IntArray,
    second: IntArray,
) -> IntArray:
    """Return where pairs of clusters stand among those of labels whose distance they have, or -1.

    They have it where they are whole labels, and where they hold all the points that carry it: no
    two points of theirs are nearer than any of their labels.
    """
    n_labels = len(by_label.names)
    whole = np.bincount(cluster_codes, minlength=n_labels) == 1
    a, b = cluster_codes[first], cluster_codes[second]
    place = np.searchsorted(by_label.first * n_labels + by_label.second, a * n_labels + b)
    supports = by_label.supports
    carried = by_label.status[place] == Status.DISJOINT
    carried &= _holder(supports.start_a, cluster_of[supports.index_a])[place] == first
    carried &= _holder(supports.start_b, cluster_of[supports.index_b])[place] == second
    return np.where(carried | (whole[a] & whole[b]), place, -1)


def _holder(start: IntArray, clusters: IntArray) -> IntArray:
    """Return the cluster of each run of entries, -1 where they are of several."""
    held = np.full(len(start) - 1, -1)
    some = np.flatnonzero(np.diff(start))
    if len(some):
        least = np.minimum.reduceat(clusters, start[some])
        most = np.maximum.reduceat(clusters, start[some])
        held[some] = np.where(least == most, least, -1)
    return held


def _together(
    by_label: PairwiseDistances,
    solved: PairwiseDistances,
    known: IntArray,
    first: IntArray,
    second: IntArray,
) -> PairwiseDistances:
    """Put distances that were known beside those that were not, in the order of the pairs."""
    order = known.copy()
    order[known < 0] = len(by_label) + np.arange(len(solved))
    columns = {
        name: np.concatenate([getattr(by_label, name), getattr(solved, name)])[order]
        for name in ("lower", "upper", "status", "stage")
    }
    supports = Supports.joined([by_label.supports, solved.supports]).taken(order)
    return replace(solved, first=first, second=second, supports=supports, **columns)


def sorted_in_full(scaled: Normalised, rows: SortedRows) -> Normalised:
    """Return the normalised points in the order of the kernels."""
    if scaled.basis is None:
        return scaled
    return replace(scaled, points=rows.points, full=scaled.full[rows.original])


def merge_labels(
    rows: SortedRows,
    by_label: PairwiseDistances,
    barred: BoolArray,
    tau: float,
    progress: ProgressCallback | None = None,
    n_threads: int = 1,
) -> Merged:
    """Merge clusters; a label that overlaps no other is one cluster without further ado.

    Parameters
    ----------
    rows : SortedRows
    by_label : PairwiseDistances
        Which labels are proved apart.
    barred : ndarray of bool, shape (n_rows,)
    tau, progress, n_threads
        As for :func:`cluster_space`.

    Raises
    ------
    UnprovedError
        If a pair of clusters can neither be told apart nor be shown to overlap.
    """
    n_labels = len(rows.first) - 1
    close = by_label.status != Status.DISJOINT
    partner = np.zeros((n_labels, n_labels), bool)
    partner[by_label.first[close], by_label.second[close]] = True
    partner |= partner.T
    whole = np.repeat(rows.first[:-1], np.diff(rows.first))
    if not partner.any():
        return Merged(cluster_of=whole)
    wait_for_kernels()
    merged = merge_clusters(
        rows.points,
        rows.first,
        rows.original,
        rows.weight,
        partner,
        barred,
        tau,
        progress,
        n_threads,
    )
    alone = ~np.any(partner, axis=1)[rows.labels]
    merged.cluster_of = np.where(alone, whole, merged.cluster_of)
    return merged


class _Clock:
    """Seconds spent in each phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, phase: str) -> None:
        """Book the time since the last lap to ``phase``."""
        now = time.perf_counter()
        self.seconds[phase] = now - self._last
        self._last = now
