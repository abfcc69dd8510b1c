"""The directions in which fine-tuning moves the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from geoprobe.drawing.style import (
    BEFORE,
    INK,
    axis_names,
    describe,
    draw_planes,
    plane,
    write_apart,
)
from geoprobe.findings.finding import Finding
from geoprobe.findings.movement import displacements
from geoprobe.findings.trajectories import Trajectory, need_steps, one_family
from geoprobe.geometry.measured import FloatArray


class DifferenceRow(NamedTuple):
    """One label's difference vector in the plane of its layer and seed."""

    task: str
    model: str
    tuned_on: str
    seed: int
    layer: int
    step: int
    label: str
    x: float
    y: float
    length: float


@dataclass(frozen=True, eq=False)
class Differences(Finding):
    """Difference vectors of the centroids, last step less original (ACL 2022, section 4.5).

    Where all arrows point the same way, the layer moved as a whole; where they point apart, the
    labels were pushed away from each other, as higher layers usually do.

    Attributes
    ----------
    rows : tuple of DifferenceRow
        Coordinates in the first two principal components of the vectors of one layer and seed;
        ``length`` is that of the whole vector.
    origins : dict of (int, int) to (float, float)
        By layer and seed, where a label that did not move would be: the components are centred
        on the mean vector.
    explained : dict of (int, int) to (float, float)
        By layer and seed, the share of the variance along x and y.
    mean_cosine : dict of (int, int) to float
        Mean cosine between the vectors of two labels: 1 where all move the same way. NaN where a
        label did not move.
    notes : tuple of str
    """

    rows: tuple[DifferenceRow, ...]
    origins: dict[tuple[int, int], tuple[float, float]]
    explained: dict[tuple[int, int], tuple[float, float]]
    mean_cosine: dict[tuple[int, int], float]
    notes: tuple[str, ...]

    row_type = DifferenceRow
    keys = ("task", "model", "tuned_on", "layer", "step", "label")
    values = ("length",)

    def plot(
        self,
        ax: Any = None,
        layer: int | None = None,
        seed: int | None = None,
        names: bool | None = None,
    ) -> Any:
        """Draw the vectors as arrows from where no movement would be.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            For one panel: the layer has to be named unless there is only one.
        layer : int, optional
            All layers side by side by default.
        seed : int, optional
            The smallest by default.
        names : bool, optional
            Whether to write the labels beside the arrows; by default every arrow has a number,
            the same in all panels, and a key below the figure says whose it is.
        """
        moving = dict.fromkeys(row.label for row in self.rows if row.length > 0)
        texts = {label: label if names else str(k) for k, label in enumerate(moving, 1)}

        def write(panel: Any, number: int, of_seed: int) -> None:
            if names is not False:
                self._write(panel, number, of_seed, texts)

        key = list(moving) if names is None else []
        return draw_planes(self.explained, self._draw, write, ax, layer, seed, key)

    def _draw(self, ax: Any, layer: int, seed: int) -> None:
        rows = [row for row in self.rows if (row.layer, row.seed) == (layer, seed)]
        start = np.array(self.origins[layer, seed])
        ends = np.array([(row.x, row.y) for row in rows])
        away = ends - start
        ax.quiver(
            *np.broadcast_to(start, away.shape).T, *away.T, angles="xy", scale_units="xy", scale=1,
            color=BEFORE, alpha=0.8, width=0.005,
        )  # fmt: skip
        # Arrows do not widen the axes; their ends do.
        ax.plot(*np.vstack([ends, start]).T, linestyle="none")
        ax.margins(0.1)
        ax.plot(*start, "+", color=INK, markersize=10)
        across, up = axis_names(self.explained[layer, seed])
        cosine = self.mean_cosine[layer, seed]
        moved = any(row.length > 0 for row in rows)
        if not moved:
            what = "no label moved"
        elif np.isnan(cosine):
            what = "some labels did not move"
        else:
            what = f"mean cosine {cosine:.2f}"
        describe(
            ax,
            title=f"layer {layer}: {what}",
            x=across,
            y=up,
        )
        ax.set_aspect("equal", adjustable="datalim")

    def _write(self, ax: Any, layer: int, seed: int, texts: dict[str, str]) -> None:
        """Write a text beyond the tip of every arrow."""
        rows = [row for row in self.rows if (row.layer, row.seed) == (layer, seed)]
        start = np.array(self.origins[layer, seed])
        ends = np.array([(row.x, row.y) for row in rows])
        away = ends - start
        named = [k for k, row in enumerate(rows) if row.length > 0]
        shafts = np.concatenate([start + share * away for share in np.linspace(0.05, 1, 40)])
        shown = [texts[rows[k].label] for k in named]
        write_apart(ax, ends[named], shown, shafts, thick=2, directions=away[named])


def difference_vectors(runs: Sequence[Trajectory]) -> Differences:
    """Look at the vectors from original to final centroids, in two dimensions per layer.

    Parameters
    ----------
    runs : sequence of Trajectory
        Of one task, model and fine-tuning; any layers and seeds.

    Returns
    -------
    Differences

    Raises
    ------
    InputError
        If an original space is missing, a trajectory has a single step, or fewer than two labels
        are in both spaces.
    """
    task, model, tuned_on = one_family(runs)
    rows: list[DifferenceRow] = []
    notes: list[str] = []
    origins, explained, cosines = {}, {}, {}
    for run in runs:
        need_steps(run)
        match, vectors = displacements(run.original, run.last)
        for when, names in (("before", match.only_in_first), ("after", match.only_in_second)):
            if names:
                notes.append(f"{run}: labels only {when}: {', '.join(names)}.")
        seen = plane(vectors)
        key = (run.layer, run.seed)
        origins[key] = (float(seen.origin[0]), float(seen.origin[1]))
        explained[key] = seen.explained
        cosines[key] = mean_cosine(vectors)
        lengths = np.linalg.norm(vectors, axis=1).tolist()
        for label, (x, y), length in zip(match.common, seen.points.tolist(), lengths, strict=True):
            rows.append(
                DifferenceRow(
                    task, model, tuned_on, run.seed, run.layer, run.last.cell.step, label, x, y,
                    length,
                )
            )  # fmt: skip
    return Differences(tuple(rows), origins, explained, cosines, tuple(notes))


def mean_cosine(vectors: FloatArray) -> float:
    """Return the mean cosine over all pairs of vectors; NaN where one of them is zero.

    Parameters
    ----------
    vectors : ndarray of float64, shape (n_vectors, n_dims)
        At least two.
    """
    lengths = np.linalg.norm(vectors, axis=1)
    if np.any(lengths == 0.0):
        return float("nan")
    n = len(vectors)
    total = np.sum((vectors / lengths[:, None]).sum(axis=0) ** 2)
    return float((total - n) / (n * (n - 1)))
