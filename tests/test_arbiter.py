"""HiGHS as the arbiter: what it says is right, and is proved before it counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from geoprobe.errors import UnprovedError
from geoprobe.hulls import Stage, Status, arbiter, highs, hull_distance
from geoprobe.hulls.frame import frame

TAU = 1e-7


def pair(gap: float, n_dims: int, seed: int) -> tuple[np.ndarray, int]:
    """Two facets in general position, their nearest points ``gap`` apart, in the frame."""
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
    solve = arbiter._solve

    def first_open(*args: Any) -> arbiter.Verdict:
        verdict = solve(*args)
        if args[-1] is Stage.HIGHS:
            return verdict
        return arbiter.Verdict(
            Status.UNPROVED,
            Stage.KERNEL,
            0.0,
            1.0,
            verdict.rows_a,
            verdict.weights_a,
            verdict.rows_b,
            verdict.weights_b,
        )

    monkeypatch.setattr(arbiter, "_solve", first_open)


@pytest.mark.usefixtures("only_highs")
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_dims", [2, 5, 20])
@pytest.mark.parametrize("gap", [1e-1, 1e-3, 1e-5, 1e-6, 3e-8, 0.0, -1e-3])
def test_highs_decides_near_touching_pairs(gap: float, n_dims: int, seed: int) -> None:
    points, n_a = pair(gap, n_dims, seed)
    placed = frame(points)
    rows_a, rows_b = np.arange(n_a), np.arange(n_a, len(points))
    verdict = arbiter.look_closer(placed.points, rows_a, rows_b, TAU)
    assert verdict.stage is Stage.HIGHS
    known = hull_distance(points[:n_a], points[n_a:])
    assert verdict.status is known.status
    a = verdict.weights_a @ placed.points[verdict.rows_a]
    b = verdict.weights_b @ placed.points[verdict.rows_b]
    assert verdict.weights_a.min() >= 0
    assert verdict.weights_b.min() >= 0
    assert verdict.weights_a.sum() == pytest.approx(1, abs=1e-12)
    assert verdict.weights_b.sum() == pytest.approx(1, abs=1e-12)
    assert np.linalg.norm(a - b) <= verdict.upper
    if verdict.status is Status.DISJOINT:
        assert TAU < verdict.lower <= known.upper / placed.scale * (1 + 1e-9) + 1e-15
        assert set(verdict.rows_a) <= set(rows_a)
        assert set(verdict.rows_b) <= set(rows_b)
    else:
        assert verdict.upper <= TAU


@pytest.mark.parametrize("seed", range(5))
def test_the_program_meets_or_stays_apart(seed: int) -> None:
    for gap in (1e-2, 0.0):
        points, n_a = pair(gap, 4, seed)
        placed = frame(points)
        program = highs.arbitrate(placed.points[:n_a], placed.points[n_a:])
        apart = program.weights_a @ placed.points[:n_a] - program.weights_b @ placed.points[n_a:]
        blocks = np.abs(apart).sum() * placed.scale
        assert gap - 1e-8 <= blocks <= 2.0 * gap + 1e-8  # lengths differ by sqrt(4) at most


def test_the_solver_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """HiGHS writes to the file descriptor itself, past anything that Python sets up."""
    highs.arbitrate(np.eye(3)[:2], np.eye(3)[2:])
    assert capfd.readouterr() == ("", "")


def test_a_program_without_optimum_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(highs.highspy.HighsModelStatus, "kOptimal", None)
    with pytest.raises(UnprovedError, match="2 and 1 points in 3 dimensions"):
        highs.arbitrate(np.eye(3)[:2], np.eye(3)[2:])
