"""Labelled texts, words and word pairs in JSON lines: one sentence a line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from geoprobe.errors import FormatError
from geoprobe.suggestions import suggestion
from geoprobe.tasks.split_builder import Labelled, SplitBuilder
from geoprobe.tasks.text_tables import numbered_lines


@dataclass(frozen=True)
class _Record:
    """One line of the file: a JSON object, and where it stands."""

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


def read_texts(
    path: str | os.PathLike[str],
    *,
    text: str = "text",
    label: str = "label",
    group: str | None = None,
    leave_out: Iterable[str] = (),
) -> SplitBuilder:
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
    leave_out : iterable of str
        Labels whose lines are left out.

    Returns
    -------
    SplitBuilder
        One unit a line: the whole text.

    Raises
    ------
    FormatError
        Naming the line and the key.
    """
    dropped = frozenset(leave_out)
    gathered = SplitBuilder()
    for record in _records(Path(path)):
        words, found = record.words(text), record.label(label, record.value(label))
        units: list[Labelled] = [] if found in dropped else [((), found)]
        gathered.add(words, units, record.path, record.line, group=record.group(group))
    return gathered


def read_words(
    path: str | os.PathLike[str],
    *,
    tokens: str = "tokens",
    labels: str = "labels",
    group: str | None = None,
    leave_out: Iterable[str] = (),
) -> SplitBuilder:
    """Read sentences with a label for each word: ``{"tokens": ["a", "b"], "labels": ["X", null]}``.

    Parameters
    ----------
    path, group, leave_out
        As for :func:`read_texts`.
    tokens, labels : str
        Keys. As many labels as words; a word whose label is null is no unit.

    Returns
    -------
    SplitBuilder
        One unit for each word that has a label.

    Raises
    ------
    FormatError
        Naming the line and the key.
    """
    dropped = frozenset(leave_out)
    gathered = SplitBuilder()
    for record in _records(Path(path)):
        words, given = record.words(tokens), record.value(labels)
        if not isinstance(given, list):
            record.refuse(f"{labels!r} is {_shown(given)}, but a list is expected.")
        if len(given) != len(words):
            record.refuse(f"there are {len(words)} words, but {len(given)} labels.")
        named = [
            ((word,), record.label(labels, value))
            for word, value in enumerate(given)
            if value is not None
        ]
        units = [unit for unit in named if unit[1] not in dropped]
        gathered.add(words, units, record.path, record.line, group=record.group(group))
    return gathered


def read_pairs(
    path: str | os.PathLike[str],
    *,
    tokens: str = "tokens",
    words: str = "words",
    label: str = "label",
    group: str | None = None,
    leave_out: Iterable[str] = (),
) -> SplitBuilder:
    """Read chosen words with one label: ``{"tokens": ["a", "b"], "words": [0, 1], "label": "X"}``.

    Parameters
    ----------
    path, group, leave_out
        As for :func:`read_texts`.
    tokens, words, label : str
        Keys. The words of the unit are given by their positions, counted from 0: two for a pair,
        one for a word, and all units have to be of one kind. Lines with equal tokens (and group)
        share one sentence.

    Returns
    -------
    SplitBuilder
        One unit a line.

    Raises
    ------
    FormatError
        Naming the line and the key.
    """
    dropped = frozenset(leave_out)
    gathered = SplitBuilder(share=True)
    for record in _records(Path(path)):
        sentence, places = record.words(tokens), record.value(words)
        found = record.label(label, record.value(label))
        if not isinstance(places, list) or not all(type(place) is int for place in places):
            record.refuse(f"{words!r} is {_shown(places)}, but a list of positions is expected.")
        for place in places:
            if not 0 <= place < len(sentence):
                record.refuse(
                    f"{words!r} names word {_shown(place)} (counted from 0), but there are "
                    f"{len(sentence)} words."
                )
        if len(places) not in (1, 2):
            record.refuse(f"{words!r} names {len(places)} words, but one or two are expected.")
        units: list[Labelled] = [] if found in dropped else [(tuple(places), found)]
        gathered.add(sentence, units, record.path, record.line, group=record.group(group))
    return gathered


def _records(path: Path) -> Iterator[_Record]:
    for line, text in numbered_lines(path):
        if not text.strip():
            continue
        try:
            values = json.loads(text, object_pairs_hook=_once)
        # Python's own limits: nested too deep, or an integer of more than 4,300 digits.
        except (ValueError, RecursionError) as error:
            raise FormatError(f"the line is no JSON: {error}.", path, line) from error
        if not isinstance(values, dict):
            raise FormatError(
                f"the line is {_shown(values)}, but a JSON object is expected.", path, line
            )
        yield _Record(values, path, line)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} is there more than once")
    return values


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
