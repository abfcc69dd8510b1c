"""Similarity by the size of labels: what is left of it without the labels of a few units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from geoprobe.controls.correlation import (
    MIN_PAIRS,
    SIZES,
    Absent,
    Agreement,
    Layout,
    correlate_by_size,
)
from geoprobe.drawing.style import AFTER, BEFORE, describe, legend, one_axes, tell
from geoprobe.errors import InputError
from geoprobe.findings.finding import Finding, moment_columns
from geoprobe.findings.label_pairs import Reduce
from geoprobe.geometry.cells import Cell
from geoprobe.geometry.measured import Geometry


class SizeRow(NamedTuple):
    """The similarity of two spaces over the labels of so many units or more."""

    task: str
    model: str
    tuned_on: str
    seed: int | None
    step: int
    layer: int
    compared: str
    min_units: int
    n_labels: int
    n_pairs: int
    pearson: float
    low: float
    high: float
    spearman: float
    spearman_low: float
    spearman_high: float
    said: str


@dataclass(frozen=True, eq=False)
class SimilarityBySize(Finding):
    """Pearson and Spearman of label distances over all labels, and without the small ones.

    Attributes
    ----------
    rows : tuple of SizeRow
        ``low`` and ``high`` are of Pearson's correlation, over resampled labels. ``said`` is empty,
        or why the numbers are no finding.
    notes : tuple of str
        Labels that were not compared, and what became of those of one space only.
    """

    rows: tuple[SizeRow, ...]
    notes: tuple[str, ...]

    row_type = SizeRow
    keys = ("task", "model", "tuned_on", "step", "layer", "compared", "min_units")
    values = ("n_labels", "n_pairs", "pearson", "spearman")

    def plot(self, ax: Any = None) -> Any:
        """Draw both correlations by the size of the labels, before and after fine-tuning.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
        """
        ax = one_axes(ax)
        columns = self.over_seeds()
        series = list(dict.fromkeys(zip(columns["compared"], columns["tuned_on"], strict=True)))
        for compared, tuned_on in series:
            rows = [
                k
                for k, key in enumerate(zip(columns["compared"], columns["tuned_on"], strict=True))
                if key == (compared, tuned_on)
            ]
            x = [columns["min_units"][k] for k in rows]
            name = f"{compared}, tuned on {tuned_on}" if tuned_on else f"{compared}, as published"
            colour = AFTER if tuned_on else BEFORE
            for measure, line in (("pearson", "o-"), ("spearman", "s--")):
                y = [columns[f"{measure}_mean"][k] for k in rows]
                text = f"{measure.title()}, {name}"
                dots = ax.plot(x, y, line, color=colour, alpha=0.8, label=text)
                tell(dots[0], [f"{text}\n{value:.4g}" for value in y])
        ax.set_xticks(sorted(set(columns["min_units"])))
        describe(ax, title="Similarity by label size", x="units of a label, at least", y="r")
        legend(ax, below=True)
        return ax


def similarity_by_size(
    compared: Iterable[tuple[Cell, str, Geometry, Geometry]],
    *,
    sizes: Sequence[int] = SIZES,
    absent: Absent = "intersect",
    min_pairs: int = MIN_PAIRS,
    reduce: Reduce = "mean",
    min_cluster_size: int = 1,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> SimilarityBySize:
    """Compare pairs of spaces over labels of more and more units.

    Parameters
    ----------
    compared : iterable of (Cell, str, Geometry, Geometry)
        What a row is about, which two spaces they are in words, and the two.
    sizes, absent, min_pairs, n_bootstrap, seed
        As in :func:`geoprobe.controls.correlate_by_size`.
    reduce, min_cluster_size
        As in :func:`geoprobe.findings.label_distances`.

    Returns
    -------
    SimilarityBySize

    Raises
    ------
    InputError
        If an option is out of its range.
    """
    rows: list[SizeRow] = []
    notes: list[str] = []
    for cell, words, *spaces in compared:
        first, second = (
            Layout.of(g, reduce=reduce, min_cluster_size=min_cluster_size) for g in spaces
        )
        try:
            found = correlate_by_size(
                first,
                second,
                sizes=sizes,
                absent=absent,
                min_pairs=min_pairs,
                n_bootstrap=n_bootstrap,
                seed=seed,
            )
        except InputError as error:
            if absent != "error":
                raise
            notes.append(f"{cell}, {words}: {error}")
            continue
        rows += [_row(cell, words, each) for each in found]
        notes += _notes(cell, words, found[0])
    return SimilarityBySize(tuple(rows), tuple(notes))


def _row(cell: Cell, words: str, found: Agreement) -> SizeRow:
    return SizeRow(
        **moment_columns(cell),
        compared=words,
        min_units=found.min_units,
        n_labels=len(found.labels),
        n_pairs=found.n_pairs,
        pearson=found.pearson.value,
        low=found.pearson.low,
        high=found.pearson.high,
        spearman=found.spearman.value,
        spearman_low=found.spearman.low,
        spearman_high=found.spearman.high,
        said="" if found.enough else str(found),
    )


def _notes(cell: Cell, words: str, found: Agreement) -> list[str]:
    what = "left out" if found.absent == "intersect" else "taken with distances of 0"
    sides = (("first", found.only_in_first), ("second", found.only_in_second))
    return [
        f"{cell}, {words}: labels only in the {side} space are {what}: {', '.join(names)}."
        for side, names in sides
        if names
    ]
