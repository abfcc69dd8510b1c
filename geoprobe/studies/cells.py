"""Which cells a study has: read off its plan, and off what has been extracted."""

from __future__ import annotations

from dataclasses import dataclass

from geoprobe.errors import InputError
from geoprobe.geometry import Cell
from geoprobe.spaces.keys import SpaceKey
from geoprobe.spaces.store import SpaceStore
from geoprobe.spaces.stored import StoredSpaces
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
    """List the cells whose spaces are in the store, in the order of :attr:`Cell.order`.

    Spaces in which all units coincide are left out.
    """
    found = [
        Cell.of(key, layer)
        for key in store.keys()
        if key.split == "train" and _belongs(key, plan, models)
        for layer in _measurable(store.open(key))
        if plan.layers is None or layer in plan.layers
    ]
    return sorted(found, key=lambda cell: cell.order)


def is_constant(layer: int, n_words_per_unit: object) -> bool:
    """Whether the units of a task have one vector in common.

    The embedding of [CLS], which stands for a whole sentence, knows nothing of the sentence.
    """
    return layer == 0 and n_words_per_unit == 0


def _measurable(stored: StoredSpaces) -> list[int]:
    n_words = stored.provenance.get("n_words_per_unit")
    return [layer for layer in stored.layers if not is_constant(layer, n_words)]


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
