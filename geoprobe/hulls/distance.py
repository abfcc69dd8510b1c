"""Two hulls: do they overlap, and how far are they apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from geoprobe.arrays import as_points
from geoprobe.errors import InputError
from geoprobe.geometry.pairs import HullResult
from geoprobe.hulls.fallback import resolve
from geoprobe.hulls.normalisation import normalise
from geoprobe.hulls.solver import decided, other_than_default
from geoprobe.kernels import nearest
from geoprobe.tolerances import TAU, checked_tau


def hull_distance(
    A: Any,
    B: Any,
    *,
    tau: float = TAU,
    scale: float | None = None,
    solver: str = "active-set",
) -> HullResult:
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
    solver : {"active-set", "highs"}, default="active-set"
        ``"highs"`` is a second opinion by a linear program alone, for the decision: its bounds
        hold, but are far apart.

    Returns
    -------
    HullResult
        ``distance`` with a proved lower and upper bound.

    Raises
    ------
    InputError
        If an array cannot be used, the dimensions differ, or ``scale`` does not fit the points.

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
    scaled = normalise(both, scale)
    rows_a, rows_b = np.split(np.arange(len(both)), [len(points_a)])
    solve = other_than_default(solver) or resolve
    answer = solve(scaled.points, rows_a, rows_b, tau)
    lower, upper, status = answer.lower, answer.upper, answer.status
    normal, offset = scaled.direction(answer.normal), 0.0
    if normal.any():
        low = float((scaled.full[rows_a] @ normal).min())
        high = float((scaled.full[rows_b] @ normal).max())
        offset = float(scaled.scale * (low + high) / 2.0 + scaled.centre @ normal)
        if scaled.basis is not None:
            lower = max(0.0, low - high - float(nearest.rounding(both.shape[1])))
    if scaled.basis is not None:
        apart = answer.weights_a @ scaled.full[answer.rows_a]
        apart -= answer.weights_b @ scaled.full[answer.rows_b]
        upper = float(np.sqrt(apart @ apart)) + float(nearest.rounding(both.shape[1]))
        status = decided(lower, upper, tau)
    return HullResult(
        status=status,
        lower=lower * scaled.scale,
        upper=upper * scaled.scale,
        support_a=answer.rows_a,
        weights_a=answer.weights_a,
        support_b=answer.rows_b - len(points_a),
        weights_b=answer.weights_b,
        normal=normal,
        offset=offset,
        scale=scaled.scale,
        tau=tau,
        stage=answer.stage,
    )


def hulls_overlap(
    A: Any,
    B: Any,
    *,
    tau: float = TAU,
    scale: float | None = None,
    solver: str = "active-set",
) -> HullResult:
    """Whether two convex hulls share a point; ``bool`` of the result says so.

    Parameters and errors are those of :func:`hull_distance`, and so is the result: its status
    names what was proved, its weights (overlap) or its hyperplane (disjoint) prove it.

    Examples
    --------
    >>> from geoprobe import hulls_overlap
    >>> bool(hulls_overlap([[0, 0], [2, 2]], [[0, 2], [2, 0]]))
    True
    """
    return hull_distance(A, B, tau=tau, scale=scale, solver=solver)


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
