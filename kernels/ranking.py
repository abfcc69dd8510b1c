"""Ranking of hulls by their distance from queries, one block of queries at a time."""

from __future__ import annotations

import numpy as np

from geoprobe.kernels.activeset import dot
from geoprobe.kernels.jit import inner, kernel
from geoprobe.kernels.listing import FLOAT32
from geoprobe.kernels.nearest import rounding
from geoprobe.kernels.products import products
from geoprobe.kernels.projection import FARTHER, NOISE, OPEN, project
from geoprobe.kernels.state import Query


@inner
def price_error(n_dims, radius, length):
    """Bound the error of a price: one product of two members, one of a member and the query.

    Both are sums of ``n_dims`` terms, then of a term for each working point, of which there are
    ``n_dims + 2`` at most.
    """
    return (2 * n_dims + 12) * FLOAT32 * radius * (radius + length)


@kernel
def bound_distances(hulls, ranking, tau):
    """Write the products of queries and members, and bounds of the distances.

    A hull lies behind its foremost member on the way from its mean to the query.
    """
    n_queries, n_dims = ranking.point.shape
    slack = rounding(n_dims)
    for c in range(hulls.radius.shape[0]):
        begin, end = hulls.start[c], hulls.start[c + 1]
        mean = hulls.mean[c]
        for q in range(n_queries):
            square = 0.0
            for j in range(n_dims):
                towards = ranking.point[q, j] - mean[j]
                ranking.centred[q, j] = towards
                square += towards * towards
            ranking.square[q, c] = square
        products(ranking.centred, hulls.centred[begin:end], ranking.product, begin)
        for q in range(n_queries):
            foremost = ranking.product[q, begin]
            for i in range(begin, end):
                foremost = max(foremost, ranking.product[q, i])
            length = np.sqrt(ranking.square[q, c])
            bound = 0.0
            if length > 0.0:
                error = (n_dims + 8) * FLOAT32 * hulls.radius[c]
                size = max(1.0, np.sqrt(dot(ranking.point[q], ranking.point[q])))
                bound = length - foremost / length - error - 3.0 * slack * size
            # A hull within tau counts as 0 and ties with any other such hull.
            ranking.bound[q, c] = bound if bound > tau else 0.0


@inner
def keep_nearest(nearest, distance):
    """Insert a distance into the smallest ones found so far."""
    m = nearest.shape[0] - 1
    if distance >= nearest[m]:
        return
    while m > 0 and nearest[m - 1] > distance:
        nearest[m] = nearest[m - 1]
        m -= 1
    nearest[m] = distance


@kernel
def rank_block(hulls, state, ranking, tau):
    """Project every query of a block onto the hulls that may be among its nearest."""
    n_queries, n_dims = ranking.point.shape
    k = ranking.nearest.shape[0]
    for q in range(n_queries):
        point = ranking.point[q]
        slack = rounding(n_dims) * max(1.0, np.sqrt(dot(point, point)))
        for m in range(k):
            ranking.nearest[m] = np.inf
        for m in range(hulls.radius.shape[0]):
            c = ranking.order[q, m]
            enough = max(ranking.nearest[k - 1], tau)
            if ranking.bound[q, c] > enough:
                break
            square = ranking.square[q, c]
            radius, length = hulls.radius[c], np.sqrt(square)
            query = Query(
                point,
                ranking.product[q, hulls.start[c] : hulls.start[c + 1]],
                square,
                price_error(n_dims, radius, length),
                NOISE * FLOAT32 * radius * (radius + length),
                slack,
            )
            status, distance = project(hulls, state, c, query, enough, tau)
            if status == OPEN:
                ranking.distance[q, c] = np.nan
            elif status != FARTHER:
                ranking.distance[q, c] = distance
                keep_nearest(ranking.nearest, distance)
