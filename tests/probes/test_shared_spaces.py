"""Real spaces: cluster counts of the reference implementation, which used Gurobi, and our own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA

from geoprobe.geometry import read_geometry, write_geometry
from geoprobe.hulls import Status, pairwise_hull_distances
from geoprobe.probes import DirectProbe, measure
from geoprobe.spaces import Space
from geoprobe.verify import verify_geometry
from tests.support.certificates import check_probe

pytestmark = pytest.mark.full

SharedSpace = Callable[[str], dict[str, np.ndarray]]


def reduced(X: np.ndarray, n_dims: int) -> np.ndarray:
    """Return the principal components as the published counts were made from them."""
    return PCA(n_dims, random_state=0).fit_transform(X.astype(np.float64)).astype(np.float32)


def ps_roles(space: dict[str, np.ndarray], n_points: int | None) -> tuple[np.ndarray, np.ndarray]:
    order = np.arange(4285) if n_points is None else np.random.default_rng(0).permutation(4285)
    return space["X"][order[:n_points]], space["role"][order[:n_points]]


@pytest.mark.parametrize(
    ("n_points", "n_dims", "expected"),
    [
        pytest.param(None, None, 46, id="as it is"),
        pytest.param(None, 16, 144, id="PCA 16"),
        pytest.param(1000, 16, 65, id="first 1000, PCA 16"),
        pytest.param(2000, 16, 87, id="first 2000, PCA 16"),
        pytest.param(1000, 8, 115, id="first 1000, PCA 8"),
        pytest.param(None, 32, 86, id="PCA 32, the study alone"),
        pytest.param(None, 64, 57, id="PCA 64, the study alone"),
    ],
)
def test_ps_layer_6(
    shared_space: SharedSpace, n_points: int | None, n_dims: int | None, expected: int
) -> None:
    X, y = ps_roles(shared_space("ps_layer6"), n_points)
    probe = DirectProbe().fit(X if n_dims is None else reduced(X, n_dims), y)
    assert probe.n_clusters_ == expected
    assert probe.is_linear_ == (n_dims is None)
    assert probe.counts_.contradictory_points == 0


def test_ps_layer_0_holds_contradictions(shared_space: SharedSpace) -> None:
    """The count is the study's own: the reference implementation does not end on this space."""
    X, y = ps_roles(shared_space("ps_layer0"), None)
    probe = DirectProbe().fit(X, y)
    assert probe.n_clusters_ == 1878
    assert probe.counts_.contradictory_points > 0


def test_ps_layer_6_distances(shared_space: SharedSpace) -> None:
    space = shared_space("ps_layer6")
    table = pairwise_hull_distances(space["X"], space["role"])
    assert len(table) == 1035
    assert np.all(table.status == Status.DISJOINT)
    assert np.all(table.upper - table.lower <= 1e-9 * table.upper)


def test_prediction_on_the_test_part(shared_space: SharedSpace) -> None:
    space = shared_space("ps_layer6")
    probe = DirectProbe().fit(space["X"], space["role"])
    assert probe.score(space["X"][:100], space["role"][:100]) == 1.0
    assert probe.score(space["X_test"], space["role_test"]) > 0.5


def test_every_proof_holds(shared_space: SharedSpace) -> None:
    X, y = ps_roles(shared_space("ps_layer6"), 1000)
    X = reduced(X, 8)
    check_probe(DirectProbe().fit(X, y), X, y)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "expected"),
    [("pos_layer6", None), ("treedistance_layer3", 16), ("siblings_layer3", 4)],
)
def test_hard_spaces(
    shared_space: SharedSpace, tmp_path: Path, name: str, expected: int | None
) -> None:
    arrays = shared_space(name)
    space = Space(arrays["X"], arrays["y"], name=name)
    geometry = measure(space)
    kept = read_geometry(write_geometry(geometry, tmp_path / "g.npz"))
    verify_geometry(kept, space.points, space.labels)
    if expected is not None:
        assert geometry.n_clusters == expected
