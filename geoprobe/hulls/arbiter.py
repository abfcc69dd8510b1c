"""Pairs that a first solve leaves open: look closer, then ask HiGHS, and prove what it says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoprobe.geometry.normals import best_normal
from geoprobe.geometry.pairs import Stage, Status
from geoprobe.hulls.highs import arbitrate
from geoprobe.kernels import activeset, nearest

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Verdict:
    """Bounds in the frame's units, with the supports that prove them.

    Attributes
    ----------
    status : Status
    stage : Stage
    lower, upper : float
    rows_a, rows_b : ndarray of int64
        Rows of the frame's points.
    weights_a, weights_b : ndarray of float64
    """

    status: Status
    stage: Stage
    lower: float
    upper: float
    rows_a: IntArray
    weights_a: FloatArray
    rows_b: IntArray
    weights_b: FloatArray


def look_closer(
    points: FloatArray, rows_a: IntArray, rows_b: IntArray, threshold: float
) -> Verdict:
    """Decide whether two hulls overlap where a first solve could not.

    The nearest points are found from scratch, and the hyperplane is set upright on the faces
    that carry them, which bounds the distance from below better than the vector between nearly
    equal points can. If that leaves the bounds on both sides of the threshold, HiGHS solves the
    pair as a linear program, and the kernel goes on from the program's support.

    Parameters
    ----------
    points : ndarray of float64, shape (n_points, n_dims)
        All points, in the frame.
    rows_a, rows_b : ndarray of int64
        The rows of the two sets.
    threshold : float
        Hulls at most this far apart overlap.
    """
    work = activeset.allocate(points.shape[1])
    verdict = _solve(points, rows_a, rows_b, threshold, work, Stage.KERNEL)
    if verdict.status is not Status.UNPROVED:
        return verdict

    program = arbitrate(points[rows_a], points[rows_b])
    slack = nearest.rounding(points.shape[1])
    shared = program.weights_a @ points[rows_a] - program.weights_b @ points[rows_b]
    distance = float(np.sqrt(shared @ shared)) + slack
    some_a, some_b = program.weights_a > 0.0, program.weights_b > 0.0
    if distance <= threshold:
        return Verdict(
            Status.OVERLAP,
            Stage.HIGHS,
            0.0,
            distance,
            rows_a[some_a],
            program.weights_a[some_a],
            rows_b[some_b],
            program.weights_b[some_b],
        )
    work.state[0] = 0
    for rows, weights, side in (
        (rows_a[some_a], program.weights_a[some_a], 0),
        (rows_b[some_b], program.weights_b[some_b], 1),
    ):
        for row, weight in zip(rows, weights, strict=True):
            work.new_row[0], work.new_side[0] = row, side
            if activeset.append(work, points, 1):
                work.weight[work.state[0] - 1] = weight
    activeset.normalise(work)
    return _solve(points, rows_a, rows_b, threshold, work, Stage.HIGHS)


def upright_bound(
    w: FloatArray,
    points_a: FloatArray,
    points_b: FloatArray,
    support_a: FloatArray,
    support_b: FloatArray,
) -> float:
    """Return the proved lower bound of the distance that :func:`best_normal` gives.

    The points are those of the frame, in the unit ball.
    """
    _, low, high = best_normal(w, points_a, points_b, support_a, support_b)
    return low - high - float(nearest.rounding(points_a.shape[1]))


def _solve(
    points: FloatArray,
    rows_a: IntArray,
    rows_b: IntArray,
    threshold: float,
    work: activeset.Working,
    stage: Stage,
) -> Verdict:
    """Solve from a working set, empty or not, and take the better of two hyperplanes."""
    n_dims = points.shape[1]
    w = np.empty(n_dims)
    code, lower, upper, _ = nearest.nearest(
        points,
        points.astype(np.float32),
        rows_a,
        rows_b,
        work,
        w,
        threshold,
        False,
        1000 * (n_dims + 16),
    )
    k = int(work.state[0])
    on_a, on_b = work.side[:k] == 0, work.side[:k] == 1
    used_a, used_b = work.row[:k][on_a].copy(), work.row[:k][on_b].copy()
    status = Status(code)
    if status is Status.UNPROVED:
        bound = upright_bound(w, points[rows_a], points[rows_b], points[used_a], points[used_b])
        lower = max(lower, bound)
        if lower > threshold:
            status = Status.DISJOINT
    return Verdict(
        status,
        stage,
        lower,
        upper,
        used_a,
        work.weight[:k][on_a].copy(),
        used_b,
        work.weight[:k][on_b].copy(),
    )
