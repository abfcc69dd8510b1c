"""Clusters of a space, what keeps those of one label apart, and counters of the work."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from geoprobe.geometry.pairs import PairwiseDistances, Supports

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Blocks:
    """Pairs of clusters of the same label, as columns, each with what stands in between.

    The hull of the two clusters of row ``k`` together meets the hull of ``blocker[k]``, a cluster
    of another label. Certificate ``certificate[k]`` of ``supports`` proves it; many rows may share
    one certificate.

    Attributes
    ----------
    first, second : ndarray of int64, shape (n_blocks,)
        Cluster ids, ``first < second``, in lexicographic order.
    blocker : ndarray of int64, shape (n_blocks,)
        Id of the cluster of another label.
    gap : ndarray of float64, shape (n_blocks,)
        Length between the two convex combinations, at most ``tau * scale``.
    certificate : ndarray of int64, shape (n_blocks,)
        Positions in ``supports``.
    supports : Supports
        Their first sides are rows of ``first`` and ``second``, their second sides rows of
        ``blocker``.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    blocker: NDArray[np.int64]
    gap: NDArray[np.float64]
    certificate: NDArray[np.int64]
    supports: Supports

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.first)


@dataclass(frozen=True)
class Counts:
    """How much was done and met on the way.

    Attributes
    ----------
    merges : int
        Pairs of clusters made one.
    bans : int
        Pairs of clusters found to have another label in between.
    solves : int
        Exact solves of two hulls by the compiled kernels.
    highs_calls : int
        Linear programs that HiGHS decided because the kernels could not.
    duplicate_points : int
        Points equal to an earlier point of the same label.
    contradictory_points : int
        Points at most ``tau * scale`` away from a point of another label.
    """

    merges: int
    bans: int
    solves: int
    highs_calls: int
    duplicate_points: int
    contradictory_points: int


@dataclass(frozen=True, eq=False)
class Clusters:
    """DirectProbe's clusters of a space.

    Attributes
    ----------
    assignment : ndarray of int64, shape (n_points,)
        Cluster of each point. Ids are in the order of the labels, then of first points.
    label : ndarray of int64, shape (n_clusters,)
        Position of each cluster's label in ``Geometry.classes``; ascending.
    distances : PairwiseDistances
        Every pair of clusters of different labels.
    blocks : Blocks
        Every pair of clusters of one label, with the cluster that stands in between.
    fixed : bool
        Whether the partition was given, not found: clusters of any labels may overlap, and nothing
        is said of which of them could be one.
    """

    assignment: IntArray
    label: IntArray
    distances: PairwiseDistances
    blocks: Blocks
    fixed: bool = False

    def __len__(self) -> int:
        """Return the number of clusters."""
        return len(self.label)

    @cached_property
    def size(self) -> IntArray:
        """Number of points of each cluster, shape (n_clusters,)."""
        return np.bincount(self.assignment, minlength=len(self.label)).astype(np.int64)


NO_BLOCKS = Blocks(
    first=np.empty(0, np.int64),
    second=np.empty(0, np.int64),
    blocker=np.empty(0, np.int64),
    gap=np.empty(0),
    certificate=np.empty(0, np.int64),
    supports=Supports.of([]),
)
"""Of a space in which every label is one cluster."""
