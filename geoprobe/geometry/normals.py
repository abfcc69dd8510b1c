"""The normal of a separating hyperplane, from the points it rests on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def face_normal(w: FloatArray, support_a: FloatArray, support_b: FloatArray) -> FloatArray:
    """Turn a vector until it is normal to the faces that carry the nearest points.

    The vector between two nearest points that almost touch is a difference of nearly equal
    numbers, and its direction uncertain. Every point of a support has the same height over the
    hyperplane, so that the differences within each support are known to lie in it.

    Parameters
    ----------
    w : ndarray of float64, shape (n_dims,)
        From the second hull to the first, not zero.
    support_a, support_b : ndarray of float64, shapes (n_a, n_dims), (n_b, n_dims)

    Returns
    -------
    ndarray of float64, shape (n_dims,)
        Of length 1. It is ``w`` itself, scaled, where the faces leave nothing of it.
    """
    plain: FloatArray = w / np.sqrt(np.sum(w * w))
    inside = np.concatenate([support_a[1:] - support_a[0], support_b[1:] - support_b[0]])
    if len(inside) == 0:
        return plain
    axes = _span(inside)
    normal: FloatArray = plain
    # Each pass removes what rounding left of the pass before.
    for _ in range(3):
        normal = normal - axes.T @ (axes @ normal)
        length = float(np.sqrt(normal @ normal))
        if length < 1e-6:
            return plain
        normal = normal / length
    return normal


def _span(vectors: FloatArray) -> FloatArray:
    """Return an orthonormal basis of what some vectors span, one axis a row."""
    axes, triangle = np.linalg.qr(vectors.T)
    sizes = np.abs(np.diag(triangle))
    if len(vectors) <= vectors.shape[1] and sizes.min() > 1e-8 * sizes.max():
        return np.asarray(axes.T)
    # Only the singular values tell how many dimensions dependent vectors span, at ten times the
    # price.
    _, sizes, axes = np.linalg.svd(vectors, full_matrices=False)
    return np.asarray(axes[sizes > 1e-12 * sizes[0]] if sizes[0] > 0.0 else axes[:0])


def best_normal(
    w: FloatArray,
    points_a: FloatArray,
    points_b: FloatArray,
    support_a: FloatArray,
    support_b: FloatArray,
) -> tuple[FloatArray, float, float]:
    """Return the better of a vector and the face normal next to it, with what it separates.

    Returns
    -------
    normal : ndarray of float64, shape (n_dims,)
    low, high : float
        The lowest point of A and the highest of B along the normal.
    """
    best: tuple[FloatArray, float, float] | None = None
    for normal in (w / np.sqrt(np.sum(w * w)), face_normal(w, support_a, support_b)):
        low, high = float((points_a @ normal).min()), float((points_b @ normal).max())
        if best is None or low - high > best[1] - best[2]:
            best = normal, low, high
    assert best is not None
    return best
