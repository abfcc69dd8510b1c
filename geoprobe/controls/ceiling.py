"""Noise ceiling of spatial similarity: as alike as two halves of one space can be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from scipy.stats import rankdata

from geoprobe.arrays import as_labels, as_points
from geoprobe.controls.groups import group_codes, members_of
from geoprobe.errors import InputError
from geoprobe.findings.intervals import Interval, mean_interval
from geoprobe.findings.similarity import pearson
from geoprobe.geometry.measured import FloatArray, IntArray
from geoprobe.hulls.resampled import resampled_hull_distances
from geoprobe.progress import ProgressCallback
from geoprobe.tolerances import TAU

Method = Literal["pearson", "spearman"]


@dataclass(frozen=True, eq=False)
class NoiseCeiling:
    """Similarity of two halves of one space's units.

    Attributes
    ----------
    halves : ndarray of float64, shape (n_splits,)
        Correlation of the distances of labels in the two halves; NaN where it is not defined.
    labels : tuple of str
        Those with two units at least.
    left_out : tuple of str
        Those with a single unit, which no two halves can share.
    n_units : int
    method : {"pearson", "spearman"}
    """

    halves: FloatArray
    labels: tuple[str, ...]
    left_out: tuple[str, ...]
    n_units: int
    method: Method

    @property
    def n_pairs(self) -> int:
        """Pairs of labels behind each correlation."""
        return len(self.labels) * (len(self.labels) - 1) // 2

    def half(self, confidence: float = 0.95) -> Interval:
        """Return the mean correlation of halves and its percentiles over the splits."""
        return mean_interval(self.halves, confidence)

    def whole(self, confidence: float = 0.95) -> Interval:
        """Return what two samples as large as the whole would give, by Spearman and Brown.

        ``2 r / (1 + r)``: halves are noisier than the whole, so that their own correlation is a
        lower bound of the ceiling (Nili et al. 2014 bound theirs from both sides for the like
        reason). 0 where halves agree no more than by chance.
        """
        r = np.maximum(self.halves, 0.0)
        return mean_interval(2 * r / (1 + r), confidence)


def split_halves(
    y: Any, *, n_splits: int = 100, seed: int = 0, groups: Any = None
) -> list[tuple[IntArray, IntArray]]:
    """Split units into halves, label by label or by whole groups.

    Parameters
    ----------
    y : array-like, shape (n_units,)
    n_splits : int, default=100
    seed : int, default=0
        Split k depends on the seed and k alone.
    groups : array-like, shape (n_units,), optional
        Groups are dealt out whole, a coin for each; label counts are then equal by chance only.

    Returns
    -------
    list of (first, second)
        Rows in ascending order. Without groups, a label's odd unit goes to either half by chance.

    Raises
    ------
    InputError
        If there is no split, or the arrays cannot be used.
    """
    if n_splits < 1:
        raise InputError(f"n_splits is at least 1, but it is {n_splits!r}.")
    codes = as_labels(y, len(y))[1].astype(np.int64)
    members = members_of(codes if groups is None else group_codes(groups, len(codes)))
    halves = []
    for k in range(n_splits):
        rng = np.random.default_rng([seed, k])
        in_first = np.zeros(len(codes), bool)
        if groups is None:
            for rows in members:
                n_first = (len(rows) + int(rng.integers(2))) // 2
                in_first[rng.permutation(rows)[:n_first]] = True
        else:
            for rows, side in zip(members, rng.integers(2, size=len(members)), strict=True):
                in_first[rows] = bool(side)
        halves.append((np.flatnonzero(in_first), np.flatnonzero(~in_first)))
    return halves


def noise_ceiling(
    X: Any,
    y: Any,
    *,
    n_splits: int = 100,
    seed: int = 0,
    groups: Any = None,
    method: Method = "pearson",
    tau: float = TAU,
    n_threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> NoiseCeiling:
    """Correlate the label distances of two halves of one space, over many ways to halve it.

    No space of as many units can be expected to be more alike to this one than another sample of
    its own units is. A similarity below the ceiling is a difference; one at the ceiling is none.

    Parameters
    ----------
    X : array-like, shape (n_units, n_dims)
    y : array-like, shape (n_units,)
    n_splits : int, default=100
        Each measures two halves.
    seed, groups
        As in :func:`split_halves`. With groups, labels that a half lacks are left out of that
        split.
    method : {"pearson", "spearman"}, default="pearson"
    tau, n_threads
        As in :func:`geoprobe.pairwise_hull_distances`.
    progress : callable, optional

    Returns
    -------
    NoiseCeiling

    Raises
    ------
    InputError
        If an array or an option cannot be used, or fewer than three labels have two units.
    """
    if method not in get_args(Method):
        raise InputError(f"method is 'pearson' or 'spearman', but it is {method!r}.")
    points = as_points(X)
    names, codes = as_labels(y, len(points), min_labels=2)
    large = np.bincount(codes) > 1
    if large.sum() < 3:
        raise InputError(
            f"a noise ceiling needs three labels of two units at least, but there are "
            f"{int(large.sum())} of {len(names)} labels."
        )
    kept = large[codes]
    points, labels = points[kept], codes[kept]
    belongs = None if groups is None else group_codes(groups, len(kept))[kept]
    splits = split_halves(labels, n_splits=n_splits, seed=seed, groups=belongs)
    rows = [half for split in splits for half in split]
    distances = resampled_hull_distances(
        points, labels, rows, tau=tau, n_threads=n_threads, progress=progress
    ).distance
    pairs = zip(distances[::2], distances[1::2], strict=True)
    return NoiseCeiling(
        halves=np.array([_correlated(*pair, method) for pair in pairs]),
        labels=tuple(map(str, names[large].tolist())),
        left_out=tuple(map(str, names[~large].tolist())),
        n_units=len(points),
        method=method,
    )


def _correlated(first: FloatArray, second: FloatArray, method: Method) -> float:
    """Correlate the distances of labels that both halves have."""
    known = ~np.isnan(first) & ~np.isnan(second)
    first, second = first[known], second[known]
    if method == "spearman":
        first, second = rankdata(first), rankdata(second)
    return pearson(first, second)[0]


def joint_ceiling(first: NoiseCeiling, second: NoiseCeiling) -> float:
    """Return the highest similarity that two spaces of these ceilings can be expected to have.

    The geometric mean of the two, as the correction for attenuation has it (Spearman 1904).
    """
    return math.sqrt(first.whole().value * second.whole().value)
