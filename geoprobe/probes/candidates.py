"""Nearest later neighbours of the rows of a large label: faiss proposes, float64 decides.

faiss computes squared distances ``e`` in float32. For points no longer than ``r`` they differ
from the true ones by at most ``slack`` (:func:`float32_slack`, derived there). A search for k
neighbours therefore tells two things about a row: who may be near, and that everybody it does
not name is at least ``radius = e_k - slack`` away, ``e_k`` the largest distance it names. The
distances to those it names are then computed anew in float64, by explicit differences. The
smallest of them is accepted where it is at most ``radius``; otherwise nothing is known but the
lower bound ``radius``, and the kernels look at all rows in float64 should that bound ever become
the smallest distance of a label. Everything after the start is float64 alone. A poor proposal
costs time and cannot change a merge.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

NEIGHBOURS = 16
# Rows up to which one thread searches: to wake others takes longer where the cores are busy.
FEW = 4096
# Rows searched, or numbers compared, at a time: a search can be interrupted in between.
SEARCHED = 4096
COMPARED = 1 << 22


@dataclass(frozen=True)
class LaterNeighbours:
    """For each row of a label what is known of the nearest row after it.

    Rows that are barred are nobody's neighbours and have none; "others" below never means them.

    Attributes
    ----------
    near : ndarray of int64, shape (n_rows,)
        The nearest later row, or -1 where it is not known or there is none.
    bound : ndarray of float64, shape (n_rows,)
        Its squared distance; where ``near`` is -1, a lower bound of the squared distances to all
        later rows, infinite where there are none.
    others : ndarray of float64, shape (n_rows,)
        A lower bound of the squared distances to all later rows but ``near``.
    """

    near: IntArray
    bound: FloatArray
    others: FloatArray


def later_neighbours(
    points: FloatArray, barred: BoolArray, neighbours: int = NEIGHBOURS, n_threads: int = 1
) -> LaterNeighbours:
    """Find for each row the nearest later row, or how far away all of them are.

    Parameters
    ----------
    points : ndarray of float64, shape (n_rows, n_dims)
        The distinct points of one label.
    barred : ndarray of bool, shape (n_rows,)
        Rows that never merge.
    neighbours : int
        How many rows faiss names for each, earlier ones among them.
    n_threads : int
        Threads for the search in a label of many rows; the answer does not depend on it.
    """
    near = np.full(len(points), -1)
    bound = np.full(len(points), np.inf)
    others = np.full(len(points), np.inf)
    free = np.flatnonzero(~barred)
    if len(free) > 1:
        chosen = np.ascontiguousarray(points[free])
        number = min(neighbours + 1, len(free))
        named, radius = _propose(chosen, number, 1 if len(free) <= FEW else n_threads)
        known = _decide(chosen, named, radius)
        near[free] = np.where(known.near < 0, -1, free[known.near])
        bound[free] = known.bound
        others[free] = known.others
        # Nobody comes after the last row.
        bound[free[-1]] = np.inf
    return LaterNeighbours(near, bound, others)


def float32_slack(points: FloatArray) -> float:
    """Return how far faiss' squared distances of these points can be from the true ones.

    With ``u = 2**-24`` and ``r`` the largest length, rounding the points to float32 moves each by
    at most ``u * r`` and a squared distance, at most ``4 * r * r``, by less than ``9 * u * r * r``.
    faiss forms ``|x|**2 + |y|**2 - 2 * x.y``, or the sum of squared differences. A float32 sum of
    n products is wrong by at most ``n * u / (1 - n * u)`` times the sum of their absolute values,
    in whatever order it is formed: here ``4 * r * r`` over the three sums, and the same over the
    differences with two more roundings a term. The two last additions bring less than
    ``16 * u * r * r``. Twice the total covers the terms of second order.

    Parameters
    ----------
    points : ndarray of float64, shape (n_points, n_dims)
    """
    square = float(np.einsum("ij,ij->i", points, points).max())
    unit = 2.0**-24
    slack: float = 2.0 * (4.0 * (points.shape[1] + 2) + 25.0) * unit * square
    return slack


@contextmanager
def _threads_of_faiss(n_threads: int) -> Iterator[None]:
    """Let faiss, where this thread calls it, use so many threads."""
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(n_threads)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _propose(points: FloatArray, number: int, n_threads: int) -> tuple[IntArray, FloatArray]:
    """Let faiss name ``number`` near rows of each row, itself among them.

    Returns
    -------
    named : ndarray of int64, shape (n_points, number)
    radius : ndarray of float64, shape (n_points,)
        Lower bound of the squared distances to rows that are not named.
    """
    import faiss

    approximate = points.astype(np.float32)
    index = faiss.IndexFlatL2(points.shape[1])
    index.add(approximate)
    named = np.empty((len(points), number), np.int64)
    farthest = np.empty(len(points))
    with _threads_of_faiss(n_threads):
        for begin in range(0, len(points), SEARCHED):
            part = slice(begin, begin + SEARCHED)
            distances, named[part] = index.search(approximate[part], number)
            farthest[part] = distances.max(axis=1)
    if number == len(points):
        farthest[:] = np.inf
    return named, np.maximum(farthest - float32_slack(points), 0.0)


def _decide(points: FloatArray, named: IntArray, radius: FloatArray) -> LaterNeighbours:
    """Compute the distances to the rows named, and tell what follows from them."""
    n_points, n_dims = points.shape
    near = np.empty(n_points, np.int64)
    bound = np.empty(n_points)
    others = np.empty(n_points)
    step = max(1, COMPARED // (named.shape[1] * n_dims))
    for begin in range(0, n_points, step):
        rows = np.arange(begin, min(begin + step, n_points))
        apart = points[named[rows]] - points[rows, None]
        distances = np.einsum("ijk,ijk->ij", apart, apart)
        distances[named[rows] <= rows[:, None]] = np.inf
        order = np.argpartition(distances, 1, axis=1)[:, :2]
        pair = np.take_along_axis(distances, order, axis=1)
        near[rows] = named[rows, order[:, 0]]
        bound[rows], others[rows] = pair.T
    unknown = (bound > radius) | np.isinf(bound)
    near[unknown] = -1
    bound[unknown] = radius[unknown]
    return LaterNeighbours(near, bound, np.minimum(others, radius))
