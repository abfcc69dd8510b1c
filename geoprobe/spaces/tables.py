"""Tables in csv (commas) or tsv (tabs) with a line of column names."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError
from geoprobe.files.text_files import checked_file
from geoprobe.spaces.cells import parse_label, parse_numbers

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_Rows = Iterator[tuple[int, list[str]]]


def read_table(
    path: str | os.PathLike[str], *, label: str, points: Sequence[str] | None = None
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Read points and labels from a table.

    Parameters
    ----------
    path : path-like
    label : str
        The column of the labels.
    points : sequence of str or None
        The columns of the coordinates; all columns but that of the labels by default.

    Returns
    -------
    points : ndarray of float64, shape (n_points, n_dims)
    labels : ndarray of str, shape (n_points,)

    Raises
    ------
    FormatError
        Naming line and column of the first cell that cannot be used.
    """
    numbers: list[NDArray[np.float64]] = []
    labels: list[str] = []
    with _open_table(path) as (table, names, rows):
        at_label = _position(table, names, label)
        if points is None:
            points = [name for name in names if name != label]
        if not points:
            raise FormatError(f"there is no column besides {label!r}.", table, 1)
        at_points = [_position(table, names, name) for name in points]
        for line, row in rows:
            labels.append(parse_label(row[at_label], table, line))
            cells = [row[at] for at in at_points]
            numbers.append(parse_numbers(cells, table, line, names=points))
    if not labels:
        raise FormatError("there is no row below the column names.", table)
    return np.stack(numbers), np.array(labels)


def read_column(path: str | os.PathLike[str], *, label: str) -> NDArray[Any]:
    """Read the labels alone from a table.

    Returns
    -------
    ndarray of str, shape (n_rows,)
    """
    with _open_table(path) as (table, names, rows):
        at = _position(table, names, label)
        labels = [parse_label(row[at], table, line) for line, row in rows]
    if not labels:
        raise FormatError("there is no row below the column names.", table)
    return np.array(labels)


@contextmanager
def _open_table(path: str | os.PathLike[str]) -> Iterator[tuple[Path, list[str], _Rows]]:
    """Open a table and give its path, column names, and numbered rows of the right length."""
    path = checked_file(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            delimiter = _DELIMITERS[path.suffix.lower()]
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            names = next(reader, [])
            twice = {name for name in names if names.count(name) > 1}
            if twice:
                raise FormatError(f"the column {min(twice)!r} is there more than once.", path, 1)
            try:
                yield path, names, _rows(reader, path, len(names))
            except csv.Error as error:
                raise FormatError(
                    f"this is no valid row: {error}.", path, reader.line_num
                ) from error
    except UnicodeDecodeError as error:
        raise FormatError("the file is not text in UTF-8.", path) from error
    except csv.Error as error:
        raise FormatError(f"this is no valid row: {error}.", path, 1) from error


def _rows(reader: Any, path: Path, n_columns: int) -> _Rows:
    for row in reader:
        if not row:
            continue
        if len(row) != n_columns:
            raise FormatError(
                f"the row has {len(row)} cells, but there are {n_columns} columns.",
                path,
                reader.line_num,
            )
        yield reader.line_num, row


def _position(path: Path, names: list[str], name: str) -> int:
    if name not in names:
        shown = ", ".join(repr(each) for each in names[:20])
        more = f" and {len(names) - 20} more" if len(names) > 20 else ""
        raise FormatError(f"there is no column {name!r}; the columns are {shown}{more}.", path, 1)
    return names.index(name)
