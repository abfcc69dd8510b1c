"""The fallback to HiGHS: what it says is right, and is proved before it counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from geoprobe.errors import UnprovedError
from geoprobe.hulls import Stage, Status, fallback, highs, hull_distance
from geoprobe.hulls.normalisation import normalise
from geoprobe.hulls.solver import Answer

TAU = 1e-7


def pair(gap: float, n_dims: int, seed: int) -> tuple[np.ndarray, int]:
    """Two facets in general position, their nearest points ``gap`` apart."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(n_dims, n_dims)))[0]
    a = np.zeros((2 * n_dims, n_dims))
    b = np.zeros((2 * n_dims, n_dims))
    flat = rng.normal(size=(n_dims, n_dims - 1))
    a[:n_dims, 1:], a[n_dims:, 1:] = flat, -flat
    b[:n_dims, 1:], b[n_dims:, 1:] = flat[::-1], -flat[::-1]
    b[:, 0] = gap
    # What lies behind the facets gives the hulls a body.
    a[1::3, 0] -= rng.uniform(0.5, 1.0, len(a[1::3]))
    b[2::3, 0] += rng.uniform(0.5, 1.0, len(b[2::3]))
    return np.concatenate([a, b]) @ turn, len(a)


@pytest.fixture
def only_highs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the kernels leave every pair open until HiGHS has been asked."""
    solve = fallback.solve_by_active_set

    def leave_open(*args: Any) -> Answer:
        return replace(solve(*args), status=Status.UNPROVED, lower=0.0, upper=1.0)

    monkeypatch.setattr(fallback, "solve_by_active_set", leave_open)


@pytest.mark.usefixtures("only_highs")
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_dims", [2, 5, 20])
@pytest.mark.parametrize("gap", [1e-1, 1e-3, 1e-5, 1e-6, 3e-8, 0.0, -1e-3])
def test_highs_decides_near_touching_pairs(gap: float, n_dims: int, seed: int) -> None:
    points, n_a = pair(gap, n_dims, seed)
    scaled = normalise(points)
    rows_a, rows_b = np.arange(n_a), np.arange(n_a, len(points))
    answer = fallback.resolve(scaled.points, rows_a, rows_b, TAU)
    assert answer.stage is Stage.HIGHS
    known = hull_distance(points[:n_a], points[n_a:])
    assert answer.status is known.status
    a = answer.weights_a @ scaled.points[answer.rows_a]
    b = answer.weights_b @ scaled.points[answer.rows_b]
    assert answer.weights_a.min() >= 0
    assert answer.weights_b.min() >= 0
    assert answer.weights_a.sum() == pytest.approx(1, abs=1e-12)
    assert answer.weights_b.sum() == pytest.approx(1, abs=1e-12)
    assert np.linalg.norm(a - b) <= answer.upper
    if answer.status is Status.DISJOINT:
        assert TAU < answer.lower <= known.upper / scaled.scale * (1 + 1e-9) + 1e-15
        assert set(answer.rows_a) <= set(rows_a)
        assert set(answer.rows_b) <= set(rows_b)
    else:
        assert answer.upper <= TAU


@pytest.mark.parametrize("seed", range(5))
def test_the_program_meets_or_stays_apart(seed: int) -> None:
    for gap in (1e-2, 0.0):
        points, n_a = pair(gap, 4, seed)
        scaled = normalise(points)
        program = highs.minimise_city_block(scaled.points[:n_a], scaled.points[n_a:])
        apart = program.weights_a @ scaled.points[:n_a] - program.weights_b @ scaled.points[n_a:]
        blocks = np.abs(apart).sum() * scaled.scale
        assert gap - 1e-8 <= blocks <= 2.0 * gap + 1e-8  # lengths differ by sqrt(4) at most


def test_the_solver_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """HiGHS writes to the file descriptor itself, past anything that Python sets up."""
    highs.minimise_city_block(np.eye(3)[:2], np.eye(3)[2:])
    assert capfd.readouterr() == ("", "")


def test_a_program_without_optimum_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(highs.highspy.HighsModelStatus, "kOptimal", None)
    with pytest.raises(UnprovedError, match="2 and 1 points in 3 dimensions"):
        highs.minimise_city_block(np.eye(3)[:2], np.eye(3)[2:])
