"""Many labelings of the same points: numbers of clusters, and distances of labels."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geoprobe.arrays import as_labels, as_points, warn_of_dominating_row
from geoprobe.errors import InputError
from geoprobe.geometry.pairs import PairwiseDistances
from geoprobe.hulls.normalisation import normalise
from geoprobe.hulls.solving import Groups, pairs_to_measure, proved_in_full, solve_pairs
from geoprobe.probes.ahead import compile_ahead
from geoprobe.probes.clustering import merge_labels, sorted_in_full
from geoprobe.probes.sorting import equal_rows, find_contradictions, sort_rows
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.threads import checked_threads, in_order
from geoprobe.tolerances import TAU, checked_tau

FloatArray = NDArray[np.float64]
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
    options = {"decide": True, "merge": True}
    with closing(_each(as_points(X), labelings, tau, n_threads, progress, **options)) as found:
        return np.array([n_clusters for n_clusters, _ in found], np.int64)


class MeasuredLabelings(NamedTuple):
    """What is measured under many labelings.

    Attributes
    ----------
    n_clusters : ndarray of int64, shape (n_labelings,)
        Of DirectProbe; of shape (0,) where they were not counted.
    distances : ndarray of float64, shape (n_labelings, n_pairs)
        Of the hulls of whole labels, pairs in lexicographic order; 0 where they overlap.
    """

    n_clusters: IntArray
    distances: FloatArray


def measure_labelings(
    X: Any,
    labelings: Iterable[Any],
    *,
    clusters: bool = True,
    tau: float = TAU,
    n_threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> MeasuredLabelings:
    """Count the clusters, and measure the distances of the labels, of labelings of the same points.

    The numbers are those of fitting :class:`geoprobe.DirectProbe` to each labeling; distances of
    clusters, and what keeps them apart, are not found out.

    Parameters
    ----------
    X : array-like, shape (n_points, n_dims)
    labelings : iterable of array-like, each of shape (n_points,)
        All of as many different labels, two at least.
    clusters : bool, default=True
        Whether clusters are counted. Under labels that mean nothing, and many points, most points
        stay clusters of their own, and to find them takes far longer than the distances do.
    tau, n_threads, progress
        As for :func:`permuted_cluster_counts`.

    Returns
    -------
    MeasuredLabelings

    Raises
    ------
    InputError, UnprovedError
        As :func:`permuted_cluster_counts` does.

    Warns
    -----
    InputWarning
        If one row alone sets the scale R; it is named.
    """
    points = as_points(X)
    warn_of_dominating_row(points, "X")
    n_clusters, distances = [], []
    options = {"decide": False, "merge": clusters}
    each = _each(points, list(labelings), tau, n_threads, progress, **options)
    with closing(each) as found:
        for number, by_label in found:
            if clusters:
                n_clusters.append(number)
            distances.append(by_label.distance)
    return MeasuredLabelings(np.array(n_clusters, np.int64), np.stack(distances))


def _each(
    points: NDArray[Any],
    labelings: Sequence[Any] | NDArray[Any],
    tau: float,
    n_threads: int | None,
    progress: ProgressCallback | None,
    *,
    decide: bool,
    merge: bool,
) -> Generator[tuple[int, PairwiseDistances], None, None]:
    """Yield the number of clusters of each labeling, and what became of its pairs of labels.

    Without ``merge`` the number is that of the labels.
    """
    tau = checked_tau(tau)
    threads = checked_threads(n_threads)
    if len(labelings) == 0:
        raise InputError("there are no labelings: expected at least one array of labels.")
    coded = [
        as_labels(y, len(points), name=f"labeling {k}", min_labels=2)
        for k, y in enumerate(labelings)
    ]
    scaled = normalise(points)
    same = equal_rows(scaled.points)
    if threads > 1:
        compile_ahead()

    def measure(labeling: tuple[NDArray[Any], NDArray[np.int32]]) -> tuple[int, PairwiseDistances]:
        names, codes = labeling
        rows = sort_rows(scaled.points, codes, len(names), same)
        barred = find_contradictions(rows, tau).barred
        labels = Groups(np.arange(len(rows.points)), rows.first)
        a, b = pairs_to_measure(np.arange(len(names)), "labels")
        by_label = solve_pairs(rows.points, labels, a, b, tau, 1, decide=decide)
        if not decide:
            by_label = proved_in_full(by_label, labels, sorted_in_full(scaled, rows))
        number = len(names)
        if merge:
            number = len(np.unique(merge_labels(rows, by_label, barred, tau).cluster_of))
        return number, by_label.in_units(scaled.scale, tau, names)

    # A labeling for each thread: merging, most of the work, has no use for more.
    with closing(in_order(measure, coded, threads, long=True)) as found:
        for done, each in enumerate(found, start=1):
            yield each
            if progress is not None:
                progress(Progress("labelings", done, len(coded)))
