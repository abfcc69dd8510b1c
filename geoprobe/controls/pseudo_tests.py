"""Pseudo-tests: units of training drawn as if they were a test split."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geoprobe.arrays import as_labels
from geoprobe.controls.groups import group_codes
from geoprobe.errors import InputError
from geoprobe.geometry.measured import IntArray


class PseudoTest(NamedTuple):
    """Rows of training drawn as if they were a test split, and the rows that are left to train."""

    test: IntArray
    rest: IntArray


class NothingLeft(InputError):
    """A draw leaves no unit of a label to train: all of its groups were drawn from."""

    def __init__(self, label: str) -> None:
        super().__init__(
            f"no unit of label {label!r} is left outside of the groups that were drawn; leave the "
            f"label out, or the groups."
        )
        self.label = label


def draw_pseudo_tests(
    y: Any,
    wanted: Any,
    *,
    n_draws: int = 100,
    seed: int = 0,
    groups: Any = None,
) -> Iterator[PseudoTest]:
    """Draw splits of training units that have the label counts of a test split.

    Parameters
    ----------
    y : array-like, shape (n_units,)
    wanted : mapping of label to int
        How many units of each label to draw.
    n_draws : int, default=100
    seed : int, default=0
        Draw k depends on the seed and k alone.
    groups : array-like, shape (n_units,), optional
        No group is in both parts: units that were not drawn of groups that were are in neither.

    Yields
    ------
    PseudoTest

    Raises
    ------
    InputError
        If a label has too few units for both parts, naming it; with groups that may show at a
        later draw.
    """
    if n_draws < 1:
        raise InputError(f"n_draws is at least 1, but it is {n_draws!r}.")
    names, codes = as_labels(y, len(y))
    counts = np.bincount(codes, minlength=len(names))
    quota = np.zeros(len(names), np.int64)
    position = {str(name): k for k, name in enumerate(names.tolist())}
    for label, number in dict(wanted).items():
        k = position.get(str(label))
        there = 0 if k is None else int(counts[k])
        if k is None or there <= number:
            raise InputError(
                f"{number} units of label {str(label)!r} are to be drawn and one at least kept, "
                f"but there are {there}."
            )
        quota[k] = number
    belongs = None if groups is None else group_codes(groups, len(codes))
    return (
        _checked(draw_units(codes, quota, belongs, seed, k), codes, quota, names)
        for k in range(n_draws)
    )


def draw_units(
    codes: NDArray[np.integer], quota: IntArray, belongs: IntArray | None, seed: int, k: int
) -> PseudoTest:
    """Take units in a random order, group by group, as long as their label is wanted.

    Parameters
    ----------
    codes : ndarray of int, shape (n_units,)
        Label of each unit.
    quota : ndarray of int64, shape (n_labels,)
        Units wanted of each label, at most those there are.
    belongs : ndarray of int64, shape (n_units,), or None
        Group of each unit.
    seed, k : int
        Draw k depends on both alone.

    Returns
    -------
    PseudoTest
        Nothing is left to train of a label all of whose groups were drawn from.
    """
    rng = np.random.default_rng([seed, k])
    order = rng.permutation(len(codes))
    if belongs is not None:
        turn = rng.permutation(int(belongs.max()) + 1)[belongs]
        order = order[np.argsort(turn[order], kind="stable")]
    # The position of a unit among those of its label, in this order.
    by_label = np.argsort(codes[order], kind="stable")
    starts = np.cumsum(np.bincount(codes, minlength=len(quota))) - np.bincount(
        codes, minlength=len(quota)
    )
    rank = np.empty(len(codes), np.int64)
    rank[by_label] = np.arange(len(codes)) - starts[codes[order][by_label]]
    taken = np.sort(order[rank < quota[codes[order]]])
    free = np.ones(len(codes), bool)
    free[taken] = False
    if belongs is not None:
        free &= ~np.isin(belongs, belongs[taken])
    return PseudoTest(taken, np.flatnonzero(free))


def _checked(
    draw: PseudoTest, codes: NDArray[np.integer], quota: IntArray, names: NDArray[Any]
) -> PseudoTest:
    left = np.bincount(codes[draw.rest], minlength=len(quota))
    if (left[quota > 0] == 0).any():
        k = int(np.flatnonzero((left == 0) & (quota > 0))[0])
        raise NothingLeft(str(names[k]))
    return draw
