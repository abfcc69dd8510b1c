"""Pearson correlation, with a reason where it is not defined."""

from __future__ import annotations

import numpy as np
from scipy.stats import pearsonr

from geoprobe.geometry.measured import FloatArray

# Distances are exact to about 1e-9: below that, differences are noise.
_CONSTANT = 1e-9


def pearson(first: FloatArray, second: FloatArray) -> tuple[float, str]:
    """Correlate two vectors.

    Parameters
    ----------
    first, second : ndarray of float64, shape (n,)

    Returns
    -------
    value : float
        NaN where it is not defined.
    undefined : str
        Why it is not; empty where it is.
    """
    if len(first) < 3:
        return float(
            "nan"
        ), f"a correlation needs at least 3 pairs of labels, there are {len(first)}"
    for which, vector in (("first", first), ("second", second)):
        if float(np.ptp(vector)) <= _CONSTANT * float(np.max(np.abs(vector))):
            return float("nan"), (
                f"all {len(vector)} distances of the {which} space are equal "
                f"({float(vector[0]):.6g}): the distance vector is constant"
            )
    return float(pearsonr(first, second).statistic), ""
