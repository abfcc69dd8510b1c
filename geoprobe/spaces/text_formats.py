"""Labelled points in text: tables in csv and tsv, and the text files of DirectProbe."""

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
from geoprobe.files.text_files import checked_file, open_text

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
            labels.append(_parse_label(row[at_label], table, line))
            cells = [row[at] for at in at_points]
            numbers.append(_parse_numbers(cells, table, line, names=points))
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
        labels = [_parse_label(row[at], table, line) for line, row in rows]
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


def read_embeddings(path: str | os.PathLike[str]) -> NDArray[np.float64]:
    """Read vectors, one a line, numbers separated by white space.

    Returns
    -------
    ndarray of float64, shape (n_points, n_dims)

    Raises
    ------
    FormatError
        Naming the first line that is shorter or longer than the first one, or the first value that
        is no finite number.
    """
    vectors: list[NDArray[np.float64]] = []
    with open_text(path) as file:
        for line, text in enumerate(file, start=1):
            cells = text.split()
            n_dims = len(vectors[0]) if vectors else max(len(cells), 1)
            if len(cells) != n_dims:
                raise FormatError(
                    f"the vector has {len(cells)} numbers, but {n_dims} are expected.", path, line
                )
            vectors.append(_parse_numbers(cells, path, line))
    return np.stack(vectors)


def read_entities(path: str | os.PathLike[str]) -> list[str]:
    """Read the labels of entities; a line is an entity, a tab, and the entity's label.

    Returns
    -------
    list of str, length n_points

    Raises
    ------
    FormatError
        Naming the first line that does not consist of these two parts.
    """
    labels: list[str] = []
    with open_text(path) as file:
        for line, text in enumerate(file, start=1):
            parts = text.strip().split("\t")
            if len(parts) != 2:
                raise FormatError(
                    f"the line has {len(parts)} part(s), but an entity, a tab and a label are "
                    f"expected.",
                    path,
                    line,
                )
            labels.append(_parse_label(parts[1], path, line))
    return labels


def read_label_set(path: str | os.PathLike[str]) -> list[str]:
    """Read the labels that may occur, one a line.

    Returns
    -------
    list of str
        Sorted, each once. An empty line is the empty label, as in DirectProbe.
    """
    with open_text(path) as file:
        return sorted({line.strip() for line in file})


def read_label_lines(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read labels, one a line; in a file of entities, the part after the tab.

    Whether the file lists entities is decided by a tab in its first line.

    Returns
    -------
    ndarray of str, shape (n_points,)

    Raises
    ------
    FormatError
        Naming the first line without a label.
    """
    with open_text(path) as file:
        if "\t" in file.readline().strip():
            return np.array(read_entities(path))
    labels: list[str] = []
    with open_text(path) as file:
        for line, text in enumerate(file, start=1):
            if "\t" in text.strip():
                raise FormatError(
                    "the line has a tab, but a label alone is expected, as in line 1.", path, line
                )
            labels.append(_parse_label(text, path, line))
    return np.array(labels)


def check_labels(
    labels: list[str], known: list[str], path: str | os.PathLike[str], label_set: str
) -> None:
    """Refuse a label that is not in the label set, naming the line of the entities file."""
    allowed = set(known)
    for line, label in enumerate(labels, start=1):
        if label not in allowed:
            raise FormatError(
                f"the label {label!r} is not in the label set {label_set} ({len(known)} labels).",
                path,
                line,
            )


def _parse_numbers(
    cells: Sequence[str],
    path: str | os.PathLike[str],
    line: int,
    *,
    names: Sequence[str] | None = None,
) -> NDArray[np.float64]:
    """Turn the cells of one line into finite numbers.

    Parameters
    ----------
    cells : sequence of str, length n_dims
    path : path-like
        The file, for messages.
    line : int
        The line, for messages.
    names : sequence of str or None, length n_dims
        Names of the columns; they are counted from 1 without them.

    Returns
    -------
    ndarray of float64, shape (n_dims,)

    Raises
    ------
    FormatError
        Naming the first cell that is no finite number.
    """
    try:
        numbers = np.array(list(map(float, cells)))
    except ValueError:
        numbers = None
    # Python reads "1_000" as a number; nobody who writes data means that.
    if numbers is not None and np.isfinite(numbers).all() and "_" not in "".join(cells):
        return numbers
    at = next(at for at, cell in enumerate(cells) if not _is_finite(cell))
    column = f"column {names[at]!r}" if names is not None else f"value {at + 1}"
    raise FormatError(f"{column} is {cells[at]!r}, but a finite number is expected.", path, line)


def _parse_label(text: str, path: str | os.PathLike[str], line: int) -> str:
    """Return a label without the white space around it.

    Raises
    ------
    FormatError
        If there is none, or it has a NUL character, which NumPy's strings drop at the end.
    """
    label = text.strip()
    if not label:
        raise FormatError("the label is empty.", path, line)
    if "\0" in label:
        raise FormatError(f"the label {label!r} has a NUL character.", path, line)
    return label


def _is_finite(cell: str) -> bool:
    try:
        return "_" not in cell and bool(np.isfinite(float(cell)))
    except ValueError:
        return False
