"""The fallback for pairs that a first solve leaves open: the active set anew, then HiGHS."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from geoprobe.geometry.pairs import Stage, Status
from geoprobe.hulls.active_set import solve_by_active_set, solve_from
from geoprobe.hulls.highs import solve_by_highs
from geoprobe.hulls.solver import Answer
from geoprobe.kernels import activeset, minimiser
from geoprobe.kernels.state import Points

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def resolve(points: FloatArray, rows_a: IntArray, rows_b: IntArray, threshold: float) -> Answer:
    """Decide whether two hulls overlap where a first solve could not.

    The nearest points are found from scratch, and the hyperplane is set normal to the faces
    that carry them, which bounds the distance from below better than the vector between nearly
    equal points can. If that leaves the bounds on both sides of the threshold, HiGHS solves the
    pair as a linear program, and the active set goes on from the program's support.

    Parameters and errors are those of :class:`geoprobe.hulls.solver.Solver`.
    """
    # The solvers copy the points that they are given: those of other hulls stay out.
    rows = np.concatenate([rows_a, rows_b])
    numbers_a, numbers_b = np.split(np.arange(len(rows)), [len(rows_a)])
    answer = _resolve(points[rows], numbers_a, numbers_b, threshold)
    return replace(answer, rows_a=rows[answer.rows_a], rows_b=rows[answer.rows_b])


def _resolve(points: FloatArray, rows_a: IntArray, rows_b: IntArray, threshold: float) -> Answer:
    """Do as :func:`resolve`, with no points but those of the two hulls."""
    answer = solve_by_active_set(points, rows_a, rows_b, threshold)
    if answer.status is not Status.UNPROVED:
        return answer
    program = solve_by_highs(points, rows_a, rows_b, threshold)
    if program.status is Status.OVERLAP:
        return program
    work = activeset.allocate(points.shape[1])
    both = Points(points, points.astype(np.float32))
    for rows, weights, side in (
        (program.rows_a, program.weights_a, 0),
        (program.rows_b, program.weights_b, 1),
    ):
        for row, weight in zip(rows, weights, strict=True):
            work.scratch.new_row[0], work.scratch.new_side[0] = row, side
            if activeset.append(work, both, 1):
                work.weight[work.n_working[0] - 1] = weight
    minimiser.normalise(work)
    return solve_from(points, rows_a, rows_b, threshold, work, Stage.HIGHS)
