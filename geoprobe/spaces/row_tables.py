"""Tables that somebody lists things in, csv, tsv or parquet, as rows of text."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from geoprobe.errors import FormatError
from geoprobe.files.csv_files import from_cell
from geoprobe.files.text_files import checked_file
from geoprobe.spaces.formats.arrow_files import read_records
from geoprobe.spaces.formats.text_tables import DELIMITED, table_rows


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
    elif suffix in DELIMITED:
        names, rows = _text(path)
    else:
        raise FormatError(
            f"the name ends in {path.suffix!r}, but a table ends in .csv, .tsv or .parquet.", path
        )
    if not rows:
        raise FormatError("the table has no rows.", path)
    return names, rows


def _text(path: Path) -> tuple[list[str], list[tuple[str, dict[str, str]]]]:
    rows = table_rows(path)
    _, names = next(rows)
    return names, [
        (f"line {line}", dict(zip(names, map(from_cell, row), strict=True))) for line, row in rows
    ]


def _parquet(path: Path) -> tuple[list[str], list[tuple[str, dict[str, str]]]]:
    names, rows = read_records(path)
    return names, [
        (f"row {number}", dict(zip(names, map(_plain, row), strict=True)))
        for number, row in enumerate(rows)
    ]


def _plain(value: Any) -> str:
    # NaN is what pandas writes for a number that is missing.
    return "" if value is None or value != value else str(value)
