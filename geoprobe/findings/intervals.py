"""Intervals by the bootstrap: percentiles, accuracies, movements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

import numpy as np

from geoprobe.errors import InputError
from geoprobe.geometry.cells import Cell
from geoprobe.geometry.measured import FloatArray, Geometry, Predictions
from geoprobe.spaces import Space

Of = TypeVar("Of")


class Interval(NamedTuple):
    """An estimate with a bootstrap interval.

    Attributes
    ----------
    value : float
        From all units.
    low, high : float
        Ends of the interval.
    confidence : float
        Between 0 and 1.
    n_bootstrap : int
        Resamples drawn.
    """

    value: float
    low: float
    high: float
    confidence: float
    n_bootstrap: int


def check_bootstrap(n_bootstrap: int, confidence: float = 0.95) -> None:
    """Refuse options that no interval can be made from."""
    if n_bootstrap < 2:
        raise InputError(f"n_bootstrap is at least 2, but it is {n_bootstrap!r}.")
    if not 0.0 < confidence < 1.0:
        raise InputError(f"confidence lies between 0 and 1, but it is {confidence!r}.")


def percentile_interval(value: float, resampled: FloatArray, confidence: float) -> Interval:
    """Take the middle part of the resampled values (Efron & Tibshirani 1993, chapter 13).

    Parameters
    ----------
    value : float
    resampled : ndarray of float64, shape (n_bootstrap,)
    confidence : float
    """
    tail = 50.0 * (1.0 - confidence)
    low, high = np.percentile(resampled, [tail, 100.0 - tail])
    return Interval(value, float(low), float(high), confidence, len(resampled))


def interval_of_defined(value: float, resampled: FloatArray, confidence: float) -> Interval:
    """Take the middle part of the resampled values that are defined.

    Parameters
    ----------
    value : float
        NaN where it is not defined; then the ends are not either.
    resampled : ndarray of float64, shape (n_bootstrap,)
        NaN where a resample does not define it; two have to for the ends to be defined.
    confidence : float
    """
    known = resampled[~np.isnan(resampled)]
    if np.isnan(value) or len(known) < 2:
        return Interval(value, float("nan"), float("nan"), confidence, len(known))
    return percentile_interval(value, known, confidence)


def mean_interval(values: FloatArray, confidence: float) -> Interval:
    """Return the mean of the values that are defined, and the middle part of these."""
    known = values[~np.isnan(values)]
    mean = float(known.mean()) if len(known) else float("nan")
    return interval_of_defined(mean, known, confidence)


def fitting(
    intervals: Mapping[Cell, Of], geometry: Geometry, reduce: str, notes: dict[str, None]
) -> Of | None:
    """Return the intervals of a space if they are of the distances that are shown.

    Intervals are of the hulls of whole labels. In a space that is not linear the distances of
    labels in several clusters are others, and a note says that they have no interval.
    """
    intervals_of_cell = intervals.get(geometry.cell)
    if intervals_of_cell is None or reduce == "hull" or geometry.is_linear:
        return intervals_of_cell
    notes[
        f"{geometry.cell}: not linear; intervals of the hulls of whole labels do not fit distances "
        f"of clusters and are left out."
    ] = None
    return None


# Weights of so many resamples are held at once.
_CHUNK = 64


def accuracy_interval(
    held_out: Predictions, *, n_bootstrap: int = 1000, confidence: float = 0.95, seed: int = 0
) -> Interval:
    """Resample test units and take the percentiles of the accuracy.

    Units are resampled one by one: where several come from one sentence and err together, the
    interval is too narrow.

    Parameters
    ----------
    held_out : Predictions
    n_bootstrap : int, default=1000
    confidence : float, default=0.95
    seed : int, default=0

    Returns
    -------
    Interval
    """
    check_bootstrap(n_bootstrap, confidence)
    n_units = len(held_out.correct)
    # The number of right units in a resample is binomial: no need to draw the units.
    right = np.random.default_rng(seed).binomial(n_units, held_out.accuracy, n_bootstrap)
    return percentile_interval(held_out.accuracy, right / n_units, confidence)


def accuracy_change_interval(
    before: Predictions,
    after: Predictions,
    *,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Resample test units, each with both of its predictions, and compare the accuracies.

    Parameters
    ----------
    before, after : Predictions
        Of the same units in the same order.
    n_bootstrap : int, default=1000
    confidence : float, default=0.95
    seed : int, default=0

    Returns
    -------
    Interval
        Of the accuracy after less that before.

    Raises
    ------
    InputError
        If the true labels of the units differ.
    """
    check_bootstrap(n_bootstrap, confidence)
    if not same_units(before, after):
        raise InputError(
            f"the accuracies are of different units ({len(before.true)} and {len(after.true)}); "
            f"a paired comparison needs the same test units in the same order."
        )
    change = after.correct.astype(np.int64) - before.correct.astype(np.int64)
    shares = np.array([np.mean(change == k) for k in (-1, 0, 1)])
    drawn = np.random.default_rng(seed).multinomial(len(change), shares, n_bootstrap)
    resampled = (drawn[:, 2] - drawn[:, 0]) / len(change)
    return percentile_interval(float(np.mean(change)), resampled, confidence)


