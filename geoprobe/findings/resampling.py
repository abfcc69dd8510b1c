"""Hull distances under resampling of units; they can only grow.

A resample holds some of the points, so its hulls lie inside the hulls of all points. Its distances
are at least those measured, and the interval begins at the value or above it: it shows how much
hangs on single points, and is no interval for the distance of the populations.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.arrays import as_labels
from geoprobe.errors import InputError
from geoprobe.findings.intervals import Interval, check_bootstrap, percentile_interval
from geoprobe.findings.similarity import pearson
from geoprobe.geometry.cells import Cell
from geoprobe.geometry.label_files import LabelFile
from geoprobe.geometry.measured import FloatArray, IntArray
from geoprobe.progress import ProgressCallback
from geoprobe.showing import Showing, Summary, count
from geoprobe.spaces import Space
from geoprobe.tolerances import TAU


@dataclass(frozen=True, eq=False)
class ResampledDistances(Showing):
    """Distances of the hulls of whole labels, of all units and of resamples.

    Attributes
    ----------
    labels : tuple of str
        Sorted.
    distances : ndarray of float64, shape (n_pairs,)
        Of all units; pairs of labels in lexicographic order.
    draws : ndarray of float64, shape (n_bootstrap, n_pairs)
    units : str
        SHA-256 of the units' labels and of the seed: where it is the same, so are the resamples.
    cell : Cell or None
        What was measured, where that is known.
    """

    labels: tuple[str, ...]
    distances: FloatArray
    draws: FloatArray
    units: str
    cell: Cell | None = None

    def _summaries(self) -> Sequence[Summary]:
        n_draws, n_pairs = self.draws.shape
        of = "" if self.cell is None else f" of {self.cell}"
        return (Summary((f"{count(n_pairs, 'pair')} of labels{of}, {n_draws:,} resamples.",)),)

    def minimum(self, confidence: float = 0.95) -> dict[str, Interval]:
        """Return the smallest distance of each label to another one, with its percentiles.

        Parameters
        ----------
        confidence : float, default=0.95

        Returns
        -------
        dict of str to Interval
            By label; no interval begins below its value.
        """
        check_bootstrap(len(self.draws), confidence)
        value, drawn = self._nearest(self.distances[None]), self._nearest(self.draws)
        return {
            label: percentile_interval(float(value[0, k]), drawn[:, k], confidence)
            for k, label in enumerate(self.labels)
        }

    def _nearest(self, pairs: FloatArray) -> FloatArray:
        """Return the smallest distance of each label, shape (n_rows, n_labels)."""
        n_labels = len(self.labels)
        first, second = np.triu_indices(n_labels, 1)
        nearest = [
            pairs[:, (first == k) | (second == k)].min(axis=1, initial=np.inf)
            for k in range(n_labels)
        ]
        return np.stack(nearest, axis=1)


def resample_distances(
    space: Space,
    *,
    n_bootstrap: int = 100,
    seed: int = 0,
    tau: float = TAU,
    n_threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> ResampledDistances:
    """Resample units within labels and measure all pairs of labels again.

    Parameters
    ----------
    space : Space
    n_bootstrap : int, default=100
    seed : int, default=0
    tau, n_threads, progress
        As in :func:`geoprobe.hulls.resampled_hull_distances`.

    Returns
    -------
    ResampledDistances

    Raises
    ------
    InputError
        If there are fewer than two resamples or labels.
    """
    from geoprobe.hulls.resampled import resampled_hull_distances

    check_bootstrap(n_bootstrap)
    names, codes = as_labels(space.labels, space.n_points, min_labels=2)
    labels = tuple(map(str, names.tolist()))

    rows = list(_resamples(codes, len(names), n_bootstrap, seed))
    found = resampled_hull_distances(
        space.points, space.labels, rows, tau=tau, n_threads=n_threads, progress=progress
    )
    identity = repr((labels, seed)).encode() + codes.astype("<i8").tobytes()
    units = hashlib.sha256(identity).hexdigest()
    return ResampledDistances(labels, found.whole.distance, found.distance, units)


def similarity_interval(
    first: ResampledDistances, second: ResampledDistances, *, confidence: float = 0.95
) -> Interval:
    """Compare two spaces in every resample: the percentiles of their spatial similarity.

    Parameters
    ----------
    first, second : ResampledDistances
        Of the same units in the same order, with the same seed and as many resamples.
    confidence : float, default=0.95

    Returns
    -------
    Interval
        Of the spatial similarity of whole hulls; NaN throughout where it is not defined for all
        units or for a resample.

    Raises
    ------
    InputError
        If the resamples are not of the same units.
    """
    check_bootstrap(len(first.draws), confidence)
    if first.units != second.units or first.draws.shape != second.draws.shape:
        raise InputError(
            f"the units of both spaces are resampled alike, but their labels, seeds or numbers of "
            f"resamples differ ({first.draws.shape[0]} and {second.draws.shape[0]} resamples of "
            f"{len(first.labels)} and {len(second.labels)} labels)."
        )
    drawn = [pearson(a, b)[0] for a, b in zip(first.draws, second.draws, strict=True)]
    value, _ = pearson(first.distances, second.distances)
    return percentile_interval(value, np.array(drawn), confidence)


def save_resamples(resampled: ResampledDistances, path: str | os.PathLike[str]) -> Path:
    """Write resampled distances to one npz file, which appears complete or not at all.

    Raises
    ------
    OutputError, StoreError
        As :func:`geoprobe.geometry.write_geometry` does.
    """
    return _FILE.save(resampled, path)


def load_resamples(path: str | os.PathLike[str]) -> ResampledDistances:
    """Read resampled distances back.

    Raises
    ------
    FormatError
        If the file is missing, damaged, or of another kind or version.
    """
    return _FILE.load(path)


_FILE = LabelFile(
    ResampledDistances,
    what="resamples",
    format="geoprobe resamples",
    version=2,
    arrays={"distances": ("pairs",), "draws": ("draws", "pairs")},
)


def _resamples(
    codes: NDArray[Any], n_labels: int, n_bootstrap: int, seed: int
) -> Iterator[IntArray]:
    """Yield the different rows of each resample; rows drawn twice do not change a hull."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(codes == k) for k in range(n_labels)]
    for _ in range(n_bootstrap):
        drawn = [rng.choice(rows, len(rows)) for rows in members]
        yield np.unique(np.concatenate(drawn)).astype(np.int64)
