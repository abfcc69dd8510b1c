"""The page: its sections, which view is seen first, and what is packed until it is asked for."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

from geoprobe import __version__
from geoprobe.drawing.style import need
from geoprobe.showing import without_controls

if TYPE_CHECKING:
    from geoprobe.studies.sentences import Answer
    from geoprobe.studies.study_findings import Section
    from geoprobe.studies.views import View


def pack(parts: Sequence[str]) -> str:
    """Compress pieces of HTML for a browser to unpack.

    Parameters
    ----------
    parts : sequence of str

    Returns
    -------
    str
        A JSON list of them, compressed with gzip, in Base64. The same for the same pieces.
    """
    data = json.dumps(list(parts), ensure_ascii=False).encode("utf8")
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode("ascii")


MOST_PLAIN = 250_000
"""Where all views of a section but the first are longer together, they are compressed."""


MOST_VIEWS = 100
"""A section with more views shows fewer layers, so that the page stays at a few megabytes."""


@dataclass(frozen=True)
class PlainView:
    """A view as HTML, its place among its siblings and what tells it from them."""

    index: int
    name: str
    html: Any


@dataclass(frozen=True)
class PageSection:
    """A section as the template wants it.

    Attributes
    ----------
    anchor, title, question, reading, paper : str
    answer : Answer
    missing : tuple of str
    count, opening : int
        How many views there are, and which is seen first.
    choosers : tuple of (str, tuple of str)
        Names of the choices and their values.
    choices : dict
        What the script needs to know.
    plain : tuple of PlainView
        Views as HTML: all, or the first one seen.
    packed : str
        All others, compressed; or empty.
    elsewhere : int
        Views that are not on the page, of layers that it does not show.
    """

    anchor: str
    title: str
    question: str
    reading: str
    paper: str
    answer: Answer
    missing: tuple[str, ...]
    count: int
    opening: int
    choosers: tuple[tuple[str, tuple[str, ...]], ...]
    choices: dict[str, Any]
    plain: tuple[PlainView, ...]
    packed: str
    elsewhere: int


def views_on_page(views: Sequence[View]) -> list[View]:
    """Select the views that a page can carry: all, or those of fewer layers.

    The first and the last layer stay, and the others are thinned out evenly.
    """
    layers = sorted({int(layer) for view in views if (layer := _layer(view))})
    chosen, n_layers = list(views), len(layers)
    while len(chosen) > MOST_VIEWS and n_layers > 2:
        n_layers -= 1
        last = len(layers) - 1
        kept = {str(layers[round(k * last / (n_layers - 1))]) for k in range(n_layers)}
        chosen = [view for view in views if _layer(view) in {"", *kept}]
    return chosen


def make_section(section: Section, html: Sequence[Any], elsewhere: int = 0) -> PageSection:
    """Arrange the views of a section.

    Parameters
    ----------
    section : Section
        With the views that are on the page.
    html : sequence of escaped HTML, one for each view
    elsewhere : int, default=0
        Views that are not.
    """
    opening = opening_view(section.views)
    keys = list(section.views[0].choices) if section.views else []
    choosers = tuple(
        (key, tuple(dict.fromkeys(view.choices[key] for view in section.views))) for key in keys
    )
    names = [view_name(view.choices) for view in section.views]
    views = [
        PlainView(k, name, text) for k, (name, text) in enumerate(zip(names, html, strict=True))
    ]
    further = [view for view in views if view.index != opening]
    too_long = sum(len(view.html) for view in further) > MOST_PLAIN
    return PageSection(
        anchor=section.analysis,
        title=section.title,
        question=section.question,
        reading=section.reading,
        paper=section.paper,
        answer=section.answer,
        missing=tuple(section.missing),
        count=len(views),
        opening=opening,
        choosers=choosers,
        choices={
            "names": list(map(without_controls, names)),
            "rows": [
                [without_controls(view.choices[key]) for key in keys] for view in section.views
            ],
            "opening": opening,
        },
        plain=(views[opening],) if too_long else tuple(views),
        packed=pack([str(view.html) for view in further]) if too_long else "",
        elsewhere=elsewhere,
    )


def view_name(choices: Mapping[str, str]) -> str:
    """Return what a view is called."""
    return ", ".join(f"{name} {value}" for name, value in choices.items())


def opening_view(views: Sequence[View]) -> int:
    """Choose the view seen first: tuned on the task looked at, in the highest layer."""
    if not views:
        return 0
    own = [
        k
        for k, view in enumerate(views)
        if "tuned on" in view.choices and view.choices["tuned on"] == view.choices.get("task")
    ]
    first = own[0] if own else 0
    layers = {k: int(layer) for k in _siblings(views, first) if (layer := _layer(views[k]))}
    return max(layers, key=lambda k: layers[k], default=first)


def _siblings(views: Sequence[View], first: int) -> list[int]:
    """Return the views that differ from one in their layer at most."""
    others = [
        {key: value for key, value in view.choices.items() if key != "layer"} for view in views
    ]
    return [k for k, choices in enumerate(others) if choices == others[first]]


def _layer(view: View) -> str:
    layer = view.choices.get("layer", "")
    return layer if layer.isdecimal() else ""


class Figure(NamedTuple):
    """A figure as the template wants it."""

    inline: Any
    about: str
    caption: str
    links: list[tuple[str, str]]
    unknown: str


class Pages:
    """The templates of the report; all text that they show is escaped."""

    def __init__(self) -> None:
        jinja2 = need("jinja2")
        self._safe = need("markupsafe").Markup
        self._environment = jinja2.Environment(
            loader=jinja2.PackageLoader("geoprobe.report", "templates"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
            finalize=self._final,
        )

    def _final(self, value: Any) -> Any:
        """Make text from data harmless that is not HTML yet; escaping it comes next."""
        return without_controls(value) if type(value) is str else value

    def safe(self, html: str) -> Any:
        """Mark text as HTML that is escaped already."""
        return self._safe(html)

    def view(self, **parts: Any) -> str:
        """Return the HTML of one view."""
        return str(self._environment.get_template("view.html").render(**parts))

    def page(
        self,
        *,
        name: str,
        about: Mapping[str, Any],
        sections: Sequence[Any],
        summary: Sequence[Any],
        controlled: bool,
        missing: Sequence[str],
        complete: bool,
        files: str,
        files_shown: str,
        figure_kinds: str,
    ) -> str:
        """Return the whole page.

        Parameters
        ----------
        name, about, missing, complete
            As in :class:`geoprobe.studies.study_findings.StudyFindings`.
        sections : sequence
            As :mod:`geoprobe.report.page` makes them.
        summary : sequence of Table
        controlled : bool
            Whether a control stands beside any number.
        files, files_shown : str
            Link to the folder of figures, and its name; empty without one.
        figure_kinds : str
            What figures are there as, in words.
        """
        answered = [one for one in sections if one.answer.lines and one.answer.at_head]
        # How many numbers were tested stands before what each of them says.
        answered.sort(key=lambda one: one.anchor != "controls")
        return self._whole(
            "page.html",
            name=name,
            about=about,
            sections=sections,
            summary=summary,
            controlled=controlled,
            answered=answered,
            terms=list(dict.fromkeys(term for one in answered for term in one.answer.terms)),
            missing=missing,
            complete=complete,
            files=files,
            files_shown=files_shown,
            figure_kinds=figure_kinds,
            version=__version__,
            written=_now(),
        )

    def space(self, *, name: str, lines: Sequence[str], view: str) -> str:
        """Return the page of one space, the same for the same space.

        Parameters
        ----------
        name : str
        lines : sequence of str
            What was found, in sentences.
        view : str
            Figures and tables, as :meth:`view` returns them.
        """
        return self._whole("space.html", name=name, lines=lines, view=self.safe(view), version="")

    def _whole(self, template: str, **parts: Any) -> str:
        """Return a page with style and script in it."""
        script = _text("report.js")
        digest = hashlib.sha256(script.encode("utf8")).digest()
        return str(
            self._environment.get_template(template).render(
                style=self.safe(_text("style.css")),
                script=self.safe(script),
                script_hash=base64.b64encode(digest).decode("ascii"),
                **parts,
            )
        )


def _text(name: str) -> str:
    place = resources.files("geoprobe.report") / "templates" / name
    return place.read_text(encoding="utf8")


def _now() -> str:
    """Return the time for the head; reproducible builds set theirs in the environment."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    when = (
        datetime.fromtimestamp(int(given), timezone.utc)
        if given.isdecimal()
        else datetime.now(timezone.utc)
    )
    return f"{when:%Y-%m-%d, %H:%M} UTC"
