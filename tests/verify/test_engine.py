"""The engine's answers pass verification, whatever the space is like."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from geoprobe.errors import UnprovedError, VerificationError
from geoprobe.geometry import Geometry, read_geometry, write_geometry
from geoprobe.probes import DirectProbe, measure, measure_labels
from geoprobe.spaces import Space
from geoprobe.verify import verify_geometry
from tests.support.named_spaces import HULL_PAIRS, NEAR_TOUCHING, SPACES, HullPair, NamedSpace


def check(points: np.ndarray, labels: np.ndarray, folder: Path) -> Geometry:
    geometry = measure(Space(points, labels), n_threads=1)
    kept = read_geometry(write_geometry(geometry, folder / "g.npz"))
    verify_geometry(kept, points, labels)
    return kept


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_named_spaces(tmp_path: Path, space: NamedSpace) -> None:
    geometry = check(space.X, np.asarray(space.y), tmp_path)
    found = DirectProbe(n_threads=1).fit(space.X, space.y)
    assert np.array_equal(geometry.clusters.assignment, found.labels_)


@pytest.mark.parametrize("pair", [*HULL_PAIRS, *NEAR_TOUCHING], ids=str)
def test_named_pairs(pair: HullPair) -> None:
    points = np.concatenate([pair.a, pair.b])
    labels = np.repeat([0, 1], [len(pair.a), len(pair.b)])
    verify_geometry(measure_labels(Space(points, labels)), points, labels)


@pytest.mark.parametrize("seed", range(12))
def test_grids_with_ties_touches_and_contradictions(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_dims, n_points = int(rng.integers(1, 5)), int(rng.integers(5, 70))
    points = rng.integers(0, 4, (n_points, n_dims)).astype(float)
    labels = rng.integers(0, 3, n_points)
    labels[:2] = 0, 1
    check(points, labels, tmp_path)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("n_dims", "n_points"), [(2, 120), (6, 120), (30, 60)])
def test_clouds(tmp_path: Path, seed: int, n_dims: int, n_points: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n_points, n_dims)).astype(np.float32)
    check(points, rng.permutation(np.arange(n_points) % 4), tmp_path)


@pytest.mark.parametrize("factor", [1e-100, 1e-6, 1.0, 1e6, 1e100])
@pytest.mark.parametrize("offset", [0.0, 1e3, 1e5])
def test_units_and_offsets(tmp_path: Path, factor: float, offset: float) -> None:
    rng = np.random.default_rng(7)
    points = (rng.normal(size=(80, 3)) + offset) * factor
    check(points, rng.permutation(np.arange(80) % 3), tmp_path)


@pytest.mark.parametrize("exponent", [-6, -8, -10, -12, -14])
def test_nearly_contradictory_points(tmp_path: Path, exponent: int) -> None:
    """Points of two labels some powers of ten apart, on both sides of tau."""
    rng = np.random.default_rng(3)
    points = rng.normal(size=(40, 3))
    points[1::2] = points[::2] + 10.0**exponent * rng.normal(size=(20, 3))
    labels = np.arange(40) % 2
    try:
        geometry = check(points, labels, tmp_path)
    except UnprovedError:
        pytest.skip("float64 does not decide this space, and the engine says so")
    assert (geometry.counters.contradictory_points == 40) == (exponent <= -8)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_files_are_the_same_for_any_number_of_threads(tmp_path: Path, n_threads: int) -> None:
    rng = np.random.default_rng(5)
    space = Space(rng.normal(size=(150, 3)), rng.integers(0, 4, 150))
    one = write_geometry(measure(space, n_threads=1), tmp_path / "one.npz")
    two = write_geometry(measure(space, n_threads=n_threads), tmp_path / "two.npz")
    assert one.read_bytes() == two.read_bytes()


def test_a_geometry_of_other_data_is_refused() -> None:
    rng = np.random.default_rng(6)
    points, labels = rng.normal(size=(60, 3)), rng.integers(0, 3, 60)
    geometry = measure(Space(points, labels))
    moved = points.copy()
    moved[7] += 1.0
    with pytest.raises(VerificationError, match="hash of the points"):
        verify_geometry(geometry, moved, labels)
    # Even with the hash of the other data, the geometry tells.
    forged = dataclasses.replace(geometry, fingerprints=Space(moved, labels).fingerprints())
    with pytest.raises(VerificationError):
        verify_geometry(forged, moved, labels)
