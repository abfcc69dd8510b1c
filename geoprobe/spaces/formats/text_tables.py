"""Tables in text, csv and tsv: their rows one by one, and columns read from them by rows."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError
from geoprobe.files.text_files import checked_file
from geoprobe.spaces.formats.named_arrays import StoredArray
from geoprobe.spaces.text_formats import parse_label, parse_numbers

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
DELIMITED = tuple(_DELIMITERS)
"""Endings of tables in text."""

Rows = Iterator[tuple[int, list[str]]]
_Parse = Callable[[list[str], int], Any]


def table_rows(path: str | os.PathLike[str]) -> Rows:
    """Yield the names of the columns, and then row after row, each with its line.

    Raises
    ------
    FormatError
        Naming the line: a column that is there twice, a row of another length, a quote that is
        never closed; or if the file is not text in UTF-8.
    """
    path = checked_file(path)
    line = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=_DELIMITERS[path.suffix.lower()], strict=True)
            names = next(reader, [])
            twice = {name for name in names if names.count(name) > 1}
            if twice:
                raise FormatError(f"the column {min(twice)!r} is there more than once.", path, line)
            yield line, names
            for row in reader:
                line = reader.line_num
                if row and len(row) != len(names):
                    raise FormatError(
                        f"the row has {len(row)} cells, but there are {len(names)} columns.",
                        path,
                        line,
                    )
                if row:
                    yield line, row
    except UnicodeDecodeError as error:
        raise FormatError("the file is not text in UTF-8.", path) from error
    except csv.Error as error:
        raise FormatError(f"this is no valid row: {error}.", path, reader.line_num) from error


class TextTable:
    """The columns of a table in text; every cell is text until it is asked for as a number."""

    kind = "column"
    points: tuple[str, ...] = ("X",)
    labels: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        self.path: Path | None = path
        self._file_path = path
        _, self.names = next(table_rows(path))

    @cached_property
    def _n_rows(self) -> int:
        n_rows = sum(1 for _ in table_rows(self._file_path)) - 1
        if not n_rows:
            raise FormatError("there is no row below the column names.", self.path)
        return n_rows

    def array(self, name: str) -> StoredArray:
        """Return one column as labels, unread.

        Raises
        ------
        FormatError
            Naming the line of the first row that is no row of this table, or holds no label.
        """
        return self._stored((), "str", partial(self._label, self.names.index(name)))

    def columns(self, names: list[str]) -> StoredArray:
        """Return columns of numbers side by side, unread, shape (n_rows, n_columns).

        Raises
        ------
        FormatError
            Naming line and column of the first cell that is no finite number.
        """
        places = [self.names.index(name) for name in names]
        return self._stored((len(names),), "float64", partial(self._numbers, places, names))

    def _stored(self, more: tuple[int, ...], dtype: str, parse: _Parse) -> StoredArray:
        walk = _Walk(self._file_path, self._n_rows, parse)
        return StoredArray((self._n_rows, *more), dtype, walk.rows)

    def _label(self, place: int, row: list[str], line: int) -> str:
        return parse_label(row[place], self._file_path, line)

    def _numbers(
        self, places: list[int], names: list[str], row: list[str], line: int
    ) -> NDArray[np.float64]:
        return parse_numbers([row[at] for at in places], self._file_path, line, names=names)


class _Walk:
    """A table on the way from its first row to its last."""

    def __init__(self, path: Path, n_rows: int, parse: _Parse) -> None:
        self._path, self._n_rows, self._parse = path, n_rows, parse
        self._on: Rows = iter(())
        self._next = n_rows

    def rows(self, begin: int, end: int) -> NDArray[Any]:
        """Return the rows ``begin`` to ``end``, fastest where the last call ended at ``begin``."""
        end = min(end, self._n_rows)
        if begin < self._next:
            self._on, self._next = islice(table_rows(self._path), 1, None), 0
        some = islice(self._on, begin - self._next, end - self._next)
        found = np.array([self._parse(row, line) for line, row in some])
        if len(found) != end - begin:
            raise FormatError(
                f"the table had {self._n_rows} rows when it was opened, and has fewer now.",
                self._path,
            )
        self._next = end
        return found
