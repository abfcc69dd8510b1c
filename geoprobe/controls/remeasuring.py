"""The seam to the engine: one space measured again under other labels, or with some of its rows.

Both loops are plain: every labeling and every choice of rows is measured as if it were alone. What
measures many of them together and gives the same numbers belongs here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geoprobe.geometry.measured import FloatArray, IntArray
from geoprobe.hulls.pairwise import pairwise_hull_distances
from geoprobe.probes.directprobe import DirectProbe
from geoprobe.progress import Progress, ProgressCallback
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
    for labels in all_labels:
        geometry = DirectProbe(tau=tau, n_threads=n_threads).fit(points, labels).geometry_
        n_clusters.append(geometry.n_clusters)
        distances.append(geometry.hulls.distance)
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
    """Measure the distances of labels with one choice of rows after another.

    Parameters
    ----------
    points : ndarray of float32 or float64, shape (n_points, n_dims)
    labels : ndarray, shape (n_points,)
    chosen : iterable of ndarray of int64
        Rows of each choice.
    tau, n_threads
        As in :func:`geoprobe.pairwise_hull_distances`.
    progress : callable, optional
        Told after every choice.

    Returns
    -------
    ndarray of float64, shape (n_choices, n_pairs)
        Of the hulls of all labels, pairs in lexicographic order; NaN where one of the two has no
        row.
    """
    names, codes = np.unique(labels, return_inverse=True)
    first, second = np.triu_indices(len(names), 1)
    choices = list(chosen)
    found = np.full((len(choices), len(first)), np.nan)
    for k, rows in enumerate(choices):
        there = np.isin(np.arange(len(names)), codes[rows])
        if there.sum() > 1:
            found[k, there[first] & there[second]] = pairwise_hull_distances(
                points[rows], labels[rows], tau=tau, n_threads=n_threads
            ).distance
        if progress is not None:
            progress(Progress("choices of rows", k + 1, len(choices)))
    return found
