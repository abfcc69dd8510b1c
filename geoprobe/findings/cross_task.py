"""Fine-tuning on one task, looked at through another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from geoprobe.drawing.style import INK, colour_bar, describe, new_axes
from geoprobe.errors import InputError
from geoprobe.findings.finding import NAN, Columns, Finding, mean_and_std
from geoprobe.findings.intervals import accuracy_change_interval, same_units
from geoprobe.findings.label_pairs import Reduce, label_distances, match_labels, split_labels
from geoprobe.findings.trajectories import Trajectory, at_layer, need_steps
from geoprobe.geometry.cells import Cell

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
    classifier_before_std: float
    classifier_after: float
    classifier_after_std: float
    head: float


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
        the test units, with a paired bootstrap interval of their change; those of the classifier
        probe are means over its initialisations, with their sample standard deviation. ``head``
        is the fine-tuned head's accuracy, which it has on the task it was tuned on alone.
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
        "head",
    )
    measures = ("mean_change", "accuracy", "classifier")

    def plot(self, ax: Any = None, model: str | None = None, measure: str = "mean_change") -> Any:
        """Draw a matrix of tasks looked at by tasks tuned on.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
        model : str, optional
            The first by default.
        measure : {"mean_change", "accuracy", "classifier"}
            Colour and text: the mean change of the smallest distances, with the labels grown and
            shrunk; or the change of the accuracy of DirectProbe or of the classifier probe, with
            the accuracy before and after, and on the diagonal that of the head.
        """
        if measure not in self.measures:
            raise InputError(f"measure is one of {', '.join(self.measures)}, not {measure!r}.")
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
            grid[where], text = _entry(columns, k, measure)
            ax.text(where[1], where[0], text, ha="center", va="center", fontsize=8, color="black")
        reach = np.nanmax(np.abs(grid)) if np.isfinite(grid).any() else 1.0
        ax.grid(False)
        # Half transparent, the colours stay light enough for the black text.
        image = ax.imshow(
            grid, cmap="PuOr_r", vmin=-reach or -1, vmax=reach or 1, aspect="auto", alpha=0.6
        )
        colour_bar(image, ax, "mean change" if measure == "mean_change" else "change of accuracy")
        ax.patch.set_facecolor("white")
        ax.set_yticks(range(len(tasks)), tasks, parse_math=False)
        ax.set_xticks(range(len(tuned)), tuned, parse_math=False, color=INK)
        describe(
            ax,
            title=f"{model}: {_TITLES[measure]}",
            x="tuned on",
            y="task looked at",
        )
        return ax


_TITLES = {
    "mean_change": "mean change of the smallest distances,\nlabels that gained and lost",
    "accuracy": "accuracy of DirectProbe, before to after",
    "classifier": "accuracy of the classifier probe, before to after",
}


def _entry(columns: Columns, k: int, measure: str) -> tuple[float, str]:
    """Return colour and text of one field of the matrix."""
    if measure == "mean_change":
        change = columns["mean_change_mean"][k]
        gained, lost = (columns[f"n_{way}_mean"][k] for way in ("increased", "decreased"))
        return change, f"{change:+.3g}\n+{gained:.3g} \N{MINUS SIGN}{lost:.3g}"
    before, after = (columns[f"{measure}_{when}_mean"][k] for when in ("before", "after"))
    head = columns["head_mean"][k]
    below = "" if np.isnan(head) else f"\nhead {head:.3f}"
    known = ["\N{EN DASH}" if np.isnan(value) else f"{value:.3f}" for value in (before, after)]
    return after - before, f"{known[0]} to {known[1]}{below}"


def compare_tasks(
    runs: Sequence[Trajectory],
    *,
    layer: int | None = None,
    classifier: Mapping[Cell, Sequence[float]] | None = None,
    head: Mapping[Cell, float] | None = None,
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
        Test accuracies of the classifier probe, one for each initialisation.
    head : mapping from Cell to float, optional
        Test accuracy of the fine-tuned head, of cells of the task that it was tuned on.
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
                **_scores(classifier or {}, run),
                head=(head or {}).get(run.last.cell, NAN),
            )
        )
    return CrossTask(tuple(rows), tuple(changes), tuple(notes))


def _label_changes(
    run: Trajectory, reduce: Reduce, min_cluster_size: int, notes: list[str]
) -> list[LabelChange]:
    """Compare the smallest distances of the labels that have one before and after."""
    ends: list[dict[str, float]] = []
    notes.extend(split_labels([run.original, run.last], reduce, str(run)))
    for g in (run.original, run.last):
        distances = label_distances(g, reduce=reduce, min_cluster_size=min_cluster_size)
        distance = dict(zip(g.labels, distances.minimum()[0].tolist(), strict=True))
        ends.append({name: value for name, value in distance.items() if not np.isnan(value)})
    match = match_labels(tuple(ends[0]), tuple(ends[1]))
    notes += match.notes(run, "labels with a distance")
    return [
        LabelChange(
            *run.family, run.seed, run.layer, name, ends[0][name], ends[1][name],
            ends[1][name] - ends[0][name],
        )
        for name in match.common
    ]  # fmt: skip


def _scores(classifier: Mapping[Cell, Sequence[float]], run: Trajectory) -> dict[str, float]:
    """Return mean and standard deviation of the classifiers' accuracies at both ends."""
    scores: dict[str, float] = {}
    for when, cell in (("before", run.original.cell), ("after", run.last.cell)):
        mean, std = mean_and_std(classifier.get(cell, ()))
        scores |= {f"classifier_{when}": mean, f"classifier_{when}_std": std}
    return scores


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
