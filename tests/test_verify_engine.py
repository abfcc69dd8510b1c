"""What the engine finds passes verification, whatever the space is like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from named_spaces import HULL_PAIRS, NEAR_TOUCHING, SPACES, HullPair, NamedSpace

from geoprobe.errors import UnprovedError, VerificationError
from geoprobe.hulls import pairwise_hull_distances
from geoprobe.probes import DirectProbe
from geoprobe.results import read_results, verify_results, write_distances, write_results
from geoprobe.spaces import Space


def check_probe(points: np.ndarray, labels: np.ndarray, folder: Path) -> DirectProbe:
    probe = DirectProbe(n_threads=1).fit(points, labels)
    verify_results(write_results(probe, Space(points, labels), folder), points, labels)
    return probe


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_named_spaces(tmp_path: Path, space: NamedSpace) -> None:
    probe = check_probe(space.X, np.asarray(space.y), tmp_path / "out")
    assert np.array_equal(read_results(tmp_path / "out").labels, probe.labels_)


@pytest.mark.parametrize("pair", [*HULL_PAIRS, *NEAR_TOUCHING], ids=str)
def test_named_pairs(tmp_path: Path, pair: HullPair) -> None:
    points = np.concatenate([pair.a, pair.b])
    labels = np.repeat([0, 1], [len(pair.a), len(pair.b)])
    table = pairwise_hull_distances(points, labels)
    folder = write_distances(table, Space(points, labels), tmp_path / "out")
    verify_results(folder, points, labels)


@pytest.mark.parametrize("seed", range(12))
def test_grids_with_ties_touches_and_contradictions(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_dims, n_points = int(rng.integers(1, 5)), int(rng.integers(5, 70))
    points = rng.integers(0, 4, (n_points, n_dims)).astype(float)
    labels = rng.integers(0, 3, n_points)
    labels[:2] = 0, 1
    check_probe(points, labels, tmp_path / "out")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("n_dims", "n_points"), [(2, 120), (6, 120), (30, 60)])
def test_clouds(tmp_path: Path, seed: int, n_dims: int, n_points: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n_points, n_dims)).astype(np.float32)
    check_probe(points, rng.permutation(np.arange(n_points) % 4), tmp_path / "out")


@pytest.mark.parametrize("factor", [1e-100, 1e-6, 1.0, 1e6, 1e100])
@pytest.mark.parametrize("offset", [0.0, 1e3, 1e5])
def test_units_and_offsets(tmp_path: Path, factor: float, offset: float) -> None:
    rng = np.random.default_rng(7)
    points = (rng.normal(size=(80, 3)) + offset) * factor
    check_probe(points, rng.permutation(np.arange(80) % 3), tmp_path / "out")


@pytest.mark.parametrize("exponent", [-6, -8, -10, -12, -14])
def test_nearly_contradictory_points(tmp_path: Path, exponent: int) -> None:
    """Points of two labels some powers of ten apart, on both sides of tau."""
    rng = np.random.default_rng(3)
    points = rng.normal(size=(40, 3))
    points[1::2] = points[::2] + 10.0**exponent * rng.normal(size=(20, 3))
    labels = np.arange(40) % 2
    try:
        probe = check_probe(points, labels, tmp_path / "out")
    except UnprovedError:
        pytest.skip("float64 does not decide this space, and the engine says so")
    assert (probe.counts_.contradictory_points == 40) == (exponent <= -8)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_files_are_the_same_for_any_number_of_threads(tmp_path: Path, n_threads: int) -> None:
    rng = np.random.default_rng(5)
    points, labels = rng.normal(size=(150, 3)), rng.integers(0, 4, 150)
    space = Space(points, labels)
    one = write_results(DirectProbe(n_threads=1).fit(points, labels), space, tmp_path / "one")
    other = DirectProbe(n_threads=n_threads).fit(points, labels)
    two = write_results(other, space, tmp_path / "two")
    for path in one.iterdir():
        if path.name != "summary.json":
            assert path.read_bytes() == (two / path.name).read_bytes()


def test_a_result_of_other_data_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    points, labels = rng.normal(size=(60, 3)), rng.integers(0, 3, 60)
    probe = DirectProbe().fit(points, labels)
    moved = points.copy()
    moved[7] += 1.0
    # The writer hashes the data that it is given, so that only the geometry can tell.
    folder = write_results(probe, Space(moved, labels), tmp_path / "out")
    with pytest.raises(VerificationError):
        verify_results(folder, moved, labels)
