"""The smallest distance of each label to all others, during fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from geoprobe.drawing.style import describe, label_styles, legend, one_axes, step_axis, tell
from geoprobe.errors import InputError
from geoprobe.findings.control_bands import Bands
from geoprobe.findings.finding import NAN, Finding, bands
from geoprobe.findings.intervals import Interval, fitting
from geoprobe.findings.label_pairs import Reduce, label_distances, split_labels
from geoprobe.findings.trajectories import Trajectory, need_steps, one_family
from geoprobe.geometry.cells import Cell


class MinDistanceRow(NamedTuple):
    """One label at one step; distances in the units of the points."""

    task: str
    model: str
    tuned_on: str
    seed: int
    layer: int
    step: int
    label: str
    distance: float
    nearest: str
    low: float
    high: float
    spread: float


_AXES = {
    "distance": "smallest distance to another label",
    "spread": "distance of its units to their mean (RMS)",
}


class Gain(NamedTuple):
    """How much a label's smallest distance grew from the first to the last step."""

    label: str
    gain: float


@dataclass(frozen=True, eq=False)
class MinDistances(Finding):
    """Smallest distances of labels during fine-tuning (ACL 2022, section 4.3).

    Fine-tuning for a task usually pushes labels apart; those that gain least are a place to look
    for confusions.

    Attributes
    ----------
    rows : tuple of MinDistanceRow
        ``nearest`` is the label at that distance; ``low`` and ``high`` are NaN unless intervals
        were given. ``spread`` is the root mean square distance of the label's units to their
        mean: distances that grow only as spreads do are a space that has become larger.
    gains : dict of int to tuple of Gain
        By layer, the largest gain first; the mean over seeds.
    n : int
        How many labels are picked at either end.
    notes : tuple of str
    control : Bands
        Smallest distances of shuffled labels, where they were measured.
    """

    rows: tuple[MinDistanceRow, ...]
    gains: dict[int, tuple[Gain, ...]]
    n: int
    notes: tuple[str, ...]
    control: Bands = field(default_factory=Bands)

    row_type = MinDistanceRow
    keys = ("task", "model", "tuned_on", "layer", "step", "label")
    values = ("distance", "spread")

    def most(self, layer: int | None = None) -> tuple[Gain, ...]:
        """Return the labels that gain most at a layer (the last by default), the most first."""
        return self.gains[self._layer(layer)][: self.n]

    def least(self, layer: int | None = None) -> tuple[Gain, ...]:
        """Return the labels that gain least, the least first; none that are among the most."""
        rest = self.gains[self._layer(layer)][self.n :]
        return rest[::-1][: self.n]

    @property
    def named(self) -> tuple[str, ...]:
        """The labels that gain most and least in the last layer, which a figure names."""
        return tuple(gain.label for gain in (*self.most(), *self.least()))

    def plot(
        self,
        ax: Any = None,
        layer: int | None = None,
        measure: str = "distance",
        order: Sequence[str] = (),
    ) -> Any:
        """Draw the labels that gain most (full lines) and least (dashed); bands: seeds, intervals.

        Grey is where the smallest distances of shuffled labels lie.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
        layer : int, optional
            The last one by default.
        measure : {"distance", "spread"}
            ``"spread"`` draws how far the units of the same labels lie from their mean.
        order : sequence of str
            Labels of all figures that shall have the same colours for them.
        """
        if measure not in self.values:
            raise InputError(f"measure is one of {', '.join(self.values)}, not {measure!r}.")
        layer = self._layer(layer)
        ax = one_axes(ax, height=4.8)
        columns, single = self.over_seeds(), self.columns()
        if measure == "spread":
            single |= {"low": single["spread"], "high": single["spread"]}
        spread = bands(single, self.keys, measure)
        drawn = [(gain, "-") for gain in self.most(layer)]
        drawn += [(gain, "--") for gain in self.least(layer)]
        styles = label_styles({row.label for row in self.rows}, order)
        for gain, dash in drawn:
            rows = [
                row
                for row, name in enumerate(columns["label"])
                if name == gain.label and columns["layer"][row] == layer
            ]
            steps = [columns["step"][row] for row in rows]
            mean = [columns[f"{measure}_mean"][row] for row in rows]
            style = {**styles[gain.label], "linestyle": dash}
            # A label that begins with an underscore would be hidden from the legend.
            lines = ax.plot(steps, mean, label=f"{gain.gain:+.3g}  {gain.label}", **style)
            tell(lines[0], [
                f"{gain.label}\nupdate {step:,}: {value:.4g}"
                for step, value in zip(steps, mean, strict=True)
            ])  # fmt: skip
            low, high = ([ends[row] for row in rows] for ends in spread)
            ax.fill_between(steps, low, high, color=style["color"], alpha=0.15, linewidth=0)
        if measure == "distance":
            of_layer = [k for k, other in enumerate(columns["layer"]) if other == layer]
            self.control.draw_along(ax, columns, of_layer)
        step_axis(ax, columns["step"])
        row = self.rows[0]
        describe(
            ax,
            title=f"{row.task}, {row.model} tuned on {row.tuned_on}, layer {layer}",
            y=_AXES[measure],
        )
        legend(ax, below=True, title="gain and label")
        return ax

    def _layer(self, layer: int | None) -> int:
        if layer is None:
            return max(self.gains)
        if layer not in self.gains:
            there = ", ".join(map(str, sorted(self.gains)))
            raise InputError(f"layer {layer} was not measured; the layers are {there}.")
        return layer


