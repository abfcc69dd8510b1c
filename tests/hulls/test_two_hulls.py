"""Two hulls: overlap, distance and certificates, on named pairs and against plain references."""

from __future__ import annotations

import numpy as np
import pytest

from geoprobe.errors import UnprovedError
from geoprobe.hulls import (
    HullResult,
    Status,
    hull_distance,
    hulls_overlap,
    pairwise_hull_distances,
    point_to_hull,
)
from tests.support.certificates import check_hull_result, check_tight
from tests.support.named_spaces import HULL_PAIRS, NEAR_TOUCHING, HullPair, near_touching
from tests.support.rational import exact_overlap, exact_squared_distance
from tests.support.reference import highs_overlap, qp_distance, scale_of


@pytest.mark.parametrize("pair", [*HULL_PAIRS, *NEAR_TOUCHING], ids=str)
def test_named_pairs(pair: HullPair) -> None:
    for a, b in ((pair.a, pair.b), (pair.b, pair.a)):
        result = hull_distance(a, b)
        check_hull_result(result, a, b)
        assert bool(result) is pair.overlap
        if not pair.overlap:
            assert result.upper == pytest.approx(pair.distance, rel=1e-9, abs=1e-13 * result.scale)
            check_tight(result.lower, result.upper, result.scale)
        overlap = hulls_overlap(a, b)
        check_hull_result(overlap, a, b)
        assert bool(overlap) is pair.overlap


@pytest.mark.full
@pytest.mark.parametrize("gap", [1.0001e-7, 0.9999e-7, 1.000001e-7, 0.999999e-7])
@pytest.mark.parametrize("n_dims", [2, 5, 40, 300])
def test_knife_edge_is_never_wrong(gap: float, n_dims: int) -> None:
    """So near to tau * R an answer may stay unproved, but says so and has valid bounds."""
    for seed in range(5):
        pair = near_touching(gap, n_dims=n_dims, seed=seed)
        result = hull_distance(pair.a, pair.b)
        assert result.lower <= gap * (1 + 1e-8)
        assert result.upper >= gap * (1 - 1e-8)
        if result.status is Status.UNPROVED:
            assert result.lower <= 1e-7 * result.scale < result.upper
            with pytest.raises(UnprovedError):
                bool(result)
        else:
            assert bool(result) is pair.overlap


@pytest.mark.full
@pytest.mark.parametrize("pair", [*HULL_PAIRS, *NEAR_TOUCHING], ids=str)
def test_named_pairs_hold_in_the_references(pair: HullPair) -> None:
    scale = scale_of(np.concatenate([pair.a, pair.b]))
    if len(pair.a) * len(pair.b) <= 1000:
        squared = exact_squared_distance(pair.a, pair.b)
        assert exact_overlap(pair.a, pair.b).overlap == (squared == 0)
        assert float(squared) ** 0.5 == pytest.approx(pair.distance, rel=1e-9, abs=1e-15)
        assert qp_distance(pair.a, pair.b) == pytest.approx(pair.distance, abs=1e-11 * scale)
    within_the_references_reach = not 0.5e-7 < pair.distance <= 1e-7
    if within_the_references_reach:
        assert highs_overlap(pair.a, pair.b, scale) == pair.overlap


@pytest.mark.full
@pytest.mark.parametrize("seed", range(40))
def test_random_pairs_against_the_references(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_dims = int(rng.integers(1, 12))
    a = rng.normal(size=(rng.integers(1, 20), n_dims))
    b = rng.normal(size=(rng.integers(1, 20), n_dims)) + rng.normal() * rng.uniform(0, 2)
    result = hull_distance(a, b)
    check_hull_result(result, a, b)
    assert bool(result) == highs_overlap(a, b, scale_of(np.concatenate([a, b])))
    assert bool(result) == exact_overlap(a, b).overlap
    assert result.distance == pytest.approx(qp_distance(a, b), rel=1e-9, abs=1e-9)
    assert bool(hulls_overlap(a, b)) == bool(result)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("n_a", "n_b", "n_dims"), [(3, 4, 200), (60, 1, 90), (300, 500, 3)])
def test_wide_and_long_pairs(seed: int, n_a: int, n_b: int, n_dims: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(n_a, n_dims))
    b = rng.normal(size=(n_b, n_dims))
    if seed % 2:
        b[:, 0] += a[:, 0].max() - b[:, 0].min() + 0.01
    result = hull_distance(a, b)
    check_hull_result(result, a, b)
    assert bool(result) == highs_overlap(a, b, scale_of(np.concatenate([a, b])))
    if not result:
        check_tight(result.lower, result.upper, result.scale)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8, np.int64])
