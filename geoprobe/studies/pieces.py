"""Pieces of a study: every job on text and on cells, what it needs, and the file it writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from geoprobe.encoders.model_files import short_names
from geoprobe.geometry import Cell
from geoprobe.memory import nothing_to_free
from geoprobe.spaces.keys import SPLITS, SpaceKey
from geoprobe.spaces.source import StoredLayer
from geoprobe.studies.controls_plan import ControlsPlan
from geoprobe.studies.executors import ONE_CORE, Piece, Uses
from geoprobe.studies.inputs import Inputs
from geoprobe.studies.jobs import (
    classify_cell,
    hold_cell,
    leave_out_cell,
    measure_cell,
    memorise_cell,
    move_cell,
    resample_cell,
)
from geoprobe.studies.plan import Plan
from geoprobe.studies.runs import ends, last_steps, runs
from geoprobe.studies.study_folder import StudyFolder
from geoprobe.studies.text_facts import TextFacts, tuned
from geoprobe.studies.text_jobs import extract_job, tune_job


@nothing_to_free()
def pieces(
    plan: Plan,
    folder: StudyFolder,
    inputs: Mapping[Cell, Inputs],
    facts: TextFacts | None = None,
) -> list[Piece]:
    """List all pieces of a study, in the order of :data:`geoprobe.studies.kinds.KINDS`.

    Parameters
    ----------
    plan : Plan
    folder : StudyFolder
    inputs : mapping of Cell to Inputs
        Of the cells of the study, whether their points are there or still to be extracted.
    facts : TextFacts, optional
        Without them, nothing says which spaces a run of fine-tuning makes.
    """
    return [*_on_text(plan, folder, facts), *_on_cells(plan, folder, inputs)]


def _on_text(plan: Plan, folder: StudyFolder, facts: TextFacts | None) -> Iterator[Piece]:
    """List the extractions from models as published, and the runs of fine-tuning."""
    names = short_names(plan.models)
    # Both take what a machine has to calculate with; on a GPU it is that, and others go on beside.
    uses = Uses(cores=plan.threads, gpu=plan.threads is None)
    for model, name in names.items():
        for task in plan.all_tasks:
            made = spaces_of(folder, Cell(task, name))
            work = partial(extract_job, plan, folder.root, model, task)
            yield Piece("extract", f"{task} {name}", made[-1], work, makes=made, uses=uses)
    for model in names:
        for run in runs(plan, names, model):
            originals = [Cell(task, run.model) for task in plan.extracted(run.tuned_on)]
            moments = [] if facts is None else tuned(plan, facts, run)
            yield Piece(
                "fine-tune",
                str(run),
                folder.tuned(run.tuned_on, run.model, run.seed),
                partial(tune_job, plan, folder.root, model, run),
                needs=tuple(path for cell in originals for path in spaces_of(folder, cell)),
                makes=tuple(path for cell in moments for path in spaces_of(folder, cell)),
                uses=uses,
            )


def spaces_of(folder: StudyFolder, cell: Cell) -> tuple[Path, ...]:
    """Return the files that are there once the spaces of a moment are, in the order of writing."""
    return tuple(folder.store.sidecar(SpaceKey.of(cell, split)) for split in SPLITS)


def _on_cells(plan: Plan, folder: StudyFolder, inputs: Mapping[Cell, Inputs]) -> Iterator[Piece]:
    """List the work on cells."""
    piece = partial(_piece, folder, inputs)
    wanted, cells = set(plan.analyses), list(inputs)
    solves, networks = Uses(kernels=True), Uses(cores=None, gpu=plan.device != "cpu")
    for cell in cells:
        yield piece("measure", measure_cell, folder.geometry(cell), cell, plan.tau, uses=solves)
    if plan.fixed_partition and "similarity" in wanted:
        for start, cell in _with_starts(cells):
            after = (folder.geometry(start),)
            one = piece("hold", hold_cell, folder.held(cell), cell, plan.tau, after=after)
            yield replace(one, problem=inputs[start].problem or one.problem)
    if "movement" in wanted:
        for start, cell in _with_starts(last_steps(cells)):
            yield piece("move", move_cell, folder.movement(cell), cell, start=start)
    if plan.resamples and wanted & {"min-distances", "similarity"}:
        drawn = (plan.tau, plan.resamples)
        for cell in cells:
            path = folder.resamples(cell, plan.resamples)
            yield piece("resample", resample_cell, path, cell, *drawn, uses=solves)
    classified: list[Cell] = []
    last = [cell for cell in ends(cells) if inputs[cell].test is not None]
    own = [cell for cell in last if cell.tuned_on in (None, cell.task)]
    if "memorisation" in wanted:
        for cell in own:
            yield piece("leave-out", leave_out_cell, folder.units(cell), cell, plan, uses=solves)
    if plan.classifier is not None:
        grid = (plan.classifier, plan.device)
        if wanted & {"performance", "cross-task"}:
            classified = last
        elif "memorisation" in wanted:
            classified = own
        for cell in classified:
            path = folder.classifier(cell)
            yield piece("classify", classify_cell, path, cell, *grid, uses=networks)
        if "memorisation" in wanted:
            for cell in own:
                path, after = folder.memorisation(cell), (folder.classifier(cell),)
                yield piece(
                    "memorise", memorise_cell, path, cell, *grid, after=after, uses=networks
                )
    if plan.controls is not None:
        yield from _controls(plan, plan.controls, folder, inputs, classified, networks)


def _controls(
    plan: Plan,
    controls: ControlsPlan,
    folder: StudyFolder,
    inputs: Mapping[Cell, Inputs],
    classified: Sequence[Cell],
    networks: Uses,
) -> Iterator[Piece]:
    """List what is measured again where there is nothing to find."""
    # It imports much, and few plans have controls.
    from geoprobe.studies import control_jobs as jobs

    def piece(
        kind: str, job: Callable[..., object], path: Path, cell: Cell, **options: Any
    ) -> Piece:
        return _piece(folder, inputs, kind, partial(job, plan, controls), path, cell, **options)

    chosen = list(inputs) if controls.cells == "all" else ends(list(inputs))
    if controls.permutations:
        for cell in chosen:
            # A partition that somebody else found is not what shuffled labels would be given.
            if inputs[cell].clusters is None:
                yield piece("shuffle", jobs.shuffle_cell, folder.shuffled(cell, controls), cell)
        # No hull is measured for it, so that movement has its control in every layer.
        moved = list(inputs) if controls.cells == "all" else last_steps(list(inputs))
        for start, cell in _with_starts(moved):
            path = folder.shuffled_movement(cell, controls)
            yield piece("shuffle-move", jobs.shuffle_move_cell, path, cell, start=start)
        for cell in chosen:
            if inputs[cell].test is not None:
                path, after = folder.shuffled_predictions(cell, controls), (folder.geometry(cell),)
                yield piece("shuffle-predict", jobs.shuffle_predict_cell, path, cell, after=after)
    if controls.pseudo_tests or controls.halves:
        for cell in chosen:
            yield piece("sample", jobs.sample_cell, folder.sampling(cell, controls), cell)
    if controls.control_tasks or controls.description_length:
        for cell in classified:
            path, after = folder.selectivity(cell, controls), (folder.classifier(cell),)
            yield piece("select", jobs.select_cell, path, cell, after=after, uses=networks)


def _with_starts(cells: Sequence[Cell]) -> list[tuple[Cell, Cell]]:
    """Return every tuned cell whose start is there, behind that start."""
    known = set(cells)
    pairs = ((cell.start(known), cell) for cell in cells if cell.tuned_on is not None)
    return [(start, cell) for start, cell in pairs if start in known]


def _piece(
    folder: StudyFolder,
    inputs: Mapping[Cell, Inputs],
    kind: str,
    job: Callable[..., object],
    path: Path,
    cell: Cell,
    *given: object,
    start: Cell | None = None,
    after: tuple[Path, ...] = (),
    uses: Uses = ONE_CORE,
) -> Piece:
    """Make a piece whose job takes the cell, its inputs, the path, and then what follows.

    Parameters
    ----------
    start : Cell, optional
        What the cell was tuned from, if the job reads it as well; it takes its inputs then.
    after : tuple of Path
        Files of other pieces, which the job takes.
    given : object
        What else the job takes.
    """
    read = [cell] if start is None else [start, cell]
    places = [inputs[one] for one in read]
    made = [
        file
        for one, place in zip(read, places, strict=True)
        if isinstance(place.train, StoredLayer)
        for file in spaces_of(folder, one)
    ]
    return Piece(
        kind,
        str(cell),
        path,
        partial(job, cell, inputs[cell], path, *places[:-1], *after, *given),
        needs=tuple(dict.fromkeys((*made, *after))),
        uses=uses._replace(memory=sum(place.n_bytes for place in places)),
        problem=next((place.problem for place in places if place.problem), ""),
    )
