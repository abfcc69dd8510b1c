"""How the figures look: colours that the colour-blind tell apart, on light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from geoprobe.findings.optional import need

# Okabe and Ito (2008), in an order whose neighbours differ most; without the black and the yellow,
# which vanish on a dark and on a light page.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
LINES = ("-", "--", ":", "-.")
INK = "#7a7a7a"
"""Text and axes: a grey of enough contrast on white and on black."""
BEFORE, AFTER = COLOURS[0], COLOURS[1]


def new_axes(
    n_panels: int = 1, *, width: float = 6.4, height: float = 3.8
) -> tuple[Any, list[Any]]:
    """Make a figure with panels in rows of three; it belongs to no window.

    Parameters
    ----------
    n_panels : int
    width, height : float
        Of one panel, in inches; several panels are narrower.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : list of matplotlib.axes.Axes
    """
    columns = min(n_panels, 3)
    rows = math.ceil(n_panels / columns)
    wide = width if columns == 1 else 0.62 * width * columns
    figure = need("matplotlib.figure").Figure(
        figsize=(wide, height * rows), layout="constrained", facecolor="none"
    )
    grid = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for unused in grid[n_panels:]:
        unused.remove()
    axes = grid[:n_panels]
    for ax in axes:
        restyle(ax)
    return figure, axes


def one_axes(ax: Any, **size: float) -> tuple[Any, Any]:
    """Return the axes given and their figure, or new ones for None."""
    if ax is not None:
        return ax.figure, ax
    figure, axes = new_axes(1, **size)
    return figure, axes[0]


def restyle(ax: Any) -> None:
    """Give axes a transparent ground, grey ink and no frame on top and right."""
    ax.set_facecolor("none")
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)
    ax.tick_params(colors=INK, which="both")
    ax.grid(True, color=INK, alpha=0.18, linewidth=0.6)
    ax.set_axisbelow(True)


def describe(ax: Any, *, title: str = "", x: str = "", y: str = "") -> None:
    """Set title and axis labels, as plain text: names from data may hold dollar signs."""
    for put, text in ((ax.set_title, title), (ax.set_xlabel, x), (ax.set_ylabel, y)):
        if text:
            put(text, color=INK, parse_math=False)
    ax.title.set_fontsize("medium")


def legend(ax: Any, *, below: bool = False, **options: Any) -> None:
    """Add a legend where there is something to explain, without a box; below the axes if asked."""
    if below:
        # Beside them it would lie beyond the edge of a phone.
        options |= {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16), "ncols": 2}
    if not ax.get_legend_handles_labels()[0]:
        return
    box = ax.legend(frameon=False, fontsize="small", labelcolor=INK, **options)
    for text in box.get_texts():
        text.set_parse_math(False)
    if box.get_title() is not None:
        box.get_title().set_color(INK)


def note(ax: Any, x: float, y: float, text: str, **options: Any) -> Any:
    """Write plain text at a point of the data."""
    style = {"color": INK, "fontsize": "small", "parse_math": False, **options}
    return ax.annotate(text, (x, y), **style)


def step_axis(ax: Any, steps: Sequence[int]) -> None:
    """Prepare the axis of update steps: logarithmic beyond step 1 where they span much."""
    positive = sorted(step for step in steps if step > 0)
    if positive and positive[-1] > 30 * positive[0]:
        ax.set_xscale("symlog", linthresh=positive[0])
    describe(ax, x="update step")


def colour(k: int) -> str:
    """Return the colour of the k-th line; they repeat, so lines also differ in marker and dash."""
    return COLOURS[k % len(COLOURS)]


def line_style(k: int) -> dict[str, Any]:
    """Return colour, marker and dash of the k-th line."""
    return {
        "color": colour(k),
        "marker": MARKERS[k % len(MARKERS)],
        "linestyle": LINES[(k // len(COLOURS)) % len(LINES)],
        "markersize": 4.5,
        "linewidth": 1.6,
    }


def shade(fraction: float) -> Any:
    """Return a colour for a position in an order, such as a layer; ``fraction`` in [0, 1]."""
    # The two ends of the map would vanish on dark and on light pages.
    return need("matplotlib").colormaps["viridis"](0.15 + 0.7 * fraction)
