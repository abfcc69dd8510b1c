"""Pieces of work of a study: its runs of fine-tuning, its cells, and what is done with each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from geoprobe.errors import InputError
from geoprobe.geometry import Cell
from geoprobe.studies.inputs import Inputs
from geoprobe.studies.jobs import (
    classify_cell,
    measure_cell,
    memorise_cell,
    move_cell,
    resample_cell,
)
from geoprobe.studies.plan import Plan
from geoprobe.studies.study_folder import StudyFolder


@dataclass(frozen=True, order=True)
class Run:
    """One fine-tuning: a task, an encoder (its short name) and a seed."""

    tuned_on: str
    model: str
    seed: int

    def __str__(self) -> str:
        """Describe the run for a person."""
        return f"{self.model} on {self.tuned_on}, seed {self.seed}"


def runs(plan: Plan, names: dict[str, str], model: str | None = None) -> list[Run]:
    """List every fine-tuning of a plan, or of one of its models.

    Parameters
    ----------
    plan : Plan
    names : dict of str to str
        Short name of each model of the plan.
    model : str, optional
    """
    return [
        Run(task, names[model], seed)
        for model in (plan.models if model is None else (model,))
        for task in plan.tasks
        for seed in plan.seeds
    ]


def layers_of(plan: Plan, n_layers: int, model: str) -> tuple[int, ...]:
    """Return the layers that a plan asks of a model.

    Raises
    ------
    InputError
        If the model does not have them.
    """
    if plan.layers is None:
        return tuple(range(n_layers + 1))
    if max(plan.layers) > n_layers:
        raise InputError(
            f"the plan asks for layer {max(plan.layers)}, but {model} has the layers 0 to "
            f"{n_layers}."
        )
    return plan.layers


def ends(cells_: list[Cell]) -> list[Cell]:
    """Select the last layer before fine-tuning and after the last update of every run."""
    layer: dict[tuple[str, str], int] = {}
    for cell in cells_:
        who = cell.task, cell.representation
        layer[who] = max(cell.layer, layer.get(who, 0))
    return [
        cell for cell in last_steps(cells_) if cell.layer == layer[cell.task, cell.representation]
    ]


def last_steps(cells_: list[Cell]) -> list[Cell]:
    """Select the models as published, and every run after its last update."""
    step: dict[tuple[object, ...], int] = {}
    for cell in cells_:
        step[_run(cell)] = max(cell.step, step.get(_run(cell), 0))
    return [cell for cell in cells_ if cell.step == step[_run(cell)]]


def _run(cell: Cell) -> tuple[object, ...]:
    return cell.task, cell.representation, cell.tuned_on, cell.seed


WHOLE_MACHINE = ("classify", "memorise")
"""Kinds whose networks are one batched computation, which takes all processors."""


class Piece(NamedTuple):
    """Work on one cell; done when its file is there."""

    cell: Cell
    path: Path
    work: Callable[..., float]
    """Takes ``n_threads`` and returns seconds."""

    @property
    def done(self) -> bool:
        """Whether the file is there."""
        return self.path.is_file()


def pieces(
    plan: Plan, folder: StudyFolder, inputs: Mapping[Cell, Inputs]
) -> dict[str, list[Piece]]:
    """List the work on cells by its kind, in the order in which it is done.

    Parameters
    ----------
    plan : Plan
    folder : StudyFolder
    inputs : mapping of Cell to Inputs
        Of the cells of the study, whether their points are there or still to be extracted.
    """
    wanted, cells = set(plan.analyses), list(inputs)

    def listed(
        work: Callable[..., float], path: Callable[[Cell], Path], of: Sequence[Cell], *more: object
    ) -> list[Piece]:
        return [
            Piece(cell, target, partial(work, cell, inputs[cell], target, *more))
            for cell, target in zip(of, map(path, of), strict=True)
        ]

    last = [cell for cell in ends(cells) if inputs[cell].test is not None]
    work = {"measure": listed(measure_cell, folder.geometry, cells, plan.tau)}
    if "movement" in wanted:
        work["move"] = _moves(folder, inputs)
    if plan.resamples and wanted & {"min-distances", "similarity"}:
        path = partial(folder.resamples, n_bootstrap=plan.resamples)
        work["resample"] = listed(resample_cell, path, cells, plan.tau, plan.resamples)
    grid = plan.classifier
    if grid is not None and wanted & {"performance", "cross-task"}:
        work["classify"] = listed(classify_cell, folder.classifier, last, grid, plan.device)
    if grid is not None and "memorisation" in wanted:
        own = [cell for cell in last if cell.tuned_on in (None, cell.task)]
        work["memorise"] = listed(memorise_cell, folder.memorisation, own, grid, plan.device)
    return work


def _moves(folder: StudyFolder, inputs: Mapping[Cell, Inputs]) -> list[Piece]:
    """List the intervals of movement to the end of every run whose start is there."""
    starts = [(cell, cell.start(inputs)) for cell in last_steps(list(inputs))]
    return [
        Piece(
            cell,
            folder.movement(cell),
            partial(move_cell, cell, inputs[start], inputs[cell], folder.movement(cell)),
        )
        for cell, start in starts
        if cell.tuned_on is not None and start in inputs
    ]
