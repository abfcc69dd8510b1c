"""A number beside its null distribution: p-values, scores, and agreement with scipy."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from geoprobe.controls import NullTest, permutation_test
from geoprobe.errors import InputError


def test_by_hand() -> None:
    less = NullTest(3.0, np.array([2.0, 3.0, 4.0, 5.0]), "less")
    assert less.p_value == pytest.approx(3 / 5)
    assert less.score == pytest.approx(1 - 3 / 3.5)
    assert less.standard_score == pytest.approx(0.5 / np.std([2, 3, 4, 5], ddof=1))
    greater = NullTest(3.0, np.array([2.0, 3.0, 4.0, 5.0]), "greater")
    assert greater.p_value == pytest.approx(4 / 5)
    assert greater.score == pytest.approx(1 - 3.5 / 3)
    assert greater.standard_score == pytest.approx(-less.standard_score)


def test_undefined_null_values_count_against_the_finding() -> None:
    test = NullTest(1.0, np.array([0.5, math.nan, 0.1]), "greater")
    assert (test.n_undefined, test.p_value) == (1, 0.5)
    assert test.mean == pytest.approx(0.3)


def test_null_that_does_not_vary_has_no_standard_score() -> None:
    test = NullTest(46.0, np.full(99, 46.0), "less")
    assert math.isnan(test.standard_score)
    assert (test.p_value, test.score) == (1.0, 0.0)
    assert test.verdict() == "not distinguishable from chance"


def test_verdicts() -> None:
    null = np.arange(50.0)
    assert NullTest(-1.0, null, "less").verdict() == "beyond chance"
    assert NullTest(20.0, null, "less").verdict() == "not distinguishable from chance"
    assert NullTest(50.0, null, "less").verdict() == "more than chance gives"
    assert NullTest(-1.0, null, "greater").verdict() == "less than chance gives"
    assert NullTest(0.0, np.zeros(50), "greater").verdict() == "not distinguishable from chance"
    assert NullTest(-1.0, null[:5], "less").verdict().startswith("too few permutations (5)")
    assert NullTest(math.nan, null, "less").verdict() == "not defined"
    assert "50 drawn, p = 0.0196" in str(NullTest(-1.0, null, "less"))


@pytest.mark.parametrize(
    ("null", "alternative", "message"),
    [([], "less", r"\(n_permutations,\)"), ([1.0], "two-sided", "'less' or 'greater'")],
)
def test_refused(null: list[float], alternative: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        NullTest(1.0, np.array(null), alternative)  # type: ignore[arg-type]


def difference(values: np.ndarray, labels: np.ndarray) -> float:
    return float(values[labels == 1].mean() - values[labels == 0].mean())


def test_agrees_with_scipy() -> None:
    """Both draw permutations: their p-values agree within five of their standard errors."""
    rng = np.random.default_rng(3)
    values, labels = rng.normal(size=20), np.repeat([0, 1], 10)
    values[labels == 1] += 0.7
    ours = permutation_test(lambda y: difference(values, y), labels, n_permutations=2000)
    theirs = stats.permutation_test(
        (values[labels == 1], values[labels == 0]),
        lambda a, b: a.mean() - b.mean(),
        alternative="greater",
        n_resamples=2000,
        rng=np.random.default_rng(4),
    )
    assert ours.observed == pytest.approx(theirs.statistic)
    assert 0.005 < theirs.pvalue < 0.3
    error = math.sqrt(2 * theirs.pvalue * (1 - theirs.pvalue) / 2000)
    assert abs(ours.p_value - theirs.pvalue) < 5 * error


def test_agrees_with_all_permutations() -> None:
    """Against the p-value of all 70 ways to choose four of eight, counted one by one."""
    rng = np.random.default_rng(1)
    values, labels = rng.normal(size=8), np.repeat([0, 1], 4)
    values[labels == 1] += 1.0
    ours = permutation_test(lambda y: difference(values, y), labels, n_permutations=4000)
    exact = np.mean(
        [
            difference(values, np.isin(np.arange(8), chosen).astype(int)) >= ours.observed - 1e-12
            for chosen in itertools.combinations(range(8), 4)
        ]
    )
    assert abs(ours.p_value - exact) < 5 * math.sqrt(exact * (1 - exact) / 4000)


@pytest.mark.parametrize("grouped", [False, True])
def test_p_values_of_null_data_are_uniform(grouped: bool) -> None:
    """400 data sets without structure: every p-value from 1/20 to 20/20 is as likely.

    With groups the values of a group share a level, which only permutations within groups respect.
    """
    counts = np.zeros(20, int)
    groups = np.repeat(np.arange(6), 4) if grouped else None
    for data in range(400):
        rng = np.random.default_rng([7, data])
        values, labels = rng.normal(size=24), rng.permutation(np.repeat([0, 1], 12))
        if groups is not None:
            values += 3 * rng.normal(size=6)[groups]
        test = permutation_test(
            lambda y, values=values: difference(values, y),
            labels,
            n_permutations=19,
            seed=data,
            groups=groups,
        )
        counts[round(test.p_value * 20) - 1] += 1
    assert stats.chisquare(counts).pvalue > 0.001


def test_p_values_would_not_be_uniform_if_groups_were_ignored() -> None:
    """The test above can fail: labels that follow their groups are found where nothing is."""
    small = 0
    for data in range(100):
        rng = np.random.default_rng([8, data])
        groups, labels = np.repeat(np.arange(6), 8), np.repeat(rng.permutation([0, 1] * 3), 8)
        values = rng.normal(size=48) + 3 * rng.normal(size=6)[groups]
        ignored = permutation_test(
            lambda y, values=values: difference(values, y), labels, n_permutations=19, seed=data
        )
        small += ignored.p_value <= 0.05
    assert small > 20
