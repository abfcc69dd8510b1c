"""Measurement of a given partition: the distances of its clusters, whatever they are."""

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
from geoprobe.geometry.measured import Geometry
from geoprobe.hulls.normalisation import normalise
from geoprobe.hulls.solving import group_rows, pairs_to_measure, proved_in_full, solve_pairs
from geoprobe.probes.measure import measure_labels, predictions_of
from geoprobe.probes.ranking import NearestHulls
from geoprobe.spaces import Space
from geoprobe.threads import checked_threads
from geoprobe.tolerances import TAU

IntArray = NDArray[np.int64]


def measure_partition(
    space: Space,
    clusters: NDArray[Any],
    *,
    test: Space | None = None,
    cell: Cell | None = None,
    tau: float = TAU,
    n_threads: int | None = None,
) -> Geometry:
    """Measure clusters that were found elsewhere, such as in another layer or checkpoint.

    Nothing is assumed of them but that each has points of one label: clusters of different labels
    may overlap, and their distance is 0 then.

    Parameters
    ----------
    space : Space
    clusters : ndarray of int, shape (n_points,)
        The cluster of each point, by any numbers.
    test : Space, optional
        Points whose labels are predicted by the nearest cluster, and whose own labels are measured
        as a space.
    cell, tau, n_threads
        As for :func:`geoprobe.probes.measure`.

    Returns
    -------
    Geometry
        With :attr:`geoprobe.geometry.Clusters.fixed` clusters, in the order of the labels and then
        of first points.

    Raises
    ------
    InputError
        If there are more or fewer numbers than points, or a cluster has points of two labels.
    """
    measured = measure_labels(space, cell=cell, tau=tau, n_threads=n_threads)
    began = time.perf_counter()
    _, codes = as_labels(space.labels, space.n_points)
    assignment, label = _in_order(np.asarray(clusters), codes.astype(np.int64), space)
    scaled = normalise(space.points)
    groups = group_rows(assignment, len(label))
    threads = checked_threads(n_threads)
    if len(label) == measured.n_labels:
        distances = replace(measured.hulls, names=label)
    else:
        first, second = pairs_to_measure(label, "clusters")
        distances = solve_pairs(scaled.points, groups, first, second, tau, threads)
        distances = proved_in_full(distances, groups, scaled)
        distances = distances.in_units(scaled.scale, tau, np.arange(len(label)))
    found = Clusters(assignment, label, distances, NO_BLOCKS, fixed=True)
    timings = {**measured.timings, "clusters": time.perf_counter() - began}
    measured = replace(measured, clusters=found, timings=timings)
    if test is None:
        return measured
    hulls = NearestHulls(scaled.points, groups)
    distance, cluster = hulls.rank(scaled.apply(test.points), 1, tau, threads)
    predictions = predictions_of(measured, test, distance[:, 0] * scaled.unit, cluster[:, 0])
    measured = replace(measured, predictions=predictions)
    if len(np.unique(test.labels)) > 1:
        alone = measure_labels(test, cell=measured.cell, tau=tau, n_threads=n_threads)
        measured = replace(measured, test=alone)
    return measured


def _in_order(clusters: NDArray[Any], codes: IntArray, space: Space) -> tuple[IntArray, IntArray]:
    """Return the clusters numbered by label and first point, and the label of each."""
    if clusters.shape != codes.shape:
        raise InputError(
            f"clusters should be the cluster of each of the {len(codes)} points, but their shape "
            f"is {clusters.shape}."
        )
    _, first, own = np.unique(clusters, return_index=True, return_inverse=True)
    own = own.reshape(-1)
    label = codes[first]
    mixed = np.flatnonzero(label[own] != codes)
    if len(mixed):
        row = int(mixed[0])
        raise InputError(
            f"cluster {clusters[row]} has points of two labels: row {first[own[row]]} is "
            f"{str(space.labels[first[own[row]]])!r} and row {row} is {str(space.labels[row])!r}."
        )
    order = np.lexsort((first, label))
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    return number[own], label[order]
