"""Tidy csv tables as columns: written and read in blocks of rows, floats to the last bit."""

from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError

ROWS_AT_ONCE = 65536

Column = NDArray[Any] | Sequence[Any]


def texts(labels: Iterable[Any]) -> list[str]:
    """Return how each label is spelt in a table, shape (n_labels,)."""
    values = labels.tolist() if isinstance(labels, np.ndarray) else labels
    return [str(value) for value in values]


def pick(names: Sequence[str], positions: NDArray[np.integer[Any]]) -> NDArray[np.object_]:
    """Return ``names[positions]`` as a column of shared strings, shape (n_rows,)."""
    table = np.empty(len(names), dtype=object)
    table[:] = names
    picked: NDArray[np.object_] = table[positions]
    return picked


def write_table(path: Path, columns: dict[str, Column]) -> None:
    """Write columns of one length as csv; floats get the shortest text that reads back the same.

    Parameters
    ----------
    path : Path
        The file, which is replaced.
    columns : dict from name to array or sequence, shapes (n_rows,)
    """
    n_rows = len(next(iter(columns.values())))
    with path.open("w", newline="", encoding="utf-8", errors="surrogatepass") as file:
        writer = csv.writer(file, lineterminator="\n", quoting=_quoting(columns))
        writer.writerow(columns)
        for begin in range(0, n_rows, ROWS_AT_ONCE):
            part = slice(begin, begin + ROWS_AT_ONCE)
            writer.writerows(
                zip(*(_plain(column[part]) for column in columns.values()), strict=True)
            )


@dataclass(frozen=True)
class Kind:
    """What the cells of a column hold.

    Attributes
    ----------
    dtype : type
        Of the array that the column becomes.
    parse : callable
        Turns a cell into a number, or raises ValueError, KeyError or OverflowError.
    expected : str
        What to call a good cell in an error.
    """

    dtype: type[np.generic]
    parse: Callable[[str], Any]
    expected: str

    def array(self, cells: Sequence[str]) -> NDArray[Any]:
        """Return the numbers of some cells, shape (n_cells,)."""
        return np.fromiter(map(self.parse, cells), dtype=self.dtype, count=len(cells))


def _finite(cell: str) -> float:
    value = float(cell)
    if not math.isfinite(value):
        raise ValueError(cell)
    return value


WHOLE = Kind(np.int64, int, "a whole number of 64 bits")
FINITE = Kind(np.float64, _finite, "a finite number")
ANY_TEXT = Kind(np.object_, str, "text")


def one_of(words: Sequence[str]) -> Kind:
    """Return the kind of column whose cells are words; they become positions in ``words``."""
    shown = ", ".join(words[:20]) + (", ..." if len(words) > 20 else "")
    position = {word: k for k, word in enumerate(words)}
    return Kind(np.int64, position.__getitem__, f"one of {shown}")


def read_table(path: Path, kinds: Mapping[str, Kind]) -> dict[str, NDArray[Any]]:
    """Read a csv table as arrays.

    Parameters
    ----------
    path : Path
    kinds : mapping from name to Kind
        The columns that the first line must name, in this order.

    Returns
    -------
    dict from name to ndarray, shape (n_rows,)

    Raises
    ------
    FormatError
        If the file is missing or no csv; or naming the first line that is not as expected.
    """
    parts: dict[str, list[NDArray[Any]]] = {
        name: [np.empty(0, dtype=kind.dtype)] for name, kind in kinds.items()
    }
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogatepass") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, None)
            if header != list(kinds):
                raise FormatError(
                    f"the columns should be {','.join(kinds)}, not {','.join(header or [])}.",
                    path,
                    1,
                )
            for line, block in _blocks(reader, path, len(kinds)):
                for (name, kind), cells in zip(
                    kinds.items(), zip(*block, strict=True), strict=True
                ):
                    parts[name].append(_convert(path, line, name, kind, cells))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"the table cannot be read: {error}.", path) from error
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def _convert(path: Path, line: int, name: str, kind: Kind, cells: Sequence[str]) -> NDArray[Any]:
    """Turn some cells of a column into numbers; ``line`` is that of the first."""
    try:
        return kind.array(cells)
    except (ValueError, KeyError, OverflowError):
        for at, cell in enumerate(cells):
            try:
                kind.array([cell])
            except (ValueError, KeyError, OverflowError):
                raise FormatError(
                    f"{name} should be {kind.expected}, not {cell!r}.", path, line + at
                ) from None
        raise


def _quoting(columns: Mapping[str, Column]) -> Literal[0, 2]:
    """Return how much to quote: a bare carriage return goes unquoted before Python 3.13."""
    words = (c for c in columns.values() if not isinstance(c, np.ndarray) or c.dtype.kind == "O")
    risky = any("\r" in str(cell) for column in words for cell in set(column))
    return csv.QUOTE_NONNUMERIC if risky else csv.QUOTE_MINIMAL


def _plain(column: Column) -> Sequence[Any]:
    """Return a part of a column as Python values, which csv writes with ``repr``."""
    return column.tolist() if isinstance(column, np.ndarray) else column


def _blocks(
    reader: Iterator[list[str]], path: Path, width: int
) -> Iterator[tuple[int, list[list[str]]]]:
    """Group rows into blocks, each with the line of its first row, and check their width."""
    line = 2
    while block := list(itertools.islice(reader, ROWS_AT_ONCE)):
        for number, row in enumerate(block, start=line):
            if len(row) != width:
                raise FormatError(f"{width} cells expected, {len(row)} found.", path, number)
        yield line, block
        line += len(block)
