"""Running of a study: extract, fine-tune, measure, classify; what is done is left alone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from geoprobe.encoders.alignment import Alignments
from geoprobe.encoders.model_files import short_names
from geoprobe.errors import GeoprobeError
from geoprobe.geometry import Cell
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.spaces.keys import SpaceKey
from geoprobe.studies.given_index import GivenIndex, look_at, refuse_changed, write_index
from geoprobe.studies.inputs import planned_files, study_inputs
from geoprobe.studies.jobs import load_kernels
from geoprobe.studies.pieces import WHOLE_MACHINE, Piece, layers_of, pieces, runs
from geoprobe.studies.plan import Plan
from geoprobe.studies.study_folder import StudyFolder
from geoprobe.tasks import Task, limit, load_task, read_task
from geoprobe.threads import available_threads, checked_threads

if TYPE_CHECKING:
    from geoprobe.encoders.load import Encoder


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
    folder = StudyFolder(root)
    tasks = load_tasks(plan)
    folder.check(plan)
    outcome = Outcome(folder)
    before = folder.given()
    given = _look_at_given(plan, folder, before, progress)
    alignments = Alignments()
    encoders = _load_models(plan, tasks, names, folder, alignments)
    folder.adopt(plan, names)
    if given is not None and given != before:
        write_index(given, folder.given_index)
    if tasks:
        _extract_and_tune(plan, tasks, names, encoders, alignments, outcome, progress)
    inputs = study_inputs(plan, folder, given=given)
    work = pieces(plan, folder, inputs)
    if not all(piece.done for piece in work["measure"]):
        # Once here, and the processes that measure find it in the cache.
        phase = "loading kernels, which are compiled once"
        if progress is not None:
            progress(Progress(phase, 0, 1))
        load_kernels()
        if progress is not None:
            progress(Progress(phase, 1, 1))
    for kind, pieces_of_kind in work.items():
        _do_all(outcome, kind, pieces_of_kind, workers, progress)
    return outcome


def _look_at_given(
    plan: Plan,
    folder: StudyFolder,
    before: GivenIndex | None,
    progress: ProgressCallback | None,
) -> GivenIndex | None:
    """Look at the files of given spaces, and refuse what would cost hours before it is noticed."""
    if plan.spaces is None:
        return None
    files = planned_files(plan)
    index = look_at(files, unseen=plan.spaces.unseen, before=before, progress=progress)
    refuse_changed(index, before, folder.geometry)
    return index


def load_tasks(plan: Plan) -> dict[str, Task]:
    """Read all tasks of a plan, limited as it says."""
    size = plan.limit
    tasks = {}
    for name in plan.all_tasks:
        if name in plan.task:
            task = read_task(plan.task[name], name)
        else:
            task = load_task(name, data=plan.data)
        tasks[name] = limit(task, n_train=size.train, n_test=size.test, seed=size.seed)
    return tasks


def _load_models(
    plan: Plan,
    tasks: dict[str, Task],
    names: dict[str, str],
    folder: StudyFolder,
    alignments: Alignments,
) -> dict[str, Encoder]:
    """Load all models, and refuse what one cannot do before another has worked for hours.

    They stay in the memory of the processor until it is their turn.
    """
    if not plan.models:
        return {}
    from geoprobe.encoders import load_encoder

    encoders = {}
    for model in plan.models:
        encoder = encoders[model] = load_encoder(model, device="cpu")
        layers_of(plan, encoder.n_layers, model)
        of_model = runs(plan, names, model)
        if all(folder.is_tuned(run.tuned_on, run.model, run.seed) for run in of_model):
            continue
        for task in tasks.values():
            for split in task.splits.values():
                alignments.of(encoder, split, plan.overlong)
    return encoders


def _extract_and_tune(
    plan: Plan,
    tasks: dict[str, Task],
    names: dict[str, str],
    encoders: dict[str, Encoder],
    alignments: Alignments,
    outcome: Outcome,
    progress: ProgressCallback | None,
) -> None:
    """Extract the original spaces and fine-tune; each encoder is given up when it is done."""
    from geoprobe.encoders import extract_to_store
    from geoprobe.encoders.finetune import finetune

    folder = outcome.folder
    for model in plan.models:
        encoder = encoders.pop(model).moved_to(plan.device)
        layers = layers_of(plan, encoder.n_layers, model)
        for name, task in tasks.items():
            keys = [SpaceKey(name, encoder.name, split) for split in task.splits]
            there = all(key in folder.store for key in keys)
            with _timed(outcome, "extract", f"{name} {encoder.name}", there=there):
                extract_to_store(
                    encoder,
                    task,
                    folder.store,
                    layers=layers,
                    overlong=plan.overlong,
                    alignments=alignments,
                    progress=progress,
                )
        for run in runs(plan, names, model):
            there = folder.is_tuned(run.tuned_on, run.model, run.seed)
            with _timed(outcome, "fine-tune", str(run), there=there):
                finetune(
                    encoder,
                    tasks[run.tuned_on],
                    options=plan.finetune.replaced(seed=run.seed),
                    store=folder.store,
                    run_folder=folder.run(run.tuned_on, run.model, run.seed),
                    extract=[tasks[name] for name in plan.extracted(run.tuned_on)],
                    layers=layers,
                    checkpoints=plan.checkpoints,
                    overlong=plan.overlong,
                    alignments=alignments,
                    progress=progress,
                )


@contextmanager
def _timed(outcome: Outcome, kind: str, name: str, *, there: bool) -> Iterator[None]:
    """Count a piece of work, and note how long it took unless it had been done before."""
    began = time.perf_counter()
    yield
    counts = outcome.found if there else outcome.done
    counts[kind] = counts.get(kind, 0) + 1
    if not there:
        outcome.folder.note_seconds(kind, name, time.perf_counter() - began)


_PHASES = {
    "measure": "measuring",
    "move": "intervals of movement",
    "resample": "resampling",
    "classify": "classifying",
    "memorise": "learning curves",
}


def _do_all(
    outcome: Outcome,
    kind: str,
    all_: Sequence[Piece],
    workers: int,
    progress: ProgressCallback | None,
) -> None:
    """Do the pieces that are not done; one that fails does not stop the others."""
    left = [piece for piece in all_ if not piece.done]
    outcome.found[kind] = len(all_) - len(left)
    done = outcome.found[kind]
    phase = _PHASES[kind]
    if progress is not None and left:
        progress(Progress(phase, done, len(all_)))
    for cell, seconds in _answers(left, workers, together=kind not in WHOLE_MACHINE):
        if isinstance(seconds, Exception):
            outcome.failed[f"{kind} {cell}"] = str(seconds)
        else:
            outcome.done[kind] = outcome.done.get(kind, 0) + 1
            outcome.folder.note_seconds(kind, str(cell), seconds)
        done += 1
        if progress is not None:
            progress(Progress(phase, done, len(all_), str(cell)))


def _answers(
    left: Sequence[Piece], workers: int, *, together: bool
) -> Iterator[tuple[Cell, float | Exception]]:
    """Yield every cell with the seconds its work took, or with the error that ended it."""
    if workers == 1 or len(left) < 3 or not together:
        for piece in left:
            yield piece.cell, _attempt(piece.work, workers)
        return
    import joblib

    parallel = joblib.Parallel(n_jobs=workers, return_as="generator", batch_size=1)
    answers = parallel(joblib.delayed(_attempt)(piece.work, 1) for piece in left)
    yield from zip((piece.cell for piece in left), answers, strict=True)


def _attempt(work: Callable[..., float], n_threads: int) -> Any:
    try:
        return work(n_threads=n_threads)
    except GeoprobeError as error:
        return error
