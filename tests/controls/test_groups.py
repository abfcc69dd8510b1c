"""Groups: drawn and split whole, and what of the test units stands in train."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from geoprobe.controls import bootstrap_interval, bootstrap_rows, find_leakage, split_groups
from geoprobe.errors import InputError

GROUPS = np.repeat([*"abcdefgh"], [3, 1, 4, 2, 2, 5, 1, 2])


def test_bootstrap_draws_whole_groups() -> None:
    sizes = {g: int((GROUPS == g).sum()) for g in GROUPS}
    for rows in bootstrap_rows(len(GROUPS), groups=GROUPS, n_bootstrap=50):
        counts = np.bincount(rows, minlength=len(GROUPS))
        drawn = {g: set(counts[GROUPS == g]) for g in sizes}
        assert all(len(each) == 1 for each in drawn.values())
        assert sum(min(each) for each in drawn.values()) == len(sizes)


def test_bootstrap_is_named_by_its_seed_and_number() -> None:
    few = list(bootstrap_rows(9, n_bootstrap=2, seed=1))
    many = list(bootstrap_rows(9, n_bootstrap=5, seed=1))
    assert all(np.array_equal(a, b) for a, b in zip(few, many[:2], strict=True))


def test_interval_agrees_with_scipy() -> None:
    values = np.random.default_rng(0).exponential(size=60)
    ours = bootstrap_interval(lambda rows: float(values[rows].mean()), 60, n_bootstrap=4000)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert ours.value == pytest.approx(values.mean())
    # Ends of 4,000 resamples are good to about a tenth of the standard error of the mean.
    slack = 0.2 * values.std() / np.sqrt(60)
    assert ours.low == pytest.approx(theirs.low, abs=slack)
    assert ours.high == pytest.approx(theirs.high, abs=slack)


def test_interval_of_groups_covers_and_that_of_units_does_not() -> None:
    """Mean 0, units of a group share a level: 200 data sets, 95 % intervals."""
    covered = {"groups": 0, "units": 0}
    groups = np.repeat(np.arange(30), 10)
    for data in range(200):
        rng = np.random.default_rng([2, data])
        values = rng.normal(size=30)[groups] + 0.3 * rng.normal(size=300)
        for name, by in (("groups", groups), ("units", None)):
            found = bootstrap_interval(
                lambda rows, values=values: float(values[rows].mean()),
                300,
                groups=by,
                n_bootstrap=100,
                seed=data,
            )
            covered[name] += found.low <= 0.0 <= found.high
    assert covered["groups"] > 172
    assert covered["units"] < 120


def test_split_keeps_groups_whole() -> None:
    for seed in range(20):
        train, test = split_groups(GROUPS, test_share=0.3, seed=seed)
        assert np.array_equal(np.sort(np.r_[train, test]), np.arange(len(GROUPS)))
        assert not {*GROUPS[train]} & {*GROUPS[test]}
        # Within half of the largest group of what was asked for.
        assert abs(len(test) - 0.3 * len(GROUPS)) <= 2.5


@pytest.mark.parametrize(
    ("groups", "options", "message"),
    [
        (None, {}, "needs groups, but they are None"),
        (["a", "a"], {}, "two groups at least, but there are 1"),
        (["a", "b"], {"test_share": 1.0}, "test_share lies between 0 and 1, but it is 1.0"),
        (["a", None], {}, "None in row 1"),
    ],
)
def test_split_refuses(groups: object, options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        split_groups(groups, **options)


TRAIN = np.array([[0.0, 1], [2, 3], [4, 5], [2, 3]])
TEST = np.array([[2.0, 3], [-0.0, 1], [9, 9]])


def test_leakage_by_hand() -> None:
    found = find_leakage(
        TRAIN,
        TEST,
        y_train=["a", "b", "a", "c"],
        y_test=["c", "b", "a"],
        groups_train=[1, 1, 2, 3],
        groups_test=[4, 2, 2],
    )
    assert found.same_vector.tolist() == [0, 1]
    assert found.other_label.tolist() == [1]
    assert found.same_group is not None
    assert found.same_group.tolist() == [1, 2]
    assert found.shared_groups == ("2",)
    assert found.share == 1.0
    assert str(found) == (
        "2 of 3 test units have a vector that is in train (1 with other labels only); 2 belong to "
        "one of 1 groups that are in train too."
    )


def test_leakage_of_vectors_alone() -> None:
    found = find_leakage(TRAIN.astype(np.float32), TEST)
    assert found.share == pytest.approx(2 / 3)
    assert (found.same_group, len(found.other_label)) == (None, 0)
    assert find_leakage(TRAIN, TEST[2:]).share == 0.0


def test_leakage_agrees_with_comparing_every_pair() -> None:
    rng = np.random.default_rng(0)
    train, test = rng.integers(3, size=(60, 3)), rng.integers(3, size=(40, 3))
    plain = [k for k, row in enumerate(test) if (train == row).all(axis=1).any()]
    assert find_leakage(train, test).same_vector.tolist() == plain
    assert 0 < len(plain) < 40


@pytest.mark.parametrize(
    ("test", "options", "message"),
    [
        (TEST[:, :1], {}, r"\(4, 2\) and \(3, 1\)"),
        (TEST, {"groups_train": [1, 2, 3, 4]}, "groups are compared .* only one side has them"),
        (TEST, {"y_train": [*"abcd"], "y_test": [*"ab"]}, "y_test has 2 labels, but there are 3"),
    ],
)
def test_leakage_refuses(test: np.ndarray, options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_leakage(TRAIN, test, **options)
