"""Margin against accuracy: whether spaces whose labels lie further apart are predicted better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import rankdata

from geoprobe.controls.groups import group_codes
from geoprobe.controls.null import NullTest, control_columns
from geoprobe.controls.shuffled import ShuffledLabels
from geoprobe.controls.weighted import weighted_correlation, weighted_ranks
from geoprobe.drawing.style import colour, describe, legend, one_axes
from geoprobe.errors import InputError
from geoprobe.findings.finding import Finding
from geoprobe.findings.intervals import check_bootstrap, interval_of_defined
from geoprobe.findings.label_pairs import label_distances
from geoprobe.geometry.cells import Cell
from geoprobe.geometry.measured import FloatArray, Geometry

MIN_CELLS = 10
"""Fewer cells carry no finding."""

MIN_RUNS = 5
"""Fewer fine-tunings give no interval: there is too little to draw from."""

ALL = "all"
"""What the rows over several models say in the place of a model."""

KINDS = ("Pearson", "Spearman")

NAN = float("nan")

# Distances are exact to about 1e-9: values that vary less are constant.
_CONSTANT = 1e-9


class CellMargin(NamedTuple):
    """One space."""

    cell: Cell
    margin: float
    accuracy: float


class MarginRow(NamedTuple):
    """One correlation over the cells of a task."""

    task: str
    model: str
    correlation: str
    n_cells: int
    n_runs: int
    value: float
    low: float
    high: float
    n_controlled: int
    observed: float
    control: float
    control_std: float
    n_control: int
    p_value: float
    verdict: str


@dataclass(frozen=True, eq=False)
class Margins(Finding):
    """Correlation of margin and accuracy over the spaces of one task, beside shuffled labels.

    Zhou & Srikumar (2022, section 4.4) suppose that labels further apart are easier to classify,
    and look at three fine-tunings.

    Attributes
    ----------
    rows : tuple of MarginRow
        For every model, and for all together if there are several, Pearson's correlation and
        Spearman's. ``n_runs`` counts the fine-tunings and models as published that the cells are
        of, ``low`` and ``high`` are percentiles over resamples of them. ``observed`` is the
        correlation over the ``n_controlled`` cells whose labels were shuffled as well,
        ``control`` the mean of that of shuffled labels' margins with the same accuracies, 0 where
        those margins do not vary, and ``p_value`` one-sided.
    cells : tuple of CellMargin
    accuracy : str
        Whose accuracy it is.
    notes : tuple of str
    """

    rows: tuple[MarginRow, ...]
    cells: tuple[CellMargin, ...]
    accuracy: str
    notes: tuple[str, ...]

    row_type = MarginRow
    keys = ("task", "model", "correlation")
    values = ("n_cells", "value", "observed", "control", "p_value")

    def plot(self, ax: Any = None) -> Any:
        """Draw every space by its margin and its accuracy: open as published, filled fine-tuned.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
        """
        ax = one_axes(ax)
        models = list(dict.fromkeys(each.cell.representation for each in self.cells))
        for k, model in enumerate(models):
            for tuned, marker in ((False, "o"), (True, "s")):
                shown = [
                    each
                    for each in self.cells
                    if each.cell.representation == model
                    and (each.cell.tuned_on is not None) is tuned
                ]
                ax.plot(
                    [each.margin for each in shown],
                    [each.accuracy for each in shown],
                    marker,
                    color=colour(k),
                    markerfacecolor=colour(k) if tuned else "none",
                    label=f"{model}, {'fine-tuned' if tuned else 'as published'}",
                    alpha=0.7,
                )
        describe(
            ax,
            title="Margin and accuracy of every space",
            x="mean distance of a label to its nearest",
            y=f"accuracy: {self.accuracy}",
        )
        legend(ax, below=True)
        return ax


def compare_margins(
    geometries: Iterable[Geometry],
    *,
    accuracies: Mapping[Cell, float] | None = None,
    accuracy: str = "nearest cluster",
    shuffled: Mapping[Cell, ShuffledLabels] | None = None,
    min_cells: int = MIN_CELLS,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Margins:
    """Correlate the margins of a task's spaces with the accuracies reached in them.

    The margin of a space is the mean, over its labels, of the distance of a label's hull to the
    nearest other label's: twice the hard margin of the linear SVM, and 0 for labels that overlap.
    Only spaces of one task are compared, for others have other labels. Models differ in scale: over
    several of them, margins and accuracies are first standardised within each.

    Updates and layers of one fine-tuning are alike, and all its margins may grow together with its
    accuracy for a reason that has nothing to do with labels. So fine-tunings are resampled whole,
    and the control is the same correlation for the margins of shuffled labels in the same spaces.

    Parameters
    ----------
    geometries : iterable of Geometry
        Of one task; any models, layers and moments.
    accuracies : mapping from Cell to float, optional
        Instead of those of the nearest cluster on the test units; cells without one are left out.
    accuracy : str
        Whose accuracy it is, in words.
    shuffled : mapping from Cell to ShuffledLabels, optional
        The control: of some of the cells, or all.
    min_cells : int, default=10
        Fewer are no finding, which the verdict says.
    n_bootstrap, confidence, seed
        Resamples of fine-tunings.

    Returns
    -------
    Margins

    Raises
    ------
    InputError
        If the spaces are of several tasks, fewer than three have an accuracy, or an option is out
        of its range.
    """
    check_bootstrap(n_bootstrap, confidence)
    ordered = sorted(geometries, key=lambda g: g.cell.order)
    tasks = list(dict.fromkeys(g.cell.task for g in ordered))
    if len(tasks) > 1:
        raise InputError(
            f"margins are compared within one task, but the spaces are of {', '.join(tasks)}."
        )
    found = {
        g.cell: CellMargin(g.cell, _margin(g), reached)
        for g in ordered
        if (reached := _accuracy(g, accuracies)) is not None
    }
    if len(found) < 3:
        raise InputError(
            f"a correlation needs at least 3 spaces with an accuracy, but there are {len(found)} "
            f"of {len(ordered)}."
        )
    notes = []
    if len(found) < len(ordered):
        notes.append(f"{len(ordered) - len(found)} of {len(ordered)} spaces have no accuracy.")
    overlapping = sum(not g.is_linear for g in ordered if g.cell in found)
    if overlapping:
        notes.append(
            f"{overlapping} of {len(found)} spaces are not linear; labels that overlap another "
            f"have the margin 0 there."
        )
    alike = _shuffled_alike(
        {cell: each for cell, each in (shuffled or {}).items() if cell in found}, notes
    )
    cells = tuple(found.values())
    models = list(dict.fromkeys(each.cell.representation for each in cells))
    rows: list[MarginRow] = []
    for model in models + [ALL] * (len(models) > 1):
        among = [each for each in cells if model in (ALL, each.cell.representation)]
        controlled = {each.cell: alike[each.cell] for each in among if each.cell in alike}
        rows += _rows(model, among, controlled, min_cells, n_bootstrap, confidence, seed)
    return Margins(tuple(rows), cells, accuracy, tuple(notes))


def _margin(geometry: Geometry) -> float:
    return float(label_distances(geometry, reduce="hull").minimum()[0].mean())


def _accuracy(geometry: Geometry, accuracies: Mapping[Cell, float] | None) -> float | None:
    if accuracies is not None:
        return accuracies.get(geometry.cell)
    return None if geometry.predictions is None else geometry.predictions.accuracy


def _shuffled_alike(
    shuffled: Mapping[Cell, ShuffledLabels], notes: list[str]
) -> dict[Cell, ShuffledLabels]:
    """Keep the cells whose units have the same labels in every permutation: most of them."""
    kinds = Counter((each.units, len(each.null_clusters)) for each in shuffled.values())
    if not kinds:
        return {}
    most = kinds.most_common(1)[0][0]
    kept = {
        cell: each
        for cell, each in shuffled.items()
        if (each.units, len(each.null_clusters)) == most
    }
    if len(kept) < len(shuffled):
        notes.append(
            f"{len(shuffled) - len(kept)} of {len(shuffled)} spaces were shuffled otherwise than "
            f"the rest, and have no part in the control."
        )
    return kept


def _rows(
    model: str,
    cells: Sequence[CellMargin],
    controlled: Mapping[Cell, ShuffledLabels],
    min_cells: int,
    n_bootstrap: int,
    confidence: float,
    seed: int,
) -> list[MarginRow]:
    runs = [str((c.cell.representation, c.cell.tuned_on, c.cell.seed)) for c in cells]
    n_runs = len(set(runs))
    models = [each.cell.representation for each in cells]
    reached = _within([each.accuracy for each in cells], models)
    margins = _within([each.margin for each in cells], models)
    values = _correlated(margins, reached)[0]
    drawn = _resampled(margins[0], reached[0], group_codes(runs, len(runs)), n_bootstrap, seed)
    tests = _tests([each for each in cells if each.cell in controlled], controlled)
    rows = []
    for k, kind in enumerate(KINDS):
        interval = interval_of_defined(float(values[k]), drawn[:, k], confidence)
        test = tests[k]
        said = "no control" if test is None else test.verdict()
        if len(cells) < min_cells:
            said = f"no finding: {len(cells)} cells, and fewer than {min_cells} carry none"
        rows.append(
            MarginRow(
                task=cells[0].cell.task,
                model=model,
                correlation=kind,
                n_cells=len(cells),
                n_runs=n_runs,
                value=interval.value,
                low=interval.low if n_runs >= MIN_RUNS else NAN,
                high=interval.high if n_runs >= MIN_RUNS else NAN,
                n_controlled=len(controlled),
                observed=NAN if test is None else test.observed,
                **control_columns(test),
                verdict=said,
            )
        )
    return rows


def _within(values: Any, models: Sequence[str]) -> FloatArray:
    """Standardise within each model where there are several, shape (n_rows, n_cells)."""
    rows: FloatArray = np.array(values, dtype=np.float64, ndmin=2)
    names = np.array(models)
    if len(set(models)) == 1:
        return rows
    for model in set(models):
        own = rows[:, names == model]
        away = own - own.mean(axis=1, keepdims=True)
        spread = away.std(axis=1, keepdims=True)
        # A single cell, or values that do not vary, say nothing within their model.
        varies = spread > _CONSTANT * np.abs(own).max(axis=1, keepdims=True)
        rows[:, names == model] = np.where(varies, away / np.where(varies, spread, 1.0), 0.0)
    return rows


def _correlated(margins: FloatArray, reached: FloatArray) -> FloatArray:
    """Correlate each row of margins with the accuracies, shape (n_rows, 2)."""
    even = np.ones_like(margins)
    ranks = rankdata(margins, axis=1), rankdata(reached, axis=1)
    return _by_kind((margins, reached), ranks, even)


def _by_kind(values: Any, ranks: Any, weights: FloatArray) -> FloatArray:
    of_kind = [weighted_correlation(x, y, weights) for x, y in (values, ranks)]
    return np.stack(of_kind, axis=1)


def _resampled(
    margins: FloatArray, reached: FloatArray, runs: Any, n_bootstrap: int, seed: int
) -> FloatArray:
    """Correlate resamples of the runs, each with all of its cells, shape (n_bootstrap, 2)."""
    n_runs = int(runs.max()) + 1
    drawn = np.random.default_rng(seed).integers(n_runs, size=(n_bootstrap, n_runs))
    times = np.stack([np.bincount(each, minlength=n_runs) for each in drawn]).astype(np.float64)
    weights = times[:, runs]
    ranks = weighted_ranks(margins, weights), weighted_ranks(reached, weights)
    return _by_kind((margins[None], reached[None]), ranks, weights)


def _tests(
    cells: Sequence[CellMargin], controlled: Mapping[Cell, ShuffledLabels]
) -> tuple[NullTest | None, ...]:
    """Compare both correlations over the controlled cells with those of shuffled labels."""
    if len(cells) < 3:
        return (None,) * len(KINDS)
    models = [each.cell.representation for each in cells]
    of_labels = [controlled[each.cell].nearest() for each in cells]
    # The margins of the labels as they are, then those of every permutation.
    margins = np.stack([np.r_[own.mean(), null.mean(axis=1)] for own, null in of_labels], axis=1)
    reached = _within([each.accuracy for each in cells], models)
    found = _correlated(_within(margins, models), reached)
    # Margins of shuffled labels that do not vary, as where all overlap, follow no accuracy.
    null = np.nan_to_num(found[1:])
    return tuple(NullTest(float(found[0, k]), null[:, k], "greater") for k in range(len(KINDS)))
