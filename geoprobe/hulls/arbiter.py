"""What the kernels leave open: ask HiGHS, then prove its answer in float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoprobe.hulls.highs import arbitrate
from geoprobe.hulls.normals import best_normal
from geoprobe.hulls.results import Status
from geoprobe.kernels import activeset, nearest

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Verdict:
    """Bounds in the frame's units, with the supports that prove them.

    Attributes
    ----------
    status : Status
    lower, upper : float
    rows_a, rows_b : ndarray of int64
        Rows of the frame's points.
    weights_a, weights_b : ndarray of float64
    """

    status: Status
    lower: float
    upper: float
    rows_a: IntArray
    weights_a: FloatArray
    rows_b: IntArray
    weights_b: FloatArray


def decide_with_highs(
    points: FloatArray, rows_a: IntArray, rows_b: IntArray, threshold: float
) -> Verdict:
    """Decide whether two hulls overlap, starting from the optimum of the linear program.

    The program's support is where the kernel goes on: it ends at the nearest points in the
    Euclidean sense and brings the bounds. The direction of the program is a second candidate for
    the lower bound.

    Parameters
    ----------
    points : ndarray of float64, shape (n_points, n_dims)
        All points, in the frame.
    rows_a, rows_b : ndarray of int64
        The rows of the two sets.
    threshold : float
        Hulls at most this far apart overlap.
    """
    n_dims = points.shape[1]
    program = arbitrate(points[rows_a], points[rows_b])
    work = activeset.allocate(n_dims)
    for rows, weights, side in (
        (rows_a, program.weights_a, 0),
        (rows_b, program.weights_b, 1),
    ):
        for i in np.flatnonzero(weights > 0.0):
            if activeset.append(work, points[rows[i]], rows[i], side):
                work.weight[work.state[0] - 1] = weights[i]
    activeset.normalise(work)
    w = np.empty(n_dims)
    code, lower, upper, _ = nearest.nearest(
        points,
        points.astype(np.float32),
        rows_a,
        rows_b,
        work,
        w,
        threshold,
        True,
        1000 * (n_dims + 16),
    )
    slack = nearest.rounding(n_dims)
    length = float(np.sqrt(program.direction @ program.direction))
    if length > 0.0:
        normal = program.direction / length
        margin = float((points[rows_a] @ normal).min() - (points[rows_b] @ normal).max())
        lower = max(lower, margin - slack)
    shared = program.weights_a @ points[rows_a] - program.weights_b @ points[rows_b]
    distance = float(np.sqrt(shared @ shared)) + slack
    if distance <= threshold < upper:
        some_a, some_b = program.weights_a > 0.0, program.weights_b > 0.0
        return Verdict(
            Status.OVERLAP,
            0.0,
            distance,
            rows_a[some_a],
            program.weights_a[some_a],
            rows_b[some_b],
            program.weights_b[some_b],
        )
    k = int(work.state[0])
    on_a, on_b = work.side[:k] == 0, work.side[:k] == 1
    used_a, used_b = work.row[:k][on_a].copy(), work.row[:k][on_b].copy()
    status = Status(code)
    if status is Status.UNPROVED:
        _, low, high = best_normal(
            w, points[rows_a], points[rows_b], points[used_a], points[used_b]
        )
        lower = max(lower, low - high - slack)
        if lower > threshold:
            status = Status.DISJOINT
    return Verdict(
        status,
        lower,
        upper,
        used_a,
        work.weight[:k][on_a].copy(),
        used_b,
        work.weight[:k][on_b].copy(),
    )