def test_dtypes(dtype: type) -> None:
    a = np.array([[0, 0], [2, 0], [0, 2]], dtype=dtype)
    result = hull_distance(a, np.array([[3, 3]], dtype=dtype))
    check_hull_result(result, a, np.array([[3.0, 3.0]]))
    assert result.distance == pytest.approx(8**0.5, rel=1e-12)


def test_float32_points_are_taken_as_they_are() -> None:
    pair = near_touching(1e-4, n_dims=6, seed=1)
    a, b = pair.a.astype(np.float32), pair.b.astype(np.float32)
    result = hull_distance(a, b)
    check_hull_result(result, a, b)
    assert result.distance == pytest.approx(float(exact_squared_distance(a, b)) ** 0.5, rel=1e-9)


def test_layouts_give_the_same_bits() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(30, 7)), rng.normal(size=(20, 7)) + 2
    expected = hull_distance(a, b)
    padded = np.zeros((60, 14))
    padded[::2, ::2] = a
    read_only = b.copy()
    read_only.flags.writeable = False
    for other in (
        hull_distance(np.asfortranarray(a), np.asfortranarray(b)),
        hull_distance(padded[::2, ::2], read_only),
    ):
        assert other.upper == expected.upper
        assert other.lower == expected.lower
        assert np.array_equal(other.weights_a, expected.weights_a)


def test_tau_and_scale_move_the_decision() -> None:
    pair = near_touching(1e-3)
    assert not hulls_overlap(pair.a, pair.b)
    assert hulls_overlap(pair.a, pair.b, tau=2e-3)
    assert hulls_overlap(pair.a, pair.b, scale=2e4)
    assert not hulls_overlap(pair.a, pair.b, scale=0.5e4)
    assert hull_distance(pair.a, pair.b, scale=7.0).scale == 7.0


def test_point_to_hull() -> None:
    square = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    inside = point_to_hull(square, np.array([0.5, 0.25]))
    assert inside
    outside = point_to_hull(square, np.array([4.0, 5.0]))
    assert outside.distance == pytest.approx(5.0, rel=1e-12)
    check_hull_result(outside, square, np.array([[4.0, 5.0]]))
    edge = point_to_hull(square, np.array([0.5, 1.0]))
    assert edge.status is Status.OVERLAP


def test_result_reads_well() -> None:
    result = hull_distance(np.zeros((1, 2)), np.ones((1, 2)))
    assert isinstance(result, HullResult)
    assert result.status is Status.DISJOINT
    assert result.gap == pytest.approx(0, abs=1e-9)
    assert np.allclose(result.normal, [-(0.5**0.5), -(0.5**0.5)])
    assert result.offset == pytest.approx(-(0.5**0.5))


def test_two_hulls_that_are_one_point() -> None:
    result = hulls_overlap([[0.1, 0.2], [0.1, 0.2]], [[0.1, 0.2]])
    assert result.status is Status.OVERLAP
    assert (result.lower, result.upper, result.distance, result.scale) == (0.0, 0.0, 0.0, 0.0)
    one = result.weights_a @ np.array([[0.1, 0.2], [0.1, 0.2]])[result.support_a]
    assert one.tolist() == [0.1, 0.2]
    assert pairwise_hull_distances([[3.0], [3.0]], ["a", "b"]).distance.tolist() == [0.0]


@pytest.mark.parametrize("seed", range(200))
def test_the_normal_proves_the_lower_bound(seed: int) -> None:
    """Hulls that nearly touch, face to face; the normal given out is the one behind ``lower``."""
    rng = np.random.default_rng(seed)
    n_dims = int(rng.integers(2, 9))
    pair = near_touching(float(10.0 ** rng.uniform(-7, -2)), n_dims, seed)
    a, b = pair.a + rng.normal(size=n_dims), pair.b
    b = b + (a - pair.a)[0]
    result = hull_distance(a, b)
    if result.status is Status.DISJOINT:
        margin = (a @ result.normal).min() - (b @ result.normal).max()
        assert margin >= result.lower * (1 - 1e-12)
        assert np.linalg.norm(result.normal) == pytest.approx(1, abs=1e-12)
        assert (a @ result.normal).min() > result.offset > (b @ result.normal).max()
