"""The result files of DirectProbe, character by character as its users' scripts read them.

Every distance has four decimals. Labels stand as they are, whatever characters they hold, so a
script that splits ``3--1`` at the first hyphen gets cluster 3 and label -1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import OutputError


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


def write_label_pairs(path: Path, pairs: NDArray[np.float64], label_set: Sequence[str]) -> None:
    """Write ``vec.txt``: a line ``A---B,d`` for each pair of labels in lexicographic order.

    Parameters
    ----------
    path : pathlib.Path
    pairs : ndarray of float64, shape (n_labels * (n_labels - 1) / 2,)
    label_set : sequence of str, length n_labels
    """
    one, other = np.triu_indices(len(label_set), 1)
    rows = zip(one.tolist(), other.tolist(), pairs.tolist(), strict=True)
    _write(path, (f"{label_set[i]}---{label_set[j]},{d:0.4f}" for i, j, d in rows))


def write_label_values(path: Path, values: NDArray[np.float64], label_set: Sequence[str]) -> None:
    """Write ``inside_max.txt`` and its like: a line ``A,d`` for each label.

    Parameters
    ----------
    path : pathlib.Path
    values : ndarray of float64, shape (n_labels,)
    label_set : sequence of str, length n_labels
    """
    rows = zip(label_set, values.tolist(), strict=True)
    _write(path, (f"{label},{value:0.4f}" for label, value in rows))


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
