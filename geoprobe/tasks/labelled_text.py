"""Labelled text as the readers find it, and the split that it becomes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from geoprobe.errors import FormatError, InputError
from geoprobe.tasks.units import Sentence, Split, Unit


class LabelledSentence(NamedTuple):
    """One sentence of a file, and the units in it."""

    words: Sequence[str]
    """As the file splits them."""
    units: Sequence[tuple[tuple[int, ...], str]]
    """Of each unit the positions of its words, counted from 0, and its label."""
    line: int
    """Where the sentence starts in its file, counted from 1."""
    group: Hashable = None
    """What keeps it together with others in a random split; None for its words alone."""


@dataclass(frozen=True)
class LabelledText:
    """The sentences of a file that have units, before they are a split.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    sentences : list of Sentence
    units : list of Unit
    groups : list
        For each sentence what keeps it together with others in a random split.
    """

    path: Path
    sentences: list[Sentence] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)
    groups: list[Hashable] = field(default_factory=list)

    def as_split(self, name: str) -> Split:
        """Return all of it as one split.

        Raises
        ------
        FormatError
            Naming the file, if there are no units, or a label that no array holds.
        """
        if not self.units:
            raise FormatError("there is not a single unit in the file.", self.path)
        try:
            return Split(name, tuple(self.sentences), tuple(self.units))
        except InputError as error:
            raise FormatError(str(error), self.path) from error


def collect(
    sentences: Iterable[LabelledSentence],
    path: Path,
    *,
    leave_out: Iterable[str] = (),
    share: bool = False,
) -> LabelledText:
    """Collect and number the sentences of a file that have units.

    Parameters
    ----------
    sentences : iterable of LabelledSentence
    path : pathlib.Path
        Their file.
    leave_out : iterable of str
        Labels whose units are left out.
    share : bool
        Whether a sentence with the words and the group of an earlier one is the earlier one.
        Useful where a format repeats the sentence for each of its units.

    Returns
    -------
    LabelledText

    Raises
    ------
    FormatError
        Naming the line, for words that no sentence may have.
    """
    dropped = frozenset(leave_out)
    text = LabelledText(path)
    numbers: dict[tuple[tuple[str, ...], Hashable], int] = {}
    for sentence in sentences:
        units = [unit for unit in sentence.units if unit[1] not in dropped]
        if not units:
            continue
        words = tuple(sentence.words)
        group = words if sentence.group is None else sentence.group
        if not share or (words, group) not in numbers:
            numbers[words, group] = len(text.sentences)
            try:
                text.sentences.append(Sentence(words, f"{path}:{sentence.line}"))
            except InputError as error:
                raise FormatError(str(error), path, sentence.line) from error
            text.groups.append(group)
        number = numbers[words, group]
        text.units.extend(Unit(number, positions, label) for positions, label in units)
    return text
