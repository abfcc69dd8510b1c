"""Distances of the hulls of all pairs of labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from geoprobe.arrays import as_labels, as_points
from geoprobe.geometry.pairs import PairwiseDistances
from geoprobe.hulls.normalisation import normalise
from geoprobe.hulls.solver import other_than_default
from geoprobe.hulls.solving import group_rows, pairs_to_measure, proved_in_full, solve_pairs
from geoprobe.progress import ProgressCallback
from geoprobe.threads import checked_threads
from geoprobe.tolerances import TAU, checked_tau


def pairwise_hull_distances(
    X: Any,
    y: Any,
    *,
    tau: float = TAU,
    solver: str = "active-set",
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
    solver : {"active-set", "highs"}, default="active-set"
        ``"highs"`` is a second opinion by linear programs alone, for the decision: its bounds
        hold, but are far apart.
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
        If an array cannot be used, there is only one label, or no such solver.
    """
    points = as_points(X)
    names, codes = as_labels(y, len(points), min_labels=2)
    tau = checked_tau(tau)
    threads = checked_threads(n_threads)
    scaled = normalise(points)
    groups = group_rows(codes, len(names))
    first, second = pairs_to_measure(np.arange(len(names)), "labels")
    solved = solve_pairs(
        scaled.points,
        groups,
        first,
        second,
        tau,
        threads,
        progress,
        solver=other_than_default(solver),
    )
    return proved_in_full(solved, groups, scaled).in_units(scaled.scale, tau, names)
