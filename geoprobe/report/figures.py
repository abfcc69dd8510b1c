"""Figures of findings: what is drawn, fitted to the page, and saved."""

from __future__ import annotations

import io
import math
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from geoprobe.drawing.style import COLOURS, INK, need
from geoprobe.findings import (
    CentroidPaths,
    CrossTask,
    Differences,
    Finding,
    MinDistances,
    Movement,
    Performance,
)
from geoprobe.report.svg import inline_svg, well_formed
from geoprobe.showing import LONGEST_NAME, shortened, without_controls

_MEASURES = {
    "directprobe": "accuracy of DirectProbe",
    "classifier": "accuracy of the classifier probe",
    "head": "accuracy of the fine-tuned head",
    "similarity": "spatial similarity of the test to training",
}


_MATRICES = {"accuracy": _MEASURES["directprobe"], "classifier": _MEASURES["classifier"]}


class Drawing(NamedTuple):
    """One way to draw a finding."""

    name: str
    """Part of the names of its files; empty for the usual way."""
    caption: str
    plot: Callable[[], Any]


def drawings(finding: Finding, labels: Sequence[str] = ()) -> Iterator[Drawing]:
    """Yield every way to draw a finding, the most telling first.

    Parameters
    ----------
    finding : Finding
    labels : sequence of str
        In the order in which they take colours.
    """
    if isinstance(finding, Performance):
        for measure, caption in _MEASURES.items():
            if any(not math.isnan(value) for value in finding.columns()[measure]):
                yield Drawing(measure, caption, partial(finding.plot, measure=measure))
    elif isinstance(finding, CrossTask):
        yield Drawing("", "smallest distances", finding.plot)
        for measure, caption in _MATRICES.items():
            if any(not math.isnan(value) for value in finding.columns()[f"{measure}_after"]):
                yield Drawing(measure, caption, partial(finding.plot, measure=measure))
    elif isinstance(finding, MinDistances):
        plot = partial(finding.plot, order=labels)
        yield Drawing("", "smallest distances", plot)
        if not math.isnan(finding.rows[0].spread):
            caption = "how far the units of the same labels lie from their mean"
            yield Drawing("spread", caption, partial(plot, measure="spread"))
    elif isinstance(finding, CentroidPaths):
        yield Drawing("", "", partial(finding.plot, order=labels))
    elif isinstance(finding, Differences):
        plot = partial(finding.plot, order=labels)
        yield Drawing("", "the whole vectors", plot)
        caption = "the vectors less their mean, the movement that all labels share"
        yield Drawing("without-drift", caption, partial(plot, drift=False))
    elif isinstance(finding, Movement):
        yield Drawing("", "distance moved, in the units of the points", finding.plot)
        caption = "the same as a share of R, the radius of the original space"
        yield Drawing("relative", caption, partial(finding.plot, relative=True))
    else:
        yield Drawing("", "", finding.plot)


_LONG_TITLE = 120
# Axes keep at least this share of what the figure was meant to give them.
_SHARE = 0.5


def shorten_names(figure: Any) -> None:
    """Shorten names that would leave no room for the figure; the tables have them whole.

    Characters that would turn the direction of a name around are spelt out.
    """
    whole = set()
    fixed = need("matplotlib.ticker").FixedLocator
    for axes in figure.axes:
        whole |= {id(axes.title), id(axes.xaxis.label), id(axes.yaxis.label)}
        for axis in (axes.xaxis, axes.yaxis):
            if isinstance(axis.get_major_locator(), fixed):
                names = [text.get_text() for text in axis.get_ticklabels()]
                short = [shortened(without_controls(name), LONGEST_NAME) for name in names]
                if short != names:
                    axis.set_ticks(axis.get_majorticklocs(), short, parse_math=False)
    for text in figure.findobj(need("matplotlib.text").Text):
        longest = _LONG_TITLE if id(text) in whole else LONGEST_NAME
        text.set_text(shortened(without_controls(text.get_text()), longest))


