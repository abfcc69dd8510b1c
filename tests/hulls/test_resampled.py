"""Distances in resamples: those of measuring each resample by itself, with bounds as close."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

from geoprobe.errors import InputError
from geoprobe.hulls import (
    ResampledHulls,
    Status,
    pairwise_hull_distances,
    resampled,
    resampled_hull_distances,
)
from geoprobe.kernels.nearest import GAP, rounding
from geoprobe.progress import Progress
from tests.support.rational import exact_squared_distance
from tests.support.reference import plain_resampled

SHAPES = {
    "small": (24, 3, 3, 4.0),
    "apart": (120, 20, 4, 3.0),
    "more dims than points": (60, 100, 4, 0.0),
    "near": (200, 30, 3, 0.8),
    "overlapping": (150, 3, 4, 1.0),
    "few points in a basis": (12, 70, 3, 0.0),
    "points alone": (30, 8, 15, 2.0),
}


def labelled(
    n_points: int, n_dims: int, n_labels: int, spread: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return Gaussian points around random centres; every label has two points at least."""
    rng = np.random.default_rng(seed)
    y = np.r_[np.tile(np.arange(n_labels), 2), rng.integers(0, n_labels, n_points - 2 * n_labels)]
    return rng.normal(size=(n_points, n_dims)) + spread * rng.normal(size=(n_labels, n_dims))[y], y


def bootstraps(y: np.ndarray, number: int, seed: int) -> list[np.ndarray]:
    """Return rows drawn with replacement within labels."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(y == label) for label in np.unique(y)]
    return [
        np.concatenate([rng.choice(rows, len(rows)) for rows in members]) for _ in range(number)
    ]


def check_against_plain(
    found: ResampledHulls, X: np.ndarray, y: np.ndarray, resamples: list[np.ndarray]
) -> None:
    """Compare with every resample measured by itself, and hold the bounds to the same gap."""
    allowed = 4.0 * float(rounding(X.shape[1])) * found.whole.scale
    for k, (lower, upper) in enumerate(plain_resampled(X, y, resamples)):
        assert np.all(found.lower[k] <= upper) and np.all(lower <= found.upper[k])
        apart = lower > found.whole.tau * found.whole.scale
        assert np.array_equal(found.distance[k] > 0.0, apart)
        assert np.all(found.distance[k][~apart] == 0.0)
        gap = (found.upper[k] - found.lower[k])[apart]
        plain = (upper - lower)[apart]
        assert np.all(gap <= np.maximum(plain, GAP * upper[apart] + allowed))
        np.testing.assert_allclose(found.distance[k][apart], upper[apart], rtol=2e-9)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shape", SHAPES)
def test_plain_loop(shape: str, seed: int) -> None:
    X, y = labelled(*SHAPES[shape], seed)
    resamples = bootstraps(y, 5, seed)
    check_against_plain(resampled_hull_distances(X, y, resamples), X, y, resamples)


def test_subsamples_and_equal_points() -> None:
    X, y = labelled(80, 12, 3, 2.0, 5)
    X, y = np.r_[X, X[:40]], np.r_[y, y[:40]]
    rng = np.random.default_rng(5)
    resamples = [rng.choice(len(X), 100, replace=False) for _ in range(6)]
    check_against_plain(resampled_hull_distances(X, y, resamples), X, y, resamples)


def test_what_carries_the_distance_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resample with all of the support has the very bounds of all points, without a solve."""
    X, y = labelled(60, 5, 3, 3.0, 1)
    whole = pairwise_hull_distances(X, y)
    supports = whole.supports
    carrying = np.unique(np.r_[supports.index_a, supports.index_b])
    monkeypatch.setattr(resampled.subsets, "solve_subsets", None)
    found = resampled_hull_distances(X, y, [carrying, np.arange(len(X))])
    for k in range(2):
        assert np.array_equal(found.lower[k], whole.lower)
        assert np.array_equal(found.upper[k], whole.upper)
    without = np.setdiff1d(np.arange(len(X)), supports.index_a[:1])
    with pytest.raises(TypeError):
        resampled_hull_distances(X, y, [without])


def test_products_prove_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left to solves from scratch where hulls are well apart."""
    X, y = labelled(200, 40, 5, 1.0, 2)
    asked = []
    solve = resampled.solve_pairs

    def watched(points: np.ndarray, groups: object, first: np.ndarray, *rest: object) -> object:
        asked.append(len(first))
        return solve(points, groups, first, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(resampled, "solve_pairs", watched)
    found = resampled_hull_distances(X, y, bootstraps(y, 10, 2))
    assert np.all(found.distance > 0)
    assert asked == [10]


@pytest.mark.parametrize("gap", [1e-2, 1e-3, 1e-4, 1e-5, 1e-6])
def test_hulls_that_nearly_touch(gap: float) -> None:
    """The rounding of products hides the distance, that of the points does not."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(120, 10))
    X[:, 0] = np.abs(X[:, 0]) * np.repeat([1, -1], 60) + gap * np.repeat([0.5, -0.5], 60)
    X[[0, 1, 60, 61], 0] = [gap, gap, 0.0, 0.0]
    y = np.repeat([0, 1], 60)
    resamples = bootstraps(y, 8, 3)
    check_against_plain(resampled_hull_distances(X, y, resamples), X, y, resamples)


