"""A finding of findings: every number of a study that has a control, beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from geoprobe.controls.null import BELOW, CHANCE, NullTest
from geoprobe.drawing.style import AFTER, BEFORE, INK, describe, legend, one_axes, tell
from geoprobe.findings.finding import Finding
from geoprobe.findings.intervals import Interval
from geoprobe.geometry.cells import Cell

NAN = float("nan")

MEASURES = {
    "clusters": "clusters",
    "distance": "mean distance of two labels",
    "came apart": "pairs of labels that overlap no more",
    "apart": "labels that came further from their nearest",
    "closer": "labels that came closer to their nearest",
    "to original": "similarity to the original",
    "movement": "mean movement of the labels",
    "train to test": "similarity of training and test",
    "test means": "mean distance of a label's means in training and test",
    "nearest": "accuracy of the nearest cluster",
    "left out": "distance of test units to their label, by that of training units left out of it",
    "memorised": "that distance after fine-tuning, by the same as published",
    "ceiling": "noise ceiling of the similarity",
    "accuracy": "accuracy of the classifier",
    "bits": "bits to learn a label",
}
"""What is measured beside a control, in words."""


class BesideRow(NamedTuple):
    """One measure of one space, and what its control gives."""

    task: str
    model: str
    tuned_on: str
    seed: int | None
    step: int
    layer: int
    measure: str
    n_units: int
    n_labels: int | None
    value: float
    low: float
    high: float
    control: float
    control_std: float
    n_control: int
    score: float
    standard_score: float
    p_value: float
    verdict: str


def beside_row(
    cell: Cell,
    measure: str,
    n_units: int,
    value: float,
    *,
    n_labels: int | None = None,
    test: NullTest | None = None,
    control: Any = (),
    interval: Interval | None = None,
) -> BesideRow:
    """Put a measure beside its control.

    Parameters
    ----------
    cell : Cell
    measure : str
        A key of :data:`MEASURES`.
    n_units : int
        Units behind the value.
    value : float
    n_labels : int, optional
        Labels behind the value, where that is known.
    test : NullTest, optional
        Where the control gives a p-value.
    control : sequence of float
        Values of the control, where it gives none.
    interval : Interval, optional
        Of the value.
    """
    values = np.asarray(control, dtype=np.float64)
    low, high = (NAN, NAN) if interval is None else (interval.low, interval.high)
    return BesideRow(
        task=cell.task,
        model=cell.representation,
        tuned_on=cell.tuned_on or "",
        seed=cell.seed,
        step=cell.step,
        layer=cell.layer,
        measure=measure,
        n_units=n_units,
        n_labels=n_labels,
        value=value,
        low=low,
        high=high,
        control=test.mean if test else (float(values.mean()) if len(values) else NAN),
        control_std=test.std if test else (float(values.std(ddof=1)) if len(values) > 1 else NAN),
        n_control=test.n_permutations if test else len(values),
        score=test.score if test else NAN,
        standard_score=test.standard_score if test else NAN,
        p_value=test.p_value if test else NAN,
        verdict=test.verdict() if test else "",
    )


@dataclass(frozen=True, eq=False)
class BesideControl(Finding):
    """Numbers of a study, each beside the same number where there is nothing to find.

    Attributes
    ----------
    rows : tuple of BesideRow
        ``control`` is the mean of ``n_control`` values and ``control_std`` their standard
        deviation; ``p_value``, ``score`` and ``standard_score`` are those of
        :class:`geoprobe.controls.NullTest`, and NaN where the control is a comparison only.
    notes : tuple of str
    """

    rows: tuple[BesideRow, ...]
    notes: tuple[str, ...]

    row_type = BesideRow
    keys = ("task", "model", "tuned_on", "step", "layer", "measure")
    values = ("n_units", "value", "control", "control_std", "n_control", "score", "p_value")

    def plot(self, ax: Any = None) -> Any:
        """Draw how many standard deviations each measure is beyond its control.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
        """
        shown = [row for row in self.rows if not np.isnan(row.standard_score)]
        names = list(dict.fromkeys(MEASURES[row.measure] for row in shown))
        ax = one_axes(ax, height=1.6 + 0.36 * len(names))
        for tuned, colour, marker, text in (
            (False, BEFORE, "o", "as published"),
            (True, AFTER, "s", "fine-tuned"),
        ):
            rows = [row for row in shown if bool(row.tuned_on) is tuned]
            where = [names.index(MEASURES[row.measure]) + (0.1 if tuned else -0.1) for row in rows]
            dots = ax.plot(
                [row.standard_score for row in rows], where, marker, color=colour, label=text,
                alpha=0.6,
            )  # fmt: skip
            tell(dots[0], [
                f"{row.task}, {row.model}, layer {row.layer}\n{text}, {row.standard_score:.3g}"
                for row in rows
            ])  # fmt: skip
        # Two standard deviations to either side hold most of what chance gives.
        ax.axvspan(-2.0, 2.0, color=INK, alpha=0.15, linewidth=0)
        ax.set_yticks(range(len(names)), names, parse_math=False)
        ax.set_ylim(len(names) - 0.5, -0.5)
        describe(
            ax,
            title="Beyond the control (grey: within two standard deviations of it)",
            x="standard deviations of the control",
        )
        legend(ax)
        return ax


@dataclass(frozen=True)
class Claim:
    """One measure over the seeds of one moment, as a sentence may speak of it.

    Attributes
    ----------
    task, model, tuned_on : str
    step, layer : int
    measure : str
    n_seeds : int
    n_units : int
        The fewest of any seed.
    n_labels : int or None
    value, control, control_std : float
        Means over the seeds.
    low, high : float
        Of a single seed, where there is one; else the smallest and the largest value of the seeds.
    n_control : int
    p_value : float
        The largest of the seeds: what is claimed holds for each of them.
    verdict : str
    """

    task: str
    model: str
    tuned_on: str
    step: int
    layer: int
    measure: str
    n_seeds: int
    n_units: int
    n_labels: int | None
    value: float
    low: float
    high: float
    control: float
    control_std: float
    n_control: int
    p_value: float
    verdict: str


def claims(rows: Iterable[BesideRow]) -> list[Claim]:
    """Gather rows that differ in their seed only.

    A claim over several seeds is as strong as its weakest seed: the p-value is the largest. Seeds
    that lie on both sides of chance cannot be told from it.

    Parameters
    ----------
    rows : iterable of BesideRow
    """
    groups: dict[tuple[Any, ...], list[BesideRow]] = {}
    for row in rows:
        key = (row.task, row.model, row.tuned_on, row.step, row.layer, row.measure)
        groups.setdefault(key, []).append(row)
    found = []
    for key, same in groups.items():
        p_values = [row.p_value for row in same]
        weakest = same[int(np.argmax(p_values))]
        divided = weakest.verdict in BELOW.values() and len({row.verdict for row in same}) > 1
        values = [row.value for row in same]
        low, high = (same[0].low, same[0].high) if len(same) == 1 else (min(values), max(values))
        found.append(
            Claim(
                *key,
                n_seeds=len(same),
                n_units=min(row.n_units for row in same),
                n_labels=same[0].n_labels,
                value=float(np.mean(values)),
                low=low,
                high=high,
                control=float(np.mean([row.control for row in same])),
                control_std=float(np.mean([row.control_std for row in same])),
                n_control=weakest.n_control,
                p_value=weakest.p_value,
                verdict=CHANCE if divided else weakest.verdict,
            )
        )
    return found
