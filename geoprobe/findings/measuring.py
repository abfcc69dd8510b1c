"""From the points of a space to its measured geometry; done once, read by every finding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from geoprobe.arrays import as_labels
from geoprobe.errors import InputError
from geoprobe.findings.cells import Cell
from geoprobe.findings.geometry import Clusters, Geometry, HeldOut, IntArray, PairBounds
from geoprobe.hulls.pairwise import pairwise_hull_distances
from geoprobe.hulls.results import PairwiseDistances, Status
from geoprobe.probes.directprobe import DirectProbe
from geoprobe.progress import ProgressCallback
from geoprobe.spaces import Space
from geoprobe.tolerances import TAU


def measure(
    space: Space,
    *,
    test: Space | None = None,
    cell: Cell | None = None,
    clusters: bool = True,
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
        predicted by the nearest cluster, and they are measured as a space of their own.
    cell : Cell, optional
        What the space is; by default a cell of the task ``space.name``.
    clusters : bool, default=True
        Whether to run DirectProbe. Without it only distances of whole labels are measured, which
        is faster where labels overlap; nothing is predicted, and a space that is not linear has
        no clusters.
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
    cell = Cell(space.name) if cell is None else cell
    probe = DirectProbe(tau=tau, n_threads=n_threads, progress=progress) if clusters else None
    measured = _measure_one(space, cell, probe, tau, n_threads, progress)
    if test is None:
        return measured
    held_out = None if probe is None else _predict(probe, measured, test)
    alone = None
    if len(np.unique(test.labels)) > 1:
        fresh = DirectProbe(tau=tau, n_threads=n_threads, progress=progress) if clusters else None
        alone = _measure_one(test, cell, fresh, tau, n_threads, progress)
    return replace(measured, held_out=held_out, test=alone)


def _measure_one(
    space: Space,
    cell: Cell,
    probe: DirectProbe | None,
    tau: float,
    n_threads: int | None,
    progress: ProgressCallback | None,
) -> Geometry:
    """Measure points without their test points; fits ``probe`` if there is one."""
    names, codes = as_labels(space.labels, space.n_points, name="labels", min_labels=2)
    if probe is not None:
        probe.fit(space.points, space.labels)
    if probe is not None and probe.is_linear_:
        # Clusters are numbered by label: of a linear space they are the labels.
        found = probe.distances_
    else:
        found = pairwise_hull_distances(
            space.points, space.labels, tau=tau, n_threads=n_threads, progress=progress
        )
    hulls = _bounds(found)
    counts = np.bincount(codes, minlength=len(names)).astype(np.int64)
    centroids = [
        np.mean(space.points[codes == k], axis=0, dtype=np.float64) for k in range(len(names))
    ]
    return Geometry(
        cell=cell,
        labels=tuple(str(name) for name in names.tolist()),
        counts=counts,
        centroids=np.array(centroids),
        hulls=hulls,
        clusters=_labels_as_clusters(hulls, counts) if probe is None else _clusters(probe),
        held_out=None,
        test=None,
        scale=float(found.scale),
        tau=float(found.tau),
        tallies=_tallies(probe),
        fingerprints=space.fingerprints(),
    )


def _bounds(found: PairwiseDistances) -> PairBounds:
    return PairBounds(found.first, found.second, found.lower, found.upper, found.status)


def _clusters(probe: DirectProbe) -> Clusters:
    blocks = probe.blocks_
    return Clusters(
        label=np.searchsorted(probe.classes_, probe.cluster_labels_).astype(np.int64),
        size=probe.cluster_sizes_,
        distances=_bounds(probe.distances_),
        blocked_first=blocks.first,
        blocked_second=blocks.second,
        blocker=blocks.blocker,
        gap=blocks.gap,
    )


def _labels_as_clusters(hulls: PairBounds, counts: IntArray) -> Clusters | None:
    """Take labels as clusters where no two of them overlap, which is what DirectProbe finds."""
    if np.any(hulls.status != Status.DISJOINT):
        return None
    none = np.empty(0, np.int64)
    whole = np.arange(len(counts), dtype=np.int64)
    return Clusters(whole, counts, hulls, none, none, none, np.empty(0))


def _tallies(probe: DirectProbe | None) -> dict[str, int]:
    if probe is None:
        return {}
    names = ("duplicate_points", "contradictory_points")
    return {name: int(getattr(probe.counts_, name)) for name in names}


def _predict(probe: DirectProbe, measured: Geometry, test: Space) -> HeldOut:
    """Predict the labels of the test points by the nearest cluster."""
    distance, cluster = probe.rank_clusters(test.points, k=1)
    true = [str(label) for label in test.labels.tolist()]
    unseen = tuple(sorted(set(true) - set(measured.labels)))
    names = measured.labels + unseen
    code = {name: k for k, name in enumerate(names)}
    return HeldOut(
        names=names,
        true=np.array([code[name] for name in true], np.int64),
        predicted=measured.need_clusters().label[cluster[:, 0]],
        distance=distance[:, 0],
        unseen=unseen,
    )
