"""Distance of a point to a convex hull by Wolfe's algorithm, in plain NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
AffineWeights = Callable[[FloatArray], FloatArray]

GAP = 1e-10
"""Relative gap of the two bounds at which a distance is final."""
ZERO = 1e-14
"""Weights up to this are none."""


class Hull:
    """The convex hull of some points.

    Parameters
    ----------
    points : ndarray of float64, shape (n_points, n_dims)
        Centred, and about as large as the unit ball.
    """

    def __init__(self, points: FloatArray) -> None:
        self.points = np.unique(points, axis=0)
        self.mean = points.mean(axis=0)
        self.rounding = 4.0 * (points.shape[1] + 8) * float(np.finfo(np.float64).eps)

    def lower_bounds(self, queries: FloatArray) -> FloatArray:
        """Bound the distances of many points from below, shape (n_queries,).

        The hull lies behind its foremost point on the way from its mean to the query.
        """
        towards = queries - self.mean
        length = np.linalg.norm(towards, axis=1)
        towards /= np.where(length > 0.0, length, 1.0)[:, None]
        foremost = (towards @ self.points.T).max(axis=1)
        far = np.maximum(1.0, np.linalg.norm(queries, axis=1))
        own = np.einsum("ij,ij->i", towards, queries)
        bounds: FloatArray = np.maximum(own - foremost - self.rounding * far, 0.0)
        return bounds

    def distance(self, query: FloatArray, enough: float = np.inf) -> tuple[float, float]:
        """Return a lower and an upper bound of the distance of a point.

        Parameters
        ----------
        query : ndarray of float64, shape (n_dims,)
        enough : float
            A lower bound that suffices; the search ends there.

        Returns
        -------
        lower, upper : float
            True bounds in any case. Where rounding ends the search early they stay apart, and
            whoever asked has to look.

        Notes
        -----
        The algorithm of Wolfe (1976) for the point of smallest norm of the hull moved by
        ``query``: walk to the smallest point of the active points' affine hull, leave points
        whose weight falls to zero on the way, and let the point enter that is foremost towards
        the query. Both bounds hold at every step, whatever the steps before were worth.
        """
        moved = self.points - query
        slack = self.rounding * max(1.0, float(np.linalg.norm(query)))
        active = [int(np.einsum("ij,ij->i", moved, moved).argmin())]
        weights = np.ones(1)
        lower, upper, before = 0.0, np.inf, np.inf
        # Products first, for they are quick; where they get no further, the vectors themselves.
        ways = [_by_edges, _by_products]
        while True:
            nearest = weights @ moved[active]
            length = float(np.linalg.norm(nearest))
            prices = moved @ nearest
            if length > slack:
                lower = max(lower, float(prices.min()) / length - slack)
            entering = int(prices.argmin())
            stuck = length >= before or entering in active
            upper, before = min(upper, length + slack), length
            if lower >= enough or upper - lower <= GAP * upper + 4.0 * slack:
                return lower, upper
            if stuck:
                ways.pop()
                if not ways:
                    return lower, upper
                before = np.inf
                active, weights = _minor_cycle(moved, active, weights, ways[-1])
            else:
                entered = [*active, entering]
                active, weights = _minor_cycle(moved, entered, np.append(weights, 0.0), ways[-1])


def _minor_cycle(
    moved: FloatArray, active: list[int], weights: FloatArray, affine_weights: AffineWeights
) -> tuple[list[int], FloatArray]:
    """Move to the point of smallest norm of the active points' hull."""
    while True:
        target = affine_weights(moved[active])
        falling = np.flatnonzero(target <= ZERO)
        if len(falling) == 0:
            return active, target
        share = np.maximum(weights[falling] - target[falling], ZERO)
        steps = weights[falling] / share
        weights = weights + min(1.0, float(steps.min())) * (target - weights)
        gone = int(falling[int(steps.argmin())])
        active = [row for k, row in enumerate(active) if k != gone]
        weights = np.maximum(np.delete(weights, gone), 0.0)
        weights /= weights.sum()


def _by_products(vectors: FloatArray) -> FloatArray:
    """Return the weights, of sum 1 and any sign, of the smallest point of an affine hull.

    Quick, but products of vectors lose half the digits.
    """
    # Ones added to the products make the system regular where the sum of weights is fixed.
    products = vectors @ vectors.T + 1.0
    weights = np.linalg.lstsq(products, np.ones(len(vectors)), rcond=None)[0]
    return np.asarray(weights / weights.sum())


def _by_edges(vectors: FloatArray) -> FloatArray:
    """Return the same weights from the vectors themselves, slowly and to all digits."""
    edges = vectors[1:] - vectors[0]
    # Edges of one length each: vectors that nearly coincide weigh as much as others.
    length = np.linalg.norm(edges, axis=1)
    share = np.linalg.lstsq((edges / length[:, None]).T, -vectors[0], rcond=None)[0] / length
    return np.concatenate([[1.0 - share.sum()], share])
