"""Verification of a results folder: its tables and summary against its geometry, that by proof."""

from __future__ import annotations

import csv
import io
import os
from itertools import zip_longest
from pathlib import Path
from typing import Any

from geoprobe.errors import FormatError, InputError, VerificationError
from geoprobe.files.atomic import is_unfinished
from geoprobe.files.csv_files import write_rows
from geoprobe.geometry.result_tables import tables
from geoprobe.geometry.results_folder import GEOMETRY, SUMMARY, Results, describe, read_results
from geoprobe.progress import ProgressCallback
from geoprobe.verify.claims import VerificationReport, verify_geometry
from geoprobe.verify.wording import short


def verify_results(
    folder: str | os.PathLike[str],
    points: Any,
    labels: Any,
    *,
    test_points: Any = None,
    test_labels: Any = None,
    max_gap: float | None = None,
    progress: ProgressCallback | None = None,
) -> VerificationReport:
    """Check every table and certificate of a results folder against the data.

    Parameters
    ----------
    folder : path
        As :func:`geoprobe.geometry.write_results` wrote it.
    points, labels, test_points, test_labels, max_gap, progress
        As for :func:`geoprobe.verify.verify_geometry`.

    Returns
    -------
    VerificationReport

    Raises
    ------
    VerificationError
        At the first thing that does not hold, naming file, row and value.
    FormatError
        If the folder holds no finished results at all.
    InputError
        If the points or labels cannot be used, or test points are given and nothing was predicted.
    """
    results = read_claims(folder)
    if test_points is not None and results.geometry.predictions is None:
        raise InputError(f"{folder}: nothing was predicted, so that test points have no use here.")
    n_numbers = _check_summary(results)
    n_rows = sum(_check_table(results, name) for name in tables(results.geometry))
    report = verify_geometry(
        results.geometry,
        points,
        labels,
        test_points=test_points,
        test_labels=test_labels,
        max_gap=max_gap,
        where=str(results.folder / GEOMETRY),
        progress=progress,
    )
    return report.about(
        str(results.folder), (("numbers of the summary", n_numbers), ("rows of tables", n_rows))
    )


def read_claims(folder: str | os.PathLike[str]) -> Results:
    """Read a results folder; what is wrong inside a finished one is a result that does not hold.

    Raises
    ------
    FormatError
        If there is nothing that claims to hold.
    VerificationError
        If a file is damaged or was changed.
    """
    place = Path(folder)
    try:
        return read_results(place)
    except FormatError as error:
        if is_unfinished(place) or not (place / SUMMARY).is_file():
            raise
        raise VerificationError(str(error)) from error


def _check_summary(results: Results) -> int:
    """Check that the summary says what follows from the geometry."""
    path, expected = results.folder / SUMMARY, describe(results.geometry)
    for key, value in expected.items():
        if results.summary.get(key) != value:
            raise VerificationError(
                f"{path}: {key!r} is {short(results.summary.get(key))}, but the geometry gives "
                f"{short(value)}."
            )
    return len(expected)


def _check_table(results: Results, name: str) -> int:
    """Check a table against the geometry, cell by cell; return its number of rows."""
    path = results.folder / name
    expected = io.StringIO()
    write_rows(expected, tables(results.geometry)[name])
    try:
        with path.open(encoding="utf-8", errors="surrogatepass", newline="") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise VerificationError(f"{path}: the table cannot be read: {error}.") from error
    if text == expected.getvalue():
        return text.count("\n") - 1
    header = list(tables(results.geometry)[name])
    ours = csv.reader(io.StringIO(expected.getvalue(), newline=""))
    theirs = csv.reader(io.StringIO(text, newline=""), strict=True)
    line, none = 0, list[str]()
    try:
        for line, (stated, wanted) in enumerate(zip_longest(theirs, ours, fillvalue=none), 1):
            if len(stated) != len(wanted):
                raise VerificationError(
                    f"{path}, line {line}: {','.join(stated) or 'nothing'} is there, but the "
                    f"geometry gives {','.join(wanted) or 'no such line'}."
                )
            for column, cell, right in zip(header, stated, wanted, strict=True):
                if cell != right and not (column == "mean" and _same_sum(cell, right)):
                    raise VerificationError(
                        f"{path}, line {line}: {column} is {cell!r}, but the geometry gives "
                        f"{right!r}."
                    )
    except csv.Error as error:
        raise VerificationError(f"{path}, line {theirs.line_num}: {error}.") from error
    return line - 1


def _same_sum(stated: str, expected: str) -> bool:
    """Whether two numbers differ as sums do that NumPy adds in another order elsewhere."""
    try:
        a, b = float(stated), float(expected)
    except ValueError:
        return False
    return abs(a - b) <= 1e-12 * abs(b)
