"""Planes: vectors seen in their first two principal components, and texts that keep apart there."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from geoprobe.drawing.style import INK, FloatArray, need, new_axes, note
from geoprobe.errors import InputError


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
    # A second of imports, which those that draw no plane do without.
    from sklearn.decomposition import PCA

    # Of many vectors the covariance is much smaller than they are.
    solver = "covariance_eigh" if n_vectors > 10 * n_dims else "full"
    pca = PCA(n_components=2, svd_solver=solver)
    points = pca.fit_transform(vectors)
    first, second = (float(share) for share in pca.explained_variance_ratio_)
    return Plane(points, pca.transform(np.zeros((1, n_dims)))[0], (first, second))


def draw_planes(
    explained: Mapping[tuple[int, int], tuple[float, float]],
    draw: Callable[[Any, int, int], None],
    write: Callable[[Any, int, int], None],
    ax: Any,
    layer: int | None,
    seed: int | None,
    key: Mapping[str, str],
) -> Any:
    """Draw the planes of one seed side by side, or one of them into given axes.

    Parameters
    ----------
    explained : mapping from (layer, seed) to the shares of the variance
    draw, write : callable
        Take axes, layer and seed. Texts whose places depend on each other are written when all
        else has been laid out.
    ax : matplotlib.axes.Axes or None
    layer, seed : int or None
        All layers, and the smallest seed, for None.
    key : mapping from str to str
        What the numbers from 1 on stand for in the panels, and their colours.

    Returns
    -------
    matplotlib.axes.Axes, or a list of them for several planes

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
    if key:
        _add_key(figure, ax, key)
    with warnings.catch_warnings():
        # What does not fit or has no glyph is told when the figure is drawn in earnest.
        warnings.simplefilter("ignore", UserWarning)
        figure.draw_without_rendering()
    for panel, number in zip(axes, panels, strict=True):
        write(panel, number, seed)
    return axes if len(axes) > 1 else axes[0]


def _add_key(figure: Any, ax: Any, names: Mapping[str, str]) -> None:
    """Write below a figure, or below the axes given, what the numbers from 1 on stand for."""
    line = need("matplotlib.lines").Line2D
    widest = min(38, max(map(len, names)) + len(str(len(names))) + 5)
    columns = max(1, min(len(names), int(72 * figure.get_size_inches()[0] / 5.2 / widest)))
    if ax is None:
        rows = math.ceil(len(names) / columns)
        width, height = figure.get_size_inches()
        figure.set_size_inches(width, height + 0.17 * rows)
        where: Any = {"loc": "outside lower center"}
    else:
        where = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16)}
    box = (figure if ax is None else ax).legend(
        [line([], [], color=colour_, linewidth=3) for colour_ in names.values()],
        [f"{k} {name}" for k, name in enumerate(names, 1)],
        frameon=False, fontsize="small", labelcolor=INK, handlelength=0.7, handletextpad=0.4,
        ncols=columns, **where,
    )  # fmt: skip
    for text in box.get_texts():
        text.set_parse_math(False)


# Width and height of a character of small print, in points.
_CHARACTER = np.array([5.8, 12.0])


def write_apart(
    ax: Any,
    places: FloatArray,
    texts: Sequence[str],
    drawn: FloatArray,
    *,
    thick: float,
    directions: FloatArray | None = None,
) -> None:
    """Write a text near each place where nothing else is; a far one is tied to it by a thin line.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        With equal scales, laid out, and with everything in it that decides on its limits.
    places : ndarray of float64, shape (n_texts, 2)
        In the units of the data.
    texts : sequence of str
    drawn : ndarray of float64, shape (n_points, 2)
        Where something is drawn that no text should cover.
    thick : float
        How far, in points on paper, it reaches around.
    directions : ndarray of float64, shape (n_texts, 2), optional
        Where from its place each text should rather be; up to the right by default.
    """
    if directions is None:
        directions = np.ones_like(places)
    on_paper = 72 / ax.figure.dpi * ax.transData.transform(places)
    taken = 72 / ax.figure.dpi * ax.transData.transform(drawn)
    reach = np.full(taken.shape, thick)
    for place, at, text, direction in zip(places, on_paper, texts, directions, strict=True):
        half = _CHARACTER * (len(text), 1) / 2
        angle = math.atan2(direction[1], direction[0])
        offset = _free_offset(taken - at, reach + half, half, angle)
        taken, reach = np.vstack([taken, at + offset]), np.vstack([reach, half])
        # A text that touches its place needs no line.
        far = bool(np.any(np.abs(offset) > half + _CHARACTER))
        line = {"arrowstyle": "-", "color": INK, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 1}
        note(
            ax, float(place[0]), float(place[1]), text, xytext=tuple(offset),
            textcoords="offset points", ha="center", va="center",
            arrowprops=line if far else None,
        )  # fmt: skip


def _free_offset(
    taken: FloatArray, apart: FloatArray, half: FloatArray, angle: float
) -> FloatArray:
    """Search on growing rings, from the angle given to both sides, for room for a box."""
    offset = half
    for ring in range(1, 100):
        for turn in (0, 1, -1, 2, -2, 3, -3, 4):
            there = angle + turn * math.pi / 4
            offset = (half + 3 * ring) * (math.cos(there), math.sin(there))
            if np.any(np.abs(offset - taken) >= apart, axis=1).all():
                return offset
    return offset
