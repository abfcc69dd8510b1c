"""Tidy csv tables as columns: in blocks of rows, floats to the last bit, text never a formula."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

ROWS_AT_ONCE = 65536
# Spreadsheets run what begins so (the last four are = + - @ of full width), but for plain numbers.
# Apostrophes before it belong to the text, and one more makes the cell.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)

Column = NDArray[Any] | Sequence[Any]


def pick(names: Sequence[str], positions: NDArray[np.integer[Any]]) -> NDArray[np.object_]:
    """Return ``names[positions]`` as a column of shared strings, shape (n_rows,)."""
    table = np.empty(len(names), dtype=object)
    table[:] = names
    picked: NDArray[np.object_] = table[positions]
    return picked


def as_cell(text: str) -> str:
    """Return the cell for a text: an apostrophe comes before what a spreadsheet would run.

    Examples
    --------
    >>> [as_cell(text) for text in ("NOUN", "-", "-5", "=1+1", "''")]
    ['NOUN', "'-", '-5', "'=1+1", "''"]
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def from_cell(cell: str) -> str:
    """Return the text that :func:`as_cell` made a cell of."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def write_table(path: Path, columns: Mapping[str, Column]) -> None:
    """Write columns of one length as csv; floats get the shortest text that reads back the same.

    Text that a spreadsheet would run as a formula gets an apostrophe, see :func:`as_cell`.

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
    cells = {word: as_cell(word) for word in _words(columns)}
    # A bare carriage return goes unquoted before Python 3.13.
    risky = any("\r" in word for word in cells)
    quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if risky else csv.QUOTE_MINIMAL
    writer = csv.writer(file, lineterminator="\n", quoting=quoting)
    writer.writerow(columns)
    for begin in range(0, n_rows, ROWS_AT_ONCE):
        part = slice(begin, begin + ROWS_AT_ONCE)
        writer.writerows(
            zip(*(_plain(column[part], cells) for column in columns.values()), strict=True)
        )


def _words(columns: Mapping[str, Column]) -> set[str]:
    """Return every different text in some columns."""
    texts = (c for c in columns.values() if not isinstance(c, np.ndarray) or c.dtype.kind in "OU")
    return {cell for column in texts for cell in set(column) if isinstance(cell, str)}


def _plain(column: Column, cells: Mapping[str, str]) -> Iterable[Any]:
    """Return a part of a column as what csv is to write; numbers with ``repr``."""
    if isinstance(column, np.ndarray) and column.dtype.kind not in "OU":
        numbers: list[Any] = column.tolist()
        return numbers
    return [cells[cell] if isinstance(cell, str) else cell for cell in column]
