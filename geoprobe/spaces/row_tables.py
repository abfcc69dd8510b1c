"""Tables that somebody lists things in, csv, tsv or parquet, as rows of text."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from geoprobe.errors import FormatError
from geoprobe.files.csv_files import from_cell
from geoprobe.files.text_files import checked_file
from geoprobe.spaces.formats.arrow_files import read_records

_DELIMITERS = {".csv": ",", ".tsv": "\t"}


def read_rows(path: str | os.PathLike[str]) -> tuple[list[str], list[tuple[str, dict[str, str]]]]:
    """Read a whole table; the ending of its name decides the format.

    Returns
    -------
    names : list of str
        The columns.
    rows : list of (str, dict of str to str)
        What to call a row in messages, such as ``"line 3"``, and its cells by column; what is
        missing is an empty text.

    Raises
    ------
    FormatError
        If the file is no such table, has no rows, or a column twice, naming the line; for parquet
        without pyarrow.
    """
    path = checked_file(path)
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        names, rows = _parquet(path)
    elif suffix in _DELIMITERS:
        names, rows = _text(path, _DELIMITERS[suffix])
    else:
        raise FormatError(
            f"the name ends in {path.suffix!r}, but a table ends in .csv, .tsv or .parquet.", path
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FormatError(f"the column {twice[0]!r} is there more than once.", path)
    if not rows:
        raise FormatError("the table has no rows.", path)
    return names, rows


def _text(path: Path, delimiter: str) -> tuple[list[str], list[tuple[str, dict[str, str]]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            names = next(reader, [])
            rows = list(_numbered(reader, names, path))
    except UnicodeDecodeError as error:
        raise FormatError("the table is not text in UTF-8.", path) from error
    except csv.Error as error:
        raise FormatError(f"this is no valid row: {error}.", path, reader.line_num) from error
    return names, rows


def _numbered(reader: Any, names: list[str], path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    for row in reader:
        if not row:
            continue
        if len(row) != len(names):
            raise FormatError(
                f"the row has {len(row)} cells, but there are {len(names)} columns.",
                path,
                reader.line_num,
            )
        yield f"line {reader.line_num}", dict(zip(names, map(from_cell, row), strict=True))


def _parquet(path: Path) -> tuple[list[str], list[tuple[str, dict[str, str]]]]:
    names, rows = read_records(path)
    return names, [
        (f"row {number}", dict(zip(names, map(_plain, row), strict=True)))
        for number, row in enumerate(rows)
    ]


def _plain(value: Any) -> str:
    # NaN is what pandas writes for a number that is missing.
    return "" if value is None or value != value else str(value)
