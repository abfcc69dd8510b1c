"""An estimate and the interval that the bootstrap gives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

import numpy as np

from geoprobe.errors import InputError
from geoprobe.geometry.cells import Cell
from geoprobe.geometry.measured import FloatArray, Geometry

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


def fitting(
    intervals: Mapping[Cell, Of], geometry: Geometry, reduce: str, notes: dict[str, None]
) -> Of | None:
    """Return the intervals of a space if they are of the distances that are shown.

    Intervals are of the hulls of whole labels. In a space that is not linear the distances of
    labels in several clusters are others, and a note says that they have no interval.
    """
    found = intervals.get(geometry.cell)
    if found is None or reduce == "hull" or geometry.is_linear:
        return found
    notes[
        f"{geometry.cell}: not linear; intervals of the hulls of whole labels do not fit distances "
        f"of clusters and are left out."
    ] = None
    return None
