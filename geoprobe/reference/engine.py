"""The questions that a config's run asks of geoprobe's own probe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.hulls.frame import Frame, frame
from geoprobe.hulls.results import Status
from geoprobe.hulls.solving import Groups, group_rows, solve_pairs
from geoprobe.probes import DirectProbe
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.reference.data import LabelledPoints
from geoprobe.reference.partition import majority_labels
from geoprobe.threads import checked_threads
from geoprobe.tolerances import TAU

_PAIRS_AT_ONCE = 50_000

Ranking = tuple[NDArray[np.float64], NDArray[np.int64]]


@dataclass(frozen=True)
class Clustering:
    """Clusters, the distances between them, and how to rank them for new points.

    Attributes
    ----------
    clusters : ndarray of int64, shape (n_points,)
        The cluster of each point.
    cluster_labels : ndarray of str, shape (n_clusters,)
    first, second : ndarray of int64, shape (n_pairs,)
        Pairs of clusters of different labels, ``first < second``, in lexicographic order.
    distance : ndarray of float64, shape (n_pairs,)
        Their distances, 0 where they overlap.
    rank : callable
        Takes points (n, n_dims); returns distances and cluster ids, both (n, n_clusters), in
        ascending order of the distance.
    """

    clusters: NDArray[np.int64]
    cluster_labels: NDArray[Any]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    distance: NDArray[np.float64]
    rank: Callable[[NDArray[Any]], Ranking]

    @property
    def n_clusters(self) -> int:
        """The number of clusters."""
        return len(self.cluster_labels)


def cluster(
    train: LabelledPoints, *, n_threads: int | None = None, progress: ProgressCallback | None = None
) -> Clustering:
    """Cluster the points: the mode ``probing``."""
    probe = DirectProbe(n_threads=n_threads, progress=progress)
    probe.fit(train.points, train.labels)
    table = probe.distances_
    return Clustering(
        clusters=probe.labels_,
        cluster_labels=probe.cluster_labels_,
        first=table.first,
        second=table.second,
        distance=table.distance,
        rank=probe.rank_clusters,
    )


def measure(
    train: LabelledPoints,
    clusters: NDArray[np.int64],
    *,
    smallest: int = 1,
    n_threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> Clustering:
    """Measure given clusters: the mode ``prediction``.

    Nothing is assumed about them: clusters of one label may overlap, and so may clusters of
    different labels. Pairs with a cluster of fewer than ``smallest`` points are left out.
    """
    own = majority_labels(clusters, train.labels)
    space = _Clusters(frame(train.points), group_rows(clusters, len(own)), n_threads, progress)
    large = np.flatnonzero(space.groups.sizes >= smallest)
    one, other = np.triu_indices(len(large), 1)
    first, second = large[one], large[other]
    differ = own[first] != own[second]
    first, second = first[differ], second[differ]
    return Clustering(
        clusters=clusters,
        cluster_labels=own,
        first=first,
        second=second,
        distance=space.distances(first, second),
        rank=space.rank,
    )


@dataclass(frozen=True)
class _Clusters:
    """Given clusters in the frame of all their points."""

    placed: Frame
    groups: Groups
    n_threads: int | None
    progress: ProgressCallback | None

    def distances(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the distances of pairs of clusters, shape (n_pairs,)."""
        return self._solve(
            self.placed.points, self.groups, first, second, self.progress, "distances"
        )

    def rank(self, points: NDArray[Any]) -> Ranking:
        """Return distances and ids of all clusters for each point, ascending, ties by id."""
        n_clusters = len(self.groups)
        distance = np.empty((len(points), n_clusters))
        # The certificates of a batch are dropped before the next one: all at once would not fit.
        batch = max(1, _PAIRS_AT_ONCE // n_clusters)
        for start in range(0, len(points), batch):
            part = distance[start : start + batch]
            part[:] = self._to_clusters(points[start : start + batch])
            if self.progress is not None:
                self.progress(Progress("prediction", start + len(part), len(points)))
        order = np.argsort(distance, axis=1, kind="stable")
        return np.take_along_axis(distance, order, axis=1), order

    def _to_clusters(self, points: NDArray[Any]) -> NDArray[np.float64]:
        """Return the distance of each point to each cluster, shape (n_points, n_clusters)."""
        n_points, n_clusters = len(points), len(self.groups)
        n_train = len(self.placed.points)
        # Each point is a group of its own behind the clusters.
        groups = Groups(
            rows=np.r_[self.groups.rows, n_train + np.arange(n_points)],
            start=np.r_[self.groups.start, n_train + 1 + np.arange(n_points)],
        )
        together = np.concatenate([self.placed.points, self.placed.place(points)])
        first = np.tile(np.arange(n_clusters), n_points)
        second = n_clusters + np.repeat(np.arange(n_points), n_clusters)
        return self._solve(together, groups, first, second).reshape(n_points, n_clusters)

    def _solve(
        self,
        points: NDArray[np.float64],
        groups: Groups,
        first: NDArray[np.int64],
        second: NDArray[np.int64],
        progress: ProgressCallback | None = None,
        phase: str = "",
    ) -> NDArray[np.float64]:
        threads = checked_threads(self.n_threads)
        solved = solve_pairs(points, groups, first, second, TAU, threads, progress, phase)
        return np.where(solved.status == Status.OVERLAP, 0.0, solved.upper * self.placed.scale)
