"""Pieces of a study: every job on text and on cells, what it needs, and the file it writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from geoprobe.encoders.model_files import short_names
from geoprobe.geometry import Cell
from geoprobe.spaces.keys import SPLITS, SpaceKey
from geoprobe.spaces.source import StoredLayer
from geoprobe.studies.executors import ONE_CORE, Piece, Uses
from geoprobe.studies.inputs import Inputs
from geoprobe.studies.jobs import (
    classify_cell,
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

KINDS = ("extract", "fine-tune", "measure", "move", "resample", "classify", "memorise")
"""In the order in which pieces are begun, if they are ready at the same time."""


def pieces(
    plan: Plan,
    folder: StudyFolder,
    inputs: Mapping[Cell, Inputs],
    facts: TextFacts | None = None,
) -> list[Piece]:
    """List all pieces of a study, kind by kind in the order of :data:`KINDS`.

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


def _on_text(plan: Plan, folder: StudyFolder, facts: TextFacts | None) -> list[Piece]:
    """List the extractions from models as published, and the runs of fine-tuning."""
    names = short_names(plan.models)
    # Both take what a machine has to calculate with; on a GPU it is that, and others go on beside.
    uses = Uses(cores=None, gpu=True)
    extractions = []
    for model, name in names.items():
        for task in plan.all_tasks:
            made = spaces_of(folder, Cell(task, name))
            work = partial(extract_job, plan, folder.root, model, task)
            extractions.append(
                Piece("extract", f"{task} {name}", made[-1], work, makes=made, uses=uses)
            )
    tunings = [
        Piece(
            "fine-tune",
            str(run),
            folder.tuned(run.tuned_on, run.model, run.seed),
            partial(tune_job, plan, folder.root, model, run),
            needs=tuple(
                path
                for task in plan.extracted(run.tuned_on)
                for path in spaces_of(folder, Cell(task, run.model))
            ),
            makes=()
            if facts is None
            else tuple(
                path for cell in tuned(plan, facts, run) for path in spaces_of(folder, cell)
            ),
            uses=uses,
        )
        for model in names
        for run in runs(plan, names, model)
    ]
    return extractions + tunings


def spaces_of(folder: StudyFolder, cell: Cell) -> tuple[Path, ...]:
    """Return the files that are there once the spaces of a moment are, in the order of writing."""
    return tuple(
        folder.store.sidecar(
            SpaceKey(cell.task, cell.model, split, cell.tuned_on, cell.seed, cell.step)
        )
        for split in SPLITS
    )


def _on_cells(plan: Plan, folder: StudyFolder, inputs: Mapping[Cell, Inputs]) -> list[Piece]:
    """List the work on cells."""
    wanted, cells = set(plan.analyses), list(inputs)
    last = [cell for cell in ends(cells) if inputs[cell].test is not None]
    networks = Uses(cores=None, gpu=plan.device != "cpu")

    def listed(
        kind: str,
        work: Callable[..., object],
        path: Callable[[Cell], Path],
        of: Sequence[Cell],
        *more: object,
        uses: Uses = ONE_CORE,
    ) -> list[Piece]:
        return [
            Piece(
                kind,
                str(cell),
                target,
                partial(work, cell, inputs[cell], target, *more),
                needs=_needs(folder, cell, inputs[cell]),
                uses=uses._replace(memory=inputs[cell].n_bytes),
                problem=inputs[cell].problem,
            )
            for cell, target in zip(of, map(path, of), strict=True)
        ]

    solves = Uses(kernels=True)
    found = listed("measure", measure_cell, folder.geometry, cells, plan.tau, uses=solves)
    if "movement" in wanted:
        found += _moves(folder, inputs)
    if plan.resamples and wanted & {"min-distances", "similarity"}:
        path = partial(folder.resamples, n_bootstrap=plan.resamples)
        more = (plan.tau, plan.resamples)
        found += listed("resample", resample_cell, path, cells, *more, uses=solves)
    grid = plan.classifier
    if grid is not None and wanted & {"performance", "cross-task"}:
        asked = (grid, plan.device)
        found += listed("classify", classify_cell, folder.classifier, last, *asked, uses=networks)
    if grid is not None and "memorisation" in wanted:
        own, asked = [c for c in last if c.tuned_on in (None, c.task)], (grid, plan.device)
        found += listed("memorise", memorise_cell, folder.memorisation, own, *asked, uses=networks)
    return found


def _moves(folder: StudyFolder, inputs: Mapping[Cell, Inputs]) -> list[Piece]:
    """List the intervals of movement to the end of every run whose start is there."""
    starts = [(cell, cell.start(inputs)) for cell in last_steps(list(inputs))]
    return [
        Piece(
            "move",
            str(cell),
            folder.movement(cell),
            partial(move_cell, cell, inputs[start], inputs[cell], folder.movement(cell)),
            needs=tuple(
                dict.fromkeys(
                    path for one in (start, cell) for path in _needs(folder, one, inputs[one])
                )
            ),
            uses=Uses(memory=inputs[start].n_bytes + inputs[cell].n_bytes),
            problem=inputs[start].problem or inputs[cell].problem,
        )
        for cell, start in starts
        if cell.tuned_on is not None and start in inputs
    ]


def _needs(folder: StudyFolder, cell: Cell, inputs: Inputs) -> tuple[Path, ...]:
    """Return the files of a cell that some other piece writes."""
    return spaces_of(folder, cell) if isinstance(inputs.train, StoredLayer) else ()
