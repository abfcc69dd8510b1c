"""DirectProbe as an estimator: scikit-learn's own checks, ranking, prediction, label distances."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from geoprobe.errors import GeoprobeError, InputWarning
from geoprobe.probes import DirectProbe
from tests.support.reference import qp_distance


@parametrize_with_checks([DirectProbe()])
def test_scikit_learn_checks(estimator: BaseEstimator, check: Any) -> None:
    check(estimator)


def space(seed: int, n_dims: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return training points, labels and test points; some of these lie in hulls."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, 120)
    y[:4] = range(4)
    X = rng.normal(size=(120, n_dims)) + rng.normal(size=(4, n_dims))[y]
    inside = (X[:20] + X[20:40]) / 2
    return X, y, np.concatenate([rng.normal(size=(25, n_dims)), inside, X[:5]])


@pytest.mark.parametrize("seed", range(5))
def test_ranking_against_the_reference(seed: int) -> None:
    X, y, new = space(seed)
    probe = DirectProbe().fit(X, y)
    hulls = [X[probe.labels_ == c] for c in range(probe.n_clusters_)]
    expected = np.array([[qp_distance(p[None], hull) for hull in hulls] for p in new])
    distances, clusters = probe.rank_clusters(new)
    assert distances.shape == clusters.shape == (len(new), probe.n_clusters_)
    assert np.all(np.diff(distances, axis=1) >= 0)
    assert np.array_equal(np.sort(clusters, axis=1), np.tile(np.arange(len(hulls)), (len(new), 1)))
    by_rank = np.take_along_axis(expected, clusters, axis=1)
    assert np.allclose(distances, by_rank, rtol=1e-7, atol=1e-7 * probe.scale_)
    few_distances, few = probe.rank_clusters(new, k=2)
    assert np.allclose(few_distances, distances[:, :2], rtol=1e-9, atol=1e-12)
    nearest = expected.min(axis=1)
    chosen = expected[np.arange(len(new)), few[:, 0]]
    assert np.allclose(chosen, nearest, rtol=1e-7, atol=1e-7 * probe.scale_)


@pytest.mark.parametrize("factor", [3.0, 1e3, 1e7])
def test_queries_far_outside(factor: float) -> None:
    X, y, new = space(3)
    probe = DirectProbe().fit(X, y)
    new = np.concatenate([new[:5], new[:5] * factor])
    hulls = [X[probe.labels_ == c] for c in range(probe.n_clusters_)]
    distances, clusters = probe.rank_clusters(new)
    for point, near, order in zip(new, distances, clusters, strict=True):
        length = np.linalg.norm(point)
        for distance, c in zip(near, order, strict=True):
            # The foremost point along the way bounds from below, any member from above.
            members = hulls[c]
            assert distance <= np.linalg.norm(members - point, axis=1).min() * (1 + 1e-12)
            assert distance >= length - (members @ point).max() / length - 1e-9 * length
    unchanged = probe.rank_clusters(new[:5])
    assert np.array_equal(distances[:5], unchanged[0])
    assert np.array_equal(clusters[:5], unchanged[1])


@pytest.mark.parametrize("seed", range(5))
def test_prediction_is_the_nearest_cluster(seed: int) -> None:
    X, y, new = space(seed)
    probe = DirectProbe().fit(X, y)
    nearest = probe.rank_clusters(new, k=1)[1][:, 0]
    assert np.array_equal(probe.predict(new), probe.cluster_labels_[nearest])
    assert probe.score(X, y) == 1.0
    guess = probe.predict(new)
    assert probe.score(new, guess) == 1.0


def test_training_points_lie_in_their_own_clusters() -> None:
    X, y, _ = space(9)
    probe = DirectProbe().fit(X, y)
    distances, clusters = probe.rank_clusters(X, k=1)
    assert np.all(distances == 0)
    assert np.array_equal(clusters[:, 0], probe.labels_)


def test_label_distances() -> None:
    X, y, _ = space(2)
    probe = DirectProbe().fit(X, y)
    table, labels = probe.distances_, probe.label_distances()
    of_cluster = probe.cluster_labels_
    assert len(labels.first) == 6
    for k, (first, second) in enumerate(zip(labels.first, labels.second, strict=True)):
        chosen = of_cluster[table.first] == probe.classes_[first]
        chosen &= of_cluster[table.second] == probe.classes_[second]
        assert labels.pairs[k] == chosen.sum()
        assert labels.lower[k] == table.lower[chosen].min()
        assert labels.upper[k] == table.upper[chosen].min()
        assert labels.mean[k] == pytest.approx(table.distance[chosen].mean(), rel=1e-12)


def test_clone_and_pickle() -> None:
    X, y, new = space(1)
    probe = DirectProbe(tau=1e-6, n_threads=1).fit(X, y)
    assert clone(probe).get_params() == probe.get_params()
    again = pickle.loads(pickle.dumps(probe))
    assert np.array_equal(again.predict(new), probe.predict(new))


def test_a_row_that_sets_the_scale_alone_is_named() -> None:
    points = np.random.default_rng(0).normal(size=(40, 3))
    points[17, 2] = 1e12
    labels = np.repeat(["a", "b"], 20)
    with pytest.warns(InputWarning, match="X: row 17 lies"):
        DirectProbe(n_threads=1).fit(points, labels)


def test_test_points_must_fit() -> None:
    X, y, _ = space(1)
    probe = DirectProbe().fit(X, y)
    with pytest.raises(GeoprobeError, match="4"):
        probe.predict(np.zeros((3, 5)))
    with pytest.raises(GeoprobeError, match="row 1"):
        probe.predict(np.array([[0.0] * 4, [np.nan] * 4]))


@pytest.mark.parametrize("tau", [-1e-7, float("nan"), float("inf"), "small", None])
def test_bad_tau(tau: object) -> None:
    with pytest.raises(GeoprobeError, match="tau"):
        DirectProbe(tau=tau).fit(np.eye(3), [0, 1, 2])


@pytest.mark.parametrize("n_threads", [0, -2, 1.5, "two"])
def test_bad_threads(n_threads: object) -> None:
    with pytest.raises(GeoprobeError, match="n_threads"):
        DirectProbe(n_threads=n_threads).fit(np.eye(3), [0, 1, 2])
