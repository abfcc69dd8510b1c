"""Convex combinations and margins of many pairs at once, as matrix products in plain NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.geometry.pairs import Supports

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

EPS = float(np.finfo(np.float64).eps)
ELEMENTS_AT_ONCE = 1 << 22
"""Numbers in one temporary array: 32 MiB."""

_LONG = 8
"""Sums of more vectors than this are products of their own; shorter ones are done together."""


class CentredPoints:
    """The points that certificates are checked against, centred on their mean.

    Parameters
    ----------
    points : ndarray of float32 or float64, shape (n_points, n_dims)
    assignment : ndarray of int64, shape (n_points,)
        Cluster of each point.
    n_clusters : int
        Every cluster from 0 to ``n_clusters - 1`` holds a point.

    Attributes
    ----------
    centred : ndarray of float64, shape (n_points, n_dims)
    radius : float
        R, the largest distance of a point to the mean.
    rounding : float
        How far plain float64 arithmetic may put a dot product of a unit vector with a centred
        point, or with the difference of two convex combinations, off its exact value.
    reach : ndarray of float64, shape (n_clusters,)
        No two points of a cluster are further apart.
    """

    def __init__(self, points: NDArray[Any], assignment: IntArray, n_clusters: int) -> None:
        raw = points.astype(np.float64)
        largest = float(np.abs(raw).max())
        # The squares of large or small numbers may leave float64, so that lengths are taken of
        # numbers near 1. A power of two changes no digit.
        unit = 2.0 ** np.floor(np.log2(largest)) if largest > 0 else 1.0
        raw /= unit
        furthest = float(np.sqrt(np.einsum("ij,ij->i", raw, raw).max()) * unit)
        # Twice: the first mean carries the rounding errors of large numbers.
        raw -= raw.mean(axis=0)
        raw -= raw.mean(axis=0)
        self.radius = float(np.sqrt(np.einsum("ij,ij->i", raw, raw).max()) * unit)
        raw *= unit
        self.centred: FloatArray = raw
        self.rounding = float(EPS * (2 * (raw.shape[1] + 32) * self.radius + 8 * furthest))
        self.assignment = assignment
        self.n_clusters = n_clusters
        self.members = np.argsort(assignment, kind="stable")
        self.sizes = np.bincount(assignment, minlength=n_clusters)
        self.begins = np.concatenate([[0], np.cumsum(self.sizes)])
        self.reach = np.array([self._reach(k) for k in range(n_clusters)])

    def rows(self, cluster: int) -> IntArray:
        """Return the rows of one cluster."""
        return self.members[self.begins[cluster] : self.begins[cluster + 1]]

    def _reach(self, cluster: int) -> float:
        block = self.centred[self.rows(cluster)] / (self.radius or 1.0)
        return 2.0 * float(np.linalg.norm(block - block[0], axis=1).max()) * self.radius

    def single_vector_clusters(self) -> NDArray[np.bool_]:
        """Whether all points of each cluster are equal but for rounding, shape (n_clusters,)."""
        single = np.ones(self.n_clusters, dtype=np.bool_)
        for cluster in np.flatnonzero(self.sizes > 1):
            block = self.centred[self.rows(int(cluster))]
            single[cluster] = bool(np.abs(block - block[0]).max() <= self.rounding)
        return single

    def combine(self, start: IntArray, index: IntArray, weight: FloatArray) -> FloatArray:
        """Return convex combinations of centred points, shape (n_combinations, n_dims).

        Parameters
        ----------
        start : ndarray of int64, shape (n_combinations + 1,)
            Where the rows of each combination begin in ``index`` and ``weight``; none is empty.
        index, weight : ndarray, shape (n_entries,)
            Weights are divided by their sum, so that every combination is truly convex.
        """
        begins = start[:-1] - start[0]
        entries = slice(int(start[0]), int(start[-1]))
        rows, shares = index[entries], weight[entries]
        if len(rows) == len(begins):
            return self.centred[rows]
        sizes = np.diff(start)
        shares = shares / np.repeat(np.add.reduceat(shares, begins), sizes)
        combined = np.empty((len(sizes), self.centred.shape[1]))
        long = sizes > _LONG
        for k in np.flatnonzero(long):
            part = slice(begins[k], begins[k] + sizes[k])
            combined[k] = shares[part] @ self.centred[rows[part]]
        if not long.all():
            kept = np.repeat(~long, sizes)
            weighted = self.centred[rows[kept]] * shares[kept, None]
            cuts = np.cumsum(sizes[~long]) - sizes[~long]
            combined[~long] = np.add.reduceat(weighted, cuts)
        return combined

    def differences(self, supports: Supports, part: slice) -> FloatArray:
        """Return first minus second convex combination of certificates, shape (n_part, n_dims)."""
        a = slice(part.start, part.stop + 1)
        first = self.combine(supports.start_a[a], supports.index_a, supports.weight_a)
        return first - self.combine(supports.start_b[a], supports.index_b, supports.weight_b)

    def lowest(self, normals: FloatArray, clusters: IntArray) -> FloatArray:
        """Return the smallest dot product of each normal with a point of its cluster.

        Parameters
        ----------
        normals : ndarray of float64, shape (n_pairs, n_dims)
        clusters : ndarray of int64, shape (n_pairs,)

        Returns
        -------
        ndarray of float64, shape (n_pairs,)
        """
        lowest = np.empty(len(clusters))
        alone = np.flatnonzero(self.sizes[clusters] == 1)
        single = self.members[self.begins[clusters[alone]]]
        lowest[alone] = np.einsum("ij,ij->i", normals[alone], self.centred[single])
        many = np.flatnonzero(self.sizes[clusters] > 1)
        many = many[np.argsort(clusters[many], kind="stable")]
        cuts = np.flatnonzero(np.diff(clusters[many])) + 1
        for group in np.split(many, cuts) if len(many) else []:
            rows = self.rows(int(clusters[group[0]]))
            block = self.centred[rows]
            step = max(1, ELEMENTS_AT_ONCE // len(rows))
            for begin in range(0, len(group), step):
                part = group[begin : begin + step]
                lowest[part] = (normals[part] @ block.T).min(axis=1)
        return lowest


def batches(supports: Supports, n_dims: int) -> Iterator[slice]:
    """Cut certificates into runs whose temporary arrays stay small.

    Yields
    ------
    slice
        Positions of certificates; together all of them, in order.
    """
    cost = supports.start_a[1:] + supports.start_b[1:]
    limit = max(1, ELEMENTS_AT_ONCE // n_dims)
    begin = 0
    while begin < len(cost):
        before = int(cost[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(cost, before + limit, side="right")))
        yield slice(begin, end)
        begin = end
