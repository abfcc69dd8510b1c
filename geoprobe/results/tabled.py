"""A results folder as plain arrays, checked for its form but not against any data."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError
from geoprobe.files.csv_files import ANY_TEXT, FINITE, WHOLE, Kind, one_of, read_table, texts
from geoprobe.geometry.label_table import LabelTable
from geoprobe.results.layout import (
    ASSIGNMENTS,
    BLOCKS,
    CERTIFICATES,
    CLUSTERS,
    COLUMNS,
    DISTANCES,
    LABEL_DISTANCES,
    PREDICTIONS,
    PROBE_FILES,
    STAGE_NAMES,
    STATUS_NAMES,
    SUMMARY,
)
from geoprobe.results.summary import check_files, read_summary
from geoprobe.results.supports_io import SupportArrays, read_supports

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class PairColumns:
    """``distances.csv``; every array has shape (n_pairs,), labels are positions in the summary."""

    first: IntArray
    first_label: IntArray
    second: IntArray
    second_label: IntArray
    lower: FloatArray
    upper: FloatArray
    status: IntArray
    stage: IntArray


@dataclass(frozen=True)
class BlockColumns:
    """``blocks.csv``; every array has shape (n_blocks,)."""

    first: IntArray
    second: IntArray
    label: IntArray
    blocker: IntArray
    blocker_label: IntArray
    gap: FloatArray
    certificate: IntArray


@dataclass(frozen=True)
class PredictionColumns:
    """``predictions.csv``; every array has shape (n_test_points,)."""

    row: IntArray
    label: NDArray[np.object_]
    predicted: IntArray
    cluster: IntArray
    distance: FloatArray


@dataclass(frozen=True)
class Tabled:
    """Everything in a results folder.

    Attributes
    ----------
    folder : Path
    summary : dict
    n_files : int
        How many files were hashed.
    cluster, cluster_label, cluster_size, cluster_first_row : ndarray of int64, (n_clusters,)
    row, row_label, assignment : ndarray of int64, shape (n_points,)
    pairs : PairColumns
    pair_supports : SupportArrays
    label_pairs : LabelTable
    blocks : BlockColumns
    block_supports : SupportArrays
    predictions : PredictionColumns or None
    """

    folder: Path
    summary: dict[str, Any]
    n_files: int
    cluster: IntArray
    cluster_label: IntArray
    cluster_size: IntArray
    cluster_first_row: IntArray
    row: IntArray
    row_label: IntArray
    assignment: IntArray
    pairs: PairColumns
    pair_supports: SupportArrays
    label_pairs: LabelTable
    blocks: BlockColumns
    block_supports: SupportArrays
    predictions: PredictionColumns | None


def read_tabled(folder: str | os.PathLike[str]) -> Tabled:
    """Read a results folder, after checking the hash of every file.

    Raises
    ------
    FormatError
        If the folder holds no finished results, or a file is missing, changed or malformed.
    """
    place = Path(folder)
    summary = read_summary(place)
    expected = (*PROBE_FILES, PREDICTIONS) if "test" in summary else PROBE_FILES
    n_files = check_files(place, summary, expected)
    labels = texts(summary["labels"])
    known = one_of(labels)
    clusters = _read(place / CLUSTERS, WHOLE, known, WHOLE, WHOLE)
    rows = _read(place / ASSIGNMENTS, WHOLE, known, WHOLE)
    pair_supports, block_supports = read_supports(place / CERTIFICATES, "distances", "blocks")
    tabled = Tabled(
        folder=place,
        summary=summary,
        n_files=n_files,
        cluster=clusters["cluster"],
        cluster_label=clusters["label"],
        cluster_size=clusters["size"],
        cluster_first_row=clusters["first_row"],
        row=rows["row"],
        row_label=rows["label"],
        assignment=rows["cluster"],
        pairs=_pairs(place / DISTANCES, known),
        pair_supports=pair_supports,
        label_pairs=_label_pairs(place / LABEL_DISTANCES, known),
        blocks=_blocks(place / BLOCKS, known),
        block_supports=block_supports,
        predictions=_predictions(place / PREDICTIONS, known) if "test" in summary else None,
    )
    _check_ids(tabled)
    return tabled


def _read(path: Path, *kinds: Kind) -> dict[str, NDArray[Any]]:
    """Read a table whose columns the layout names."""
    return read_table(path, dict(zip(COLUMNS[path.name], kinds, strict=True)))


def _pairs(path: Path, known: Kind) -> PairColumns:
    status, stage = one_of(STATUS_NAMES), one_of(STAGE_NAMES)
    table = _read(path, WHOLE, known, WHOLE, known, FINITE, FINITE, status, stage)
    return PairColumns(
        first=table["cluster_a"],
        first_label=table["label_a"],
        second=table["cluster_b"],
        second_label=table["label_b"],
        lower=table["lower"],
        upper=table["upper"],
        status=table["status"],
        stage=table["stage"],
    )


def _label_pairs(path: Path, known: Kind) -> LabelTable:
    table = _read(path, known, known, WHOLE, FINITE, FINITE, FINITE)
    return LabelTable(
        first=table["label_a"],
        second=table["label_b"],
        pairs=table["pairs"],
        lower=table["lower"],
        upper=table["upper"],
        mean=table["mean"],
    )


def _blocks(path: Path, known: Kind) -> BlockColumns:
    table = _read(path, WHOLE, WHOLE, known, WHOLE, known, FINITE, WHOLE)
    return BlockColumns(
        first=table["cluster_a"],
        second=table["cluster_b"],
        label=table["label"],
        blocker=table["blocker"],
        blocker_label=table["blocker_label"],
        gap=table["gap"],
        certificate=table["certificate"],
    )


def _predictions(path: Path, known: Kind) -> PredictionColumns:
    table = _read(path, WHOLE, ANY_TEXT, known, WHOLE, FINITE)
    return PredictionColumns(
        row=table["row"],
        label=table["label"],
        predicted=table["predicted"],
        cluster=table["cluster"],
        distance=table["distance"],
    )


def _check_ids(t: Tabled) -> None:
    """Check lengths and ranges, so that every array can be indexed without surprise."""
    n_clusters, n_points = t.summary["n_clusters"], t.summary["n_points"]
    _check_length(t.folder, CLUSTERS, len(t.cluster), n_clusters, '"n_clusters"')
    _check_length(t.folder, ASSIGNMENTS, len(t.row), n_points, '"n_points"')
    for name, column, ids, below in (
        (CLUSTERS, "first_row", t.cluster_first_row, n_points),
        (ASSIGNMENTS, "cluster", t.assignment, n_clusters),
        (DISTANCES, "cluster_a", t.pairs.first, n_clusters),
        (DISTANCES, "cluster_b", t.pairs.second, n_clusters),
        (BLOCKS, "cluster_a", t.blocks.first, n_clusters),
        (BLOCKS, "cluster_b", t.blocks.second, n_clusters),
        (BLOCKS, "blocker", t.blocks.blocker, n_clusters),
        (BLOCKS, "certificate", t.blocks.certificate, len(t.block_supports)),
    ):
        _check_range(t.folder / name, column, ids, below)
    if t.predictions is not None:
        _check_range(t.folder / PREDICTIONS, "cluster", t.predictions.cluster, n_clusters)
    if len(t.pair_supports) != len(t.pairs.first):
        raise FormatError(
            f"there are {len(t.pair_supports)} certificates of distances, but {DISTANCES} has "
            f"{len(t.pairs.first)} rows.",
            t.folder / CERTIFICATES,
        )
    for which, supports in (("distances", t.pair_supports), ("blocks", t.block_supports)):
        for side, index in (("a", supports.index_a), ("b", supports.index_b)):
            bad = (index < 0) | (index >= n_points)
            if bad.any():
                at = int(np.argmax(bad))
                raise FormatError(
                    f"{which}_index_{side}[{at}] is {index[at]}, but there are {n_points} points.",
                    t.folder / CERTIFICATES,
                )


def _check_length(folder: Path, name: str, found: int, expected: int, key: str) -> None:
    if found != expected:
        raise FormatError(f"{found} rows, but {key} in {SUMMARY} is {expected}.", folder / name)


def _check_range(path: Path, column: str, ids: IntArray, below: int) -> None:
    bad = (ids < 0) | (ids >= below)
    if bad.any():
        at = int(np.argmax(bad))
        raise FormatError(f"{column} is {ids[at]}, but should be below {below}.", path, at + 2)
