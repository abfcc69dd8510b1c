"""Distances of labels, gathered from those of their clusters."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geoprobe.showing import count, frame, number

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


class LabelTable(NamedTuple):
    """One row per pair of labels, in lexicographic order; every array has shape (n_pairs,)."""

    first: IntArray
    second: IntArray
    pairs: IntArray
    lower: FloatArray
    upper: FloatArray
    mean: FloatArray

    def __repr__(self) -> str:
        """Say how many pairs there are, and how near and far they are."""
        ends = ""
        if len(self.first):
            ends = f", smallest distances {number(self.upper.min())} to {number(self.upper.max())}"
        return f"LabelTable: {count(len(self.first), 'pair')} of labels{ends}."

    def to_frame(self) -> Any:
        """Return the pairs as a pandas DataFrame.

        Raises
        ------
        GeoprobeError
            If pandas is not installed.
        """
        return frame(self._asdict())


def label_table(
    first: IntArray, second: IntArray, lower: FloatArray, upper: FloatArray, distance: FloatArray
) -> LabelTable:
    """Gather distances of clusters by the labels of the clusters.

    Parameters
    ----------
    first, second : ndarray of int64, shape (n_rows,)
        Label codes of the two clusters, ``first < second``.
    lower, upper : ndarray of float64, shape (n_rows,)
        Bounds of the distance of the two clusters.
    distance : ndarray of float64, shape (n_rows,)
        ``upper``, or 0 where the clusters overlap.

    Returns
    -------
    LabelTable
        ``pairs`` counts the pairs of clusters; ``lower`` and ``upper`` bound the smallest of
        their distances; ``mean`` is the mean of the distances.
    """
    if len(first) == 0:
        none, nothing = np.empty(0, np.int64), np.empty(0)
        return LabelTable(none, none, none, nothing, nothing, nothing)
    order = np.lexsort((second, first))
    a, b = first[order], second[order]
    begin = np.flatnonzero(np.r_[True, (a[1:] != a[:-1]) | (b[1:] != b[:-1])])
    pairs = np.diff(np.r_[begin, len(a)])
    return LabelTable(
        first=a[begin],
        second=b[begin],
        pairs=pairs,
        lower=np.minimum.reduceat(lower[order], begin),
        upper=np.minimum.reduceat(upper[order], begin),
        mean=np.add.reduceat(distance[order], begin) / pairs,
    )
