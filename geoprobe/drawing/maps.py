"""Maps: points of many dimensions seen in two, with their hulls and what lies between these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from geoprobe.drawing.planes import axis_names, plane
from geoprobe.drawing.style import (
    INK,
    FloatArray,
    colour,
    describe,
    legend,
    marker,
    one_axes,
    tell,
)
from geoprobe.showing import shortened

IntArray = NDArray[np.int64]

MOST_NAMED = 24
# A file with more marks than this is slow to open; they become one picture in it.
_MOST_MARKS = 4_000


@dataclass(frozen=True)
class View:
    """Points seen in two dimensions.

    Attributes
    ----------
    points : ndarray of float64, shape (n_points, 2)
    across, up : str
        Names of the two axes.
    keeps : str
        What can be read from the picture and what cannot.
    """

    points: FloatArray
    across: str
    up: str
    keeps: str


def principal_view(points: NDArray[Any]) -> View:
    """See points in the plane of their two principal components.

    Parameters
    ----------
    points : ndarray of float, shape (n_points, n_dims)
        At least two.
    """
    vectors = np.asarray(points, dtype=np.float64)
    if vectors.shape[1] == 1:
        flat = np.column_stack([vectors, np.zeros(len(vectors))])
        return View(flat, "the only dimension", "", "there is one dimension, and all of it is seen")
    seen = plane(vectors)
    across, up = axis_names(seen.explained)
    kept = sum(seen.explained)
    what = (
        "all points are equal" if np.isnan(kept) else f"this plane keeps {kept:.0%} of the variance"
    )
    if vectors.shape[1] > 2:
        what += "; hulls that are apart may meet here"
    return View(seen.points, across, up, what)


def view_along(points: NDArray[Any], normal: FloatArray) -> View:
    """See points along the normal of a hyperplane, so that the gap is true to scale.

    Parameters
    ----------
    points : ndarray of float, shape (n_points, n_dims)
    normal : ndarray of float64, shape (n_dims,)
        Of length 1.
    """
    vectors = np.asarray(points, dtype=np.float64)
    along = vectors @ normal
    rest = vectors - along[:, None] * normal
    rest -= rest.mean(axis=0)
    _, _, directions = np.linalg.svd(rest, full_matrices=False)
    return View(
        np.column_stack([along, rest @ directions[0]]),
        "along the normal of the hyperplane",
        "the widest direction within it",
        "seen along the normal of a hyperplane: the gap is true to scale",
    )


def draw_map(
    view: View,
    codes: IntArray,
    names: Sequence[str],
    *,
    groups: IntArray | None = None,
    bridges: Sequence[FloatArray] = (),
    ax: Any = None,
    title: str = "",
) -> Any:
    """Draw points in two dimensions, their hulls, and lines between nearest points.

    Parameters
    ----------
    view : View
    codes : ndarray of int64, shape (n_points,)
        Position of each point's label in ``names``; colour and mark.
    names : sequence of str
    groups : ndarray of int64, shape (n_points,), optional
        Cluster of each point, whose hull is outlined: the shadow of the hull in all dimensions.
    bridges : sequence of ndarray of float64, shape (2, 2)
        Both ends of each line.
    ax : matplotlib.axes.Axes, optional
    title : str

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = one_axes(ax, width=6.4, height=5.2)
    many = len(codes) > _MOST_MARKS
    sizes = np.bincount(codes, minlength=len(names))
    named = np.sort(np.argsort(-sizes, kind="stable")[:MOST_NAMED])
    style = {"linestyle": "none", "markeredgewidth": 0, "alpha": 0.6, "rasterized": many}
    style["markersize"] = 3.0 if len(codes) > 1_000 else 4.5
    others = view.points[~np.isin(codes, named)]
    if len(others):
        text = f"{len(names) - len(named):,} more labels"
        ax.plot(others[:, 0], others[:, 1], marker=".", color=INK, label=text, **style)
    for k in named.tolist():
        own = view.points[codes == k]
        text = shortened(names[k])
        dots = ax.plot(
            own[:, 0], own[:, 1], marker=marker(k), color=colour(k), label=text, **style
        )  # fmt: skip
        tell(dots[0], [names[k]])
    if groups is not None:
        _outline(ax, view.points, codes, groups, set(named.tolist()))
    for ends in bridges:
        ax.plot(ends[:, 0], ends[:, 1], "-", color=INK, linewidth=1.4, marker="o", markersize=3)
    # The scales are those of the space: what is long here is long there.
    ax.set_aspect("equal", adjustable="datalim")
    describe(ax, title=f"{title}\n{view.keeps}" if title else view.keeps, x=view.across, y=view.up)
    legend(ax, loc="center left", bbox_to_anchor=(1.0, 0.5), markerscale=1.6)
    return ax


def _outline(
    ax: Any, points: FloatArray, codes: IntArray, groups: IntArray, named: set[int]
) -> None:
    order = np.argsort(groups, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        k = int(codes[rows[0]])
        if k in named and len(rows) > 1:
            ring = outline(points[rows])
            ax.fill(ring[:, 0], ring[:, 1], facecolor=colour(k), alpha=0.07, linewidth=0)
            closed = np.vstack([ring, ring[:1]])
            ax.plot(closed[:, 0], closed[:, 1], "-", color=colour(k), linewidth=0.9, alpha=0.8)


def outline(points: FloatArray) -> FloatArray:
    """Return the corners of the convex hull of points in the plane, in order around it.

    Parameters
    ----------
    points : ndarray of float64, shape (n_points, 2)

    Returns
    -------
    ndarray of float64, shape (n_corners, 2)
        The two ends where all points are on a line.
    """
    try:
        return np.asarray(points[ConvexHull(points).vertices])
    except (QhullError, ValueError):
        # Fewer than three points, or all on a line.
        spread = points - points.mean(axis=0)
        _, _, directions = np.linalg.svd(spread, full_matrices=False)
        along = spread @ directions[0]
        return np.asarray(points[[int(along.argmin()), int(along.argmax())]])
