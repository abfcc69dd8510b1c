"""Which cells a study has: read off its plan, and off what has been extracted."""

from __future__ import annotations

from dataclasses import dataclass

from geoprobe.findings import Cell
from geoprobe.spaces.keys import SpaceKey
from geoprobe.spaces.store import SpaceStore
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


def runs(plan: Plan, names: dict[str, str]) -> list[Run]:
    """List every fine-tuning of a plan.

    Parameters
    ----------
    plan : Plan
    names : dict of str to str
        Short name of each model of the plan.
    """
    return [
        Run(task, names[model], seed)
        for model in plan.models
        for task in plan.tasks
        for seed in plan.seeds
    ]


def cells(plan: Plan, store: SpaceStore, models: set[str]) -> list[Cell]:
    """List the cells whose spaces are in the store, in the order of :attr:`Cell.order`."""
    found = [
        Cell.of(key, layer)
        for key in store.keys()
        if key.split == "train" and _belongs(key, plan, models)
        for layer in store.open(key).layers
        if plan.layers is None or layer in plan.layers
    ]
    return sorted(found, key=lambda cell: cell.order)


def ends(cells_: list[Cell]) -> list[Cell]:
    """Select the last layer before fine-tuning and after the last update of every run."""
    layer: dict[tuple[str, str], int] = {}
    step: dict[tuple[str, str, str, int], int] = {}
    for cell in cells_:
        layer[cell.task, cell.model] = max(cell.layer, layer.get((cell.task, cell.model), 0))
        if cell.tuned_on is not None and cell.seed is not None:
            run = (cell.task, cell.model, cell.tuned_on, cell.seed)
            step[run] = max(cell.step, step.get(run, 0))
    return [
        cell
        for cell in cells_
        if cell.layer == layer[cell.task, cell.model]
        and (
            cell.tuned_on is None
            or cell.seed is None
            or cell.step == step[cell.task, cell.model, cell.tuned_on, cell.seed]
        )
    ]


def _belongs(key: SpaceKey, plan: Plan, models: set[str]) -> bool:
    """Whether the spaces of a key are part of the plan."""
    if key.model not in models:
        return False
    if key.tuned_on is None:
        return key.task in plan.all_tasks
    known = key.tuned_on in plan.tasks and key.seed in plan.seeds
    return known and key.task in plan.extracted(key.tuned_on)
