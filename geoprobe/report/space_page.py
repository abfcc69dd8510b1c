"""The page of one space: what was found, its pictures and its tables, in one file."""

from __future__ import annotations

from typing import Any

from geoprobe.drawing.style import figure_of
from geoprobe.geometry import Geometry
from geoprobe.geometry.measured import Picture
from geoprobe.geometry.summaries import summarise_probe
from geoprobe.report.figures import draw
from geoprobe.report.page import Figure, Pages
from geoprobe.report.report_tables import text_table

_PICTURES: dict[Picture, str] = {
    "map": "The points in the plane of their principal components, the outlines of the clusters' "
    "hulls, and lines between the nearest points of neighbouring clusters.",
    "distances": "Distances of the hulls of whole labels.",
    "clusters": "Points of each label, cut where one of its clusters ends.",
}


def space_page(geometry: Geometry, points: Any) -> str:
    """Return the page of a space that was probed: the same text for the same space.

    Parameters
    ----------
    geometry : Geometry
        With clusters.
    points : array-like, shape (n_points, n_dims)
        The points that were measured.

    Returns
    -------
    str
        HTML that needs nothing else; all text from the data is escaped.

    Raises
    ------
    GeoprobeError
        If matplotlib or jinja2 is not installed.
    """
    pages = Pages()
    figures = []
    for kind, caption in _PICTURES.items():
        drawn = draw(figure_of(geometry.plot(kind, points=points)), f"{kind}-", caption, pdf=False)
        figures.append(Figure(pages.safe(drawn.inline), caption, caption, [], drawn.unknown))
    found, *tables = summarise_probe(geometry)
    shown = [(text_table(one.title, one.header, one.rows), "") for one in tables if one.rows]
    view = pages.view(figures=figures, undrawn=[], tables=shown, notes=())
    return pages.space(name=geometry.cell.task, lines=found.lines, view=view)
