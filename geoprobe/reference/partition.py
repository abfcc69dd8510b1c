"""Clusters as DirectProbe writes them: the id of each point's cluster, one a line."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError
from geoprobe.files.text_files import open_text

CLUSTERS_FILE = "clusters.txt"


def clusters_file(path: str | os.PathLike[str]) -> Path:
    """Return the file with the clusters; DirectProbe's own example names the folder it is in."""
    path = Path(path)
    return path / CLUSTERS_FILE if path.is_dir() else path


def read_clusters(
    path: str | os.PathLike[str], n_points: int, entities: str | os.PathLike[str]
) -> NDArray[np.int64]:
    """Read the cluster of each point.

    Parameters
    ----------
    path : path-like
    n_points : int
        How many lines there have to be.
    entities : path-like
        Where the points come from, for messages.

    Returns
    -------
    ndarray of int64, shape (n_points,)
        Ids from 0 on, none left out.

    Raises
    ------
    FormatError
        If a line is no cluster id, lines are missing, or an id below the largest has no point.
    """
    ids: list[int] = []
    with open_text(path) as file:
        for line, text in enumerate(file, start=1):
            word = text.strip()
            if not (word.isascii() and word.isdecimal() and len(word) < 10):
                raise FormatError(
                    f"the line is {word!r}, but the id of a cluster is expected, a whole number "
                    f"from 0 on.",
                    path,
                    line,
                )
            ids.append(int(word))
    if len(ids) != n_points:
        raise FormatError(
            f"the file has {len(ids)} lines, but there are {n_points} points in {entities}.", path
        )
    missing = sorted(set(range(min(max(ids) + 1, n_points + 1))) - set(ids))
    if missing:
        raise FormatError(
            f"no point is in cluster {missing[0]}, but the largest id is {max(ids)}.", path
        )
    return np.array(ids, dtype=np.int64)


def majority_labels(clusters: NDArray[np.int64], labels: NDArray[Any]) -> NDArray[Any]:
    """Return the label that most points of each cluster have, the first to come where two tie.

    Parameters
    ----------
    clusters : ndarray of int64, shape (n_points,)
    labels : ndarray of str, shape (n_points,)

    Returns
    -------
    ndarray of str, shape (n_clusters,)
    """
    counts: list[Counter[str]] = [Counter() for _ in range(int(clusters.max()) + 1)]
    for cluster, label in zip(clusters.tolist(), labels.tolist(), strict=True):
        counts[cluster][label] += 1
    return np.array([count.most_common(1)[0][0] for count in counts])
