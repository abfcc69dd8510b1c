"""Runs of a study as experiment trackers know them: parameters, and metrics by step."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from geoprobe.errors import InputError
from geoprobe.geometry import Cell
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.studies.export import without_places
from geoprobe.studies.plan import ABOUT_TEXT, Plan
from geoprobe.studies.status import missing_pieces
from geoprobe.studies.study_data import StudyData, load_study_data
from geoprobe.studies.study_folder import StudyFolder
from geoprobe.studies.study_tables import Row, space_columns, space_rows
from geoprobe.studies.table_columns import SPACE
from geoprobe.suggestions import suggestion

Metrics = dict[str, float]
# Said of a run by its own parameters, or of this machine, or not of the numbers at all.
_NOT_PARAMETERS = ("name", "tasks", "models", "seeds", "cross", "task", "data", "parquet")


class TrackedRun(NamedTuple):
    """A model as published, or one fine-tuning of it, with all its layers and steps."""

    name: str
    study: str
    tuned: bool
    params: dict[str, Any]
    """Model, task and seed of the fine-tuning, groupings, and the plan with dots in its names."""
    steps: dict[int, Metrics]
    """By step, ascending: values named ``task/column/layer_06``, the columns of the tables."""


class Tracker(Protocol):
    """A place for runs; one file of this folder's ``trackers`` for each library."""

    where: str
    """For a person: where the runs are, and how to look at them."""

    def log(self, run: TrackedRun) -> None:
        """Write one run.

        Raises
        ------
        GeoprobeError
            If the library refuses; the run is marked as failed then.
        """


class Logged(NamedTuple):
    """What was logged of a study."""

    n_runs: int
    where: str
    missing: tuple[str, ...]
    """What the study lacks, in words; empty if it is finished."""


Open = Callable[[str, Path | None], AbstractContextManager[Tracker]]


def log_study(
    folder: StudyFolder,
    to: str,
    *,
    project: str | None = None,
    offline: Path | None = None,
    unfinished: bool = False,
    progress: ProgressCallback | None = None,
) -> Logged:
    """Log the numbers of a study, those of ``spaces.csv``, to an experiment tracker.

    Parameters
    ----------
    folder : StudyFolder
    to : {"wandb", "mlflow"}
    project : str, optional
        The project, which MLflow calls an experiment; by default the name of the plan.
    offline : Path, optional
        A folder to write to instead of a server.
    unfinished : bool, default=False
        Whether a study of which something is missing is logged.
    progress : callable, optional
        Told after every run.

    Raises
    ------
    FormatError
        If this is no folder of a study, or a file in it is damaged.
    InputError
        If the tracker is not known, or the study is not finished.
    GeoprobeError
        If the tracker's library is not installed, or refuses.
    """
    openers = _openers()
    if to not in openers:
        raise InputError(f"there is no tracker {to!r}; {suggestion(to, tuple(openers))}.")
    plan, _ = folder.plan()
    missing = missing_pieces(plan, folder, unfinished=unfinished)
    # First, so that a library or a server that is not there is noticed before all is read.
    with openers[to](project or plan.name, offline) as tracker:
        runs = list(tracked_runs(load_study_data(folder)))
        for number, run in enumerate(runs, 1):
            tracker.log(run)
            if progress is not None:
                progress(Progress("logging", number, len(runs), run.name))
        return Logged(len(runs), tracker.where, missing)


def _openers() -> Mapping[str, Open]:
    from geoprobe.studies.trackers import mlflow_runs, wandb_runs

    return {"wandb": wandb_runs.tracker, "mlflow": mlflow_runs.tracker}


def tracked_runs(m: StudyData) -> Iterator[TrackedRun]:
    """Yield every model as published and every fine-tuning; these begin at step 0, their start.

    Raises
    ------
    InputError
        If two tasks have names that trackers cannot tell apart.
    """
    cells = [geometry.cell for geometry in m.geometries]
    rows = dict(zip(cells, space_rows(m), strict=True))
    names = _metric_names(cells)
    runs: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in cells:
        key = cell.representation, cell.tuned_on or "", -1 if cell.seed is None else cell.seed
        of_run = runs.setdefault(key, [])
        start = cell.start(rows)
        if cell.tuned_on is not None and start in rows:
            of_run.append(start)
        of_run.append(cell)
    columns = space_columns(m)
    for _, of_run in sorted(runs.items()):
        last = of_run[-1]
        steps: dict[int, Metrics] = {}
        for cell in sorted(dict.fromkeys(of_run), key=lambda cell: (cell.step, cell.order)):
            metrics = steps.setdefault(cell.step, {})
            for column, value in _numbers(columns, rows[cell]):
                metrics[f"{names[cell.task]}/{column}/layer_{cell.layer:02d}"] = value
        yield TrackedRun(
            _name(last), m.plan.name, last.tuned_on is not None, _params(last, m.plan), steps
        )


def _name(cell: Cell) -> str:
    tuned = "" if cell.tuned_on is None else f" on {cell.tuned_on}"
    return f"{cell.representation}{tuned}" + ("" if cell.seed is None else f", seed {cell.seed}")


def _numbers(columns: Iterable[str], row: Row) -> Iterator[tuple[str, float]]:
    """Yield what is known of a space; trackers have no number for what is undefined."""
    for column, value in zip(columns, row, strict=True):
        if column in SPACE and value is not None:
            number = float(value)  # type: ignore[arg-type]
            if not math.isnan(number):
                yield column, number


def _metric_names(cells: Iterable[Cell]) -> dict[str, str]:
    """Return each task's part of the names of metrics, in which few characters are allowed."""
    names: dict[str, str] = {}
    taken: dict[str, str] = {}
    for task in dict.fromkeys(cell.task for cell in cells):
        name = names[task] = plain_name(task)
        if taken.setdefault(name, task) != task:
            raise InputError(
                f"a tracker calls both tasks {taken[name]!r} and {task!r} {name!r}; rename one."
            )
    return names


def plain_name(text: str) -> str:
    """Return a name of letters, digits, blanks and ``._-`` that is no path."""
    plain = re.sub(r"[^\w .-]", "_", text)
    return "_" * len(plain) if set(plain) <= {"."} else plain


def _params(cell: Cell, plan: Plan) -> dict[str, Any]:
    """Return what a run was made with."""
    own = {"model": cell.model, "tuned_on": cell.tuned_on, "seed": cell.seed, **dict(cell.group)}
    table = without_places(plan.as_table(), Path(plan.name))
    unsaid = {*_NOT_PARAMETERS, *(ABOUT_TEXT if not plan.tasks else ())}
    if cell.tuned_on is None:
        unsaid |= {"finetune", "checkpoints"}
    of_plan = {key: value for key, value in table.items() if key not in unsaid}
    known = {**own, **dict(_flat(of_plan, "plan"))}
    return {plain_name(key): value for key, value in known.items() if value is not None}


def _flat(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        name = f"{prefix}.{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, name)
        else:
            yield name, ", ".join(map(str, value)) if isinstance(value, list) else value
