"""DirectProbe: what a representation knows about a task, read off its geometry."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
    check_is_fitted,
    column_or_1d,
)

from geoprobe.arrays import as_labels, as_points, warn_of_dominating_row
from geoprobe.errors import InputError, UnprovedError
from geoprobe.geometry.cells import Cell
from geoprobe.geometry.label_table import LabelTable
from geoprobe.geometry.measured import Geometry, Picture
from geoprobe.geometry.pairs import PairwiseDistances, Status
from geoprobe.hulls.normalisation import normalise
from geoprobe.hulls.solver import other_than_default
from geoprobe.hulls.solving import group_rows
from geoprobe.probes.checking import need_labels, new_points
from geoprobe.probes.clustering import cluster_space
from geoprobe.probes.ranking import NearestHulls
from geoprobe.progress import ProgressCallback
from geoprobe.showing import as_html
from geoprobe.threads import checked_threads
from geoprobe.tolerances import TAU, checked_tau

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class DirectProbe(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Clusters whose convex hulls meet no other label's, and their distances (NAACL 2021).

    Points that share a label are merged bottom-up, the closest centroids first, as long as the
    hull of the union meets no cluster of another label (Zhou & Srikumar 2021, algorithm 1). As
    many clusters as labels mean a hyperplane between every two labels.

    Parameters
    ----------
    tau : float, default=1e-7
        Hulls at most ``tau * R`` apart overlap, R the largest distance of a point to the mean.
    solver : {"active-set", "highs"}, default="active-set"
        ``"highs"`` is a second opinion on small spaces: every merge is decided by linear programs
        alone. Distances are measured by the kernels all the same.
    n_threads : int, optional
        All processors by default; the outcome does not depend on it.
    progress : callable, optional
        Called with a :class:`geoprobe.progress.Progress` now and then.

    Attributes
    ----------
    geometry_ : Geometry
        Everything that was found out, as one value: what is written, verified and read by the
        findings. The attributes below are parts of it.
    labels_ : ndarray of int64, shape (n_points,)
        Cluster id of each point. Ids are in the order of the labels, then of first points.
    classes_ : ndarray, shape (n_labels,)
        The labels, sorted.
    cluster_labels_ : ndarray, shape (n_clusters,)
        Label of each cluster.
    cluster_sizes_ : ndarray of int64, shape (n_clusters,)
    n_clusters_ : int
    is_linear_ : bool
        As many clusters as labels, and no two of them share a point.
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
        solver: str = "active-set",
        n_threads: int | None = None,
        progress: ProgressCallback | None = None,
    ) -> None:
        self.tau = tau
        self.solver = solver
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

        Warns
        -----
        InputWarning
            If one row alone sets the scale R; it is named.
        """
        tau = checked_tau(self.tau)
        threads = checked_threads(self.n_threads)
        solver = other_than_default(self.solver)
        points = as_points(X)
        need_labels(self, y)
        if getattr(y, "ndim", 1) == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        classes, codes = as_labels(y, len(points), min_labels=2)
        warn_of_dominating_row(points, "X")
        scaled = normalise(points)
        clustered = cluster_space(scaled, codes, len(classes), tau, threads, self.progress, solver)
        _check_proved(clustered.clusters.distances)
        _check_feature_names(self, X, reset=True)
        _check_n_features(self, points, reset=True)
        self._scaled = scaled
        self.timings_ = clustered.timings
        self._expose(
            describe_points(
                points,
                classes,
                codes,
                cell=Cell(""),
                hulls=replace(clustered.hulls, names=classes),
                clusters=clustered.clusters,
                counters=clustered.counters,
            )
        )
        self._hulls = NearestHulls(scaled.points, group_rows(self.labels_, self.n_clusters_))
        return self

    def _expose(self, geometry: Geometry) -> None:
        """Set the attributes that name parts of the geometry."""
        clusters = geometry.need_clusters()
        self.geometry_ = geometry
        self.classes_ = geometry.classes
        self.labels_ = clusters.assignment
        self.cluster_labels_ = geometry.classes[clusters.label]
        self.cluster_sizes_ = clusters.size
        self.n_clusters_ = len(clusters)
        self.is_linear_ = geometry.is_linear
        self.scale_ = geometry.scale
        self.distances_ = clusters.distances
        self.blocks_ = clusters.blocks
        self.counts_ = geometry.counters

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
        return self.geometry_.label_table()

    def to_frame(self) -> Any:
        """Return the clusters as a pandas DataFrame, each with the nearest one of another label.

        Raises
        ------
        GeoprobeError
            If pandas is not installed.
        """
        check_is_fitted(self)
        return self.geometry_.to_frame()

    def plot(self, kind: Picture = "map", ax: Any = None) -> Any:
        """Draw a map of the space, the distances of its labels, or their clusters.

        Parameters
        ----------
        kind : {"map", "distances", "clusters"}, default="map"
            As for :meth:`geoprobe.geometry.Geometry.plot`.
        ax : matplotlib.axes.Axes, optional
            New ones by default.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        GeoprobeError
            If matplotlib is not installed.
        """
        check_is_fitted(self)
        points = self._scaled.full * self._scaled.unit if kind == "map" else None
        return self.geometry_.plot(kind, ax, points=points)

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        """Name the parameters as scikit-learn does, and what a fit has found."""
        named: str = super().__repr__(N_CHAR_MAX)
        if not hasattr(self, "geometry_"):
            return named
        return "\n  ".join([named, *repr(self.geometry_).partition(": ")[2].split("\n  ")])

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        """Show a notebook what was found; scikit-learn's box before there is anything."""
        bundle: dict[str, str] = super()._repr_mimebundle_(**options)
        if hasattr(self, "geometry_"):
            bundle["text/html"] = self._repr_html_()
        return bundle

    def _repr_html_(self) -> str:
        check_is_fitted(self)
        return as_html(type(self).__name__, self.geometry_._summaries())

    def rank_clusters(self, X: Any, k: int | None = None) -> tuple[FloatArray, IntArray]:
        """Rank the clusters by the distance of their hulls from new points.

        The ranking of a point depends on nothing but the point and the fit, to the last bit: not
        on the other points, nor on ``n_threads``; ``k`` only cuts it.

        Parameters
        ----------
        X : array-like, shape (n_points, n_dims)
        k : int, optional
            How many clusters to rank; all by default.

        Returns
        -------
        distances : ndarray of float64, shape (n_points, k)
            Ascending, 0 within ``tau * R`` of a hull; exact to a relative 1e-9.
        clusters : ndarray of int64, shape (n_points, k)
            Cluster ids; of equal distances the smaller id comes first.
        """
        points = new_points(self, X)
        number: Any = self.n_clusters_ if k is None else k
        whole = isinstance(number, Integral) and not isinstance(number, bool)
        if not whole or not 1 <= number <= self.n_clusters_:
            raise InputError(
                f"k must be a whole number from 1 to {self.n_clusters_}, the number of clusters, "
                f"but it is {k!r}."
            )
        distances, clusters = self._hulls.rank(
            self._scaled.apply(points),
            number,
            checked_tau(self.tau),
            checked_threads(self.n_threads),
            self.progress,
        )
        return distances * self._scaled.unit, clusters

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


