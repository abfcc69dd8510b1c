"""A plane with known clusters, and its measured geometry, made without the engine.

Label ``a`` has two squares with a point of label ``b`` between them, so that it stays in two
clusters. Labels ``b`` and ``c`` share one vector, which contradicts both. ``c`` is a segment
besides. Nearest points in the plane lie on a corner of one hull and an edge of the other.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from geoprobe.geometry import (
    Blocks,
    Cell,
    Clusters,
    Counts,
    Geometry,
    PairwiseDistances,
    Predictions,
    Stage,
    Status,
    Supports,
)
from geoprobe.spaces import Space

TAU = 1e-7

POINTS = np.array(
    [
        [0.0, 0.0],  # 0, a: the left square, cluster 0
        [6.0, 0.0],  # 1, a: the right square, cluster 1
        [1.0, 0.0],  # 2, a, cluster 0
        [0.0, 1.0],  # 3, a, cluster 0
        [1.0, 1.0],  # 4, a, cluster 0
        [7.0, 0.0],  # 5, a, cluster 1
        [6.0, 1.0],  # 6, a, cluster 1
        [3.0, 0.25],  # 7, b: stands between, cluster 2
        [4.0, 0.25],  # 8, b, cluster 2
        [9.0, 9.0],  # 9, b: contradictory, cluster 3
        [9.0, 9.0],  # 10, c: contradictory, cluster 4
        [0.0, 5.0],  # 11, c: a segment that ends at an odd fraction, cluster 5
        [1.0, 16.0 / 3.0],  # 12, c, cluster 5
        [0.0, 1.0],  # 13, a: repeats row 3, cluster 0
    ]
)
LABELS = np.array(list("aaaaaaabbbccca"))
ASSIGNMENT = np.array([0, 1, 0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 5, 0])
BLOCKERS = {
    # Halfway between the squares at the height of the blocker.
    (0, 1): (2, [2, 4, 1, 6], [0.5 * 0.75, 0.5 * 0.25, 0.5 * 0.75, 0.5 * 0.25], [7, 8], [0.5, 0.5]),
    # The blocker of the others is the contradictory vector itself.
    (2, 3): (4, [9], [1.0], [10], [1.0]),
    (4, 5): (3, [10], [1.0], [9], [1.0]),
}


def space_by_hand(labels: np.ndarray = LABELS, **options: Any) -> Space:
    return Space(POINTS, labels, name="plane", **options)


# Inside the left square, beside the right one, and below the blocker.
TEST_POINTS = np.array([[0.5, 0.5], [8.0, 0.0], [3.0, 0.0]])
TEST_LABELS = np.array(["a", "b", "b"])


def geometry_by_hand(
    points: np.ndarray = POINTS, labels: np.ndarray = LABELS, *, predictions: bool = False
) -> Geometry:
    """Return what measuring the plane finds, with predictions for the test points if asked."""
    classes, codes = np.unique(labels, return_inverse=True)
    first_row = np.unique(ASSIGNMENT, return_index=True)[1]
    label = codes[first_row].astype(np.int64)
    scale = float(np.linalg.norm(points - points.mean(axis=0), axis=1).max())
    test = Space(TEST_POINTS, TEST_LABELS, name="held")
    return Geometry(
        cell=Cell("plane"),
        classes=classes,
        counts=np.bincount(codes).astype(np.int64),
        centroids=np.array([points[codes == k].mean(axis=0) for k in range(len(classes))]),
        hulls=hulls_by_hand(points, codes.astype(np.int64), scale, classes),
        clusters=Clusters(
            assignment=ASSIGNMENT.copy(),
            label=label,
            distances=distances_by_hand(points, ASSIGNMENT, pairs_of(label), scale),
            blocks=_blocks(scale),
        ),
        predictions=Predictions(
            names=("a", "b", "c"),
            true=np.array([0, 1, 1]),
            predicted=np.array([0, 0, 1]),
            cluster=np.array([0, 1, 2]),
            distance=np.array([0.0, 1.0, 0.25]),
            name=test.name,
            fingerprints=test.fingerprints(),
        )
        if predictions
        else None,
        counters=Counts(7, 3, 20, 1, 1, 2),
        fingerprints=Space(points, labels).fingerprints(),
        timings={"merging": 0.25, "distances": 0.5},
    )


def pairs_of(label: np.ndarray) -> list[tuple[int, int]]:
    """Return the pairs of groups of different labels."""
    both = itertools.combinations(range(len(label)), 2)
    return [(a, b) for a, b in both if label[a] != label[b]]


def hulls_by_hand(
    points: np.ndarray, codes: np.ndarray, scale: float, classes: np.ndarray
) -> PairwiseDistances:
    """Return the distances of whole labels: all three hulls meet in the plane.

    The blocker of the left and the right square lies in the hull of both, and the contradictory
    vector belongs to b and c. The segment of c and the squares of a are met by no corner: a and c
    are apart.
    """
    found = distances_by_hand(points, codes, [(0, 1), (0, 2), (1, 2)], scale)
    met = supports(
        [(BLOCKERS[0, 1][1], BLOCKERS[0, 1][2])], [(BLOCKERS[0, 1][3], BLOCKERS[0, 1][4])]
    )
    s = found.supports
    sides_a = [met.side_a(0), s.side_a(1), s.side_a(2)]
    sides_b = [met.side_b(0), s.side_b(1), s.side_b(2)]
    return PairwiseDistances(
        names=classes,
        first=found.first,
        second=found.second,
        lower=np.r_[0.0, found.lower[1:]],
        upper=np.r_[0.0, found.upper[1:]],
        status=np.r_[np.uint8(Status.OVERLAP), found.status[1:]],
        stage=found.stage,
        supports=supports(sides_a, sides_b),
        scale=scale,
        tau=TAU,
    )


def distances_by_hand(
    points: np.ndarray, groups: np.ndarray, pairs: list[tuple[int, int]], scale: float
) -> PairwiseDistances:
    """Return distances of pairs of groups of points in the plane, by trying all supports."""
    found = [
        nearest(points, np.flatnonzero(groups == a), np.flatnonzero(groups == b)) for a, b in pairs
    ]
    lower, upper = np.array([f[0] for f in found]), np.array([f[1] for f in found])
    status = np.where(upper <= TAU * scale, Status.OVERLAP, Status.DISJOINT).astype(np.uint8)
    return PairwiseDistances(
        names=np.arange(int(groups.max()) + 1),
        first=np.array([a for a, _ in pairs]),
        second=np.array([b for _, b in pairs]),
        lower=lower,
        upper=upper,
        status=status,
        stage=np.full(len(pairs), Stage.KERNEL, dtype=np.uint8),
        supports=supports([f[2] for f in found], [f[3] for f in found]),
        scale=scale,
        tau=TAU,
    )


Side = tuple[list[int], list[float]]


def nearest(points: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[float, float, Side, Side]:
    """Return both bounds and the weights of the nearest points of two hulls in the plane."""
    best: tuple[float, Side, Side] | None = None
    for one, other, turned in ((a, b, False), (b, a, True)):
        for corner, p, q in itertools.product(one, other, other):
            along = points[q] - points[p]
            length = along @ along
            share = (
                float(np.clip((points[corner] - points[p]) @ along / length, 0, 1)) if length else 0
            )
            gap = float(np.linalg.norm(points[corner] - (points[p] + share * along)))
            rows = [(int(p), 1 - share), (int(q), share)]
            edge = [(row, weight) for row, weight in rows if weight > 0]
            side = [row for row, _ in edge], [weight for _, weight in edge]
            alone = [int(corner)], [1.0]
            if best is None or gap < best[0]:
                best = (gap, side, alone) if turned else (gap, alone, side)
    assert best is not None
    gap, side_a, side_b = best
    if gap == 0:
        return 0.0, 0.0, side_a, side_b
    normal = (combine(points, side_a) - combine(points, side_b)) / gap
    margin = float((points[a] @ normal).min() - (points[b] @ normal).max())
    return max(0.0, margin - 1e-14), gap, side_a, side_b


def combine(points: np.ndarray, side: Side) -> np.ndarray:
    return np.asarray(side[1]) @ points[np.asarray(side[0])]


def supports(sides_a: list[Side], sides_b: list[Side]) -> Supports:
    parts: dict[str, np.ndarray] = {}
    for name, sides in (("a", sides_a), ("b", sides_b)):
        sizes = [len(rows) for rows, _ in sides]
        parts[f"start_{name}"] = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        parts[f"index_{name}"] = np.array(
            [row for rows, _ in sides for row in rows], dtype=np.int64
        )
        parts[f"weight_{name}"] = np.array([w for _, weights in sides for w in weights])
    return Supports(**parts)


def _blocks(scale: float) -> Blocks:
    rows = list(BLOCKERS.items())
    table = supports(
        [(a_rows, a_weights) for _, (_, a_rows, a_weights, _, _) in rows],
        [(b_rows, b_weights) for _, (_, _, _, b_rows, b_weights) in rows],
    )
    gaps = [
        float(np.linalg.norm(combine(POINTS, table.side_a(k)) - combine(POINTS, table.side_b(k))))
        for k in range(len(rows))
    ]
    assert max(gaps) <= TAU * scale
    return Blocks(
        first=np.array([pair[0] for pair, _ in rows]),
        second=np.array([pair[1] for pair, _ in rows]),
        blocker=np.array([blocker for _, (blocker, *_) in rows]),
        gap=np.array(gaps),
        certificate=np.arange(len(rows)),
        supports=table,
    )
