"""Plain versions of what geoprobe computes: slow, short and obviously right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import highspy
import numpy as np
import scipy.optimize

from geoprobe.hulls import pairwise_hull_distances
from geoprobe.probes import DirectProbe
from tests.support.rational import exact_squared_distance, exact_squared_scale

TAU = 1e-7
TIE = 1e-12

Overlap = Callable[[np.ndarray, np.ndarray, float], bool]
"""Whether the hulls of A (n_a, n_dims) and B (n_b, n_dims) overlap, given the scale R."""


def scale_of(points: np.ndarray) -> float:
    """Return R, the largest distance of a point to the mean of all points."""
    points = np.asarray(points, dtype=np.float64)
    return float(np.linalg.norm(points - points.mean(axis=0), axis=1).max())


def exact_decision(a: np.ndarray, b: np.ndarray, scale: float, tau: float = TAU) -> bool:
    """Decide ``distance <= tau * scale`` on the given floats without any rounding."""
    return exact_squared_distance(a, b) <= (Fraction(tau) * Fraction(scale)) ** 2


def exact_scale(*groups: np.ndarray) -> float:
    """Return R with one rounding at the end."""
    return float(exact_squared_scale(*groups)) ** 0.5


def highs_overlap(a: np.ndarray, b: np.ndarray, scale: float, tau: float = TAU) -> bool:
    """Decide by one linear program: the least largest coordinate of ``A.T @ u - B.T @ v``.

    The data are centred and divided by ``scale``. The length of the difference found is compared
    with ``tau``; it exceeds the distance by at most the square root of n_dims, so the answer can
    be wrong only for distances within that factor of ``tau * scale``.
    """
    return highs_residual(a, b, scale) <= tau


def highs_residual(a: np.ndarray, b: np.ndarray, scale: float) -> float:
    """Return the length of the difference that the program of :func:`highs_overlap` finds."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    centre = np.concatenate([a, b]).mean(axis=0)
    unit = scale if scale > 0 else 1.0
    points = np.concatenate([(a - centre) / unit, (centre - b) / unit])
    n_points, n_dims = points.shape
    # Columns: the weights of both sides, then the bound t. Rows: -t <= difference <= t, sums of 1.
    matrix = np.zeros((2 * n_dims + 2, n_points + 1))
    matrix[:n_dims, :n_points] = matrix[n_dims:-2, :n_points] = points.T
    matrix[:n_dims, -1], matrix[n_dims:-2, -1] = -1.0, 1.0
    matrix[-2, : len(a)] = matrix[-1, len(a) : n_points] = 1.0

    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = n_points + 1, 2 * n_dims + 2
    lp.col_cost_ = np.append(np.zeros(n_points), 1.0)
    lp.col_lower_ = np.zeros(n_points + 1)
    lp.col_upper_ = np.full(n_points + 1, highspy.kHighsInf)
    lp.row_lower_ = np.concatenate(
        [np.full(n_dims, -highspy.kHighsInf), np.zeros(n_dims), np.ones(2)]
    )
    lp.row_upper_ = np.concatenate(
        [np.zeros(n_dims), np.full(n_dims, highspy.kHighsInf), np.ones(2)]
    )
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    rows, columns = np.nonzero(matrix)
    lp.a_matrix_.start_ = np.searchsorted(rows, np.arange(2 * n_dims + 3))
    lp.a_matrix_.index_, lp.a_matrix_.value_ = columns, matrix[rows, columns]

    solver = highspy.Highs()
    for option, value in {
        "output_flag": False,
        "presolve": "off",
        "solver": "simplex",
        "simplex_strategy": 4,  # primal
        "primal_feasibility_tolerance": 1e-9,
        "dual_feasibility_tolerance": 1e-9,
        "threads": 1,
    }.items():
        solver.setOptionValue(option, value)
    solver.passModel(lp)
    solver.run()
    status = solver.getModelStatus()
    if status != highspy.HighsModelStatus.kOptimal:
        raise RuntimeError(f"HiGHS ended with {status}.")
    weights = np.array(solver.getSolution().col_value)[:n_points]
    return float(np.linalg.norm(weights @ points))


def qp_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the distance of two small hulls: the nearest point of all differences to 0.

    With the columns ``(p, 1)`` for every difference p, non-negative least squares towards
    ``(0, 1)`` finds a multiple of the nearest point's weights (Lawson & Hanson 1974, ch. 23).
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    differences = (a[:, None, :] - b[None, :, :]).reshape(-1, a.shape[1])
    unit = np.linalg.norm(differences, axis=1).min()
    if unit == 0:
        return 0.0
    system = np.vstack([differences.T / unit, np.ones(len(differences))])
    target = np.append(np.zeros(a.shape[1]), 1.0)
    weights, _ = scipy.optimize.nnls(system, target, maxiter=100 * len(differences))
    return float(np.linalg.norm(weights @ differences) / weights.sum())


