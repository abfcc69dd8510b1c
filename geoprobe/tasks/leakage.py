"""Train-test leakage: test units that also occur in train."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from geoprobe.tasks.units import Split, Task, Unit

_N_EXAMPLES = 5
_LONGEST = 80


class SharedUnitsWarning(UserWarning):
    """Test units of a task are train units as well."""


@dataclass(frozen=True)
class SharedUnits:
    """How far the test split repeats the train split.

    Attributes
    ----------
    count : int
        Test units for which train has one with the same sentence and the same words of it. The
        labels may differ.
    n_test : int
        All test units.
    n_other_label : int
        How many of ``count`` have only other labels in train.
    examples : tuple of str
        Up to five of them: the words and where they stand, in test and in train.
    """

    count: int
    n_test: int
    n_other_label: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        """Return one sentence."""
        example = f", such as {self.examples[0]}" if self.examples else ""
        return f"{self.count} of {self.n_test} test units also occur in train{example}."


def shared_units(task: Task) -> SharedUnits:
    """Find the test units that also occur in train.

    Parameters
    ----------
    task : Task

    Returns
    -------
    SharedUnits
    """
    known: dict[tuple[tuple[str, ...], tuple[int, ...]], tuple[str, set[str]]] = {}
    for unit in task.train.units:
        source = task.train.sentences[unit.sentence].source
        known.setdefault(_content(task.train, unit), (source, set()))[1].add(unit.label)
    count = n_other = 0
    examples: list[str] = []
    for unit in task.test.units:
        repeated = known.get(_content(task.test, unit))
        if repeated is None:
            continue
        source, labels = repeated
        count += 1
        n_other += unit.label not in labels
        if len(examples) < _N_EXAMPLES:
            sentence = task.test.sentences[unit.sentence]
            words = " ".join(
                [sentence.words[word] for word in unit.words] if unit.words else sentence.words
            )
            shown = words if len(words) <= _LONGEST else f"{words[:_LONGEST]}..."
            examples.append(f"{shown!r} ({sentence.source} and {source})")
    return SharedUnits(count, task.test.n_units, n_other, tuple(examples))


def warn_of_shared_units(task: Task, *, stacklevel: int = 2) -> SharedUnits:
    """Find the test units that also occur in train, and issue a warning if there are any.

    Returns
    -------
    SharedUnits
    """
    shared = shared_units(task)
    if shared.count:
        warnings.warn(f"{task.name}: {shared}", SharedUnitsWarning, stacklevel=stacklevel + 1)
    return shared


def _content(split: Split, unit: Unit) -> tuple[tuple[str, ...], tuple[int, ...]]:
    return split.sentences[unit.sentence].words, unit.words