def minimum_distances(
    runs: Sequence[Trajectory],
    *,
    n: int = 3,
    reduce: Reduce = "mean",
    min_cluster_size: int = 1,
    intervals: Mapping[Cell, Mapping[str, Interval]] | None = None,
) -> MinDistances:
    """Follow the smallest distance of each label through a fine-tuning.

    Parameters
    ----------
    runs : sequence of Trajectory
        Of one task, model and fine-tuning; any layers and seeds.
    n : int, default=3
        How many labels to pick that gain most, and that gain least.
    reduce, min_cluster_size
        As in :func:`geoprobe.findings.label_distances`.
    intervals : mapping from Cell to mapping from label to Interval, optional
        As :meth:`geoprobe.findings.ResampledDistances.minimum` gives them: of whole hulls, and so
        only used where the space is linear or ``reduce`` is ``"hull"``.

    Returns
    -------
    MinDistances

    Raises
    ------
    InputError
        If a trajectory has a single step.
    """
    if n < 1:
        raise InputError(f"n is at least 1, but it is {n!r}.")
    task, model, tuned_on = one_family(runs)
    rows: list[MinDistanceRow] = []
    gains: dict[int, dict[str, list[float]]] = {}
    notes: dict[str, None] = {}
    for run in runs:
        need_steps(run)
        notes |= dict.fromkeys(split_labels(run.geometries, reduce, str(run)))
        ends: list[dict[str, float]] = []
        for g in run.geometries:
            distances = label_distances(g, reduce=reduce, min_cluster_size=min_cluster_size)
            distance, nearest = distances.minimum()
            ends.append(dict(zip(g.labels, distance.tolist(), strict=True)))
            of_cell = fitting(intervals or {}, g, reduce, notes) or {}
            spreads = np.full(g.n_labels, NAN) if g.spread is None else g.spread
            for label, value, other, wide in zip(
                g.labels, distance.tolist(), nearest, spreads.tolist(), strict=True
            ):
                low, high = of_cell[label][1:3] if label in of_cell else (NAN, NAN)
                rows.append(
                    MinDistanceRow(
                        task, model, tuned_on, run.seed, run.layer, g.cell.step, label, value,
                        other, low, high, wide,
                    )
                )  # fmt: skip
            if distances.left_out:
                notes[
                    f"{g.cell}: left out for small clusters: {', '.join(distances.left_out)}."
                ] = None
        for label in {**ends[0], **ends[-1]}:
            change = ends[-1].get(label, NAN) - ends[0].get(label, NAN)
            gains.setdefault(run.layer, {}).setdefault(label, []).append(change)
    return MinDistances(tuple(rows), _rank(gains, notes), n, tuple(notes))


def _rank(
    gains: dict[int, dict[str, list[float]]], notes: dict[str, None]
) -> dict[int, tuple[Gain, ...]]:
    """Average gains over seeds and sort them; labels without a gain are noted."""
    ranked = {}
    for layer, of_label in sorted(gains.items()):
        means = [Gain(label, float(np.mean(changes))) for label, changes in of_label.items()]
        without = [gain.label for gain in means if np.isnan(gain.gain)]
        if without:
            names = ", ".join(without)
            notes[f"layer {layer}: without a distance at both ends, not ranked: {names}."] = None
        known = [gain for gain in means if not np.isnan(gain.gain)]
        ranked[layer] = tuple(sorted(known, key=lambda gain: (-gain.gain, gain.label)))
    return ranked
