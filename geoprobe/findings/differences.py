"""The directions in which fine-tuning moves the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from geoprobe.drawing.planes import axis_names, draw_planes, plane, write_apart
from geoprobe.drawing.style import INK, describe, label_styles, tell
from geoprobe.findings.finding import Finding
from geoprobe.findings.movement import displacements
from geoprobe.findings.trajectories import Trajectory, need_steps, one_family
from geoprobe.geometry.measured import FloatArray

_ROUNDING = 1e-12


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


class Drift(NamedTuple):
    """The mean of the difference vectors of a layer, and what is left without it.

    Attributes
    ----------
    length : float
        Of the mean vector, in the units of the points.
    share : float
        Of all squared movement: 1 where every label moved alike; NaN where none did.
    mean_cosine : float
        Mean cosine of the vectors less their mean; about -1 / (n - 1) for n labels without any
        direction in common. NaN where one is left without a vector.
    """

    length: float
    share: float
    mean_cosine: float


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
    drift : dict of (int, int) to Drift
        By layer and seed, what all labels have in common: their mean vector.
    notes : tuple of str
    """

    rows: tuple[DifferenceRow, ...]
    origins: dict[tuple[int, int], tuple[float, float]]
    explained: dict[tuple[int, int], tuple[float, float]]
    mean_cosine: dict[tuple[int, int], float]
    drift: dict[tuple[int, int], Drift]
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
        drift: bool = True,
        order: Sequence[str] = (),
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
        drift : bool, default=True
            Without it arrows start at the mean vector: what is left of each when the movement that
            all labels share is taken off. The plane is the same, for it is centred there.
        order : sequence of str
            Labels of all figures that shall have the same colours for them.
        """
        styles = label_styles({row.label for row in self.rows}, order)
        colours = {label: style["color"] for label, style in styles.items()}
        moving = dict.fromkeys(row.label for row in self.rows if row.length > 0)
        texts = {label: label if names else str(k) for k, label in enumerate(moving, 1)}

        def write(panel: Any, number: int, of_seed: int) -> None:
            if names is not False:
                self._write(panel, number, of_seed, texts, drift)

        key = {label: colours[label] for label in moving} if names is None else {}
        draw = partial(self._draw, drift=drift, colours=colours)
        return draw_planes(self.explained, draw, write, ax, layer, seed, key)

    def _start(self, layer: int, seed: int, drift: bool) -> FloatArray:
        """Return where the arrows begin: no movement, or the mean, on which a plane is centred."""
        return np.array(self.origins[layer, seed] if drift else (0.0, 0.0))

    def _draw(self, ax: Any, layer: int, seed: int, drift: bool, colours: dict[str, str]) -> None:
        rows = [row for row in self.rows if (row.layer, row.seed) == (layer, seed)]
        start = self._start(layer, seed, drift)
        ends = np.array([(row.x, row.y) for row in rows])
        away = ends - start
        arrows = ax.quiver(
            *np.broadcast_to(start, away.shape).T, *away.T, angles="xy", scale_units="xy", scale=1,
            color=[colours[row.label] for row in rows], width=0.005,
        )  # fmt: skip
        tell(arrows, [f"{row.label}\nmoved {row.length:.4g}" for row in rows])
        # Arrows do not widen the axes; their ends do.
        ax.plot(*np.vstack([ends, start]).T, linestyle="none")
        ax.margins(0.1)
        ax.plot(*start, "+", color=INK, markersize=10)
        across, up = axis_names(self.explained[layer, seed])
        common = None if drift else self.drift[layer, seed]
        cosine = self.mean_cosine[layer, seed] if common is None else common.mean_cosine
        moved = any(row.length > 0 for row in rows)
        if not moved:
            what = "no label moved"
        elif np.isnan(cosine):
            what = "some labels did not move"
        else:
            what = f"mean cosine {cosine:.2f}"
            if common is not None:
                what += f", without the drift ({common.share:.0%} of the movement)"
        describe(
            ax,
            title=f"layer {layer}: {what}",
            x=across,
            y=up,
        )
        ax.set_aspect("equal", adjustable="datalim")

    def _write(self, ax: Any, layer: int, seed: int, texts: dict[str, str], drift: bool) -> None:
        """Write a text beyond the tip of every arrow."""
        rows = [row for row in self.rows if (row.layer, row.seed) == (layer, seed)]
        start = self._start(layer, seed, drift)
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
    origins, explained, cosines, drifts = {}, {}, {}, {}
    for run in runs:
        need_steps(run)
        match, vectors = displacements(run.original, run.last)
        notes += match.notes(run)
        seen = plane(vectors)
        key = (run.layer, run.seed)
        origins[key] = (float(seen.origin[0]), float(seen.origin[1]))
        explained[key] = seen.explained
        cosines[key] = mean_cosine(vectors)
        drifts[key] = common_drift(vectors)
        lengths = np.linalg.norm(vectors, axis=1).tolist()
        for label, (x, y), length in zip(match.common, seen.points.tolist(), lengths, strict=True):
            rows.append(
                DifferenceRow(
                    task, model, tuned_on, run.seed, run.layer, run.last.cell.step, label, x, y,
                    length,
                )
            )  # fmt: skip
    return Differences(tuple(rows), origins, explained, cosines, drifts, tuple(notes))


def common_drift(vectors: FloatArray) -> Drift:
    """Split difference vectors into their mean and the rest.

    Parameters
    ----------
    vectors : ndarray of float64, shape (n_vectors, n_dims)
        At least two.
    """
    mean = vectors.mean(axis=0)
    total = float(np.sum(vectors**2))
    share = len(vectors) * float(mean @ mean) / total if total else float("nan")
    rest = vectors - mean
    # What rounding leaves of equal vectors has no direction.
    rest[np.linalg.norm(rest, axis=1) <= _ROUNDING * np.sqrt(total)] = 0.0
    return Drift(float(np.linalg.norm(mean)), share, mean_cosine(rest))


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
