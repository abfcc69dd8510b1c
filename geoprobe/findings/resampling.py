"""Hull distances under resampling of units; they can only grow.

A resample holds some of the points, so its hulls lie inside the hulls of all points. Its distances
are at least those measured, and the interval begins at the value or above it: it shows how much
hangs on single points, and is no interval for the distance of the populations.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from geoprobe.arrays import as_labels
from geoprobe.errors import InputError
from geoprobe.findings.geometry import FloatArray, IntArray
from geoprobe.findings.intervals import Interval, check_bootstrap, percentile_interval
from geoprobe.findings.pearson import pearson
from geoprobe.hulls.pairwise import pairwise_hull_distances
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.spaces import Space
from geoprobe.tolerances import TAU


def resampled_minimum_distances(
    space: Space,
    *,
    n_bootstrap: int = 100,
    confidence: float = 0.95,
    seed: int = 0,
    tau: float = TAU,
    n_threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> dict[str, Interval]:
    """Resample units within labels and measure each label's smallest hull distance again.

    Parameters
    ----------
    space : Space
    n_bootstrap : int, default=100
        Every resample measures all pairs of labels.
    confidence : float, default=0.95
    seed : int, default=0
    tau, n_threads
        As in :func:`geoprobe.pairwise_hull_distances`.
    progress : callable, optional

    Returns
    -------
    dict of str to Interval
        By label, of whole hulls (``reduce="hull"``); percentiles, none below the value.
    """
    check_bootstrap(n_bootstrap, confidence)
    names, codes = as_labels(space.labels, space.n_points, min_labels=2)
    everything = np.arange(space.n_points)
    value = _nearest(_matrix(space, everything, tau, n_threads))
    draws = []
    for rows in _resamples(codes, len(names), n_bootstrap, seed, progress):
        draws.append(_nearest(_matrix(space, rows, tau, n_threads)))
    drawn = np.array(draws)
    return {
        str(name): percentile_interval(float(value[k]), drawn[:, k], confidence)
        for k, name in enumerate(names.tolist())
    }


def resampled_similarity(
    first: Space,
    second: Space,
    *,
    n_bootstrap: int = 100,
    confidence: float = 0.95,
    seed: int = 0,
    tau: float = TAU,
    n_threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> Interval:
    """Resample the units of two spaces alike and compare their distance vectors again.

    Parameters
    ----------
    first, second : Space
        The same units in the same order.
    n_bootstrap : int, default=100
    confidence : float, default=0.95
    seed : int, default=0
    tau, n_threads
        As in :func:`geoprobe.pairwise_hull_distances`.
    progress : callable, optional

    Returns
    -------
    Interval
        Of the spatial similarity of whole hulls; NaN throughout where it is not defined for all
        units or for a resample.

    Raises
    ------
    InputError
        If the labels of the spaces differ.
    """
    check_bootstrap(n_bootstrap, confidence)
    if not np.array_equal(first.labels, second.labels):
        raise InputError(
            f"the units of both spaces are resampled alike, but their labels differ "
            f"({first.n_points} and {second.n_points} units)."
        )
    names, codes = as_labels(first.labels, first.n_points, min_labels=2)
    upper = np.triu_indices(len(names), 1)

    def similarity(rows: IntArray) -> float:
        of_each = [_matrix(space, rows, tau, n_threads)[upper] for space in (first, second)]
        return pearson(of_each[0], of_each[1])[0]

    value = similarity(np.arange(first.n_points))
    draws = _resamples(codes, len(names), n_bootstrap, seed, progress)
    return percentile_interval(value, np.array([similarity(rows) for rows in draws]), confidence)


def _resamples(
    codes: IntArray | np.ndarray[tuple[int, ...], np.dtype[np.int32]],
    n_labels: int,
    n_bootstrap: int,
    seed: int,
    progress: ProgressCallback | None,
) -> Iterator[IntArray]:
    """Yield the different rows of each resample; rows drawn twice do not change a hull."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(codes == k) for k in range(n_labels)]
    for done in range(n_bootstrap):
        drawn = [rng.choice(rows, len(rows)) for rows in members]
        yield np.unique(np.concatenate(drawn)).astype(np.int64)
        if progress is not None:
            progress(Progress("resampling", done + 1, n_bootstrap))


def _matrix(space: Space, rows: IntArray, tau: float, n_threads: int | None) -> FloatArray:
    return pairwise_hull_distances(
        space.points[rows], space.labels[rows], tau=tau, n_threads=n_threads
    ).matrix()


def _nearest(matrix: FloatArray) -> FloatArray:
    """Return the smallest entry of each row off the diagonal."""
    off = matrix + np.where(np.eye(len(matrix), dtype=bool), np.inf, 0.0)
    return np.asarray(off.min(axis=1), dtype=np.float64)
