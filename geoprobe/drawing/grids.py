"""Grids: distances of groups as colours, and counts of one group against another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from geoprobe.drawing.style import INK, FloatArray, colour_bar, describe, new_axes, note

MOST_NAMED = 50
"""Groups beyond this number stay without names, which could not be read."""
_MOST_NUMBERED = 12


def draw_distances(
    matrix: FloatArray, names: Sequence[str], *, ax: Any = None, title: str = ""
) -> Any:
    """Draw the distances of groups as colours, with their numbers where there is room.

    Parameters
    ----------
    matrix : ndarray of float64, shape (n_groups, n_groups)
        NaN where there is no distance; the diagonal is left empty.
    names : sequence of str, shape (n_groups,)
    ax : matplotlib.axes.Axes, optional
    title : str

    Returns
    -------
    matplotlib.axes.Axes
    """
    shown = matrix.copy()
    np.fill_diagonal(shown, np.nan)
    ax, image = _draw(shown, names, names, ax)
    if len(names) <= _MOST_NUMBERED:
        _number(ax, image, shown, "{:.3g}")
    _tell(image, names, names, shown)
    if np.isfinite(shown).any():
        colour_bar(image, ax, "hull distance (0: overlap)")
    else:
        ax.text(0.5, 0.5, "no pairs", ha="center", color=INK, transform=ax.transAxes)
    describe(ax, title=title)
    return ax


def draw_counts(
    counts: FloatArray,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    ax: Any = None,
    title: str = "",
    x: str = "",
    y: str = "",
    nothing: str = "",
) -> Any:
    """Draw counts as numbers on colours of their logarithm; zeros stay empty.

    Parameters
    ----------
    counts : ndarray of float64, shape (n_rows, n_columns)
    rows, columns : sequence of str, shapes (n_rows,), (n_columns,)
    ax : matplotlib.axes.Axes, optional
    title, x, y : str
    nothing : str
        What to write where there is nothing to count.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax, image = _draw(np.log10(np.where(counts > 0, counts, np.nan)), rows, columns, ax)
    if max(len(rows), len(columns)) <= MOST_NAMED:
        _number(ax, image, np.where(counts > 0, counts, np.nan), "{:.0f}", np.log10)
    _tell(image, rows, columns, counts)
    describe(ax, title=title, x=x, y=y)
    if not np.any(counts):
        ax.text(0.5, 0.5, nothing, ha="center", color=INK, transform=ax.transAxes)
    return ax


def _draw(values: FloatArray, rows: Sequence[str], columns: Sequence[str], ax: Any) -> Any:
    """Draw an image with names beside it, and return axes and image."""
    if ax is None:
        wide, high = (0.3 * min(len(names), MOST_NAMED) for names in (columns, rows))
        ax = new_axes(1, width=max(5.0, 2.4 + wide), height=max(2.4, 1.8 + high))[1][0]
    ax.grid(False)
    # An image of no rows cannot be drawn.
    drawn = values if values.size else np.full((1, 1), np.nan)
    image = ax.imshow(drawn, aspect="auto", interpolation="nearest")
    for put, names, more in ((ax.set_yticks, rows, {}), (ax.set_xticks, columns, {"rotation": 90})):
        if len(names) <= MOST_NAMED:
            put(range(len(names)), names, parse_math=False, **more)
        else:
            put([])
    return ax, image


def _number(ax: Any, image: Any, values: FloatArray, form: str, scale: Any = None) -> None:
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            on = image.cmap(image.norm(value if scale is None else scale(value)))
            note(
                ax, j, i, form.format(value), ha="center", va="center", fontsize=6,
                color=_readable(on),
            )  # fmt: skip


def _tell(image: Any, rows: Sequence[str], columns: Sequence[str], values: FloatArray) -> None:
    """Keep what a page shows where the pointer is; thousands of cells are too many elements."""
    texts = [[f"{value:.6g}" if np.isfinite(value) else "" for value in row] for row in values]
    image.told = {"rows": list(rows), "columns": list(columns), "values": texts}


def _readable(ground: tuple[float, ...]) -> str:
    """Return black or white, whichever is read more easily on a colour."""
    red, green, blue, _ = ground
    return "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 0.5 else "white"
