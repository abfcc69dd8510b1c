"""Merging done literally, a solver asked about every pair: a second opinion on small spaces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import InputError, UnprovedError
from geoprobe.geometry.pairs import Stage, Status
from geoprobe.hulls.solver import Answer, Solver
from geoprobe.kernels.centroids import TIE
from geoprobe.probes.merging import Ban, Merged
from geoprobe.probes.sorting import SortedRows
from geoprobe.progress import Progress, ProgressCallback

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

MOST_ROWS = 2000
"""Different points of a space that a second opinion can be had for: it asks for each merge about
every cluster of another label."""


def merge_literally(
    rows: SortedRows,
    barred: BoolArray,
    threshold: float,
    solver: Solver,
    progress: ProgressCallback | None = None,
) -> Merged:
    """Merge as :func:`geoprobe.probes.merging.merge_clusters` does, with nothing left out.

    Every centroid distance is computed anew in every step, no pair of labels is taken as disjoint,
    and the solver decides about every union (Zhou & Srikumar 2021, algorithm 1).

    Parameters
    ----------
    rows : SortedRows
    barred : ndarray of bool, shape (n_rows,)
        Rows that coincide with another label's: they stay clusters of their own.
    threshold : float
        Hulls at most this far apart overlap.
    solver : Solver
    progress : callable, optional

    Raises
    ------
    InputError
        If the space is too large for this.
    UnprovedError
        If the solver can prove neither answer about a pair.
    """
    n_rows = len(rows.points)
    if n_rows > MOST_ROWS:
        raise InputError(
            f"a second opinion asks the solver about every pair of hulls, which is meant for "
            f"{MOST_ROWS:,} different points at most, but there are {n_rows:,}; take a sample."
        )
    labels = rows.labels
    members = {row: np.array([row]) for row in range(n_rows)}
    centroids = dict(enumerate(rows.points))
    banned: set[tuple[int, int]] = set()
    merged = Merged(cluster_of=np.arange(n_rows))
    while pair := _closest(rows, labels, centroids, banned, barred):
        first, second = pair
        union = np.sort(np.concatenate([members[first], members[second]]))
        others = [own for head, own in members.items() if labels[head] != labels[first]]
        ban = _blocked(rows, union, others, threshold, solver, merged)
        if ban is not None:
            merged.bans.append(
                Ban((first, second), ban.rows_a, ban.weights_a, ban.rows_b, ban.weights_b)
            )
            banned.add(pair)
            continue
        members[first] = union
        centroids[first] = np.average(rows.points[union], axis=0, weights=rows.weight[union])
        del members[second], centroids[second]
        merged.cluster_of[union] = first
        # The union keeps the name of its first part, so only bans of the second move.
        moved = ((first if p == second else p, first if q == second else q) for p, q in banned)
        banned = {(min(p, q), max(p, q)) for p, q in moved}
        if progress is not None:
            done = n_rows - len(members)
            progress(Progress("merging", done, n_rows, f"{done} merges, {len(merged.bans)} bans"))
    return merged


def _closest(
    rows: SortedRows,
    labels: IntArray,
    centroids: dict[int, FloatArray],
    banned: set[tuple[int, int]],
    barred: BoolArray,
) -> tuple[int, int] | None:
    """Return the closest pair of clusters that may merge; the smaller first rows where some tie."""
    lengths: list[FloatArray] = []
    pairs: list[IntArray] = []
    heads = np.array([head for head in sorted(centroids) if not barred[head]], dtype=np.int64)
    for label in np.unique(labels[heads]):
        own = heads[labels[heads] == label]
        places = np.array([centroids[head] for head in own.tolist()])
        one, other = np.triu_indices(len(own), 1)
        free = np.array(
            [
                pair not in banned
                for pair in zip(own[one].tolist(), own[other].tolist(), strict=True)
            ],
            dtype=np.bool_,
        )
        apart = places[one[free]] - places[other[free]]
        lengths.append(np.einsum("ij,ij->i", apart, apart))
        pairs.append(np.stack([own[one[free]], own[other[free]]], axis=1))
    if not lengths or not sum(map(len, lengths)):
        return None
    length, pair = np.concatenate(lengths), np.concatenate(pairs)
    tied = pair[length <= length.min() + TIE]
    first, second = min(
        tied.tolist(), key=lambda each: sorted(int(rows.original[head]) for head in each)
    )
    return first, second


def _blocked(
    rows: SortedRows,
    union: IntArray,
    others: list[IntArray],
    threshold: float,
    solver: Solver,
    merged: Merged,
) -> Answer | None:
    """Return what proves that the union meets another label's cluster; None if it meets none."""
    for other in others:
        answer = solver(rows.points, union, other, threshold)
        merged.solves += 1
        merged.highs_calls += answer.stage is Stage.HIGHS
        if answer.status is Status.UNPROVED:
            raise UnprovedError(
                f"two clusters of {len(union)} and {len(other)} points are between "
                f"{answer.lower:.3g} and {answer.upper:.3g} times R apart, on both sides of tau = "
                f"{threshold:g}; the solver cannot tell more. Choose another tau."
            )
        if answer.status is Status.OVERLAP:
            return answer
    return None
