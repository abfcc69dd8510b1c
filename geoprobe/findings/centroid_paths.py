"""The paths of the centroids of the closest labels during fine-tuning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from geoprobe.drawing.planes import axis_names, draw_planes, plane, write_apart
from geoprobe.drawing.style import describe, label_styles, legend, tell
from geoprobe.errors import InputError
from geoprobe.findings.finding import Finding
from geoprobe.findings.label_pairs import Reduce, label_distances
from geoprobe.findings.trajectories import Trajectory, need_steps, one_family
from geoprobe.geometry.measured import Geometry

# A path that is shorter, as a share of the panel, is one place to the eye.
_STILL = 0.08


class PathRow(NamedTuple):
    """One centroid at one step, in the plane of its layer and seed."""

    task: str
    model: str
    tuned_on: str
    seed: int
    layer: int
    step: int
    label: str
    x: float
    y: float


@dataclass(frozen=True, eq=False)
class CentroidPaths(Finding):
    """Centroids of a few close labels on their way (ACL 2022, section 4.3).

    All steps of one layer and seed share one plane: the first two principal components of all
    centroids drawn. Planes of different layers or seeds have nothing in common.

    Attributes
    ----------
    rows : tuple of PathRow
    labels : tuple of str
    explained : dict of (int, int) to (float, float)
        By layer and seed, the share of the variance along x and y. Where the sum is far below 1,
        the figure hides most of the movement.
    notes : tuple of str
    """

    rows: tuple[PathRow, ...]
    labels: tuple[str, ...]
    explained: dict[tuple[int, int], tuple[float, float]]
    notes: tuple[str, ...]

    row_type = PathRow
    keys = ("task", "model", "tuned_on", "layer", "step", "label")
    # Coordinates of different planes have no mean.
    values = ()

    @property
    def named(self) -> tuple[str, ...]:
        """The labels whose paths are drawn."""
        return self.labels

    def plot(
        self,
        ax: Any = None,
        layer: int | None = None,
        seed: int | None = None,
        order: Sequence[str] = (),
    ) -> Any:
        """Draw the paths; the last step is the large marker.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            For one panel: the layer has to be named unless there is only one.
        layer : int, optional
            All layers side by side by default.
        seed : int, optional
            The smallest by default.
        order : sequence of str
            Labels of all figures that shall have the same colours for them.
        """
        draw = partial(self._draw, styles=label_styles(self.labels, order))
        return draw_planes(self.explained, draw, self._write, ax, layer, seed, {})

    def _draw(self, ax: Any, layer: int, seed: int, styles: dict[str, dict[str, Any]]) -> None:
        for label in self.labels:
            path = self._path(layer, seed, label)
            style, texts = styles[label], [f"{label}\nupdate {row.step:,}" for row in path]
            x, y = [row.x for row in path], [row.y for row in path]
            shown = label if not label.startswith("_") else f" {label}"
            tell(ax.plot(x, y, label=shown, **style)[0], texts)
            last = ax.plot(x[-1:], y[-1:], style["marker"], color=style["color"], markersize=9)
            tell(last[0], texts[-1:])
        across, up = axis_names(self.explained[layer, seed])
        row = self.rows[0]
        describe(
            ax,
            title=f"{row.task}, {row.model} tuned on {row.tuned_on}, layer {layer}",
            x=across,
            y=up,
        )
        # Room for the steps beside the outermost points.
        ax.margins(0.15)
        ax.set_aspect("equal", adjustable="datalim")
        legend(ax)

    def _write(self, ax: Any, layer: int, seed: int) -> None:
        """Write the first and the last step of every path."""
        paths = [self._path(layer, seed, label) for label in self.labels]
        drawn = np.array([(row.x, row.y) for path in paths for row in path])
        reach = float(np.abs(drawn).max())
        steps: list[tuple[float, float, str]] = []
        for first, last in ((path[0], path[-1]) for path in paths):
            # Written twice at one place, the two steps would cover each other.
            still = np.hypot(last.x - first.x, last.y - first.y) <= _STILL * reach
            if still:
                ends = [(last.x, last.y, f"{first.step} to {last.step}")]
            else:
                ends = [(row.x, row.y, str(row.step)) for row in (first, last)]
            steps += [end for end in ends if not any(_same(end, one, reach) for one in steps)]
        places = np.array([(x, y) for x, y, _ in steps])
        lines = [
            np.linspace((one.x, one.y), (next_.x, next_.y), 20)
            for path in paths
            for one, next_ in pairwise(path)
        ]
        texts = [text for _, _, text in steps]
        write_apart(ax, places, texts, np.concatenate([drawn, *lines]), thick=5)

    def _path(self, layer: int, seed: int, label: str) -> list[PathRow]:
        return [r for r in self.rows if (r.layer, r.seed, r.label) == (layer, seed, label)]


def _same(one: tuple[float, float, str], other: tuple[float, float, str], reach: float) -> bool:
    """Say whether a step is written already where this one would be."""
    near = np.hypot(one[0] - other[0], one[1] - other[1]) <= 2 * _STILL * reach
    return bool(near and one[2] == other[2])


def follow_centroids(
    runs: Sequence[Trajectory],
    *,
    n_labels: int = 3,
    labels: Sequence[str] | None = None,
    layers: Sequence[int] | None = None,
    reduce: Reduce = "mean",
    min_cluster_size: int = 1,
) -> CentroidPaths:
    """Follow the centroids of the closest labels in the first and the last contextual layer.

    The closest labels are those of the original space of the last layer: the closest pair, then
    always the label that is closest to one already taken.

    Parameters
    ----------
    runs : sequence of Trajectory
        Of one task, model and fine-tuning; any layers and seeds.
    n_labels : int, default=3
    labels : sequence of str, optional
        These instead of the closest.
    layers : sequence of int, optional
        These instead of the first from layer 1 on, and the last. Layer 0, the embeddings, knows no
        context and hardly moves; it is taken where there is no other.
    reduce, min_cluster_size
        As in :func:`geoprobe.findings.label_distances`, for choosing labels.

    Returns
    -------
    CentroidPaths

    Raises
    ------
    InputError
        If the labels or layers are not there, or a trajectory has a single step.
    """
    task, model, tuned_on = one_family(runs)
    there = sorted({run.layer for run in runs})
    contextual = [layer for layer in there if layer > 0] or there
    wanted = {contextual[0], contextual[-1]} if layers is None else set(layers)
    if not wanted <= set(there):
        raise InputError(f"layers {sorted(wanted)} were asked for, but there are {there}.")
    if labels is None:
        top = next(run for run in runs if run.layer == there[-1])
        options: dict[str, Any] = {"reduce": reduce, "min_cluster_size": min_cluster_size}
        labels = closest_labels(top.original, n_labels, **options)
    rows: list[PathRow] = []
    explained = {}
    for run in runs:
        if run.layer not in wanted:
            continue
        need_steps(run)
        centroids = np.concatenate([_centroids(g, labels) for g in run.geometries])
        seen = plane(centroids)
        explained[run.layer, run.seed] = seen.explained
        moments = [(step, label) for step in run.steps for label in labels]
        for (step, label), (x, y) in zip(moments, seen.points.tolist(), strict=True):
            rows.append(PathRow(task, model, tuned_on, run.seed, run.layer, step, label, x, y))
    return CentroidPaths(tuple(rows), tuple(labels), explained, ())


def closest_labels(
    geometry: Geometry, n_labels: int, *, reduce: Reduce = "mean", min_cluster_size: int = 1
) -> tuple[str, ...]:
    """Choose the closest pair of labels, then always the label closest to one already chosen.

    Parameters
    ----------
    geometry : Geometry
    n_labels : int
        At least 2; all labels if there are fewer.
    reduce, min_cluster_size
        As in :func:`geoprobe.findings.label_distances`.

    Returns
    -------
    tuple of str
        In the order of choice; of equally close labels the first comes first.

    Raises
    ------
    InputError
        If fewer than two labels have a distance.
    """
    if n_labels < 2:
        raise InputError(f"n_labels is at least 2, but it is {n_labels!r}.")
    distances = label_distances(geometry, reduce=reduce, min_cluster_size=min_cluster_size)
    matrix = np.where(np.isnan(distances.matrix), np.inf, distances.matrix)
    if not np.isfinite(matrix).any():
        raise InputError(f"{geometry.cell}: no two labels have a distance.")
    chosen = [int(k) for k in np.unravel_index(np.argmin(matrix), matrix.shape)]
    while len(chosen) < min(n_labels, geometry.n_labels):
        reach = matrix[chosen].min(axis=0)
        reach[chosen] = np.inf
        if not np.isfinite(reach).any():
            break
        chosen.append(int(np.argmin(reach)))
    return tuple(geometry.labels[k] for k in chosen)


def _centroids(geometry: Geometry, labels: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
    missing = [name for name in labels if name not in geometry.labels]
    if missing:
        raise InputError(
            f"{geometry.cell}: no label {', '.join(missing)}; the labels are "
            f"{', '.join(geometry.labels)}."
        )
    return geometry.centroids[[geometry.labels.index(name) for name in labels]]
