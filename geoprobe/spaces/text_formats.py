"""Labelled points in the text files of DirectProbe, and the cells of any text."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError
from geoprobe.files.text_files import open_text


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
            vectors.append(parse_numbers(cells, path, line))
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
            labels.append(parse_label(parts[1], path, line))
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
            labels.append(parse_label(text, path, line))
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


def parse_numbers(
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


def parse_label(text: str, path: str | os.PathLike[str], line: int) -> str:
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
