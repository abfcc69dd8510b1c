"""Movement of labels beside that of as many units at random: how far, and how much in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from geoprobe.arrays import as_labels, as_points
from geoprobe.controls.null import NullTest
from geoprobe.controls.permutations import Exchange, permuted_rows
from geoprobe.errors import InputError
from geoprobe.findings.differences import common_drift
from geoprobe.geometry.measured import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class ShuffledMovement:
    """How far the mean of each label moves, and the mean of as many units under shuffled labels.

    Attributes
    ----------
    labels : tuple of str
        Sorted.
    counts : ndarray of int64, shape (n_labels,)
        Units of each label.
    movement : ndarray of float64, shape (n_labels,)
        Between the label's means before and after, in the units of the points.
    null : ndarray of float64, shape (n_permutations, n_labels)
        All units drift together; what is beyond this is the label's own.
    common : float
        Share of the labels' squared movement that all of them have in common, as in
        :class:`geoprobe.findings.differences.Drift`; NaN where none moved.
    null_common : ndarray of float64, shape (n_permutations,)
        The same of shuffled labels.
    """

    labels: tuple[str, ...]
    counts: IntArray
    movement: FloatArray
    null: FloatArray
    common: float
    null_common: FloatArray

    def of(self, label: str) -> NullTest:
        """Compare the movement of one label.

        Raises
        ------
        InputError
            If there is no such label.
        """
        if label not in self.labels:
            raise InputError(f"there is no label {label!r}; labels are {', '.join(self.labels)}.")
        k = self.labels.index(label)
        return NullTest(float(self.movement[k]), self.null[:, k], "greater")

    def mean(self) -> NullTest:
        """Compare the mean movement of all labels."""
        return NullTest(float(self.movement.mean()), self.null.mean(axis=1), "greater")

    def in_common(self) -> NullTest:
        """Compare the share of movement in common: labels with ways of their own have less."""
        return NullTest(self.common, self.null_common, "less")


def shuffle_movement(
    before: Any,
    after: Any,
    y: Any,
    *,
    n_permutations: int = 1000,
    seed: int = 0,
    groups: Any = None,
    exchange: Exchange = "within",
) -> ShuffledMovement:
    """Measure the movement of labels, and of shuffled labels, between two spaces of the same units.

    Parameters
    ----------
    before, after : array-like, shape (n_units, n_dims)
        The same units in the same order.
    y : array-like, shape (n_units,)
    n_permutations : int, default=1000
        No hull is measured: a thousand cost little.
    seed, groups, exchange
        As in :func:`geoprobe.controls.permuted_rows`.

    Returns
    -------
    ShuffledMovement

    Raises
    ------
    InputError
        If an array cannot be used, or the shapes differ.
    """
    was, now = as_points(before, name="before"), as_points(after, name="after")
    if was.shape != now.shape:
        raise InputError(
            f"movement is between two representations of the same units, but the shapes are "
            f"{was.shape} and {now.shape}."
        )
    names, codes = as_labels(y, len(was), min_labels=2)
    rows = permuted_rows(
        y, n_permutations=n_permutations, seed=seed, groups=groups, exchange=exchange
    )
    moved = now.astype(np.float64) - was
    movement, common = _moved(moved, codes, len(names))
    drawn = [_moved(moved, codes[each], len(names)) for each in rows]
    return ShuffledMovement(
        labels=tuple(map(str, names.tolist())),
        counts=np.bincount(codes).astype(np.int64),
        movement=movement,
        null=np.stack([lengths for lengths, _ in drawn]),
        common=common,
        null_common=np.array([share for _, share in drawn]),
    )


def _moved(moved: FloatArray, codes: Any, n_labels: int) -> tuple[FloatArray, float]:
    """Return the length of each label's mean vector, shape (n_labels,), and the share in common."""
    means = np.stack([moved[codes == k].mean(axis=0) for k in range(n_labels)])
    return np.linalg.norm(means, axis=1), common_drift(means).share
