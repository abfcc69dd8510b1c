"""The plane in which some vectors differ most: scikit-learn's PCA, where it is defined."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from sklearn.decomposition import PCA

from geoprobe.errors import InputError
from geoprobe.findings.style import new_axes
from geoprobe.geometry.measured import FloatArray


class Plane(NamedTuple):
    """Vectors seen in their first two principal components."""

    points: FloatArray
    """Shape (n_vectors, 2)."""
    origin: FloatArray
    """Where the zero vector falls, shape (2,)."""
    explained: tuple[float, float]
    """Share of the variance along each axis; NaN when all vectors are equal."""


def axis_names(explained: tuple[float, float]) -> tuple[str, str]:
    """Name the two axes of a plane, with their shares of the variance where there is any."""
    names = ("1st component", "2nd component")
    if any(math.isnan(share) for share in explained):
        return names
    return f"{names[0]} ({explained[0]:.0%} of variance)", f"{names[1]} ({explained[1]:.0%})"


def draw_planes(
    explained: Mapping[tuple[int, int], tuple[float, float]],
    draw: Callable[[Any, int, int], None],
    ax: Any,
    layer: int | None,
    seed: int | None,
) -> Any:
    """Draw the planes of one seed side by side, or one of them into given axes.

    Parameters
    ----------
    explained : mapping from (layer, seed) to the shares of the variance
    draw : callable
        Takes axes, layer and seed.
    ax : matplotlib.axes.Axes or None
    layer, seed : int or None
        All layers, and the smallest seed, for None.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is no such plane, or several for one axes.
    """
    seed = min(s for _, s in explained) if seed is None else seed
    panels = sorted(n for n, s in explained if s == seed and layer in (None, n))
    if not panels or (ax is not None and len(panels) > 1):
        there = ", ".join(f"layer {n} of seed {s}" for n, s in explained)
        raise InputError(f"one panel has to be named among: {there}.")
    figure, axes = new_axes(len(panels)) if ax is None else (ax.figure, [ax])
    for panel, number in zip(axes, panels, strict=True):
        draw(panel, number, seed)
    return figure


def plane(vectors: FloatArray) -> Plane:
    """Project vectors to two dimensions by principal component analysis.

    Parameters
    ----------
    vectors : ndarray of float64, shape (n_vectors, n_dims)
        At least two of each.

    Raises
    ------
    InputError
        If there are fewer.
    """
    n_vectors, n_dims = vectors.shape
    if n_vectors < 2 or n_dims < 2:
        raise InputError(
            f"PCA to two dimensions needs at least two vectors of two dimensions, but there are "
            f"{n_vectors} of {n_dims}."
        )
    if np.all(vectors == vectors[0]):
        return Plane(np.zeros((n_vectors, 2)), np.zeros(2), (float("nan"), float("nan")))
    pca = PCA(n_components=2, svd_solver="full")
    points = pca.fit_transform(vectors)
    first, second = (float(share) for share in pca.explained_variance_ratio_)
    return Plane(points, pca.transform(np.zeros((1, n_dims)))[0], (first, second))
