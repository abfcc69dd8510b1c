"""Labelled texts a line or a row: TREC's format, csv and tsv."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from geoprobe.errors import FormatError
from geoprobe.files.text_files import checked_file
from geoprobe.suggestions import suggestion
from geoprobe.tasks.split_builder import SplitBuilder

_BOM = b"\xef\xbb\xbf"


def numbered_lines(
    path: str | os.PathLike[str], *, encoding: str = "utf-8", keep_ends: bool = False
) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file one by one.

    Only a line feed ends a line; other characters that Unicode counts as line ends occur inside
    words of real corpora.

    Parameters
    ----------
    path : path-like
    encoding : str
        One in which a line feed is the byte 0x0A.
    keep_ends : bool
        Whether the lines keep their line feed and the carriage return before it.

    Yields
    ------
    line : int
        Counted from 1.
    text : str

    Raises
    ------
    FormatError
        If there is no such file or it is empty, or naming the line and byte that is not in the
        encoding, or the line with a NUL character.
    """
    path = checked_file(path)
    try:
        with path.open("rb") as file:
            for line, raw in enumerate(file, start=1):
                if line == 1 and encoding == "utf-8":
                    raw = raw.removeprefix(_BOM)
                if not keep_ends:
                    raw = raw.removesuffix(b"\n").removesuffix(b"\r")
                if b"\0" in raw:
                    raise FormatError("the line holds a NUL character; is this text?", path, line)
                try:
                    yield line, raw.decode(encoding)
                except UnicodeDecodeError as error:
                    raise FormatError(
                        f"byte {error.start + 1} of the line is 0x{raw[error.start]:02x}, which is "
                        f"not {encoding.upper()} here.",
                        path,
                        line,
                    ) from error
    except OSError as error:
        raise FormatError(f"the file cannot be read: {error.strerror}.", path) from error


def read_trec(path: str | os.PathLike[str]) -> SplitBuilder:
    """Read questions, one a line: ``LABEL:fine How far is it to Aspen ?``.

    Parameters
    ----------
    path : path-like
        Text in ISO-8859-1. The label is all before the first space and has a colon in it; the
        words are what white space separates in the rest. Blank lines are passed over.

    Returns
    -------
    SplitBuilder
        One unit a line: the whole sentence.

    Raises
    ------
    FormatError
        Naming the line that has no label or no words.

    References
    ----------
    Li and Roth, "Learning Question Classifiers", COLING 2002.
    """
    path = Path(path)
    gathered = SplitBuilder()
    for line, text in numbered_lines(path, encoding="iso-8859-1"):
        if not text.strip():
            continue
        label, _, question = text.partition(" ")
        coarse, _, fine = label.partition(":")
        if not coarse or not fine or label.split() != [label]:
            raise FormatError(
                f"the line starts with {label[:40]!r}, but a label such as 'DESC:manner' and a "
                f"space are expected.",
                path,
                line,
            )
        words = question.split()
        if not words:
            raise FormatError(f"there is no question behind the label {label!r}.", path, line)
        gathered.add(words, [((), label)], path, line)
    return gathered


def read_texts_table(
    path: str | os.PathLike[str],
    *,
    tabs: bool,
    text: str = "text",
    label: str = "label",
    group: str | None = None,
    leave_out: Iterable[str] = (),
) -> SplitBuilder:
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
    SplitBuilder
        One unit a row: the whole text.

    Raises
    ------
    FormatError
        Naming the line: a column that is missing or there twice, a row of another length, a text
        without words, an empty label.
    """
    path = Path(path)
    dropped = frozenset(leave_out)
    gathered = SplitBuilder()
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
