"""The law of the ranking: an answer depends on the query and the fit alone; k cuts the list."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest

from geoprobe.hulls.solving import group_rows
from geoprobe.kernels import ranking as kernel
from geoprobe.kernels.state import Hulls, Ranking
from geoprobe.probes import DirectProbe
from geoprobe.probes.ranking import FARTHEST, NearestHulls
from tests.support.reference import plain_ranking

SharedSpace = Callable[[str], dict[str, np.ndarray]]
Answer = tuple[np.ndarray, np.ndarray]
SEEDS = range(12)
KINDS = ["random", "on a grid", "duplicated", "noisy duplicates"]


def space(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return points, labels and queries: old points, old points with noise about tau, new ones."""
    rng = np.random.default_rng([KINDS.index(kind), seed])
    n_dims = int(rng.integers(1, 8))
    X = rng.normal(size=(40, n_dims))
    if kind == "on a grid":
        X = np.round(X)
    elif kind != "random":
        X = X[rng.integers(0, 10, len(X))]
    if kind == "noisy duplicates":
        X += 1e-7 * rng.normal(size=X.shape)
    y = rng.integers(0, 3, len(X))
    y[:3] = range(3)
    noise = 10.0 ** rng.uniform(-9, -6, size=(12, 1)) * rng.normal(size=(12, n_dims))
    far = 10.0 ** rng.uniform(0, 6, size=(4, 1)) * rng.normal(size=(4, n_dims))
    new = rng.normal(size=(6, n_dims))
    return X, y, np.concatenate([X[:4], X[:12] + noise, (X[:4] + X[-4:]) / 2, new, far])


def assert_same_bits(answer: Answer, expected: Answer) -> None:
    assert np.array_equal(answer[0].view(np.int64), expected[0].view(np.int64))
    assert np.array_equal(answer[1], expected[1])


def assert_law(probe: DirectProbe, queries: np.ndarray) -> None:
    """Cut, batch, order and threads leave every bit of an answer as it is."""
    distances, clusters = probe.set_params(n_threads=1).rank_clusters(queries)
    order = np.random.default_rng(0).permutation(len(queries))
    for k in sorted({1, 2, 5, probe.n_clusters_}):
        if k > probe.n_clusters_:
            continue
        cut = distances[:, :k], clusters[:, :k]
        for n_threads in (1, 3):
            assert_same_bits(probe.set_params(n_threads=n_threads).rank_clusters(queries, k), cut)
        permuted = probe.rank_clusters(queries[order], k)
        assert_same_bits(permuted, (cut[0][order], cut[1][order]))
        alone = [probe.rank_clusters(query[None], k) for query in queries]
        assert_same_bits(
            (np.concatenate([a[0] for a in alone]), np.concatenate([a[1] for a in alone])), cut
        )
    assert np.array_equal(probe.predict(queries), probe.cluster_labels_[clusters[:, 0]])


def test_hulls_within_tau_tie_for_every_k() -> None:
    probe = DirectProbe().fit([[0.0], [3e-8], [1.0], [-1.0]], ["a", "b", "a", "b"])
    assert probe.cluster_labels_.tolist() == ["a", "a", "b", "b"]
    # Point 0 is 5e-8 away and point 3e-8 only 2e-8: both count as 0, and the smaller id is first.
    for k, expected in ((1, [0]), (2, [0, 2]), (4, [0, 2, 1, 3])):
        distances, clusters = probe.rank_clusters([[5e-8]], k)
        assert clusters.tolist() == [expected]
        assert distances[0, :2].tolist() == [0.0, 0.0][:k]
    assert probe.predict([[5e-8]]).tolist() == ["a"]


@pytest.mark.full
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_law_on_made_spaces(kind: str, seed: int) -> None:
    X, y, queries = space(kind, seed)
    assert_law(DirectProbe().fit(X, y), queries)


