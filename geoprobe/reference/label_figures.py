"""Figures of each label and each pair of labels, as the newer repository reports them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from geoprobe.geometry.label_table import label_table

SMALLEST_CLUSTER = 6
"""The newer repository leaves out clusters with fewer points."""

_ELEMENTS_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class LabelFigures:
    """Figures of labels; 0 where there is nothing to measure.

    Attributes
    ----------
    pairs : ndarray of float64, shape (n_labels * (n_labels - 1) / 2,)
        For labels ``i < j`` in lexicographic order: the mean of the distances of their clusters.
    outside_min : ndarray of float64, shape (n_labels,)
        The smallest of a label's figures in ``pairs``.
    inside_mean : ndarray of float64, shape (n_labels,)
        The distance of two points of one cluster, averaged in each cluster, then over clusters.
    inside_max : ndarray of float64, shape (n_labels,)
        The largest distance of two points of one cluster.
    """

    pairs: NDArray[np.float64]
    outside_min: NDArray[np.float64]
    inside_mean: NDArray[np.float64]
    inside_max: NDArray[np.float64]


def label_figures(
    points: NDArray[Any],
    clusters: NDArray[np.int64],
    cluster_labels: NDArray[np.int64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    distance: NDArray[np.float64],
    n_labels: int,
) -> LabelFigures:
    """Sum up clusters by label.

    Parameters
    ----------
    points : ndarray, shape (n_points, n_dims)
    clusters : ndarray of int64, shape (n_points,)
        The cluster of each point, -1 where it is left out.
    cluster_labels : ndarray of int64, shape (n_clusters,)
        The position of each cluster's label in the label set.
    first, second : ndarray of int64, shape (n_pairs,)
        Clusters of different labels.
    distance : ndarray of float64, shape (n_pairs,)
        Their distances.
    n_labels : int
        Size of the label set.

    Returns
    -------
    LabelFigures
    """
    one, other = cluster_labels[first], cluster_labels[second]
    table = label_table(
        np.minimum(one, other), np.maximum(one, other), distance, distance, distance
    )
    apart = np.full((n_labels, n_labels), np.inf)
    apart[table.first, table.second] = apart[table.second, table.first] = table.mean
    means: list[list[float]] = [[] for _ in range(n_labels)]
    inside_max = np.zeros(n_labels)
    for cluster, label in enumerate(cluster_labels.tolist()):
        own = points[clusters == cluster]
        if len(own) > 1:
            mean, largest = _spread(own)
            means[label].append(mean)
            inside_max[label] = max(inside_max[label], largest)
    inside_mean = np.array([np.mean(each) if each else 0.0 for each in means])
    nearest = apart.min(axis=1)
    pairs = apart[np.triu_indices(n_labels, 1)]
    return LabelFigures(
        pairs=np.where(np.isfinite(pairs), pairs, 0.0),
        outside_min=np.where(np.isfinite(nearest), nearest, 0.0),
        inside_mean=inside_mean,
        inside_max=inside_max,
    )


def _spread(points: NDArray[Any]) -> tuple[float, float]:
    """Return mean and largest distance of two of the points, which are two at least."""
    n_points = len(points)
    wide = points.astype(np.float64)
    rows = max(1, _ELEMENTS_AT_ONCE // n_points)
    total, largest = 0.0, 0.0
    for start in range(0, n_points, rows):
        part = cdist(wide[start : start + rows], wide)
        total += float(part.sum())
        largest = max(largest, float(part.max()))
    # Every pair was counted twice, and each point met itself at distance 0.
    return total / (n_points * (n_points - 1)), largest
