"""The result files of each of the two repositories, and the figures they leave in the log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.reference import writers
from geoprobe.reference.data import LabelledPoints
from geoprobe.reference.engine import Clustering
from geoprobe.reference.labels import SMALLEST_CLUSTER, label_figures
from geoprobe.reference.log import RunLog


def write_predictions(folder: Path, test: LabelledPoints, found: Clustering, log: RunLog) -> float:
    """Rank all clusters for each test point, write ``prediction.txt``, return the accuracy."""
    distance, ranked = found.rank(test.points)
    accuracy = float(np.mean(found.cluster_labels[ranked[:, 0]] == test.labels))
    log.say(f"Acc={accuracy}")
    writers.write_predictions(
        folder / "prediction.txt", test.labels.tolist(), distance, ranked, found.cluster_labels
    )
    return accuracy


def write_distances(folder: Path, found: Clustering, log: RunLog) -> None:
    """Write ``dis.txt``: the distances of clusters of different labels."""
    writers.write_distances(
        folder / "dis.txt", found.first, found.second, found.distance, found.cluster_labels
    )
    some = found.distance if len(found.distance) else np.array([np.nan])
    log.say(f"MinConvexDistance={float(some.min())}")
    log.say(f"MaxConvexDistance={float(some.max())}")
    log.say(f"AverageConvexDistance={float(some.mean())}")


def write_label_files(
    folder: Path, train: LabelledPoints, found: Clustering, log: RunLog
) -> list[str]:
    """Write the four files of the newer repository, which looks at larger clusters only.

    Returns
    -------
    list of str
        The names of the files.
    """
    large = np.bincount(found.clusters, minlength=found.n_clusters) >= SMALLEST_CLUSTER
    both = large[found.first] & large[found.second]
    position = {label: at for at, label in enumerate(train.label_set)}
    figures = label_figures(
        train.points,
        np.where(large[found.clusters], found.clusters, -1),
        np.array([position[label] for label in found.cluster_labels.tolist()], dtype=np.int64),
        found.first[both],
        found.second[both],
        found.distance[both],
        len(train.label_set),
    )
    log.say(f"{int(large.sum())} clusters have {SMALLEST_CLUSTER} points or more")
    writers.write_label_pairs(folder / "vec.txt", figures.pairs, train.label_set)
    values = {
        "outside_min.txt": figures.outside_min,
        "inside_mean.txt": figures.inside_mean,
        "inside_max.txt": figures.inside_max,
    }
    for name, of_labels in values.items():
        writers.write_label_values(folder / name, of_labels, train.label_set)
    outside, mean, largest = values.values()
    log.say(f"global min dis={_of_positive(np.min, outside)}")
    log.say(f"mean_inside_mean_dis={_of_positive(np.mean, mean)}")
    log.say(f"max inside max dis={_of_positive(np.max, largest)}")
    log.say(f"Inside max / outside min = {_mean_ratio(largest, outside)}")
    log.say(f"Inside mean / outside min = {_mean_ratio(mean, outside)}")
    return ["vec.txt", *values]


def _of_positive(function: Callable[..., Any], values: NDArray[np.float64]) -> float:
    """Apply a function to the values above 0, which stands for a label without a figure."""
    positive = values[values > 0]
    return float(function(positive)) if len(positive) else float("nan")


def _mean_ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> float:
    both = (above != 0) & (below != 0)
    return float(np.mean(above[both] / below[both])) if both.any() else float("nan")
