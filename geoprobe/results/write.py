"""Write the results of one space into a folder that is complete or not there at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geoprobe.arrays import as_labels
from geoprobe.errors import InputError
from geoprobe.files.csv_files import Column, pick, texts, write_table
from geoprobe.files.folders import new_folder
from geoprobe.geometry.label_table import label_table
from geoprobe.results.content import (
    Content,
    FittedProbe,
    Predictions,
    label_content,
    probe_content,
)
from geoprobe.results.describe import describe
from geoprobe.results.layout import (
    ASSIGNMENTS,
    BLOCKS,
    CERTIFICATES,
    CLUSTERS,
    COLUMNS,
    DISTANCES,
    LABEL_DISTANCES,
    PREDICTIONS,
    STAGE_NAMES,
    STATUS_NAMES,
)
from geoprobe.results.summary import write_summary
from geoprobe.results.supports_io import SupportArrays, write_supports

if TYPE_CHECKING:
    from geoprobe.geometry.pairs import PairwiseDistances
    from geoprobe.spaces import Space


def write_results(
    probe: FittedProbe,
    space: Space,
    folder: str | os.PathLike[str],
    *,
    test: Predictions | None = None,
    options: Mapping[str, str] | None = None,
) -> Path:
    """Write everything that a fitted probe found, with its certificates.

    Parameters
    ----------
    probe : DirectProbe
        Fitted to the points and labels of ``space``.
    space : Space
    folder : path
        Where to write; missing, or an empty folder.
    test : Predictions or None
        What the probe predicts for a test space.
    options : mapping of str to str, or None
        How the file of the space was read, so that it can be read again: names of arrays and
        columns, by option.

    Returns
    -------
    Path
        The folder, absolute.

    Raises
    ------
    OutputError
        If something is there already, or writing fails; no part of the folder remains then.
    """
    classes, codes = as_labels(space.labels, space.n_points)
    content = probe_content(probe, codes)
    if not np.array_equal(classes, content.classes):
        raise InputError("the probe was fitted to other labels than those of the space.")
    return _write(content, space, folder, test, options)


def write_distances(
    distances: PairwiseDistances,
    space: Space,
    folder: str | os.PathLike[str],
    *,
    timings: Mapping[str, float] | None = None,
    options: Mapping[str, str] | None = None,
) -> Path:
    """Write the hull distances of all pairs of labels, with their certificates.

    Parameters
    ----------
    distances : PairwiseDistances
        Of the points and labels of ``space``.
    space : Space
    folder : path
        Where to write; missing, or an empty folder.
    timings : mapping from phase to seconds, or None
    options : mapping of str to str, or None
        As in :func:`write_results`.

    Returns
    -------
    Path
        The folder, absolute.

    Raises
    ------
    OutputError
        If something is there already, or writing fails; no part of the folder remains then.
    """
    classes, codes = as_labels(space.labels, space.n_points)
    content = label_content(distances, classes, codes, timings or {})
    return _write(content, space, folder, None, options)


def _write(
    content: Content,
    space: Space,
    folder: str | os.PathLike[str],
    test: Predictions | None,
    options: Mapping[str, str] | None,
) -> Path:
    """Write all tables, the certificates, and the summary last."""
    summary = describe(content, space, test, options)
    with new_folder(folder) as hidden:
        for name, columns in _tables(content, test).items():
            write_table(hidden / name, dict(zip(COLUMNS[name], columns, strict=True)))
        write_supports(
            hidden / CERTIFICATES,
            distances=content.distances.supports,
            blocks=_NO_SUPPORTS if content.blocks is None else content.blocks.supports,
        )
        write_summary(hidden, summary)
    return Path(folder).expanduser().resolve()


_NO_SUPPORTS = SupportArrays(
    start_a=np.zeros(1, np.int64),
    index_a=np.empty(0, np.int64),
    weight_a=np.empty(0),
    start_b=np.zeros(1, np.int64),
    index_b=np.empty(0, np.int64),
    weight_b=np.empty(0),
)


def _tables(content: Content, test: Predictions | None) -> dict[str, list[Column]]:
    """Return the columns of every table."""
    names = texts(content.classes)
    of_cluster = pick(names, content.cluster_codes)
    tables: dict[str, list[Column]] = {
        CLUSTERS: _cluster_columns(content, of_cluster),
        DISTANCES: _distance_columns(content.distances, of_cluster),
        LABEL_DISTANCES: _label_columns(content, names),
        ASSIGNMENTS: [
            np.arange(len(content.codes)),
            pick(names, content.codes),
            content.assignment,
        ],
        BLOCKS: _block_columns(content, of_cluster),
    }
    if test is not None:
        tables[PREDICTIONS] = [
            np.arange(test.space.n_points),
            texts(test.space.labels),
            of_cluster[test.cluster],
            test.cluster,
            test.distance,
        ]
    return tables


def _cluster_columns(content: Content, of_cluster: Any) -> list[Column]:
    n_clusters = len(content.cluster_codes)
    ids, first_row, sizes = np.unique(content.assignment, return_index=True, return_counts=True)
    if not np.array_equal(ids, np.arange(n_clusters)):
        raise InputError(f"every cluster id from 0 to {n_clusters - 1} should hold a point.")
    return [ids, of_cluster, sizes, first_row]


def _distance_columns(distances: PairwiseDistances, of_cluster: Any) -> list[Column]:
    return [
        distances.first,
        of_cluster[distances.first],
        distances.second,
        of_cluster[distances.second],
        distances.lower,
        distances.upper,
        pick(STATUS_NAMES, np.asarray(distances.status)),
        pick(STAGE_NAMES, np.asarray(distances.stage)),
    ]


def _label_columns(content: Content, names: list[str]) -> list[Column]:
    d = content.distances
    table = label_table(
        content.cluster_codes[d.first],
        content.cluster_codes[d.second],
        d.lower,
        d.upper,
        d.distance,
    )
    return [
        pick(names, table.first),
        pick(names, table.second),
        table.pairs,
        table.lower,
        table.upper,
        table.mean,
    ]


def _block_columns(content: Content, of_cluster: Any) -> list[Column]:
    if content.blocks is None:
        return [[] for _ in COLUMNS[BLOCKS]]
    blocks = content.blocks
    return [
        blocks.first,
        blocks.second,
        of_cluster[blocks.first],
        blocks.blocker,
        of_cluster[blocks.blocker],
        blocks.gap,
        blocks.certificate,
    ]
