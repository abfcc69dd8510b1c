"""Groups of units that belong together, such as the words of a sentence: drawn and split whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from geoprobe.arrays import as_labels
from geoprobe.errors import InputError
from geoprobe.findings.intervals import Interval, check_bootstrap, percentile_interval
from geoprobe.geometry.measured import IntArray


def group_codes(groups: Any, n_units: int, name: str = "groups") -> IntArray:
    """Return the number of the group that each unit belongs to.

    Parameters
    ----------
    groups : array-like, shape (n_units,), or None
        The sentence, document or program that each unit comes from; None makes every unit a group
        of its own.
    n_units : int
    name : str
        What to call them in messages.

    Returns
    -------
    ndarray of int64, shape (n_units,)
        From 0, in the sorted order of the groups.

    Raises
    ------
    InputError
        As for labels: a wrong shape or length, or missing values; the message names the row.
    """
    if groups is None:
        return np.arange(n_units, dtype=np.int64)
    return as_labels(groups, n_units, name=name)[1].astype(np.int64)


def members_of(codes: IntArray) -> list[IntArray]:
    """Return the rows of each group, in ascending order."""
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.cumsum(np.bincount(codes))[:-1])


def bootstrap_rows(
    n_units: int, *, groups: Any = None, n_bootstrap: int = 1000, seed: int = 0
) -> Iterator[IntArray]:
    """Draw as many groups as there are, with replacement, each with all of its units.

    Units of one group err together, so that units drawn one by one give intervals that are too
    narrow (Davison & Hinkley 1997, section 3.8, the cluster bootstrap).

    Parameters
    ----------
    n_units : int
    groups : array-like, shape (n_units,), optional
        Without them units are drawn one by one.
    n_bootstrap : int, default=1000
    seed : int, default=0
        Resample k depends on the seed and k alone.

    Yields
    ------
    ndarray of int64
        Rows of one resample; as many as there are units where groups are equally large.

    Raises
    ------
    InputError
        If the groups cannot be used, or there are fewer than two resamples.
    """
    check_bootstrap(n_bootstrap)
    members = members_of(group_codes(groups, n_units))
    for k in range(n_bootstrap):
        drawn = np.random.default_rng([seed, k]).integers(len(members), size=len(members))
        yield np.concatenate([members[g] for g in drawn.tolist()])


def bootstrap_interval(
    statistic: Callable[[IntArray], float],
    n_units: int,
    *,
    groups: Any = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Take the percentiles of a statistic over resamples of groups.

    Parameters
    ----------
    statistic : callable
        From rows, ndarray of int64 that may repeat, to a number, for example
        ``lambda rows: correct[rows].mean()``.
    n_units : int
    groups, n_bootstrap, seed
        As in :func:`bootstrap_rows`.
    confidence : float, default=0.95

    Returns
    -------
    Interval

    Raises
    ------
    InputError
        As :func:`bootstrap_rows` does, or if the confidence is not between 0 and 1.
    """
    check_bootstrap(n_bootstrap, confidence)
    rows = bootstrap_rows(n_units, groups=groups, n_bootstrap=n_bootstrap, seed=seed)
    drawn = np.array([statistic(each) for each in rows], dtype=np.float64)
    return percentile_interval(float(statistic(np.arange(n_units))), drawn, confidence)


class GroupSplit(NamedTuple):
    """Rows to train and to test, in ascending order; no group is in both."""

    train: IntArray
    test: IntArray


def split_groups(groups: Any, *, test_share: float = 0.2, seed: int = 0) -> GroupSplit:
    """Deal whole groups out to train and test.

    Parameters
    ----------
    groups : array-like, shape (n_units,)
    test_share : float, default=0.2
        Of the units; as near to it as the groups, in the order drawn, allow.
    seed : int, default=0

    Returns
    -------
    GroupSplit

    Raises
    ------
    InputError
        If the groups cannot be used, there is only one, or the share is not between 0 and 1.
    """
    if groups is None:
        raise InputError("a split by groups needs groups, but they are None.")
    codes = group_codes(groups, len(groups))
    n_groups = int(codes.max(initial=-1)) + 1
    if n_groups < 2:
        raise InputError(f"a split by groups needs two groups at least, but there are {n_groups}.")
    if not 0.0 < test_share < 1.0:
        raise InputError(f"test_share lies between 0 and 1, but it is {test_share!r}.")
    order = np.random.default_rng(seed).permutation(n_groups)
    taken = np.cumsum(np.bincount(codes)[order])[:-1]
    n_test_groups = 1 + int(np.argmin(np.abs(taken - test_share * len(codes))))
    in_test = np.isin(codes, order[:n_test_groups])
    return GroupSplit(np.flatnonzero(~in_test), np.flatnonzero(in_test))
