"""The questions that a config's run asks of geoprobe's own probe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.geometry.pairs import Status
from geoprobe.hulls.normalisation import normalise
from geoprobe.hulls.solving import group_rows, solve_pairs
from geoprobe.probes import DirectProbe
from geoprobe.probes.ranking import rank
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.reference.data import LabelledPoints
from geoprobe.reference.partition import majority_labels
from geoprobe.threads import checked_threads
from geoprobe.tolerances import TAU

_PAIRS_AT_ONCE = 50_000

Ranking = tuple[NDArray[np.float64], NDArray[np.int64]]
Rank = Callable[[NDArray[Any]], Ranking]


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
    rank: Rank

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
    # Batches report their own progress.
    probe.set_params(progress=None)
    table = probe.distances_
    return Clustering(
        clusters=probe.labels_,
        cluster_labels=probe.cluster_labels_,
        first=table.first,
        second=table.second,
        distance=table.distance,
        rank=_in_batches(probe.rank_clusters, probe.n_clusters_, progress),
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
    threads = checked_threads(n_threads)
    scaled = normalise(train.points)
    groups = group_rows(clusters, len(own))
    large = np.flatnonzero(groups.sizes >= smallest)
    one, other = np.triu_indices(len(large), 1)
    first, second = large[one], large[other]
    differ = own[first] != own[second]
    first, second = first[differ], second[differ]
    solved = solve_pairs(scaled.points, groups, first, second, TAU, threads, progress)

    def rank_points(points: NDArray[Any]) -> Ranking:
        queries = scaled.apply(points)
        far, ids = rank(scaled.points, groups, queries, len(own), TAU, threads)
        return far * scaled.unit, ids

    return Clustering(
        clusters=clusters,
        cluster_labels=own,
        first=first,
        second=second,
        distance=np.where(solved.status == Status.OVERLAP, 0.0, solved.upper * scaled.unit),
        rank=_in_batches(rank_points, len(own), progress),
    )


def _in_batches(rank_some: Rank, n_clusters: int, progress: ProgressCallback | None) -> Rank:
    """Rank a batch at a time: the certificates of all points at once would not fit in memory."""
    batch = max(1, _PAIRS_AT_ONCE // n_clusters)

    def rank_all(points: NDArray[Any]) -> Ranking:
        distance = np.empty((len(points), n_clusters))
        ids = np.empty((len(points), n_clusters), dtype=np.int64)
        for start in range(0, len(points), batch):
            part = slice(start, min(start + batch, len(points)))
            distance[part], ids[part] = rank_some(points[part])
            if progress is not None:
                progress(Progress("ranking", part.stop, len(points)))
        return distance, ids

    return rank_all
