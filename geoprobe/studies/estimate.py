"""What a study would do, and what it would take, before it does anything."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from geoprobe.encoders.options import updates_per_epoch
from geoprobe.geometry import Cell
from geoprobe.spaces.store_layout import estimate_bytes
from geoprobe.studies.cells import is_constant, layers_of, runs
from geoprobe.studies.folder import StudyFolder
from geoprobe.studies.pieces import pieces
from geoprobe.studies.plan import Plan
from geoprobe.studies.running import load_tasks
from geoprobe.studies.status import study_status
from geoprobe.tasks import Task

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
    from geoprobe.encoders import load_encoder, short_name

    folder = StudyFolder(root)
    tasks = load_tasks(plan)
    counts = dict.fromkeys(("extract", "fine-tune"), 0)
    expected: list[Cell] = []
    n_bytes = 0
    for model in plan.models:
        encoder = load_encoder(model, device="cpu")
        layers = layers_of(plan, encoder.n_layers, model)
        moments = [Cell(task, short_name(model)) for task in plan.all_tasks]
        for run in runs(replace(plan, models=(model,)), {model: short_name(model)}):
            steps = _steps(plan, tasks[run.tuned_on], run.model)[1:]
            moments += [
                Cell(task, run.model, 0, run.tuned_on, run.seed, step)
                for task in plan.extracted(run.tuned_on)
                for step in steps
            ]
        counts["extract"] += len(tasks)
        counts["fine-tune"] += len(plan.tasks) * len(plan.seeds)
        expected += [
            replace(moment, layer=layer)
            for moment in moments
            for layer in layers
            if not is_constant(layer, tasks[moment.task].n_words_per_unit)
        ]
        n_bytes += sum(_bytes(tasks[one.task], encoder.n_dims, len(layers)) for one in moments)
    counts |= {kind: len(some) for kind, some in pieces(plan, folder, expected).items()}
    done = {kind: number for kind, number, _ in study_status(plan, folder).rows}
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
