"""Measurement of a space: from its points to its geometry, done once and read by every finding."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.arrays import as_labels
from geoprobe.errors import InputError
from geoprobe.geometry.cells import Cell
from geoprobe.geometry.clusters import NO_BLOCKS, Clusters
from geoprobe.geometry.measured import Geometry, Predictions
from geoprobe.geometry.pairs import PairwiseDistances, Status
from geoprobe.hulls.pairwise import pairwise_hull_distances
from geoprobe.probes.directprobe import DirectProbe, describe_points
from geoprobe.progress import ProgressCallback
from geoprobe.spaces import Space
from geoprobe.tolerances import TAU


def measure(
    space: Space,
    *,
    test: Space | None = None,
    cell: Cell | None = None,
    clusters: bool = True,
    alone: bool = True,
    tau: float = TAU,
    n_threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> Geometry:
    """Measure the geometry of one space.

    Parameters
    ----------
    space : Space
        The labelled points of one representation; at least two labels.
    test : Space, optional
        Held-out points of the same representation; ``space.test`` by default. Their labels are
        predicted by the nearest cluster.
    cell : Cell, optional
        What the space is; by default a cell of the task ``space.name``.
    clusters : bool, default=True
        Whether to run DirectProbe. Without it only distances of whole labels are measured, which
        is faster where labels overlap; nothing is predicted, and a space that is not linear has
        no clusters.
    alone : bool, default=True
        Whether the test points are measured as a space of their own.
    tau : float, default=1e-7
        Hulls at most ``tau * R`` apart overlap.
    n_threads : int, optional
        All processors by default; the outcome does not depend on it.
    progress : callable, optional
        Called with a :class:`geoprobe.progress.Progress` now and then.

    Returns
    -------
    Geometry
        The same numbers whatever the number of threads.

    Raises
    ------
    InputError
        If the space has a single label, or the test points have other dimensions.
    UnprovedError
        If clusters are so close to ``tau * R`` apart that float64 cannot decide.
    """
    test = space.test if test is None else test
    if test is not None and test.n_dims != space.n_dims:
        raise InputError(
            f"the test points have {test.n_dims} dimensions, but the points of {space.name!r} "
            f"have {space.n_dims}."
        )
    options: dict[str, Any] = {"tau": tau, "n_threads": n_threads, "progress": progress}
    cell = Cell(space.name) if cell is None else cell
    own = test if alone and test is not None and len(np.unique(test.labels)) > 1 else None
    if not clusters:
        measured = measure_labels(space, cell=cell, **options)
        if own is not None:
            measured = replace(measured, test=measure_labels(own, cell=cell, **options))
        return measured
    probe = DirectProbe(**options)
    measured = _measure_clusters(space, cell, probe)
    if test is not None:
        began = time.perf_counter()
        predictions = predict_space(probe, test)
        timings = {**measured.timings, "ranking": time.perf_counter() - began}
        measured = replace(measured, predictions=predictions, timings=timings)
    if own is not None:
        measured = replace(measured, test=_measure_clusters(own, cell, DirectProbe(**options)))
    return measured


def _measure_clusters(space: Space, cell: Cell, probe: DirectProbe) -> Geometry:
    """Fit a probe to a space without its test points."""
    geometry = probe.fit(space.points, space.labels).geometry_
    return replace(
        geometry, cell=cell, fingerprints=space.fingerprints(), timings=dict(probe.timings_)
    )


def measure_labels(
    space: Space,
    *,
    cell: Cell | None = None,
    tau: float = TAU,
    n_threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> Geometry:
    """Measure the distances of whole labels, and take them as clusters if none overlap.

    Parameters and errors are those of :func:`measure`.
    """
    began = time.perf_counter()
    classes, codes = as_labels(space.labels, space.n_points, name="labels", min_labels=2)
    hulls = pairwise_hull_distances(
        space.points, space.labels, tau=tau, n_threads=n_threads, progress=progress
    )
    return describe_points(
        space.points,
        classes,
        codes,
        cell=Cell(space.name) if cell is None else cell,
        hulls=hulls,
        clusters=_labels_as_clusters(hulls, codes.astype(np.int64)),
        fingerprints=space.fingerprints(),
        timings={"distances": time.perf_counter() - began},
    )


def _labels_as_clusters(hulls: PairwiseDistances, codes: Any) -> Clusters | None:
    """Take labels as clusters where no two of them overlap, which is what DirectProbe finds."""
    if np.any(hulls.status != Status.DISJOINT):
        return None
    whole = np.arange(len(hulls.names), dtype=np.int64)
    return Clusters(codes, whole, replace(hulls, names=whole), NO_BLOCKS)


def predict_space(probe: DirectProbe, test: Space) -> Predictions:
    """Predict the labels of a test space by the nearest cluster.

    Parameters
    ----------
    probe : DirectProbe
        After ``fit``.
    test : Space
    """
    distance, cluster = probe.rank_clusters(test.points, k=1)
    return predictions_of(probe.geometry_, test, distance[:, 0], cluster[:, 0])


def predictions_of(
    geometry: Geometry, test: Space, distance: NDArray[np.float64], cluster: NDArray[np.int64]
) -> Predictions:
    """Return what the nearest clusters of test points predict.

    Parameters
    ----------
    geometry : Geometry
        With clusters.
    test : Space
    distance : ndarray of float64, shape (n_test_points,)
    cluster : ndarray of int64, shape (n_test_points,)
        The nearest clusters and how far they are.
    """
    true = [str(label) for label in test.labels.tolist()]
    unseen = tuple(sorted(set(true) - set(geometry.labels)))
    names = geometry.labels + unseen
    code = {name: k for k, name in enumerate(names)}
    return Predictions(
        names=names,
        true=np.array([code[name] for name in true], np.int64),
        predicted=geometry.need_clusters().label[cluster],
        cluster=cluster,
        distance=distance,
        unseen=unseen,
        name=test.name,
        fingerprints=test.fingerprints(),
    )
