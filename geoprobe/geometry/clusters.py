"""Clusters of a space, what keeps those of one label apart, and counters of the work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.geometry.pairs import PairwiseDistances, Supports
from geoprobe.showing import MOST_ROWS, Showing, Summary, count, frame

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Blocks(Showing):
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

    def to_frame(self) -> Any:
        """Return the pairs as a pandas DataFrame: ids of clusters, what stands in between, gap.

        Raises
        ------
        GeoprobeError
            If pandas is not installed.
        """
        columns = ("first", "second", "blocker", "gap", "certificate")
        return frame({name: getattr(self, name) for name in columns})

    def plot(self, ax: Any = None, at_most: int = 20) -> Any:
        """Draw which clusters stand in the way of which, as a grid of counts.

        :meth:`geoprobe.findings.InBetween.plot` draws the same by label.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            New ones by default.
        at_most : int
            Clusters shown on each side: those in the most pairs.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        GeoprobeError
            If matplotlib is not installed.
        """
        from geoprobe.drawing.grids import draw_counts

        kept_apart = _most(np.concatenate([self.first, self.second]), at_most)
        between = _most(self.blocker, at_most)
        counts = np.zeros((len(kept_apart), len(between)))
        for side in (self.first, self.second):
            shown = np.isin(side, kept_apart) & np.isin(self.blocker, between)
            rows = np.searchsorted(kept_apart, side[shown])
            np.add.at(counts, (rows, np.searchsorted(between, self.blocker[shown])), 1)
        return draw_counts(
            counts,
            [str(k) for k in kept_apart.tolist()],
            [str(k) for k in between.tolist()],
            ax=ax,
            title="Pairs of clusters kept apart",
            x="cluster in between",
            y="one of the two clusters",
            nothing="nothing is kept apart",
        )

    def _summaries(self) -> Sequence[Summary]:
        if len(self) == 0:
            return (Summary(("no two clusters of one label are kept apart.",)),)
        n_between = len(np.unique(self.blocker))
        line = (
            f"{count(len(self), 'pair')} of clusters of one label, kept apart by "
            f"{count(n_between, 'cluster')} of other labels."
        )
        columns = (self.first, self.second, self.blocker)
        rows = zip(*(column[:MOST_ROWS].tolist() for column in columns), strict=True)
        return (
            Summary(
                (line,),
                "The first pairs" if len(self) > MOST_ROWS else "The pairs",
                ("cluster ", "cluster ", "in between "),
                tuple(tuple(map(str, row)) for row in rows),
            ),
        )


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
class Clusters(Showing):
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

    @property
    def first_row(self) -> IntArray:
        """The smallest row of each cluster, shape (n_clusters,)."""
        return np.unique(self.assignment, return_index=True)[1].astype(np.int64)

    def to_frame(self) -> Any:
        """Return the clusters as a pandas DataFrame: id, position of the label, size, first row.

        Raises
        ------
        GeoprobeError
            If pandas is not installed.
        """
        return frame(
            {
                "cluster": np.arange(len(self)),
                "label": self.label,
                "size": self.size,
                "first_row": self.first_row,
            }
        )

    def plot(self, ax: Any = None, names: Sequence[str] | None = None) -> Any:
        """Draw the clusters of each label as parts of a bar.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            New ones by default.
        names : sequence of str, optional
            Of the labels; their positions by default.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        GeoprobeError
            If matplotlib is not installed.
        """
        from geoprobe.drawing.bars import draw_clusters

        if names is None:
            names = [str(k) for k in range(self.n_labels)]
        return draw_clusters(names, self.label, self.size, ax=ax, title=self._size())

    @property
    def n_labels(self) -> int:
        """The number of labels."""
        return int(self.label.max(initial=-1)) + 1

    def _size(self) -> str:
        return f"{count(len(self), 'cluster')} of {count(self.n_labels, 'label')}"

    def _summaries(self) -> Sequence[Summary]:
        if len(self) == 0:
            return (Summary(("none.",)),)
        split = int((np.bincount(self.label) > 1).sum())
        low, middle, high = np.quantile(self.size, [0.0, 0.5, 1.0]).tolist()
        lines = (
            f"{self._size()}, {split:,} of them in several; {len(self.assignment):,} points.",
            f"Sizes from {low:,.0f} to {high:,.0f} points, half of them up to {middle:,.0f}.",
        )
        return (Summary(lines),)


def _most(ids: IntArray, at_most: int) -> IntArray:
    """Return the most frequent ids, ascending."""
    known, times = np.unique(ids, return_counts=True)
    return np.sort(known[np.argsort(-times, kind="stable")[:at_most]])


NO_BLOCKS = Blocks(
    first=np.empty(0, np.int64),
    second=np.empty(0, np.int64),
    blocker=np.empty(0, np.int64),
    gap=np.empty(0),
    certificate=np.empty(0, np.int64),
    supports=Supports.of([]),
)
"""Of a space in which every label is one cluster."""
