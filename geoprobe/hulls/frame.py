"""The frame in which the kernels work: the points centred, in units of R."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import InputError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """Points moved and scaled so that they fill the unit ball.

    Attributes
    ----------
    points : ndarray of float64, shape (n_points, n_dims)
        ``(given - centre) / scale``.
    centre : ndarray of float64, shape (n_dims,)
        Mean of the given points.
    scale : float
        R, the largest distance of a given point to the centre.
    """

    points: FloatArray
    centre: FloatArray
    scale: float

    def place(self, points: NDArray[np.floating[Any]]) -> FloatArray:
        """Return other points in this frame, shape (n_others, n_dims)."""
        placed = points.astype(np.float64)
        placed -= self.centre
        placed /= self.scale
        return placed


def frame(points: NDArray[np.floating[Any]], scale: float | None = None) -> Frame:
    """Centre and scale points.

    Parameters
    ----------
    points : ndarray of float, shape (n_points, n_dims)
    scale : float, optional
        R of a larger set that the points belong to; their own R if left out.

    Raises
    ------
    InputError
        If all points are equal, or ``scale`` is not a positive number.
    """
    moved = points.astype(np.float64)
    # The mean of a few equal points can differ from them by a rounding error; starting from the
    # first point leaves exact zeros.
    first = moved[0].copy()
    moved -= first
    shift = moved.mean(axis=0)
    moved -= shift
    radius = float(np.sqrt(np.einsum("ij,ij->i", moved, moved).max()))
    if scale is None:
        if radius == 0.0:
            raise InputError(
                f"all {len(points)} points are equal: their hulls are one point, "
                "and there is nothing to compare."
            )
        scale = radius
    elif not (np.isfinite(scale) and scale > 0.0):
        raise InputError(f"scale must be a positive number, but it is {scale!r}.")
    elif scale < radius / 2.0:
        # Points of a space of radius R lie within 2 R of their own mean, and the rounding
        # bounds hold for points about as large as the unit ball.
        raise InputError(
            f"scale is {scale!r}, but the points reach {radius:.6g} from their mean: "
            "the R of a space that holds them is at least half of that."
        )
    moved /= scale
    return Frame(points=moved, centre=first + shift, scale=float(scale))
