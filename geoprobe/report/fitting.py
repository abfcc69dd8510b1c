"""Making figures and the names in them fit each other, whatever the data calls its labels."""

from __future__ import annotations

import textwrap
from typing import Any

from geoprobe.findings.optional import need

_LONG_NAME, _LONG_TITLE = 32, 120
# Axes keep at least this share of what the figure was meant to give them.
_SHARE = 0.5


def shorten_names(figure: Any) -> None:
    """Shorten names that would leave no room for the figure; the tables have them whole."""
    whole = set()
    fixed = need("matplotlib.ticker").FixedLocator
    for axes in figure.axes:
        whole |= {id(axes.title), id(axes.xaxis.label), id(axes.yaxis.label)}
        for axis in (axes.xaxis, axes.yaxis):
            if isinstance(axis.get_major_locator(), fixed):
                names = [text.get_text() for text in axis.get_ticklabels()]
                short = [shortened(name, _LONG_NAME) for name in names]
                if short != names:
                    axis.set_ticks(axis.get_majorticklocs(), short, parse_math=False)
    for text in figure.findobj(need("matplotlib.text").Text):
        text.set_text(shortened(text.get_text(), _LONG_TITLE if id(text) in whole else _LONG_NAME))


def shortened(text: str, longest: int) -> str:
    """Return a text of at most ``longest`` characters, with an ellipsis where it was cut."""
    if len(text) <= longest:
        return text
    end = longest // 4
    return f"{text[: longest - end - 1]}\N{HORIZONTAL ELLIPSIS}{text[-end:]}"


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
    text = " ".join(axes.title.get_text().split())
    longest = max(len(line) for line in axes.title.get_text().splitlines())
    fitting = max(8, int(0.95 * longest * room / extent.width))
    axes.title.set_text(textwrap.fill(text, fitting))
    return True
