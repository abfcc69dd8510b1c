"""Points as DirectProbe and its forks take them from a file: rounded, and some of them drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError


def rounded(points: NDArray[Any], path: Path) -> NDArray[np.float32]:
    """Round points to float32, as DirectProbe does before it works on them.

    Raises
    ------
    FormatError
        For a number that float32 cannot hold.
    """
    with np.errstate(over="ignore"):
        narrow = points.astype(np.float32)
    if not np.isfinite(narrow).all():
        row = int(np.argwhere(~np.isfinite(narrow))[0, 0])
        raise FormatError(
            f"vector {row + 1} holds a number that float32, DirectProbe's type, cannot hold.", path
        )
    return narrow


def drawn_rows(n_points: int, subsample: int, seed: int) -> NDArray[np.int64]:
    """Return the rows that forks of DirectProbe draw: the same seed gives the same points.

    They draw with NumPy's older generator, and take all points where there are no more.
    """
    if subsample >= n_points:
        return np.arange(n_points)
    return np.random.RandomState(seed).choice(n_points, size=subsample, replace=False)
