"""The active-set solver: exact nearest points of two hulls by the compiled kernels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geoprobe.geometry.normals import best_normal
from geoprobe.geometry.pairs import Stage, Status
from geoprobe.hulls.solver import Answer
from geoprobe.kernels import activeset, nearest
from geoprobe.kernels.state import Points, Question, Working

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Steps for each dimension before the solver gives up.
STEPS_PER_DIM = 1000
# A relative gap of the bounds that is worth a second look at the hyperplane.
WIDE_GAP = 1e-8


def solve_by_active_set(
    points: FloatArray, rows_a: IntArray, rows_b: IntArray, threshold: float
) -> Answer:
    """Decide as a :class:`geoprobe.hulls.solver.Solver` does; distances are exact to 1e-9.

    The hot path calls the kernels for many pairs directly.
    """
    work = activeset.allocate(points.shape[1])
    return solve_from(points, rows_a, rows_b, threshold, work, Stage.KERNEL)


def solve_from(
    points: FloatArray,
    rows_a: IntArray,
    rows_b: IntArray,
    threshold: float,
    work: Working,
    stage: Stage,
) -> Answer:
    """Solve from a working set, empty or not, and take the better of two hyperplanes."""
    n_dims = points.shape[1]
    code, lower, upper = nearest.nearest(
        Points(points, points.astype(np.float32)),
        rows_a,
        rows_b,
        work,
        Question(threshold, False, STEPS_PER_DIM * (n_dims + 16)),
    )
    w = work.scratch.w
    k = int(work.n_working[0])
    on_a, on_b = work.side[:k] == 0, work.side[:k] == 1
    used_a, used_b = work.row[:k][on_a].copy(), work.row[:k][on_b].copy()
    status = Status(code)
    normal = np.zeros(n_dims)
    if status is not Status.OVERLAP:
        length = float(np.sqrt(w @ w))
        normal = w / length if length > 0.0 else normal
        if status is Status.UNPROVED or upper - lower > WIDE_GAP * upper:
            face, bound = face_bound(
                w, points[rows_a], points[rows_b], points[used_a], points[used_b]
            )
            if bound > lower:
                normal, lower = face, bound
        status = Status.DISJOINT if lower > threshold else Status.UNPROVED
    return Answer(
        status,
        stage,
        lower,
        upper,
        used_a,
        work.weight[:k][on_a].copy(),
        used_b,
        work.weight[:k][on_b].copy(),
        normal,
    )


def face_bound(
    w: FloatArray,
    points_a: FloatArray,
    points_b: FloatArray,
    support_a: FloatArray,
    support_b: FloatArray,
) -> tuple[FloatArray, float]:
    """Return the better of two normals, and the lower bound of the distance that it proves.

    The points are normalised: in the unit ball. See :func:`best_normal`.
    """
    normal, low, high = best_normal(w, points_a, points_b, support_a, support_b)
    return normal, low - high - float(nearest.rounding(points_a.shape[1]))
