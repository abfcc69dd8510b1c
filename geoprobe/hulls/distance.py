"""Two hulls: do they overlap, and how far are they apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from geoprobe.arrays import as_points
from geoprobe.errors import InputError
from geoprobe.geometry.normals import best_normal
from geoprobe.geometry.pairs import HullResult, Stage, Status
from geoprobe.hulls.frame import frame
from geoprobe.hulls.solving import group_rows, solve_pairs
from geoprobe.tolerances import TAU, checked_tau


def hull_distance(A: Any, B: Any, *, tau: float = TAU, scale: float | None = None) -> HullResult:
    """Distance of the convex hulls of two sets of points, with its certificate.

    It is twice the hard margin of the linear support vector machine that tells A from B (Zhou &
    Srikumar 2022, section 2).

    Parameters
    ----------
    A, B : array-like, shapes (n_a, n_dims), (n_b, n_dims)
        The two sets.
    tau : float, default=1e-7
        Hulls at most ``tau * scale`` apart overlap.
    scale : float, optional
        The length that ``tau`` is a share of; by default R, the largest distance of a point of
        either set to the mean of all of them.

    Returns
    -------
    HullResult
        ``distance`` with a proved lower and upper bound.

    Raises
    ------
    InputError
        If an array cannot be used, the dimensions differ, or all points are equal.

    Examples
    --------
    >>> from geoprobe import hull_distance
    >>> round(hull_distance([[0, 0], [0, 2]], [[3, 1], [4, 1]]).distance, 6)
    3.0
    """
    points_a = as_points(A, name="A")
    points_b = as_points(B, name="B")
    if points_a.shape[1] != points_b.shape[1]:
        raise InputError(
            f"A has {points_a.shape[1]} dimensions and B has {points_b.shape[1]}; "
            "the two must be equal."
        )
    tau = checked_tau(tau)
    both = np.concatenate([points_a, points_b], dtype=np.float64)
    placed = frame(both, scale)
    groups = group_rows(np.repeat([0, 1], [len(points_a), len(points_b)]), 2)
    pair = np.zeros(1, np.int64)
    solved = solve_pairs(placed.points, groups, pair, pair + 1, tau, 1)
    status = Status(int(solved.status[0]))
    support_a, weights_a = solved.supports.side_a(0)
    support_b, weights_b = solved.supports.side_b(0)
    support_b = support_b - len(points_a)
    normal = np.zeros(both.shape[1])
    offset = 0.0
    if status is not Status.OVERLAP:
        a, b = placed.points[: len(points_a)], placed.points[len(points_a) :]
        w = weights_a @ a[support_a] - weights_b @ b[support_b]
        normal, low, high = best_normal(w, a, b, a[support_a], b[support_b])
        offset = placed.scale * (low + high) / 2.0 + float(placed.centre @ normal)
    return HullResult(
        status=status,
        lower=float(solved.lower[0]) * placed.scale,
        upper=float(solved.upper[0]) * placed.scale,
        support_a=support_a,
        weights_a=weights_a,
        support_b=support_b,
        weights_b=weights_b,
        normal=normal,
        offset=offset,
        scale=placed.scale,
        tau=tau,
        stage=Stage(int(solved.stage[0])),
    )


def hulls_overlap(A: Any, B: Any, *, tau: float = TAU, scale: float | None = None) -> HullResult:
    """Whether two convex hulls share a point; ``bool`` of the result says so.

    Parameters and errors are those of :func:`hull_distance`, and so is the result: its status
    names what was proved, its weights (overlap) or its hyperplane (disjoint) prove it.

    Examples
    --------
    >>> from geoprobe import hulls_overlap
    >>> bool(hulls_overlap([[0, 0], [2, 2]], [[0, 2], [2, 0]]))
    True
    """
    return hull_distance(A, B, tau=tau, scale=scale)


def point_to_hull(A: Any, p: Any, *, tau: float = TAU, scale: float | None = None) -> HullResult:
    """Distance of a point to the convex hull of a set; overlap means that it lies inside.

    Parameters
    ----------
    A : array-like, shape (n_a, n_dims)
    p : array-like, shape (n_dims,)
    tau, scale
        As for :func:`hull_distance`.
    """
    point = np.asarray(p) if not hasattr(p, "detach") else p
    if point.ndim != 1:
        raise InputError(f"p must have shape (n_dims,), but it has shape {tuple(point.shape)}.")
    return hull_distance(A, point[None, :], tau=tau, scale=scale)
