"""Leaving units out: each beside the hull of its own label without it, and beside the others."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from geoprobe.arrays import as_labels
from geoprobe.controls.groups import group_codes
from geoprobe.controls.left_out import LeftOutUnits, label_means, ratio
from geoprobe.controls.pseudo_tests import draw_units
from geoprobe.errors import InputError
from geoprobe.geometry.measured import FloatArray, IntArray
from geoprobe.hulls.normalisation import Normalised, normalise
from geoprobe.hulls.solving import Groups, group_rows, proved_in_full, solve_pairs
from geoprobe.probes.ranking import NearestHulls
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.spaces import Space
from geoprobe.threads import checked_threads
from geoprobe.tolerances import TAU, checked_tau

# Rows of all hulls that are solved together: 32 MiB of row numbers.
_MOST_ROWS = 1 << 22


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
    nearest, other = _nearest_others(scaled, of_label, label, options)
    own = _to_own(scaled, of_label, label, group, without, options)
    identity = repr((texts, space.n_points, seed)).encode() + np.r_[label, group].tobytes()
    found = LeftOutUnits(
        labels=texts,
        n_train=space.n_points,
        row=row.astype(np.int64),
        label=label,
        nearest=nearest,
        group=group,
        own=own[:, 0],
        other=other,
        own_bounds=own[:, 1:],
        drawn=np.empty(0),
        units=hashlib.sha256(identity).hexdigest(),
    )
    return replace(found, drawn=_pseudo_tests(found, n_draws, seed))


class _Options(NamedTuple):
    tau: float
    n_threads: int
    progress: ProgressCallback | None


def _nearest_others(
    scaled: Normalised, of_label: Groups, label: IntArray, options: _Options
) -> tuple[IntArray, FloatArray]:
    """Find the nearest label of another name for each unit, the first of equally near ones."""
    if scaled.scale == 0.0:
        # All units are one and the same point.
        return np.where(label == 0, 1, 0).astype(np.int64), np.zeros(len(label))
    distances, ranked = NearestHulls(scaled.points, of_label).rank(scaled.points, 2, *options)
    first = ranked[:, 0] != label
    nearest = np.where(first, ranked[:, 0], ranked[:, 1])
    return nearest, np.where(first, distances[:, 0], distances[:, 1]) * scaled.scale


def _to_own(
    scaled: Normalised,
    of_label: Groups,
    label: IntArray,
    group: IntArray,
    without: IntArray,
    options: _Options,
) -> FloatArray:
    """Return distance, lower and upper bound of each unit and its label, (n_units, 3).

    The hull is that of the label's training units without those of a group; NaN where none is left.
    """
    found = np.full((len(label), 3), np.nan)
    for chunk in _chunks(of_label.sizes[label]):
        hulls = [(k, of_label[int(label[k])]) for k in chunk]
        hulls = [(k, rows[group[rows] != without[k]]) for k, rows in hulls]
        asked = [(k, rows) for k, rows in hulls if len(rows)]
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
            options.progress(Progress("units left out", chunk.stop, len(label)))
    return found


def _chunks(sizes: IntArray) -> Iterator[range]:
    """Cut units into runs whose hulls have so many rows together."""
    of_unit = np.cumsum(sizes) // _MOST_ROWS
    edges = [0, *(np.flatnonzero(np.diff(of_unit)) + 1).tolist(), len(sizes)]
    return (range(*ends) for ends in itertools.pairwise(edges))


def _pseudo_tests(found: LeftOutUnits, n_draws: int, seed: int) -> FloatArray:
    """Compare pseudo-tests with the training units that are left; none where nothing can be."""
    n_labels, quota = len(found.labels), found.quota
    pool = np.flatnonzero(quota[found.label[: found.n_train]])
    if not len(pool):
        return np.empty(0)
    codes, own, group = found.label[pool], found.own[pool], found.group[pool]
    drawn = np.empty(n_draws)
    for k in range(n_draws):
        draw = draw_units(codes, quota, group, seed, k)
        expected = label_means(codes[draw.rest], own[draw.rest], n_labels)[codes[draw.test]]
        # Of a label all of whose groups were drawn, nothing is left to compare with.
        sums = np.stack([own[draw.test], expected], axis=1)[~np.isnan(expected)]
        drawn[k] = ratio(sums.sum(axis=0))
    return drawn