def plain_ranking(
    hulls: list[np.ndarray], queries: np.ndarray, scale: float, tau: float = TAU
) -> tuple[np.ndarray, np.ndarray]:
    """Rank all hulls for each query: distances and numbers of hulls, both (n_queries, n_hulls).

    Distances up to ``tau * scale`` are 0; of equal distances the smaller number comes first.
    """
    distances = np.array([[qp_distance(query[None], hull) for hull in hulls] for query in queries])
    distances[distances <= tau * scale] = 0.0
    numbers = np.argsort(distances, axis=1, kind="stable")
    return np.take_along_axis(distances, numbers, axis=1), numbers


def plain_resampled(
    X: np.ndarray, y: np.ndarray, resamples: Sequence[np.ndarray]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Measure the labels of each resample by itself: both bounds of all pairs, a resample each.

    Only for resamples that have a point of every label.
    """
    measured = [pairwise_hull_distances(X[rows], y[rows]) for rows in map(np.unique, resamples)]
    return [(each.lower, each.upper) for each in measured]


def plain_cluster_counts(X: np.ndarray, labelings: Sequence[np.ndarray]) -> list[int]:
    """Fit each labeling by itself and count its clusters."""
    return [DirectProbe().fit(X, y).n_clusters_ for y in labelings]


@dataclass(frozen=True)
class Textbook:
    """What the textbook algorithm found.

    ``clusters`` (n_points,) numbers the clusters by label and then by first row. ``bans`` are the
    first rows of the clusters that may not merge, in the order in which they were tried.
    """

    clusters: np.ndarray
    merges: int
    bans: list[tuple[int, int]]


def textbook_clustering(X: np.ndarray, y: np.ndarray, overlap: Overlap = highs_overlap) -> Textbook:
    """Cluster greedily, done literally: every distance anew in every step (NAACL, Alg. 1).

    The closest pair has the smallest squared centroid distance in float64, by explicit
    differences. Pairs within ``TIE * R**2`` of it tie; then the smaller first row decides, and the
    smaller first row of the other cluster. A pair that may not merge is banned, and so is every
    pair whose union contains a banned union's two parts. Equal points of one label start as one
    cluster.
    """
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y)
    scale = scale_of(X)
    clusters = _start(X, y)  # first row -> rows
    banned: set[tuple[int, int]] = set()
    merges = 0
    bans: list[tuple[int, int]] = []
    while True:
        pairs = _free_pairs(X, y, clusters, banned)
        if not pairs:
            break
        limit = min(length for length, _, _ in pairs) + TIE * scale**2
        first, second = min(pair for length, *pair in pairs if length <= limit)
        union = sorted(clusters[first] + clusters[second])
        others = [rows for head, rows in clusters.items() if y[head] != y[first]]
        if any(overlap(X[union], X[rows], scale) for rows in others):
            banned.add((first, second))
            bans.append((first, second))
            continue
        del clusters[second]
        clusters[first] = union
        # The union keeps the smaller first row as its name, so only bans of `second` move.
        banned = {
            (min(p, q), max(p, q))
            for p, q in (tuple(first if x == second else x for x in pair) for pair in banned)
        }
        merges += 1
    return Textbook(_number(y, clusters), merges, bans)


def _start(X: np.ndarray, y: np.ndarray) -> dict[int, list[int]]:
    heads: dict[tuple[object, ...], int] = {}
    clusters: dict[int, list[int]] = {}
    for row in range(len(X)):
        key = (y[row].item(), *(X[row] + 0.0).tolist())  # + 0.0 makes -0.0 and 0.0 one key
        clusters.setdefault(heads.setdefault(key, row), []).append(row)
    return clusters


def _free_pairs(
    X: np.ndarray, y: np.ndarray, clusters: dict[int, list[int]], banned: set[tuple[int, int]]
) -> list[tuple[float, int, int]]:
    centroids = {head: X[rows].sum(axis=0) / len(rows) for head, rows in clusters.items()}
    heads = sorted(clusters)
    return [
        (float(np.square(centroids[p] - centroids[q]).sum()), p, q)
        for k, p in enumerate(heads)
        for q in heads[k + 1 :]
        if y[p] == y[q] and (p, q) not in banned
    ]


def _number(y: np.ndarray, clusters: dict[int, list[int]]) -> np.ndarray:
    numbers = np.full(len(y), -1)
    for number, head in enumerate(sorted(clusters, key=lambda head: (y[head], head))):
        numbers[clusters[head]] = number
    return numbers
