"""Rows in the order the kernels want, equal points made one, contradictions found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class SortedRows:
    """Distinct (point, label) rows, sorted by label and then by their first original row.

    Attributes
    ----------
    points : ndarray of float64, shape (n_rows, n_dims)
    first : ndarray of int64, shape (n_labels + 1,)
        Where each label begins.
    original : ndarray of int64, shape (n_rows,)
        First original row of each row.
    weight : ndarray of float64, shape (n_rows,)
        Number of original rows.
    row_of : ndarray of int64, shape (n_points,)
        Row of each original point.
    """

    points: FloatArray
    first: IntArray
    original: IntArray
    weight: FloatArray
    row_of: IntArray

    @property
    def labels(self) -> IntArray:
        """Label code of each row, shape (n_rows,)."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))


def sort_rows(
    points: FloatArray,
    codes: NDArray[np.integer[Any]],
    n_labels: int,
    same: IntArray | None = None,
) -> SortedRows:
    """Sort points by label and join those that are equal and have the same label.

    Parameters
    ----------
    points : ndarray of float64, shape (n_points, n_dims)
    codes : ndarray of int, shape (n_points,)
    n_labels : int
    same : ndarray of int64, shape (n_points,), optional
        What :func:`equal_rows` says of the points, where it is known.
    """
    if same is None:
        same = equal_rows(points)
    keys = codes.astype(np.int64) * (same.max() + 1) + same
    _, earliest, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.lexsort((earliest, codes[earliest]))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    original = earliest[order].astype(np.int64)
    row_of = place[inverse.ravel()]
    return SortedRows(
        points=np.ascontiguousarray(points[original]),
        first=np.searchsorted(codes[original], np.arange(n_labels + 1)).astype(np.int64),
        original=original,
        weight=np.bincount(row_of).astype(np.float64),
        row_of=row_of,
    )


def equal_rows(points: FloatArray) -> IntArray:
    """Give equal points, and no others, the same number.

    They are told apart by a hash: sorting whole rows takes as long as measuring them.

    Parameters
    ----------
    points : ndarray of float64, shape (n_points, n_dims)

    Returns
    -------
    ndarray of int64, shape (n_points,)
    """
    # Adding zero makes the two zeros equal.
    bits = np.ascontiguousarray(points + 0.0).view(np.uint64)
    hashes = _hashes(bits)
    _, earliest, number = np.unique(hashes, return_index=True, return_inverse=True)
    alike = earliest[number]
    later = np.flatnonzero(alike != np.arange(len(points)))
    if not np.array_equal(bits[later], bits[alike[later]]):
        whole = bits.view(np.dtype((np.void, bits.itemsize * bits.shape[1]))).ravel()
        _, number = np.unique(whole, return_inverse=True)
    return number.ravel().astype(np.int64)


def _hashes(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a sum of every row's numbers times odd ones, shape (n_rows,)."""
    odd = np.random.default_rng(0).integers(1 << 63, size=bits.shape[1], dtype=np.uint64) * 2 + 1
    # The last digits of round numbers are zeros, and would stay so: the first ones go there too.
    hashes: NDArray[np.uint64] = (bits ^ (bits >> np.uint64(32))) @ odd
    return hashes


@dataclass(frozen=True)
class Contradictions:
    """Rows that coincide with a row of another label.

    Attributes
    ----------
    barred : ndarray of bool, shape (n_rows,)
    other : ndarray of int64, shape (n_rows,)
        For a barred row the smallest row of another label that it coincides with, else -1.
    """

    barred: NDArray[np.bool_]
    other: IntArray


def find_contradictions(rows: SortedRows, tau: float) -> Contradictions:
    """Find rows at most ``tau`` away from a row of another label.

    No hyperplane can tell them apart, so that they can be part of no larger cluster.
    """
    labels = rows.labels
    none = len(rows.points)
    other = np.full(none, none, np.int64)
    for i, j in _close_rows(rows.points, tau):
        apart = labels[i] != labels[j]
        np.minimum.at(other, i[apart], j[apart])
        np.minimum.at(other, j[apart], i[apart])
    barred = other < none
    other[~barred] = -1
    return Contradictions(barred=barred, other=other)


def _close_rows(points: FloatArray, reach: float) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield the pairs of points at most ``reach`` apart, many at a time, as two columns of rows.

    Points that close are as close along any line; along one that no data set knows about, few
    others are.
    """
    line = np.random.default_rng(0).standard_normal(points.shape[1])
    place = points @ (line / np.sqrt(np.sum(line * line)))
    order = np.argsort(place, kind="stable")
    place = place[order]
    for step in range(1, len(order)):
        near = np.flatnonzero(place[step:] - place[:-step] <= reach + 1e-13)
        if len(near) == 0:
            return
        i, j = order[near], order[near + step]
        apart = points[i] - points[j]
        close = np.einsum("ij,ij->i", apart, apart) <= reach * reach
        yield i[close], j[close]
