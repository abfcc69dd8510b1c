"""Units left out of their own label: how far they are from it, beside the units to test."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.controls.groups import bootstrap_interval
from geoprobe.controls.null import NullTest
from geoprobe.errors import InputError
from geoprobe.findings.intervals import Interval
from geoprobe.geometry.cells import Cell
from geoprobe.geometry.label_files import LabelFile
from geoprobe.geometry.measured import FloatArray, IntArray
from geoprobe.showing import Showing, Summary, count, frame

TRAIN, TEST = "train", "test"


@dataclass(frozen=True, eq=False)
class LeftOutUnits(Showing):
    """Every training unit as if it were a unit to test, beside the units to test.

    :func:`measure_units` makes it.

    A training unit is left out of the hull of its own label, with all units of its group, so that
    nothing but the others says where it belongs. A test unit is placed beside the hull of its label
    without a training unit of that label, drawn at random, and its group: the hulls are equally
    large. A representation that knows its training units no better than new ones places both alike.

    Attributes
    ----------
    labels : tuple of str
        Of the training units, sorted.
    n_train : int
        The first units are those to train, the others those to test whose label train has.
    row : ndarray of int64, shape (n_units,)
        Of each unit in its part, train or test.
    label, nearest : ndarray of int64, shape (n_units,)
        The label of each unit, and the nearest other one.
    group : ndarray of int64, shape (n_units,)
        No group has units of both parts.
    own, other : ndarray of float64, shape (n_units,)
        Distance to the hull of the unit's label, and to that of the nearest other, in the units of
        the points, exact to a relative 1e-9; 0 inside. ``own`` is NaN where no other group has the
        label.
    own_bounds : ndarray of float64, shape (n_units, 2)
        Proved bounds of ``own``, lower and upper.
    drawn : ndarray of float64, shape (n_draws,)
        What :meth:`further` gives for pseudo-tests: training units, as many of each label as the
        test has and in whole groups, beside those that are left.
    units : str
        SHA-256 of labels, groups and seed: where it is the same, so are the draws.
    cell : Cell or None
        What was measured, where that is known.
    """

    labels: tuple[str, ...]
    n_train: int
    row: IntArray
    label: IntArray
    nearest: IntArray
    group: IntArray
    own: FloatArray
    other: FloatArray
    own_bounds: FloatArray
    drawn: FloatArray
    units: str
    cell: Cell | None = None

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether the own label of each unit is nearer than any other, shape (n_units,)."""
        return self.own < self.other

    def part(self, name: str) -> slice:
        """Return where the units to train, or those to test, stand.

        Raises
        ------
        InputError
            If the part is neither.
        """
        if name not in (TRAIN, TEST):
            raise InputError(f"part is 'train' or 'test', not {name!r}.")
        return slice(self.n_train) if name == TRAIN else slice(self.n_train, None)

    def accuracy(self, part: str = TRAIN) -> float:
        """Return the share of the units of a part that are known; NaN if it has none.

        Parameters
        ----------
        part : {"train", "test"}, default="train"
        """
        known = self.known[self.part(part)]
        return float(known.mean()) if len(known) else float("nan")

    @property
    def quota(self) -> IntArray:
        """Test units of each label, shape (n_labels,).

        0 where no more units to train can be left out: such a label is not compared.
        """
        train, n_labels = self.part(TRAIN), len(self.labels)
        left_out = self.label[train][~np.isnan(self.own[train])]
        there = np.bincount(left_out, minlength=n_labels)
        wanted = np.bincount(self.label[self.part(TEST)], minlength=n_labels)
        return np.where(there > wanted, wanted, 0)

    @property
    def compared(self) -> IntArray:
        """Labels that can be compared, ascending."""
        return np.flatnonzero(self.quota)

    def further(self, before: LeftOutUnits | None = None) -> NullTest:
        """Compare how far test units are from their label with how far training units are.

        The number is the mean distance of the test units, divided by that of training units of the
        same labels: 1 where both lie alike, more where training units are known by heart. It is not
        defined where training units left out lie inside their label.

        Parameters
        ----------
        before : LeftOutUnits, optional
            Of the same units in another space, such as that before fine-tuning. The number is then
            divided by that of this space: what tells the two splits apart in both cancels out.

        Returns
        -------
        NullTest
            Beside pseudo-tests of training units.

        Raises
        ------
        InputError
            If no label can be compared, or ``before`` is of other units.
        """
        observed, null = ratio(self._sums(before).sum(axis=0)), self.drawn
        if before is not None:
            with np.errstate(divide="ignore", invalid="ignore"):
                null = null / before.drawn
        return NullTest(float(observed), null, "greater")

    def interval(
        self,
        before: LeftOutUnits | None = None,
        *,
        n_bootstrap: int = 1000,
        confidence: float = 0.95,
        seed: int = 0,
    ) -> Interval:
        """Resample the test units in whole groups, and take the percentiles of :meth:`further`.

        Parameters
        ----------
        before : LeftOutUnits, optional
            As in :meth:`further`; a test unit is resampled with its distances in both spaces.
        n_bootstrap, confidence, seed
            Of the resamples.

        Returns
        -------
        Interval

        Raises
        ------
        InputError
            As :meth:`further` does.
        """
        sums = self._sums(before)
        return bootstrap_interval(
            lambda rows: float(ratio(sums[rows].sum(axis=0))),
            len(sums),
            groups=self.group[self._tested()],
            n_bootstrap=n_bootstrap,
            confidence=confidence,
            seed=seed,
        )

    def _tested(self) -> IntArray:
        """Return the test units of labels that can be compared."""
        tested = np.flatnonzero(np.isin(self.label, self.compared))
        return tested[tested >= self.n_train]

    def _sums(self, before: LeftOutUnits | None = None) -> FloatArray:
        """Return how far each test unit is and is expected to be, (n_tested, 2) or (n_tested, 4).

        Expected is the mean over the training units of its label.
        """
        tested = self._tested()
        if not len(tested):
            raise InputError(
                "no label has units to test and more units to train than these, in two groups at "
                "least: nothing can be compared."
            )
        if before is not None and (
            before.units != self.units or len(before.drawn) != len(self.drawn)
        ):
            raise InputError(
                f"the same units are compared before and after, but their labels, groups, seeds or "
                f"numbers of draws differ ({len(before.own)} and {len(self.own)} units, "
                f"{len(before.drawn)} and {len(self.drawn)} draws)."
            )
        columns = []
        for each in (self,) if before is None else (self, before):
            train = each.part(TRAIN)
            means = label_means(each.label[train], each.own[train], len(each.labels))
            columns += [each.own[tested], means[each.label[tested]]]
        return np.stack(columns, axis=1)

    def to_frame(self) -> Any:
        """Return a pandas DataFrame with a row for each unit.

        Raises
        ------
        GeoprobeError
            If pandas is not installed.
        """
        names = np.array(self.labels)
        return frame(
            {
                "part": np.where(np.arange(len(self.own)) < self.n_train, TRAIN, TEST),
                "unit": self.row,
                "label": names[self.label],
                "own": self.own,
                "own_lower": self.own_bounds[:, 0],
                "own_upper": self.own_bounds[:, 1],
                "nearest": names[self.nearest],
                "other": self.other,
                "known": self.known,
            }
        )

    def _summaries(self) -> Sequence[Summary]:
        n_test = len(self.own) - self.n_train
        lines = [
            f"{count(self.n_train, 'unit')} to train, each left out of its own label, and "
            f"{n_test:,} to test; {self.accuracy():.3f} and {self.accuracy(TEST):.3f} are known."
        ]
        if len(self.compared):
            lines.append(f"further from its label in test: {self.further()}")
        return (Summary(tuple(lines)),)


