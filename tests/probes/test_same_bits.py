"""The same bits for any number of threads: partition, proofs, distances and predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass

import numpy as np
import pytest

from geoprobe.hulls import pairwise_hull_distances
from geoprobe.probes import DirectProbe
from tests.support.named_spaces import SPACES, NamedSpace

THREADS = (2, 4, 8)

SharedSpace = Callable[[str], dict[str, np.ndarray]]


def everything_found(
    X: np.ndarray, y: np.ndarray, queries: np.ndarray, n_threads: int
) -> dict[str, np.ndarray]:
    """Return all arrays and numbers that a fit, a ranking and distances of labels come to."""
    probe = DirectProbe(n_threads=n_threads).fit(X, y)
    distances, clusters = probe.rank_clusters(queries)
    nearest, first = probe.rank_clusters(queries, k=1)
    found = dict(flattened("geometry", probe.geometry_))
    found |= dict(flattened("labels", pairwise_hull_distances(X, y, n_threads=n_threads)))
    return found | {
        "ranked distances": distances,
        "ranked clusters": clusters,
        "nearest distances": nearest,
        "nearest clusters": first,
        "predictions": probe.predict(queries),
    }


def flattened(name: str, value: object) -> Iterator[tuple[str, np.ndarray]]:
    """Yield whatever a value is made of, down to arrays and numbers, but for times."""
    if is_dataclass(value):
        for field in fields(value):
            if field.name != "timings":
                yield from flattened(f"{name}.{field.name}", getattr(value, field.name))
    else:
        yield name, np.asarray(value)


def assert_same_bits(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    different = [
        name
        for name in one
        if one[name].dtype != other[name].dtype
        or one[name].shape != other[name].shape
        or one[name].tolist() != other[name].tolist()
        or (one[name].dtype.kind != "O" and one[name].tobytes() != other[name].tobytes())
    ]
    assert not different


def assert_threads_do_not_matter(X: np.ndarray, y: np.ndarray, queries: np.ndarray) -> None:
    alone = everything_found(X, y, queries, n_threads=1)
    assert "geometry.clusters.blocks.supports.weight_a" in alone
    assert "geometry.hulls.upper" in alone
    for n_threads in THREADS:
        assert_same_bits(everything_found(X, y, queries, n_threads), alone)


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_named_spaces(space: NamedSpace) -> None:
    assert_threads_do_not_matter(space.X, space.y, np.concatenate([space.X, space.X + 0.3]))


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "of_label", "n_points"),
    [
        pytest.param("ps_layer6", "role", None, id="PS layer 6, roles"),
        pytest.param("ps_layer3", "function", None, id="PS layer 3, functions"),
        pytest.param("trec50_layer6", "y", None, id="TREC layer 6", marks=pytest.mark.slow),
        pytest.param("treedistance_layer3", "y", 1000, id="1,000 tree distances"),
        pytest.param("siblings_layer3", "y", 800, id="800 siblings"),
        pytest.param("ps_layer0", "role", None, id="PS layer 0", marks=pytest.mark.slow),
        pytest.param("pos_layer6", "y", None, id="POS layer 6", marks=pytest.mark.slow),
        pytest.param("treedistance_layer3", "y", None, id="tree distance", marks=pytest.mark.slow),
        pytest.param("siblings_layer3", "y", None, id="siblings", marks=pytest.mark.slow),
    ],
)
def test_shared_spaces(
    shared_space: SharedSpace, name: str, of_label: str, n_points: int | None
) -> None:
    arrays = shared_space(name)
    X, y = arrays["X"][:n_points], arrays[of_label][:n_points]
    assert_threads_do_not_matter(X, y, arrays.get("X_test", arrays["X"])[-100:])


@pytest.mark.full
@pytest.mark.parametrize("n_dims", [pytest.param(8, marks=pytest.mark.slow), 16])
def test_shared_spaces_in_few_dimensions(shared_space: SharedSpace, n_dims: int) -> None:
    """Labels overlap there: merging, bans and all kinds of proofs."""
    arrays = shared_space("ps_layer6")
    moved = arrays["X"].astype(np.float64) - arrays["X"].mean(axis=0, dtype=np.float64)
    basis = np.linalg.eigh(moved.T @ moved)[1][:, ::-1][:, :n_dims]
    X = moved @ basis
    assert_threads_do_not_matter(X, arrays["role"], X[:100] + 0.01)
