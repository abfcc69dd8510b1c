"""Which cluster of another label stands between two clusters of one label."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from geoprobe.geometry.clusters import Blocks
from geoprobe.geometry.pairs import Supports
from geoprobe.probes.merging import Ban
from geoprobe.probes.sorting import Contradictions, SortedRows

IntArray = NDArray[np.int64]

Side = tuple[IntArray, NDArray[np.float64]]


def find_blocks(
    rows: SortedRows,
    cluster_of: IntArray,
    cluster_labels: IntArray,
    bans: Sequence[Ban],
    contradictions: Contradictions,
    scale: float,
) -> Blocks:
    """Give every pair of clusters of one label the certificate that keeps it apart.

    A ban found early holds for every superset: the point that its two hulls share stays in them.

    Parameters
    ----------
    rows : SortedRows
    cluster_of : ndarray of int64, shape (n_rows,)
        Cluster id of each row.
    cluster_labels : ndarray of int64, shape (n_clusters,)
        Label code of each cluster.
    bans : sequence of Ban
    contradictions : Contradictions
    scale : float
        R, to put gaps into the units of the points.
    """
    sides: list[tuple[Side, Side]] = []
    proof: dict[tuple[int, int], int] = {}
    lonely: dict[int, int] = {}
    for row in np.flatnonzero(contradictions.barred).tolist():
        lonely[int(cluster_of[row])] = len(sides)
        one = np.ones(1)
        sides.append(((np.array([row]), one), (contradictions.other[row : row + 1], one)))
    for ban in bans:
        i, j = (int(cluster_of[slot]) for slot in ban.slots)
        pair = (min(i, j), max(i, j))
        if pair not in proof:
            proof[pair] = len(sides)
            sides.append(((ban.rows, ban.weights), (ban.blocker_rows, ban.blocker_weights)))

    first: list[int] = []
    second: list[int] = []
    certificate: list[int] = []
    for label in np.unique(cluster_labels):
        clusters = np.flatnonzero(cluster_labels == label)
        for i, j in itertools.combinations(clusters.tolist(), 2):
            number = lonely.get(i, lonely.get(j, -1))
            first.append(i)
            second.append(j)
            certificate.append(number if number >= 0 else proof[i, j])

    used, position_of = np.unique(np.array(certificate, np.int64), return_inverse=True)
    kept = [sides[k] for k in used]
    gaps = np.array([_gap(rows, side, scale) for side in kept])
    blockers = np.array([cluster_of[b[0][0]] for _, b in kept], np.int64)
    supports = Supports.of(
        [(rows.original[a[0]], a[1], rows.original[b[0]], b[1]) for a, b in kept]
    )
    return Blocks(
        first=np.array(first, np.int64),
        second=np.array(second, np.int64),
        blocker=blockers[position_of] if len(kept) else np.empty(0, np.int64),
        gap=gaps[position_of] if len(kept) else np.empty(0),
        certificate=position_of.astype(np.int64),
        supports=supports,
    )


def _gap(rows: SortedRows, sides: tuple[Side, Side], scale: float) -> float:
    """Length between the two convex combinations, in the units of the points."""
    (a, weights_a), (b, weights_b) = sides
    apart = weights_a @ rows.points[a] - weights_b @ rows.points[b]
    return float(np.sqrt(apart @ apart)) * scale
