"""Shuffled labels: clusters, distances and similarity of labels that mean nothing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geoprobe.arrays import as_labels, as_points
from geoprobe.controls.null import NullTest
from geoprobe.controls.permutations import Exchange, permuted_rows
from geoprobe.errors import InputError
from geoprobe.findings.similarity import pearson
from geoprobe.geometry.cells import Cell
from geoprobe.geometry.label_files import LabelFile
from geoprobe.geometry.measured import FloatArray, IntArray
from geoprobe.probes.permuted import measure_labelings
from geoprobe.progress import ProgressCallback
from geoprobe.showing import Showing, Summary
from geoprobe.tolerances import TAU


@dataclass(frozen=True, eq=False)
class ShuffledLabels(Showing):
    """Clusters and distances of a space under its labels and under permutations of them.

    Attributes
    ----------
    labels : tuple of str
        Sorted.
    counts : ndarray of int64, shape (n_labels,)
        Units of each label.
    n_clusters : int
        Under the labels as they are.
    distances : ndarray of float64, shape (n_pairs,)
        Of the hulls of labels, pairs in lexicographic order.
    null_clusters : ndarray of int64, shape (n_permutations,)
        Of shape (0,) where they were not counted.
    null_distances : ndarray of float64, shape (n_permutations, n_pairs)
    units : str
        SHA-256 of labels, groups, seed and kind of exchange: where it is the same, permutation k
        gives the same units the same labels.
    cell : Cell or None
        What was measured, where that is known.
    """

    labels: tuple[str, ...]
    counts: IntArray
    n_clusters: int
    distances: FloatArray
    null_clusters: IntArray
    null_distances: FloatArray
    units: str
    cell: Cell | None = None

    @property
    def n_units(self) -> int:
        """The number of points."""
        return int(self.counts.sum())

    @property
    def is_linear(self) -> bool:
        """Whether no two labels overlap: there are as many clusters as labels."""
        return bool(np.all(self.distances > 0))

    @property
    def null_linear(self) -> float:
        """The share of permutations under which the space is linear."""
        return float(np.mean(np.all(self.null_distances > 0, axis=1)))

    def clusters(self) -> NullTest:
        """Compare the number of clusters: labels that mean something have fewer.

        Raises
        ------
        InputError
            If those of shuffled labels were not counted.
        """
        return NullTest(float(self.n_clusters), self.null_clusters.astype(np.float64), "less")

    def overlaps(self) -> NullTest:
        """Compare how many pairs of labels overlap: fewer of labels that mean something."""
        null = (self.null_distances == 0).sum(axis=1).astype(np.float64)
        return NullTest(float((self.distances == 0).sum()), null, "less")

    def mean_distance(self) -> NullTest:
        """Compare the mean distance of two labels: those that mean something are further apart."""
        return self._distance(np.mean)

    def smallest_distance(self) -> NullTest:
        """Compare the smallest distance of two labels."""
        return self._distance(np.min)

    def _summaries(self) -> Sequence[Summary]:
        counted = len(self.null_clusters) > 0
        lines = (
            f"clusters {self.clusters()}" if counted else f"pairs that overlap {self.overlaps()}",
            f"mean distance {self.mean_distance()}",
            f"smallest distance {self.smallest_distance()}",
        )
        return (Summary(lines),)

    def _distance(self, reduce: Callable[..., Any]) -> NullTest:
        null = np.array([float(reduce(each)) for each in self.null_distances])
        return NullTest(float(reduce(self.distances)), null, "greater")

    def nearest(self) -> tuple[FloatArray, FloatArray]:
        """Return the distance of each label to the nearest other one.

        Returns
        -------
        observed : ndarray of float64, shape (n_labels,)
        null : ndarray of float64, shape (n_permutations, n_labels)
        """
        pairs = np.triu_indices(len(self.labels), 1)
        observed = _nearest(self.distances[None], pairs, len(self.labels))[0]
        return observed, _nearest(self.null_distances, pairs, len(self.labels))


def _nearest(rows: FloatArray, pairs: tuple[Any, Any], n_labels: int) -> FloatArray:
    first, second = pairs
    of_label = [rows[:, (first == k) | (second == k)].min(axis=1) for k in range(n_labels)]
    return np.stack(of_label, axis=1)


def shuffle_labels(
    X: Any,
    y: Any,
    *,
    n_permutations: int = 100,
    seed: int = 0,
    groups: Any = None,
    exchange: Exchange = "within",
    clusters: bool = True,
    tau: float = TAU,
    n_threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> ShuffledLabels:
    """Measure a space under its labels and under permutations of them.

    Two labels of fewer points than twice the dimensions are nearly always separable, whatever they
    mean (Cover 1965): that a space is linear says something only beside its permutations.

    Parameters
    ----------
    X : array-like, shape (n_points, n_dims)
    y : array-like, shape (n_points,)
    n_permutations : int, default=100
        Each is measured as the space itself is.
    seed, groups, exchange
        As in :func:`geoprobe.controls.permuted_rows`.
    clusters : bool, default=True
        Whether those of the permutations are counted; without, far quicker where there are many
        points, distances and overlaps of whole labels are all that is measured.
    tau, n_threads
        As in :class:`geoprobe.DirectProbe`.
    progress : callable, optional

    Returns
    -------
    ShuffledLabels

    Raises
    ------
    InputError
        If an array cannot be used, there is one label only, or nothing may be exchanged.
    UnprovedError
        As :meth:`geoprobe.DirectProbe.fit` does.
    """
    points = as_points(X)
    names, codes = as_labels(y, len(points), min_labels=2)
    labels = names[codes]
    rows = permuted_rows(
        labels, n_permutations=n_permutations, seed=seed, groups=groups, exchange=exchange
    )
    options: dict[str, Any] = {"tau": tau, "n_threads": n_threads, "progress": progress}
    found = measure_labelings(points, [labels], **options)
    shuffled = [labels[each] for each in rows]
    null = measure_labelings(points, shuffled, clusters=clusters, **options)
    return ShuffledLabels(
        labels=tuple(map(str, names.tolist())),
        counts=np.bincount(codes, minlength=len(names)).astype(np.int64),
        n_clusters=int(found.n_clusters[0]),
        distances=found.distances[0],
        null_clusters=null.n_clusters,
        null_distances=null.distances,
        units=_identity(labels, groups, seed, exchange),
    )


def _identity(labels: Any, groups: Any, seed: int, exchange: Exchange) -> str:
    names = [str(name) for name in labels.tolist()]
    belong = None if groups is None else [str(each) for each in np.asarray(groups).tolist()]
    return hashlib.sha256(repr((names, belong, seed, exchange)).encode()).hexdigest()


def shuffled_similarity(first: ShuffledLabels, second: ShuffledLabels) -> NullTest:
    """Compare the spatial similarity of two spaces with that of the same shuffled labels in both.

    Two spaces of the same units are alike under any labels as far as one is the other moved; the
    labels have a part in it only beyond that.

    Parameters
    ----------
    first, second : ShuffledLabels
        Of the same units in the same order, with the same seed and as many permutations.

    Returns
    -------
    NullTest
        Of Pearson's correlation; NaN where a distance vector is constant.

    Raises
    ------
    InputError
        If the permutations are not of the same units.
    """
    _check_paired(first, second)
    null = [
        pearson(a, b)[0] for a, b in zip(first.null_distances, second.null_distances, strict=True)
    ]
    return NullTest(pearson(first.distances, second.distances)[0], np.array(null), "greater")


def pushed_apart(before: ShuffledLabels, after: ShuffledLabels) -> NullTest:
    """Count the labels whose nearest other label is further away after, and so under shuffling.

    Parameters
    ----------
    before, after : ShuffledLabels
        Of the same units in the same order, with the same seed and as many permutations.

    Returns
    -------
    NullTest
        Not defined for permutations under which all labels overlap another before and after.

    Raises
    ------
    InputError
        If the permutations are not of the same units.
    """
    return _count_labels(np.greater, before, after)


def pulled_closer(before: ShuffledLabels, after: ShuffledLabels) -> NullTest:
    """Count the labels whose nearest other label is less far away after, and so under shuffling.

    Parameters, returned value and errors are those of :func:`pushed_apart`.
    """
    return _count_labels(np.less, before, after)


def _count_labels(
    compare: Callable[..., Any], before: ShuffledLabels, after: ShuffledLabels
) -> NullTest:
    _check_paired(before, after)
    (was, null_was), (now, null_now) = before.nearest(), after.nearest()
    null = compare(null_now, null_was).sum(axis=1).astype(np.float64)
    # Where all labels overlap before and after, nothing can have been pushed.
    null[~np.any((null_was > 0) | (null_now > 0), axis=1)] = np.nan
    return NullTest(float(compare(now, was).sum()), null, "greater")


def came_apart(before: ShuffledLabels, after: ShuffledLabels) -> NullTest:
    """Count the pairs of labels that overlap before and no more after, and so under shuffling.

    Parameters, result and errors are those of :func:`pushed_apart`.
    """
    _check_paired(before, after)
    null = (before.null_distances == 0) & (after.null_distances > 0)
    observed = (before.distances == 0) & (after.distances > 0)
    return NullTest(float(observed.sum()), null.sum(axis=1).astype(np.float64), "greater")


def _check_paired(first: ShuffledLabels, second: ShuffledLabels) -> None:
    if first.units != second.units or first.null_distances.shape != second.null_distances.shape:
        raise InputError(
            f"the units of both spaces are shuffled alike, but their labels, groups, seeds or "
            f"numbers of permutations differ ({len(first.null_distances)} and "
            f"{len(second.null_distances)} permutations of {first.n_units} and {second.n_units} "
            f"units, {len(first.labels)} and {len(second.labels)} labels)."
        )


def save_shuffled(shuffled: ShuffledLabels, path: str | os.PathLike[str]) -> Path:
    """Write what shuffling gave to one npz file, which appears complete or not at all.

    Raises
    ------
    OutputError, StoreError
        As :func:`geoprobe.geometry.write_geometry` does.
    """
    return _FILE.save(shuffled, path)


def load_shuffled(path: str | os.PathLike[str]) -> ShuffledLabels:
    """Read back what shuffling gave.

    Raises
    ------
    FormatError
        If the file is missing, damaged, or of another kind or version.
    """
    return _FILE.load(path)


_FILE = LabelFile(
    ShuffledLabels,
    what="shuffled labels",
    format="geoprobe shuffled labels",
    version=1,
    arrays={
        "counts": ("labels",),
        "distances": ("pairs",),
        "null_clusters": ("counted",),
        "null_distances": ("permutations", "pairs"),
    },
    numbers=("n_clusters",),
)
