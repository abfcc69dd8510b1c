"""An estimate and the interval that the bootstrap gives it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from geoprobe.errors import InputError
from geoprobe.findings.geometry import FloatArray


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


def check_bootstrap(n_bootstrap: int, confidence: float) -> None:
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