def same_units(before: Predictions, after: Predictions) -> bool:
    """Whether two sets of predictions are of units with the same labels in the same order."""
    if len(before.true) != len(after.true):
        return False
    first, second = np.array(before.names), np.array(after.names)
    return bool(np.all(first[before.true] == second[after.true]))


def movement_intervals(
    before: Space,
    after: Space,
    *,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """Resample the units of each label, each with both of its vectors.

    The length of a mean of noisy vectors is larger than the length of their true mean, and it
    grows again under resampling. The interval is the basic one (Davison & Hinkley 1997, section
    5.2) of the squared length, which takes that growth off: it may end below the movement that
    was measured, and starts at 0 for a movement that noise explains. With few units in many
    dimensions the resamples cover less than the confidence promises.

    Parameters
    ----------
    before, after : Space
        The same units in the same order.
    n_bootstrap : int, default=1000
    confidence : float, default=0.95
    seed : int, default=0

    Returns
    -------
    dict of str to Interval
        By label; labels of a single unit have the interval (NaN, NaN).

    Raises
    ------
    InputError
        If the spaces differ in their labels or dimensions.
    """
    check_bootstrap(n_bootstrap, confidence)
    if before.points.shape != after.points.shape or not np.array_equal(before.labels, after.labels):
        raise InputError(
            f"movement is between two representations of the same units, but the shapes are "
            f"{before.points.shape} and {after.points.shape}, and the labels "
            f"{'agree' if np.array_equal(before.labels, after.labels) else 'differ'}."
        )
    rng = np.random.default_rng(seed)
    tail = 50.0 * (1.0 - confidence)
    intervals = {}
    for label in np.unique(before.labels):
        rows = np.flatnonzero(before.labels == label)
        moved = after.points[rows].astype(np.float64) - before.points[rows]
        square = float(np.sum(moved.mean(axis=0) ** 2))
        if len(rows) < 2:
            low = high = float("nan")
        else:
            ends = np.percentile(_resampled_squares(moved, n_bootstrap, rng), [100.0 - tail, tail])
            low, high = np.sqrt(np.maximum(2.0 * square - ends, 0.0)).tolist()
        intervals[str(label)] = Interval(square**0.5, low, high, confidence, n_bootstrap)
    return intervals


def _resampled_squares(
    vectors: FloatArray, n_bootstrap: int, rng: np.random.Generator
) -> FloatArray:
    """Return the squared length of the mean of each resample, shape (n_bootstrap,)."""
    n_units = len(vectors)
    even = np.full(n_units, 1.0 / n_units)
    squares = []
    for start in range(0, n_bootstrap, _CHUNK):
        weights = rng.multinomial(n_units, even, min(_CHUNK, n_bootstrap - start)) / n_units
        squares.append(np.sum((weights @ vectors) ** 2, axis=1))
    return np.concatenate(squares)
