"""Input of a config: embeddings, entities, a set of labels, and clusters found before."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.arrays import as_points
from geoprobe.errors import FormatError, InputError
from geoprobe.files.text_files import open_text
from geoprobe.reference.config import Config
from geoprobe.spaces.drawing import drawn_rows, rounded
from geoprobe.spaces.formats.numpy_files import read_npy
from geoprobe.spaces.points_file import read_labels
from geoprobe.spaces.text_formats import (
    check_labels,
    read_embeddings,
    read_entities,
    read_label_set,
)

CLUSTERS_FILE = "clusters.txt"


@dataclass(frozen=True)
class LabelledPoints:
    """Points and labels in the order of their files.

    Attributes
    ----------
    points : ndarray of float32 or float64, shape (n_points, n_dims)
    labels : ndarray of str, shape (n_points,)
    label_set : list of str
        The labels that may occur, sorted; not all of them need to.
    """

    points: NDArray[Any]
    labels: NDArray[Any]
    label_set: list[str]


def load_train(config: Config) -> LabelledPoints:
    """Read the points to probe, drawn at random where the config says so.

    The numbers are rounded to float32, as DirectProbe does before it works on them.
    """
    label_set = _label_set(config)
    train = _load(config.entities, config.embeddings, label_set, config)
    points = rounded(train.points, config.embeddings)
    labels = train.labels
    if config.subsample is not None:
        # Where the forks leave the seed open we take 0: a run has to be repeatable.
        rows = drawn_rows(len(labels), config.subsample, config.seed or 0)
        points, labels = points[rows], labels[rows]
    if len(set(labels.tolist())) < 2:
        raise FormatError(
            f"all {len(labels)} entities have the label {str(labels[0])!r}, but at least two "
            f"labels are needed.",
            config.entities,
        )
    return LabelledPoints(points, labels, label_set)


def load_test(config: Config, train: LabelledPoints) -> LabelledPoints | None:
    """Read the points to predict; None where the config has no use for them."""
    if config.test_entities is None or config.test_embeddings is None:
        return None
    test = _load(config.test_entities, config.test_embeddings, train.label_set, config)
    if test.points.shape[1] != train.points.shape[1]:
        raise FormatError(
            f"the vectors have {test.points.shape[1]} numbers, but those of {config.embeddings} "
            f"have {train.points.shape[1]}.",
            config.test_embeddings,
        )
    return test


def _label_set(config: Config) -> list[str]:
    return read_label_set(_present(config.label_set, config))


def _load(entities: Path, embeddings: Path, label_set: list[str], config: Config) -> LabelledPoints:
    labels = _labels(_present(entities, config))
    check_labels(labels, label_set, entities, str(config.label_set))
    points = _points(_present(embeddings, config))
    if len(points) != len(labels):
        raise FormatError(
            f"the file has {len(points)} vectors, but {entities} has {len(labels)} entities.",
            embeddings,
        )
    return LabelledPoints(points, np.array(labels), label_set)


def _labels(path: Path) -> list[str]:
    if path.suffix.lower() == ".csv":
        labels: list[str] = read_labels(path, "label").tolist()
        return labels
    return read_entities(path)


def _points(path: Path) -> NDArray[Any]:
    array = read_npy(path) if path.suffix.lower() == ".npy" else read_embeddings(path)
    try:
        return as_points(array, name="embeddings")
    except InputError as error:
        raise FormatError(str(error), path) from error


def _present(path: Path, config: Config) -> Path:
    """Return the path; where the file is missing, say if it lies beside the config."""
    if not path.exists() and (config.path.parent / path).exists():
        raise FormatError(
            f"there is no such file. Paths in a config start at the working folder, as in "
            f"DirectProbe; there is one beside the config, so run it from {config.path.parent}.",
            path,
        )
    return path


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
