"""A finding of findings: every number of a study that has a control, beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from geoprobe.controls.null import BELOW, BEYOND, CHANCE, NullTest, control_columns
from geoprobe.drawing.style import AFTER, BEFORE, INK, describe, legend, one_axes, tell
from geoprobe.findings.finding import NAN, Finding, mean_and_std, moment_columns
from geoprobe.findings.intervals import Interval
from geoprobe.geometry.cells import Cell

MEASURES = {
    "clusters": "clusters",
    "overlaps": "pairs of labels that overlap",
    "distance": "mean distance of two labels",
    "came apart": "pairs of labels that overlap no more",
    "apart": "labels that came further from their nearest",
    "closer": "labels that came closer to their nearest",
    "to original": "similarity to the original",
    "movement": "mean movement of the labels",
    "common": "share of the labels' squared movement that is common",
    "train to test": "similarity of the test to the rest of training",
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
    beside = control_columns(test)
    if test is None:
        mean, std = mean_and_std(control)
        beside |= {"control": mean, "control_std": std, "n_control": len(control)}
    return BesideRow(
        **moment_columns(cell),
        measure=measure,
        n_units=n_units,
        n_labels=n_labels,
        value=value,
        low=NAN if interval is None else interval.low,
        high=NAN if interval is None else interval.high,
        score=NAN if test is None else test.score,
        standard_score=NAN if test is None else test.standard_score,
        verdict="" if test is None else test.verdict(),
        **beside,
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
    p_adjusted : float
        Corrected for the number of p-values among the claims (Benjamini & Hochberg 1995).
    verdict : str
    n_beyond : int
        Seeds in which the number is beyond chance.
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
    p_adjusted: float
    verdict: str
    n_beyond: int


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
                p_adjusted=NAN,
                verdict=CHANCE if divided else weakest.verdict,
                n_beyond=sum(row.verdict == BEYOND for row in same),
            )
        )
    return _adjusted(found)


def _adjusted(found: list[Claim]) -> list[Claim]:
    tested = [k for k, one in enumerate(found) if not np.isnan(one.p_value)]
    if tested:
        # As slow to load as the correlations are, for which whoever has no p-value does without.
        from scipy.stats import false_discovery_control

        p_adjusted = false_discovery_control([found[k].p_value for k in tested]).tolist()
        for k, p in zip(tested, p_adjusted, strict=True):
            found[k] = replace(found[k], p_adjusted=p)
    return found
