"""The factor of a working set against dense linear algebra, through appends and deletions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from geoprobe.kernels import activeset, minimiser
from geoprobe.kernels.jit import kernel
from geoprobe.kernels.state import Points, Working


@kernel
def delete(work: Working, j: int) -> None:
    """Delete working point ``j``."""
    activeset.delete(work, j)


@kernel
def minimise(work: Working) -> None:
    """Write the weights of the nearest points of the affine hulls into ``trial``."""
    minimiser.affine_minimiser(work)


def append(work: Working, points: NDArray[np.float64], rows: Any, sides: Any) -> int:
    """Append some rows; return how many were independent."""
    work.scratch.new_row[: len(rows)] = rows
    work.scratch.new_side[: len(sides)] = sides
    both = Points(points, points.astype(np.float32))
    return int(activeset.append(work, both, np.int64(len(rows))))


def bordered(work: Working, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the working points as rows of V: signed, with a one in the column of their side."""
    k = int(work.n_working[0])
    side = work.side[:k]
    signed = points[work.row[:k]] * np.where(side == 0, 1.0, -1.0)[:, None]
    return np.column_stack([signed, side == 0, side == 1])


def check(work: Working, points: NDArray[np.float64]) -> None:
    """Compare the factor, the two solutions and the minimiser with dense ones."""
    k = int(work.n_working[0])
    v = bordered(work, points)
    lower = np.tril(work.factor[work.slot[:k], :k])
    np.testing.assert_allclose(lower @ lower.T, v @ v.T, atol=1e-12)
    np.testing.assert_allclose(lower @ work.rhs[:, :k].T, v[:, -2:], atol=1e-10)
    minimise(work)
    # The conditions of the least norm: every signed point of a side has the same price.
    gram = v[:, :-2] @ v[:, :-2].T
    ones = v[:, -2:]
    kkt = np.block([[gram, ones], [ones.T, np.zeros((2, 2))]])
    expected = np.linalg.solve(kkt, np.r_[np.zeros(k), 1.0, 1.0])[:k]
    np.testing.assert_allclose(work.scratch.trial[:k], expected, atol=1e-7)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("n_dims", [3, 16, 40])
def test_appends_and_deletions(seed: int, n_dims: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(400, n_dims))
    points /= 1.1 * np.linalg.norm(points, axis=1).max()
    work = activeset.allocate(n_dims)
    assert append(work, points, [0, 1], [0, 1]) == 2
    new = 2
    for _ in range(20):
        k = int(work.n_working[0])
        wanted = int(min(rng.integers(1, activeset.BATCH + 1), n_dims - k))
        if wanted > 0:
            sides = rng.integers(0, 2, wanted)
            assert append(work, points, np.arange(new, new + wanted), sides) == wanted
            new += wanted
            check(work, points)
        for _ in range(rng.integers(0, min(6, work.n_working[0] - 1))):
            j = int(rng.integers(work.n_working[0]))
            if (work.side[: work.n_working[0]] == work.side[j]).sum() > 1:
                delete(work, j)
                check(work, points)


@pytest.mark.parametrize("place", range(activeset.BATCH))
def test_a_dependent_point_of_a_batch_is_refused(place: int) -> None:
    rng = np.random.default_rng(place)
    points = rng.normal(size=(12, 20)) / 20
    points[2 + place] = points[0]
    work = activeset.allocate(20)
    append(work, points, [0, 1], [0, 1])
    batch = np.arange(2, 2 + activeset.BATCH)
    assert append(work, points, batch, np.zeros(activeset.BATCH)) == activeset.BATCH - 1
    left = np.delete(batch, place)
    np.testing.assert_array_equal(work.row[: work.n_working[0]], [0, 1, *left])
    check(work, points)


@pytest.mark.parametrize("distance", [1e-5, 1e-6])
def test_a_diagonal_entry_that_cancels_keeps_its_digits(distance: float) -> None:
    """A point this near to the affine hull of the others has its distance as diagonal entry."""
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(20, 20)))[0]
    points = np.zeros((13, 20))
    points[:12] = (rng.normal(size=(12, 12)) @ basis[:12]) / 10
    points[12] = rng.dirichlet(np.ones(12)) @ points[:12] + distance * basis[12]
    work = activeset.allocate(20)
    for row in range(13):
        assert append(work, points, [row], [0]) == 1
    assert work.factor[work.slot[12], 12] == pytest.approx(distance, rel=1e-6)
