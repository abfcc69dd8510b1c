"""Linearity: whether a hyperplane lies between every two labels, and what stands in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from geoprobe.drawing.grids import draw_counts
from geoprobe.drawing.style import AFTER, BEFORE, describe, legend, one_axes, tell
from geoprobe.findings.control_bands import Bands
from geoprobe.findings.finding import Finding, moment_columns
from geoprobe.geometry.cells import Cell
from geoprobe.geometry.measured import Geometry
from geoprobe.geometry.pairs import Status


class LinearityRow(NamedTuple):
    """One measured space."""

    task: str
    model: str
    tuned_on: str
    seed: int | None
    step: int
    layer: int
    n_units: int
    n_labels: int
    n_clusters: int
    clusters_per_label: float
    is_linear: bool
    overlapping_pairs: int
    contradictory_points: int


@dataclass(frozen=True, eq=False)
class Linearity(Finding):
    """Labels, clusters and whether a space is linear (ACL 2022, section 4.2).

    As many clusters as labels: a hyperplane lies between every two labels. More: some label falls
    apart into clusters with other labels in between, and the more clusters, the less a linear
    classifier can do.

    Attributes
    ----------
    rows : tuple of LinearityRow
        ``overlapping_pairs`` counts pairs of whole labels whose hulls meet;
        ``contradictory_points`` those that coincide with a point of another label and can be told
        apart by no classifier.
    notes : tuple of str
    control : Bands
        Clusters per label under shuffled labels, where they were measured.
    """

    rows: tuple[LinearityRow, ...]
    notes: tuple[str, ...]
    control: Bands = field(default_factory=Bands)

    row_type = LinearityRow
    keys = ("task", "model", "tuned_on", "step", "layer")
    values = ("n_clusters", "clusters_per_label", "overlapping_pairs", "contradictory_points")

    def plot(self, ax: Any = None) -> Any:
        """Draw clusters per label for every task, model and layer, before and after.

        After is the last step of tuning on the same task; other rows are in the table only. Grey
        is what shuffled labels have.
        """
        columns = self.over_seeds()
        last = max(columns["layer"], default=0)
        several = len(set(columns["layer"])) > 1
        names = list(
            dict.fromkeys(zip(columns["task"], columns["model"], columns["layer"], strict=True))
        )
        below = self.control.rows_below
        ax = one_axes(ax, height=1.4 + 0.3 * (len(names) + below))
        final = _final_rows(columns)
        places: dict[int, float] = {}
        for tuned, colour, marker, text in (
            (False, BEFORE, "o", "as published"),
            (True, AFTER, "s", "fine-tuned"),
        ):
            rows = [
                k for k in final if columns["tuned_on"][k] == (columns["task"][k] if tuned else "")
            ]
            where = [
                names.index((columns["task"][k], columns["model"][k], columns["layer"][k]))
                + (0.12 if tuned else -0.12)
                for k in rows
            ]
            places |= dict(zip(rows, where, strict=True))
            mean = [columns["clusters_per_label_mean"][k] for k in rows]
            dots = ax.plot(mean, where, marker, color=colour, label=text, linestyle="none")
            tell(dots[0], [f"{text}\n{value:.4g} clusters per label" for value in mean])
        self.control.draw_beside(ax, columns, places)
        shown = [f"{t} {m} layer {n}" if several or last else f"{t} {m}" for t, m, n in names]
        ax.set_yticks(range(len(names)), shown, parse_math=False)
        ax.set_ylim(len(names) - 0.5 + below, -0.5)
        if max(columns["clusters_per_label_mean"], default=1.0) > 10:
            ax.set_xscale("log")
        else:
            # From no cluster to twice as many as a linear space has, or all there are.
            ax.set_xlim(0.0, max(2.0, 1.05 * ax.get_xlim()[1]))
        describe(ax, title="Linearity: 1 is a linear space", x="clusters per label")
        legend(ax, **self.control.legend)
        return ax


def compare_linearity(geometries: Iterable[Geometry]) -> Linearity:
    """Count labels and clusters of every space.

    Parameters
    ----------
    geometries : iterable of Geometry
        Spaces that are not linear and were measured without clusters are noted and not listed.

    Returns
    -------
    Linearity
    """
    rows, notes = [], []
    for g in sorted(geometries, key=lambda g: g.cell.order):
        if g.clusters is None:
            notes.append(f"{g.cell}: not linear; its clusters were not measured.")
            continue
        rows.append(
            LinearityRow(
                **moment_columns(g.cell),
                n_units=g.n_units,
                n_labels=g.n_labels,
                n_clusters=g.n_clusters,
                clusters_per_label=g.n_clusters / g.n_labels,
                is_linear=g.is_linear,
                overlapping_pairs=int((g.hulls.status == Status.OVERLAP).sum()),
                contradictory_points=0 if g.counters is None else g.counters.contradictory_points,
            )
        )
    return Linearity(tuple(rows), tuple(notes))


def _final_rows(columns: dict[str, list[Any]]) -> list[int]:
    """Return the rows of the last step of each fine-tuning, and of the models as published."""
    last: dict[tuple[Any, ...], int] = {}
    for k, step in enumerate(columns["step"]):
        key = tuple(columns[name][k] for name in ("task", "model", "tuned_on", "layer"))
        if key not in last or step >= columns["step"][last[key]]:
            last[key] = k
    return sorted(last.values())


class BetweenRow(NamedTuple):
    """Two clusters of one label and the cluster of another label in between."""

    label: str
    cluster_a: int
    size_a: int
    cluster_b: int
    size_b: int
    between_label: str
    between: int
    between_size: int
    gap: float


@dataclass(frozen=True, eq=False)
class InBetween(Finding):
    """For every pair of clusters of one label, a cluster that keeps them apart.

    The hull of both together shares a point with the hull of the cluster in between, up to
    ``gap`` in the units of the points. There may be others; one is named.

    Attributes
    ----------
    cell : Cell
    rows : tuple of BetweenRow
        Clusters are numbered as in DirectProbe; sizes are in points. Empty for a linear space.
    notes : tuple of str
    """

    cell: Cell
    rows: tuple[BetweenRow, ...]
    notes: tuple[str, ...]

    row_type = BetweenRow
    keys = ("label", "between_label")
    values = ("gap",)

    def by_label(self) -> list[tuple[str, str, int]]:
        """Count by label: (label, label in between, pairs of clusters), the most pairs first."""
        counted = Counter((row.label, row.between_label) for row in self.rows)
        ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
        return [(label, other, n) for (label, other), n in ordered]

    def plot(self, ax: Any = None, at_most: int = 20) -> Any:
        """Draw which labels stand between the clusters of which, as a grid of counts.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
        at_most : int
            Labels shown on each side: those in the most pairs.
        """
        counted = self.by_label()
        split = _most(((label, n) for label, _, n in counted), at_most)
        stand = _most(((other, n) for _, other, n in counted), at_most)
        grid = np.zeros((len(split), len(stand)))
        for label, other, n in counted:
            if label in split and other in stand:
                grid[split.index(label), stand.index(other)] = n
        return draw_counts(
            grid,
            split,
            stand,
            ax=ax,
            title=f"Pairs of clusters kept apart: {self.cell}",
            x="label in between",
            y="label of the two clusters",
            nothing="linear: nothing in between",
        )


def standing_between(geometry: Geometry) -> InBetween:
    """List what keeps the clusters of each label apart.

    Parameters
    ----------
    geometry : Geometry

    Returns
    -------
    InBetween

    Raises
    ------
    InputError
        If the clusters were not measured.
    """
    clusters = geometry.need_clusters()
    label, size = clusters.label.tolist(), clusters.size.tolist()
    blocks = clusters.blocks
    columns = (blocks.first, blocks.second, blocks.blocker, blocks.gap)
    rows = [
        BetweenRow(
            label=geometry.labels[label[a]],
            cluster_a=a,
            size_a=size[a],
            cluster_b=b,
            size_b=size[b],
            between_label=geometry.labels[label[other]],
            between=other,
            between_size=size[other],
            gap=gap,
        )
        for a, b, other, gap in zip(*(column.tolist() for column in columns), strict=True)
    ]
    return InBetween(geometry.cell, tuple(rows), ())


def _most(counts: Any, at_most: int) -> list[str]:
    """Return the names with the largest sums, sorted by name."""
    total: Counter[str] = Counter()
    for name, n in counts:
        total[name] += n
    return sorted(name for name, _ in total.most_common(at_most))
