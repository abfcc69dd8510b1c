"""Tasks, their splits, and the units in them: all that is known of text after the readers."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import InputError
from geoprobe.showing import MOST_ROWS, Showing, Summary, count

Join = Literal["single", "concat", "difference"]
"""How the vectors of a unit's words become one vector."""

UnitKind = Literal["words", "pairs", "sentence"]
"""What the units of a task are."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_N_WORDS: dict[str, tuple[int, ...]] = {"single": (0, 1), "concat": (2,), "difference": (2,)}


@dataclass(frozen=True, slots=True)
class Sentence:
    """The words of one sentence.

    Attributes
    ----------
    words : tuple of str
        As the corpus splits them; raw text is split at white space. Never empty.
    source : str
        ``"path:line"`` where the sentence starts, for messages.
    """

    words: tuple[str, ...]
    source: str

    def __post_init__(self) -> None:
        """Refuse what no encoder could represent."""
        if not self.words:
            raise InputError(f"the sentence at {self.source} has no words.")
        for position, word in enumerate(self.words):
            if not isinstance(word, str) or not word.strip():
                raise InputError(
                    f"word {position + 1} of the sentence at {self.source} is {word!r}, but a "
                    f"word has at least one character that is not white space."
                )
            _check_characters(word, f"word {position + 1} of the sentence at {self.source}")


@dataclass(frozen=True, slots=True)
class Unit:
    """What one vector stands for: some words of a sentence, or the whole of it, and a label.

    Attributes
    ----------
    sentence : int
        Position of the sentence in :attr:`Split.sentences`.
    words : tuple of int
        Positions of the unit's words, counted from 0. The empty tuple is the whole sentence,
        represented by its [CLS] piece.
    label : str
    """

    sentence: int
    words: tuple[int, ...]
    label: str


@dataclass(frozen=True)
class Split:
    """Sentences and the units in them: one side of a task.

    Attributes
    ----------
    name : str
        ``"train"`` or ``"test"``.
    sentences : tuple of Sentence
    units : tuple of Unit
        Their order is the order of the points in every space.
    """

    name: str
    sentences: tuple[Sentence, ...]
    units: tuple[Unit, ...]

    def __post_init__(self) -> None:
        """Refuse units that point to nothing."""
        if self.name not in ("train", "test"):
            raise InputError(f"a split is named 'train' or 'test', but {self.name!r} came.")
        if not self.units:
            raise InputError(f"the {self.name} split has no units.")
        for row, unit in enumerate(self.units):
            self._check_unit(row, unit)

    def _check_unit(self, row: int, unit: Unit) -> None:
        what = f"unit {row} of the {self.name} split"
        if not 0 <= unit.sentence < len(self.sentences):
            raise InputError(
                f"{what} points to sentence {unit.sentence}, but there are "
                f"{len(self.sentences)} sentences."
            )
        sentence = self.sentences[unit.sentence]
        for word in unit.words:
            if not 0 <= word < len(sentence.words):
                raise InputError(
                    f"{what} points to word {word} (counted from 0) of the sentence at "
                    f"{sentence.source}, which has {len(sentence.words)} words."
                )
        if not isinstance(unit.label, str) or not unit.label.strip():
            raise InputError(
                f"{what}, in the sentence at {sentence.source}, has the label {unit.label!r}, "
                f"but a label is text that is not blank."
            )
        _check_characters(unit.label, f"the label of {what}, in {sentence.source},")

    @property
    def n_units(self) -> int:
        """The number of units."""
        return len(self.units)

    @cached_property
    def labels(self) -> NDArray[np.str_]:
        """The label of each unit: ndarray of str, shape (n_units,), read-only."""
        labels = np.array([unit.label for unit in self.units], dtype=np.str_)
        labels.flags.writeable = False
        return labels


@dataclass(frozen=True)
class Task(Showing):
    """A labelling task: units to learn from and units to be judged on.

    Attributes
    ----------
    name : str
        Short and fit for the name of a folder, such as ``"ps-role"``.
    train, test : Split
    join : {"single", "concat", "difference"}
        How the vectors of a unit's words become one: that of its one word, or of [CLS]; both
        joined, the first word's first, with twice the dimensions; or the first minus the second.
    """

    name: str
    train: Split
    test: Split
    join: Join = "single"

    def __post_init__(self) -> None:
        """Refuse units that the join cannot bring to vectors of one length and kind."""
        if not _NAME.fullmatch(self.name):
            raise InputError(
                f"a task cannot be named {self.name!r}: letters, digits, '.', '_' and '-' are "
                f"allowed, and the first character is a letter or digit."
            )
        if self.join not in get_args(Join):
            raise InputError(
                f"join={self.join!r} is unknown; it is one of {', '.join(get_args(Join))}."
            )
        for split, expected in ((self.train, "train"), (self.test, "test")):
            if split.name != expected:
                raise InputError(
                    f"the {expected} split of the task {self.name!r} is named {split.name!r}."
                )
            self._check_words(split)

    def _check_words(self, split: Split) -> None:
        for row, unit in enumerate(split.units):
            what = f"unit {row} of the {split.name} split of {self.name!r}"
            if len(unit.words) not in _N_WORDS[self.join]:
                raise InputError(
                    f"{what} has {len(unit.words)} words, but join={self.join!r} takes "
                    f"{' or '.join(map(str, _N_WORDS[self.join]))}."
                )
            if len(unit.words) != self.n_words_per_unit:
                raise InputError(
                    f"{what} has {len(unit.words)} words, but the first unit has "
                    f"{self.n_words_per_unit}; all units of a task are of one kind."
                )
            if self.join == "difference" and unit.words[0] == unit.words[1]:
                raise InputError(
                    f"{what} pairs word {unit.words[0]} with itself, whose difference is zero "
                    f"whatever the encoder."
                )

    @property
    def splits(self) -> dict[str, Split]:
        """Both splits by name, ``train`` first."""
        return {"train": self.train, "test": self.test}

    @property
    def n_words_per_unit(self) -> int:
        """How many words a unit has: 0 (the whole sentence), 1 or 2."""
        return len(self.train.units[0].words)

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of the task's content, in 64 hexadecimal digits.

        It is that of the following lines, each a JSON array in ASCII without blanks, ended by a
        line feed: ``["geoprobe-task",1,join]``; then for each split, train first,
        ``["split",name]``, a line ``["sentence",word,word,...]`` for every sentence and a line
        ``["unit",sentence,[word,...],label]`` for every unit, in their orders. The name of the
        task and the places where the sentences were found are not part of it.
        """
        digest = hashlib.sha256()
        for line in self._canonical():
            digest.update(json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n")
        return digest.hexdigest()

    def _summaries(self) -> Sequence[Summary]:
        labels = Counter(unit.label for unit in self.train.units)
        line = (
            f"{self.name}: {count(self.train.n_units, 'unit')} to train and "
            f"{self.test.n_units:,} to test, {count(len(labels), 'label')}."
        )
        rows = tuple((label, f"{n:,}") for label, n in labels.most_common(MOST_ROWS))
        return (Summary((line,), "The largest labels", ("label", "units "), rows),)

    def _canonical(self) -> Iterator[list[Any]]:
        yield ["geoprobe-task", 1, self.join]
        for name, split in self.splits.items():
            yield ["split", name]
            for sentence in split.sentences:
                yield ["sentence", *sentence.words]
            for unit in split.units:
                yield ["unit", unit.sentence, list(unit.words), unit.label]


def _check_characters(text: str, what: str) -> None:
    """Refuse text that UTF-8 or NumPy could not give back as it was."""
    if "\0" in text:
        raise InputError(f"{what} holds a NUL character: {text!r}.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f"{what} holds half of a surrogate pair: {text!r}.") from error
