"""Numbers of clusters under many labelings of the same points."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.arrays import as_labels, as_points
from geoprobe.errors import InputError
from geoprobe.hulls.normalisation import normalise
from geoprobe.hulls.solving import Groups, pairs_to_measure, solve_pairs
from geoprobe.probes.ahead import compile_ahead
from geoprobe.probes.clustering import merge_labels
from geoprobe.probes.sorting import equal_rows, find_contradictions, sort_rows
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.threads import checked_threads, in_order
from geoprobe.tolerances import TAU, checked_tau

IntArray = NDArray[np.int64]


def permuted_cluster_counts(
    X: Any,
    labelings: Sequence[Any] | NDArray[Any],
    *,
    tau: float = TAU,
    n_threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> IntArray:
    """Count the clusters that DirectProbe finds under each of many labelings of the same points.

    The partitions are those of :class:`geoprobe.DirectProbe`; but neither distances nor what keeps
    clusters apart is found out, and a pair of labels is done with once it is proved disjoint.

    Parameters
    ----------
    X : array-like, shape (n_points, n_dims)
    labelings : array-like, shape (n_labelings, n_points)
        Such as permutations of one array of labels; each has two different labels at least.
    tau : float, default=1e-7
        Hulls at most ``tau * R`` apart overlap, R the largest distance of a point to the mean.
    n_threads : int, optional
        All processors by default, a labeling for each; the outcome does not depend on it.
    progress : callable, optional
        Called with a :class:`geoprobe.progress.Progress` after each labeling.

    Returns
    -------
    ndarray of int64, shape (n_labelings,)

    Raises
    ------
    InputError
        If an array cannot be used or a labeling has only one label.
    UnprovedError
        If a pair of hulls is so close to ``tau * R`` apart that float64 cannot decide.
    """
    points = as_points(X)
    tau = checked_tau(tau)
    threads = checked_threads(n_threads)
    if len(labelings) == 0:
        raise InputError("there are no labelings: expected at least one array of labels.")
    coded = [
        as_labels(y, len(points), name=f"labeling {k}", min_labels=2)
        for k, y in enumerate(labelings)
    ]
    scaled = normalise(points).points
    same = equal_rows(scaled)
    if threads > 1:
        compile_ahead()

    def count(labeling: tuple[NDArray[Any], NDArray[np.int32]]) -> int:
        names, codes = labeling
        rows = sort_rows(scaled, codes, len(names), same)
        barred = find_contradictions(rows, tau).barred
        labels = Groups(np.arange(len(rows.points)), rows.first)
        a, b = pairs_to_measure(np.arange(len(names)), "labels")
        by_label = solve_pairs(rows.points, labels, a, b, tau, 1, decide=True)
        merged = merge_labels(rows, by_label, barred, tau)
        return len(np.unique(merged.cluster_of))

    counts = np.empty(len(coded), np.int64)
    with closing(in_order(count, coded, threads, long=True)) as found:
        for k, number in enumerate(found):
            counts[k] = number
            if progress is not None:
                progress(Progress("labelings", k + 1, len(counts)))
    return counts