def label_means(codes: IntArray, values: FloatArray, n_labels: int) -> FloatArray:
    """Return the mean of the values of each label; NaN for those without one."""
    with np.errstate(invalid="ignore"):
        means: FloatArray = np.bincount(codes, values, n_labels) / np.bincount(
            codes, minlength=n_labels
        )
    return means


def ratio(sums: FloatArray) -> FloatArray:
    """Divide what is by what is expected, and by the same before, where that is known.

    Parameters
    ----------
    sums : ndarray of float64, shape (..., 2) or (..., 4)
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        found: FloatArray = sums[..., 0] / sums[..., 1]
        return found if sums.shape[-1] == 2 else found * sums[..., 3] / sums[..., 2]


def save_units(units: LeftOutUnits, path: str | os.PathLike[str]) -> Path:
    """Write units left out to one npz file, which appears complete or not at all.

    The bounds of distances are in it, but not what proves them.

    Raises
    ------
    OutputError, StoreError
        As :func:`geoprobe.geometry.write_geometry` does.
    """
    return _FILE.save(units, path)


def load_units(path: str | os.PathLike[str]) -> LeftOutUnits:
    """Read units left out back.

    Raises
    ------
    FormatError
        If the file is missing, damaged, or of another kind or version.
    """
    return _FILE.load(path)


_EACH = ("units",)
_FILE = LabelFile(
    LeftOutUnits,
    what="units left out",
    format="geoprobe units left out",
    version=1,
    arrays={
        **dict.fromkeys(("row", "label", "nearest", "group", "own", "other"), _EACH),
        "own_bounds": ("units", "ends"),
        "drawn": ("draws",),
    },
    numbers=("n_train",),
)
