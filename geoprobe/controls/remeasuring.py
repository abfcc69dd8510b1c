"""The seam to the engine: one space measured again under other labels, or with some of its rows."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geoprobe.geometry.measured import FloatArray, IntArray
from geoprobe.hulls.resampled import resampled_hull_distances
from geoprobe.probes.directprobe import DirectProbe
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.threads import checked_threads, in_order
from geoprobe.tolerances import TAU


class Remeasured(NamedTuple):
    """What is measured under many labelings.

    Attributes
    ----------
    n_clusters : ndarray of int64, shape (n_labelings,)
        Of DirectProbe.
    distances : ndarray of float64, shape (n_labelings, n_pairs)
        Of the hulls of whole labels, pairs in lexicographic order; 0 where they overlap.
    """

    n_clusters: IntArray
    distances: FloatArray


def measure_labelings(
    points: NDArray[Any],
    labelings: Iterable[NDArray[Any]],
    *,
    tau: float = TAU,
    n_threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> Remeasured:
    """Measure the same points under one labeling after another.

    Parameters
    ----------
    points : ndarray of float32 or float64, shape (n_points, n_dims)
    labelings : iterable of ndarray, each of shape (n_points,)
        All of the same labels.
    tau, n_threads
        As in :class:`geoprobe.DirectProbe`.
    progress : callable, optional
        Told after every labeling.

    Returns
    -------
    Remeasured
    """
    all_labels = list(labelings)
    n_clusters, distances = [], []

    def measure(labels: NDArray[Any]) -> tuple[int, FloatArray]:
        geometry = DirectProbe(tau=tau, n_threads=1).fit(points, labels).geometry_
        return geometry.n_clusters, geometry.hulls.distance

    # A labeling for each thread: merging, most of the work, has no use for more.
    with closing(in_order(measure, all_labels, checked_threads(n_threads), long=True)) as found:
        for clusters, of_hulls in found:
            n_clusters.append(clusters)
            distances.append(of_hulls)
            if progress is not None:
                progress(Progress("labelings", len(n_clusters), len(all_labels)))
    return Remeasured(np.array(n_clusters, np.int64), np.stack(distances))


def measure_rows(
    points: NDArray[Any],
    labels: NDArray[Any],
    chosen: Iterable[IntArray],
    *,
    tau: float = TAU,
    n_threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> FloatArray:
    """Measure the distances of labels with many choices of rows, together.

    Parameters
    ----------
    points : ndarray of float32 or float64, shape (n_points, n_dims)
    labels : ndarray, shape (n_points,)
    chosen : iterable of ndarray of int64
        Rows of each choice.
    tau, n_threads
        As in :func:`geoprobe.hulls.resampled_hull_distances`.
    progress : callable, optional
        Told now and then.

    Returns
    -------
    ndarray of float64, shape (n_choices, n_pairs)
        Of the hulls of all labels, pairs in lexicographic order; NaN where one of the two has no
        row.
    """
    return resampled_hull_distances(
        points, labels, list(chosen), tau=tau, n_threads=n_threads, progress=progress
    ).distance
