"""Tidy csv tables as columns, written in blocks of rows, floats to the last bit."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

ROWS_AT_ONCE = 65536

Column = NDArray[Any] | Sequence[Any]


def pick(names: Sequence[str], positions: NDArray[np.integer[Any]]) -> NDArray[np.object_]:
    """Return ``names[positions]`` as a column of shared strings, shape (n_rows,)."""
    table = np.empty(len(names), dtype=object)
    table[:] = names
    picked: NDArray[np.object_] = table[positions]
    return picked


def write_table(path: Path, columns: Mapping[str, Column]) -> None:
    """Write columns of one length as csv; floats get the shortest text that reads back the same.

    Parameters
    ----------
    path : Path
        The file, which is replaced.
    columns : mapping from name to array or sequence, shapes (n_rows,)
    """
    with path.open("w", newline="", encoding="utf-8", errors="surrogatepass") as file:
        write_rows(file, columns)


def write_rows(file: IO[str], columns: Mapping[str, Column]) -> None:
    """Write columns as csv into an open file, block by block."""
    n_rows = len(next(iter(columns.values())))
    writer = csv.writer(file, lineterminator="\n", quoting=_quoting(columns))
    writer.writerow(columns)
    for begin in range(0, n_rows, ROWS_AT_ONCE):
        part = slice(begin, begin + ROWS_AT_ONCE)
        writer.writerows(zip(*(_plain(column[part]) for column in columns.values()), strict=True))


def _quoting(columns: Mapping[str, Column]) -> Literal[0, 2]:
    """Return how much to quote: a bare carriage return goes unquoted before Python 3.13."""
    words = (c for c in columns.values() if not isinstance(c, np.ndarray) or c.dtype.kind == "O")
    risky = any("\r" in str(cell) for column in words for cell in set(column))
    return csv.QUOTE_NONNUMERIC if risky else csv.QUOTE_MINIMAL


def _plain(column: Column) -> Sequence[Any]:
    """Return a part of a column as Python values, which csv writes with ``repr``."""
    return column.tolist() if isinstance(column, np.ndarray) else column
