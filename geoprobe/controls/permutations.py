"""Permutations of labels, within groups or of whole groups, each named by its seed and number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from geoprobe.arrays import as_labels
from geoprobe.controls.groups import group_codes
from geoprobe.errors import InputError
from geoprobe.geometry.measured import IntArray

Exchange = Literal["within", "whole"]
"""What is exchanged where there are groups: labels within a group, or those of whole groups."""


def permuted_rows(
    y: Any, *, n_permutations: int, seed: int = 0, groups: Any = None, exchange: Exchange = "within"
) -> Iterator[IntArray]:
    """Draw permutations of labels: ``y[rows]`` are the labels of the units in their order.

    Parameters
    ----------
    y : array-like, shape (n_units,)
    n_permutations : int
    seed : int, default=0
        Permutation k depends on the seed and k alone: the first ten of a hundred are those of ten.
    groups : array-like, shape (n_units,), optional
        Units of one group belong together, and labels are exchangeable only as ``exchange`` says.
    exchange : {"within", "whole"}, default="within"
        ``"within"``: labels change places inside each group. ``"whole"``: every group has one
        label, and groups change labels with each other; a label keeps its number of groups.

    Yields
    ------
    ndarray of int64, shape (n_units,)

    Raises
    ------
    InputError
        If there is one label only, no permutation, a group of several labels that is to be
        exchanged whole, or nothing that may be exchanged.
    """
    if n_permutations < 1:
        raise InputError(f"n_permutations is at least 1, but it is {n_permutations!r}.")
    if exchange not in get_args(Exchange):
        raise InputError(f"exchange is 'within' or 'whole', but it is {exchange!r}.")
    array = np.asarray(y)
    names, codes = as_labels(y, array.shape[0] if array.ndim else 0, min_labels=2)
    if groups is None:
        return (
            np.random.default_rng([seed, k]).permutation(len(codes)) for k in range(n_permutations)
        )
    belongs = group_codes(groups, len(codes))
    mixed = _mixed_group(belongs, codes)
    if exchange == "whole":
        if mixed is not None:
            group, found = mixed
            name = as_labels(groups, len(codes), name="groups")[0][group]
            raise InputError(
                f"groups are exchanged whole, but group {str(name)!r} has the labels "
                f"{', '.join(map(repr, map(str, names[found].tolist())))}; a group of several "
                f"labels is permuted with exchange='within'."
            )
        return _whole(belongs, n_permutations, seed)
    if mixed is None:
        raise InputError(
            f"no label can change within its group: each of the {belongs.max() + 1} groups has "
            f"one label. Exchange whole groups with exchange='whole'."
        )
    return _within(belongs, n_permutations, seed)


def _mixed_group(belongs: IntArray, codes: NDArray[np.int32]) -> tuple[int, IntArray] | None:
    """Return the first group of several labels and their codes."""
    pairs = np.unique(np.stack([belongs, codes.astype(np.int64)]), axis=1)
    several = np.flatnonzero(np.bincount(pairs[0]) > 1)
    if not len(several):
        return None
    group = int(several[0])
    return group, pairs[1][pairs[0] == group]


def _within(belongs: IntArray, n_permutations: int, seed: int) -> Iterator[IntArray]:
    by_group = np.argsort(belongs, kind="stable")
    rows = np.empty(len(belongs), np.int64)
    for k in range(n_permutations):
        chance = np.random.default_rng([seed, k]).random(len(belongs))
        rows[by_group] = np.lexsort((chance, belongs))
        yield rows.copy()


def _whole(belongs: IntArray, n_permutations: int, seed: int) -> Iterator[IntArray]:
    first = np.unique(belongs, return_index=True)[1]
    for k in range(n_permutations):
        yield first[np.random.default_rng([seed, k]).permutation(len(first))][belongs]
