"""The arbiter: one linear program in HiGHS for a pair that the kernels leave open."""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import UnprovedError

FloatArray = NDArray[np.float64]

TOLERANCE = 1e-9


@dataclass(frozen=True)
class Program:
    """What HiGHS found: convex weights on both sides.

    Attributes
    ----------
    weights_a, weights_b : ndarray of float64, shapes (n_a,), (n_b,)
        Not negative, each of sum 1.
    """

    weights_a: FloatArray
    weights_b: FloatArray


def arbitrate(points_a: FloatArray, points_b: FloatArray) -> Program:
    """Minimise the city-block distance of two hulls.

    It is zero exactly where the Euclidean distance is. The weights are not trusted here: whoever
    asks computes the bounds from them in float64.

    Parameters
    ----------
    points_a, points_b : ndarray of float64, shapes (n_a, n_dims), (n_b, n_dims)
        Points in the unit ball.

    Raises
    ------
    UnprovedError
        If HiGHS does not report an optimum.
    """
    n_a, n_dims = points_a.shape
    n_b = len(points_b)
    n_points = n_a + n_b
    n_columns = n_points + 2 * n_dims

    program = highspy.HighsLp()
    program.num_col_ = n_columns
    program.num_row_ = n_dims + 2
    program.col_cost_ = np.r_[np.zeros(n_points), np.ones(2 * n_dims)]
    program.col_lower_ = np.zeros(n_columns)
    program.col_upper_ = np.full(n_columns, highspy.kHighsInf)
    sums = np.r_[np.zeros(n_dims), 1.0, 1.0]
    program.row_lower_ = sums
    program.row_upper_ = sums

    dense = np.zeros((n_points, n_dims + 1))
    dense[:n_a, :n_dims] = points_a
    dense[n_a:, :n_dims] = -points_b
    dense[:, n_dims] = 1.0
    rows = np.tile(np.arange(n_dims + 1), (n_points, 1))
    rows[n_a:, n_dims] = n_dims + 1
    slack = np.arange(n_dims)
    program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    program.a_matrix_.start_ = np.r_[
        np.arange(n_points) * (n_dims + 1),
        n_points * (n_dims + 1) + np.arange(2 * n_dims + 1),
    ].astype(np.int32)
    program.a_matrix_.index_ = np.r_[rows.ravel(), slack, slack].astype(np.int32)
    program.a_matrix_.value_ = np.r_[dense.ravel(), np.ones(n_dims), -np.ones(n_dims)]

    # The constructor of highspy.Highs sets up callbacks, and that prints HiGHS's banner before any
    # option can be set. The class under it is the solver alone.
    solver = highspy._core._Highs()
    for option, value in (
        ("output_flag", False),
        ("threads", 1),
        ("solver", "simplex"),
        ("simplex_strategy", 4),
        ("presolve", "off"),
        ("primal_feasibility_tolerance", TOLERANCE),
        ("dual_feasibility_tolerance", TOLERANCE),
    ):
        solver.setOptionValue(option, value)
    solver.passModel(program)
    solver.run()
    state = solver.getModelStatus()
    if state != highspy.HighsModelStatus.kOptimal:
        raise UnprovedError(
            f"HiGHS ended with '{solver.modelStatusToString(state)}' on the hulls of {n_a} and "
            f"{n_b} points in {n_dims} dimensions; an optimum was expected."
        )
    solution = solver.getSolution()
    weights = np.maximum(np.asarray(solution.col_value)[:n_points], 0.0)
    return Program(
        weights_a=weights[:n_a] / weights[:n_a].sum(),
        weights_b=weights[n_a:] / weights[n_a:].sum(),
    )
