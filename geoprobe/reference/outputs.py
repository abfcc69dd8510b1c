"""Result files of DirectProbe, character by character as its users' scripts read them.

Every distance has four decimals. Labels stand as they are, whatever characters they hold, so a
script that splits ``3--1`` at the first hyphen gets cluster 3 and label -1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import OutputError
from geoprobe.reference.engine import Partition
from geoprobe.reference.inputs import LabelledPoints
from geoprobe.reference.label_figures import SMALLEST_CLUSTER, LabelFigures, label_figures
from geoprobe.reference.log import RunLog


def save_predictions(
    folder: Path, test: LabelledPoints, partition: Partition, log: RunLog
) -> float:
    """Rank all clusters for each test point, write ``prediction.txt``, return the accuracy."""
    distance, ranked = partition.rank(test.points)
    accuracy = float(np.mean(partition.names[ranked[:, 0]] == test.labels))
    log.say(f"Acc={accuracy}")
    write_predictions(
        folder / "prediction.txt", test.labels.tolist(), distance, ranked, partition.names
    )
    return accuracy


def save_distances(folder: Path, partition: Partition, log: RunLog) -> None:
    """Write ``dis.txt``: the distances of clusters of different labels."""
    pairs = partition.clusters.distances
    write_distances(folder / "dis.txt", pairs.first, pairs.second, pairs.distance, partition.names)
    distance = pairs.distance if len(pairs) else np.array([np.nan])
    log.say(f"MinConvexDistance={float(distance.min())}")
    log.say(f"MaxConvexDistance={float(distance.max())}")
    log.say(f"AverageConvexDistance={float(distance.mean())}")


def save_label_files(
    folder: Path, train: LabelledPoints, partition: Partition, log: RunLog
) -> list[str]:
    """Write the four files of the newer repository, which looks at larger clusters only.

    Returns
    -------
    list of str
        The names of the files.
    """
    figures = figures_of(train, partition)
    large = partition.clusters.size >= SMALLEST_CLUSTER
    log.say(f"{int(large.sum())} clusters have {SMALLEST_CLUSTER} points or more")
    write_values(folder / "vec.txt", pair_names(train.label_set), figures.pairs)
    values = {
        "outside_min.txt": figures.outside_min,
        "inside_mean.txt": figures.inside_mean,
        "inside_max.txt": figures.inside_max,
    }
    for name, of_labels in values.items():
        write_values(folder / name, train.label_set, of_labels)
    outside, mean, largest = values.values()
    log.say(f"global min dis={_of_positive(np.min, outside)}")
    log.say(f"mean_inside_mean_dis={_of_positive(np.mean, mean)}")
    log.say(f"max inside max dis={_of_positive(np.max, largest)}")
    log.say(f"Inside max / outside min = {_mean_ratio(largest, outside)}")
    log.say(f"Inside mean / outside min = {_mean_ratio(mean, outside)}")
    return ["vec.txt", *values]


def figures_of(train: LabelledPoints, partition: Partition) -> LabelFigures:
    """Return the figures of labels by their larger clusters, which are all the repository sees."""
    clusters = partition.clusters
    pairs = clusters.distances
    large = clusters.size >= SMALLEST_CLUSTER
    both = large[pairs.first] & large[pairs.second]
    position = {label: at for at, label in enumerate(train.label_set)}
    return label_figures(
        train.points,
        np.where(large[clusters.assignment], clusters.assignment, -1),
        np.array([position[label] for label in partition.names.tolist()], dtype=np.int64),
        pairs.first[both],
        pairs.second[both],
        pairs.distance[both],
        len(train.label_set),
    )


def _of_positive(function: Callable[..., Any], values: NDArray[np.float64]) -> float:
    """Apply a function to the values above 0, which stands for a label without a figure."""
    positive = values[values > 0]
    return float(function(positive)) if len(positive) else float("nan")


def _mean_ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> float:
    both = (above != 0) & (below != 0)
    return float(np.mean(above[both] / below[both])) if both.any() else float("nan")


def write_clusters(path: Path, clusters: NDArray[np.int64]) -> None:
    """Write ``clusters.txt``: the id of each point's cluster, one a line."""
    _write(path, map(str, clusters.tolist()))