def describe_points(
    points: NDArray[Any], classes: NDArray[Any], codes: NDArray[Any], **found: Any
) -> Geometry:
    """Put what was found out about hulls and clusters beside what follows from the points alone.

    Parameters
    ----------
    points, classes, codes
        As :mod:`geoprobe.arrays` gives them.
    **found
        Further fields of the geometry.
    """
    labels = range(len(classes))
    centroids = np.array([np.mean(points[codes == k], axis=0, dtype=np.float64) for k in labels])
    spread = [
        np.sqrt(np.mean(np.sum((points[codes == k] - centroids[k]) ** 2, axis=1))) for k in labels
    ]
    return Geometry(
        classes=classes,
        counts=np.bincount(codes, minlength=len(classes)).astype(np.int64),
        centroids=centroids,
        spread=np.array(spread),
        dtype=points.dtype.name,
        **found,
    )


def _check_proved(distances: PairwiseDistances) -> None:
    """Refuse clusters of different labels that are not proved apart."""
    open_pairs = np.flatnonzero(distances.status == Status.UNPROVED)
    if len(open_pairs):
        k = int(open_pairs[0])
        raise UnprovedError(
            f"clusters {distances.first[k]} and {distances.second[k]} are between "
            f"{distances.lower[k]:.3g} and {distances.upper[k]:.3g} apart, on both sides of "
            f"tau * R = {distances.tau * distances.scale:.3g}. Choose another tau."
        )
