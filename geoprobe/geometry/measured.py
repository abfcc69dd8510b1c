"""The measured geometry of one space: everything that was found out, with its proofs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import InputError
from geoprobe.files.csv_files import pick
from geoprobe.geometry.cells import Cell
from geoprobe.geometry.clusters import Clusters, Counts
from geoprobe.geometry.label_table import LabelTable, label_table
from geoprobe.geometry.pairs import FEW, PairwiseDistances, Status
from geoprobe.geometry.summaries import sentences, summarise_probe
from geoprobe.showing import Showing, Summary, frame

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Predictions(Showing):
    """What DirectProbe predicts for the units of a test space, in their order.

    Attributes
    ----------
    names : tuple of str
        Labels of the training and the test space together, those of training first.
    true, predicted : ndarray of int64, shape (n_units,)
        Positions in ``names``.
    cluster : ndarray of int64, shape (n_units,)
        The cluster whose hull is nearest, the smallest id where several are.
    distance : ndarray of float64, shape (n_units,)
        To that hull, 0 inside.
    unseen : tuple of str
        Labels of the test space that the training space lacks; their units count as wrong.
    name : str
        Of the test space.
    fingerprints : dict of str to str
        SHA-256 of the test points and of their labels.
    """

    names: tuple[str, ...]
    true: IntArray
    predicted: IntArray
    cluster: IntArray
    distance: FloatArray
    unseen: tuple[str, ...] = ()
    name: str = ""
    fingerprints: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of units."""
        return len(self.true)

    @property
    def correct(self) -> BoolArray:
        """Whether each unit was predicted rightly, shape (n_units,)."""
        return np.asarray(self.true == self.predicted, dtype=np.bool_)

    @property
    def accuracy(self) -> float:
        """The share of units predicted rightly."""
        return float(np.mean(self.correct))

    def to_frame(self) -> Any:
        """Return the units as a pandas DataFrame: label, predicted, cluster, distance.

        Raises
        ------
        GeoprobeError
            If pandas is not installed.
        """
        return frame(
            {
                "label": pick(self.names, self.true),
                "predicted": pick(self.names, self.predicted),
                "cluster": self.cluster,
                "distance": self.distance,
            }
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw how many units of each label were predicted as which.

        Parameters
        ----------
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
        from geoprobe.drawing.grids import draw_counts

        counts = np.zeros((len(self.names), len(self.names)))
        np.add.at(counts, (self.true, self.predicted), 1)
        return draw_counts(
            counts,
            self.names,
            self.names,
            ax=ax,
            title=self.sentence(),
            x="predicted",
            y="label",
            nothing="no units",
        )

    def sentence(self) -> str:
        """Say how many units are predicted rightly."""
        of = f" of {self.name}" if self.name else ""
        right = int(self.correct.sum())
        return f"Prediction{of}: {right:,} of {len(self):,} right, {100 * self.accuracy:.2f}%."

    def _summaries(self) -> Sequence[Summary]:
        return (Summary((self.sentence(),)),)


_MOST_BRIDGES = 100

Picture = Literal["distances", "clusters", "map"]


@dataclass(frozen=True, eq=False)
class Geometry(Showing):
    """What was found out about one space, and none of its points.

    Made by :func:`geoprobe.probes.measure` and :attr:`geoprobe.DirectProbe.geometry_`, kept by
    :func:`geoprobe.geometry.write_geometry`, checked by :func:`geoprobe.verify.verify_geometry`,
    read by the findings.

    Attributes
    ----------
    cell : Cell
        What was measured.
    classes : ndarray of str, int or bool, shape (n_labels,)
        The labels, sorted.
    counts : ndarray of int64, shape (n_labels,)
        Units of each label.
    centroids : ndarray of float64, shape (n_labels, n_dims)
        Mean of the points of each label.
    hulls : PairwiseDistances
        Distances of the hulls of whole labels, every pair; 0 where they overlap.
    clusters : Clusters or None
        None where they were not asked for and the space is not linear.
    predictions : Predictions or None
        For the test space; None without one.
    test : Geometry or None
        The test space measured by itself; None without one, or when it has a single label.
    counters : Counts or None
        Of the work and of odd points; None without DirectProbe.
    spread : ndarray of float64, shape (n_labels,), or None
        Root mean square distance of the points of each label to their mean; None where it was not
        measured.
    fingerprints : dict of str to str
        SHA-256 of the points and of the labels.
    dtype : str
        Of the points: "float32" or "float64".
    timings : dict of str to float
        Seconds in each phase of the run that found it out; no file keeps them.
    """

    cell: Cell
    classes: NDArray[Any]
    counts: IntArray
    centroids: FloatArray
    hulls: PairwiseDistances
    clusters: Clusters | None
    predictions: Predictions | None = None
    test: Geometry | None = None
    counters: Counts | None = None
    spread: FloatArray | None = None
    fingerprints: dict[str, str] = field(default_factory=dict)
    dtype: str = "float64"
    timings: dict[str, float] = field(default_factory=dict)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels, in the order of ``classes``."""
        return tuple(str(name) for name in self.classes.tolist())

    @property
    def scale(self) -> float:
        """R, the largest distance of a point to the mean of all."""
        return self.hulls.scale

    @property
    def tau(self) -> float:
        """The tolerance: hulls at most ``tau * scale`` apart overlap."""
        return self.hulls.tau

    @property
    def n_labels(self) -> int:
        """The number of labels."""
        return len(self.classes)

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

    def label_table(self, min_cluster_size: int = 1) -> LabelTable:
        """Gather the distances of clusters by their labels.

        Parameters
        ----------
        min_cluster_size : int
            Clusters of fewer points are left out.

        Returns
        -------
        LabelTable
            One row per pair of labels: bounds of the smallest distance of two of their clusters,
            and the mean over all pairs of clusters, which is what the code of Zhou & Srikumar
            (2022) takes. For labels of one cluster each the two are the same.

        Raises
        ------
        InputError
            If the clusters were not measured.
        """
        clusters = self.need_clusters()
        pairs = clusters.distances
        large = clusters.size >= min_cluster_size
        kept = large[pairs.first] & large[pairs.second]
        return label_table(
            clusters.label[pairs.first[kept]],
            clusters.label[pairs.second[kept]],
            pairs.lower[kept],
            pairs.upper[kept],
            pairs.distance[kept],
        )

    def to_frame(self) -> Any:
        """Return the clusters as a pandas DataFrame, each with the nearest one of another label.

        Returns
        -------
        pandas.DataFrame
            ``cluster``, ``label``, ``size``, ``nearest_cluster``, ``nearest_label``, ``distance``.

        Raises
        ------
        InputError
            If the clusters were not measured.
        GeoprobeError
            If pandas is not installed.
        """
        clusters = self.need_clusters()
        pairs, ids = clusters.distances, np.arange(len(clusters))
        row = pairs.shortest(ids)
        nearest = np.where(pairs.first[row] == ids, pairs.second[row], pairs.first[row])
        return frame(
            {
                "cluster": ids,
                "label": pick(self.labels, clusters.label),
                "size": clusters.size,
                "nearest_cluster": nearest,
                "nearest_label": pick(self.labels, clusters.label[nearest]),
                "distance": pairs.distance[row],
            }
        )

    def plot(self, kind: Picture = "distances", ax: Any = None, *, points: Any = None) -> Any:
        """Draw the distances of the labels, their clusters, or a map of the space.

        Parameters
        ----------
        kind : {"distances", "clusters", "map"}, default="distances"
            The distances of the labels' hulls as colours; the clusters of each label as parts of
            a bar; the points in the plane of their principal components with the outlines of the
            clusters' hulls, and a line from every label to the nearest point of the nearest other.
        ax : matplotlib.axes.Axes, optional
            New ones by default.
        points : array-like, shape (n_points, n_dims), optional
            The points that were measured; a map needs them.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        InputError
            If there is no such picture, the clusters or the points that it needs are missing, or
            the points are of another shape.
        GeoprobeError
            If matplotlib is not installed.
        """
        if kind not in get_args(Picture):
            raise InputError(f"kind is one of {', '.join(get_args(Picture))}, but it is {kind!r}.")
        if kind == "distances":
            return self.hulls.plot(ax, what="label")
        clusters = self.need_clusters()
        if kind == "clusters":
            return clusters.plot(ax, self.labels)
        from geoprobe.drawing.maps import draw_map, principal_view

        if points is None or np.shape(points) != (self.n_units, self.n_dims):
            raise InputError(
                f"a map needs the points that were measured, of shape "
                f"({self.n_units}, {self.n_dims}), but those given have shape {np.shape(points)}."
            )
        view = principal_view(points)
        supports = clusters.distances.supports
        nearest = np.unique(clusters.distances.shortest(clusters.label, FEW))[:_MOST_BRIDGES]
        bridges = [
            np.array([weights @ view.points[rows] for rows, weights in supports.sides(k)])
            for k in nearest.tolist()
        ]
        return draw_map(
            view,
            clusters.label[clusters.assignment],
            self.labels,
            groups=clusters.assignment,
            bridges=bridges,
            ax=ax,
            title=self.cell.task,
        )

    def _summaries(self) -> Sequence[Summary]:
        if self.clusters is None:
            return (Summary(tuple(sentences(self))), *self.hulls._summaries())
        return summarise_probe(self)


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
