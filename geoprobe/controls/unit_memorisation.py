"""Memorisation unit by unit: how much further from their label test units lie, label by label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from geoprobe.controls.beside import BesideRow, beside_row
from geoprobe.controls.left_out import LeftOutUnits
from geoprobe.drawing.style import AFTER, BEFORE, INK, describe, legend, one_axes, tell
from geoprobe.errors import InputError
from geoprobe.findings.finding import Finding, moment_columns
from geoprobe.geometry.cells import Cell


class UnitRow(NamedTuple):
    """The units of one label in one space."""

    task: str
    model: str
    tuned_on: str
    seed: int | None
    step: int
    layer: int
    label: str
    n_train: int
    n_test: int
    own_train: float
    own_test: float
    further: float
    known_train: float
    known_test: float


@dataclass(frozen=True, eq=False)
class UnitMemorisation(Finding):
    """Distances of units to their own label, in training without them and in test, by label.

    Attributes
    ----------
    rows : tuple of UnitRow
        ``own_train`` and ``own_test`` are mean distances of the label's units to its hull, training
        units left out of it; ``further`` is the second divided by the first. ``known_train`` and
        ``known_test`` are the shares that are nearer to their label than to any other.
    overall : tuple of BesideRow
        The same over all labels, beside pseudo-tests: of every space (``left out``), and of tuned
        spaces divided by that before (``memorised``).
    notes : tuple of str
    """

    rows: tuple[UnitRow, ...]
    overall: tuple[BesideRow, ...]
    notes: tuple[str, ...]

    row_type = UnitRow
    keys = ("task", "model", "tuned_on", "step", "layer", "label")
    values = ("own_train", "own_test", "further", "known_train", "known_test")

    def plot(self, ax: Any = None) -> Any:
        """Draw how much further the test units of each label are, by how many they are.

        Lines are all labels together, grey is what pseudo-tests give: mean and standard deviation.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
        """
        ax = one_axes(ax)
        columns = self.over_seeds()
        n_test = {row.label: row.n_test for row in self.rows}
        for tuned, colour, marker, text in (
            (False, BEFORE, "o", "as published"),
            (True, AFTER, "s", "fine-tuned"),
        ):
            rows = [k for k, on in enumerate(columns["tuned_on"]) if bool(on) is tuned]
            whole = [
                row
                for row in self.overall
                if row.measure == "left out" and bool(row.tuned_on) is tuned
            ]
            if not whole:
                continue
            mean, control, spread = np.mean(
                [(row.value, row.control, row.control_std) for row in whole], axis=0
            )
            units = [n_test[columns["label"][k]] for k in rows]
            further = [columns["further_mean"][k] for k in rows]
            dots = ax.plot(units, further, marker, color=colour, alpha=0.6)
            tell(dots[0], [
                f"{columns['label'][k]}, {text}\n{value:.4g} times as far, {n:,} test units"
                for k, n, value in zip(rows, units, further, strict=True)
            ])  # fmt: skip
            ax.axhline(mean, color=colour, label=f"{text}, all: {mean:.3g}")
            name = "" if tuned else "pseudo-tests: mean ± sd"
            ax.axhspan(
                control - spread, control + spread, color=INK, alpha=0.2, linewidth=0, label=name
            )
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter("{x:g}")
        describe(
            ax,
            title="Test units beside training units left out of their label",
            x="test units of the label",
            y="distance to it, test by train",
        )
        legend(ax, below=True)
        return ax


def compare_units(units: Mapping[Cell, LeftOutUnits]) -> UnitMemorisation:
    """Compare test units with training units left out, label by label, before and after tuning.

    Parameters
    ----------
    units : mapping from Cell to LeftOutUnits
        As :func:`geoprobe.controls.measure_units` gives them.

    Returns
    -------
    UnitMemorisation

    Raises
    ------
    InputError
        If no label of any space can be compared.
    """
    rows: list[UnitRow] = []
    notes: dict[str, None] = {}
    for cell in sorted(units, key=lambda cell: cell.order):
        found = units[cell]
        rows += [_of_label(cell, found, k) for k in found.compared.tolist()]
        tested = set(found.label[found.part("test")].tolist())
        if few := sorted(found.labels[k] for k in tested - set(found.compared.tolist())):
            notes[
                f"{cell.task}, {cell.representation}: test labels are not compared of which "
                f"training has no more units, or these in one group: {', '.join(few)}."
            ] = None
    if not rows:
        raise InputError(" ".join(notes) or "there is no unit to test.")
    return UnitMemorisation(tuple(rows), tuple(overall_rows(units)), tuple(notes))


def overall_rows(units: Mapping[Cell, LeftOutUnits]) -> list[BesideRow]:
    """Say for all labels together how much further test units are, beside pseudo-tests.

    Parameters
    ----------
    units : mapping from Cell to LeftOutUnits
        Spaces in which no label can be compared have no row. A tuned space has a second one where
        the space that it was tuned from has the same units.
    """
    rows = []
    for cell in sorted(units, key=lambda cell: cell.order):
        found = units[cell]
        if not len(found.compared):
            continue
        start = None if cell.tuned_on is None else units.get(cell.start(units))
        pairs: dict[str, LeftOutUnits | None] = {"left out": None}
        if start is not None and start.units == found.units:
            pairs["memorised"] = start
        n_test = int(np.isin(found.label[found.part("test")], found.compared).sum())
        for measure, before in pairs.items():
            test = found.further(before)
            rows.append(
                beside_row(
                    cell, measure, n_test, test.observed, n_labels=len(found.compared), test=test,
                    interval=found.interval(before),
                )
            )  # fmt: skip
    return rows


def _of_label(cell: Cell, found: LeftOutUnits, k: int) -> UnitRow:
    train, test = (
        np.flatnonzero(found.label[part] == k) + (part.start or 0)
        for part in (found.part("train"), found.part("test"))
    )
    of_train, of_test = (float(found.own[rows].mean()) for rows in (train, test))
    return UnitRow(
        **moment_columns(cell),
        label=found.labels[k],
        n_train=len(train),
        n_test=len(test),
        own_train=of_train,
        own_test=of_test,
        further=of_test / of_train if of_train else float("nan"),
        known_train=float(found.known[train].mean()),
        known_test=float(found.known[test].mean()),
    )
