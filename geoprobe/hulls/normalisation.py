"""Normalisation of points: centred, in units of R, as the kernels want them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import InputError

FloatArray = NDArray[np.float64]


# Few points in many dimensions are worked on in the space that they span.
DIMS_PER_POINT = 4
FEWEST_DIMS = 64


@dataclass(frozen=True)
class Normalised:
    """Points moved and scaled so that they fill the unit ball.

    Few points in many dimensions have coordinates in an orthonormal basis of their span, so that
    the cost of all that follows grows with their number instead of the dimensions. What the
    solvers find there is proved in all dimensions by :func:`geoprobe.hulls.solving.proved_in_full`.

    Attributes
    ----------
    points : ndarray of float64, shape (n_points, n_coordinates)
        ``full``, or its coordinates in the basis and a last column of zeros.
    full : ndarray of float64, shape (n_points, n_dims)
        ``(given - centre) / unit``.
    basis : ndarray of float64, shape (n_dims, n_points), or None
        Columns are orthonormal; None where ``points`` is ``full``.
    centre : ndarray of float64, shape (n_dims,)
        Mean of the given points.
    scale : float
        R, the largest distance of a given point to the centre; 0 where all points are equal.
    """

    points: FloatArray
    full: FloatArray
    basis: FloatArray | None
    centre: FloatArray
    scale: float

    @property
    def unit(self) -> float:
        """What lengths are divided by: R, or 1 where R is 0."""
        return self.scale or 1.0

    def apply(self, points: NDArray[np.floating[Any]]) -> FloatArray:
        """Move and scale other points in the same way, shape (n_others, n_coordinates).

        The last coordinate in a basis is the distance from the span.
        """
        scaled = points.astype(np.float64)
        scaled -= self.centre
        scaled /= self.unit
        if self.basis is None:
            return scaled
        placed = np.empty((len(scaled), self.basis.shape[1] + 1))
        # One by one: a product of matrices rounds a row as its neighbours have it.
        for row, other in zip(placed, scaled, strict=True):
            row[:-1] = other @ self.basis
            row[-1] = np.linalg.norm(other - self.basis @ row[:-1])
        return placed

    def direction(self, normal: FloatArray) -> FloatArray:
        """Return a unit vector among the coordinates as one among all dimensions."""
        if self.basis is None:
            return normal
        turned: FloatArray = self.basis @ normal[:-1]
        length = float(np.sqrt(turned @ turned))
        return turned / length if length > 0.0 else turned


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
    moved /= scale or 1.0
    coordinates, basis = moved, None
    if moved.shape[1] >= max(FEWEST_DIMS, DIMS_PER_POINT * len(moved)):
        basis, triangle = np.linalg.qr(moved.T)
        coordinates = np.column_stack([triangle.T, np.zeros(len(moved))])
    return Normalised(coordinates, moved, basis, centre=first + shift, scale=float(scale))
