"""Memorisation unit by unit: how far a unit is from its own label without it, and from others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geoprobe.arrays import as_labels
from geoprobe.drawing.style import AFTER, BEFORE, INK, describe, legend, one_axes
from geoprobe.errors import InputError
from geoprobe.findings.finding import Finding
from geoprobe.findings.intervals import Interval, check_bootstrap, percentile_interval
from geoprobe.geometry.measured import FloatArray, IntArray
from geoprobe.geometry.pairs import PairwiseDistances
from geoprobe.hulls.normalisation import Normalised, normalise
from geoprobe.hulls.solving import Groups, group_rows, proved_in_full, solve_pairs
from geoprobe.probes.ranking import NearestHulls
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.spaces import Space
from geoprobe.threads import checked_threads
from geoprobe.tolerances import TAU, checked_tau

TRAIN, TEST = "train", "test"

# Rows of all hulls that are solved together: 32 MiB of row numbers.
_MOST_ROWS = 1 << 22

NAN = float("nan")


class UnitRow(NamedTuple):
    """One unit and the two hulls that matter to it."""

    part: str
    unit: int
    label: str
    own: float
    own_lower: float
    own_upper: float
    nearest: str
    other: float
    other_lower: float
    other_upper: float
    margin: float
    known: bool


@dataclass(frozen=True, eq=False)
class UnitMemorisation(Finding):
    """Every training unit as if it were a unit to test, beside the units to test.

    A unit to train is left out of the hull of its own label, so that nothing but the others says
    where it belongs: its distance to that hull, and to the nearest hull of another label, are
    found just as those of a unit to test. A representation that knows its training units no better
    than new ones places both alike; what a fine-tuned one places better in training, it has
    memorised.

    Attributes
    ----------
    rows : tuple of UnitRow
        ``unit`` is the row of the unit in its ``part``, train or test. ``own`` is the distance to
        the hull of its label without it, ``other`` that to the hull of ``nearest``, both 0 inside;
        ``lower`` and ``upper`` are proved bounds of each, in the units of the points. ``margin``
        is other less own, and a unit is ``known`` if that is above 0. Both are NaN, and it is not
        known, where no other unit has the label.
    notes : tuple of str
    """

    rows: tuple[UnitRow, ...]
    notes: tuple[str, ...]

    row_type = UnitRow
    keys = ("part", "unit", "label")
    values = ("own", "other", "margin")

    def accuracy(self, part: str = TRAIN) -> float:
        """Return the share of the units of a part that are known; NaN if it has none.

        Parameters
        ----------
        part : {"train", "test"}, default="train"
        """
        known = self._known(part)
        return float(known.mean()) if len(known) else NAN

    def gap(self, *, n_bootstrap: int = 1000, confidence: float = 0.95, seed: int = 0) -> Interval:
        """Return the accuracy on train, unit by unit left out, less that on test.

        Units of each part are resampled one by one: where several come from one sentence and err
        together, the interval is too narrow.

        Parameters
        ----------
        n_bootstrap : int, default=1000
        confidence : float, default=0.95
        seed : int, default=0

        Returns
        -------
        Interval
            NaN throughout without units to test.
        """
        check_bootstrap(n_bootstrap, confidence)
        train, test = self._known(TRAIN), self._known(TEST)
        if not len(test):
            return Interval(NAN, NAN, NAN, confidence, n_bootstrap)
        rng = np.random.default_rng(seed)
        drawn = [
            rng.binomial(len(known), known.mean(), n_bootstrap) / len(known)
            for known in (train, test)
        ]
        value = float(train.mean() - test.mean())
        return percentile_interval(value, drawn[0] - drawn[1], confidence)

    def _known(self, part: str) -> NDArray[np.bool_]:
        if part not in (TRAIN, TEST):
            raise InputError(f"part is 'train' or 'test', not {part!r}.")
        return np.array([row.known for row in self.rows if row.part == part], dtype=bool)

    def plot(self, ax: Any = None) -> Any:
        """Draw both distances of every unit; those below the diagonal are known.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
        """
        ax = one_axes(ax)
        for part, marker, colour in ((TRAIN, "o", BEFORE), (TEST, "s", AFTER)):
            shown = [row for row in self.rows if row.part == part]
            if shown:
                own, other = [row.own for row in shown], [row.other for row in shown]
                text = f"{part}: {self.accuracy(part):.3f} known"
                ax.plot(other, own, marker, color=colour, label=text, alpha=0.5, markersize=3.5)
        ends = [row.other for row in self.rows if not np.isnan(row.other)]
        ax.plot([0, max(ends, default=1.0)], [0, max(ends, default=1.0)], color=INK, linewidth=1)
        describe(
            ax,
            title="Units, each left out of its own label",
            x="distance to the nearest other label",
            y="distance to its own label",
        )
        legend(ax)
        return ax


def measure_units(
    space: Space,
    test: Space | None = None,
    *,
    groups: Any = None,
    tau: float = TAU,
    n_threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> UnitMemorisation:
    """Measure how far each unit is from its own label without it, and from the nearest other.

    Parameters
    ----------
    space : Space
        The units to train.
    test : Space, optional
        ``space.test`` by default; without one, the units to train alone are measured.
    groups : array-like, shape (n_units,), optional
        Of the units to train. Units of one group, such as a sentence, are left out of the hull of
        their own label together. Hulls of other labels are whole.
    tau : float, default=1e-7
        A unit at most ``tau * R`` from a hull is inside, R as in
        :func:`geoprobe.pairwise_hull_distances`.
    n_threads : int, optional
        All processors by default; the outcome does not depend on it.
    progress : callable, optional

    Returns
    -------
    UnitMemorisation

    Raises
    ------
    InputError
        If the space has one label only, the groups are not one for each unit, or the test has
        other dimensions.
    """
    test = space.test if test is None else test
    names, codes = as_labels(space.labels, space.n_points, min_labels=2)
    texts = [str(name) for name in names.tolist()]
    options = _Options(checked_tau(tau), checked_threads(n_threads), progress)
    of_group = np.arange(space.n_points)
    if groups is not None:
        of_group = as_labels(groups, space.n_points, name="groups")[1].astype(np.int64)
    of_label = group_rows(codes, len(names))
    own = [
        members[of_group[members] != of_group[k]]
        for k, members in enumerate(of_label[int(code)] for code in codes)
    ]
    units = np.arange(space.n_points)
    rows = _rows(TRAIN, normalise(space.points), of_label, units, codes, own, texts, options)
    notes = []
    alone = sum(not len(members) for members in own)
    if alone:
        notes.append(f"{alone} units to train have a label that no other unit, or group, has.")
    if test is not None:
        rows += _of_test(space, test, of_label, texts, options, notes)
    return UnitMemorisation(tuple(rows), tuple(notes))


class _Options(NamedTuple):
    tau: float
    n_threads: int
    progress: ProgressCallback | None


def _of_test(
    space: Space,
    test: Space,
    of_label: Groups,
    names: Sequence[str],
    options: _Options,
    notes: list[str],
) -> list[UnitRow]:
    """Measure the units to test against the whole labels of train."""
    if test.n_dims != space.n_dims:
        raise InputError(
            f"the units to test have {test.n_dims} dimensions, but those to train have "
            f"{space.n_dims}."
        )
    number = {name: k for k, name in enumerate(names)}
    codes = np.array([number.get(str(label), -1) for label in test.labels.tolist()], np.int64)
    if (codes < 0).any():
        unseen = sorted({str(label) for label in test.labels[codes < 0].tolist()})
        notes.append(
            f"{int((codes < 0).sum())} units to test are left out, for train has no label "
            f"{', '.join(unseen)}."
        )
    kept = np.flatnonzero(codes >= 0)
    both = np.concatenate([space.points, test.points[kept]], dtype=np.float64)
    own = [of_label[int(code)] for code in codes[kept]]
    rows = _rows(
        TEST, normalise(both), of_label, space.n_points + np.arange(len(kept)), codes[kept], own,
        names, options,
    )  # fmt: skip
    return [row._replace(unit=int(k)) for row, k in zip(rows, kept.tolist(), strict=True)]


def _rows(
    part: str,
    scaled: Normalised,
    of_label: Groups,
    units: IntArray,
    codes: NDArray[np.integer],
    own: Sequence[IntArray],
    names: Sequence[str],
    options: _Options,
) -> list[UnitRow]:
    nearest = _nearest_other(scaled, of_label, units, codes, options)
    others = [of_label[int(code)] for code in nearest]
    to_own = _to_hulls(scaled, units, own, f"{part} units, own label", options)
    to_other = _to_hulls(scaled, units, others, f"{part} units, nearest other", options)
    rows = []
    for k, bounds in enumerate(np.hstack([to_own, to_other]).tolist()):
        own_is, own_lower, own_upper, other_is, other_lower, other_upper = bounds
        rows.append(
            UnitRow(
                part=part,
                unit=k,
                label=names[int(codes[k])],
                own=own_is,
                own_lower=own_lower,
                own_upper=own_upper,
                nearest=names[int(nearest[k])],
                other=other_is,
                other_lower=other_lower,
                other_upper=other_upper,
                margin=other_is - own_is,
                known=other_is > own_is,
            )
        )
    return rows


def _nearest_other(
    scaled: Normalised,
    of_label: Groups,
    units: IntArray,
    codes: NDArray[np.integer],
    options: _Options,
) -> IntArray:
    """Find the nearest label of another name for each unit, the first of equally near ones."""
    if scaled.scale == 0.0:
        # All units are one and the same point.
        return np.where(codes == 0, 1, 0).astype(np.int64)
    hulls = NearestHulls(scaled.points, of_label)
    _, ranked = hulls.rank(
        scaled.points[units], 2, options.tau, options.n_threads, options.progress
    )
    return np.where(ranked[:, 0] == codes, ranked[:, 1], ranked[:, 0])


def _to_hulls(
    scaled: Normalised, units: IntArray, hulls: Sequence[IntArray], phase: str, options: _Options
) -> FloatArray:
    """Return distance, lower and upper bound of each unit and its hull, (n_units, 3).

    NaN where a hull has no point.
    """
    found = np.full((len(units), 3), np.nan)
    asked = np.array([k for k, rows in enumerate(hulls) if len(rows)], np.int64)
    for chunk in _chunks(asked, [len(hulls[k]) for k in asked.tolist()]):
        # Each hull, and then its unit.
        parts = [rows for k in chunk.tolist() for rows in (hulls[k], units[k : k + 1])]
        start = np.cumsum([0, *map(len, parts)], dtype=np.int64)
        pairs = Groups(np.concatenate(parts), start)
        first = np.arange(0, 2 * len(chunk), 2)
        solved: PairwiseDistances = solve_pairs(
            scaled.points, pairs, first, first + 1, options.tau, options.n_threads
        )
        solved = proved_in_full(solved, pairs, scaled)
        bounds = [solved.distance, solved.lower, solved.upper]
        found[chunk] = np.stack(bounds, axis=1) * scaled.scale
        if options.progress is not None:
            options.progress(Progress(phase, int(chunk[-1]) + 1, len(units)))
    return found


def _chunks(asked: IntArray, sizes: Sequence[int]) -> Iterator[IntArray]:
    """Cut what is asked into runs whose hulls have so many rows together."""
    of_chunk = np.cumsum(sizes) // _MOST_ROWS if len(sizes) else np.empty(0, np.int64)
    for number in np.unique(of_chunk):
        yield asked[of_chunk == number]
