"""DirectProbe: what a representation knows about a task, read off its geometry."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
    check_is_fitted,
)

from geoprobe.arrays import as_labels, as_points
from geoprobe.errors import InputError, UnprovedError
from geoprobe.hulls.frame import Frame, frame
from geoprobe.hulls.pairwise import to_distances
from geoprobe.hulls.results import PairwiseDistances, Status
from geoprobe.hulls.solving import Groups, Solved, group_rows, solve_pairs
from geoprobe.label_table import LabelTable, label_table
from geoprobe.probes.blocking import find_blocks
from geoprobe.probes.blocks import Blocks, Counts
from geoprobe.probes.merging import Merged, merge_clusters
from geoprobe.probes.ranking import rank
from geoprobe.probes.sorting import SortedRows, find_contradictions, sort_rows
from geoprobe.progress import ProgressCallback
from geoprobe.threads import checked_threads
from geoprobe.tolerances import TAU, checked_tau

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class DirectProbe(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Clusters whose convex hulls meet no other label's, and their distances (NAACL 2021).

    Points that share a label are merged bottom-up, the closest centroids first, as long as the
    hull of the union meets no cluster of another label (Zhou & Srikumar 2021, algorithm 1). As
    many clusters as labels mean that one linear classifier can be right on every point.

    Parameters
    ----------
    tau : float, default=1e-7
        Hulls at most ``tau * R`` apart overlap, R the largest distance of a point to the mean.
    n_threads : int, optional
        All processors by default; the outcome does not depend on it.
    progress : callable, optional
        Called with a :class:`geoprobe.progress.Progress` now and then.

    Attributes
    ----------
    labels_ : ndarray of int64, shape (n_points,)
        Cluster id of each point. Ids are in the order of the labels, then of first points.
    classes_ : ndarray, shape (n_labels,)
        The labels, sorted.
    cluster_labels_ : ndarray, shape (n_clusters,)
        Label of each cluster.
    cluster_sizes_ : ndarray of int64, shape (n_clusters,)
    n_clusters_ : int
    is_linear_ : bool
        As many clusters as labels.
    distances_ : PairwiseDistances
        Every pair of clusters of different labels; rows of its supports are rows of ``X``.
    blocks_ : Blocks
        For every pair of clusters of one label the cluster that stands in between.
    counts_ : Counts
    timings_ : dict of str to float
        Seconds in each phase.
    scale_ : float
        R.
    n_features_in_ : int

    Examples
    --------
    >>> from geoprobe import DirectProbe
    >>> probe = DirectProbe().fit([[0, 0], [1, 1], [0, 1], [1, 0]], ["same", "same", "not", "not"])
    >>> probe.n_clusters_, probe.is_linear_
    (3, False)
    """

    def __init__(
        self,
        *,
        tau: float = TAU,
        n_threads: int | None = None,
        progress: ProgressCallback | None = None,
    ) -> None:
        self.tau = tau
        self.n_threads = n_threads
        self.progress = progress

    def fit(self, X: Any, y: Any) -> DirectProbe:
        """Find the clusters and measure their distances.

        Parameters
        ----------
        X : array-like, shape (n_points, n_dims)
            NumPy or torch, float16 to float64, memory-mapped or not.
        y : array-like, shape (n_points,)

        Returns
        -------
        DirectProbe
            The fitted probe itself.

        Raises
        ------
        InputError
            If an array cannot be used or there is only one label.
        UnprovedError
            If a pair of hulls is so close to ``tau * R`` apart that float64 cannot decide.
        """
        tau = checked_tau(self.tau)
        threads = checked_threads(self.n_threads)
        points = as_points(X)
        if y is None:
            raise InputError(
                "DirectProbe requires y to be passed, but the target y is None: "
                "expected one label per point."
            )
        classes, codes = as_labels(y, len(points), min_labels=2)
        _check_feature_names(self, X, reset=True)
        _check_n_features(self, points, reset=True)
        clock = _Clock()

        placed = frame(points)
        rows = sort_rows(placed.points, codes, len(classes))
        contradictions = find_contradictions(rows, tau)
        clock.lap("sorting")

        label_groups = Groups(np.arange(len(rows.points)), rows.first)
        pairs = tuple(side.astype(np.int64) for side in np.triu_indices(len(classes), 1))
        by_label = solve_pairs(
            rows.points, label_groups, *pairs, tau, threads, self.progress, "labels"
        )
        partner = np.zeros((len(classes), len(classes)), bool)
        overlapping = by_label.status != Status.DISJOINT
        partner[pairs[0][overlapping], pairs[1][overlapping]] = True
        partner |= partner.T
        clock.lap("labels")

        if partner.any():
            merged = merge_clusters(
                rows.points,
                rows.first,
                rows.original,
                rows.weight,
                partner,
                contradictions.barred,
                tau,
                self.progress,
            )
        else:
            merged = Merged(cluster_of=np.arange(len(rows.points)))
        slot_of = merged.cluster_of.copy()
        alone = ~partner.any(axis=1)
        slot_of[alone[rows.labels]] = np.repeat(rows.first[:-1], np.diff(rows.first))[
            alone[rows.labels]
        ]
        slots, cluster_of = np.unique(slot_of, return_inverse=True)
        cluster_codes = rows.labels[slots]
        clock.lap("merging")

        first, second = _different(cluster_codes)
        if len(slots) == len(classes):
            solved = by_label
        else:
            clusters = group_rows(cluster_of, len(slots))
            solved = solve_pairs(
                rows.points, clusters, first, second, tau, threads, self.progress, "distances"
            )
        clock.lap("distances")

        self.classes_ = classes
        self.labels_ = cluster_of[rows.row_of].astype(np.int64)
        self.cluster_labels_ = classes[cluster_codes]
        self.cluster_sizes_ = np.bincount(self.labels_).astype(np.int64)
        self.n_clusters_ = len(slots)
        self.is_linear_ = len(slots) == len(classes)
        self.scale_ = placed.scale
        self.distances_ = to_distances(
            _in_original_rows(solved, rows),
            np.arange(len(slots)),
            first,
            second,
            placed.scale,
            tau,
        )
        self.blocks_ = find_blocks(
            rows, cluster_of, cluster_codes, merged.bans, contradictions, placed.scale
        )
        self.counts_ = Counts(
            merges=int(len(rows.points) - len(slots)),
            bans=len(merged.bans),
            solves=len(by_label.status)
            + merged.solves
            + (0 if solved is by_label else len(solved.status)),
            highs_calls=by_label.highs_calls
            + merged.highs_calls
            + (0 if solved is by_label else solved.highs_calls),
            duplicate_points=len(points) - len(rows.points),
            contradictory_points=int(rows.weight[contradictions.barred].sum()),
        )
        clock.lap("blocks")
        self.timings_ = clock.seconds
        self._frame = placed
        self._check_proved(solved)
        return self

    def _check_proved(self, solved: Solved) -> None:
        """Refuse clusters of different labels that are not proved apart."""
        open_pairs = np.flatnonzero(solved.status == Status.UNPROVED)
        if len(open_pairs):
            k = int(open_pairs[0])
            raise UnprovedError(
                f"clusters {self.distances_.first[k]} and {self.distances_.second[k]} are between "
                f"{self.distances_.lower[k]:.3g} and {self.distances_.upper[k]:.3g} apart, on "
                f"both sides of tau * R = {self.tau * self.scale_:.3g}. Choose another tau."
            )

    def label_distances(self) -> LabelTable:
        """Distances of labels, gathered from the distances of their clusters.

        Returns
        -------
        LabelTable
            One row per pair of labels (positions in ``classes_``): bounds of the smallest
            distance of two of their clusters, and the mean over all pairs of clusters, which is
            what the code of Zhou & Srikumar (2022) takes. For labels of one cluster each the two
            are the same.
        """
        check_is_fitted(self)
        found = self.distances_
        codes = np.searchsorted(self.classes_, self.cluster_labels_)
        return label_table(
            codes[found.first], codes[found.second], found.lower, found.upper, found.distance
        )

    def rank_clusters(self, X: Any, k: int | None = None) -> tuple[FloatArray, IntArray]:
        """Rank the clusters by the distance of their hulls from new points.

        Parameters
        ----------
        X : array-like, shape (n_points, n_dims)
        k : int, optional
            How many clusters to rank; all by default.

        Returns
        -------
        distances : ndarray of float64, shape (n_points, k)
            Ascending, 0 inside a hull; exact to a relative 1e-9.
        clusters : ndarray of int64, shape (n_points, k)
            Cluster ids; of equal distances the smaller id comes first.
        """
        check_is_fitted(self)
        points = as_points(X)
        _check_feature_names(self, X, reset=False)
        _check_n_features(self, points, reset=False)
        number = self.n_clusters_ if k is None else k
        if isinstance(number, bool) or not 1 <= number <= self.n_clusters_:
            raise InputError(
                f"k must be a whole number from 1 to {self.n_clusters_}, the number of clusters, "
                f"but it is {k!r}."
            )
        distances, clusters = rank(
            self._frame.points,
            group_rows(self.labels_, self.n_clusters_),
            self._frame.place(points),
            number,
            checked_tau(self.tau),
            checked_threads(self.n_threads),
            self.progress,
        )
        return distances * self.scale_, clusters

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict the label of the cluster whose hull is nearest.

        Parameters
        ----------
        X : array-like, shape (n_points, n_dims)

        Returns
        -------
        ndarray, shape (n_points,)
        """
        _, clusters = self.rank_clusters(X, k=1)
        predicted: NDArray[Any] = self.cluster_labels_[clusters[:, 0]]
        return predicted


class _Clock:
    """Seconds spent in each phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, phase: str) -> None:
        """Book the time since the last lap to ``phase``."""
        now = time.perf_counter()
        self.seconds[phase] = now - self._last
        self._last = now


def _different(codes: IntArray) -> tuple[IntArray, IntArray]:
    """Return all pairs of clusters of different labels; ``codes`` are sorted."""
    first, second = np.triu_indices(len(codes), 1)
    apart = codes[first] != codes[second]
    return first[apart].astype(np.int64), second[apart].astype(np.int64)


def _in_original_rows(solved: Solved, rows: SortedRows) -> Solved:
    """Let the supports speak of the rows that the user gave."""
    supports = solved.supports
    moved = type(supports)(
        start_a=supports.start_a,
        index_a=rows.original[supports.index_a],
        weight_a=supports.weight_a,
        start_b=supports.start_b,
        index_b=rows.original[supports.index_b],
        weight_b=supports.weight_b,
    )
    return Solved(
        status=solved.status,
        stage=solved.stage,
        lower=solved.lower,
        upper=solved.upper,
        supports=moved,
        highs_calls=solved.highs_calls,
    )
