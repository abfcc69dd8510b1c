"""Labelled texts in csv and tsv: one text a row."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from geoprobe.errors import FormatError
from geoprobe.suggestions import suggestion
from geoprobe.tasks.making import Gathered
from geoprobe.tasks.text_lines import numbered_lines


def read_texts_table(
    path: str | os.PathLike[str],
    *,
    tabs: bool,
    text: str = "text",
    label: str = "label",
    group: str | None = None,
    leave_out: Iterable[str] = (),
) -> Gathered:
    """Read texts and their labels from a table with a line of column names.

    Parameters
    ----------
    path : path-like
        Text in UTF-8.
    tabs : bool
        Whether tabs separate the cells. They are then taken as they stand, quotes being quotes of
        the text; with commas, double quotes enclose cells that need it.
    text, label : str
        Names of columns. White space splits a text into words; labels lose the blanks around them.
    group : str, optional
        The column that keeps rows together in a random split.
    leave_out : iterable of str
        Labels whose rows are left out.

    Returns
    -------
    Gathered
        One unit a row: the whole text.

    Raises
    ------
    FormatError
        Naming the line: a column that is missing or there twice, a row of another length, a text
        without words, an empty label.
    """
    path = Path(path)
    dropped = frozenset(leave_out)
    gathered = Gathered()
    rows = _rows(path, tabs)
    names = next(rows, (1, []))[1]
    at = {name: _position(names, name, path) for name in (text, label, group) if name is not None}
    for line, row in rows:
        if len(row) != len(names):
            raise FormatError(
                f"the row has {len(row)} cells, but there are {len(names)} columns.", path, line
            )
        words, found = row[at[text]].split(), row[at[label]].strip()
        if not words:
            raise FormatError(f"column {text!r} holds no words.", path, line)
        if not found:
            raise FormatError(f"column {label!r} holds no label.", path, line)
        key = None if group is None else row[at[group]]
        gathered.add(words, [] if found in dropped else [((), found)], path, line, group=key)
    return gathered


def _rows(path: Path, tabs: bool) -> Iterator[tuple[int, list[str]]]:
    """Yield the line where each row starts, and its cells."""
    lines = (text for _, text in numbered_lines(path, keep_ends=True))
    if tabs:
        reader = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE, strict=True)
    else:
        reader = csv.reader(lines, strict=True)
    start = 1
    try:
        for row in reader:
            if row:
                yield start, row
            start = reader.line_num + 1
    except csv.Error as error:
        raise FormatError(f"this is no valid row: {error}.", path, start) from error


def _position(names: list[str], name: str, path: Path) -> int:
    if names.count(name) > 1:
        raise FormatError(f"the column {name!r} is there more than once.", path, 1)
    if name not in names:
        raise FormatError(f"there is no column {name!r}; {suggestion(name, names)}.", path, 1)
    return names.index(name)
