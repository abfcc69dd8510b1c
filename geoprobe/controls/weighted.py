"""Ranks and correlations of values that count several times, as in resamples."""

from __future__ import annotations

import numpy as np

from geoprobe.geometry.measured import FloatArray

# Distances are exact to about 1e-9: a resample that varies less is constant.
_CONSTANT = 1e-9


def weighted_ranks(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Rank values that stand there ``weights`` times each, equal ones alike, in every row."""
    _, level = np.unique(values, return_inverse=True)
    order = np.argsort(level, kind="stable")
    starts = np.flatnonzero(np.diff(level[order], prepend=-1))
    of_level = np.add.reduceat(weights[:, order], starts, axis=1)
    below = np.cumsum(of_level, axis=1) - of_level
    return np.asarray((below + (of_level + 1) / 2)[:, level])


def weighted_correlation(first: FloatArray, second: FloatArray, weights: FloatArray) -> FloatArray:
    """Return Pearson's correlation under each row of weights, shape (n_rows,)."""
    total = weights.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        a, b = (x - (weights * x).sum(axis=1, keepdims=True) / total for x in (first, second))
        squares = (weights * a * a).sum(axis=1), (weights * b * b).sum(axis=1)
        value = (weights * a * b).sum(axis=1) / np.sqrt(squares[0] * squares[1])
    constant = [
        np.sqrt(square) <= _CONSTANT * np.sqrt(total[:, 0]) * np.abs(x).max()
        for square, x in zip(squares, (first, second), strict=True)
    ]
    value[constant[0] | constant[1] | (total[:, 0] < 3)] = np.nan
    return np.asarray(value)
