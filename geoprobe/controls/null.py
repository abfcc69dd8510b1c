"""A number beside what chance gives: p-value, standard score, and a score on its scale."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from geoprobe.arrays import as_labels
from geoprobe.controls.permutations import Exchange, permuted_rows
from geoprobe.errors import InputError
from geoprobe.geometry.measured import FloatArray
from geoprobe.showing import Showing, Summary

Alternative = Literal["less", "greater"]
"""On which side of chance structure lies."""

LEVEL = 0.05
"""A p-value above it is not distinguishable from chance."""

BEYOND = "beyond chance"
CHANCE = "not distinguishable from chance"
BELOW = {"greater": "less than chance gives", "less": "more than chance gives"}
"""Verdicts of what lies beyond the null values on the side where structure does not."""

# Values that differ by less are equal but for rounding.
_SAME = 1e-9


@dataclass(frozen=True, eq=False)
class NullTest(Showing):
    """An observed number and the same number of permuted labels.

    Attributes
    ----------
    observed : float
    null : ndarray of float64, shape (n_permutations,)
        NaN where it is not defined.
    alternative : {"less", "greater"}
        ``"less"`` where structure makes the number small, as it does clusters.
    """

    observed: float
    null: FloatArray
    alternative: Alternative

    def __post_init__(self) -> None:
        """Refuse what no p-value can be taken from."""
        null = np.asarray(self.null, dtype=np.float64)
        if null.ndim != 1 or not len(null):
            raise InputError(
                f"null values have the shape (n_permutations,), but theirs is {null.shape}."
            )
        if self.alternative not in ("less", "greater"):
            raise InputError(f"alternative is 'less' or 'greater', but it is {self.alternative!r}.")
        object.__setattr__(self, "null", null)

    @property
    def n_permutations(self) -> int:
        """How many values chance was given."""
        return len(self.null)

    @property
    def n_undefined(self) -> int:
        """How many of them are not defined; they count as if they reached the observed one."""
        return int(np.isnan(self.null).sum())

    @property
    def mean(self) -> float:
        """Mean of the null values; NaN if none is defined."""
        known = self.null[~np.isnan(self.null)]
        return float(np.mean(known)) if len(known) else math.nan

    @property
    def std(self) -> float:
        """Their standard deviation, as of a sample (n - 1); NaN for fewer than two."""
        known = self.null[~np.isnan(self.null)]
        return float(np.std(known, ddof=1)) if len(known) > 1 else math.nan

    @property
    def p_value(self) -> float:
        """One-sided: (1 + null values at least as extreme) / (1 + n_permutations).

        The observed labels are one of the permutations, so that it is never 0 (Phipson & Smyth
        2010); NaN where the observed number is not defined, or that of no permutation is.
        """
        if math.isnan(self.observed) or self.n_undefined == len(self.null):
            return math.nan
        slack = _SAME * abs(self.observed)
        if self.alternative == "less":
            beyond = self.null <= self.observed + slack
        else:
            beyond = self.null >= self.observed - slack
        extreme = int(np.count_nonzero(beyond)) + self.n_undefined
        return (1 + extreme) / (1 + len(self.null))

    @property
    def standard_score(self) -> float:
        """Standard deviations of the null values between their mean and the observed one.

        Positive on the side of structure; NaN where the null values do not vary.
        """
        std = self.std
        if math.isnan(std) or std <= _SAME * abs(self.mean):
            return math.nan
        away = (self.observed - self.mean) / std
        return -away if self.alternative == "less" else away

    @property
    def score(self) -> float:
        """One score on the scale of chance: 0 is chance, below 0 worse, and 1 its best.

        ``1 - observed / mean`` where less is better, which for clusters is the score of Mehta &
        Srikumar (Findings of ACL 2023), a study of Gujarati adpositions; ``1 - mean / observed``
        where more is. NaN where it divides by zero.
        """
        part, whole = self.observed, self.mean
        if self.alternative == "greater":
            part, whole = whole, part
        return math.nan if whole == 0.0 else 1.0 - part / whole

    def distinguishable(self, level: float = LEVEL) -> bool:
        """Whether the p-value is at most ``level``."""
        return self.p_value <= level

    def verdict(self, level: float = LEVEL) -> str:
        """Say in words what the test allows to say."""
        if math.isnan(self.observed):
            return "not defined"
        if self.n_undefined == len(self.null):
            return "without a control: no permutation defines one"
        if self.distinguishable(level):
            return BEYOND
        # No observed number could have been beyond it: that is no evidence for chance.
        if 1 / (1 + len(self.null)) > level:
            return f"too few permutations ({len(self.null)}) to tell from chance"
        other: Alternative = "less" if self.alternative == "greater" else "greater"
        if NullTest(self.observed, self.null, other).distinguishable(level):
            return BELOW[self.alternative]
        return CHANCE

    def _summaries(self) -> Sequence[Summary]:
        return (Summary((str(self),)),)

    def __str__(self) -> str:
        """Give the number, its null distribution and the verdict."""
        return (
            f"{self.observed:.4g} (control: {self.mean:.4g} ± {self.std:.2g}, "
            f"{len(self.null)} drawn, p = {self.p_value:.3g}): {self.verdict()}"
        )


def control_columns(test: NullTest | None) -> dict[str, Any]:
    """Return the columns of a table that say what a control gives; NaN and 0 without one."""
    return {
        "control": math.nan if test is None else test.mean,
        "control_std": math.nan if test is None else test.std,
        "n_control": 0 if test is None else test.n_permutations,
        "p_value": math.nan if test is None else test.p_value,
    }


def permutation_test(
    statistic: Callable[[NDArray[Any]], float],
    y: Any,
    *,
    alternative: Alternative = "greater",
    n_permutations: int = 100,
    seed: int = 0,
    groups: Any = None,
    exchange: Exchange = "within",
) -> NullTest:
    """Compare a statistic of labels with that of their permutations.

    Parameters
    ----------
    statistic : callable
        From labels, ndarray of shape (n_units,), to a number: an accuracy, a mean distance.
    y : array-like, shape (n_units,)
    alternative : {"less", "greater"}, default="greater"
        On which side of chance structure lies.
    n_permutations, seed, groups, exchange
        As in :func:`geoprobe.controls.permuted_rows`.

    Returns
    -------
    NullTest

    Raises
    ------
    InputError
        As ``permuted_rows`` does.
    """
    rows = permuted_rows(
        y, n_permutations=n_permutations, seed=seed, groups=groups, exchange=exchange
    )
    names, codes = as_labels(y, len(y))
    labels = names[codes]
    null = np.array([statistic(labels[each]) for each in rows], dtype=np.float64)
    return NullTest(float(statistic(labels)), null, alternative)