@pytest.mark.full
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_rankings_against_the_reference(kind: str, seed: int) -> None:
    X, y, queries = space(kind, seed)
    queries = queries[:-4]  # the reference loses its digits far outside
    probe = DirectProbe().fit(X, y)
    hulls = [X[probe.labels_ == c] for c in range(probe.n_clusters_)]
    expected, numbers = plain_ranking(hulls, queries, probe.scale_)
    for k in range(1, probe.n_clusters_ + 1):
        distances, clusters = probe.rank_clusters(queries, k)
        # Hulls about as small as tau * R leave the solver few digits.
        assert np.allclose(distances, expected[:, :k], rtol=1e-7, atol=1e-9 * probe.scale_)
        zero = distances == 0.0
        assert np.array_equal(zero, expected[:, :k] == 0.0)
        assert np.array_equal(clusters[zero], numbers[:, :k][zero])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_bounds_are_never_above_the_distances_given(
    kind: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y, queries = space(kind, seed)
    probe = DirectProbe().fit(X, y)
    seen: list[Ranking] = []
    bound = kernel.bound_distances

    def watched(hulls: Hulls, ranking: Ranking, tau: float) -> None:
        bound(hulls, ranking, tau)
        seen.append(ranking)

    monkeypatch.setattr(kernel, "bound_distances", watched)
    distances, clusters = probe.rank_clusters(queries)
    (ranking,) = seen
    near = np.linalg.norm(probe._scaled.apply(queries), axis=1) < 2.0**FARTHEST
    given = distances[near] / probe.scale_
    bounds = np.take_along_axis(ranking.bound, clusters[near], axis=1)
    assert np.all(bounds <= given * (1 + 1e-15))
    assert np.all((ranking.bound == 0.0) | (ranking.bound > probe.tau))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_hulls_without_gram_matrices(kind: str, seed: int) -> None:
    """Hulls too large for products among themselves give the same distances, to rounding."""
    X, y, queries = space(kind, seed)
    probe = DirectProbe().fit(X, y)
    distances, clusters = probe.rank_clusters(queries)
    points = probe._scaled.points
    groups = group_rows(probe.labels_, probe.n_clusters_)
    bare = NearestHulls(points, groups, gram_entries=0)
    placed = probe._scaled.apply(queries)
    for k in {1, probe.n_clusters_}:
        other, _ = bare.rank(placed, k, probe.tau, 1)
        assert np.allclose(other * probe.scale_, distances[:, :k], rtol=1e-9, atol=1e-12)
        assert np.array_equal(other == 0.0, distances[:, :k] == 0.0)
    assert clusters.shape == distances.shape


@pytest.mark.parametrize(("n_members", "n_dims"), [(3000, 6), (1200, 40)])
def test_large_hulls_list_few_members(n_members: int, n_dims: int) -> None:
    rng = np.random.default_rng(n_members)
    points = rng.normal(size=(2 * n_members, n_dims))
    points[:n_members, 0] += 9.0
    points -= points.mean(axis=0)
    points /= np.linalg.norm(points, axis=1).max()
    queries = np.concatenate([rng.normal(size=(12, n_dims)) / 6, points[:2], points[-2:] * 1.5])
    groups = group_rows(np.repeat([0, 1], n_members), 2)
    expected, numbers = NearestHulls(points, groups).rank(queries, 2, 1e-7, 1)
    bare = NearestHulls(points, groups, gram_entries=n_members)
    distances, ids = bare.rank(queries, 2, 1e-7, 1)
    assert np.allclose(distances, expected, rtol=1e-9, atol=1e-12)
    assert np.array_equal(ids, numbers)
    alone = [bare.rank(query[None], 2, 1e-7, 1) for query in queries]
    assert_same_bits(
        (np.concatenate([a[0] for a in alone]), np.concatenate([a[1] for a in alone])),
        (distances, ids),
    )


@pytest.mark.parametrize("thickness", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("n_dims", [2, 3, 5])
def test_thin_hulls_against_the_reference(n_dims: int, thickness: float) -> None:
    """Where float32 products have few digits, more points than are independent may seem to be."""
    rng = np.random.default_rng(n_dims)
    X = rng.normal(size=(60, n_dims))
    X[:, -1] = thickness * rng.normal(size=60) + np.repeat([0.0, 1.0], 30)
    probe = DirectProbe().fit(X, np.repeat([0, 1], 30))
    queries = np.concatenate([rng.normal(size=(6, n_dims)), X.mean(axis=0)[None] + 0.1])
    hulls = [X[probe.labels_ == c] for c in range(probe.n_clusters_)]
    expected, numbers = plain_ranking(hulls, queries, probe.scale_)
    distances, clusters = probe.rank_clusters(queries)
    assert np.allclose(distances, expected, rtol=1e-7, atol=1e-9 * probe.scale_)
    assert np.array_equal(clusters, numbers)


def test_a_pickle_leaves_the_products_out() -> None:
    rng = np.random.default_rng(0)
    probe = DirectProbe().fit(rng.normal(size=(200, 3)), np.arange(200) % 2)
    before = len(pickle.dumps(probe))
    answer = probe.rank_clusters(rng.normal(size=(5, 3)))
    assert len(pickle.dumps(probe)) == before
    rng = np.random.default_rng(0)
    rng.normal(size=(200, 3))
    again = pickle.loads(pickle.dumps(probe)).rank_clusters(rng.normal(size=(5, 3)))
    assert_same_bits(again, answer)


def test_the_law_beyond_the_length_of_a_buffer() -> None:
    """NumPy sums more than 8,192 terms in pieces that can depend on the rows around them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 9000))
    queries = rng.normal(size=(40, 9000))
    probe = DirectProbe().fit(X, np.arange(12) % 3)
    # Lengths on either side of a power of two: the unit of a query hangs on their last bits.
    centred = (queries - probe._scaled.centre) / probe.scale_
    lengths = np.linalg.norm(centred, axis=1)
    queries = centred / lengths[:, None] * 2.0 * probe.scale_ + probe._scaled.centre
    assert_law(probe, queries)


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "label", "n_points"),
    [
        ("ps_layer0", "role", 600),
        ("ps_layer6", "function", 600),
        ("treedistance_layer3", "y", 250),
    ],
)
def test_the_law_on_real_spaces(
    shared_space: SharedSpace, name: str, label: str, n_points: int
) -> None:
    """Layer 0 repeats its vectors: with noise of 6e-8, many clusters lie about tau * R away."""
    arrays = shared_space(name)
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(arrays["X"]))[:n_points]
    probe = DirectProbe().fit(arrays["X"][rows], arrays[label][rows])
    new = arrays["X_test"][:40].astype(np.float64)
    assert_law(probe, np.concatenate([new[:10], new + 6e-8 * rng.normal(size=new.shape)]))
