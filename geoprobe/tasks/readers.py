"""Readers of labelled text: csv, tsv, JSON lines, and the TREC question corpus."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from geoprobe.errors import FormatError
from geoprobe.files.text_files import numbered_lines
from geoprobe.suggestions import suggestion
from geoprobe.tasks.labelled_text import LabelledSentence


def read_trec(path: str | os.PathLike[str]) -> Iterator[LabelledSentence]:
    """Read questions, one a line: ``LABEL:fine How far is it to Aspen ?``.

    Parameters
    ----------
    path : path-like
        Text in ISO-8859-1. The label is all before the first space and has a colon in it; the
        words are what white space separates in the rest. Blank lines are passed over.

    Yields
    ------
    LabelledSentence
        One for each line, a unit as a whole.

    Raises
    ------
    FormatError
        Naming the line that has no label or no words.

    References
    ----------
    Li and Roth, "Learning Question Classifiers", COLING 2002.
    """
    path = Path(path)
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
        yield LabelledSentence(words, [((), label)], line)


def read_table(
    path: str | os.PathLike[str],
    *,
    tabs: bool,
    text: str = "text",
    label: str = "label",
    group: str | None = None,
) -> Iterator[LabelledSentence]:
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

    Yields
    ------
    LabelledSentence
        One for each row, a unit as a whole.

    Raises
    ------
    FormatError
        Naming the line: a column that is missing or there twice, a row of another length, a text
        without words, an empty label.
    """
    path = Path(path)
    rows = _rows(path, tabs)
    names = next(rows, (1, []))[1]
    at = {name: _position(names, name, path) for name in (text, label, group) if name is not None}
    for line, row in rows:
        if len(row) != len(names):
            raise FormatError(
                f"the row has {len(row)} cells, but there are {len(names)} columns.", path, line
            )
        words, given = row[at[text]].split(), row[at[label]].strip()
        if not words:
            raise FormatError(f"column {text!r} holds no words.", path, line)
        if not given:
            raise FormatError(f"column {label!r} holds no label.", path, line)
        key = None if group is None else row[at[group]]
        yield LabelledSentence(words, [((), given)], line, key)


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


def read_texts(
    path: str | os.PathLike[str],
    *,
    text: str = "text",
    label: str = "label",
    group: str | None = None,
) -> Iterator[LabelledSentence]:
    """Read texts with one label each: ``{"text": "How far is it?", "label": "distance"}``.

    Parameters
    ----------
    path : path-like
        JSON objects in UTF-8, one a line; blank lines are passed over, further keys ignored.
    text, label : str
        Keys. The text is a string, split at white space, or a list of words; the label is text
        or an integer.
    group : str, optional
        The key that keeps lines together in a random split.

    Yields
    ------
    LabelledSentence
        One for each line, a unit as a whole.

    Raises
    ------
    FormatError
        Naming the line and the key.
    """
    for each in _json_lines(Path(path)):
        words, unit = each.words(text), ((), each.label(label, each.value(label)))
        yield LabelledSentence(words, [unit], each.line, each.group(group))


def read_words(
    path: str | os.PathLike[str],
    *,
    tokens: str = "tokens",
    label: str = "labels",
    group: str | None = None,
) -> Iterator[LabelledSentence]:
    """Read sentences with a label for each word: ``{"tokens": ["a", "b"], "labels": ["X", null]}``.

    Parameters
    ----------
    path, group
        As for :func:`read_texts`.
    tokens, label : str
        Keys. As many labels as words; a word whose label is null is no unit.

    Yields
    ------
    LabelledSentence
        One for each line, with a unit for each word that has a label.

    Raises
    ------
    FormatError
        Naming the line and the key.
    """
    for each in _json_lines(Path(path)):
        words, labels = each.words(tokens), each.value(label)
        if not isinstance(labels, list):
            each.refuse(f"{label!r} is {_shown(labels)}, but a list is expected.")
        if len(labels) != len(words):
            each.refuse(f"there are {len(words)} words, but {len(labels)} labels.")
        units = [
            ((word,), each.label(label, value))
            for word, value in enumerate(labels)
            if value is not None
        ]
        yield LabelledSentence(words, units, each.line, each.group(group))


