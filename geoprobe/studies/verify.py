"""Verification of a study: every measured cell against its points."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

from geoprobe.errors import GeoprobeError, VerificationError
from geoprobe.geometry import Cell
from geoprobe.processes import in_processes
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.studies.cell_files import read_measured
from geoprobe.studies.inputs import Inputs, study_inputs
from geoprobe.studies.jobs import read_test, read_train
from geoprobe.studies.study_folder import StudyFolder
from geoprobe.threads import checked_threads
from geoprobe.verify import VerificationReport, verify_geometry

_FEW = 3
"""So many cells are worth processes of their own, which take seconds to start."""


class StudyVerification(NamedTuple):
    """What the verification of a study came to."""

    folder: Path
    reports: dict[Cell, VerificationReport]
    """Of every cell that holds."""
    failures: dict[Cell, str]
    """Of every cell that does not: file, pair or row, and value."""
    not_measured: tuple[Cell, ...]
    """Cells whose spaces are there, but not yet their geometry."""
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether every measured cell holds, and there is one."""
        return bool(self.reports) and not self.failures


def verify_study(
    folder: StudyFolder,
    *,
    n_workers: int | None = None,
    max_gap: float | None = None,
    progress: ProgressCallback | None = None,
) -> StudyVerification:
    """Check every measured cell of a study against its points, in plain NumPy.

    Parameters
    ----------
    folder : StudyFolder
    n_workers : int, optional
        Processes; all processors by default.
    max_gap : float, optional
        As for :func:`geoprobe.verify.verify_geometry`.
    progress : callable, optional
        Called after every cell.

    Returns
    -------
    StudyVerification

    Raises
    ------
    FormatError
        If this is no folder of a study.
    """
    began = time.perf_counter()
    plan, _ = folder.plan()
    listed = study_inputs(plan, folder)
    measured = {cell: inputs for cell, inputs in listed.items() if folder.geometry(cell).is_file()}
    reports: dict[Cell, VerificationReport] = {}
    failures: dict[Cell, str] = {}
    calls = [
        partial(verify_cell, folder.root, cell, inputs, max_gap)
        for cell, inputs in measured.items()
    ]
    workers = checked_threads(n_workers)
    answers = in_processes(calls, workers if len(calls) >= _FEW else 1)
    outcomes = zip(measured, answers, strict=True)
    for done, (cell, outcome) in enumerate(outcomes, start=1):
        if isinstance(outcome, VerificationReport):
            reports[cell] = outcome
        else:
            failures[cell] = outcome
        if progress is not None:
            progress(Progress("verifying cells", done, len(measured), str(cell)))
    waiting = tuple(cell for cell in listed if cell not in reports and cell not in failures)
    return StudyVerification(folder.root, reports, failures, waiting, time.perf_counter() - began)


def verify_cell(
    root: Path, cell: Cell, inputs: Inputs, max_gap: float | None
) -> VerificationReport | str:
    """Check one cell of a study; return what was checked, or what does not hold.

    A cell that was also measured by the clusters of its original space is checked by both.
    """
    folder = StudyFolder(root)
    path = folder.geometry(cell)
    try:
        geometry = read_measured(path, cell)
        train, test = read_train(inputs), read_test(inputs)
        report = verify_geometry(
            geometry,
            train.points,
            train.labels,
            test_points=None if test is None else test.points,
            test_labels=None if test is None else test.labels,
            max_gap=max_gap,
            where=str(path),
        )
        path = folder.held(cell)
        if path.is_file():
            held = read_measured(path, cell)
            verify_geometry(held, train.points, train.labels, max_gap=max_gap, where=str(path))
        return report
    except VerificationError as error:
        return str(error)
    except GeoprobeError as error:
        return f"{cell}: {error}" if str(path) not in str(error) else str(error)
