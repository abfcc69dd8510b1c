"""Style of the figures: colours, axes, legends, and what a page shows under the pointer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe import extras

FloatArray = NDArray[np.float64]

# Found by search: any two are at least 0.1 apart in OKLab, also for eyes that lack one kind of cone
# (Machado et al. 2009), and stand out on a white page and on a dark one. The report has a second
# set of the same hues for its dark page.
COLOURS = (
    "#3496F8", "#BF4700", "#218C6D", "#E368AE", "#085A8D", "#B29005", "#8058CA", "#764A4F",
)  # fmt: skip
# One less than colours, so that labels share neither both nor, side by side, either.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", ":", "-.")
INK = "#7a7a7a"
"""Text and axes: a grey of enough contrast on white and on black."""
BEFORE, AFTER = COLOURS[0], COLOURS[1]


def need(name: str) -> Any:
    """Import a module of pandas, matplotlib or whatever else the extra ``report`` installs.

    Parameters
    ----------
    name : str
        Dotted name, such as ``"matplotlib.figure"``.

    Raises
    ------
    GeoprobeError
        If the package is not installed; the message says how to install it.
    """
    return extras.need(name, "report")


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


def one_axes(ax: Any, **size: float) -> Any:
    """Return the axes given, or new ones for None."""
    return new_axes(1, **size)[1][0] if ax is None else ax


def figure_of(drawn: Any) -> Any:
    """Return the figure of what a plot returns: axes, or a list of them for several panels."""
    return (drawn[0] if isinstance(drawn, list) else drawn).figure


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
    shown = [
        entry for entry in zip(*ax.get_legend_handles_labels(), strict=True) if _seen(entry[0])
    ]
    if not shown:
        return
    handles, labels = zip(*shown, strict=True)
    box = ax.legend(handles, labels, frameon=False, fontsize="small", labelcolor=INK, **options)
    for text in box.get_texts():
        text.set_parse_math(False)
    if box.get_title() is not None:
        box.get_title().set_color(INK)


def colour_bar(image: Any, ax: Any, name: str) -> None:
    """Explain the colours of an image beside its axes."""
    bar = ax.figure.colorbar(image, ax=ax)
    bar.set_label(name, color=INK)
    bar.ax.tick_params(colors=INK)
    bar.ax.patch.set_facecolor("white")
    bar.outline.set_edgecolor(INK)
    # Hundreds of small rectangles would be larger than the rest of the figure.
    bar.solids.set_rasterized(True)


def _seen(handle: Any) -> bool:
    """Say whether a line, with or without error bars, has a point that is drawn."""
    line = handle[0] if isinstance(handle, tuple) else handle
    if not hasattr(line, "get_xydata"):
        # A band is drawn where it is only.
        return True
    points = np.asarray(line.get_xydata(), dtype=np.float64)
    return bool(np.isfinite(points).all(axis=1).any())


def share_limits(axes: Sequence[Any]) -> None:
    """Give panels the same limits, wide enough for each, so that they can be compared by eye."""
    for read, put in (("get_xlim", "set_xlim"), ("get_ylim", "set_ylim")):
        ends = np.array([getattr(ax, read)() for ax in axes])
        for ax in axes:
            getattr(ax, put)(ends[:, 0].min(), ends[:, 1].max())


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


def marker(k: int) -> str:
    """Return the marker of the k-th line; with its colour it is its own up to the 56th."""
    return MARKERS[k % len(MARKERS)]


def line_style(k: int) -> dict[str, Any]:
    """Return colour, marker and dash of the k-th line."""
    return {
        "color": colour(k),
        "marker": marker(k),
        "linestyle": LINES[k // (len(COLOURS) * len(MARKERS)) % len(LINES)],
        "markersize": 4.5,
        "linewidth": 1.6,
    }


def label_styles(labels: Iterable[str], order: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """Give every label a style, the same for the same order.

    Parameters
    ----------
    labels : iterable of str
        Sorted, they follow those of ``order`` that they are not among.
    order : sequence of str
        The labels of all figures that shall agree.

    Returns
    -------
    dict from label to style
        As :func:`line_style` gives it.
    """
    all_ = dict.fromkeys([*order, *sorted(labels)])
    return {label: line_style(k) for k, label in enumerate(all_)}


def tell(artist: Any, texts: Sequence[str]) -> None:
    """Say what a page shows under the pointer.

    Parameters
    ----------
    artist : matplotlib.artist.Artist
        A line, a bar or a collection.
    texts : sequence of str
        One for each of its points, or one for all.
    """
    if len(texts) > 1 and hasattr(artist, "get_xydata"):
        # A point that is undefined is not drawn.
        places = np.asarray(artist.get_xydata(), dtype=np.float64)
        texts = [text for text, at in zip(texts, places, strict=True) if np.isfinite(at).all()]
    artist.told = tuple(texts)


def shade(fraction: float) -> Any:
    """Return a colour for a position in an order, such as a layer; ``fraction`` in [0, 1]."""
    # The two ends of the map would vanish on dark and on light pages.
    return need("matplotlib").colormaps["viridis"](0.15 + 0.7 * fraction)
