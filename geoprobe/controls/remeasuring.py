"""The seam to the engine: one space measured again under other labels, or with some of its rows.

Both loops are plain: every labelling and every choice of rows is measured as if it were alone. What
measures many of them together and gives the same numbers belongs here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geoprobe.geometry.measured import FloatArray, IntArray
from geoprobe.hulls.pairwise import pairwise_hull_distances
from geoprobe.probes.directprobe import DirectProbe
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.tolerances import TAU


class Remeasured(NamedTuple):
    """What is measured under one labelling.

    Attributes
    ----------
    n_clusters : int
        Of DirectProbe.
    distances : ndarray of float64, shape (n_pairs,)
        Of the hulls of whole labels, pairs in lexicographic order; 0 where they overlap.
    """

    n_clusters: int
    distances: FloatArray


def measure_labelings(
    points: NDArray[Any],
    labelings: Iterable[NDArray[Any]],
    *,
    tau: float = TAU,
    n_threads: int | None = None,
) -> Iterator[Remeasured]:
    """Measure the same points under one labelling after another.

    Parameters
    ----------
    points : ndarray of float32 or float64, shape (n_points, n_dims)
    labelings : iterable of ndarray, each of shape (n_points,)
    tau, n_threads
        As in :class:`geoprobe.DirectProbe`.

    Yields
    ------
    Remeasured
    """
    for labels in labelings:
        geometry = DirectProbe(tau=tau, n_threads=n_threads).fit(points, labels).geometry_
        yield Remeasured(geometry.n_clusters, geometry.hulls.distance)


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
