"""Runs of fine-tuning of a study, and the cells at their ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from geoprobe.errors import InputError
from geoprobe.geometry import Cell
from geoprobe.studies.plan import Plan


@dataclass(frozen=True, order=True)
class Run:
    """One fine-tuning: a task, an encoder (its short name) and a seed."""

    tuned_on: str
    model: str
    seed: int

    def __str__(self) -> str:
        """Describe the run for a person."""
        return f"{self.model} on {self.tuned_on}, seed {self.seed}"


def runs(plan: Plan, names: Mapping[str, str], model: str | None = None) -> list[Run]:
    """List every fine-tuning of a plan, or of one of its models.

    Parameters
    ----------
    plan : Plan
    names : mapping of str to str
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
    own = [_run(cell) for cell in cells_]
    step: dict[tuple[object, ...], int] = {}
    for cell, run in zip(cells_, own, strict=True):
        step[run] = max(cell.step, step.get(run, 0))
    return [cell for cell, run in zip(cells_, own, strict=True) if cell.step == step[run]]


def _run(cell: Cell) -> tuple[object, ...]:
    return cell.task, cell.representation, cell.tuned_on, cell.seed
