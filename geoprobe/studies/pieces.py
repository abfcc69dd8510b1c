"""Pieces of a study: every job on text and on cells, what it needs, and the file it writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from geoprobe.encoders.model_files import short_names
from geoprobe.geometry import Cell
from geoprobe.memory import nothing_to_free
from geoprobe.spaces.keys import SPLITS, SpaceKey
from geoprobe.spaces.source import StoredLayer
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

KINDS = (
    "extract", "fine-tune", "measure", "hold", "move", "resample", "classify", "memorise",
    "leave-out",
    "shuffle", "shuffle-move", "shuffle-predict", "sample", "select",
)  # fmt: skip
"""In the order in which pieces are begun, if they are ready at the same time."""


@nothing_to_free()
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
    uses = Uses(cores=plan.threads, gpu=plan.threads is None)
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
    return tuple(folder.store.sidecar(SpaceKey.of(cell, split)) for split in SPLITS)


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
        after: Callable[[Cell], Path] | None = None,
    ) -> list[Piece]:
        return [
            Piece(
                kind,
                str(cell),
                target,
                partial(work, cell, inputs[cell], target, *made, *more),
                needs=(*_needs(folder, cell, inputs[cell]), *made),
                uses=uses._replace(memory=inputs[cell].n_bytes),
                problem=inputs[cell].problem,
            )
            for cell, target in zip(of, map(path, of), strict=True)
            for made in [() if after is None else (after(cell),)]
        ]

    solves = Uses(kernels=True)
    found = listed("measure", measure_cell, folder.geometry, cells, plan.tau, uses=solves)
    if plan.fixed_partition and "similarity" in wanted:
        found += _holds(folder, inputs, plan.tau)
    if "movement" in wanted:
        found += _moves(folder, inputs)
    if plan.resamples and wanted & {"min-distances", "similarity"}:
        path = partial(folder.resamples, n_bootstrap=plan.resamples)
        drawn = (plan.tau, plan.resamples)
        found += listed("resample", resample_cell, path, cells, *drawn, uses=solves)
    own = [cell for cell in last if cell.tuned_on in (None, cell.task)]
    if "memorisation" in wanted:
        found += listed("leave-out", leave_out_cell, folder.units, own, plan, uses=solves)
    if plan.classifier is not None:
        more = (plan.classifier, plan.device)
        asked = last if wanted & {"performance", "cross-task"} else own
        if wanted & {"performance", "cross-task", "memorisation"}:
            found += listed(
                "classify", classify_cell, folder.classifier, asked, *more, uses=networks
            )
        if "memorisation" in wanted:
            found += listed(
                "memorise", memorise_cell, folder.memorisation, own, *more,
                uses=networks, after=folder.classifier,
            )  # fmt: skip
    classified = {piece.name: piece.path for piece in found if piece.kind == "classify"}
    return found + _controls(plan, folder, inputs, classified, networks)


def _controls(
    plan: Plan,
    folder: StudyFolder,
    inputs: Mapping[Cell, Inputs],
    classified: Mapping[str, Path],
    networks: Uses,
) -> list[Piece]:
    """List what is measured again where there is nothing to find."""
    controls = plan.controls
    if controls is None:
        return []
    # They import much, and few plans have any.
    from geoprobe.studies.control_jobs import (
        sample_cell,
        select_cell,
        shuffle_cell,
        shuffle_move_cell,
        shuffle_predict_cell,
    )

    chosen = list(inputs) if controls.cells == "all" else ends(list(inputs))

    def piece(
        kind: str, work: Callable[..., object], target: Path, cell: Cell, *made: Path
    ) -> Piece:
        return Piece(
            kind,
            str(cell),
            target,
            partial(work, plan, controls, cell, inputs[cell], target, *made),
            needs=(*_needs(folder, cell, inputs[cell]), *made),
            uses=Uses(memory=inputs[cell].n_bytes),
            problem=inputs[cell].problem,
        )

    found = []
    if controls.permutations:
        # A partition that somebody else found is not what shuffled labels would be given.
        found += [
            piece("shuffle", shuffle_cell, folder.shuffled(cell, controls), cell)
            for cell in chosen
            if inputs[cell].clusters is None
        ]
        for cell in chosen:
            start = cell.start(inputs)
            if cell.tuned_on is None or start not in inputs:
                continue
            target = folder.shuffled_movement(cell, controls)
            one = piece("shuffle-move", shuffle_move_cell, target, cell)
            both = (inputs[start], inputs[cell])
            needs = (*_needs(folder, start, inputs[start]), *one.needs)
            found.append(
                replace(
                    one,
                    work=partial(shuffle_move_cell, plan, controls, cell, *both, target),
                    needs=tuple(dict.fromkeys(needs)),
                    uses=Uses(memory=sum(each.n_bytes for each in both)),
                    problem=inputs[start].problem or one.problem,
                )
            )
        found += [
            piece(
                "shuffle-predict",
                shuffle_predict_cell,
                folder.shuffled_predictions(cell, controls),
                cell,
                folder.geometry(cell),
            )
            for cell in chosen
            if inputs[cell].test is not None
        ]
    if controls.pseudo_tests or controls.halves:
        found += [
            piece("sample", sample_cell, folder.sampling(cell, controls), cell) for cell in chosen
        ]
    if controls.control_tasks or controls.description_length:
        for cell in inputs:
            if (of_cell := classified.get(str(cell))) is None:
                continue
            one = piece("select", select_cell, folder.selectivity(cell, controls), cell, of_cell)
            found.append(replace(one, uses=networks._replace(memory=inputs[cell].n_bytes)))
    return found


def _holds(folder: StudyFolder, inputs: Mapping[Cell, Inputs], tau: float) -> list[Piece]:
    """List the measurements of every tuned cell by the clusters of its original space."""
    starts = [(cell, cell.start(inputs)) for cell in inputs if cell.tuned_on is not None]
    return [
        Piece(
            "hold",
            str(cell),
            folder.held(cell),
            partial(hold_cell, cell, folder.geometry(start), inputs[cell], folder.held(cell), tau),
            needs=(*_needs(folder, cell, inputs[cell]), folder.geometry(start)),
            uses=Uses(memory=inputs[cell].n_bytes),
            problem=inputs[start].problem or inputs[cell].problem,
        )
        for cell, start in starts
        if start in inputs
    ]


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
