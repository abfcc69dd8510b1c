"""The contract of solvers, held by the active set and by HiGHS alone."""

from __future__ import annotations

import numpy as np
import pytest

from geoprobe import DirectProbe, hulls_overlap, pairwise_hull_distances
from geoprobe.errors import InputError
from geoprobe.hulls import Status
from geoprobe.hulls.active_set import solve_by_active_set
from geoprobe.hulls.highs import solve_by_highs
from geoprobe.hulls.normalisation import normalise
from geoprobe.hulls.solver import SOLVERS
from geoprobe.tolerances import TAU
from tests.support.named_spaces import HULL_PAIRS, NEAR_TOUCHING, SPACES, HullPair, NamedSpace
from tests.support.rational import exact_squared_distance

BY_NAME = {"active-set": solve_by_active_set, "highs": solve_by_highs}
SMALL = [space for space in SPACES if len(space.X) <= 60]


@pytest.mark.full
@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("pair", [*HULL_PAIRS, *NEAR_TOUCHING], ids=str)
def test_an_answer_holds(name: str, pair: HullPair) -> None:
    points = np.concatenate([pair.a, pair.b])
    scaled = normalise(points)
    rows_a, rows_b = np.arange(len(pair.a)), np.arange(len(pair.a), len(points))
    answer = BY_NAME[name](scaled.points, rows_a, rows_b, TAU)
    if answer.status is not Status.UNPROVED:
        assert (answer.status is Status.OVERLAP) is pair.overlap
    assert set(answer.rows_a.tolist()) <= set(rows_a.tolist())
    assert set(answer.rows_b.tolist()) <= set(rows_b.tolist())
    for weights in (answer.weights_a, answer.weights_b):
        assert weights.min() >= 0
        assert weights.sum() == pytest.approx(1, abs=1e-12)
    apart = answer.weights_a @ scaled.points[answer.rows_a]
    apart = apart - answer.weights_b @ scaled.points[answer.rows_b]
    assert np.linalg.norm(apart) <= answer.upper + 1e-15
    assert 0 <= answer.lower <= answer.upper
    assert (answer.status is Status.OVERLAP) == (answer.upper <= TAU)
    assert (answer.status is Status.DISJOINT) == (answer.lower > TAU)
    again = BY_NAME[name](scaled.points, rows_a, rows_b, TAU)
    assert (again.lower, again.upper) == (answer.lower, answer.upper)


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("seed", range(40))
def test_bounds_hold_exactly(name: str, seed: int) -> None:
    """Integer points, whose distance rational arithmetic knows."""
    rng = np.random.default_rng(seed)
    n_dims = int(rng.integers(1, 4))
    a = rng.integers(0, 6, (int(rng.integers(1, 5)), n_dims)).astype(float)
    b = rng.integers(2, 9, (int(rng.integers(1, 5)), n_dims)).astype(float)
    result = hulls_overlap(a, b, solver=name)
    exact = float(exact_squared_distance(a, b)) ** 0.5
    assert result.lower <= exact * (1 + 1e-12) + 1e-12
    assert result.upper >= exact * (1 - 1e-12) - 1e-12
    assert result.status is not Status.UNPROVED
    assert bool(result) is (exact == 0.0)


@pytest.mark.parametrize("space", SMALL, ids=str)
def test_highs_alone_finds_the_same_clusters(space: NamedSpace) -> None:
    opinion = DirectProbe(solver="highs").fit(space.X, space.y)
    engine = DirectProbe().fit(space.X, space.y)
    assert opinion.labels_.tolist() == engine.labels_.tolist() == space.clusters.tolist()
    assert np.array_equal(opinion.distances_.upper, engine.distances_.upper)
    assert opinion.counts_.bans == engine.counts_.bans
    assert np.array_equal(opinion.blocks_.first, engine.blocks_.first)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(10))
def test_highs_alone_on_random_spaces(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 5, (24, 2)).astype(float) if seed % 2 else rng.normal(size=(24, 3))
    y = rng.integers(0, 3, 24)
    y[:3] = range(3)
    opinion, engine = DirectProbe(solver="highs").fit(X, y), DirectProbe().fit(X, y)
    assert opinion.labels_.tolist() == engine.labels_.tolist()
    whole = pairwise_hull_distances(X, y)
    second = pairwise_hull_distances(X, y, solver="highs")
    assert second.status.tolist() == whole.status.tolist()
    assert (second.lower <= whole.upper * (1 + 1e-12)).all()
    assert (second.upper >= whole.lower * (1 - 1e-12)).all()


def test_unknown_solvers_and_large_spaces_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="active-set, highs"):
        hulls_overlap([[0.0]], [[1.0]], solver="gurobi")
    with pytest.raises(InputError, match="'gurobi'"):
        DirectProbe(solver="gurobi").fit([[0.0], [1.0]], ["a", "b"])
    monkeypatch.setattr("geoprobe.probes.textbook.MOST_ROWS", 3)
    with pytest.raises(InputError, match="take a sample"):
        DirectProbe(solver="highs").fit([[0.0], [1.0], [2.0], [3.0]], ["a", "b", "a", "b"])
