"""Distance of a point to a convex hull by Wolfe's algorithm, in plain NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

GAP = 1e-10
"""Relative gap of the two bounds at which a distance is final."""
MOST_PRODUCTS = 4096
"""Points whose products with each other are kept; of larger hulls they are taken when needed."""


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
        few = len(self.points) <= MOST_PRODUCTS
        self._products = self.points @ self.points.T if few else None

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

        Notes
        -----
        The algorithm of Wolfe (1976) for the point of smallest norm of the hull moved by
        ``query``. Products stand in for vectors on the way; both bounds are formed from the
        vectors at the end, less the rounding error of that.
        """
        own = self.points @ query
        square = float(query @ query)
        lengths = np.einsum("ij,ij->i", self.points, self.points) - 2.0 * own + square
        active = [int(lengths.argmin())]
        weights = np.ones(1)
        best = (0.0, np.inf)
        for _ in range(20 * (self.points.shape[1] + 50)):
            difference = weights @ self.points[active] - query
            upper = float(np.sqrt(difference @ difference))
            slack = self.rounding * max(1.0, float(np.sqrt(square)))
            prices = self._with(active) @ weights - own - float(weights @ own[active]) + square
            lower = 0.0
            if upper > slack:
                guess = float(prices.min()) / upper
                if guess >= enough or upper - guess <= GAP * upper + slack:
                    exact = float((self.points @ difference).min()) - float(query @ difference)
                    lower = exact / upper - slack
            best = max(best[0], lower), min(best[1], upper + slack)
            if best[0] >= enough or best[1] - best[0] <= GAP * best[1] + 4.0 * slack:
                return best
            entering = int(prices.argmin())
            if entering in active:
                return best
            active.append(entering)
            active, weights = self._minor_cycle(active, np.append(weights, 0.0), own, square)
        return best

    def _with(self, active: list[int]) -> FloatArray:
        """Return the products of all points with the active ones, shape (n_points, n_active)."""
        if self._products is None:
            return np.asarray(self.points @ self.points[active].T)
        return np.asarray(self._products[:, active])

    def _minor_cycle(
        self, active: list[int], weights: FloatArray, own: FloatArray, square: float
    ) -> tuple[list[int], FloatArray]:
        """Move to the point of smallest norm of the active points' hull."""
        while True:
            inside = self.points[active] @ self.points[active].T
            shift = own[active]
            # Ones added to the products make the system regular where the sum of weights is fixed.
            system = inside - shift[:, None] - shift[None, :] + square + 1.0
            target = np.linalg.lstsq(system, np.ones(len(active)), rcond=None)[0]
            target /= target.sum()
            if (target > 1e-14).all():
                return active, target
            falling = np.flatnonzero(target <= 1e-14)
            share = weights[falling] - target[falling]
            steps = np.where(share > 0.0, weights[falling] / np.where(share > 0, share, 1.0), 0.0)
            step = min(1.0, float(steps.min()))
            weights = weights + step * (target - weights)
            gone = int(falling[int(steps.argmin())])
            active = [row for k, row in enumerate(active) if k != gone]
            weights = np.maximum(np.delete(weights, gone), 0.0)
            weights /= weights.sum()
