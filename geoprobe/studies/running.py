"""Run a study: extract, fine-tune, measure, classify; whatever is done already is left alone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from geoprobe.encoders.names import short_names
from geoprobe.encoders.tuning_result import RESULT
from geoprobe.errors import GeoprobeError, InputError
from geoprobe.findings import Cell
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.spaces.keys import SpaceKey
from geoprobe.studies.cells import cells, ends, runs
from geoprobe.studies.folder import StudyFolder
from geoprobe.studies.plan import ClassifierPlan, Plan
from geoprobe.studies.working import classify_cell, measure_cell, memorise_cell
from geoprobe.tasks import Task, limit, load_task, read_task
from geoprobe.threads import available_threads, checked_threads


@dataclass
class Outcome:
    """What a run of a study did.

    Attributes
    ----------
    folder : StudyFolder
    done : dict of str to int
        Pieces of work done now, by kind.
    found : dict of str to int
        Pieces of work that had been done before.
    failed : dict of str to str
        What could not be done, and why; all else went on.
    """

    folder: StudyFolder
    done: dict[str, int] = field(default_factory=dict)
    found: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def run_study(
    plan: Plan,
    root: str | os.PathLike[str],
    *,
    n_workers: int | None = None,
    progress: ProgressCallback | None = None,
) -> Outcome:
    """Run a study, or go on with it where it was interrupted.

    Parameters
    ----------
    plan : Plan
    root : path-like
        The study's folder.
    n_workers : int, optional
        Processes that measure cells at the same time; all processors by default. The outcome
        does not depend on it.
    progress : callable, optional

    Raises
    ------
    InputError
        If the folder holds a study of another plan.
    GeoprobeError
        If a task or a model cannot be had; nothing is computed then.
    """
    workers = available_threads() if n_workers is None else checked_threads(n_workers)
    names = short_names(plan.models)
    tasks = load_tasks(plan)
    folder = StudyFolder(root)
    folder.check(plan)
    outcome = Outcome(folder)
    _represent(plan, tasks, names, outcome, progress)
    listed = cells(plan, folder.store, set(names.values()))
    jobs = [
        (str(cell), partial(measure_cell, folder.root, cell, plan.tau), folder.geometry(cell))
        for cell in listed
    ]
    _do_all(outcome, "measure", jobs, workers, progress)
    if plan.classifier is not None:
        _classify(plan, plan.classifier, listed, outcome, workers, progress)
    return outcome


def _classify(
    plan: Plan,
    grid: ClassifierPlan,
    listed: list[Cell],
    outcome: Outcome,
    workers: int,
    progress: ProgressCallback | None,
) -> None:
    """Train the classifiers of the last layer, before and after."""
    folder, last = outcome.folder, ends(listed)
    own = [cell for cell in last if cell.tuned_on in (None, cell.task)]
    for kind, work, place, some in (
        ("classify", classify_cell, folder.classifier, last),
        ("memorise", memorise_cell, folder.memorisation, own),
    ):
        if not set(plan.analyses) & _NEEDED_BY[kind]:
            continue
        jobs = [
            (
                str(cell),
                partial(work, folder.root, cell, grid, plan.device),
                place(cell),
            )
            for cell in some
        ]
        # The networks of a grid are one batched computation, which takes all processors.
        _do_all(outcome, kind, jobs, 1, progress, n_threads=workers)


def load_tasks(plan: Plan) -> dict[str, Task]:
    """Read all tasks of a plan, limited as it says."""
    size = plan.limit
    tasks = {}
    for name in plan.all_tasks:
        if name in plan.own:
            task = read_task(plan.own[name], name)
        else:
            task = load_task(name, data=plan.data)
        tasks[name] = limit(task, n_train=size.train, n_test=size.test, seed=size.seed)
    return tasks


def _represent(
    plan: Plan,
    tasks: dict[str, Task],
    names: dict[str, str],
    outcome: Outcome,
    progress: ProgressCallback | None,
) -> None:
    """Extract the original spaces and fine-tune."""
    from geoprobe.encoders import extract_to_store, load_encoder
    from geoprobe.encoders.finetune import finetune

    folder = outcome.folder
    for model in plan.models:
        encoder = load_encoder(model, device=plan.device)
        layers = _layers(plan, encoder.n_layers, model)
        # Not before the first model is known to have what the plan asks for.
        folder.adopt(plan, names)
        for name, task in tasks.items():
            keys = [SpaceKey(name, encoder.name, split) for split in task.splits]
            found = all(key in folder.store for key in keys)
            with _timed(outcome, "extract", f"{name} {encoder.name}", found=found):
                extract_to_store(encoder, task, folder.store, layers=layers, progress=progress)
        for run in runs(replace(plan, models=(model,)), names):
            found = (folder.run(run.tuned_on, run.model, run.seed) / RESULT).is_file()
            with _timed(outcome, "fine-tune", str(run), found=found):
                finetune(
                    encoder,
                    tasks[run.tuned_on],
                    options=replace(plan.finetune, seed=run.seed),
                    store=folder.store,
                    run_folder=folder.run(run.tuned_on, run.model, run.seed),
                    extract=[tasks[name] for name in plan.extracted(run.tuned_on)],
                    layers=layers,
                    checkpoints=plan.checkpoints,
                    progress=progress,
                )


def _layers(plan: Plan, n_layers: int, model: str) -> tuple[int, ...]:
    if plan.layers is None:
        return tuple(range(n_layers + 1))
    if max(plan.layers) > n_layers:
        raise InputError(
            f"the plan asks for layer {max(plan.layers)}, but {model} has the layers 0 to "
            f"{n_layers}."
        )
    return plan.layers


@contextmanager
def _timed(outcome: Outcome, kind: str, name: str, *, found: bool) -> Iterator[None]:
    """Count a piece of work, and note how long it took unless it had been done before."""
    began = time.perf_counter()
    yield
    counts = outcome.found if found else outcome.done
    counts[kind] = counts.get(kind, 0) + 1
    if not found:
        outcome.folder.note_seconds(kind, name, time.perf_counter() - began)


_PHASES = {"measure": "measuring", "classify": "classifying", "memorise": "learning curves"}
_NEEDED_BY = {"classify": {"performance", "cross-task"}, "memorise": {"memorisation"}}

Job = tuple[str, Callable[..., float], Path]


def _do_all(
    outcome: Outcome,
    kind: str,
    jobs: Sequence[Job],
    workers: int,
    progress: ProgressCallback | None,
    n_threads: int = 1,
) -> None:
    """Do the jobs whose files are not there; one that fails does not stop the others."""
    left = [job for job in jobs if not job[2].exists()]
    outcome.found[kind] = len(jobs) - len(left)
    done = outcome.found[kind]
    phase = _PHASES[kind]
    if progress is not None and jobs:
        progress(Progress(phase, done, len(jobs)))
    for (name, _, _), seconds in _answers(left, workers, n_threads):
        if isinstance(seconds, Exception):
            outcome.failed[f"{kind} {name}"] = str(seconds)
        else:
            outcome.done[kind] = outcome.done.get(kind, 0) + 1
            outcome.folder.note_seconds(kind, name, seconds)
        done += 1
        if progress is not None:
            progress(Progress(phase, done, len(jobs), name))


def _answers(
    jobs: Sequence[Job], workers: int, n_threads: int
) -> Iterator[tuple[Job, float | Exception]]:
    """Yield every job with its seconds, or with the error that ended it."""
    if workers == 1 or len(jobs) < 3:
        for job in jobs:
            yield job, _attempt(job[1], max(n_threads, workers))
        return
    import joblib

    # The first compiles the kernels, which the processes then find in the cache.
    yield jobs[0], _attempt(jobs[0][1], 1)
    parallel = joblib.Parallel(n_jobs=workers, return_as="generator", batch_size=1)
    rest = jobs[1:]
    answers = parallel(joblib.delayed(_attempt)(job[1], 1) for job in rest)
    yield from zip(rest, answers, strict=True)


def _attempt(work: Callable[..., float], n_threads: int) -> Any:
    try:
        return work(n_threads=n_threads)
    except GeoprobeError as error:
        return error
