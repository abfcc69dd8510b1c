"""Style of the figures: colours, axes, planes of principal components."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geoprobe import extras
from geoprobe.errors import InputError

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