def read_pairs(
    path: str | os.PathLike[str],
    *,
    tokens: str = "tokens",
    words: str = "words",
    label: str = "label",
    group: str | None = None,
) -> Iterator[LabelledSentence]:
    """Read chosen words with one label: ``{"tokens": ["a", "b"], "words": [0, 1], "label": "X"}``.

    Parameters
    ----------
    path, group
        As for :func:`read_texts`.
    tokens, words, label : str
        Keys. The words of the unit are given by their positions, counted from 0: two for a pair,
        one for a word, and all units have to be of one kind.

    Yields
    ------
    LabelledSentence
        One for each line, with one unit.

    Raises
    ------
    FormatError
        Naming the line and the key.
    """
    for each in _json_lines(Path(path)):
        sentence, positions = each.words(tokens), each.value(words)
        if not isinstance(positions, list) or not all(type(at) is int for at in positions):
            each.refuse(f"{words!r} is {_shown(positions)}, but a list of positions is expected.")
        for at in positions:
            if not 0 <= at < len(sentence):
                each.refuse(
                    f"{words!r} names word {_shown(at)} (counted from 0), but there are "
                    f"{len(sentence)} words."
                )
        if len(positions) not in (1, 2):
            each.refuse(f"{words!r} names {len(positions)} words, but one or two are expected.")
        unit = (tuple(positions), each.label(label, each.value(label)))
        yield LabelledSentence(sentence, [unit], each.line, each.group(group))


@dataclass(frozen=True)
class _JsonLine:
    """One line of a file: a JSON object, and where it stands."""

    values: Mapping[str, Any]
    path: Path
    line: int

    def refuse(self, message: str) -> NoReturn:
        raise FormatError(message, self.path, self.line)

    def value(self, key: str) -> Any:
        if key not in self.values:
            self.refuse(f"there is no key {key!r}; {suggestion(key, self.values)}.")
        return self.values[key]

    def words(self, key: str) -> list[str]:
        value = self.value(key)
        if isinstance(value, str):
            value = value.split()
        if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
            self.refuse(f"{key!r} is {_shown(value)}, but a text or a list of words is expected.")
        if not value:
            self.refuse(f"{key!r} holds no words.")
        return value

    def label(self, key: str, value: Any) -> str:
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str) or not value.strip():
            self.refuse(f"{key!r} holds {_shown(value)}, but a label is text or an integer.")
        return value.strip()

    def group(self, key: str | None) -> str | None:
        if key is None:
            return None
        value = self.value(key)
        if not isinstance(value, (str, int)):
            self.refuse(f"{key!r} is {_shown(value)}, but a group is text or an integer.")
        return str(value)


def _json_lines(path: Path) -> Iterator[_JsonLine]:
    for line, text in numbered_lines(path):
        if not text.strip():
            continue
        try:
            values = json.loads(text, object_pairs_hook=_without_repeats)
        # Python's own limits: nested too deep, or an integer of more than 4,300 digits.
        except (ValueError, RecursionError) as error:
            raise FormatError(f"the line is no JSON: {error}.", path, line) from error
        if not isinstance(values, dict):
            raise FormatError(
                f"the line is {_shown(values)}, but a JSON object is expected.", path, line
            )
        yield _JsonLine(values, path, line)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} is there more than once")
    return values


def _shown(value: Any) -> str:
    """Return the value as JSON writes it, shortened."""
    try:
        text = json.dumps(value)
    except RecursionError:
        return "lists in lists, too deep to show"
    return text if len(text) <= 60 else f"{text[:57]}..."
