"""Bands of a control: what chance gives, drawn behind what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from geoprobe.drawing.style import INK

Key = tuple[Any, ...]
"""Task, model, what it is tuned on, step and layer of a row."""


class Band(NamedTuple):
    """Where a control lies, and the number that it is the control of."""

    low: float
    high: float
    value: float

    @classmethod
    def mean(cls, bands: Sequence[Band]) -> Band:
        """Average the bands of several seeds."""
        return cls(*np.mean(bands, axis=0).tolist())


@dataclass(frozen=True)
class Bands:
    """The control of one measure, wherever it was measured.

    Attributes
    ----------
    name : str
        For the legend: what was drawn, and which part of it the band holds.
    of : mapping from (task, model, tuned_on, step, layer) to Band
    """

    name: str = ""
    of: Mapping[Key, Band] = field(default_factory=dict)

    def scaled(self, by: Mapping[int, float]) -> Bands:
        """Return the bands of some layers in another unit: each is multiplied by its factor."""
        return Bands(
            self.name,
            {
                key: Band(*(by[key[-1]] * end for end in band))
                for key, band in self.of.items()
                if key[-1] in by
            },
        )

    def at(self, columns: Mapping[str, Sequence[Any]], k: int) -> Band | None:
        """Return the band of the k-th row of a finding; step 0 of a run is the published model."""
        task, model, tuned_on, step, layer = (
            columns[name][k] for name in ("task", "model", "tuned_on", "step", "layer")
        )
        return self.of.get((task, model, tuned_on if step else "", step, layer))

    @property
    def rows_below(self) -> int:
        """Rows that a figure leaves free for its legend, which would cover the bands."""
        return 2 if self.of else 0

    @property
    def legend(self) -> dict[str, Any]:
        """Where the legend of such a figure stands."""
        return {"loc": "lower center", "ncols": 2} if self.of else {}

    def draw_beside(
        self,
        ax: Any,
        columns: Mapping[str, Sequence[Any]],
        places: Mapping[int, float],
        *,
        values: str = "",
    ) -> None:
        """Draw bands across, each at the height of its row.

        Parameters
        ----------
        ax : matplotlib.axes.Axes
        columns : mapping
            Of a finding, over its seeds.
        places : mapping from row to height
        values : str, optional
            What the numbers that the bands control are; they are drawn where this is said, for
            they are not those of the finding.
        """
        found = [(band, y) for k, y in places.items() if (band := self.at(columns, k)) is not None]
        for n, (band, y) in enumerate(found):
            ax.fill_betweenx(
                [y - 0.1, y + 0.1], band.low, band.high, color=INK, alpha=0.35, linewidth=1.0,
                label="" if n else self.name,
            )  # fmt: skip
        if values and found:
            ax.plot(
                [band.value for band, _ in found], [y for _, y in found], "|", color=INK,
                markersize=13, markeredgewidth=2.0, label=values,
            )  # fmt: skip

    def draw_along(
        self,
        ax: Any,
        columns: Mapping[str, Sequence[Any]],
        rows: Sequence[int],
        *,
        x: str = "step",
        values: str = "",
    ) -> None:
        """Draw one band along some rows; bars stand where the control was measured.

        Parameters
        ----------
        ax : matplotlib.axes.Axes
        columns : mapping
            Of a finding, over its seeds.
        rows : sequence of int
        x : str, default="step"
            The column that runs across.
        values : str, optional
            As in :meth:`draw_beside`.
        """
        found = {columns[x][k]: band for k in rows if (band := self.at(columns, k))}
        if not found:
            return
        places = sorted(found)
        low, high, each = ([found[place][part] for place in places] for part in (0, 1, 2))
        # Round ends show where a band has no height.
        style = {"color": INK, "alpha": 0.55, "linewidth": 5.0, "capstyle": "round", "zorder": 1}
        ax.vlines(places, low, high, label=self.name, **style)
        ax.fill_between(places, low, high, color=INK, alpha=0.2, linewidth=0)
        if values:
            ax.plot(places, each, "_", color=INK, markersize=17, markeredgewidth=2.0, label=values)
