"""The driver of the merging kernel: points and overlapping labels in, clusters out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import UnprovedError
from geoprobe.geometry.pairs import Stage, Status
from geoprobe.hulls.fallback import resolve
from geoprobe.kernels import agenda, directions, linkage, merging, pool
from geoprobe.kernels.state import Certificates, Merging, Points
from geoprobe.probes.candidates import later_neighbours
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.threads import interruptible, single_threaded_blas

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

# State checks between two returns from the kernel: often enough to report and to be interrupted.
CHECKS = 16
# Rows of a label from which on its centroids are looked at along principal axes.
MANY = 1024


@dataclass(frozen=True)
class Ban:
    """Two clusters whose union meets another label, and the point that proves it.

    Attributes
    ----------
    slots : tuple of int
        One row of each of the two clusters.
    rows, weights : ndarray, shape (n_support,)
        Convex weights of rows of the union.
    blocker_rows, blocker_weights : ndarray
        Convex weights of rows of the cluster of another label.
    """

    slots: tuple[int, int]
    rows: IntArray
    weights: FloatArray
    blocker_rows: IntArray
    blocker_weights: FloatArray


@dataclass
class Merged:
    """The outcome of merging.

    Attributes
    ----------
    cluster_of : ndarray of int64, shape (n_rows,)
        The smallest row of each row's cluster.
    bans : list of Ban
        In the order in which they were found.
    solves, highs_calls : int
    """

    cluster_of: IntArray
    bans: list[Ban] = field(default_factory=list)
    solves: int = 0
    highs_calls: int = 0


def merge_clusters(
    points: FloatArray,
    first: IntArray,
    original: IntArray,
    weight: FloatArray,
    partner: BoolArray,
    barred: BoolArray,
    tau: float,
    progress: ProgressCallback | None = None,
    n_threads: int = 1,
) -> Merged:
    """Merge the clusters of each label as far as no hull of another label is met.

    The closest pair of clusters of one label, by the distance of their centroids, is merged
    unless the hull of the union overlaps a cluster of another label; then the pair and all pairs
    of supersets are banned (Zhou & Srikumar 2021, algorithm 1, with the reference's choices).

    Parameters
    ----------
    points : ndarray of float64, shape (n_rows, n_dims)
        Sorted by label, normalised.
    first : ndarray of int64, shape (n_labels + 1,)
        Where each label begins.
    original : ndarray of int64, shape (n_rows,)
        The number that decides between equally close pairs: the smaller goes first.
    weight : ndarray of float64, shape (n_rows,)
        Number of equal points that each row stands for.
    partner : ndarray of bool, shape (n_labels, n_labels)
        Which labels' hulls overlap; only their clusters have to be checked against each other.
    barred : ndarray of bool, shape (n_rows,)
        Rows that coincide with another label's: they stay clusters of their own.
    tau : float
    progress : callable, optional
    n_threads : int
        Threads for the search of neighbours; the outcome does not depend on it.

    Raises
    ------
    UnprovedError
        If neither the kernels nor HiGHS can decide a pair.
    """
    n_rows, n_dims = points.shape
    involved: BoolArray = np.any(partner, axis=1)
    single = points.astype(np.float32)
    covariance = _covariance(single)
    with single_threaded_blas():
        large = bool(np.diff(first)[involved].max(initial=0) >= MANY)
        axes = np.linalg.eigh(covariance).eigenvectors[:, ::-1] if large else None
        links = linkage.allocate(points, first, original, weight, involved, axes=axes)
    for label in np.flatnonzero(involved).tolist():
        span = slice(first[label], first[label + 1])
        known = later_neighbours(points[span], barred[span], n_threads=n_threads)
        linkage.prepare(links, label, barred, known.near, known.bound, known.others)
    state = Merging(
        points=Points(points, single),
        links=links,
        directions=directions.allocate(links, partner, n_dims),
        agenda=agenda.allocate_agenda(n_rows, _precision(covariance)),
        pool=pool.allocate_pool(n_dims),
        conflicts=agenda.allocate_certificates(256, n_dims),
        bans=agenda.allocate_certificates(256, n_dims),
        threshold=tau,
    )
    merged = Merged(cluster_of=links.cluster_of)
    total = int(np.diff(first)[involved].sum() - involved.sum())
    control = state.agenda.control
    control[agenda.LAY_OUT] = _roomier(state)
    while True:
        state = state._replace(links=linkage.with_room(state.links, len(state.bans.size)))
        reason, a, b = interruptible(merging.advance, state, CHECKS)
        if reason in (merging.FINISHED, merging.EMPTY_BANS):
            merged.bans += [_ban(state.bans, k) for k in range(control[agenda.N_BANS])]
            control[agenda.N_BANS] = 0
        if progress is not None:
            done = int(control[agenda.MERGES])
            n_bans = len(merged.bans) + int(control[agenda.N_BANS])
            left = total if reason == merging.FINISHED else min(done, total - 1)
            progress(Progress("merging", left, total, f"{done} merges, {n_bans} bans"))
        if reason == merging.FINISHED:
            break
        if reason == merging.FALLBACK:
            merged.highs_calls += _resolve(state, a, b)
        if reason == merging.CRAMPED:
            state = state._replace(directions=directions.laid_out(state.directions, state.links))
            control[agenda.LAY_OUT] = _roomier(state)
    merged.solves = int(control[agenda.SOLVES])
    return merged


def _roomier(state: Merging) -> int:
    """Return from how many merges on there is room for more directions."""
    capacity, wanted = state.directions.low.shape[1], int(state.directions.limits[0])
    if capacity >= wanted:
        return int(np.iinfo(np.int64).max)
    if capacity < directions.roomiest(state.directions, state.links):
        return 0
    involved = state.directions.pair.max(axis=1) >= 0
    left = int(state.directions.span[involved].sum())
    return int(state.agenda.control[agenda.MERGES]) + max(left // 2, 1)


def _covariance(points: NDArray[np.float32]) -> FloatArray:
    """Return the covariance of the points."""
    with single_threaded_blas():
        return np.asarray(points.T @ points, np.float64) / len(points)


def _precision(covariance: FloatArray) -> FloatArray:
    """Invert a covariance, kept finite where points span fewer dimensions."""
    ridge = 1e-7 * max(float(np.trace(covariance)), 1e-30) / len(covariance)
    with single_threaded_blas():
        return np.asarray(np.linalg.inv(covariance + ridge * np.eye(len(covariance))), np.float64)


def _ban(bans: Certificates, k: int) -> Ban:
    """Copy ban ``k`` out of the kernel's room."""
    size = bans.size[k]
    side = bans.side[k, :size]
    row, weight = bans.row[k, :size], bans.weight[k, :size]
    return Ban(
        slots=(int(bans.slots[k, 0]), int(bans.slots[k, 1])),
        rows=row[side == 0].copy(),
        weights=weight[side == 0].copy(),
        blocker_rows=row[side == 1].copy(),
        blocker_weights=weight[side == 1].copy(),
    )


def _resolve(state: Merging, a: int, b: int) -> bool:
    """Decide about the clusters in slots ``a`` and ``b``, tell the kernel, return who did."""
    tau = state.threshold
    rows_a, rows_b = linkage.members(state.links, a), linkage.members(state.links, b)
    answer = resolve(state.points.float64, rows_a, rows_b, tau)
    if answer.status is Status.UNPROVED:
        raise UnprovedError(
            f"two clusters of {len(rows_a)} and {len(rows_b)} points are between "
            f"{answer.lower:.3g} and {answer.upper:.3g} times R apart, on both sides of "
            f"tau = {tau:g}; neither the kernels nor HiGHS can tell more. Choose another tau."
        )
    if answer.status is Status.DISJOINT:
        agenda.exempt(state.agenda, a, b)
        return answer.stage is Stage.HIGHS
    rows = np.r_[answer.rows_a, answer.rows_b]
    sides = np.repeat([0, 1], [len(answer.rows_a), len(answer.rows_b)])
    weights = np.r_[answer.weights_a, answer.weights_b]
    merging.back_from_overlap(
        state.links, state.directions, state.agenda, state.conflicts, rows, sides, weights
    )
    return answer.stage is Stage.HIGHS
