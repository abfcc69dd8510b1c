"""What findings know beyond their rows, as further tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from geoprobe.findings import (
    CentroidPaths,
    CrossTask,
    Differences,
    Finding,
    InBetween,
    Memorisation,
    MinDistances,
)

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
    elif isinstance(finding, MinDistances):
        columns: Columns = {"layer": [], "label": [], "gain": [], "rank": []}
        for layer, gains in finding.gains.items():
            for rank, gain in enumerate(gains, 1):
                _append(columns, layer, gain.label, gain.gain, rank)
        yield Extra("gains", "Gain of each label, the mean over the seeds", columns)
    elif isinstance(finding, CrossTask):
        yield Extra("labels", "Smallest distance of each label", _of_rows(finding.changes))
    elif isinstance(finding, Differences):
        columns = {"layer": [], "seed": [], "cosine": [], "explained_x": [], "explained_y": []}
        for key, cosine in finding.mean_cosine.items():
            _append(columns, *key, cosine, *finding.explained[key])
        yield Extra("planes", "Mean cosine of the vectors, and variance in the plane", columns)
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
        "subtest": [], "test": [], "gap": [],
    }  # fmt: skip
    for cell, *ends in finding.gaps:
        about = (cell.task, cell.model, cell.tuned_on or "", cell.seed, cell.step, cell.layer)
        _append(columns, *about, *ends)
    return columns


def _of_rows(rows: tuple[Any, ...]) -> Columns:
    names = rows[0]._fields if rows else ()
    return {name: [getattr(row, name) for row in rows] for name in names}


def _append(columns: Columns, *values: Any) -> None:
    for column, value in zip(columns.values(), values, strict=True):
        column.append(value)
