"""Drawing the figures of findings: as files for a paper, and as text for the page."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from geoprobe.findings.optional import need
from geoprobe.findings.style import COLOURS, INK
from geoprobe.report.fitting import make_room, shorten_names
from geoprobe.report.svg import inline_svg, well_formed

_PAPER_INK = "#262626"
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


def draw(figure: Any, prefix: str, about: str, *, files: bool = True) -> Drawn:
    """Render a figure.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        It is changed: long names in it become shorter, its ink darker.
    prefix : str
        What ids in the inline form begin with.
    about : str
        What is drawn, for the text that stands for the figure.
    files : bool, default=True
        Whether the PDF is wanted too.

    Returns
    -------
    Drawn
        Two figures with the same content give the same bytes.
    """
    _darken(figure)
    shorten_names(figure)
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
        pdf = _save(figure, "pdf", _UNDATED) if files else b""
    text = well_formed(svg.decode("utf8"))
    label = well_formed(f"Figure. {about} {_told(figure)}")
    return Drawn(
        svg=text.encode("utf8"),
        pdf=pdf,
        inline=inline_svg(text, prefix, label, _PAGE_COLOURS),
        unknown="".join(dict.fromkeys(unknown)),
    )


def _save(figure: Any, kind: str, metadata: dict[str, None]) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format=kind, metadata=metadata, transparent=False)
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
    return ". ".join(filter(None, parts)) + "."
