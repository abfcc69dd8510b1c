"""Sampling alone: how unlike a test space looks when its units are drawn like those of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from geoprobe.arrays import as_labels, as_points
from geoprobe.controls.groups import group_codes
from geoprobe.controls.null import Alternative, NullTest
from geoprobe.controls.pseudo_tests import NothingLeft, draw_pseudo_tests
from geoprobe.errors import InputError
from geoprobe.findings.intervals import Interval, mean_interval
from geoprobe.findings.similarity import pearson
from geoprobe.geometry.measured import FloatArray, IntArray
from geoprobe.hulls.resampled import resampled_hull_distances
from geoprobe.progress import ProgressCallback
from geoprobe.tolerances import TAU

DrawFrom = Literal["train", "both"]


@dataclass(frozen=True, eq=False)
class SamplingDrift:
    """How alike a test space is to training, beside pseudo-tests drawn from training.

    In draw k a pseudo-test is taken out of training. Both it and the real test are compared with
    the same rest, so that what the rest is like cancels out.

    Attributes
    ----------
    labels : tuple of str
        Those compared, sorted.
    units : ndarray of int64, shape (n_labels,)
        Test units of each.
    left_out : tuple of str
        Labels of the test that training cannot give as many units of, or that ``min_units`` leaves
        out, or of which a draw leaves nothing outside of its groups.
    similarity : float
        Pearson correlation of the label distances of training and test, all units of both.
    seen, unseen : ndarray of float64, shape (n_draws,)
        Similarity of rest and pseudo-test, of rest and test; NaN where a distance vector is
        constant.
    moved_seen, moved_unseen : ndarray of float64, shape (n_draws, n_labels)
        Distance between a label's means in rest and pseudo-test, in rest and test.
    draw_from : {"train", "both"}
    """

    labels: tuple[str, ...]
    units: IntArray
    left_out: tuple[str, ...]
    similarity: float
    seen: FloatArray
    unseen: FloatArray
    moved_seen: FloatArray
    moved_unseen: FloatArray
    draw_from: DrawFrom

    @property
    def n_pairs(self) -> int:
        """Pairs of labels behind each similarity."""
        return len(self.labels) * (len(self.labels) - 1) // 2

    def drift(self, confidence: float = 0.95) -> Interval:
        """Return seen minus unseen similarity, the mean over the draws and their percentiles."""
        return mean_interval(self.seen - self.unseen, confidence)

    def test(self) -> NullTest:
        """Compare the test's similarity with that of pseudo-tests: drift makes it smaller.

        The null values are the seen similarities, each moved by how far the unseen one of its own
        draw is from their mean: they lie below the observed one exactly where seen is below unseen.
        """
        return paired_test(self.unseen, self.seen, "less")

    def moved(self, label: str) -> NullTest:
        """Compare how far the mean of a label is from training's in test and pseudo-test.

        Raises
        ------
        InputError
            If there is no such label.
        """
        if label not in self.labels:
            raise InputError(f"there is no label {label!r}; labels are {', '.join(self.labels)}.")
        k = self.labels.index(label)
        return paired_test(self.moved_unseen[:, k], self.moved_seen[:, k], "greater")

    def mean_moved(self) -> NullTest:
        """Compare the mean over the labels of how far their means are from training's."""
        return paired_test(self.moved_unseen.mean(axis=1), self.moved_seen.mean(axis=1), "greater")


def paired_test(observed: FloatArray, null: FloatArray, alternative: Alternative) -> NullTest:
    """Compare the mean of what was observed with null values that stand beside each of it."""
    known = observed[~np.isnan(observed)]
    mean = float(known.mean()) if len(known) else float("nan")
    return NullTest(mean, null - observed + mean, alternative)


