"""Facts on the models and tasks of a study, which say beforehand what cells text becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from geoprobe.encoders.options import updates_per_epoch
from geoprobe.files.json_files import read_json, write_json
from geoprobe.geometry import Cell
from geoprobe.schema import Positive, Record, Whole, parse
from geoprobe.spaces.store_layout import estimate_bytes
from geoprobe.studies.plan import Plan
from geoprobe.studies.runs import Run, layers_of, runs
from geoprobe.tasks import Task

if TYPE_CHECKING:
    from geoprobe.encoders.load import Encoder

FORMAT = "geoprobe-text"
VERSION = 1


class ModelFacts(Record):
    """Layers besides that of the embedding, and dimensions of a word."""

    n_layers: Whole
    n_dims: Positive


class TaskFacts(Record):
    """Training sentences, units of each split, and the words whose vectors make a unit."""

    n_sentences: Positive
    n_units: dict[str, Whole]
    n_joined: Positive


class TextFacts(Record):
    """What is known of the models, by their short names, and of the tasks of a plan."""

    models: dict[str, ModelFacts]
    tasks: dict[str, TaskFacts]

    def cover(self, plan: Plan, names: Mapping[str, str]) -> bool:
        """Whether all models and tasks of a plan are known."""
        known = self.models.keys() >= set(names.values())
        return known and self.tasks.keys() >= set(plan.all_tasks)

    def steps(self, plan: Plan, run: Run) -> tuple[int, ...]:
        """Return the updates of a run after which spaces are extracted; the first is 0."""
        options = plan.finetune
        each = updates_per_epoch(self.tasks[run.tuned_on].n_sentences, options.batch_size)
        n_epochs = options.epochs_for(self.models[run.model].n_layers)
        return plan.checkpoints.steps(n_epochs * each, each)

    def n_bytes(self, cell: Cell, split: str) -> int:
        """Return what the numbers of a cell take in memory at the least, as they are worked on."""
        return self.tasks[cell.task].n_units[split] * self._width(cell) * 8

    def n_stored(self, moment: Cell, n_layers: int) -> int:
        """Return the bytes of the spaces of a moment on the disk."""
        sizes = self.tasks[moment.task].n_units.values()
        return sum(estimate_bytes(size, self._width(moment), n_layers) for size in sizes)

    def _width(self, cell: Cell) -> int:
        return self.models[cell.model].n_dims * self.tasks[cell.task].n_joined


def facts_of(tasks: Mapping[str, Task], encoders: Mapping[str, Encoder]) -> TextFacts:
    """Note the facts of tasks, and of encoders by their short names."""
    return TextFacts(
        models={
            name: ModelFacts(n_layers=encoder.n_layers, n_dims=encoder.n_dims)
            for name, encoder in encoders.items()
        },
        tasks={
            name: TaskFacts(
                n_sentences=len({unit.sentence for unit in task.train.units}),
                n_units={split: part.n_units for split, part in task.splits.items()},
                n_joined=2 if task.join == "concat" else 1,
            )
            for name, task in tasks.items()
        },
    )


def write_facts(facts: TextFacts, path: Path) -> None:
    """Keep the facts in the folder of a study."""
    write_json(path, {"format": FORMAT, "format_version": VERSION, **facts.model_dump()})


def known_facts(plan: Plan, names: Mapping[str, str], path: Path) -> TextFacts | None:
    """Return the facts that a study noted, if they say all about a plan.

    Raises
    ------
    FormatError
        If the file is damaged.
    """
    facts = read_facts(path) if plan.tasks else None
    return facts if facts is not None and facts.cover(plan, names) else None


def read_facts(path: Path) -> TextFacts | None:
    """Return the facts that a study noted when it last ran; None if it noted none.

    Raises
    ------
    FormatError
        If the file is damaged.
    """
    if not path.is_file():
        return None
    noted = read_json(path, FORMAT, VERSION)
    return parse(TextFacts, {name: noted.get(name) for name in TextFacts.model_fields}, path)


def moments(plan: Plan, names: Mapping[str, str], facts: TextFacts) -> dict[Cell, tuple[int, ...]]:
    """List the moments that a plan makes of text, each with its layers.

    Parameters
    ----------
    plan : Plan
    names : mapping of str to str
        Short name of each model of the plan.
    facts : TextFacts

    Returns
    -------
    dict of Cell to tuple of int
        The cells stand for their moments; their layer says nothing.

    Raises
    ------
    InputError
        If a model lacks a layer that the plan asks for.
    """
    found: dict[Cell, tuple[int, ...]] = {}
    for model, name in names.items():
        layers = layers_of(plan, facts.models[name].n_layers, model)
        found |= {Cell(task, name): layers for task in plan.all_tasks}
        for run in runs(plan, names, model):
            found |= {cell: layers for cell in tuned(plan, facts, run)}
    return found


def tuned(plan: Plan, facts: TextFacts, run: Run) -> list[Cell]:
    """List the moments of a run of fine-tuning after the first."""
    return [
        Cell(task, run.model, 0, run.tuned_on, run.seed, step)
        for step in facts.steps(plan, run)[1:]
        for task in plan.extracted(run.tuned_on)
    ]


def cells_of_text(plan: Plan, names: Mapping[str, str], facts: TextFacts) -> list[Cell]:
    """List the cells that a plan makes of text."""
    return [
        replace(moment, layer=layer)
        for moment, layers in moments(plan, names, facts).items()
        for layer in layers
    ]
