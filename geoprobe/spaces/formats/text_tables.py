"""Tables in text, csv and tsv: their rows one by one, and columns read from them by rows."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError
from geoprobe.files.text_files import checked_file
from geoprobe.spaces.formats.named_arrays import StoredArray, TableColumns, Walk
from geoprobe.spaces.text_formats import parse_label, parse_numbers

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
DELIMITED = tuple(_DELIMITERS)
"""Endings of tables in text."""

Rows = Iterator[tuple[int, list[str]]]
_BLOCK = 256


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


class TextTable(TableColumns):
    """The columns of a table in text; every cell is text until it is asked for as a number."""

    path: Path

    def __init__(self, path: Path) -> None:
        self.path = path
        _, self.names = next(table_rows(path))

    @cached_property
    def _n_rows(self) -> int:
        n_rows = sum(1 for _ in table_rows(self.path)) - 1
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
        place = self.names.index(name)
        walk = self._walk(lambda row, line: parse_label(row[place], self.path, line))
        return StoredArray((self._n_rows,), "str", walk.rows)

    def columns(self, names: list[str]) -> StoredArray:
        """Return columns of numbers side by side, unread, shape (n_rows, n_columns).

        Raises
        ------
        FormatError
            Naming line and column of the first cell that is no finite number.
        """
        places = [self.names.index(name) for name in names]
        walk = self._walk(
            lambda row, line: parse_numbers(
                [row[at] for at in places], self.path, line, names=names
            )
        )
        return StoredArray((self._n_rows, len(names)), "float64", walk.rows)

    def _walk(self, parse: Callable[[list[str], int], Any]) -> Walk:
        def blocks(row: int) -> Iterator[tuple[int, NDArray[Any]]]:
            rows = islice(table_rows(self.path), row + 1, None)
            while parsed := [parse(cells, line) for line, cells in islice(rows, _BLOCK)]:
                yield row, np.array(parsed)
                row += len(parsed)

        return Walk(blocks, "the table", self.path)
