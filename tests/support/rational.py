"""Hulls of rational points in exact arithmetic: every answer carries a proof that is checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

Point = tuple[Fraction, ...]
ZERO, ONE = Fraction(0), Fraction(1)


def as_rational(points: Sequence[Sequence[float]]) -> list[Point]:
    """Return the points as exact fractions; a float is the dyadic number it stands for."""
    return [tuple(Fraction(value) for value in map(_number, row)) for row in points]


def _number(value: float) -> float | int:
    return value.item() if hasattr(value, "item") else value


def dot(p: Sequence[Fraction], q: Sequence[Fraction]) -> Fraction:
    return sum((x * y for x, y in zip(p, q, strict=True)), ZERO)


def minus(p: Point, q: Point) -> Point:
    return tuple(x - y for x, y in zip(p, q, strict=True))


def combination(weights: Sequence[Fraction], points: Sequence[Point]) -> Point:
    return tuple(dot(weights, column) for column in zip(*points, strict=True))


@dataclass(frozen=True)
class ExactOverlap:
    """Whether two hulls share a point, with the proof of either answer.

    ``weights_a`` and ``weights_b`` are convex weights of one shared point, or ``normal`` is a
    direction along which all of A lies strictly beyond all of B.
    """

    overlap: bool
    weights_a: tuple[Fraction, ...] = ()
    weights_b: tuple[Fraction, ...] = ()
    normal: Point = ()


def exact_overlap(
    points_a: Sequence[Sequence[float]], points_b: Sequence[Sequence[float]]
) -> ExactOverlap:
    """Decide whether two hulls share a point: phase 1 of the simplex method, Bland's rule.

    The columns are the points of A, the negated points of B, and one artificial variable a row;
    the rows are the coordinates of ``sum u_i a_i - sum v_j b_j = 0``, then ``sum u = 1`` and
    ``sum v = 1``. The least sum of the artificial variables is 0 exactly when the hulls meet, and
    its multipliers separate them when it is not.
    """
    a, b = as_rational(points_a), as_rational(points_b)
    n_dims, n_points = len(a[0]), len(a) + len(b)
    n_rows = n_dims + 2
    columns = [(*p, ONE, ZERO) for p in a] + [(*(-x for x in p), ZERO, ONE) for p in b]
    rows = [
        [column[r] for column in columns]
        + [ONE if r == s else ZERO for s in range(n_rows)]
        + [ONE if r >= n_dims else ZERO]
        for r in range(n_rows)
    ]
    basis = [n_points + r for r in range(n_rows)]
    # Reduced costs of "minimise the sum of the artificial variables", and minus its value.
    cost = [-sum((row[c] for row in rows), ZERO) for c in range(n_points)]
    cost += [ZERO] * n_rows + [-sum((row[-1] for row in rows), ZERO)]

    while True:
        entering = next((c for c in range(n_points) if cost[c] < 0), None)
        if entering is None:
            break
        ratios = [
            (row[-1] / row[entering], basis[r], r)
            for r, row in enumerate(rows)
            if row[entering] > 0
        ]
        _, _, leaving = min(ratios)
        _pivot(rows, cost, leaving, entering)
        basis[leaving] = entering

    if cost[-1] == 0:
        weights = [ZERO] * n_points
        for r, c in enumerate(basis):
            if c < n_points:
                weights[c] = rows[r][-1]
        answer = ExactOverlap(True, tuple(weights[: len(a)]), tuple(weights[len(a) :]))
    else:
        normal = tuple(cost[n_points + r] - ONE for r in range(n_dims))
        answer = ExactOverlap(False, normal=normal)
    _check_overlap(answer, a, b)
    return answer


def _pivot(rows: list[list[Fraction]], cost: list[Fraction], leaving: int, entering: int) -> None:
    pivot = rows[leaving][entering]
    rows[leaving] = [value / pivot for value in rows[leaving]]
    for target in [row for r, row in enumerate(rows) if r != leaving] + [cost]:
        factor = target[entering]
        if factor:
            target[:] = [
                value - factor * unit if unit else value
                for value, unit in zip(target, rows[leaving], strict=True)
            ]


def _check_overlap(answer: ExactOverlap, a: list[Point], b: list[Point]) -> None:
    if answer.overlap:
        for weights in (answer.weights_a, answer.weights_b):
            assert min(weights) >= 0
            assert sum(weights) == 1
        assert combination(answer.weights_a, a) == combination(answer.weights_b, b)
    else:
        assert min(dot(answer.normal, p) for p in a) > max(dot(answer.normal, p) for p in b)


def exact_squared_distance(
    points_a: Sequence[Sequence[float]], points_b: Sequence[Sequence[float]]
) -> Fraction:
    """Return the squared distance of two hulls: Wolfe's method on all differences.

    The nearest point ``x`` of the hull of ``{a - b}`` to the origin is proved by
    ``x @ p >= x @ x`` for every difference ``p``, which is checked exactly.
    """
    a, b = as_rational(points_a), as_rational(points_b)
    differences = sorted({minus(p, q) for p in a for q in b})
    nearest = min(differences, key=lambda p: dot(p, p))
    corral, weights = [nearest], [ONE]
    while True:
        extreme = min(differences, key=lambda p: dot(nearest, p))
        if dot(nearest, extreme) >= dot(nearest, nearest):
            return dot(nearest, nearest)
        corral, weights = [*corral, extreme], [*weights, ZERO]
        while True:
            target = _affine_minimiser(corral)
            if min(target) > 0:
                weights = target
                break
            step = min(
                (w / (w - t) for w, t in zip(weights, target, strict=True) if t <= 0 and w != t),
                default=ZERO,
            )
            weights = [w + step * (t - w) for w, t in zip(weights, target, strict=True)]
            kept = [k for k, w in enumerate(weights) if w > 0]
            corral, weights = [corral[k] for k in kept], [weights[k] for k in kept]
        nearest = combination(weights, corral)


def _affine_minimiser(points: list[Point]) -> list[Fraction]:
    """Return the affine weights of the point nearest to the origin (points affinely independent).

    Solves ``(G + 1) z = 1`` by Gauss-Jordan elimination, G the Gram matrix, and scales z to sum 1.
    """
    size = len(points)
    system = [[dot(p, q) + ONE for q in points] + [ONE] for p in points]
    for k in range(size):
        best = next(r for r in range(k, size) if system[r][k] != 0)
        system[k], system[best] = system[best], system[k]
        pivot = system[k][k]
        system[k] = [value / pivot for value in system[k]]
        for r in range(size):
            if r != k and system[r][k]:
                factor = system[r][k]
                system[r] = [x - factor * y for x, y in zip(system[r], system[k], strict=True)]
    solution = [row[-1] for row in system]
    total = sum(solution, ZERO)
    return [value / total for value in solution]


def exact_squared_scale(*groups: Sequence[Sequence[float]]) -> Fraction:
    """Return R squared: the largest squared distance of a point to the mean of all points."""
    points = [p for group in groups for p in as_rational(group)]
    mean = tuple(sum(column, ZERO) / len(points) for column in zip(*points, strict=True))
    return max(dot(minus(p, mean), minus(p, mean)) for p in points)
