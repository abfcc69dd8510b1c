"""Sampling alone: a planted drift is found, and a small test split is not taken for one."""

from __future__ import annotations

import numpy as np
import pytest

from geoprobe import pairwise_hull_distances
from geoprobe.controls import (
    draw_pseudo_tests,
    joint_ceiling,
    noise_ceiling,
    pseudo_test_drift,
    split_halves,
)
from geoprobe.errors import InputError
from geoprobe.findings.similarity import pearson
from geoprobe.hulls.resampled import resampled_hull_distances

NAMES = np.array([*"abcdef"])
CENTRES = 6 * np.random.default_rng(17).normal(size=(6, 8))


def sample(seed: object, counts: object = 30, centres: np.ndarray = CENTRES) -> tuple:
    """Points around a centre for each label, so many of each."""
    codes = np.repeat(np.arange(6), counts)
    rng = np.random.default_rng(seed)
    return centres[codes] + rng.normal(size=(len(codes), 8)), NAMES[codes]


def drift_of(train: tuple, test: tuple, **options: object):
    options = {"n_draws": 19, "n_threads": 1, **options}
    return pseudo_test_drift(*train, *test, **options)  # type: ignore[arg-type]


def test_draws_have_the_counts_asked_for() -> None:
    _, y = sample(0, [3, 5, 9, 4, 8, 20])
    wanted = {"a": 2, "c": 4, "f": 1}
    seen = set()
    for draw in draw_pseudo_tests(y, wanted, n_draws=20):
        assert np.array_equal(np.sort(np.r_[draw.test, draw.rest]), np.arange(len(y)))
        assert dict(zip(*np.unique(y[draw.test], return_counts=True), strict=True)) == wanted
        seen.add(tuple(draw.test))
    assert len(seen) > 15


def test_draws_respect_groups() -> None:
    _, y = sample(0)
    groups = np.random.default_rng(1).integers(60, size=len(y))
    for draw in draw_pseudo_tests(y, {"a": 5, "b": 4, "c": 2}, groups=groups, n_draws=20):
        assert not {*groups[draw.test]} & {*groups[draw.rest]}
        assert np.unique(y[draw.test], return_counts=True)[1].tolist() == [5, 4, 2]


def test_draw_is_named_by_its_seed_and_number() -> None:
    _, y = sample(0)
    few = list(draw_pseudo_tests(y, {"a": 5}, n_draws=2, seed=4))
    many = list(draw_pseudo_tests(y, {"a": 5}, n_draws=4, seed=4))
    assert all(np.array_equal(a.test, b.test) for a, b in zip(few, many[:2], strict=True))


