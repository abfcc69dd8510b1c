"""The HiGHS solver: one linear program for a pair of hulls, and bounds that do not trust it."""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import UnprovedError
from geoprobe.geometry.pairs import Stage
from geoprobe.hulls.solver import Answer, decided
from geoprobe.kernels import nearest

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

TOLERANCE = 1e-9


def solve_by_highs(
    points: FloatArray, rows_a: IntArray, rows_b: IntArray, threshold: float
) -> Answer:
    """Decide as a :class:`geoprobe.hulls.solver.Solver` does, by a linear program alone.

    Its bounds hold and are wide: the program minimises the city-block distance, whose nearest
    points are others than those of the Euclidean distance.

    Raises
    ------
    UnprovedError
        If HiGHS does not report an optimum.
    """
    a, b = points[rows_a], points[rows_b]
    program = minimise_city_block(a, b)
    slack = float(nearest.rounding(points.shape[1]))
    apart = program.weights_a @ a - program.weights_b @ b
    length = float(np.sqrt(apart @ apart))
    lower, normal = 0.0, np.zeros(points.shape[1])
    for direction in (program.normal, apart):
        size = float(np.sqrt(direction @ direction))
        if size > 0.0 and length + slack > threshold:
            unit = direction / size
            bound = float((a @ unit).min() - (b @ unit).max()) - slack
            if bound > lower:
                lower, normal = bound, unit
    upper = length + slack
    used_a, used_b = program.weights_a > 0.0, program.weights_b > 0.0
    return Answer(
        decided(lower, upper, threshold),
        Stage.HIGHS,
        lower,
        upper,
        rows_a[used_a],
        program.weights_a[used_a],
        rows_b[used_b],
        program.weights_b[used_b],
        normal,
    )


@dataclass(frozen=True)
class Program:
    """What HiGHS reports.

    Attributes
    ----------
    weights_a, weights_b : ndarray of float64, shapes (n_a,), (n_b,)
        Not negative, each of sum 1.
    normal : ndarray of float64, shape (n_dims,)
        Of the separating hyperplane that the dual solution describes; zero where there is none.
    """

    weights_a: FloatArray
    weights_b: FloatArray
    normal: FloatArray


def minimise_city_block(points_a: FloatArray, points_b: FloatArray) -> Program:
    """Minimise the city-block distance of two hulls.

    It is zero exactly where the Euclidean distance is. Nothing is trusted here: whoever asks
    computes the bounds from the weights and the normal in float64.

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
        normal=-np.asarray(solution.row_dual)[:n_dims],
    )
