"""Distances from new points to the hulls of clusters, with most of them pruned."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geoprobe.geometry.pairs import Status
from geoprobe.hulls.solving import Groups, solve_pairs
from geoprobe.kernels.nearest import rounding
from geoprobe.progress import Progress, ProgressCallback

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Distances of queries to clusters in memory at a time; no answer depends on it.
DISTANCES_AT_ONCE = 1 << 17


def rank(
    points: FloatArray,
    clusters: Groups,
    queries: FloatArray,
    k: int,
    tau: float,
    n_threads: int,
    progress: ProgressCallback | None = None,
) -> tuple[FloatArray, IntArray]:
    """Find the ``k`` clusters with the nearest hulls for each query, exactly.

    The hull of a cluster lies in the half space behind its foremost point on the way from the
    cluster's mean to the query, which bounds the distance from below at the price of a dot
    product a point. Clusters are solved in the order of that bound, in rounds over all queries,
    until the bound of the next one exceeds the ``k``-th distance known.

    The answer for a query depends on the points, the clusters and ``tau`` alone, to the last bit,
    and ``k`` only cuts the list. Every pair is solved from scratch, and what is left out would
    have come out farther than ``k`` others; the bounds themselves, which carry the rounding of
    matrix products of any shape, decide only how much is solved.

    Parameters
    ----------
    points : ndarray of float64, shape (n_points, n_dims)
    clusters : Groups
        Rows of each cluster.
    queries : ndarray of float64, shape (n_queries, n_dims)
    k : int
    tau : float
        A query at most this far from a hull is inside: distance 0.
    n_threads : int
    progress : callable, optional

    Returns
    -------
    distances : ndarray of float64, shape (n_queries, k)
        In ascending order; equal distances are in the order of the clusters.
    ids : ndarray of int64, shape (n_queries, k)
    """
    distances = np.empty((len(queries), k))
    ids = np.empty((len(queries), k), np.int64)
    # The rounding bounds hold for points about as large as the unit ball. For queries far outside
    # everything is made smaller, by a power of two so that no digit changes.
    # The length must have the same bits in every batch: einsum's sums of more than 8,192 terms do
    # not.
    length = np.linalg.norm(queries, axis=1)
    exponent = np.maximum(np.frexp(length)[1] - 1, 0)
    at_once = max(1, DISTANCES_AT_ONCE // len(clusters))
    done = 0
    for power in np.unique(exponent).tolist():
        unit = 2.0**power
        smaller = points / unit
        rows = np.flatnonzero(exponent == power)
        for begin in range(0, len(rows), at_once):
            part = rows[begin : begin + at_once]
            near, ids[part] = _rank_near(
                smaller, clusters, queries[part] / unit, k, tau / unit, n_threads
            )
            distances[part] = near * unit
            done += len(part)
            if progress is not None:
                progress(Progress("ranking", done, len(queries)))
    return distances, ids


def _rank_near(
    points: FloatArray,
    clusters: Groups,
    queries: FloatArray,
    k: int,
    tau: float,
    n_threads: int,
) -> tuple[FloatArray, IntArray]:
    """Rank the clusters for queries that are at most twice as far out as the points."""
    n_queries, n_clusters = len(queries), len(clusters)
    everything = np.concatenate([points, queries])
    groups = Groups(
        rows=np.r_[clusters.rows, len(points) + np.arange(n_queries)],
        start=np.r_[clusters.start, clusters.start[-1] + 1 + np.arange(n_queries)],
    )
    bounds = lower_bounds(points, clusters, queries, tau)
    order = np.argsort(bounds, axis=1, kind="stable")
    known = np.full((n_queries, n_clusters), np.inf)
    position = 0
    width = k
    while position < n_clusters:
        chosen = order[:, position : position + width]
        kth = np.partition(known, k - 1, axis=1)[:, k - 1]
        wanted = np.take_along_axis(bounds, chosen, axis=1) <= kth[:, None]
        query, column = np.nonzero(wanted)
        if len(query) == 0:
            break
        cluster = chosen[query, column]
        solved = solve_pairs(
            everything,
            groups,
            cluster.astype(np.int64),
            n_clusters + query.astype(np.int64),
            tau,
            n_threads,
        )
        known[query, cluster] = np.where(solved.status == Status.OVERLAP, 0.0, solved.upper)
        position += width
        width = max(1, k // 4)
    ids = np.argsort(known, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(known, ids, axis=1), ids


def lower_bounds(
    points: FloatArray, clusters: Groups, queries: FloatArray, tau: float
) -> FloatArray:
    """Bound the distances that the ranking gives from below, shape (n_queries, n_clusters)."""
    bounds = np.empty((len(queries), len(clusters)))
    # Two dot products, one of them with a query up to twice as far out, and the length of the
    # direction are rounded: twice the usual bound; once more for what the solver rounds.
    slack = 3.0 * float(rounding(points.shape[1]))
    for c in range(len(clusters)):
        members = points[clusters[c]]
        towards = queries - members.mean(axis=0)
        length = np.sqrt(np.einsum("ij,ij->i", towards, towards))
        towards /= np.where(length > 0.0, length, 1.0)[:, None]
        foremost = (towards @ members.T).max(axis=1)
        own = np.einsum("ij,ij->i", towards, queries)
        bounds[:, c] = own - foremost - slack
    # A hull within tau counts as 0 and ties with any other such hull; only a bound beyond tau
    # says that the distance is not 0.
    bounds[bounds <= tau] = 0.0
    return bounds
