"""Memorisation: whether a classifier learns from what fine-tuning has seen already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from geoprobe.drawing.style import (
    AFTER,
    BEFORE,
    INK,
    describe,
    legend,
    new_axes,
    share_limits,
    tell,
)
from geoprobe.errors import InputError
from geoprobe.findings.finding import Finding, moment_columns
from geoprobe.findings.networks import UNKNOWN, Network
from geoprobe.geometry.cells import Cell
from geoprobe.geometry.measured import FloatArray, IntArray
from geoprobe.spaces import Space

SUBTRAIN, SUBTEST, TEST = "subtrain", "subtest", "test"


class Visibility(NamedTuple):
    """Who has seen the units of a part of the data."""

    part: str
    seen_by_fine_tuning: bool
    seen_by_classifier: bool


VISIBILITY = (
    Visibility(SUBTRAIN, True, True),
    Visibility(SUBTEST, True, False),
    Visibility(TEST, False, False),
)
"""The experiment in a table: only subtest tells what fine-tuning alone has seen."""


class Train(Protocol):
    """Trains a classifier and scores it after every epoch.

    :func:`geoprobe.probes.classifier.learning_curves`, with its options bound, is one.
    """

    def __call__(self, X: Any, y: Any, evaluate: Mapping[str, tuple[Any, Any]]) -> Any:
        """Return accuracies by evaluation set, or an object with such ``accuracies``."""


def subtrain_split(
    n_units: int, *, fraction: float = 0.8, seed: int = 0, groups: Any = None
) -> tuple[IntArray, IntArray]:
    """Split training units at random into subtrain and subtest.

    Parameters
    ----------
    n_units : int
    fraction : float, default=0.8
        Share of the units (of the groups, where given) that go to subtrain.
    seed : int, default=0
    groups : array-like, shape (n_units,), optional
        Units of one group, such as a sentence, go to the same side.

    Returns
    -------
    subtrain, subtest : ndarray of int64
        Rows in ascending order, none empty.

    Raises
    ------
    InputError
        If a side would be empty.
    """
    of_unit = np.arange(n_units) if groups is None else np.unique(groups, return_inverse=True)[1]
    if len(of_unit) != n_units:
        raise InputError(f"{len(of_unit)} groups were given for {n_units} units.")
    n_groups = int(of_unit.max()) + 1 if n_units else 0
    n_first = round(fraction * n_groups)
    if not 0 < n_first < n_groups:
        raise InputError(
            f"{n_groups} units or groups cannot be split {fraction:g} to {1 - fraction:g}: a side "
            f"would be empty."
        )
    chosen = np.random.default_rng(seed).permutation(n_groups)[:n_first]
    inside = np.isin(of_unit, chosen)
    return np.flatnonzero(inside).astype(np.int64), np.flatnonzero(~inside).astype(np.int64)


def subtrain_curves(
    space: Space,
    test: Space | None = None,
    *,
    train: Train | None = None,
    fraction: float = 0.8,
    seed: int = 0,
    groups: Any = None,
) -> dict[str, FloatArray]:
    """Train a fresh classifier on subtrain and follow its accuracy on all three parts.

    Parameters
    ----------
    space : Space
        The training units; all of them were seen by the fine-tuning, if there was one.
    test : Space, optional
        ``space.test`` by default.
    train : callable, optional
        As :class:`Train`; the classifier probe's networks by default, which need torch.
    fraction, seed, groups
        As in :func:`subtrain_split`. The same seed splits the same units before and after.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_initialisations, n_epochs)
        Accuracies under ``"subtrain"``, ``"subtest"`` and ``"test"``.

    Raises
    ------
    InputError
        If there is no test space, a side of the split would be empty, or ``train`` answers with
        something else than accuracies.
    """
    test = space.test if test is None else test
    if test is None:
        raise InputError(f"{space.name!r} has no test space to compare the subtest with.")
    if train is None:
        from geoprobe.probes.classifier import learning_curves

        train = learning_curves
    first, second = subtrain_split(space.n_points, fraction=fraction, seed=seed, groups=groups)
    evaluate = {
        SUBTRAIN: (space.points[first], space.labels[first]),
        SUBTEST: (space.points[second], space.labels[second]),
        TEST: (test.points, test.labels),
    }
    answer = train(*evaluate[SUBTRAIN], evaluate)
    accuracies = getattr(answer, "accuracies", answer)
    return {part: _curves(accuracies, part, space.name) for part in evaluate}


def _curves(accuracies: Mapping[str, Any], part: str, where: object) -> FloatArray:
    """Return the accuracies of one part as (n_initialisations, n_epochs)."""
    if part not in accuracies:
        raise InputError(
            f"{where}: the curve of {part!r} is missing; there are {sorted(accuracies)}."
        )
    curves = np.atleast_2d(np.asarray(accuracies[part], dtype=np.float64))
    if curves.ndim != 2 or curves.size == 0:
        raise InputError(
            f"{where}: the curves of {part!r} have the shape {np.shape(accuracies[part])}; "
            f"expected (n_initialisations, n_epochs), neither of them 0."
        )
    return curves


class CurveRow(NamedTuple):
    """Accuracy on one part of the data after one epoch, over the initialisations."""

    task: str
    model: str
    tuned_on: str
    seed: int | None
    step: int
    layer: int
    part: str
    epoch: int
    accuracy: float
    std: float


class GapRow(NamedTuple):
    """Where the curves of one cell end, and the network that was trained.

    ``hidden_sizes`` and ``weight_decay`` are empty and NaN where nobody said which.
    """

    cell: Cell
    subtrain: float
    subtest: float
    test: float
    gap: float
    hidden_sizes: str
    weight_decay: float


@dataclass(frozen=True, eq=False)
class Memorisation(Finding):
    """Learning curves on units that fine-tuning saw (subtest) and did not see (test).

    Subtest and test are alike to the classifier: it trains on neither. Before fine-tuning their
    curves are close. If afterwards the curve of subtest keeps to that of subtrain, which the
    classifier trains on, and that of test stays behind, the fine-tuned model has memorised the
    training units (the authors' blog, and the first version of ACL 2022 on arXiv).

    Attributes
    ----------
    rows : tuple of CurveRow
        Epochs are counted from 1; ``accuracy`` is the mean over the initialisations and ``std``
        their sample standard deviation.
    gaps : tuple of GapRow
        For each cell the last accuracies, and subtest less test.
    visibility : tuple of Visibility
        Who has seen which part; for the model as published, fine-tuning has seen nothing.
    notes : tuple of str
    """

    rows: tuple[CurveRow, ...]
    gaps: tuple[GapRow, ...]
    notes: tuple[str, ...]

    row_type = CurveRow
    keys = ("task", "model", "tuned_on", "step", "layer", "part", "epoch")
    values = ("accuracy", "std")
    visibility = VISIBILITY

    def plot(self, ax: Any = None) -> Any:
        """Draw one panel a moment, all on the same scale: all three parts over the epochs.

        Bands are a standard deviation wide: over seeds where there are several, otherwise over
        the initialisations.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Only where there is one panel.
        """
        columns = self.over_seeds()
        moment = ("task", "model", "tuned_on", "step", "layer")
        of_row = list(zip(*(columns[name] for name in moment), strict=True))
        panels = list(dict.fromkeys(of_row))
        if ax is not None and len(panels) != 1:
            raise InputError(f"there are {len(panels)} panels to draw, which need their own axes.")
        axes = new_axes(len(panels))[1] if ax is None else [ax]
        for panel, key in zip(axes, panels, strict=True):
            for part, colour, dash in (
                (SUBTRAIN, INK, ":"), (SUBTEST, BEFORE, "-"), (TEST, AFTER, "--"),
            ):  # fmt: skip
                rows = [
                    k for k, other in enumerate(of_row)
                    if other == key and columns["part"][k] == part
                ]  # fmt: skip
                epochs = [columns["epoch"][k] for k in rows]
                mean = np.array([columns["accuracy_mean"][k] for k in rows])
                seeds = np.array([columns["accuracy_std"][k] for k in rows])
                starts = np.array([columns["std_mean"][k] for k in rows])
                spread = np.where(np.isnan(seeds), starts, seeds)
                line = panel.plot(epochs, mean, dash, color=colour, label=part)
                tell(line[0], [
                    f"{part}\nepoch {epoch}: {accuracy:.4g}"
                    for epoch, accuracy in zip(epochs[-1:], mean[-1:], strict=True)
                ])  # fmt: skip
                panel.fill_between(
                    epochs, mean - spread, mean + spread, color=colour, alpha=0.2, linewidth=0
                )
            when = f"tuned on {key[2]}" if key[2] else "as published"
            describe(
                panel,
                title=f"{key[0]}, {key[1]} {when}, layer {key[4]}",
                x="epoch of the classifier",
                y="accuracy (share of units)",
            )
            legend(panel)
        if len(axes) > 1:
            share_limits(axes)
        return axes if len(axes) > 1 else axes[0]


def compare_memorisation(
    curves: Mapping[Cell, Mapping[str, Any]], *, networks: Mapping[Cell, Network] | None = None
) -> Memorisation:
    """Arrange learning curves of spaces before and after fine-tuning.

    Parameters
    ----------
    curves : mapping from Cell to curves
        As :func:`subtrain_curves` gives them: accuracies under ``"subtrain"``, ``"subtest"`` and
        ``"test"``, of shape (n_initialisations, n_epochs) or (n_epochs,).
    networks : mapping from Cell to Network, optional
        The networks that were trained.

    Returns
    -------
    Memorisation

    Raises
    ------
    InputError
        If a curve is missing or empty.
    """
    rows: list[CurveRow] = []
    gaps = []
    for cell in sorted(curves, key=lambda cell: cell.order):
        ends = {}
        for part in (SUBTRAIN, SUBTEST, TEST):
            of_part = _curves(curves[cell], part, cell)
            mean = of_part.mean(axis=0)
            spread = of_part.std(axis=0, ddof=1) if len(of_part) > 1 else np.full(len(mean), np.nan)
            ends[part] = float(mean[-1])
            rows += [
                CurveRow(**moment_columns(cell), part=part, epoch=epoch, accuracy=accuracy, std=std)
                for epoch, (accuracy, std) in enumerate(
                    zip(mean.tolist(), spread.tolist(), strict=True), start=1
                )
            ]
        network = (networks or {}).get(cell, UNKNOWN)
        gap = ends[SUBTEST] - ends[TEST]
        gaps.append(
            GapRow(
                cell, ends[SUBTRAIN], ends[SUBTEST], ends[TEST], gap, network.sizes,
                network.weight_decay,
            )
        )  # fmt: skip
    tuned = {cell.tuned_on is not None for cell in curves}
    notes = () if len(tuned) == 2 else ("There are no curves both before and after fine-tuning.",)
    return Memorisation(tuple(rows), tuple(gaps), notes)
