"""What stands in between: why a label has more than one cluster."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from geoprobe.findings.finding import Finding
from geoprobe.findings.style import INK, describe, new_axes
from geoprobe.geometry.cells import Cell
from geoprobe.geometry.measured import Geometry


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
        grid = np.zeros((max(1, len(split)), max(1, len(stand))))
        for label, other, n in counted:
            if label in split and other in stand:
                grid[split.index(label), stand.index(other)] = n
        if ax is None:
            figure, (ax,) = new_axes(
                1, width=max(5.0, 2.4 + 0.3 * len(stand)), height=1.8 + 0.26 * len(split)
            )
        else:
            figure = ax.figure
        ax.grid(False)
        image = ax.imshow(np.where(grid > 0, np.log10(np.maximum(grid, 1)), np.nan), aspect="auto")
        for (i, j), n in np.ndenumerate(grid):
            if n:
                ax.text(j, i, f"{n:.0f}", ha="center", va="center", fontsize=6, color=_on(image, n))
        ax.set_yticks(range(len(split)), split, parse_math=False)
        ax.set_xticks(range(len(stand)), stand, rotation=90, parse_math=False)
        describe(
            ax,
            title=f"Pairs of clusters kept apart: {self.cell}",
            x="label in between",
            y="label of the two clusters",
        )
        if not counted:
            ax.text(0, 0, "linear: nothing in between", ha="center", color=INK)
        return figure


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


def _on(image: Any, n: float) -> str:
    """Return black or white, whichever is read more easily on the colour of ``log10(n)``."""
    red, green, blue, _ = image.cmap(image.norm(np.log10(n)))
    return "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 0.5 else "white"
