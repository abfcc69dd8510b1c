"""Check a result against the data, without anything that computed it.

Only NumPy is used here: neither the kernels nor a solver is imported.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geoprobe.arrays import as_labels, as_points
from geoprobe.errors import FormatError, VerificationError
from geoprobe.files.folders import is_unfinished
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.results.layout import DISJOINT, OVERLAP, SUMMARY, UNPROVED
from geoprobe.results.source import Source
from geoprobe.results.summary import read_summary
from geoprobe.results.tabled import Tabled, read_tabled
from geoprobe.results.verify_certificates import (
    UPPER_TOLERANCE,
    Widths,
    check_blocks,
    check_distances,
    check_scale,
    check_weights,
)
from geoprobe.results.verify_geometry import Geometry
from geoprobe.results.verify_partition import (
    check_assignments,
    check_clusters,
    check_counts,
    check_input,
    check_label_distances,
    check_pairs,
    check_summary,
)
from geoprobe.results.verify_predictions import check_predictions


@dataclass(frozen=True)
class VerificationReport:
    """What was checked, all of it with success.

    Attributes
    ----------
    folder : Path
    checks : tuple of (str, int)
        Each kind of check, and how many were made.
    n_unproved : int
        Pairs of clusters whose result says that nothing was proved.
    worst_gap : float
        The largest relative width ``(upper - lower) / upper`` of a disjoint pair's bounds.
    worst_row : int
        Its row in ``distances.csv``, counted from 0; -1 when no pair is disjoint.
    tolerance : float
        How far a stated length may be from the one found here, in the units of the points.
    rounding : float
        How far float64 arithmetic may put a margin off, in the units of the points.
    seconds : float
        How long it took.
    """

    folder: Path
    checks: tuple[tuple[str, int], ...]
    n_unproved: int
    worst_gap: float
    worst_row: int
    tolerance: float
    rounding: float
    seconds: float

    @property
    def n_checks(self) -> int:
        """The number of checks of all kinds."""
        return sum(number for _, number in self.checks)


def verify_results(
    folder: str | os.PathLike[str],
    points: Any,
    labels: Any,
    *,
    progress: ProgressCallback | None = None,
) -> VerificationReport:
    """Check every hash, table and certificate of a results folder against the data.

    Parameters
    ----------
    folder : path
        As :func:`geoprobe.results.write_results` wrote it.
    points : array-like, shape (n_points, n_dims)
    labels : array-like, shape (n_points,)
    progress : callable or None
        Takes a :class:`geoprobe.progress.Progress` now and then.

    Returns
    -------
    VerificationReport

    Raises
    ------
    VerificationError
        At the first thing that does not hold, naming file, line and value.
    FormatError
        If the folder holds no finished results at all.
    InputError
        If the points or labels cannot be used.
    """
    began = time.perf_counter()

    def tick(phase: str, done: int, total: int) -> None:
        if progress is not None:
            progress(Progress(f"verifying {phase}", done, total))

    data = as_points(points)
    classes, codes = as_labels(labels, len(data))
    tick("files", 0, 1)
    t = _read(folder)
    tick("files", 1, 1)
    codes64 = codes.astype(np.int64)
    checks = [
        ("files unchanged", t.n_files),
        ("input", check_input(t, data, classes, codes64)),
        ("points in clusters of their label", check_assignments(t, codes64)),
        ("clusters", check_clusters(t)),
        ("pairs of clusters listed once", check_pairs(t)),
        ("label distances", check_label_distances(t)),
        ("numbers of the summary", check_summary(t) + check_counts(t, data, codes64)),
        ("predictions consistent", check_predictions(t)),
    ]
    geometry = Geometry(data, t.assignment, len(t.cluster))
    checks.append(("tau and scale", check_scale(t, geometry)))
    checks.append(("convex weights", check_weights(t)))
    widths = check_distances(t, geometry, tick)
    checks += _by_status(t)
    checks.append(("pairs that cannot merge", check_blocks(t, geometry, tick)))
    return _report(t, geometry, checks, widths, time.perf_counter() - began)


def remembered_source(folder: str | os.PathLike[str], path: Path | None = None) -> Source:
    """Return where the data of a results folder came from, as its summary says.

    Parameters
    ----------
    folder : path
    path : Path or None
        Where the file of the data lies now; None for the place that the summary names.

    Raises
    ------
    VerificationError
        If the summary was changed.
    FormatError
        If the folder holds no finished results at all.
    InputError
        If the summary names no file.
    """
    place = Path(folder)
    _check_finished(place)
    try:
        summary = read_summary(place)
    except FormatError as error:
        raise VerificationError(str(error)) from error
    return Source.remembered(summary["input"], path)


def _check_finished(place: Path) -> None:
    """Raise FormatError where there is nothing that claims to hold."""
    if is_unfinished(place) or not (place / SUMMARY).is_file():
        read_summary(place)


def _read(folder: str | os.PathLike[str]) -> Tabled:
    """Read the folder; what is wrong inside a finished folder is a result that does not hold."""
    place = Path(folder)
    _check_finished(place)
    try:
        return read_tabled(place)
    except FormatError as error:
        raise VerificationError(str(error)) from error


def _by_status(t: Tabled) -> list[tuple[str, int]]:
    count = np.bincount(t.pairs.status, minlength=3)
    return [
        ("pairs disjoint, both bounds hold", int(count[DISJOINT])),
        ("pairs overlapping", int(count[OVERLAP])),
        ("pairs left unproved, both bounds hold", int(count[UNPROVED])),
    ]


def _report(
    t: Tabled,
    geometry: Geometry,
    checks: list[tuple[str, int]],
    widths: Widths,
    seconds: float,
) -> VerificationReport:
    return VerificationReport(
        folder=t.folder,
        checks=tuple(checks),
        n_unproved=dict(checks)["pairs left unproved, both bounds hold"],
        worst_gap=widths.worst,
        worst_row=widths.row,
        tolerance=UPPER_TOLERANCE * geometry.radius + geometry.rounding,
        rounding=geometry.rounding,
        seconds=seconds,
    )
