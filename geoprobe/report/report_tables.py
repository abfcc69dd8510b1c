"""Tables of the report: headings, numbers in short, further tables of a finding."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from geoprobe.controls import UnitMemorisation
from geoprobe.findings import (
    CentroidPaths,
    CrossTask,
    Differences,
    Finding,
    InBetween,
    Memorisation,
    MinDistances,
    Performance,
)

HEADINGS = {
    "tuned_on": "tuned on",
    "directprobe": "DirectProbe",
    "directprobe_low": "DirectProbe, low",
    "directprobe_high": "DirectProbe, high",
    "classifier": "classifier",
    "classifier_std": "classifier, sd",
    "n_pairs": "label pairs",
    "n_train": "training units",
    "n_test": "test units",
    "own_train": "distance, train",
    "own_test": "distance, test",
    "further": "test by train",
    "known_train": "known, train",
    "known_test": "known, test",
    "undefined": "why undefined",
    "n_units": "units",
    "n_labels": "labels",
    "n_clusters": "clusters",
    "is_linear": "linear",
    "nearest": "nearest label",
    "n_increased": "labels gaining",
    "n_decreased": "labels losing",
    "n_unchanged": "labels unchanged",
    "mean_change": "mean change",
    "change_low": "change, low",
    "change_high": "change, high",
    "std": "sd",
    "n_control": "controls drawn",
    "control_std": "control, sd",
    "p_value": "p",
    "standard_score": "standard score",
    "fixed": "similarity, fixed clusters",
    "fixed_pairs": "cluster pairs",
    "drift": "length of the drift",
    "drift_share": "drift, share of the movement",
    "classifier_before_std": "classifier before, sd",
    "classifier_after_std": "classifier after, sd",
    "hidden_sizes": "hidden layers",
    "seen_by_fine_tuning": "seen by fine-tuning",
    "seen_by_classifier": "seen by the classifier",
}

REASONS = {
    "directprobe": "no test units were predicted",
    "directprobe_low": "no test units were predicted",
    "directprobe_high": "no test units were predicted",
    "classifier": "no classifier probe was trained here",
    "classifier_std": "fewer than two initialisations",
    "classifier_before_std": "fewer than two initialisations",
    "classifier_after_std": "fewer than two initialisations",
    "weight_decay": "no classifier probe was trained here",
    "classifier_before": "no classifier probe was trained on the original space",
    "classifier_after": "no classifier probe was trained on the last space",
    "head": "no head was fine-tuned, or on another task",
    "low": "no interval was computed, or a label has a single unit",
    "high": "no interval was computed, or a label has a single unit",
    "std": "fewer than two initialisations",
    "change_low": "the test units cannot be paired",
    "change_high": "the test units cannot be paired",
    "accuracy_before": "no test units were predicted",
    "accuracy_after": "no test units were predicted",
    "accuracy_change": "no test units were predicted",
    "mean_change": "no label has a distance at both ends",
    "further": "training units left out lie inside their label",
    "spread": "it was not measured",
    "distance": "no other label has a cluster large enough",
    "similarity": "the reason stands in the last column",
    "fixed": "a reason in the last column holds for both, or the original space is not linear and "
    "its clusters were not kept (fixed_partition)",
    "cosine": "a label did not move",
    "control": "the measure is itself a control",
    "control_std": "fewer than two controls were drawn",
    "p_value": "the control is a comparison only",
    "score": "the control is a comparison only",
    "standard_score": "the controls do not vary, or are a comparison only",
    "drift_share": "no label moved",
    "cosine_without_drift": "a label moved as the mean does",
}


_OF_FINDING: dict[type[Finding], dict[str, str]] = {
    Performance: {"similarity": "similarity to all of training"}
}
"""Headings of columns that other findings have under the same name."""


def heading(column: str) -> str:
    """Return what a column is called in the page."""
    return HEADINGS.get(column, column.replace("_", " "))


def reason(column: str) -> str:
    """Return why a number of the column may be undefined."""
    return REASONS.get(column, "not computed")


Columns = dict[str, list[Any]]


class Extra(NamedTuple):
    """A further table: part of the name of its file, its title and its columns."""

    name: str
    title: str
    columns: Columns


def extras(finding: Finding) -> Iterator[Extra]:
    """Yield the further tables of a finding, in the order in which to read them."""
    if isinstance(finding, Memorisation):
        yield Extra("gaps", "Where the curves end", _gaps(finding))
        yield Extra("visibility", "Who has seen what", _of_rows(finding.visibility))
    elif isinstance(finding, UnitMemorisation):
        yield Extra("overall", "All labels, beside pseudo-tests", _of_rows(finding.overall))
    elif isinstance(finding, MinDistances):
        columns: Columns = {"layer": [], "label": [], "gain": [], "rank": []}
        for layer, gains in finding.gains.items():
            for rank, gain in enumerate(gains, 1):
                _append(columns, layer, gain.label, gain.gain, rank)
        yield Extra("gains", "Gain of each label, the mean over the seeds", columns)
    elif isinstance(finding, CrossTask):
        yield Extra("labels", "Smallest distance of each label", _of_rows(finding.changes))
    elif isinstance(finding, Differences):
        columns = {
            "layer": [], "seed": [], "cosine": [], "drift": [], "drift_share": [],
            "cosine_without_drift": [], "explained_x": [], "explained_y": [],
        }  # fmt: skip
        for key, cosine in finding.mean_cosine.items():
            _append(columns, *key, cosine, *finding.drift[key], *finding.explained[key])
        title = "Mean cosine of the vectors, the drift that they share, and variance in the plane"
        yield Extra("planes", title, columns)
    elif isinstance(finding, CentroidPaths):
        columns = {"layer": [], "seed": [], "explained_x": [], "explained_y": []}
        for key, explained in finding.explained.items():
            _append(columns, *key, *explained)
        yield Extra("planes", "Share of the variance in each plane", columns)
    elif isinstance(finding, InBetween):
        columns = {"label": [], "label_in_between": [], "pairs_of_clusters": []}
        for row in finding.by_label():
            _append(columns, *row)
        yield Extra("counts", "Pairs of clusters kept apart, by label", columns)


def _gaps(finding: Memorisation) -> Columns:
    columns: Columns = {
        "task": [], "model": [], "tuned_on": [], "seed": [], "step": [], "layer": [],
        "subtrain": [], "subtest": [], "test": [], "gap": [], "hidden_sizes": [],
        "weight_decay": [],
    }  # fmt: skip
    for cell, *ends in finding.gaps:
        about = (
            cell.task,
            cell.representation,
            cell.tuned_on or "",
            cell.seed,
            cell.step,
            cell.layer,
        )
        _append(columns, *about, *ends)
    return columns


def _of_rows(rows: tuple[Any, ...]) -> Columns:
    names = rows[0]._fields if rows else ()
    return {name: [getattr(row, name) for row in rows] for name in names}


def _append(columns: Columns, *values: Any) -> None:
    for column, value in zip(columns.values(), values, strict=True):
        column.append(value)


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


def all_numbers(finding: Finding, at_most: int = _AT_MOST) -> Table:
    """Arrange the rows of a finding as :func:`make_table` does."""
    headings = _OF_FINDING.get(type(finding), {})
    return make_table("All numbers", finding.columns(), at_most, headings)


def make_table(
    title: str,
    columns: Mapping[str, Sequence[Any]],
    at_most: int = _AT_MOST,
    headings: Mapping[str, str] = MappingProxyType({}),
) -> Table:
    """Arrange columns for the page.

    Parameters
    ----------
    title : str
    columns : mapping from name to sequence, all of one length
    at_most : int
        Rows shown; the csv beside the page always has all.
    headings : mapping of str to str
        Of columns that are called otherwise than :func:`heading` says.

    Returns
    -------
    Table
        Numbers have four significant digits, whole numbers all of theirs. NaN is shown as
        "undefined" and a footnote says why; a None or a missing name as a dash.
    """
    n_rows = len(next(iter(columns.values()), ()))
    shown, shared, footnotes = [], [], []
    for name, values in columns.items():
        column = Column(name, headings.get(name, heading(name)), _numeric(values))
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


def text_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Arrange a table of texts; columns whose name ends in a blank hold numbers."""
    columns = tuple(Column(name.strip(), name.strip(), name.endswith(" ")) for name in header)
    return Table(title, columns, tuple(map(tuple, rows)), (), (), len(rows))


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
