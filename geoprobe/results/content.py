"""What a results folder says, as plain arrays, whichever command found it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import InputError

if TYPE_CHECKING:
    from geoprobe.geometry.clusters import Blocks, Counts
    from geoprobe.geometry.pairs import PairwiseDistances
    from geoprobe.spaces import Space

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


class FittedProbe(Protocol):
    """What is read from a fitted :class:`geoprobe.probes.DirectProbe`."""

    labels_: Any
    classes_: Any
    cluster_labels_: Any
    n_clusters_: int
    is_linear_: bool
    scale_: float
    tau: float
    distances_: PairwiseDistances
    blocks_: Blocks
    counts_: Counts
    timings_: Mapping[str, float]

    def rank_clusters(self, X: Any, k: int | None = None) -> tuple[FloatArray, IntArray]:
        """Return distances and ids of the nearest clusters of new points, both (n_points, k)."""
        ...


@dataclass(frozen=True)
class Predictions:
    """Where the points of a test space fall.

    Attributes
    ----------
    space : Space
        The test points with their true labels.
    cluster : ndarray of int64, shape (n_points,)
        The cluster whose hull is nearest.
    distance : ndarray of float64, shape (n_points,)
        Distance to that hull, 0 inside.
    """

    space: Space
    cluster: IntArray
    distance: FloatArray


def predict_space(probe: FittedProbe, space: Space) -> Predictions:
    """Find the nearest cluster of each point of a test space.

    Parameters
    ----------
    probe : DirectProbe
        After ``fit``.
    space : Space
    """
    distance, cluster = probe.rank_clusters(space.points, k=1)
    return Predictions(space=space, cluster=cluster[:, 0], distance=distance[:, 0])


@dataclass(frozen=True)
class Content:
    """Clusters, distances and blocks of one space; label codes are positions in ``classes``.

    Attributes
    ----------
    kind : str
        ``"probe"``: the clusters are those of DirectProbe. ``"distances"``: every label is one
        cluster, whether or not it overlaps others.
    classes : ndarray, shape (n_labels,)
    codes : ndarray of int64, shape (n_points,)
        Label of each point.
    assignment : ndarray of int64, shape (n_points,)
        Cluster of each point.
    cluster_codes : ndarray of int64, shape (n_clusters,)
        Label of each cluster.
    distances : PairwiseDistances
        One row per pair of clusters of different labels.
    blocks : Blocks or None
        One row per pair of clusters of one label; None where there is no such pair.
    counts, timings : mapping
    """

    kind: str
    classes: NDArray[Any]
    codes: IntArray
    assignment: IntArray
    cluster_codes: IntArray
    distances: PairwiseDistances
    blocks: Blocks | None
    counts: Mapping[str, int]
    timings: Mapping[str, float]


def probe_content(probe: FittedProbe, codes: NDArray[Any]) -> Content:
    """Take what is written from a fitted probe.

    Parameters
    ----------
    probe : DirectProbe
        After ``fit``.
    codes : ndarray of int, shape (n_points,)
        Position in ``probe.classes_`` of the label of each point it was fitted to.
    """
    if not hasattr(probe, "labels_"):
        raise InputError("the probe has no results yet; call fit first.")
    assignment = np.asarray(probe.labels_, dtype=np.int64)
    if len(assignment) != len(codes):
        raise InputError(
            f"the probe was fitted to {len(assignment)} points, but the space has {len(codes)}."
        )
    return Content(
        kind="probe",
        classes=np.asarray(probe.classes_),
        codes=np.asarray(codes, dtype=np.int64),
        assignment=assignment,
        cluster_codes=np.searchsorted(probe.classes_, probe.cluster_labels_).astype(np.int64),
        distances=probe.distances_,
        blocks=probe.blocks_,
        counts={name: int(value) for name, value in vars(probe.counts_).items()},
        timings={name: float(value) for name, value in probe.timings_.items()},
    )


def label_content(
    distances: PairwiseDistances,
    classes: NDArray[Any],
    codes: NDArray[Any],
    timings: Mapping[str, float],
) -> Content:
    """Take what is written from the distances of whole labels.

    Parameters
    ----------
    distances : PairwiseDistances
        As :func:`geoprobe.hulls.pairwise_hull_distances` returns them, for all pairs of labels.
    classes : ndarray, shape (n_labels,)
    codes : ndarray of int, shape (n_points,)
    timings : mapping from phase to seconds
    """
    whole = np.asarray(codes, dtype=np.int64)
    return Content(
        kind="distances",
        classes=classes,
        codes=whole,
        assignment=whole,
        cluster_codes=np.arange(len(classes), dtype=np.int64),
        distances=distances,
        blocks=None,
        counts={},
        timings={name: float(value) for name, value in timings.items()},
    )
