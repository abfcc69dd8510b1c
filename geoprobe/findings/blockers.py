"""Blockers during fine-tuning: which labels overlap, and from which update on no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from geoprobe.drawing.style import describe, legend, line_style, one_axes, step_axis
from geoprobe.findings.finding import Finding
from geoprobe.findings.trajectories import Trajectory, need_steps, one_family
from geoprobe.geometry.measured import Geometry
from geoprobe.geometry.pairs import Status

NAN = float("nan")

LabelPair = tuple[str, str]


class BlockerRow(NamedTuple):
    """Two labels that overlap at some moment of a fine-tuning."""

    task: str
    model: str
    tuned_on: str
    seed: int
    layer: int
    label: str
    other: str
    course: str
    vanished: int | None
    n_overlaps: int
    n_moments: int
    kept_apart_first: float
    kept_apart_last: float


class Remaining(NamedTuple):
    """What is left at one moment."""

    seed: int
    layer: int
    step: int
    n_overlaps: int
    n_pairs: int


@dataclass(frozen=True, eq=False)
class Blockers(Finding):
    """Pairs of labels whose hulls meet, through a fine-tuning.

    A label whose hull meets no other label's is one cluster (Zhou & Srikumar 2021, section 3.2);
    those that it meets are its blockers, and where all have vanished the space is linear.

    Attributes
    ----------
    rows : tuple of BlockerRow
        ``course`` is ``"vanishes"``, ``"stays"``, ``"comes"``, or ``"passes"`` for an overlap that
        neither the first nor the last moment has. ``vanished`` is the update of the first moment
        from which on the two are disjoint; None where they overlap at the last. ``n_overlaps``
        counts the moments at which they overlap. ``kept_apart_first`` and ``kept_apart_last``
        count the pairs of clusters of one of the two that a cluster of the other stands between,
        at the first and the last moment; NaN where clusters were not measured. One blocker is
        named of each pair of clusters, and there may be others.
    remaining : tuple of Remaining
        Overlapping pairs of labels at every moment.
    notes : tuple of str
    """

    rows: tuple[BlockerRow, ...]
    remaining: tuple[Remaining, ...]
    notes: tuple[str, ...]

    row_type = BlockerRow
    keys = ("task", "model", "tuned_on", "layer", "label", "other")
    values = ("n_overlaps", "kept_apart_first", "kept_apart_last")

    def plot(self, ax: Any = None) -> Any:
        """Draw how many pairs of labels overlap at each update, a line for each layer and seed.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
        """
        ax = one_axes(ax)
        lines = list(dict.fromkeys((each.layer, each.seed) for each in self.remaining))
        for k, (layer, seed) in enumerate(lines):
            of_line = [each for each in self.remaining if (each.layer, each.seed) == (layer, seed)]
            steps = [each.step for each in of_line]
            left = [each.n_overlaps for each in of_line]
            ax.plot(steps, left, label=f"layer {layer}, seed {seed}", **line_style(k))
        step_axis(ax, [each.step for each in self.remaining])
        ax.set_ylim(bottom=0)
        describe(ax, title="Blockers that are left", y="pairs of labels that overlap")
        legend(ax, below=True)
        return ax


def follow_blockers(runs: Sequence[Trajectory]) -> Blockers:
    """Follow the pairs of labels that overlap through a fine-tuning.

    Parameters
    ----------
    runs : sequence of Trajectory
        Of one task, model and fine-tuning; any layers and seeds.

    Returns
    -------
    Blockers

    Raises
    ------
    InputError
        If a trajectory has a single step, or they are of several fine-tunings.
    """
    task, model, tuned_on = one_family(runs)
    rows: list[BlockerRow] = []
    remaining: list[Remaining] = []
    notes: list[str] = []
    for run in runs:
        need_steps(run)
        of_step = [_overlapping(g) for g in run.geometries]
        unproved = sum(int((g.hulls.status == Status.UNPROVED).sum()) for g in run.geometries)
        if unproved:
            notes.append(f"{run}: {unproved} pairs were not decided, and count as apart.")
        first, last = (_kept_apart(run.geometries[k]) for k in (0, -1))
        for pair in sorted({pair for overlaps in of_step for pair in overlaps}):
            there = np.array([pair in overlaps for overlaps in of_step])
            rows.append(
                BlockerRow(
                    task=task,
                    model=model,
                    tuned_on=tuned_on,
                    seed=run.seed,
                    layer=run.layer,
                    label=pair[0],
                    other=pair[1],
                    course=_COURSES[bool(there[0]), bool(there[-1])],
                    vanished=None if there[-1] else run.steps[int(np.flatnonzero(there)[-1]) + 1],
                    n_overlaps=int(there.sum()),
                    n_moments=len(there),
                    kept_apart_first=NAN if first is None else first.get(pair, 0),
                    kept_apart_last=NAN if last is None else last.get(pair, 0),
                )
            )
        remaining += [
            Remaining(run.seed, run.layer, g.cell.step, len(overlaps), len(g.hulls))
            for g, overlaps in zip(run.geometries, of_step, strict=True)
        ]
    return Blockers(tuple(rows), tuple(remaining), tuple(notes))


# Whether two labels overlap at the first and at the last moment.
_COURSES = {
    (True, False): "vanishes",
    (True, True): "stays",
    (False, True): "comes",
    (False, False): "passes",
}


def _overlapping(geometry: Geometry) -> set[LabelPair]:
    hulls = geometry.hulls
    met = hulls.status == Status.OVERLAP
    return {
        _pair(geometry.labels[a], geometry.labels[b])
        for a, b in zip(hulls.first[met].tolist(), hulls.second[met].tolist(), strict=True)
    }


def _kept_apart(geometry: Geometry) -> Mapping[LabelPair, int] | None:
    """Count the pairs of clusters that each pair of labels keeps apart."""
    if geometry.clusters is None:
        return None
    label, blocks = geometry.clusters.label, geometry.clusters.blocks
    counted: dict[LabelPair, int] = {}
    between = zip(label[blocks.first].tolist(), label[blocks.blocker].tolist(), strict=True)
    for own, other in between:
        pair = _pair(geometry.labels[own], geometry.labels[other])
        counted[pair] = counted.get(pair, 0) + 1
    return counted


def _pair(one: str, other: str) -> LabelPair:
    return (one, other) if one < other else (other, one)
