"""The pieces of work on the cells of a study, which its plan asks for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from geoprobe.geometry import Cell
from geoprobe.studies.cells import ends, last_steps
from geoprobe.studies.folder import StudyFolder
from geoprobe.studies.plan import Plan
from geoprobe.studies.working import (
    classify_cell,
    measure_cell,
    memorise_cell,
    move_cell,
    resample_cell,
)

WHOLE_MACHINE = ("classify", "memorise")
"""Kinds whose networks are one batched computation, which takes all processors."""


class Piece(NamedTuple):
    """Work on one cell; done when its file is there."""

    cell: Cell
    path: Path
    work: Callable[..., float]
    """Takes ``n_threads`` and returns seconds."""

    @property
    def done(self) -> bool:
        """Whether the file is there."""
        return self.path.is_file()


def pieces(plan: Plan, folder: StudyFolder, cells: list[Cell]) -> dict[str, list[Piece]]:
    """List the work on cells by its kind, in the order in which it is done.

    Parameters
    ----------
    plan : Plan
    folder : StudyFolder
    cells : list of Cell
        Those of the study, extracted or still to be.
    """
    root, wanted = folder.root, set(plan.analyses)
    last = ends(cells)
    found = {
        "measure": [
            Piece(cell, folder.geometry(cell), partial(measure_cell, root, cell, plan.tau))
            for cell in cells
        ]
    }
    if "movement" in wanted:
        found["move"] = [
            Piece(cell, folder.movement(cell), partial(move_cell, root, cell))
            for cell in last_steps(cells)
            if cell.tuned_on is not None
        ]
    if plan.resamples and wanted & {"min-distances", "similarity"}:
        found["resample"] = [
            Piece(
                cell,
                folder.resamples(cell, plan.resamples),
                partial(resample_cell, root, cell, plan.tau, plan.resamples),
            )
            for cell in cells
        ]
    grid = plan.classifier
    if grid is not None and wanted & {"performance", "cross-task"}:
        found["classify"] = [
            Piece(
                cell,
                folder.classifier(cell),
                partial(classify_cell, root, cell, grid, plan.device),
            )
            for cell in last
        ]
    if grid is not None and "memorisation" in wanted:
        found["memorise"] = [
            Piece(
                cell,
                folder.memorisation(cell),
                partial(memorise_cell, root, cell, grid, plan.device),
            )
            for cell in last
            if cell.tuned_on in (None, cell.task)
        ]
    return found
