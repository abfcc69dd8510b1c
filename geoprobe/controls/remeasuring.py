"""The seam to the engine: one space measured again under other labels, or with some of its rows.

Both loops are plain: every labelling and every choice of rows is measured as if it were alone. What
measures many of them together and gives the same numbers belongs here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from numpy.typing import NDArray

from geoprobe.geometry.measured import FloatArray, IntArray
from geoprobe.hulls.pairwise import pairwise_hull_distances
from geoprobe.probes.directprobe import DirectProbe
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
) -> Iterator[FloatArray]:
    """Measure the distances of labels with one choice of rows after another.

    Parameters
    ----------
    points : ndarray of float32 or float64, shape (n_points, n_dims)
    labels : ndarray, shape (n_points,)
    chosen : iterable of ndarray of int64
        Rows, with two labels among them at least.
    tau, n_threads
        As in :func:`geoprobe.pairwise_hull_distances`.

    Yields
    ------
    ndarray of float64, shape (n_pairs,)
        Of the hulls of the labels among the rows, pairs in lexicographic order.
    """
    for rows in chosen:
        yield pairwise_hull_distances(
            points[rows], labels[rows], tau=tau, n_threads=n_threads
        ).distance
