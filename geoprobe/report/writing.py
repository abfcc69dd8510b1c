"""Writing the report of a study."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from geoprobe.drawing.style import figure_of, need
from geoprobe.errors import GeoprobeError, OutputError
from geoprobe.files.atomic import write_file
from geoprobe.processes import in_processes
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.report.figure_files import FigureFolder, file_name, to_csv
from geoprobe.report.figures import draw, drawings
from geoprobe.report.headlines import headlines
from geoprobe.report.page import (
    Figure,
    Pages,
    make_section,
    opening_view,
    view_name,
    views_on_page,
)
from geoprobe.report.report_tables import (
    Table,
    all_numbers,
    extras,
    make_table,
    rows_shown,
    text_table,
)
from geoprobe.threads import available_threads

if TYPE_CHECKING:
    from geoprobe.studies.study_findings import Section, StudyFindings
    from geoprobe.studies.views import View

_VIEWS_EACH = 8
"""So many views are worth a process of their own, which takes seconds to start."""


def write_report(
    gathered: StudyFindings,
    path: str | os.PathLike[str],
    *,
    figures: str | os.PathLike[str] | None = None,
    pdf: bool = True,
    progress: ProgressCallback | None = None,
) -> Path:
    """Write the report of a study as one HTML file that needs no network.

    Parameters
    ----------
    gathered : StudyFindings
        The study, finished or not; what is missing is said at the top.
    path : path-like
        The file; an older one is replaced when the new one is complete.
    figures : path-like, optional
        A folder for every figure as PDF and SVG and every table as csv. Links to them are
        relative, so that both can be moved together.
    pdf : bool, default=True
        False leaves the PDFs out, which take as long as all the rest.
    progress : callable, optional
        Told after every view.

    Returns
    -------
    Path
        The file, absolute.

    Raises
    ------
    GeoprobeError
        If matplotlib, jinja2 or pandas is not installed.
    StoreError
        If a file cannot be written; an older report stays then.
    """
    for package in ("jinja2", "matplotlib.figure", "pandas"):
        need(package)
    target = Path(path).expanduser()
    # A link under that name is replaced, and what it points to stays as it is.
    target = target.parent.resolve() / target.name
    folder = None if figures is None else _folder(Path(figures), target)
    pages = _pages()
    drawn = _draw_all(gathered.sections, folder, pdf, progress)
    sections = []
    for section, shown in zip(gathered.sections, _on_page(gathered.sections), strict=True):
        html = [pages.safe(drawn[id(view)]) for view in shown]
        sections.append(
            make_section(replace(section, views=tuple(shown)), html, len(section.views) - len(html))
        )
    page = pages.page(
        name=gathered.name,
        about=gathered.about,
        sections=sections,
        summary=[text_table(*one) for one in headlines(gathered)],
        controlled=bool(gathered.claims),
        missing=gathered.missing,
        complete=gathered.complete,
        files="" if folder is None else folder.link,
        files_shown="" if folder is None else folder.root.name,
        figure_kinds="PDF and SVG" if pdf else "SVG",
    )
    if folder is not None:
        folder.finish()
    # A lone surrogate in a name cannot be written as UTF-8.
    data = page.encode("utf8", errors="replace")
    write_file(target, lambda unfinished: unfinished.write_bytes(data))
    return target


def _folder(root: Path, page: Path) -> FigureFolder:
    root = root.expanduser()
    if root.is_symlink():
        raise OutputError(
            f"{root} is a link to {root.readlink()}; figures are not written into what it points "
            f"to. Remove the link."
        )
    root = root.resolve()
    try:
        near = Path(os.path.relpath(root, page.parent)).as_posix()
        link = f"{quote(near)}/"
    except ValueError:  # pragma: no cover - another drive
        link = f"{root.as_uri()}/"
    return FigureFolder(root, link)


def _on_page(sections: Sequence[Section]) -> list[list[View]]:
    return [views_on_page(section.views) for section in sections]


def _draw_all(
    sections: Sequence[Section],
    folder: FigureFolder | None,
    pdf: bool,
    progress: ProgressCallback | None,
) -> dict[int, str]:
    """Draw the views, many of them in several processes; return HTML by the view's ``id``."""
    jobs, views, labels = [], [], _labels(sections)
    for section, shown in zip(sections, _on_page(sections), strict=True):
        place = {id(view): str(k) for k, view in enumerate(shown)}
        alone, at_most = replace(section, views=()), rows_shown(len(section.views))
        for view in section.views if folder is not None else shown:
            views.append(view)
            # A view that is not on the page has files only, whose ids need not differ.
            prefix = f"{section.analysis}-{place.get(id(view), 'x')}-"
            branch = None if folder is None else folder.branch()
            jobs.append(partial(_view, alone, view, labels, prefix, branch, pdf, at_most))
    n_jobs = max(1, min(available_threads(), len(jobs) // _VIEWS_EACH))
    drawn: dict[int, str] = {}
    first = 0.0
    for view, (html, branch) in zip(views, in_processes(jobs, n_jobs), strict=True):
        drawn[id(view)] = html
        if folder is not None and branch is not None:
            folder.join(branch)
        if progress is not None:
            # Until the first is drawn, processes start.
            first = first or time.monotonic()
            each = (time.monotonic() - first) / max(1, len(drawn) - 1)
            left = each * (len(jobs) - len(drawn)) if len(drawn) > 1 else None
            progress(Progress("drawing", len(drawn), len(jobs), left=left))
    return drawn


def _labels(sections: Sequence[Section]) -> list[str]:
    """Return all labels in the order in which they take colours.

    Those that are named in the views seen first come first: few share a colour there.
    """
    shown = [section.views[opening_view(section.views)] for section in sections if section.views]
    labels = [label for view in shown for label in getattr(view.finding, "named", ())]
    for view in (view for section in sections for view in section.views):
        labels += sorted({row.label for row in view.finding.rows if hasattr(row, "label")})
    return list(dict.fromkeys(labels))


def _view(
    section: Section,
    view: View,
    labels: Sequence[str],
    prefix: str,
    folder: FigureFolder | None,
    pdf: bool,
    at_most: int,
) -> tuple[str, FigureFolder | None]:
    """Draw one view, write its files and return its HTML, and the folder with what was put there.

    Of the section, the views are not needed.
    """
    pages = _pages()
    name = file_name(section.analysis, view.choices)
    names = {"analysis": section.analysis, "view": view_name(view.choices)}
    figures, undrawn = [], []
    for number, drawing in enumerate(drawings(view.finding, labels)):
        about = ", ".join(filter(None, (section.title, names["view"], drawing.caption)))
        try:
            drawn = draw(
                figure_of(drawing.plot()),
                f"{prefix}{number}-",
                f"{about}.",
                pdf=pdf and folder is not None,
            )
        except GeoprobeError as error:
            undrawn.append(str(error))
            continue
        links = []
        if folder is not None:
            stem = f"{name}_{drawing.name}" if drawing.name else name
            content = f"figure: {drawing.caption}" if drawing.caption else "figure"
            kinds = [("pdf", drawn.pdf)] if pdf else []
            for suffix, data in (*kinds, ("svg", drawn.svg)):
                link = folder.put(f"{stem}.{suffix}", data, **names, content=content)
                links.append((suffix.upper(), link))
        inline = pages.safe(drawn.inline)
        figures.append(Figure(inline, about, drawing.caption, links, drawn.unknown))
    html = pages.view(
        figures=figures,
        undrawn=undrawn,
        tables=_tables(view, name, names, folder, at_most),
        notes=view.finding.notes,
    )
    return html, folder


@cache
def _pages() -> Pages:
    """Return the templates, which a process reads once."""
    return Pages()


def _tables(
    view: View, name: str, names: dict[str, str], folder: FigureFolder | None, at_most: int
) -> list[tuple[Table, str]]:
    """Return the tables of a view, the short ones that sum it up first, with links to their csv."""
    tables: list[tuple[Table, str]] = []
    for extra in extras(view.finding):
        link = ""
        if folder is not None:
            data = to_csv(extra.columns)
            link = folder.put(f"{name}_{extra.name}.csv", data, **names, content=extra.title)
        tables.append((make_table(extra.title, extra.columns, at_most), link))
    link = ""
    if folder is not None:
        data = to_csv(view.finding.to_frame())
        link = folder.put(f"{name}.csv", data, **names, content="numbers")
    tables.append((all_numbers(view.finding, at_most), link))
    return tables
