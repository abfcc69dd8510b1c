"""Distances of the hulls of all pairs of labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from geoprobe.arrays import as_labels, as_points
from geoprobe.errors import InputError
from geoprobe.hulls.frame import frame
from geoprobe.hulls.results import PairwiseDistances
from geoprobe.hulls.solving import Solved, group_rows, solve_pairs
from geoprobe.progress import ProgressCallback
from geoprobe.threads import checked_threads
from geoprobe.tolerances import TAU, checked_tau


def pairwise_hull_distances(
    X: Any,
    y: Any,
    *,
    tau: float = TAU,
    n_threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> PairwiseDistances:
    """Distances of the convex hulls of all pairs of labels, with certificates.

    Parameters
    ----------
    X : array-like, shape (n_points, n_dims)
    y : array-like, shape (n_points,)
        Label of each point, or any other group, such as a cluster.
    tau : float, default=1e-7
        Hulls at most ``tau * R`` apart overlap, R the largest distance of a point to the mean.
    n_threads : int, optional
        All processors by default; the outcome does not depend on it.
    progress : callable, optional
        Called with a :class:`geoprobe.progress.Progress` now and then.

    Returns
    -------
    PairwiseDistances
        Its ``names`` are the labels, sorted; one row per pair.

    Raises
    ------
    InputError
        If an array cannot be used or there is only one label.
    """
    points = as_points(X)
    names, codes = as_labels(y, len(points), min_labels=2)
    tau = checked_tau(tau)
    threads = checked_threads(n_threads)
    placed = frame(points)
    groups = group_rows(codes, len(names))
    first, second = (side.astype(np.int64) for side in np.triu_indices(len(names), 1))
    solved = solve_pairs(placed.points, groups, first, second, tau, threads, progress)
    return to_distances(solved, names, first, second, placed.scale, tau)


def to_distances(
    solved: Solved,
    names: np.ndarray[Any, np.dtype[Any]],
    first: np.ndarray[Any, np.dtype[np.int64]],
    second: np.ndarray[Any, np.dtype[np.int64]],
    scale: float,
    tau: float,
) -> PairwiseDistances:
    """Put answers back into the units of the points."""
    if len(names) < 1:
        raise InputError("there are no groups to measure.")
    return PairwiseDistances(
        names=names,
        first=first,
        second=second,
        lower=solved.lower * scale,
        upper=solved.upper * scale,
        status=solved.status,
        stage=solved.stage,
        supports=solved.supports,
        scale=scale,
        tau=tau,
    )