@pytest.mark.parametrize(
    ("wanted", "groups", "message"),
    [
        ({"a": 30}, None, "30 units of label 'a' are to be drawn and one at least kept, .* are 30"),
        ({"z": 1}, None, "label 'z' are to be drawn and one at least kept, but there are 0"),
        ({"a": 3}, np.zeros(180, int), "no unit of label 'a' is left outside of the groups"),
    ],
)
def test_draws_refused(wanted: dict[str, int], groups: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(draw_pseudo_tests(sample(0)[1], wanted, groups=groups))


def test_label_whose_groups_are_all_drawn_is_left_out() -> None:
    """Both units of one label stand in one sentence, so that no draw leaves any to train."""
    (X, y), (T, t) = sample(1, 9), sample(2, 4)
    rare = np.full((2, X.shape[1]), 7.0) + np.arange(2)[:, None]
    X, y = np.concatenate([X, rare]), np.append(y, ["rare", "rare"])
    T, t = np.concatenate([T, rare[:1]]), np.append(t, "rare")
    groups = np.r_[np.arange(len(y) - 2), len(y), len(y)]
    found = drift_of((X, y), (T, t), n_draws=3, groups=groups)
    assert found.left_out == ("rare",)
    without = drift_of((X[:-2], y[:-2]), (T[:-1], t[:-1]), n_draws=3, groups=groups[:-2])
    assert np.array_equal(found.seen, without.seen)


def test_numbers_agree_with_measuring_each_part_alone() -> None:
    (X, y), (T, t) = sample(1, 9), sample(2, 4)
    found = drift_of((X, y), (T, t), n_draws=3)
    assert found.similarity == pytest.approx(
        pearson(pairwise_hull_distances(X, y).distance, pairwise_hull_distances(T, t).distance)[0]
    )
    for k, draw in enumerate(draw_pseudo_tests(y, dict.fromkeys(NAMES, 4), n_draws=3)):
        rest, drawn = (
            pairwise_hull_distances(X[rows], y[rows]).distance for rows in (draw.rest, draw.test)
        )
        assert found.seen[k] == pytest.approx(pearson(rest, drawn)[0])
        of_test = pairwise_hull_distances(T, t).distance
        assert found.unseen[k] == pytest.approx(pearson(rest, of_test)[0])
        b = y == "b"
        means = (
            X[np.intersect1d(draw.rest, np.flatnonzero(b))].mean(axis=0),
            X[np.intersect1d(draw.test, np.flatnonzero(b))].mean(axis=0),
            T[t == "b"].mean(axis=0),
        )
        assert found.moved_seen[k, 1] == pytest.approx(np.linalg.norm(means[0] - means[1]))
        assert found.moved_unseen[k, 1] == pytest.approx(np.linalg.norm(means[0] - means[2]))


@pytest.mark.full
def test_small_test_split_is_not_taken_for_drift() -> None:
    """Two test units a label lower the similarity a lot, and pseudo-tests' as much."""
    near = CENTRES / 2
    found = [drift_of(sample([1, k], 30, near), sample([2, k], 2, near)) for k in range(30)]
    assert np.mean([each.similarity for each in found]) < 0.95
    assert sum(each.test().p_value <= 0.05 for each in found) <= 5
    assert abs(np.mean([each.drift().value for each in found])) < 0.02
    assert sum(each.mean_moved().p_value <= 0.05 for each in found) <= 5


def test_planted_drift_is_found() -> None:
    moved = CENTRES.copy()
    moved[0] += 0.75 * (CENTRES[1] - CENTRES[0])
    found = [drift_of(sample([3, k]), sample([4, k], 10, moved)) for k in range(10)]
    assert sum(each.test().p_value <= 0.05 for each in found) >= 9
    assert all(each.drift().value > 0.05 for each in found)
    assert all(each.moved("a").p_value <= 0.05 for each in found)
    assert sum(each.moved("d").p_value <= 0.05 for each in found) <= 3


@pytest.mark.full
def test_p_values_of_one_population_are_uniform() -> None:
    """Which units are the test is exchangeable when both are drawn from: 100 data sets."""
    counts = np.zeros(10, int)
    for k in range(100):
        found = drift_of(sample([5, k], 5), sample([6, k], 2), draw_from="both", n_draws=9, seed=k)
        counts[round(10 * found.test().p_value) - 1] += 1
    # The 0.999 quantile of chi-square with nine degrees of freedom.
    assert ((counts - 10) ** 2 / 10).sum() < 27.9


def test_labels_that_training_cannot_draw_are_left_out() -> None:
    found = drift_of(sample(1, [5, 5, 5, 5, 2, 1]), sample(2, [1, 2, 3, 4, 2, 2]))
    assert found.labels == tuple("abcd")
    assert found.left_out == ("e", "f")
    assert found.units.tolist() == [1, 2, 3, 4]
    large = drift_of(sample(1), sample(2, [1, 2, 3, 4, 5, 6]), min_units=4)
    assert (large.labels, large.n_pairs) == (tuple("def"), 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draw_from": "test"}, "draw_from is 'train' or 'both', but it is 'test'"),
        ({"draw_from": "both", "groups": np.zeros(180)}, "groups are those of training"),
        ({"min_units": 40}, "drift needs two labels at least .* but there are 0"),
        ({"n_draws": 0}, "n_draws is at least 1, but it is 0"),
        ({"groups": [1]}, "groups has 1 labels, but there are 180 points"),
    ],
)
def test_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        drift_of(sample(1), sample(2, 5), **options)


