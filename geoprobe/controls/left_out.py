"""Units left out of their own label: how far they are from it, beside the units to test."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geoprobe.arrays import as_labels
from geoprobe.controls.groups import group_codes
from geoprobe.controls.null import NullTest
from geoprobe.controls.pseudo_tests import draw_units
from geoprobe.drawing.style import AFTER, BEFORE, INK, describe, legend, one_axes
from geoprobe.errors import InputError
from geoprobe.findings.intervals import Interval, check_bootstrap, percentile_interval
from geoprobe.geometry.cells import Cell
from geoprobe.geometry.label_files import LabelFile
from geoprobe.geometry.measured import FloatArray, IntArray
from geoprobe.hulls.normalisation import Normalised, normalise
from geoprobe.hulls.solving import Groups, group_rows, proved_in_full, solve_pairs
from geoprobe.probes.ranking import NearestHulls
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.showing import Showing, Summary, count, frame
from geoprobe.spaces import Space
from geoprobe.threads import checked_threads
from geoprobe.tolerances import TAU, checked_tau

TRAIN, TEST = "train", "test"

# Rows of all hulls that are solved together: 32 MiB of row numbers.
_MOST_ROWS = 1 << 22


@dataclass(frozen=True, eq=False)
class LeftOutUnits(Showing):
    """Every training unit as if it were a unit to test, beside the units to test.

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
        the points; 0 inside. ``own`` is NaN where no other group has the label.
    own_bounds, other_bounds : ndarray of float64, shape (n_units, 2)
        Proved bounds of both, lower and upper.
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
    other_bounds: FloatArray
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
    def compared(self) -> IntArray:
        """Labels that can be compared: with test units, and more to train than these; sorted."""
        return np.flatnonzero(_quota(self.own, self.label, self.n_train, len(self.labels)))

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
        observed, null = _ratio(self._sums(before).sum(axis=0)), self.drawn
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
        check_bootstrap(n_bootstrap, confidence)
        sums = self._sums(before)
        _, groups = np.unique(self.group[self._tested()], return_inverse=True)
        of_group = np.zeros((int(groups.max()) + 1, sums.shape[1]))
        np.add.at(of_group, groups, sums)
        n_groups = len(of_group)
        even = np.full(n_groups, 1.0 / n_groups)
        times = np.random.default_rng(seed).multinomial(n_groups, even, n_bootstrap)
        drawn = _ratio(times @ of_group)
        return percentile_interval(float(_ratio(sums.sum(axis=0))), drawn, confidence)

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
            means = _means(each.label[: each.n_train], each.own[: each.n_train], len(each.labels))
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
                "other_lower": self.other_bounds[:, 0],
                "other_upper": self.other_bounds[:, 1],
                "known": self.known,
            }
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw both distances of every unit; those below the diagonal are known.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
        """
        ax = one_axes(ax)
        for part, marker, colour in ((TRAIN, "o", BEFORE), (TEST, "s", AFTER)):
            own, other = self.own[self.part(part)], self.other[self.part(part)]
            if len(own):
                text = f"{part}: {self.accuracy(part):.3f} known"
                ax.plot(other, own, marker, color=colour, label=text, alpha=0.5, markersize=3.5)
        end = float(self.other.max())
        ax.plot([0, end], [0, end], color=INK, linewidth=1)
        describe(
            ax,
            title="Units, each left out of its own label",
            x="distance to the nearest other label",
            y="distance to its own label",
        )
        legend(ax)
        return ax

    def _summaries(self) -> Sequence[Summary]:
        n_test = len(self.own) - self.n_train
        lines = [
            f"{count(self.n_train, 'unit')} to train, each left out of its own label, and "
            f"{n_test:,} to test; {self.accuracy():.3f} and {self.accuracy(TEST):.3f} are known."
        ]
        if len(self.compared):
            lines.append(f"further from its label in test: {self.further()}")
        return (Summary(tuple(lines)),)


def measure_units(
    space: Space,
    test: Space | None = None,
    *,
    groups: Any = None,
    test_groups: Any = None,
    n_draws: int = 199,
    seed: int = 0,
    tau: float = TAU,
    n_threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> LeftOutUnits:
    """Measure how far each unit is from its own label without it, and from the nearest other.

    Parameters
    ----------
    space : Space
        The units to train.
    test : Space, optional
        ``space.test`` by default; without one, the units to train alone are measured. Units whose
        label train does not have are left out.
    groups, test_groups : array-like, shape (n_units,) and (n_test_units,), optional
        Units of one group, such as a sentence, are left out of the hull of their own label
        together, drawn together and resampled together. Hulls of other labels are whole.
    n_draws : int, default=199
        Pseudo-tests; they cost next to nothing.
    seed : int, default=0
        Of the pseudo-tests, and of the training units left out beside test units.
    tau : float, default=1e-7
        A unit at most ``tau * R`` from a hull is inside, R as in
        :func:`geoprobe.pairwise_hull_distances` of all units.
    n_threads : int, optional
        All processors by default; the outcome does not depend on it.
    progress : callable, optional

    Returns
    -------
    LeftOutUnits

    Raises
    ------
    InputError
        If the space has one label only, the groups are not one for each unit, there is no draw, or
        the test has other dimensions.
    """
    test = space.test if test is None else test
    if n_draws < 1:
        raise InputError(f"n_draws is at least 1, but it is {n_draws!r}.")
    names, codes = as_labels(space.labels, space.n_points, min_labels=2)
    texts = tuple(map(str, names.tolist()))
    of_label = group_rows(codes, len(texts))
    group = group_codes(groups, space.n_points)
    points, label, row = space.points, codes.astype(np.int64), np.arange(space.n_points)
    without = group
    if test is not None:
        if test.n_dims != space.n_dims:
            raise InputError(
                f"the units to test have {test.n_dims} dimensions, but those to train have "
                f"{space.n_dims}."
            )
        number = {name: k for k, name in enumerate(texts)}
        of_test = np.array([number.get(str(each), -1) for each in test.labels.tolist()], np.int64)
        kept = np.flatnonzero(of_test >= 0)
        in_test = group_codes(test_groups, test.n_points, "test_groups")[kept]
        drawn = np.random.default_rng(seed).integers(of_label.sizes[of_test[kept]])
        beside = of_label.rows[of_label.start[of_test[kept]] + drawn]
        points = np.concatenate([points, test.points[kept]], dtype=np.float64)
        label, row = np.r_[label, of_test[kept]], np.r_[row, kept]
        group, without = np.r_[group, int(group.max()) + 1 + in_test], np.r_[group, group[beside]]
    scaled = normalise(points)
    options = _Options(checked_tau(tau), checked_threads(n_threads), progress)
    nearest = _nearest_other(scaled, of_label, label, options)
    own = _to_hulls(scaled, of_label, label, group, without, "own label", options)
    other = _to_hulls(scaled, of_label, nearest, group, None, "nearest other label", options)
    identity = repr((texts, space.n_points, seed)).encode() + np.r_[label, group].tobytes()
    return LeftOutUnits(
        labels=texts,
        n_train=space.n_points,
        row=row.astype(np.int64),
        label=label,
        nearest=nearest,
        group=group,
        own=own[:, 0],
        other=other[:, 0],
        own_bounds=own[:, 1:],
        other_bounds=other[:, 1:],
        drawn=_pseudo_tests(own[:, 0], label, group, space.n_points, len(texts), n_draws, seed),
        units=hashlib.sha256(identity).hexdigest(),
    )


class _Options(NamedTuple):
    tau: float
    n_threads: int
    progress: ProgressCallback | None


def _nearest_other(
    scaled: Normalised, of_label: Groups, label: IntArray, options: _Options
) -> IntArray:
    """Find the nearest label of another name for each unit, the first of equally near ones."""
    if scaled.scale == 0.0:
        # All units are one and the same point.
        return np.where(label == 0, 1, 0).astype(np.int64)
    _, ranked = NearestHulls(scaled.points, of_label).rank(scaled.points, 2, *options)
    return np.where(ranked[:, 0] == label, ranked[:, 1], ranked[:, 0])


def _to_hulls(
    scaled: Normalised,
    of_label: Groups,
    label: IntArray,
    group: IntArray,
    without: IntArray | None,
    phase: str,
    options: _Options,
) -> FloatArray:
    """Return distance, lower and upper bound of each unit and its hull, (n_units, 3).

    The hull is that of a label's training units, without those of a group if one is named; NaN
    where none is left.
    """
    found = np.full((len(label), 3), np.nan)
    for chunk in _chunks(of_label.sizes[label]):
        hulls = [of_label[int(label[k])] for k in chunk]
        if without is not None:
            hulls = [rows[group[rows] != without[k]] for k, rows in zip(chunk, hulls, strict=True)]
        asked = [(k, rows) for k, rows in zip(chunk, hulls, strict=True) if len(rows)]
        # Each hull, and then its unit.
        parts = [rows for k, hull in asked for rows in (hull, np.array([k]))]
        start = np.cumsum([0, *map(len, parts)], dtype=np.int64)
        pairs = Groups(np.concatenate([np.empty(0, np.int64), *parts]), start)
        first = np.arange(0, 2 * len(asked), 2)
        solved = solve_pairs(scaled.points, pairs, first, first + 1, options.tau, options.n_threads)
        solved = proved_in_full(solved, pairs, scaled)
        bounds = [solved.distance, solved.lower, solved.upper]
        found[[k for k, _ in asked]] = np.stack(bounds, axis=1) * scaled.scale
        if options.progress is not None:
            options.progress(Progress(phase, chunk.stop, len(label)))
    return found


def _chunks(sizes: IntArray) -> Iterator[range]:
    """Cut units into runs whose hulls have so many rows together."""
    of_unit = np.cumsum(sizes) // _MOST_ROWS
    edges = [0, *(np.flatnonzero(np.diff(of_unit)) + 1).tolist(), len(sizes)]
    return (range(*ends) for ends in itertools.pairwise(edges))


def _means(codes: IntArray, values: FloatArray, n_labels: int) -> FloatArray:
    """Return the mean of the values of each label; NaN for those without one."""
    with np.errstate(invalid="ignore"):
        means: FloatArray = np.bincount(codes, values, n_labels) / np.bincount(
            codes, minlength=n_labels
        )
    return means


def _quota(own: FloatArray, label: IntArray, n_train: int, n_labels: int) -> IntArray:
    """Return the test units of each label, 0 where train has no more that can be left out."""
    left_out = label[:n_train][~np.isnan(own[:n_train])]
    there = np.bincount(left_out, minlength=n_labels)
    wanted = np.bincount(label[n_train:], minlength=n_labels)
    return np.where(there > wanted, wanted, 0)


def _ratio(sums: FloatArray) -> FloatArray:
    """Divide what is by what is expected, and by the same before, where that is known."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found: FloatArray = sums[..., 0] / sums[..., 1]
        return found if sums.shape[-1] == 2 else found * sums[..., 3] / sums[..., 2]


