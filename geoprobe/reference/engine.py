"""The questions that a config's run asks of geoprobe's own probe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geoprobe.geometry.clusters import NO_BLOCKS, Clusters
from geoprobe.hulls.normalisation import normalise
from geoprobe.hulls.solving import group_rows, solve_pairs
from geoprobe.probes import DirectProbe
from geoprobe.probes.ranking import NearestHulls
from geoprobe.progress import ProgressCallback
from geoprobe.reference.inputs import LabelledPoints, majority_labels
from geoprobe.threads import checked_threads
from geoprobe.tolerances import TAU

Ranking = tuple[NDArray[np.float64], NDArray[np.int64]]
Rank = Callable[[NDArray[Any]], Ranking]


class Partition(NamedTuple):
    """Clusters, their labels, and how to rank them for new points."""

    clusters: Clusters
    """``label`` numbers the ``names``; pairs that were not asked for are left out."""
    names: NDArray[Any]
    """Label of each cluster, shape (n_clusters,)."""
    rank: Rank
    """Takes points (n, n_dims); returns distances and cluster ids, both (n, n_clusters), in
    ascending order of the distance."""


def cluster(
    train: LabelledPoints, *, n_threads: int | None = None, progress: ProgressCallback | None = None
) -> Partition:
    """Cluster the points: the mode ``probing``."""
    probe = DirectProbe(n_threads=n_threads, progress=progress)
    probe.fit(train.points, train.labels)
    return Partition(
        clusters=probe.geometry_.need_clusters(),
        names=probe.cluster_labels_,
        rank=probe.rank_clusters,
    )


def measure_partition(
    train: LabelledPoints,
    clusters: NDArray[np.int64],
    *,
    smallest: int = 1,
    n_threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> Partition:
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

    hulls = NearestHulls(scaled.points, groups)

    def rank_points(points: NDArray[Any]) -> Ranking:
        queries = scaled.apply(points)
        far, ids = hulls.rank(queries, len(own), TAU, threads, progress)
        return far * scaled.unit, ids

    return Partition(
        clusters=Clusters(
            assignment=clusters,
            label=np.unique(own, return_inverse=True)[1].astype(np.int64),
            distances=solved.in_units(scaled.scale, TAU, np.arange(len(own))),
            blocks=NO_BLOCKS,
        ),
        names=own,
        rank=rank_points,
    )