def test_halves_share_no_unit_and_have_equal_labels() -> None:
    _, y = sample(0, [3, 5, 9, 4, 8, 20])
    for first, second in split_halves(y, n_splits=10):
        assert np.array_equal(np.sort(np.r_[first, second]), np.arange(len(y)))
        counts = [np.unique(y[half], return_counts=True)[1] for half in (first, second)]
        assert np.abs(counts[0] - counts[1]).max() == 1
    groups = np.arange(len(y)) // 3
    for first, second in split_halves(y, n_splits=10, groups=groups):
        assert not {*groups[first]} & {*groups[second]}


@pytest.mark.full
def test_ceiling_rises_with_units_and_predicts_the_whole() -> None:
    """Spearman and Brown: halves say how alike two samples as large as the whole are.

    Against 40 pairs of samples. Centres are near each other, so that noise matters.
    """
    near = CENTRES / 3
    few, many = (noise_ceiling(*sample(1, n, near), n_splits=40, n_threads=1) for n in (6, 40))
    assert few.half().value < many.half().value
    assert few.half().value < few.whole().value < 1.0
    pairs = []
    for k in range(40):
        samples = sample([8, k], 6, near), sample([9, k], 6, near)
        pairs.append(pearson(*(pairwise_hull_distances(*each).distance for each in samples))[0])
    predicted = np.mean(
        [noise_ceiling(*sample([8, k], 6, near), n_splits=10).whole().value for k in range(10)]
    )
    assert predicted == pytest.approx(np.mean(pairs), abs=0.15)


def test_ceiling_of_no_structure_is_low() -> None:
    found = noise_ceiling(*sample(1, 8, np.zeros((6, 8))), n_splits=20, n_threads=1)
    assert found.half().value < 0.5
    assert found.half().low <= 0.0


def test_ceiling_by_hand_and_by_ranks() -> None:
    X, y = sample(1, 4)
    (first, second), *_ = split_halves(y, n_splits=1, seed=2)
    halves = [pairwise_hull_distances(X[rows], y[rows]).distance for rows in (first, second)]
    found = noise_ceiling(X, y, n_splits=1, seed=2)
    assert found.halves[0] == pearson(*halves)[0]
    r = found.halves[0]
    assert found.whole().value == pytest.approx(2 * r / (1 + r))
    ranked = noise_ceiling(X, y, n_splits=5, seed=2, method="spearman")
    assert ranked.halves[0] != found.halves[0]
    assert joint_ceiling(found, found) == pytest.approx(found.whole().value)


def test_rows_without_a_label_have_no_distance_to_it() -> None:
    X, y = sample(3, 4)
    everything, some, one = np.arange(24), np.flatnonzero(y != "c"), np.arange(4)
    found = resampled_hull_distances(X, y, [everything, some, one])
    whole, without, alone = found.distance
    assert whole == pytest.approx(pairwise_hull_distances(X, y).distance, rel=1e-9)
    first, second = np.triu_indices(6, 1)
    with_c = (first == 2) | (second == 2)
    assert np.isnan(without[with_c]).all()
    of_some = pairwise_hull_distances(X[some], y[some]).distance
    assert without[~with_c] == pytest.approx(of_some, rel=1e-9)
    assert np.isnan(alone).all()


def test_ceiling_of_halves_without_common_labels_is_not_defined() -> None:
    X, y = sample(3, 4)
    found = noise_ceiling(X, y, groups=y, n_splits=6)
    assert np.isnan(found.halves).all()
    assert np.isnan(found.whole().value)


def test_ceiling_leaves_single_units_out() -> None:
    found = noise_ceiling(*sample(1, [1, 2, 3, 4, 1, 6]), n_splits=4)
    assert (found.labels, found.left_out) == (tuple("bcdf"), ("a", "e"))
    assert (found.n_pairs, found.n_units) == (6, 15)


@pytest.mark.parametrize(
    ("counts", "options", "message"),
    [
        ([1, 1, 1, 1, 2, 2], {}, "three labels of two units at least, but there are 2 of 6"),
        (4, {"method": "kendall"}, "method is 'pearson' or 'spearman', but it is 'kendall'"),
        (4, {"n_splits": 0}, "n_splits is at least 1, but it is 0"),
    ],
)
def test_ceiling_refuses(counts: object, options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        noise_ceiling(*sample(1, counts), **options)  # type: ignore[arg-type]