def pseudo_test_drift(
    X: Any,
    y: Any,
    X_test: Any,
    y_test: Any,
    *,
    n_draws: int = 100,
    seed: int = 0,
    groups: Any = None,
    min_units: int = 1,
    draw_from: DrawFrom = "train",
    tau: float = TAU,
    n_threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> SamplingDrift:
    """Compare a test space with pseudo-tests of the same label counts.

    A test split of few units is unlike training whatever a model does: its hulls are smaller and
    its means noisier. Pseudo-tests show how unlike; only what goes beyond them is drift.

    Parameters
    ----------
    X : array-like, shape (n_units, n_dims)
    y : array-like, shape (n_units,)
    X_test : array-like, shape (n_test_units, n_dims)
    y_test : array-like, shape (n_test_units,)
        Labels are matched as text.
    n_draws : int, default=100
    seed : int, default=0
        Draw k depends on the seed and k alone.
    groups : array-like, shape (n_units,), optional
        Of the training units; none is in both parts of a draw. Only with ``draw_from="train"``.
    min_units : int, default=1
        Labels with fewer test units are left out.
    draw_from : {"train", "both"}, default="train"
        ``"both"`` draws pseudo-tests from training and test together: a permutation test of which
        units are the test, whose p-values are exact.
    tau, n_threads
        As in :func:`geoprobe.pairwise_hull_distances`.
    progress : callable, optional

    Returns
    -------
    SamplingDrift

    Raises
    ------
    InputError
        If an array or an option cannot be used, or fewer than two labels can be compared.
    """
    train, test = as_points(X, name="X"), as_points(X_test, name="X_test")
    if train.shape[1] != test.shape[1]:
        raise InputError(
            f"X and X_test have one number of dimensions, but their shapes are {train.shape} and "
            f"{test.shape}."
        )
    if draw_from not in get_args(DrawFrom):
        raise InputError(f"draw_from is 'train' or 'both', but it is {draw_from!r}.")
    if draw_from == "both" and groups is not None:
        raise InputError("groups are those of training; draw_from='both' does without them.")
    labels, test_labels = _texts(y, len(train), "y"), _texts(y_test, len(test), "y_test")
    belongs = None if groups is None else group_codes(groups, len(train))
    names, draws = _compared(labels, test_labels, min_units), None
    while draws is None:
        _check_two(names, min_units)
        kept, kept_test = np.isin(labels, names), np.isin(test_labels, names)
        units = {name: int(np.count_nonzero(test_labels == name)) for name in names}
        # What pseudo-tests are taken out of; training comes first.
        pool_labels = labels[kept]
        if draw_from == "both":
            pool_labels = np.concatenate([pool_labels, test_labels[kept_test]])
        of_kept = None if belongs is None else belongs[kept]
        try:
            draws = list(
                draw_pseudo_tests(pool_labels, units, n_draws=n_draws, seed=seed, groups=of_kept)
            )
        except NothingLeft as nothing:
            names.remove(nothing.label)
    left_out = tuple(sorted({*test_labels.tolist()} - {*names}))
    train, test, test_labels = train[kept], test[kept_test], test_labels[kept_test]
    pool = np.concatenate([train, test]) if draw_from == "both" else train
    measure = partial(resampled_hull_distances, tau=tau, n_threads=n_threads)
    of_test = measure(test, test_labels, [np.arange(len(test))]).distance[0]
    parts = [np.arange(len(train)), *(rows for draw in draws for rows in (draw.rest, draw.test))]
    of_train, *of_draws = measure(pool, pool_labels, parts, progress=progress).distance
    of_rest, of_drawn = of_draws[::2], of_draws[1::2]
    means = [_means(pool[rows], pool_labels[rows], names) for rows in parts]
    rest, drawn = np.stack(means[1::2]), np.stack(means[2::2])
    # Where the rest holds test units, the real split is compared as it is.
    against, start = (of_rest, rest) if draw_from == "train" else ([of_train] * n_draws, means[0])
    moved = np.linalg.norm(_means(test, test_labels, names) - start, axis=-1)
    return SamplingDrift(
        labels=tuple(names),
        units=np.array([*units.values()], np.int64),
        left_out=left_out,
        similarity=pearson(of_train, of_test)[0],
        seen=np.array([pearson(*pair)[0] for pair in zip(of_rest, of_drawn, strict=True)]),
        unseen=np.array([pearson(each, of_test)[0] for each in against]),
        moved_seen=np.linalg.norm(drawn - rest, axis=2),
        moved_unseen=np.broadcast_to(moved, rest.shape[:2]),
        draw_from=draw_from,
    )


def _texts(y: Any, n_units: int, name: str) -> NDArray[np.str_]:
    names, codes = as_labels(y, n_units, name=name, min_labels=2)
    return names.astype(str)[codes]


def _compared(labels: NDArray[np.str_], test_labels: NDArray[np.str_], min_units: int) -> list[str]:
    """Return the labels of which training has more units than the test."""
    return [
        str(name)
        for name, number in zip(*np.unique(test_labels, return_counts=True), strict=True)
        if min_units <= number < np.count_nonzero(labels == name)
    ]


def _check_two(names: Sequence[str], min_units: int) -> None:
    if len(names) < 2:
        raise InputError(
            f"drift needs two labels at least of which training has more units than the test's "
            f"{min_units} or more, also without the groups that are drawn, but there are "
            f"{len(names)}."
        )


def _means(points: NDArray[Any], labels: NDArray[np.str_], names: Sequence[str]) -> FloatArray:
    return np.stack([points[labels == name].mean(axis=0, dtype=np.float64) for name in names])
