"""Smaller tasks for quick studies."""

from __future__ import annotations

from collections import Counter

from geoprobe.errors import InputError
from geoprobe.tasks.making import chosen
from geoprobe.tasks.ranks import rank
from geoprobe.tasks.units import Split, Task


def limit(
    task: Task, *, n_train: int | None = None, n_test: int | None = None, seed: int = 0
) -> Task:
    """Return a task with at most so many units.

    Parameters
    ----------
    task : Task
    n_train, n_test : int or None
        The largest number of units of each split; None keeps all.
    seed : int
        Decides which units are kept.

    Returns
    -------
    Task
        Under the same name. One unit of every label is kept, and where there is no room for all
        labels, of the most frequent ones; the seed chooses the rest. Units keep their order.

    Raises
    ------
    InputError
        For a number below 1.
    """
    return Task(
        task.name,
        _limited(task.train, n_train, seed),
        _limited(task.test, n_test, seed),
        task.join,
    )


def _limited(split: Split, size: int | None, seed: int) -> Split:
    if size is None or size >= split.n_units:
        return split
    if size < 1:
        raise InputError(f"the {split.name} split cannot be limited to {size} units.")
    order = sorted(range(split.n_units), key=lambda row: rank(seed, split.name, row))
    sizes = Counter(unit.label for unit in split.units)
    first: dict[str, int] = {}
    for row in order:
        first.setdefault(split.units[row].label, row)
    by_frequency = sorted(first, key=lambda label: (-sizes[label], label))
    kept = {first[label]: None for label in by_frequency[:size]}
    for row in order:
        if len(kept) == size:
            break
        kept.setdefault(row)
    return chosen(split, kept)