def make_room(figure: Any, size: tuple[float, float]) -> bool:
    """Enlarge a figure whose names leave its axes no room, and break titles that run out of it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Drawn at least once since its last change.
    size : (float, float)
        Width and height that it was meant to have, in inches.

    Returns
    -------
    bool
        Whether anything has changed, so that it has to be laid out again.
    """
    now = [float(x) for x in figure.get_size_inches()]
    wanted = list(now)
    for axes in figure.axes:
        if axes.get_subplotspec() is None:
            # A colour bar is narrow on purpose.
            continue
        rows, columns = axes.get_subplotspec().get_gridspec().get_geometry()
        place = axes.get_position()
        for k, (share, n) in enumerate(((place.width, columns), (place.height, rows))):
            lacking = _SHARE * size[k] / n - share * now[k]
            # Hairs are not worth another round.
            if lacking > 0.02 * size[k]:
                wanted[k] = max(wanted[k], now[k] + 1.1 * n * lacking)
    if wanted != now:
        figure.set_size_inches(*wanted)
        return True
    return any([_break_title(axes, figure) for axes in figure.axes])


def _break_title(axes: Any, figure: Any) -> bool:
    """Break a title that is centred over its axes and reaches beyond the figure."""
    if not axes.title.get_text():
        return False
    # The figure was last drawn in points, of which an inch has 72.
    extent = axes.title.get_window_extent(dpi=72)
    middle = (extent.x0 + extent.x1) / 2
    room = 2 * min(middle, 72 * figure.get_size_inches()[0] - middle)
    if extent.width <= room:
        return False
    lines = axes.title.get_text().splitlines()
    fitting = max(8, int(0.95 * max(map(len, lines)) * room / extent.width))
    axes.title.set_text("\n".join(textwrap.fill(line, fitting) for line in lines))
    return True


_PAPER_INK = "#262626"
# Of the parts that are pictures, such as the dots of a map of many points; all else is lines.
_DPI = 200
_NO_ROOM = "constrained_layout not applied"
# How often a figure is laid out again until there is room for its names.
_TRIES = 6
# Text stays text, so that it can be searched, copied and edited; journals ask for Type 42 fonts.
_SETTINGS = {"svg.fonttype": "none", "svg.hashsalt": "geoprobe", "pdf.fonttype": 42}
_UNDATED_SVG = {"Date": None, "Creator": None}
_UNDATED = {"CreationDate": None, "Creator": None, "Producer": None}
_PAGE_COLOURS = {
    _PAPER_INK: "currentColor",
    **{colour.lower(): f"var(--c{k})" for k, colour in enumerate(COLOURS)},
}
# A picture has its colours on a dark page too, and so has all that belongs to it.
_PICTURE_COLOURS = {
    _PAPER_INK: "currentColor",
    **{colour.lower(): colour.lower() for colour in COLOURS},
}


@dataclass(frozen=True)
class Drawn:
    """One figure in all its forms.

    Attributes
    ----------
    svg, pdf : bytes
        Files; the ground is transparent and the ink is dark.
    inline : str
        An ``svg`` element in the colours of the page.
    unknown : str
        Characters that the font of the PDF lacks.
    """

    svg: bytes
    pdf: bytes
    inline: str
    unknown: str


