"""Leakage between points to train and to test: equal vectors, and groups that are in both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.arrays import as_labels, as_points
from geoprobe.errors import InputError
from geoprobe.geometry.measured import IntArray


@dataclass(frozen=True, eq=False)
class Leakage:
    """Test units that the training units give away.

    Attributes
    ----------
    n_train, n_test : int
    same_vector : ndarray of int64
        Rows of test units whose very vector stands in train.
    other_label : ndarray of int64
        Those of them that stand in train with other labels only; none where labels are not given.
    same_group : ndarray of int64 or None
        Rows of test units whose group has units in train; None where groups are not given.
    shared_groups : tuple of str
        Groups that are in both, sorted.
    """

    n_train: int
    n_test: int
    same_vector: IntArray
    other_label: IntArray
    same_group: IntArray | None
    shared_groups: tuple[str, ...]

    @property
    def share(self) -> float:
        """The share of test units that are in train by their vector or by their group."""
        leaked = set(self.same_vector.tolist())
        if self.same_group is not None:
            leaked |= set(self.same_group.tolist())
        return len(leaked) / self.n_test

    def __str__(self) -> str:
        """Tell it in a sentence or two."""
        text = f"{len(self.same_vector)} of {self.n_test} test units have a vector that is in train"
        if len(self.other_label):
            text += f" ({len(self.other_label)} with other labels only)"
        if self.same_group is None:
            return f"{text}; groups are not known."
        return (
            f"{text}; {len(self.same_group)} belong to one of {len(self.shared_groups)} groups "
            f"that are in train too."
        )


def find_leakage(
    X_train: Any,
    X_test: Any,
    *,
    y_train: Any = None,
    y_test: Any = None,
    groups_train: Any = None,
    groups_test: Any = None,
) -> Leakage:
    """Find test units whose vector or whose group is in train.

    Parameters
    ----------
    X_train : array-like, shape (n_train, n_dims)
    X_test : array-like, shape (n_test, n_dims)
    y_train, y_test : array-like, shapes (n_train,) and (n_test,), optional
        Labels, compared as text.
    groups_train, groups_test : array-like, shapes (n_train,) and (n_test,), optional
        The sentence, document or program of each unit, compared as text.

    Returns
    -------
    Leakage

    Raises
    ------
    InputError
        If an array cannot be used, the dimensions differ, or only one side has labels or groups.
    """
    train, test = as_points(X_train, name="X_train"), as_points(X_test, name="X_test")
    if train.shape[1] != test.shape[1]:
        raise InputError(
            f"X_train and X_test have one number of dimensions, but their shapes are {train.shape} "
            f"and {test.shape}."
        )
    labels = _both("labels", (y_train, "y_train", len(train)), (y_test, "y_test", len(test)))
    groups = _both(
        "groups",
        (groups_train, "groups_train", len(train)),
        (groups_test, "groups_test", len(test)),
    )
    of_train, of_test = labels or ([""] * len(train), [""] * len(test))
    known: dict[bytes, set[str]] = {}
    for vector, label in zip(_keys(train), of_train, strict=True):
        known.setdefault(vector, set()).add(label)
    repeated = [known.get(vector) for vector in _keys(test)]
    same = [row for row, there in enumerate(repeated) if there is not None]
    other = [row for row in same if of_test[row] not in (repeated[row] or ())]
    shared = set() if groups is None else {*groups[0]} & {*groups[1]}
    return Leakage(
        n_train=len(train),
        n_test=len(test),
        same_vector=np.array(same, np.int64),
        other_label=np.array(other, np.int64),
        same_group=None
        if groups is None
        else np.array([row for row, group in enumerate(groups[1]) if group in shared], np.int64),
        shared_groups=tuple(sorted(shared)),
    )


def _both(
    what: str, train: tuple[Any, str, int], test: tuple[Any, str, int]
) -> tuple[list[str], list[str]] | None:
    """Return what is said of both sides as text; None where nothing is."""
    if (train[0] is None) != (test[0] is None):
        raise InputError(f"{what} are compared between train and test, but only one side has them.")
    if train[0] is None:
        return None
    texts = []
    for values, name, n_units in (train, test):
        names, codes = as_labels(values, n_units, name=name)
        texts.append(names[codes].astype(str).tolist())
    return texts[0], texts[1]


def _keys(points: NDArray[Any]) -> list[bytes]:
    """Return each row as bytes that are equal where its numbers are."""
    # Adding 0 makes one zero of the two that floats have.
    wide = points.astype(np.float64) + 0.0
    return [row.tobytes() for row in wide]
