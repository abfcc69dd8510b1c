"""Distances from new points to the hulls of clusters: projections in blocks of queries."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.geometry.pairs import Status
from geoprobe.hulls.solving import Groups, solve_pairs
from geoprobe.kernels import activeset
from geoprobe.kernels import ranking as kernel
from geoprobe.kernels.products import gram
from geoprobe.kernels.state import Hulls, Projection, Ranking
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.threads import in_order

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Products of members with each other that are kept, 4 bytes each: the smallest hulls first.
GRAM_ENTRIES = 1 << 26
# Listed members of a hull without such products.
ROOM = 1024
# Queries of one task, and products of queries with members in memory for it.
MOST_QUERIES = 64
MOST_PRODUCTS = 1 << 22
# Queries longer than this power of two would leave float32 too few digits.
FARTHEST = 20
# Hulls smaller than this are points, and their products would leave the range of float32.
SMALLEST_RADIUS = 1e-12


class NearestHulls:
    """The clusters with the nearest hulls for any query.

    Parameters
    ----------
    points : ndarray of float64, shape (n_points, n_dims)
        In the unit ball.
    clusters : Groups
        Rows of each cluster.
    gram_entries : int
        Products of members of one cluster with each other that may be kept. Clusters beyond
        are looked at by the points themselves: less memory, more time.
    """

    def __init__(
        self, points: FloatArray, clusters: Groups, gram_entries: int = GRAM_ENTRIES
    ) -> None:
        self._points = points
        self._clusters = clusters
        self._gram_entries = gram_entries
        self._hulls: Hulls | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what the next ranking makes again, to keep pickles small."""
        return {**self.__dict__, "_hulls": None}

    def rank(
        self,
        queries: FloatArray,
        k: int,
        tau: float,
        n_threads: int,
        progress: ProgressCallback | None = None,
    ) -> tuple[FloatArray, IntArray]:
        """Find the ``k`` clusters with the nearest hulls for each query, exactly.

        Clusters are looked at in the order of a lower bound that costs one product a point, until
        the bound of the next one exceeds the ``k``-th distance known. A projection that proves to
        be farther than that is left unfinished.

        The answer for a query depends on the points, the clusters and ``tau`` alone, to the last
        bit, and ``k`` only cuts the list: every projection starts from scratch, and what is left
        out would have come out farther than ``k`` others.

        Parameters
        ----------
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
        if self._hulls is None:
            self._hulls = prepare(self._points, self._clusters, self._gram_entries, n_threads)
        hulls = self._hulls
        if not hulls.mean.any() and np.all(hulls.radius <= SMALLEST_RADIUS):
            # All hulls are one and the same point, the origin.
            lengths = np.linalg.norm(queries, axis=1)
            return np.repeat(lengths[:, None], k, axis=1), np.tile(np.arange(k), (len(queries), 1))
        distances = np.empty((len(queries), k))
        ids = np.empty((len(queries), k), np.int64)
        at_once = int(np.clip(MOST_PRODUCTS // len(hulls.rows), 1, MOST_QUERIES))
        starts = range(0, len(queries), at_once)
        blocks = [slice(begin, min(begin + at_once, len(queries))) for begin in starts]

        def work(block: slice) -> FloatArray:
            return _distances(hulls, queries[block], k, tau)

        for block, found in zip(blocks, in_order(work, blocks, n_threads), strict=True):
            ids[block] = np.argsort(found, axis=1, kind="stable")[:, :k]
            distances[block] = np.take_along_axis(found, ids[block], axis=1)
            if progress is not None:
                progress(Progress("ranking", block.stop, len(queries)))
        return distances, ids


def prepare(points: FloatArray, clusters: Groups, gram_entries: int, n_threads: int) -> Hulls:
    """Gather what projections need to know of the clusters, whatever the queries."""
    sizes = clusters.sizes
    mean = np.empty((len(clusters), points.shape[1]))
    centred = np.empty((len(clusters.rows), points.shape[1]), np.float32)
    half_square = np.empty(len(clusters.rows), np.float32)
    radius = np.empty(len(clusters))
    for c in range(len(clusters)):
        members = points[clusters[c]]
        mean[c] = members.mean(axis=0)
        members -= mean[c]
        square = np.einsum("ij,ij->i", members, members)
        part = slice(clusters.start[c], clusters.start[c + 1])
        centred[part], half_square[part] = members, square / 2.0
        radius[c] = max(float(np.sqrt(square.max())), SMALLEST_RADIUS)
    gram_start, n_entries = _places(sizes, gram_entries)
    entries = np.empty(n_entries, np.float32)

    def fill(c: int) -> None:
        begin, n = int(gram_start[c]), int(sizes[c])
        part = slice(clusters.start[c], clusters.start[c + 1])
        gram(centred[part], entries[begin : begin + n * n].reshape(n, n))

    kept = np.flatnonzero(gram_start >= 0)
    for _ in in_order(fill, kept[np.argsort(-sizes[kept])].tolist(), n_threads):
        pass
    # Kernels are compiled once more for arrays that may not be written to, as workers get them.
    return Hulls(
        points=np.require(points, requirements="W"),
        rows=np.require(clusters.rows, requirements="W"),
        start=np.require(clusters.start, requirements="W"),
        mean=mean,
        centred=centred,
        half_square=half_square,
        radius=radius,
        gram=entries,
        gram_start=gram_start,
    )


def _places(sizes: IntArray, n_entries: int) -> tuple[IntArray, int]:
    """Place the Gram matrices of the smallest clusters end to end; -1 for those without room."""
    ascending = np.argsort(sizes, kind="stable")
    ends = np.cumsum(sizes[ascending] ** 2)
    number = int(np.searchsorted(ends, n_entries, side="right"))
    start = np.full(len(sizes), -1, np.int64)
    start[ascending[:number]] = np.r_[0, ends][:number]
    return start, int(ends[number - 1]) if number else 0


def _distances(hulls: Hulls, queries: FloatArray, k: int, tau: float) -> FloatArray:
    """Return the distances of queries and hulls, infinite beyond the ``k``-th, in any order."""
    # The length must have the same bits in every batch: einsum's sums of more than 8,192 terms do
    # not.
    exponent = np.frexp(np.linalg.norm(queries, axis=1))[1]
    far = exponent > FARTHEST
    found = np.empty((len(queries), len(hulls.radius)))
    if not far.all():
        found[~far] = _projected(hulls, queries[~far], k, tau)
    found[far] = np.nan
    exponent = np.maximum(exponent - 1, 0)
    unclear = np.flatnonzero(np.isnan(found).any(axis=1))
    for power in np.unique(exponent[unclear]).tolist():
        of_power = unclear[exponent[unclear] == power]
        query, cluster = np.nonzero(np.isnan(found[of_power]))
        # The rounding bounds hold for points about as large as the unit ball: for queries far
        # outside everything is made smaller, by a power of two so that no digit changes.
        unit = 2.0**power
        found[of_power[query], cluster] = unit * _solved(
            hulls, queries[of_power] / unit, query, cluster, unit, tau / unit
        )
    return found


def _projected(hulls: Hulls, queries: FloatArray, k: int, tau: float) -> FloatArray:
    """Return distances as :attr:`Ranking.distance` has them."""
    (n_queries, n_dims), n_hulls = queries.shape, len(hulls.radius)
    ranking = Ranking(
        point=queries,
        centred=np.empty((n_queries, n_dims), np.float32),
        square=np.empty((n_queries, n_hulls)),
        product=np.empty((n_queries, len(hulls.rows)), np.float32),
        bound=np.empty((n_queries, n_hulls)),
        order=np.empty((n_queries, n_hulls), np.int64),
        nearest=np.empty(k),
        distance=np.full((n_queries, n_hulls), np.inf),
    )
    kernel.bound_distances(hulls, ranking, tau)
    ranking.order[:] = np.argsort(ranking.bound, axis=1, kind="stable")
    kernel.rank_block(hulls, _room(hulls), ranking, tau)
    return ranking.distance


def _room(hulls: Hulls) -> Projection:
    """Return room for projections onto any of the hulls."""
    n_dims = hulls.points.shape[1]
    largest = int(np.diff(hulls.start).max())
    working = activeset.allocate(n_dims)
    size = len(working.weight)
    room = ROOM if np.any(hulls.gram_start < 0) else 0
    return Projection(
        working=working,
        offset=np.zeros(size),
        n_listed=np.zeros(1, np.int64),
        listed=np.zeros(room, np.int64),
        is_listed=np.zeros(largest, np.bool_),
        between=np.zeros(size * room, np.float32),
        product=np.zeros(largest, np.float32),
        price=np.zeros(largest, np.float32),
        all_prices=np.zeros(largest, np.float32),
        towards=np.zeros(n_dims, np.float32),
    )


def _solved(
    hulls: Hulls,
    queries: FloatArray,
    query: IntArray,
    cluster: IntArray,
    unit: float,
    tau: float,
) -> FloatArray:
    """Return the distances of some queries and hulls, from the points divided by ``unit``."""
    n_points, n_hulls = len(hulls.points), len(hulls.radius)
    groups = Groups(
        rows=np.r_[hulls.rows, n_points + np.arange(len(queries))],
        start=np.r_[hulls.start, hulls.start[-1] + 1 + np.arange(len(queries))],
    )
    solved = solve_pairs(
        np.concatenate([hulls.points / unit, queries]),
        groups,
        cluster.astype(np.int64),
        n_hulls + query.astype(np.int64),
        tau,
        n_threads=1,
    )
    distances: FloatArray = np.where(solved.status == Status.OVERLAP, 0.0, solved.upper)
    return distances
