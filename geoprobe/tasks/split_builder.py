"""Building a split: sentences with units are kept and numbered, others are left out."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path

from geoprobe.errors import FormatError, InputError
from geoprobe.tasks.units import Sentence, Split, Unit

Labelled = tuple[tuple[int, ...], str]
"""The words of a unit, and its label."""


class SplitBuilder:
    """Sentences and units as they are read, before they are a split.

    Parameters
    ----------
    share : bool
        Whether a sentence with the words of an earlier one is the earlier one. Useful where a
        format repeats the sentence for each of its units.

    Attributes
    ----------
    sentences : list of Sentence
    units : list of Unit
    groups : list
        For each sentence what keeps it together with others in a random split.
    """

    def __init__(self, *, share: bool = False) -> None:
        self.sentences: list[Sentence] = []
        self.units: list[Unit] = []
        self.groups: list[Hashable] = []
        self._share = share
        self._known: dict[tuple[tuple[str, ...], Hashable], int] = {}

    def add(
        self,
        words: Sequence[str],
        units: Iterable[Labelled],
        path: Path,
        line: int,
        *,
        group: Hashable = None,
    ) -> None:
        """Take one sentence with its units; without units it is left out.

        Parameters
        ----------
        words : sequence of str
        units : iterable of (tuple of int, str)
        path : pathlib.Path
        line : int
            Where the sentence starts.
        group : hashable, optional
            The words themselves by default, so that equal sentences stay together.

        Raises
        ------
        FormatError
            Naming path and line, for words that no sentence may have.
        """
        units = list(units)
        if not units:
            return
        text = tuple(words)
        group = text if group is None else group
        at = self._known.get((text, group)) if self._share else None
        if at is None:
            at = len(self.sentences)
            try:
                self.sentences.append(Sentence(text, f"{path}:{line}"))
            except InputError as error:
                raise FormatError(str(error), path, line) from error
            self.groups.append(group)
            if self._share:
                self._known[text, group] = at
        self.units.extend(Unit(at, positions, label) for positions, label in units)

    def split(self, name: str, path: Path) -> Split:
        """Return all of it as one split.

        Raises
        ------
        FormatError
            Naming path, if there are no units.
        """
        if not self.units:
            raise FormatError("there is not a single unit in the file.", path)
        try:
            return Split(name, tuple(self.sentences), tuple(self.units))
        except InputError as error:
            raise FormatError(str(error), path) from error


def chosen(split: Split, rows: Iterable[int], *, name: str | None = None) -> Split:
    """Return a split with some of the units, and the sentences that they need.

    Parameters
    ----------
    split : Split
    rows : iterable of int
        The units to keep; they keep their order in ``split``.
    name : str, optional
        Name of the new split; that of ``split`` by default.
    """
    units = [split.units[row] for row in sorted(set(rows))]
    kept = sorted({unit.sentence for unit in units})
    position = {sentence: at for at, sentence in enumerate(kept)}
    return Split(
        split.name if name is None else name,
        tuple(split.sentences[sentence] for sentence in kept),
        tuple(Unit(position[unit.sentence], unit.words, unit.label) for unit in units),
    )