def _pseudo_tests(
    own: FloatArray,
    label: IntArray,
    group: IntArray,
    n_train: int,
    n_labels: int,
    n_draws: int,
    seed: int,
) -> FloatArray:
    """Compare pseudo-tests with the training units that are left; none where nothing can be."""
    quota = _quota(own, label, n_train, n_labels)
    pool = np.flatnonzero(quota[label[:n_train]] > 0)
    if not len(pool):
        return np.empty(0)
    codes, values = label[pool], own[pool]
    found = np.empty(n_draws)
    for k in range(n_draws):
        draw = draw_units(codes, quota, group[pool], seed, k)
        expected = _means(codes[draw.rest], values[draw.rest], n_labels)[codes[draw.test]]
        # Of a label all of whose groups were drawn, nothing is left to compare with.
        sums = np.stack([values[draw.test], expected], axis=1)[~np.isnan(expected)]
        found[k] = _ratio(sums.sum(axis=0))
    return found


def save_units(units: LeftOutUnits, path: str | os.PathLike[str]) -> Path:
    """Write units left out to one npz file, which appears complete or not at all.

    The bounds of each distance are in it, but not what proves them.

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
        "other_bounds": ("units", "ends"),
        "drawn": ("draws",),
    },
    numbers=("n_train",),
)
