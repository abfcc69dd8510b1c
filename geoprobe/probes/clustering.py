"""From a labelled space to its clusters and their distances, phase by phase."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoprobe.hulls.frame import Frame
from geoprobe.hulls.results import Status
from geoprobe.hulls.solving import Groups, Solved, group_rows, solve_pairs
from geoprobe.probes.blocking import find_blocks
from geoprobe.probes.blocks import Blocks, Counts
from geoprobe.probes.merging import Merged, merge_clusters
from geoprobe.probes.sorting import SortedRows, find_contradictions, sort_rows
from geoprobe.progress import ProgressCallback

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Clustering:
    """Clusters of a space, in the frame's units; see :class:`geoprobe.probes.DirectProbe`.

    Attributes
    ----------
    cluster_of : ndarray of int64, shape (n_points,)
        Cluster id of each point.
    cluster_codes : ndarray of int64, shape (n_clusters,)
        Label code of each cluster.
    first, second : ndarray of int64, shape (n_pairs,)
        All pairs of clusters of different labels.
    solved : Solved
        Their distances.
    blocks : Blocks
    counts : Counts
    timings : dict of str to float
    """

    cluster_of: IntArray
    cluster_codes: IntArray
    first: IntArray
    second: IntArray
    solved: Solved
    blocks: Blocks
    counts: Counts
    timings: dict[str, float]


def cluster_space(
    placed: Frame,
    codes: NDArray[np.integer],
    n_labels: int,
    tau: float,
    n_threads: int,
    progress: ProgressCallback | None = None,
) -> Clustering:
    """Find the clusters of a space, measure them and say what keeps them apart.

    Parameters
    ----------
    placed : Frame
        The points, centred and scaled.
    codes : ndarray of int, shape (n_points,)
        Label of each point, from 0 to ``n_labels - 1``.
    n_labels : int
    tau : float
    n_threads : int
    progress : callable, optional

    Raises
    ------
    UnprovedError
        If a pair of clusters can neither be told apart nor be shown to overlap.
    """
    clock = _Clock()
    rows = sort_rows(placed.points, codes, n_labels)
    contradictions = find_contradictions(rows, tau)
    clock.lap("sorting")

    labels = Groups(np.arange(len(rows.points)), rows.first)
    a, b = _pairs(np.arange(n_labels))
    by_label = solve_pairs(rows.points, labels, a, b, tau, n_threads, progress, "labels")
    partner = _partners(by_label, a, b, n_labels)
    clock.lap("labels")

    merged = _merge(rows, partner, contradictions.barred, tau, progress)
    slots, cluster_of = np.unique(merged.cluster_of, return_inverse=True)
    cluster_codes = rows.labels[slots]
    clock.lap("merging")

    first, second = _pairs(cluster_codes)
    solved = by_label
    if len(slots) > n_labels:
        clusters = group_rows(cluster_of, len(slots))
        solved = solve_pairs(rows.points, clusters, first, second, tau, n_threads, progress)
    clock.lap("distances")

    blocks = find_blocks(rows, cluster_of, cluster_codes, merged.bans, contradictions, placed.scale)
    clock.lap("blocks")
    stages = [by_label] if solved is by_label else [by_label, solved]
    return Clustering(
        cluster_of=cluster_of[rows.row_of].astype(np.int64),
        cluster_codes=cluster_codes,
        first=first,
        second=second,
        solved=_in_original_rows(solved, rows),
        blocks=blocks,
        counts=Counts(
            merges=len(rows.points) - len(slots),
            bans=len(merged.bans),
            solves=merged.solves + sum(len(s.status) for s in stages),
            highs_calls=merged.highs_calls + sum(s.highs_calls for s in stages),
            duplicate_points=len(codes) - len(rows.points),
            contradictory_points=int(rows.weight[contradictions.barred].sum()),
        ),
        timings=clock.seconds,
    )


def _pairs(codes: IntArray) -> tuple[IntArray, IntArray]:
    """Return all pairs of positions whose codes differ, in lexicographic order."""
    first, second = np.triu_indices(len(codes), 1)
    apart = codes[first] != codes[second]
    return first[apart].astype(np.int64), second[apart].astype(np.int64)


def _partners(by_label: Solved, a: IntArray, b: IntArray, n_labels: int) -> BoolArray:
    """Return which labels are not proved apart, shape (n_labels, n_labels)."""
    partner = np.zeros((n_labels, n_labels), bool)
    close = by_label.status != Status.DISJOINT
    partner[a[close], b[close]] = True
    partner[b[close], a[close]] = True
    return partner


def _merge(
    rows: SortedRows,
    partner: BoolArray,
    barred: BoolArray,
    tau: float,
    progress: ProgressCallback | None,
) -> Merged:
    """Merge clusters; a label that overlaps no other is one cluster without further ado."""
    whole = np.repeat(rows.first[:-1], np.diff(rows.first))
    if not partner.any():
        return Merged(cluster_of=whole)
    merged = merge_clusters(
        rows.points, rows.first, rows.original, rows.weight, partner, barred, tau, progress
    )
    alone = ~np.any(partner, axis=1)[rows.labels]
    merged.cluster_of = np.where(alone, whole, merged.cluster_of)
    return merged


def _in_original_rows(solved: Solved, rows: SortedRows) -> Solved:
    """Let the supports speak of the rows that the user gave."""
    s = solved.supports
    supports = type(s)(
        start_a=s.start_a,
        index_a=rows.original[s.index_a],
        weight_a=s.weight_a,
        start_b=s.start_b,
        index_b=rows.original[s.index_b],
        weight_b=s.weight_b,
    )
    return Solved(
        status=solved.status,
        stage=solved.stage,
        lower=solved.lower,
        upper=solved.upper,
        supports=supports,
        highs_calls=solved.highs_calls,
    )


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
