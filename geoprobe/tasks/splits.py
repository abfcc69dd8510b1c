"""Splits of a task: drawn at random without tearing a group apart, and cut to size."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from geoprobe.errors import InputError
from geoprobe.tasks.labelled_text import LabelledText
from geoprobe.tasks.units import Split, Task, Unit


def divide(groups: Sequence[Hashable], test_fraction: float, seed: int) -> set[int]:
    """Choose the units of the test split.

    The groups are passed in an order that the seed decides, and each that still fits goes to the
    test split, until that has ``test_fraction`` of the units, rounded to the nearest integer and
    half up. Groups of one unit therefore meet it exactly, and
    larger ones fall short by less than the smallest group that was left out.

    Parameters
    ----------
    groups : sequence, length n_units
        The group of each unit: text, or a tuple of texts.
    test_fraction : float
        More than 0 and less than 1.
    seed : int

    Returns
    -------
    set of int
        Positions of the test units.

    Raises
    ------
    InputError
        For another fraction, or if no group fits, or nothing is left for train.
    """
    if not 0.0 < test_fraction < 1.0:
        raise InputError(f"test_fraction={test_fraction!r} is not between 0 and 1.")
    sizes = Counter(groups)
    wanted = math.floor(test_fraction * len(groups) + 0.5)
    room = wanted
    test: set[Hashable] = set()
    for group in sorted(sizes, key=lambda group: _rank(seed, group)):
        if sizes[group] <= room:
            test.add(group)
            room -= sizes[group]
    if not test or len(test) == len(sizes):
        raise InputError(
            f"{len(groups)} units in {len(sizes)} groups, the smallest of {min(sizes.values())}, "
            f"cannot be split so that {wanted} or a little fewer are the test split and some are "
            f"left."
        )
    return {row for row, group in enumerate(groups) if group in test}


def random_split(text: LabelledText, test_fraction: float, seed: int) -> tuple[Split, Split]:
    """Split what was read from one file.

    Parameters
    ----------
    text : LabelledText
    test_fraction, seed
        As for :func:`divide`.

    Returns
    -------
    train, test : Split
    """
    groups = [text.groups[unit.sentence] for unit in text.units]
    return _parts(text.as_split("train"), divide(groups, test_fraction, seed))


def subtask(task: Task, *, test_fraction: float = 0.2, seed: int = 0) -> Task:
    """Split the train split of a task once more, as studies of memorisation need it.

    Parameters
    ----------
    task : Task
    test_fraction : float
    seed : int
        Both as for :func:`divide`; the units of one sentence, and of equal sentences, stay
        together.

    Returns
    -------
    Task
        Named ``"<task>-sub<seed>"``; its test split is a part of the train split of ``task``.

    References
    ----------
    Zhou and Srikumar, "A Closer Look at How Fine-tuning Changes BERT", ACL 2022.
    """
    whole = task.train
    groups = [whole.sentences[unit.sentence].words for unit in whole.units]
    train, test = _parts(whole, divide(groups, test_fraction, seed))
    return Task(f"{task.name}-sub{seed}", train, test, task.join)


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
    order = sorted(range(split.n_units), key=lambda row: _rank(seed, split.name, row))
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
    return _chosen(split, kept)


def _parts(whole: Split, test: set[int]) -> tuple[Split, Split]:
    train = set(range(whole.n_units)) - test
    return _chosen(whole, train, name="train"), _chosen(whole, test, name="test")


def _chosen(split: Split, rows: Iterable[int], *, name: str | None = None) -> Split:
    """Return the units at some rows, in their order, and the sentences that they need."""
    units = [split.units[row] for row in sorted(set(rows))]
    kept = sorted({unit.sentence for unit in units})
    position = {sentence: at for at, sentence in enumerate(kept)}
    return Split(
        split.name if name is None else name,
        tuple(split.sentences[sentence] for sentence in kept),
        tuple(Unit(position[unit.sentence], unit.words, unit.label) for unit in units),
    )


def _rank(seed: int, *key: Any) -> bytes:
    """Return the place of a key in an order that looks random and depends on the seed alone.

    It is the SHA-256 of seed and key as a JSON array in ASCII. Generators of random numbers may
    give other numbers in later versions of their libraries; this may not.
    """
    return hashlib.sha256(json.dumps([seed, *key]).encode("ascii")).digest()
