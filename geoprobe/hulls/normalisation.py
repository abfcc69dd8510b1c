"""Normalisation of points: centred, in units of R, as the kernels want them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import InputError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Normalised:
    """Points moved and scaled so that they fill the unit ball.

    Attributes
    ----------
    points : ndarray of float64, shape (n_points, n_dims)
        ``(given - centre) / unit``.
    centre : ndarray of float64, shape (n_dims,)
        Mean of the given points.
    scale : float
        R, the largest distance of a given point to the centre; 0 where all points are equal.
    """

    points: FloatArray
    centre: FloatArray
    scale: float

    @property
    def unit(self) -> float:
        """What lengths are divided by: R, or 1 where R is 0."""
        return self.scale or 1.0

    def apply(self, points: NDArray[np.floating[Any]]) -> FloatArray:
        """Move and scale other points in the same way, shape (n_others, n_dims)."""
        scaled = points.astype(np.float64)
        scaled -= self.centre
        scaled /= self.unit
        return scaled


def normalise(points: NDArray[np.floating[Any]], scale: float | None = None) -> Normalised:
    """Centre and scale points.

    Parameters
    ----------
    points : ndarray of float, shape (n_points, n_dims)
    scale : float, optional
        R of a larger set that the points belong to; their own R if left out.

    Raises
    ------
    InputError
        If ``scale`` is not a positive number, or too small for the points.
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
    normalised = Normalised(points=moved, centre=first + shift, scale=float(scale))
    moved /= normalised.unit
    return normalised
