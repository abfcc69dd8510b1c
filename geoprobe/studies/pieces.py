"""Pieces of work of a study: its runs of fine-tuning, its cells, and what is done with each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from geoprobe.errors import InputError
from geoprobe.geometry import Cell
from geoprobe.spaces.keys import SpaceKey
from geoprobe.spaces.store import SpaceStore
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


def cells(plan: Plan, store: SpaceStore, models: set[str]) -> list[Cell]:
    """List the cells whose spaces are in the store, in the order of :attr:`Cell.order`."""
    listed = [
        Cell.of(key, layer)
        for key in store.keys()
        if key.split == "train" and _belongs(key, plan, models)
        for layer in store.open(key).layers
        if plan.layers is None or layer in plan.layers
    ]
    return sorted(listed, key=lambda cell: cell.order)


def ends(cells_: list[Cell]) -> list[Cell]:
    """Select the last layer before fine-tuning and after the last update of every run."""
    layer: dict[tuple[str, str], int] = {}
    for cell in cells_:
        layer[cell.task, cell.model] = max(cell.layer, layer.get((cell.task, cell.model), 0))
    return [cell for cell in last_steps(cells_) if cell.layer == layer[cell.task, cell.model]]


def last_steps(cells_: list[Cell]) -> list[Cell]:
    """Select the models as published, and every run after its last update."""
    step: dict[tuple[object, ...], int] = {}
    for cell in cells_:
        step[_run(cell)] = max(cell.step, step.get(_run(cell), 0))
    return [cell for cell in cells_ if cell.step == step[_run(cell)]]


def _run(cell: Cell) -> tuple[object, ...]:
    return cell.task, cell.model, cell.tuned_on, cell.seed


def _belongs(key: SpaceKey, plan: Plan, models: set[str]) -> bool:
    """Whether the spaces of a key are part of the plan."""
    if key.model not in models:
        return False
    if key.tuned_on is None:
        return key.task in plan.all_tasks
    known = key.tuned_on in plan.tasks and key.seed in plan.seeds
    return known and key.task in plan.extracted(key.tuned_on)


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


def pieces(plan: Plan, folder: StudyFolder, cells: list[Cell]) -> dict[str, list[Piece]]:
    """List the work on cells by its kind, in the order in which it is done.

    Parameters
    ----------
    plan : Plan
    folder : StudyFolder
    cells : list of Cell
        Those of the study, extracted or still to be.
    """
    root, wanted = folder.root, set(plan.analyses)
    last = ends(cells)
    work = {
        "measure": [
            Piece(cell, folder.geometry(cell), partial(measure_cell, root, cell, plan.tau))
            for cell in cells
        ]
    }
    if "movement" in wanted:
        work["move"] = [
            Piece(cell, folder.movement(cell), partial(move_cell, root, cell))
            for cell in last_steps(cells)
            if cell.tuned_on is not None
        ]
    if plan.resamples and wanted & {"min-distances", "similarity"}:
        work["resample"] = [
            Piece(
                cell,
                folder.resamples(cell, plan.resamples),
                partial(resample_cell, root, cell, plan.tau, plan.resamples),
            )
            for cell in cells
        ]
    grid = plan.classifier
    if grid is not None and wanted & {"performance", "cross-task"}:
        work["classify"] = [
            Piece(
                cell,
                folder.classifier(cell),
                partial(classify_cell, root, cell, grid, plan.device),
            )
            for cell in last
        ]
    if grid is not None and "memorisation" in wanted:
        work["memorise"] = [
            Piece(
                cell,
                folder.memorisation(cell),
                partial(memorise_cell, root, cell, grid, plan.device),
            )
            for cell in last
            if cell.tuned_on in (None, cell.task)
        ]
    return work
