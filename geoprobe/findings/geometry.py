"""The measured geometry of one space: everything the findings need, and none of its points."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import InputError
from geoprobe.findings.cells import Cell
from geoprobe.hulls.results import Status

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PairBounds:
    """Hull distances of pairs of groups, as columns of shape (n_pairs,).

    Attributes
    ----------
    first, second : ndarray of int64
        Numbers of the groups, ``first < second``, in lexicographic order.
    lower, upper : ndarray of float64
        Bounds of the distance, in the units of the points.
    status : ndarray of uint8
        Values of :class:`geoprobe.hulls.Status`.
    """

    first: IntArray
    second: IntArray
    lower: FloatArray
    upper: FloatArray
    status: NDArray[np.uint8]

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.first)

    @property
    def distance(self) -> FloatArray:
        """The distance of each pair: ``upper``, or 0 where the hulls overlap."""
        return np.where(self.status == Status.OVERLAP, 0.0, self.upper)


@dataclass(frozen=True, eq=False)
class Clusters:
    """DirectProbe's clusters of a space.

    Attributes
    ----------
    label : ndarray of int64, shape (n_clusters,)
        Position of each cluster's label in ``Geometry.labels``; ascending.
    size : ndarray of int64, shape (n_clusters,)
        Number of points.
    distances : PairBounds
        Every pair of clusters of different labels.
    blocked_first, blocked_second, blocker : ndarray of int64, shape (n_blocks,)
        The hull of the first two clusters together, both of one label, meets the hull of the
        third, of another label.
    gap : ndarray of float64, shape (n_blocks,)
        How closely the two hulls are proved to meet, in the units of the points.
    """

    label: IntArray
    size: IntArray
    distances: PairBounds
    blocked_first: IntArray
    blocked_second: IntArray
    blocker: IntArray
    gap: FloatArray

    def __len__(self) -> int:
        """Return the number of clusters."""
        return len(self.label)


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What DirectProbe predicted for the units of the test space, in their order.

    Attributes
    ----------
    names : tuple of str
        Labels of the training and the test space together.
    true, predicted : ndarray of int64, shape (n_units,)
        Positions in ``names``.
    distance : ndarray of float64, shape (n_units,)
        To the nearest cluster's hull, 0 inside.
    unseen : tuple of str
        Labels of the test space that the training space lacks; their units count as wrong.
    """

    names: tuple[str, ...]
    true: IntArray
    predicted: IntArray
    distance: FloatArray
    unseen: tuple[str, ...]

    @property
    def correct(self) -> BoolArray:
        """Whether each unit was predicted rightly, shape (n_units,)."""
        return np.asarray(self.true == self.predicted, dtype=np.bool_)

    @property
    def accuracy(self) -> float:
        """The share of units predicted rightly."""
        return float(np.mean(self.correct))


@dataclass(frozen=True, eq=False)
class Geometry:
    """The measured geometry of one space, as :func:`geoprobe.findings.measure` makes it.

    Attributes
    ----------
    cell : Cell
        What was measured.
    labels : tuple of str
        Names of the labels, in the order of ``DirectProbe.classes_``.
    counts : ndarray of int64, shape (n_labels,)
        Units of each label.
    centroids : ndarray of float64, shape (n_labels, n_dims)
        Mean of the points of each label.
    hulls : PairBounds
        Distances of the hulls of whole labels, every pair; 0 where they overlap.
    clusters : Clusters or None
        None where they were not asked for and the space is not linear.
    held_out : HeldOut or None
        Predictions for the test space; None without one.
    test : Geometry or None
        The test space measured by itself; None without one, or when it has a single label.
    scale, tau : float
        R, the largest distance of a point to the mean of all, and the tolerance: hulls at most
        ``tau * scale`` apart overlap.
    tallies : dict of str to int
        ``duplicate_points`` and ``contradictory_points``, as in
        :class:`geoprobe.probes.blocks.Counts`; empty without DirectProbe.
    fingerprints : dict of str to str
        SHA-256 of the points and of the labels.
    """

    cell: Cell
    labels: tuple[str, ...]
    counts: IntArray
    centroids: FloatArray
    hulls: PairBounds
    clusters: Clusters | None
    held_out: HeldOut | None
    test: Geometry | None
    scale: float
    tau: float
    tallies: dict[str, int] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)

    @property
    def n_labels(self) -> int:
        """The number of labels."""
        return len(self.labels)

    @property
    def n_units(self) -> int:
        """The number of points."""
        return int(self.counts.sum())

    @property
    def n_dims(self) -> int:
        """The number of coordinates of a point."""
        return int(self.centroids.shape[1])

    @property
    def is_linear(self) -> bool:
        """Whether a hyperplane separates every two labels (ACL 2022, section 4.2)."""
        return bool(np.all(self.hulls.status == Status.DISJOINT))

    @property
    def n_clusters(self) -> int:
        """The number of DirectProbe's clusters."""
        return len(self.need_clusters())

    def need_clusters(self) -> Clusters:
        """Return the clusters.

        Raises
        ------
        InputError
            If they were not asked for when the space was measured.
        """
        if self.clusters is None:
            raise InputError(
                f"{self.cell}: this needs DirectProbe's clusters, but the space was measured with "
                f"clusters=False and is not linear."
            )
        return self.clusters


def all_pairs(groups: IntArray) -> tuple[IntArray, IntArray]:
    """List the pairs of clusters of different labels, in lexicographic order.

    Parameters
    ----------
    groups : ndarray of int64, shape (n_clusters,)
        Label of each cluster.

    Returns
    -------
    first, second : ndarray of int64, shape (n_pairs,)
    """
    first, second = np.triu_indices(len(groups), 1)
    apart = groups[first] != groups[second]
    return first[apart].astype(np.int64), second[apart].astype(np.int64)
