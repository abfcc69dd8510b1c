"""Tables for the page: what all rows share is said once, and numbers have sensible digits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from geoprobe.report.words import heading, reason

UNDEFINED = "undefined"
NONE = "\N{EN DASH}"
# Columns that say what a row is about; where they are all alike, a line above the table is enough.
_ABOUT = ("task", "model", "tuned_on", "seed", "layer", "step", "part")
_AT_MOST, _AT_LEAST, _ROWS_OF_SECTION = 2000, 200, 150_000


@dataclass(frozen=True)
class Column:
    """A column: its name in the data, its heading, and whether it holds numbers."""

    name: str
    heading: str
    numeric: bool


@dataclass(frozen=True)
class Table:
    """What is shown of some rows.

    Attributes
    ----------
    title : str
    columns : tuple of Column
    rows : tuple of tuple of str
    shared : tuple of (Column, str)
        Columns that are the same in all rows, and their value.
    footnotes : tuple of str
    n_rows : int
        All there are; the first ones are in ``rows``.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    shared: tuple[tuple[Column, str], ...]
    footnotes: tuple[str, ...]
    n_rows: int


def rows_shown(n_views: int) -> int:
    """Return how many rows a table may show; many views have to share the size of the page."""
    return max(_AT_LEAST, min(_AT_MOST, _ROWS_OF_SECTION // max(1, n_views)))


def make_table(title: str, columns: Mapping[str, Sequence[Any]], at_most: int = _AT_MOST) -> Table:
    """Arrange columns for the page.

    Parameters
    ----------
    title : str
    columns : mapping from name to sequence, all of one length
    at_most : int
        Rows shown; the csv beside the page always has all.

    Returns
    -------
    Table
        Numbers have four significant digits, whole numbers all of theirs. NaN is shown as
        "undefined" and a footnote says why; a None or a missing name as a dash.
    """
    n_rows = len(next(iter(columns.values()), ()))
    shown, shared, footnotes = [], [], []
    for name, values in columns.items():
        column = Column(name, heading(name), _numeric(values))
        if name == "undefined" and not any(values):
            continue
        if n_rows and _all_undefined(values):
            shared.append((column, f"{UNDEFINED} ({reason(name)})"))
        elif name in _ABOUT and n_rows > 1 and len(set(values)) == 1:
            shared.append((column, cell(values[0])))
        else:
            shown.append(column)
            if any(_is_nan(value) for value in values):
                footnotes.append(f"{column.heading} is undefined where {reason(name)}.")
    cells = [[cell(value) for value in columns[one.name][:at_most]] for one in shown]
    if "" in columns.get("tuned_on", ()):
        footnotes.append(f"{NONE} under tuned on: the model as published.")
    return Table(
        title=title,
        columns=tuple(shown),
        rows=tuple(zip(*cells, strict=True)),
        shared=tuple(shared),
        footnotes=tuple(footnotes),
        n_rows=n_rows,
    )


def cell(value: Any) -> str:
    """Return how a value is written in a table."""
    if value is None or (isinstance(value, str) and not value):
        return NONE
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        return number(float(value))
    return str(value)


def number(value: float) -> str:
    """Return a number with four significant digits, or "undefined" for NaN."""
    if math.isnan(value):
        return UNDEFINED
    if value == 0 or math.isinf(value):
        return f"{value:g}"
    exponent = math.floor(math.log10(abs(value)))
    if -5 < exponent < 7:
        text = f"{value:.{max(0, 3 - exponent)}f}"
    else:
        text = f"{value:.3e}"
    return text.replace("-", "\N{MINUS SIGN}", 1) if value < 0 else text


def _numeric(values: Sequence[Any]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(
        isinstance(value, Real) and not isinstance(value, bool) for value in known
    )


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _all_undefined(values: Sequence[Any]) -> bool:
    return all(_is_nan(value) for value in values)
