"""Read the results of one space back, as the objects that they were written from."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.results.supports_io import SupportArrays
from geoprobe.results.tabled import PredictionColumns, Tabled, read_tabled

if TYPE_CHECKING:
    from geoprobe.geometry.clusters import Blocks
    from geoprobe.geometry.pairs import PairwiseDistances, Supports


@dataclass(frozen=True)
class Results:
    """The results of one space.

    Attributes
    ----------
    folder : Path
    summary : dict
        ``summary.json``.
    classes : ndarray, shape (n_labels,)
        The labels, of the type that they were given in.
    labels : ndarray of int64, shape (n_points,)
        Cluster of each point, like ``DirectProbe.labels_``.
    cluster_labels, cluster_sizes : ndarray, shape (n_clusters,)
    distances : PairwiseDistances
    blocks : Blocks
    predictions : PredictionColumns or None
    """

    folder: Path
    summary: dict[str, Any]
    classes: NDArray[Any]
    labels: NDArray[np.int64]
    cluster_labels: NDArray[Any]
    cluster_sizes: NDArray[np.int64]
    distances: PairwiseDistances
    blocks: Blocks
    predictions: PredictionColumns | None


def read_results(folder: str | os.PathLike[str]) -> Results:
    """Read a results folder; the hash of every file is checked, the geometry is not.

    Parameters
    ----------
    folder : path
        As :func:`geoprobe.results.write_results` wrote it.

    Returns
    -------
    Results

    Raises
    ------
    FormatError
        If the folder holds no finished results, or a file is missing, changed or malformed.
    """
    from geoprobe.geometry.clusters import Blocks
    from geoprobe.geometry.pairs import Supports

    t = read_tabled(folder)
    classes = np.array(t.summary["labels"])
    return Results(
        folder=t.folder,
        summary=t.summary,
        classes=classes,
        labels=t.assignment,
        cluster_labels=classes[t.cluster_label],
        cluster_sizes=t.cluster_size,
        distances=_distances(t, _supports(t.pair_supports, Supports)),
        blocks=Blocks(
            first=t.blocks.first,
            second=t.blocks.second,
            blocker=t.blocks.blocker,
            gap=t.blocks.gap,
            certificate=t.blocks.certificate,
            supports=_supports(t.block_supports, Supports),
        ),
        predictions=t.predictions,
    )


def _distances(t: Tabled, supports: Supports) -> PairwiseDistances:
    from geoprobe.geometry.pairs import PairwiseDistances

    return PairwiseDistances(
        names=t.cluster,
        first=t.pairs.first,
        second=t.pairs.second,
        lower=t.pairs.lower,
        upper=t.pairs.upper,
        status=t.pairs.status.astype(np.uint8),
        stage=t.pairs.stage.astype(np.uint8),
        supports=supports,
        scale=float(t.summary["scale"]),
        tau=float(t.summary["tau"]),
    )


def _supports(arrays: SupportArrays, make: Callable[..., Supports]) -> Supports:
    return make(
        start_a=arrays.start_a,
        index_a=arrays.index_a,
        weight_a=arrays.weight_a,
        start_b=arrays.start_b,
        index_b=arrays.index_b,
        weight_b=arrays.weight_b,
    )