@pytest.mark.parametrize("most", [2, 8, 30, 60])
def test_few_points_with_products(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Points without products are looked at all the same."""
    X, y = labelled(150, 6, 3, 3.0, 4)
    resamples = bootstraps(y, 8, 4)
    everything = resampled_hull_distances(X, y, resamples)
    monkeypatch.setattr(resampled, "MOST_MEMBERS", most)
    few = resampled_hull_distances(X, y, resamples)
    np.testing.assert_allclose(few.distance, everything.distance, rtol=1e-9)
    check_against_plain(few, X, y, resamples)


@pytest.mark.parametrize("seed", range(6))
def test_bounds_hold_exactly(seed: int) -> None:
    """Both bounds are true of the numbers as given, in rational arithmetic."""
    rng = np.random.default_rng(seed)
    X = rng.integers(-40, 40, size=(18, 3)) / 64.0 + np.repeat(np.eye(3), 6, axis=0) * 3
    y = np.repeat(np.arange(3), 6)
    resamples = [np.sort(rng.choice(18, 12, replace=False)) for _ in range(3)]
    resamples = [rows for rows in resamples if len(np.unique(y[rows])) == 3]
    found = resampled_hull_distances(X, y, resamples)
    for k, rows in enumerate(resamples):
        for pair, (a, b) in enumerate(combinations(range(3), 2)):
            square = exact_squared_distance(X[rows[y[rows] == a]], X[rows[y[rows] == b]])
            assert Fraction(float(found.lower[k, pair])) ** 2 <= square
            assert square <= Fraction(float(found.upper[k, pair])) ** 2


def test_same_bits_whatever_runs_beside() -> None:
    X, y = labelled(160, 25, 6, 1.0, 6)
    resamples = bootstraps(y, 12, 6)
    one, two = (resampled_hull_distances(X, y, resamples, n_threads=n) for n in (1, 2))
    some = resampled_hull_distances(X, y, resamples[7:4:-1])
    masks = np.zeros((len(resamples), len(X)), bool)
    for mask, rows in zip(masks, resamples, strict=True):
        mask[rows] = True
    for other, part in ((two, slice(None)), (some, [7, 6, 5])):
        assert np.array_equal(one.lower[part], other.lower)
        assert np.array_equal(one.upper[part], other.upper)
    assert np.array_equal(resampled_hull_distances(X, y, masks).upper, one.upper)


def test_distances_only_grow() -> None:
    X, y = labelled(100, 15, 4, 1.0, 7)
    found = resampled_hull_distances(X, y, bootstraps(y, 10, 7))
    assert np.all(found.upper >= found.whole.lower)


def test_labels_that_are_absent_have_no_distance() -> None:
    X = np.array([[0.0, 0], [0, 1], [2, 0], [2, 1], [7, 0]])
    found = resampled_hull_distances(X, list("aabbc"), [[0, 1, 4], [0, 0, 3, 4], [2]])
    expected = np.array([[np.nan, 7, np.nan], [5**0.5, 7, 26**0.5], [np.nan] * 3])
    np.testing.assert_allclose(found.distance, expected)
    assert np.array_equal(np.isnan(found.lower), np.isnan(expected))
    assert np.array_equal(np.isnan(found.upper), np.isnan(expected))


def test_overlap_and_equal_points() -> None:
    X = np.array([[0.0, 0], [2, 2], [0, 2], [2, 0], [9, 9]])
    found = resampled_hull_distances(X, [0, 0, 1, 1, 2], [[0, 1, 2, 3], [0, 2, 4]])
    assert found.whole.status[0] == Status.OVERLAP
    np.testing.assert_allclose(found.distance[:, 0], [0, 2])
    same = resampled_hull_distances(np.zeros((4, 2)), [0, 0, 1, 1], [[0, 2], [1, 2, 3]])
    assert np.array_equal(same.distance, np.zeros((2, 1)))


def test_progress() -> None:
    X, y = labelled(60, 6, 5, 2.0, 8)
    seen: list[Progress] = []
    resampled_hull_distances(X, y, bootstraps(y, 3, 8), progress=seen.append)
    last = [p for p in seen if p.phase == "resampling"][-1]
    assert last.done == last.total > 0


@pytest.mark.parametrize(
    ("resamples", "message"),
    [
        ([], "there are no resamples"),
        ([[0, 1], [0, 4]], "resample 1 names the rows 0 to 4, but there are 4 points"),
        ([[-1, 1]], "resample 0 names the rows -1 to 1"),
        ([[0.0, 1.0]], "resample 0 should be rows of the points, or 4 truth values"),
        ([[[0, 1]]], "shape \\(1, 2\\)"),
        ([[True, False]], "dtype bool and shape \\(2,\\)"),
    ],
)
def test_bad_resamples(resamples: list[list[int]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        resampled_hull_distances(np.eye(4), [0, 0, 1, 1], resamples)
