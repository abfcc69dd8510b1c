"""Status of a study: how much of it is done, and what the rest would take."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from geoprobe.encoders.model_files import short_names
from geoprobe.encoders.options import updates_per_epoch
from geoprobe.geometry import Cell
from geoprobe.spaces.keys import SpaceKey
from geoprobe.spaces.store_layout import estimate_bytes
from geoprobe.studies.inputs import (
    Inputs,
    in_order,
    planned_inputs,
    stored_inputs,
    study_inputs,
)
from geoprobe.studies.pieces import layers_of, pieces, runs
from geoprobe.studies.plan import Plan
from geoprobe.studies.running import load_tasks
from geoprobe.studies.study_folder import StudyFolder
from geoprobe.tasks import Task


@dataclass(frozen=True)
class StudyStatus:
    """How much of a study is done.

    Attributes
    ----------
    rows : tuple of (kind, done, total)
        ``total`` of work on cells is only known where the spaces have been
        extracted.
    missing : tuple of str
        What is still to be done, in words.
    """

    rows: tuple[tuple[str, int, int], ...]
    missing: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do."""
        return not self.missing


def study_status(
    plan: Plan, folder: StudyFolder, *, inputs: Mapping[Cell, Inputs] | None = None
) -> StudyStatus:
    """Count what is done.

    Parameters
    ----------
    plan : Plan
    folder : StudyFolder
    inputs : mapping of Cell to Inputs, optional
        The cells that there are to measure; by default those that the study knew when it last ran.
    """
    inputs = study_inputs(plan, folder) if inputs is None else inputs
    states = _text_states(plan, folder) if plan.tasks else {}
    for kind, pieces_of_kind in pieces(plan, folder, inputs).items():
        states[kind] = [(_named(piece.cell, inputs), piece.done) for piece in pieces_of_kind]
    return StudyStatus(
        tuple((kind, sum(done for _, done in each), len(each)) for kind, each in states.items()),
        tuple(
            f"{kind}: {name}" for kind, each in states.items() for name, done in each if not done
        ),
    )


def _named(cell: Cell, inputs: Mapping[Cell, Inputs]) -> str:
    """Name a cell, with what is wrong with its points."""
    problem = inputs[cell].problem
    return f"{cell}: {problem}" if problem else str(cell)


def _text_states(plan: Plan, folder: StudyFolder) -> dict[str, list[tuple[str, bool]]]:
    """Name what there is to extract and to fine-tune, and say whether it is done."""
    names = short_names(plan.models)
    extracted = [
        (
            f"{task} {model}",
            all(SpaceKey(task, model, split) in folder.store for split in ("train", "test")),
        )
        for model in names.values()
        for task in plan.all_tasks
    ]
    tuned = [
        (str(run), folder.is_tuned(run.tuned_on, run.model, run.seed)) for run in runs(plan, names)
    ]
    return {"extract": extracted, "fine-tune": tuned}


_UNKNOWN = "not known before the first"


@dataclass(frozen=True)
class Estimate:
    """The size of a study.

    Attributes
    ----------
    rows : tuple of (work, pieces, done, time)
        In words. The time left is taken from pieces of the same kind that are done.
    n_bytes : int
        Of all spaces on disk.
    n_free : int
        Free bytes of the disk.
    """

    rows: tuple[tuple[str, str, str, str], ...]
    n_bytes: int
    n_free: int

    @property
    def disk(self) -> str:
        """The bytes of the spaces, in words."""
        return f"{self.n_bytes / 1e9:,.2f} GB"

    @property
    def free(self) -> str:
        """The free bytes, in words."""
        return f"{self.n_free / 1e9:,.1f} GB"


def estimate(plan: Plan, root: Path) -> Estimate:
    """Count the pieces of work of a study, their bytes and the time that is left.

    Parameters
    ----------
    plan : Plan
    root : path-like
        The study's folder, there already or not.

    Raises
    ------
    GeoprobeError
        If a task or a model cannot be had.
    """
    folder = StudyFolder(root)
    inputs = planned_inputs(plan, folder)
    counts: dict[str, int] = {}
    n_bytes = 0
    if plan.tasks:
        expected, n_bytes = _expected_cells(plan)
        inputs = in_order(inputs | stored_inputs(expected, folder.store))
        counts["extract"] = len(plan.models) * len(plan.all_tasks)
        counts["fine-tune"] = len(plan.models) * len(plan.tasks) * len(plan.seeds)
    counts |= {
        kind: len(pieces_of_kind) for kind, pieces_of_kind in pieces(plan, folder, inputs).items()
    }
    done = {kind: number for kind, number, _ in study_status(plan, folder, inputs=inputs).rows}
    seconds = folder.seconds()
    rows = tuple(
        (
            kind,
            f"{total:,}",
            f"{done.get(kind, 0):,}",
            _time(total - done.get(kind, 0), seconds.get(kind, [])),
        )
        for kind, total in counts.items()
        if total
    )
    return Estimate(rows, n_bytes, shutil.disk_usage(_existing(folder.root)).free)


def _expected_cells(plan: Plan) -> tuple[list[Cell], int]:
    """List the cells that a plan makes of text, and count the bytes of their spaces."""
    from geoprobe.encoders import load_encoder, short_name

    tasks = load_tasks(plan)
    expected: list[Cell] = []
    n_bytes = 0
    for model in plan.models:
        encoder = load_encoder(model, device="cpu")
        layers = layers_of(plan, encoder.n_layers, model)
        moments = [Cell(task, short_name(model)) for task in plan.all_tasks]
        for run in runs(plan, {model: short_name(model)}, model):
            steps = _steps(plan, tasks[run.tuned_on], run.model)[1:]
            moments += [
                Cell(task, run.model, 0, run.tuned_on, run.seed, step)
                for task in plan.extracted(run.tuned_on)
                for step in steps
            ]
        expected += [replace(moment, layer=layer) for moment in moments for layer in layers]
        n_bytes += sum(_bytes(tasks[one.task], encoder.n_dims, len(layers)) for one in moments)
    return expected, n_bytes


def _steps(plan: Plan, task: Task, model: str) -> tuple[int, ...]:
    options = plan.finetune
    n_sentences = len({unit.sentence for unit in task.train.units})
    each = updates_per_epoch(n_sentences, options.batch_size)
    return plan.checkpoints.steps(options.epochs_for(model) * each, each)


def _bytes(task: Task, n_dims: int, n_layers: int) -> int:
    width = n_dims * (2 if task.join == "concat" else 1)
    return sum(estimate_bytes(split.n_units, width, n_layers) for split in task.splits.values())


def _time(left: int, seconds: list[float]) -> str:
    """Return the time that pieces like those done before will take, in words."""
    if left <= 0:
        return "none"
    if not seconds:
        return _UNKNOWN
    whole = left * sum(seconds) / len(seconds)
    return f"about {whole / 60:,.1f} min" if whole > 90 else f"about {whole:,.0f} s"


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