def write_distances(
    path: Path,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    distance: NDArray[np.float64],
    cluster_labels: NDArray[Any],
) -> None:
    """Write ``dis.txt``: a line ``(i-A, j-B): d`` for each pair of clusters.

    Parameters
    ----------
    path : pathlib.Path
    first, second : ndarray of int64, shape (n_pairs,)
        Cluster ids.
    distance : ndarray of float64, shape (n_pairs,)
    cluster_labels : ndarray of str, shape (n_clusters,)
    """
    names = _names(cluster_labels)
    rows = zip(first.tolist(), second.tolist(), distance.tolist(), strict=True)
    _write(path, (f"({names[i]}, {names[j]}): {d:0.4f}" for i, j, d in rows))


def write_predictions(
    path: Path,
    gold: Sequence[str],
    distance: NDArray[np.float64],
    ranked: NDArray[np.int64],
    cluster_labels: NDArray[Any],
) -> None:
    """Write ``prediction.txt``: the true label, then ``i-A,d`` for each cluster, tabs between.

    Parameters
    ----------
    path : pathlib.Path
    gold : sequence of str, length n_points
    distance : ndarray of float64, shape (n_points, n_ranked)
        Ascending in each row.
    ranked : ndarray of int64, shape (n_points, n_ranked)
        The clusters at these distances.
    cluster_labels : ndarray of str, shape (n_clusters,)
    """
    names = _names(cluster_labels)
    _write(
        path,
        (
            "\t".join([label, *(f"{names[i]},{d:0.4f}" for i, d in zip(ids, far, strict=True))])
            for label, ids, far in zip(gold, ranked.tolist(), distance.tolist(), strict=True)
        ),
    )


def write_values(path: Path, names: Sequence[str], values: NDArray[np.float64]) -> None:
    """Write ``vec.txt``, ``inside_max.txt`` and their like: a line ``A,d`` for each label or pair.

    Parameters
    ----------
    path : pathlib.Path
    names : sequence of str, length n_rows
        Labels, or what :func:`pair_names` calls their pairs.
    values : ndarray of float64, shape (n_rows,)
    """
    rows = zip(names, values.tolist(), strict=True)
    _write(path, (f"{name},{value:0.4f}" for name, value in rows))


def write_batch(
    path: Path, rows: Sequence[str], columns: NDArray[np.float64], layers: Sequence[int]
) -> None:
    """Write a table of the mode ``batch_probing``: a row for each label or pair, a column a layer.

    Parameters
    ----------
    path : pathlib.Path
    rows : sequence of str, length n_rows
    columns : ndarray of float64, shape (n_layers, n_rows)
    layers : sequence of int, length n_layers
    """
    head = [" ", *map(str, layers)]
    body = ([name, *(f"{d:0.4f}" for d in columns[:, at])] for at, name in enumerate(rows))
    _write(path, (",".join(line) for line in (head, *body)))


def pair_names(label_set: Sequence[str]) -> list[str]:
    """Return ``A---B`` for each pair of labels in lexicographic order."""
    one, other = np.triu_indices(len(label_set), 1)
    return [
        f"{label_set[i]}---{label_set[j]}"
        for i, j in zip(one.tolist(), other.tolist(), strict=True)
    ]


def _names(cluster_labels: NDArray[Any]) -> list[str]:
    return [f"{cluster}-{label}" for cluster, label in enumerate(cluster_labels.tolist())]


def _write(path: Path, lines: Iterable[str]) -> None:
    """Write all lines or, when that fails, leave no file that looks complete."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{line}\n" for line in lines)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from error
