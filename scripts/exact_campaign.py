"""Compare the overlap decision with exact rational arithmetic on random integer instances.

Usage: ``python -m scripts.exact_campaign --instances 10000 --seed 1``. Prints what was run and
every wrong or missing answer; ends with status 1 when there is one.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from geoprobe.hulls import HullResult, Status, hull_distance
from tests.support.rational import exact_overlap, exact_squared_distance, exact_squared_scale

Pair = tuple[np.ndarray, np.ndarray]
TAU = 1e-7
SLACK = 1e-12
"""Of R: rounding that the two bounds of a distance are allowed."""

EDGE = 0.001
"""Of tau * R: so near to it an answer may stay unproved, and counts as such."""


def grid(rng: np.random.Generator) -> Pair:
    """Return points of a small grid: hulls often touch, coincide or are flat."""
    n_dims, side = int(rng.integers(1, 6)), int(rng.integers(1, 7))
    sizes = rng.integers(1, 9, size=2)
    a, b = (rng.integers(-side, side + 1, size=(n, n_dims)) for n in sizes)
    return a, b + rng.integers(-side, side + 1, size=n_dims) * int(rng.integers(0, 2))


def shared_face(rng: np.random.Generator) -> Pair:
    """Return polytopes on two sides of a hyperplane that share the hull of common points."""
    n_dims = int(rng.integers(2, 6))
    shared = _on_hyperplane(rng, int(rng.integers(1, n_dims + 1)), n_dims)
    a, b = (_beyond_hyperplane(rng, sign, int(rng.integers(0, 4)), n_dims) for sign in (1, -1))
    return _skewed(rng, np.concatenate([shared, a]), np.concatenate([shared, b]))


def crossing_faces(rng: np.random.Generator) -> Pair:
    """Return polytopes whose faces lie in one hyperplane and may cross there without a vertex."""
    n_dims = int(rng.integers(2, 6))
    faces = [_on_hyperplane(rng, int(rng.integers(1, n_dims + 2)), n_dims) for _ in range(2)]
    a, b = (
        np.concatenate([face, _beyond_hyperplane(rng, sign, int(rng.integers(0, 3)), n_dims)])
        for face, sign in zip(faces, (1, -1), strict=True)
    )
    return _skewed(rng, a, b)


def thin_gap(rng: np.random.Generator) -> Pair:
    """Return faces one integer step apart, which a skew map turns into a gap far below 1."""
    n_dims = int(rng.integers(2, 5))
    a, b = (_on_hyperplane(rng, int(rng.integers(1, n_dims + 2)), n_dims) for _ in range(2))
    a[:, 0] += 1
    return _skewed(rng, a, b, largest=40)


def knife_edge(rng: np.random.Generator) -> Pair:
    """Return faces one step apart in a space so wide that the gap is near ``tau * R``."""
    n_dims = int(rng.integers(2, 5))
    a, b = (_on_hyperplane(rng, int(rng.integers(1, n_dims + 2)), n_dims) for _ in range(2))
    wide = 10.0 ** rng.uniform(4, 8)
    a, b = (np.rint(points * wide).astype(int) for points in (a, b))
    a[:, 0] += 1
    return a, b


def interior_point(rng: np.random.Generator) -> Pair:
    """Return a rational point of a hull, scaled to integers, against the hull; or just beside."""
    n_dims, n_points = int(rng.integers(1, 6)), int(rng.integers(1, 8))
    points = rng.integers(-5, 6, size=(n_points, n_dims))
    weights = rng.integers(0, 4, size=n_points)
    weights[0] += 1
    point = weights @ points
    point[rng.integers(n_dims)] += int(rng.integers(0, 2))
    return point[None], points * weights.sum()


SHAPES: list[Callable[[np.random.Generator], Pair]] = [
    grid, grid, shared_face, crossing_faces, thin_gap, knife_edge, interior_point
]  # fmt: skip


def _on_hyperplane(rng: np.random.Generator, n_points: int, n_dims: int) -> np.ndarray:
    points = rng.integers(-4, 5, size=(n_points, n_dims))
    points[:, 0] = 0
    return points


def _beyond_hyperplane(
    rng: np.random.Generator, sign: int, n_points: int, n_dims: int
) -> np.ndarray:
    points = rng.integers(-4, 5, size=(n_points, n_dims))
    points[:, 0] = sign * rng.integers(0, 5, size=n_points)
    return points


def _skewed(rng: np.random.Generator, a: np.ndarray, b: np.ndarray, largest: int = 6) -> Pair:
    """Apply one integer linear map and shift, which keep exactly who touches whom."""
    n_dims = a.shape[1]
    skew = rng.integers(-largest, largest + 1, size=(n_dims, n_dims))
    skew += np.eye(n_dims, dtype=int) * (largest + 1)
    shift = rng.integers(-50, 51, size=n_dims)
    return a @ skew + shift, b @ skew + shift


@dataclass
class Report:
    """What a campaign has seen so far."""

    instances: int = 0
    overlapping: int = 0
    touching_only: int = 0
    within_tau: int = 0
    unproved: int = 0
    shapes: Counter[str] = field(default_factory=Counter)
    stages: Counter[str] = field(default_factory=Counter)
    worst_bound: float = 0.0
    wrong: list[str] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)


def campaign(instances: int, seed: int, report: Report | None = None) -> Report:
    """Run random instances and return what was found."""
    report = report or Report()
    rng = np.random.default_rng(seed)
    while instances > 0:
        shape = SHAPES[rng.integers(len(SHAPES))]
        a, b = shape(rng)
        if np.ptp(np.concatenate([a, b]), axis=0).max() == 0:
            continue  # one point has no scale, and geoprobe refuses it
        instances -= 1
        report.shapes[shape.__name__] += 1
        _examine(report, shape.__name__, a, b)
    return report


def _examine(report: Report, shape: str, a: np.ndarray, b: np.ndarray) -> None:
    exact = exact_overlap(a, b)
    squared = exact_squared_distance(a, b)
    squared_scale = exact_squared_scale(a, b)
    expected = squared <= Fraction(TAU) ** 2 * squared_scale
    report.instances += 1
    report.overlapping += exact.overlap
    report.within_tau += expected and not exact.overlap
    report.touching_only += exact.overlap and _touches_only(a, b)
    case = f"{shape}: {a.tolist()} against {b.tolist()}"
    if exact.overlap != (squared == 0):
        report.wrong.append(f"the two exact methods disagree, {case}")
    scale = float(squared_scale) ** 0.5
    edge = float(squared) ** 0.5 / (TAU * scale)
    for result in (hull_distance(a, b, tau=TAU), hull_distance(b, a, tau=TAU)):
        report.stages[result.stage.name] += 1
        if result.status is Status.UNPROVED:
            if abs(edge - 1) < EDGE:
                report.unproved += 1
            else:
                report.undecided.append(f"at {edge:.6f} tau * R, {case}")
        elif result.status != (Status.OVERLAP if expected else Status.DISJOINT):
            report.wrong.append(f"the answer is {result.status.name}, {case}")
        off = _bound_error(result, squared) / scale
        report.worst_bound = max(report.worst_bound, off)
        if off > SLACK:
            report.wrong.append(f"the distance is {off:.2e} R outside its bounds, {case}")
    if not expected:
        distance = float(squared) ** 0.5
        gap = result.upper - result.lower
        # Rounding turns a short normal: points R away lose eps * R / distance times R.
        if gap > max(1e-9 * distance, 1e-14 * scale + 1e-15 * scale**2 / distance):
            report.loose.append(f"the bounds are {gap / distance:.2e} apart, {case}")


def _touches_only(a: np.ndarray, b: np.ndarray) -> bool:
    """Return whether a sliver of a push, forth or back in a general direction, parts the hulls."""
    primes = (2, -3, 5, 7, -11)[: b.shape[1]]
    pushes = [Fraction(sign * prime, 10**6) for sign in (1, -1) for prime in primes]
    return any(
        not exact_overlap(a, [[x + p for x, p in zip(row, push, strict=True)] for row in b]).overlap
        for push in (pushes[: b.shape[1]], pushes[b.shape[1] :])
    )


def _bound_error(result: HullResult, squared: Fraction) -> float:
    """Return by how much the distance lies outside the bounds, by exact comparison."""
    distance = float(squared) ** 0.5
    below = Fraction(result.lower) ** 2 > squared
    above = Fraction(result.upper) ** 2 < squared
    return max(result.lower - distance if below else 0.0, distance - result.upper if above else 0.0)


def main() -> int:
    """Run the campaign that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--instances", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started = time.perf_counter()
    report = Report()
    chunk = 1000
    for k, start in enumerate(range(0, options.instances, chunk)):
        campaign(min(chunk, options.instances - start), options.seed * 1_000_003 + k, report)
        print(f"{report.instances} instances, {len(report.wrong)} wrong", flush=True)
    for kind in ("wrong", "undecided", "loose"):
        for line in getattr(report, kind):
            print(f"{kind.upper()}: {line}")
    print(
        f"\n{report.instances} instances (seed {options.seed}), each decided in both orders and "
        f"exactly by two methods, in {time.perf_counter() - started:.0f} s:\n"
        f"  {report.overlapping} overlap, of which {report.touching_only} only touch;"
        f" {report.within_tau} lie apart by at most tau * R\n"
        f"  {report.unproved} answers unproved, all within {EDGE} of tau * R, relatively\n"
        f"  shapes {dict(report.shapes)}\n"
        f"  stages {dict(report.stages)}\n"
        f"  largest excess of a bound over the exact distance: {report.worst_bound:.1e} R\n"
        f"  {len(report.wrong)} wrong, {len(report.undecided)} undecided, "
        f"{len(report.loose)} with bounds wider than promised"
    )
    return 1 if report.wrong or report.undecided or report.loose else 0


if __name__ == "__main__":
    raise SystemExit(main())
