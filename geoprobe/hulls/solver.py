"""The contract of a solver: two hulls in, an answer with bounds and supports out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import InputError
from geoprobe.geometry.pairs import Sides, Stage, Status

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SOLVERS = ("active-set", "highs")
"""Names of the solvers, the default first."""


@dataclass(frozen=True)
class Answer:
    """What a solver finds out about two hulls, in units of R.

    Attributes
    ----------
    status : Status
        ``DISJOINT`` only where ``lower`` exceeds the threshold, ``OVERLAP`` only where ``upper``
        does not, ``UNPROVED`` otherwise.
    stage : Stage
        Which solver answers.
    lower, upper : float
        Bounds of the distance that hold whatever the status: ``lower`` is the margin of a
        hyperplane and ``upper`` the length between the two convex combinations, both after the
        rounding error of their own arithmetic.
    rows_a, rows_b : ndarray of int64, shapes (n_support_a,), (n_support_b,)
        Rows of the points that carry weight; at least one on each side.
    weights_a, weights_b : ndarray of float64, same shapes
        Convex weights of these rows.
    normal : ndarray of float64, shape (n_dims,)
        Unit normal of the hyperplane whose margin ``lower`` is, from the second hull to the
        first; zeros where no hyperplane was found.
    """

    status: Status
    stage: Stage
    lower: float
    upper: float
    rows_a: IntArray
    weights_a: FloatArray
    rows_b: IntArray
    weights_b: FloatArray
    normal: FloatArray

    @property
    def sides(self) -> Sides:
        """Rows and weights of the first side, then of the second."""
        return self.rows_a, self.weights_a, self.rows_b, self.weights_b


class Solver(Protocol):
    """Whatever decides about two hulls."""

    def __call__(
        self, points: FloatArray, rows_a: IntArray, rows_b: IntArray, threshold: float
    ) -> Answer:
        """Decide whether two hulls overlap, from scratch.

        Parameters
        ----------
        points : ndarray of float64, shape (n_points, n_dims)
            All points, normalised: about as large as the unit ball.
        rows_a, rows_b : ndarray of int64, shapes (n_a,), (n_b,)
            The rows of the two sets; neither is empty.
        threshold : float
            Hulls at most this far apart overlap.

        Returns
        -------
        Answer
            The same bits for the same input.

        Raises
        ------
        UnprovedError
            If the solver itself breaks down. Not being able to tell is an answer, no error.
        """
        ...


def decided(lower: float, upper: float, threshold: float) -> Status:
    """Return what two bounds say about a threshold."""
    if upper <= threshold:
        return Status.OVERLAP
    return Status.DISJOINT if lower > threshold else Status.UNPROVED


def other_than_default(name: str) -> Solver | None:
    """Return a solver by its name; None for the default, whose hot path is direct.

    Raises
    ------
    InputError
        If there is none of this name.
    """
    if name not in SOLVERS:
        raise InputError(f"solver is one of {', '.join(SOLVERS)}, but it is {name!r}.")
    if name == SOLVERS[0]:
        return None
    from geoprobe.hulls.highs import solve_by_highs

    return solve_by_highs
