"""Performance before and after fine-tuning, and how alike the test is to all of training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from geoprobe.drawing.style import AFTER, BEFORE, describe, legend, one_axes, tell
from geoprobe.errors import InputError
from geoprobe.findings.control_bands import Bands
from geoprobe.findings.finding import NAN, Columns, Finding, mean_and_std, moment_columns
from geoprobe.findings.intervals import accuracy_interval
from geoprobe.findings.label_pairs import Reduce, split_labels
from geoprobe.findings.networks import UNKNOWN, Network
from geoprobe.findings.similarity import spatial_similarity
from geoprobe.geometry.cells import Cell
from geoprobe.geometry.measured import Geometry


class PerformanceRow(NamedTuple):
    """One model at one moment; accuracies are shares of the test units."""

    task: str
    model: str
    tuned_on: str
    seed: int | None
    step: int
    layer: int
    n_labels: int
    n_clusters: int | None
    is_linear: bool
    directprobe: float
    directprobe_low: float
    directprobe_high: float
    classifier: float
    classifier_std: float
    hidden_sizes: str
    weight_decay: float
    head: float
    similarity: float
    n_pairs: int
    undefined: str


@dataclass(frozen=True, eq=False)
class Performance(Finding):
    """Accuracies, and the spatial similarity of training and test space (ACL 2022, section 4.1).

    The paper finds that fine-tuning raises the accuracy and lowers the similarity: the model
    arranges the training units in a way that the test units follow less well. Labels, clusters
    and the classifier's chosen layers stand beside, as in the paper's full table (appendix).

    Attributes
    ----------
    rows : tuple of PerformanceRow
        ``tuned_on`` is empty for the model as published. ``directprobe`` is the accuracy of the
        nearest cluster with a bootstrap interval; ``classifier`` the mean over the scores given,
        with their sample standard deviation; ``hidden_sizes`` and ``weight_decay`` are those of
        its network, empty and NaN where nobody said which; ``head`` is the fine-tuned head's own
        accuracy; ``similarity`` is that of the test to all of training.
    notes : tuple of str
    control : mapping from str to Bands
        By measure: the accuracy under permuted test labels, that of the classifier on control
        tasks, the similarity of pseudo-tests to the rest of training.
    """

    rows: tuple[PerformanceRow, ...]
    notes: tuple[str, ...]
    control: Mapping[str, Bands] = field(default_factory=dict)

    row_type = PerformanceRow
    keys = ("task", "model", "tuned_on", "step", "layer")
    measures = ("directprobe", "classifier", "head", "similarity")
    values = ("n_clusters", *measures)

    def plot(self, ax: Any = None, measure: str = "directprobe") -> Any:
        """Draw one measure for every task and model, before and after.

        Bars span the standard deviation over seeds. With a single seed they span the bootstrap
        interval of DirectProbe's accuracy, or the standard deviation over the classifier's
        initialisations; the other measures have none then. Models tuned on another task are in
        the table only.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
        measure : {"directprobe", "classifier", "head", "similarity"}
        """
        if measure not in self.measures:
            raise InputError(f"measure is one of {', '.join(self.measures)}, not {measure!r}.")
        columns = self.over_seeds()
        names = list(dict.fromkeys(zip(columns["task"], columns["model"], strict=True)))
        place = {name: number for number, name in enumerate(names)}
        single = {tuple(getattr(row, key) for key in self.keys): row for row in self.rows}
        control = self.control.get(measure, Bands())
        ax = one_axes(ax, height=1.4 + 0.36 * (len(names) + control.rows_below))
        places: dict[int, float] = {}
        for tuned, colour, marker, text in (
            (False, BEFORE, "o", "as published"),
            (True, AFTER, "s", "fine-tuned"),
        ):
            rows = [
                k
                for k, on in enumerate(columns["tuned_on"])
                if on == (columns["task"][k] if tuned else "")
            ]
            where = [
                place[columns["task"][k], columns["model"][k]] + (0.12 if tuned else -0.12)
                for k in rows
            ]
            places |= dict(zip(rows, where, strict=True))
            if measure == "similarity":
                text += ", to all of training"
            mean = [columns[f"{measure}_mean"][k] for k in rows]
            spread = np.nan_to_num([self._reach(columns, measure, k, single) for k in rows])
            spread = spread.reshape(-1, 2).T
            bars = ax.errorbar(
                mean, where, xerr=spread, fmt=marker, color=colour, label=text, capsize=3
            )
            tell(bars[0], [f"{text}\n{value:.4g}" for value in mean])
        # A pseudo-test is compared with the rest of training, and so is the test beside it.
        values = "test, to the rest of training" if measure == "similarity" else ""
        control.draw_beside(ax, columns, places, values=values)
        ax.set_yticks(range(len(names)), [" ".join(name) for name in names], parse_math=False)
        ax.set_ylim(len(names) - 0.5 + control.rows_below, -0.5)
        x = "Pearson correlation" if measure == "similarity" else "accuracy (share of test units)"
        title = {
            "directprobe": "DirectProbe on the test units",
            "classifier": "Classifier probe on the test units",
            "head": "Fine-tuned head on the test units",
            "similarity": "Spatial similarity of the test to training",
        }[measure]
        describe(ax, title=title, x=x)
        legend(ax, **control.legend)
        return ax

    def _reach(
        self,
        columns: Columns,
        measure: str,
        k: int,
        single: dict[tuple[Any, ...], PerformanceRow],
    ) -> tuple[float, float]:
        """Return how far the bar of a summarised row reaches below and above its mean."""
        if columns["n_seeds"][k] > 1 or measure not in ("directprobe", "classifier"):
            spread = columns[f"{measure}_std"][k]
            return spread, spread
        row = single[tuple(columns[name][k] for name in self.keys)]
        if measure == "classifier":
            return row.classifier_std, row.classifier_std
        return row.directprobe - row.directprobe_low, row.directprobe_high - row.directprobe


def compare_performance(
    geometries: Iterable[Geometry],
    *,
    layer: int | None = None,
    classifier: Mapping[Cell, Sequence[float]] | None = None,
    networks: Mapping[Cell, Network] | None = None,
    head: Mapping[Cell, float] | None = None,
    reduce: Reduce = "mean",
    min_cluster_size: int = 1,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Performance:
    """Compare each model as published with the last step of each of its fine-tunings.

    Parameters
    ----------
    geometries : iterable of Geometry
        Measured with a test space. Steps before the last are passed over.
    layer : int, optional
        The last layer given of each task and model by default.
    classifier : mapping from Cell to sequence of float, optional
        Test accuracies of the classifier probe, one for each initialisation.
    networks : mapping from Cell to Network, optional
        The networks that the classifier probe has chosen.
    head : mapping from Cell to float, optional
        Test accuracy of the fine-tuned head.
    reduce, min_cluster_size
        As in :func:`geoprobe.findings.label_distances`.
    n_bootstrap, confidence, seed
        As in :func:`geoprobe.findings.accuracy_interval`.

    Returns
    -------
    Performance

    Raises
    ------
    InputError
        If there is no geometry at that layer.
    """
    chosen = _ends(list(geometries), layer)
    notes: list[str] = []
    rows = []
    for g in chosen:
        classifier_mean, classifier_std = mean_and_std((classifier or {}).get(g.cell, ()))
        network = (networks or {}).get(g.cell, UNKNOWN)
        low = high = accuracy = NAN
        if g.predictions is None:
            notes.append(f"{g.cell}: no test units were predicted.")
        else:
            accuracy, low, high, _, _ = accuracy_interval(
                g.predictions, n_bootstrap=n_bootstrap, confidence=confidence, seed=seed
            )
            if g.predictions.unseen:
                unseen = ", ".join(g.predictions.unseen)
                notes.append(f"{g.cell}: test labels unseen in training count as wrong: {unseen}.")
        value, n_pairs, undefined = _alike(g, reduce, min_cluster_size, notes)
        rows.append(
            PerformanceRow(
                **moment_columns(g.cell),
                n_labels=g.n_labels,
                n_clusters=None if g.clusters is None else g.n_clusters,
                is_linear=g.is_linear,
                directprobe=accuracy,
                directprobe_low=low,
                directprobe_high=high,
                classifier=classifier_mean,
                classifier_std=classifier_std,
                hidden_sizes=network.sizes,
                weight_decay=network.weight_decay,
                head=(head or {}).get(g.cell, NAN),
                similarity=value,
                n_pairs=n_pairs,
                undefined=undefined,
            )
        )
    return Performance(tuple(rows), tuple(notes))


def _ends(geometries: list[Geometry], layer: int | None) -> list[Geometry]:
    """Keep one layer of each task and model, and of each fine-tuning the last step."""
    last_layer: dict[tuple[str, str], int] = {}
    for g in geometries:
        who = (g.cell.task, g.cell.representation)
        last_layer[who] = max(g.cell.layer, last_layer.get(who, 0))
    kept: dict[tuple[Any, ...], Geometry] = {}
    for g in sorted(geometries, key=lambda g: g.cell.order):
        who = (g.cell.task, g.cell.representation)
        if g.cell.layer == (last_layer[who] if layer is None else layer):
            kept[who, g.cell.tuned_on, g.cell.seed] = g
    if not kept:
        there = ", ".join(map(str, sorted({g.cell.layer for g in geometries}))) or "none"
        raise InputError(f"no geometry of layer {layer} was given; the layers are: {there}.")
    return list(kept.values())


def _alike(
    g: Geometry, reduce: Reduce, min_cluster_size: int, notes: list[str]
) -> tuple[float, int, str]:
    """Return the similarity of training and test space, its pairs, and why it is undefined."""
    if g.test is None:
        return NAN, 0, "there is no test space of two labels or more"
    similarity = spatial_similarity(g, g.test, reduce=reduce, min_cluster_size=min_cluster_size)
    notes.extend(f"{g.cell}, training and test: {text}" for text in similarity.differences())
    notes.extend(split_labels([g], reduce, str(g.cell)))
    notes.extend(split_labels([g.test], reduce, f"{g.cell}, test units"))
    return similarity.value, similarity.n_pairs, similarity.undefined