def draw(figure: Any, prefix: str, about: str, *, pdf: bool = True) -> Drawn:
    """Render a figure.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        It is changed: long names in it become shorter, its ink darker.
    prefix : str
        What ids in the inline form begin with.
    about : str
        What is drawn, for the text that stands for the figure.
    pdf : bool, default=True
        Whether the PDF is wanted too.

    Returns
    -------
    Drawn
        Two figures with the same content give the same bytes.
    """
    _darken(figure)
    shorten_names(figure)
    told = _told_by_id(figure)
    unknown: list[str] = []
    with need("matplotlib").rc_context(_SETTINGS), _listening(unknown):
        svg = _save(figure, "svg", _UNDATED_SVG)
        size = tuple(figure.get_size_inches())
        for _ in range(_TRIES):
            if not make_room(figure, size):
                break
            svg = _save(figure, "svg", _UNDATED_SVG)
        # What has been laid out once stays where it is.
        figure.set_layout_engine("none")
        paper = _save(figure, "pdf", _UNDATED) if pdf else b""
    text = well_formed(svg.decode("utf8"))
    label = well_formed(without_controls(f"Figure. {about} {_told(figure)}"))
    lines = figure.findobj(need("matplotlib.lines").Line2D)
    pictured = any(line.get_rasterized() for line in lines)
    return Drawn(
        svg=text.encode("utf8"),
        pdf=paper,
        inline=inline_svg(
            text, prefix, label, _PICTURE_COLOURS if pictured else _PAGE_COLOURS, told
        ),
        unknown="".join(dict.fromkeys(unknown)) if pdf else "",
    )


def _save(figure: Any, kind: str, metadata: dict[str, None]) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format=kind, metadata=metadata, transparent=False, dpi=_DPI)
    return out.getvalue()


@contextmanager
def _listening(unknown: list[str]) -> Iterator[None]:
    """Note characters without a glyph, be silent where there is no room yet, and pass the rest."""
    show = warnings.showwarning

    def listen(message: Warning | str, *rest: Any, **more: Any) -> None:
        text = str(message)
        if text.startswith("Glyph "):
            unknown.append(chr(int(text.split()[1])))
        elif not text.startswith(_NO_ROOM):
            show(message, *rest, **more)

    with warnings.catch_warnings():
        for text in ("Glyph ", _NO_ROOM):
            warnings.filterwarnings("always", message=text, category=UserWarning)
        warnings.showwarning = listen
        yield


def _darken(figure: Any) -> None:
    """Exchange the grey that suits any ground for an ink that reads well on paper."""
    same = need("matplotlib.colors").same_color
    for axes in figure.axes:
        axes.tick_params(colors=_PAPER_INK, which="both")
    for artist in figure.findobj():
        for part in ("color", "edgecolor"):
            get = getattr(artist, f"get_{part}", None)
            if get is not None and _is(get(), same):
                getattr(artist, f"set_{part}")(_PAPER_INK)


def _is(colour: Any, same: Any) -> bool:
    try:
        return bool(same(colour, INK))
    except ValueError:
        # Several colours at once, or none.
        return False


def _told_by_id(figure: Any) -> dict[str, Any]:
    """Give ids to what has something to tell, and return what it tells."""
    told: dict[str, Any] = {}
    for number, artist in enumerate(figure.findobj(lambda one: hasattr(one, "told"))):
        artist.set_gid(f"told-{number}")
        what = artist.told
        if isinstance(what, dict):
            sides = {side: [_plain(name) for name in what[side]] for side in ("rows", "columns")}
            told[artist.get_gid()] = {**what, **sides}
        else:
            told[artist.get_gid()] = tuple(map(_plain, what))
    return told


def _plain(text: str) -> str:
    lines = well_formed(without_controls(text)).split("\n")
    return "\n".join(shortened(line, _LONG_TITLE) for line in lines)


def _told(figure: Any) -> str:
    """Read titles, axes and legends aloud."""
    parts = []
    for axes in figure.axes:
        axis = [
            f"{which}: {text}"
            for which, text in (("across", axes.get_xlabel()), ("up", axes.get_ylabel()))
            if text
        ]
        legend = axes.get_legend()
        if legend is not None:
            shown = ", ".join(text.get_text().strip() for text in legend.get_texts())
            axis.append(f"shown: {shown}")
        title = axes.get_title().replace("\n", " ")
        parts.append("; ".join([title, *axis] if title else axis))
    for key in figure.legends:
        parts.append("shown: " + ", ".join(text.get_text() for text in key.get_texts()))
    return ". ".join(filter(None, parts)) + "."
