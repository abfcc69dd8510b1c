"""Predictions are computed again: true ones pass, forged ones do not, and distances are right."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from geoprobe.errors import VerificationError
from geoprobe.geometry import Geometry
from geoprobe.probes import measure
from geoprobe.spaces import Space
from geoprobe.verify import verify_geometry
from geoprobe.verify.point_to_hull import Hull
from geoprobe.verify.predictions import TURN
from tests.support.geometry_by_hand import (
    LABELS,
    POINTS,
    TEST_LABELS,
    TEST_POINTS,
    geometry_by_hand,
)
from tests.support.reference import qp_distance


def verify(g: Geometry, **options: Any) -> dict[str, int]:
    report = verify_geometry(
        g, POINTS, LABELS, test_points=TEST_POINTS, test_labels=TEST_LABELS, **options
    )
    return dict(report.checks)


def changed(g: Geometry, **columns: Any) -> Geometry:
    return dataclasses.replace(g, predictions=dataclasses.replace(g.predictions, **columns))


def test_true_predictions_pass() -> None:
    checks = verify(geometry_by_hand(predictions=True))
    assert checks["predictions computed again"] == 3
    assert checks["predictions consistent with the clusters"] == 3


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"distance": np.array([0.0, 1.1, 0.25])}, "row 1: the distance to cluster 1 is 1.1"),
        ({"distance": np.array([0.5, 1.0, 0.25])}, "row 0: the distance to cluster 0 is 0.5"),
        ({"distance": np.array([0.0, 0.0, 0.25])}, "row 1"),
        ({"distance": np.array([0.0, 1.0, np.nan])}, "row 2: the distance is nan"),
        ({"distance": np.array([0.0, -1.0, 0.25])}, "row 1: the distance is -1.0"),
        (
            {
                "cluster": np.array([0, 2, 2]),
                "predicted": np.array([0, 1, 1]),
                "distance": np.array([0.0, np.hypot(4, 0.25), 0.25]),
            },
            "row 1: cluster 2 is named at the distance .*, but cluster 1 is between",
        ),
        ({"predicted": np.array([0, 1, 1])}, "row 1: 'b' is predicted, but cluster 1 is of 'a'"),
        ({"true": np.array([0, 0, 1])}, "list of true labels"),
        ({"fingerprints": {}}, "hash of the test points"),
        ({"names": ("a", "c", "b")}, "names of the labels"),
        ({"unseen": ("new",)}, "unseen labels"),
        ({"unseen": ("new",), "names": ("a", "b", "c", "new")}, "unseen labels"),
        ({"distance": np.array([1e-9, 1.0, 0.25])}, r"row 0: .* tau \* R count as 0"),
    ],
)
def test_forged_predictions_are_refused(columns: dict[str, Any], words: str) -> None:
    with pytest.raises(VerificationError, match=words):
        verify(changed(geometry_by_hand(predictions=True), **columns))


def test_accuracy_of_one_that_nobody_measured() -> None:
    """Every test point put into a cluster of its own label, at a distance that is its true one."""
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(60, 3)), np.repeat(["a", "b", "c"], 20)
    points += 3 * np.eye(3)[np.repeat([0, 1, 2], 20)]
    test = Space(rng.normal(size=(30, 3)) + 1, np.repeat(["a", "b", "c"], 10), name="held")
    g = measure(Space(points, labels), test=test, alone=False)
    assert g.predictions.accuracy < 1
    label = g.clusters.label
    hulls = [Hull(points[g.clusters.assignment == k]) for k in range(len(label))]
    named = []
    for row, wanted in enumerate(g.predictions.true.tolist()):
        own = np.flatnonzero(label == wanted).tolist()
        named.append(min((hulls[k].distance(test.points[row])[1], k) for k in own))
    forged = changed(
        g,
        cluster=np.array([k for _, k in named]),
        predicted=g.predictions.true,
        distance=np.array([d if d > g.tau * g.scale else 0.0 for d, _ in named]),
    )
    assert forged.predictions.accuracy == 1.0
    with pytest.raises(VerificationError, match="is named at the distance"):
        verify_geometry(forged, points, labels, test_points=test.points, test_labels=test.labels)
    verify_geometry(g, points, labels, test_points=test.points, test_labels=test.labels)


@pytest.mark.parametrize("seed", range(20))
def test_what_the_engine_predicts_passes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_dims = int(rng.integers(1, 7))
    points = rng.normal(size=(80, n_dims)) * 10.0 ** rng.integers(-3, 4)
    if seed % 3 == 0:
        points = np.round(points / np.abs(points).max() * 3)
    labels = rng.integers(0, 4, 80)
    labels[:4] = range(4)
    queries = np.concatenate([points[:5], rng.normal(size=(15, n_dims)) * np.abs(points).max()])
    test = Space(queries, rng.integers(0, 4, 20))
    g = measure(Space(points, labels), test=test, alone=False)
    verify_geometry(g, points, labels, test_points=queries, test_labels=test.labels)


@pytest.mark.parametrize("seed", range(30))
def test_distances_of_the_plain_solver(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_dims = int(rng.integers(1, 12))
    points = rng.normal(size=(int(rng.integers(1, 40)), n_dims))
    points /= np.linalg.norm(points, axis=1).max()
    query = rng.normal(size=n_dims)
    lower, upper = Hull(points).distance(query)
    assert 0 <= lower <= upper
    assert upper - lower <= 1e-9 * max(upper, 1e-4)
    assert qp_distance(points, query[None]) == pytest.approx(upper, abs=1e-6)
    assert (Hull(points).lower_bounds(query[None])[0]) <= upper
    inside = rng.dirichlet(np.ones(len(points))) @ points
    assert Hull(points).distance(inside)[1] <= 1e-7


@pytest.mark.parametrize("seed", range(20))
def test_bounds_are_apart_by_rounding_alone(seed: int) -> None:
    """Nearly equal points, flat and thin hulls, queries far away, near a corner and inside."""
    rng = np.random.default_rng(seed)
    n_dims = int(rng.integers(2, 60))
    cloud = rng.normal(size=(int(rng.integers(2, 150)), n_dims))
    thin = cloud * np.where(np.arange(n_dims) < n_dims // 2, 1e-7, 1.0)
    twins = np.concatenate([cloud, cloud * (1 + 6e-8), cloud + 1e-9 * rng.normal(size=cloud.shape)])
    for points in (cloud, thin, twins, np.round(cloud)):
        scaled = points / max(float(np.linalg.norm(points, axis=1).max()), 1.0)
        for query in (
            rng.normal(size=n_dims) * 100.0,
            rng.dirichlet(np.ones(len(scaled))) @ scaled,
            scaled[0] + 1e-6 * rng.normal(size=n_dims),
            scaled.mean(axis=0) + 1e-3 * rng.normal(size=n_dims),
        ):
            lower, upper = Hull(scaled).distance(query)
            far = max(1.0, float(np.linalg.norm(query)))
            assert upper - lower <= 1e-9 * upper + 1e-10 * far + TURN * far**2 / upper


def test_bounds_that_the_solver_left_apart_prove_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def undecided(hull: Hull, query: np.ndarray, enough: float = np.inf) -> tuple[float, float]:
        return 0.0, 2.0

    monkeypatch.setattr(Hull, "distance", undecided)
    with pytest.raises(VerificationError, match="it lies between"):
        verify(geometry_by_hand(predictions=True))
