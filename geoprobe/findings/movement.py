"""Movement: how far the centroids of the labels travel, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from geoprobe.drawing.style import AFTER, INK, describe, legend, one_axes, tell
from geoprobe.errors import InputError
from geoprobe.findings.control_bands import Bands
from geoprobe.findings.finding import NAN, Finding
from geoprobe.findings.intervals import Interval
from geoprobe.findings.label_pairs import LabelMatch, match_labels
from geoprobe.findings.trajectories import Trajectory, need_steps, one_family
from geoprobe.geometry.cells import Cell
from geoprobe.geometry.measured import FloatArray, Geometry


class Displacements(NamedTuple):
    """Vectors from the centroids of one space to those of another."""

    match: LabelMatch
    vectors: FloatArray
    """Shape (n_common_labels, n_dims), in the order of ``match.common``."""


def displacements(before: Geometry, after: Geometry) -> Displacements:
    """Subtract the centroids of one space from those of another, label by label.

    Parameters
    ----------
    before, after : Geometry
        Labels are matched by name.

    Raises
    ------
    InputError
        If the spaces have different dimensions.
    """
    if before.n_dims != after.n_dims:
        raise InputError(
            f"centroids of {before.n_dims} dimensions ({before.cell}) and of {after.n_dims} "
            f"({after.cell}) cannot be subtracted."
        )
    match = match_labels(before.labels, after.labels)
    rows = [[g.labels.index(name) for name in match.common] for g in (before, after)]
    return Displacements(match, after.centroids[rows[1]] - before.centroids[rows[0]])


class MovementRow(NamedTuple):
    """One label in one layer, from the original space to the last step."""

    task: str
    model: str
    tuned_on: str
    seed: int
    layer: int
    step: int
    label: str
    movement: float
    relative: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Movement(Finding):
    """How far fine-tuning moves the centroid of each label, per layer (ACL 2022, section 4.5).

    Lower layers usually move too, though less than higher ones.

    Attributes
    ----------
    rows : tuple of MovementRow
        ``movement`` is the Euclidean distance in the units of the points; ``relative`` divides it
        by R of the original space, since layers differ in scale, and is NaN where R is 0; ``low``
        and ``high`` bound ``movement`` and are NaN unless intervals were given.
    notes : tuple of str
    control : Bands
        Mean movement of shuffled labels, where it was measured.
    """

    rows: tuple[MovementRow, ...]
    notes: tuple[str, ...]
    control: Bands = field(default_factory=Bands)

    row_type = MovementRow
    keys = ("task", "model", "tuned_on", "layer", "step", "label")
    values = ("movement", "relative")

    def plot(self, ax: Any = None, relative: bool = False) -> Any:
        """Draw every label as a dot per layer, and the medians as a line.

        Grey is the mean over labels that were shuffled, where a control was measured, and a mark
        in it the mean over the labels themselves.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
        relative : bool, default=False
            Whether to draw movement divided by R of the original space.
        """
        ax = one_axes(ax)
        columns = self.over_seeds()
        value = "relative_mean" if relative else "movement_mean"
        layers = sorted(set(columns["layer"]))
        of_layer = [
            [
                (columns["label"][k], columns[value][k])
                for k, other in enumerate(columns["layer"])
                if other == layer
            ]
            for layer in layers
        ]
        x = np.repeat(layers, [len(values) for values in of_layer])
        y = [moved for values in of_layer for _, moved in values]
        dots = ax.plot(x, y, "o", color=INK, alpha=0.45, markersize=4, label="one label")
        tell(dots[0], [
            f"{label}\nlayer {n}: {value:.4g}"
            for n, values in zip(layers, of_layer, strict=True)
            for label, value in values
        ])  # fmt: skip
        medians = [float(np.median([moved for _, moved in values])) for values in of_layer]
        ax.plot(layers, medians, "s-", color=AFTER, label="median of the labels")
        control = self.control
        if relative:
            # Of each layer R is that of the original space, which all seeds share.
            control = control.scaled(
                {row.layer: row.relative / row.movement for row in self.rows if row.movement}
            )
        control.draw_along(
            ax, columns, range(len(columns["layer"])), x="layer", values="mean of the labels"
        )
        ax.set_xticks(layers)
        ax.set_ylim(bottom=0)
        row = self.rows[0]
        unit = "share of R" if relative else "Euclidean distance"
        describe(
            ax,
            title=f"{row.task}, {row.model} tuned on {row.tuned_on}",
            x="layer",
            y=f"movement of the centroid ({unit})",
        )
        legend(ax)
        return ax


def measure_movement(
    runs: Sequence[Trajectory],
    *,
    intervals: Mapping[Cell, Mapping[str, Interval]] | None = None,
) -> Movement:
    """Measure how far each label's centroid is from where it was before fine-tuning.

    Parameters
    ----------
    runs : sequence of Trajectory
        Of one task, model and fine-tuning; any layers and seeds.
    intervals : mapping from Cell to mapping from label to Interval, optional
        By the later cell, as :func:`geoprobe.findings.movement_intervals` gives them.

    Returns
    -------
    Movement

    Raises
    ------
    InputError
        If an original space is missing, or a trajectory has a single step.
    """
    task, model, tuned_on = one_family(runs)
    rows: list[MovementRow] = []
    notes: list[str] = []
    for run in runs:
        need_steps(run)
        start, end = run.original, run.last
        match, vectors = displacements(start, end)
        notes += match.notes(run)
        lengths = np.linalg.norm(vectors, axis=1)
        of_cell = (intervals or {}).get(end.cell, {})
        for label, length in zip(match.common, lengths.tolist(), strict=True):
            low, high = of_cell[label][1:3] if label in of_cell else (NAN, NAN)
            rows.append(
                MovementRow(
                    task, model, tuned_on, run.seed, run.layer, end.cell.step, label, length,
                    length / start.scale if start.scale else NAN, low, high,
                )
            )  # fmt: skip
    return Movement(tuple(rows), tuple(notes))
