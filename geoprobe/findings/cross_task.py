"""Fine-tuning on one task, looked at through another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from geoprobe.drawing.style import INK, colour_bar, describe, new_axes
from geoprobe.errors import InputError
from geoprobe.findings.finding import Finding
from geoprobe.findings.intervals import accuracy_change_interval, same_units
from geoprobe.findings.label_pairs import Reduce, label_distances, match_labels
from geoprobe.findings.trajectories import Trajectory, at_layer, need_steps
from geoprobe.geometry.cells import Cell

NAN = float("nan")
# Distances are exact to about 1e-9, relatively: a smaller change is none.
_UNCHANGED = 1e-9


class CrossTaskRow(NamedTuple):
    """One task seen through a model tuned on this or another task."""

    task: str
    model: str
    tuned_on: str
    seed: int
    layer: int
    step: int
    n_labels: int
    n_increased: int
    n_decreased: int
    n_unchanged: int
    mean_change: float
    accuracy_before: float
    accuracy_after: float
    accuracy_change: float
    change_low: float
    change_high: float
    classifier_before: float
    classifier_after: float


class LabelChange(NamedTuple):
    """The smallest distance of one label, before and after; in the units of the points."""

    task: str
    model: str
    tuned_on: str
    seed: int
    layer: int
    label: str
    before: float
    after: float
    change: float


@dataclass(frozen=True, eq=False)
class CrossTask(Finding):
    """Labels that other labels left or approached when the model was tuned (ACL 2022, 4.4).

    Tuning on a related task moves the labels of this one apart and helps; tuning on an unrelated
    one brings some closer together, and the accuracy suffers.

    Attributes
    ----------
    rows : tuple of CrossTaskRow
        ``n_increased`` and ``n_decreased`` count labels whose smallest distance to the others
        grew and shrank, ``mean_change`` averages over all labels. Accuracies are DirectProbe's on
        the test units, with a paired bootstrap interval of their change.
    changes : tuple of LabelChange
        The same by label.
    notes : tuple of str
    """

    rows: tuple[CrossTaskRow, ...]
    changes: tuple[LabelChange, ...]
    notes: tuple[str, ...]

    row_type = CrossTaskRow
    keys = ("task", "model", "tuned_on", "layer", "step")
    values = (
        "n_increased",
        "n_decreased",
        "mean_change",
        "accuracy_before",
        "accuracy_after",
        "accuracy_change",
        "classifier_before",
        "classifier_after",
    )

    def plot(self, ax: Any = None, model: str | None = None) -> Any:
        """Draw mean change (colour) and labels grown and shrunk (text), task by tuned-on task.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
        model : str, optional
            The first by default.
        """
        columns = self.over_seeds()
        models = list(dict.fromkeys(columns["model"]))
        model = models[0] if model is None and models else model
        rows = [k for k, other in enumerate(columns["model"]) if other == model]
        if not rows:
            raise InputError(f"there is nothing on the model {model!r}; there are: {models}.")
        tasks = sorted({columns["task"][k] for k in rows})
        tuned = sorted({columns["tuned_on"][k] for k in rows})
        if ax is None:
            size = {"width": max(5.6, 2.6 + 1.1 * len(tuned)), "height": 1.6 + 0.6 * len(tasks)}
            ax = new_axes(1, **size)[1][0]
        grid = np.full((len(tasks), len(tuned)), np.nan)
        for k in rows:
            where = tasks.index(columns["task"][k]), tuned.index(columns["tuned_on"][k])
            grid[where] = columns["mean_change_mean"][k]
            text = (
                f"{grid[where]:+.3g}\n+{columns['n_increased_mean'][k]:.3g} "
                f"\u2212{columns['n_decreased_mean'][k]:.3g}"
            )
            ax.text(where[1], where[0], text, ha="center", va="center", fontsize=8, color="black")
        reach = np.nanmax(np.abs(grid)) if np.isfinite(grid).any() else 1.0
        ax.grid(False)
        # Half transparent, the colours stay light enough for the black text.
        image = ax.imshow(
            grid, cmap="PuOr_r", vmin=-reach or -1, vmax=reach or 1, aspect="auto", alpha=0.6
        )
        colour_bar(image, ax, "mean change")
        ax.patch.set_facecolor("white")
        ax.set_yticks(range(len(tasks)), tasks, parse_math=False)
        ax.set_xticks(range(len(tuned)), tuned, parse_math=False, color=INK)
        describe(
            ax,
            title=f"{model}: mean change of the smallest distances,\nlabels that gained and lost",
            x="tuned on",
            y="task looked at",
        )
        return ax


def compare_tasks(
    runs: Sequence[Trajectory],
    *,
    layer: int | None = None,
    classifier: Mapping[Cell, Sequence[float]] | None = None,
    reduce: Reduce = "mean",
    min_cluster_size: int = 1,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> CrossTask:
    """Compare each task's space before and after fine-tuning on each task.

    Parameters
    ----------
    runs : sequence of Trajectory
        Of any tasks, models and fine-tunings; ``task == tuned_on`` is allowed.
    layer : int, optional
        The last layer by default.
    classifier : mapping from Cell to sequence of float, optional
        Test accuracies of the classifier probe, averaged.
    reduce, min_cluster_size
        As in :func:`geoprobe.findings.label_distances`.
    n_bootstrap, confidence, seed
        As in :func:`geoprobe.findings.accuracy_change_interval`.

    Returns
    -------
    CrossTask

    Raises
    ------
    InputError
        If an original space is missing, or a trajectory has a single step.
    """
    rows: list[CrossTaskRow] = []
    changes: list[LabelChange] = []
    notes: list[str] = []
    scores = {
        cell: float(np.mean(accuracies))
        for cell, accuracies in (classifier or {}).items()
        if len(accuracies)
    }
    for run in at_layer(runs, layer):
        need_steps(run)
        of_run = _label_changes(run, reduce, min_cluster_size, notes)
        changes += of_run
        change = np.array([one.change for one in of_run])
        largest = np.array([max(one.before, one.after) for one in of_run])
        same = np.abs(change) <= _UNCHANGED * largest
        rows.append(
            CrossTaskRow(
                task=run.task,
                model=run.model,
                tuned_on=run.tuned_on,
                seed=run.seed,
                layer=run.layer,
                step=run.last.cell.step,
                n_labels=len(of_run),
                n_increased=int(np.sum((change > 0) & ~same)),
                n_decreased=int(np.sum((change < 0) & ~same)),
                n_unchanged=int(np.sum(same)),
                mean_change=float(np.mean(change)) if len(change) else NAN,
                **_accuracies(run, n_bootstrap, confidence, seed, notes),
                classifier_before=scores.get(run.original.cell, NAN),
                classifier_after=scores.get(run.last.cell, NAN),
            )
        )
    return CrossTask(tuple(rows), tuple(changes), tuple(notes))


def _label_changes(
    run: Trajectory, reduce: Reduce, min_cluster_size: int, notes: list[str]
) -> list[LabelChange]:
    """Compare the smallest distances of the labels that have one before and after."""
    ends: list[dict[str, float]] = []
    for g in (run.original, run.last):
        distances = label_distances(g, reduce=reduce, min_cluster_size=min_cluster_size)
        distance = dict(zip(g.labels, distances.minimum()[0].tolist(), strict=True))
        ends.append({name: value for name, value in distance.items() if not np.isnan(value)})
    match = match_labels(tuple(ends[0]), tuple(ends[1]))
    for when, names in (("before", match.only_in_first), ("after", match.only_in_second)):
        if names:
            notes.append(f"{run}: labels with a distance only {when}: {', '.join(names)}.")
    return [
        LabelChange(
            *run.family, run.seed, run.layer, name, ends[0][name], ends[1][name],
            ends[1][name] - ends[0][name],
        )
        for name in match.common
    ]  # fmt: skip


def _accuracies(
    run: Trajectory, n_bootstrap: int, confidence: float, seed: int, notes: list[str]
) -> dict[str, float]:
    """Return DirectProbe's accuracies, and the interval of their change where it is paired."""
    before, after = run.original.predictions, run.last.predictions
    accuracies = {
        "accuracy_before": NAN if before is None else before.accuracy,
        "accuracy_after": NAN if after is None else after.accuracy,
        "change_low": NAN,
        "change_high": NAN,
    }
    accuracies["accuracy_change"] = accuracies["accuracy_after"] - accuracies["accuracy_before"]
    if before is None or after is None:
        notes.append(f"{run}: no test units were predicted at one end.")
    elif not same_units(before, after):
        notes.append(f"{run}: the test units differ, so the change has no interval.")
    else:
        interval = accuracy_change_interval(
            before, after, n_bootstrap=n_bootstrap, confidence=confidence, seed=seed
        )
        accuracies["change_low"], accuracies["change_high"] = interval.low, interval.high
    return accuracies
