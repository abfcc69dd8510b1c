"""Agreement of two layouts of labels: Pearson and Spearman, intervals, and what they rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from geoprobe.controls.weighted import weighted_correlation, weighted_ranks
from geoprobe.errors import InputError
from geoprobe.findings.intervals import Interval, check_bootstrap, interval_of_defined
from geoprobe.findings.label_pairs import Reduce, label_distances
from geoprobe.findings.similarity import pearson
from geoprobe.geometry.measured import FloatArray, Geometry, IntArray

Absent = Literal["error", "intersect", "zero"]
"""What becomes of labels that one space lacks."""

SIZES = (1, 6, 10)
"""Label sizes at which agreement is looked at: all, without the tiny ones, well-founded ones."""

MIN_PAIRS = 10
"""Fewer pairs of labels carry no finding: with six pairs (four labels) a correlation of 0.8 is
within the reach of chance (p = 0.056)."""

# So many resamples are weighed at once.
_CHUNK = 64


@dataclass(frozen=True)
class Layout:
    """Distances of all pairs of labels of a space.

    Attributes
    ----------
    labels : tuple of str
    matrix : ndarray of float64, shape (n_labels, n_labels)
        Symmetric; the diagonal is not read. A label whose distances are all NaN is absent.
    units : ndarray of int64, shape (n_labels,), or None
        Of each label, where thresholds on them are asked for.
    """

    labels: tuple[str, ...]
    matrix: FloatArray
    units: IntArray | None = None

    def __post_init__(self) -> None:
        """Bring the fields to their form and refuse what does not fit together."""
        labels = tuple(map(str, self.labels))
        matrix = np.asarray(self.matrix, dtype=np.float64)
        n = len(labels)
        if len(set(labels)) < n:
            twice = next(name for name in labels if labels.count(name) > 1)
            raise InputError(f"the label {twice!r} stands twice in a layout.")
        if matrix.shape != (n, n):
            raise InputError(
                f"a layout of {n} labels has a matrix of the shape {(n, n)}, but it is "
                f"{matrix.shape}."
            )
        off = ~np.eye(n, dtype=bool)
        uneven = off & ~np.isclose(matrix, matrix.T, rtol=1e-9, atol=0.0, equal_nan=True)
        if uneven.any():
            i, j = np.argwhere(uneven)[0]
            raise InputError(
                f"distances are symmetric, but {labels[i]!r} to {labels[j]!r} is {matrix[i, j]} "
                f"and back {matrix[j, i]}."
            )
        absent = _absent(matrix)
        partly = np.isnan(matrix) & off & ~absent[:, None] & ~absent[None, :]
        if partly.any():
            i, j = np.argwhere(partly)[0]
            raise InputError(f"the distance of {labels[i]!r} and {labels[j]!r} is NaN.")
        units = None if self.units is None else np.asarray(self.units, np.int64)
        if units is not None and units.shape != (n,):
            raise InputError(f"there are {n} labels, but units have the shape {units.shape}.")
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "units", units)

    @classmethod
    def of(
        cls, geometry: Geometry, *, reduce: Reduce = "mean", min_cluster_size: int = 1
    ) -> Layout:
        """Gather the layout of a measured space.

        Parameters
        ----------
        geometry : Geometry
        reduce, min_cluster_size
            As in :func:`geoprobe.findings.label_distances`.
        """
        distances = label_distances(geometry, reduce=reduce, min_cluster_size=min_cluster_size)
        return cls(distances.labels, distances.matrix, geometry.counts)

    def present(self, min_units: int) -> tuple[str, ...]:
        """Return the labels that have distances and units enough."""
        if min_units > 1 and self.units is None:
            raise InputError(
                f"min_units is {min_units}, but the layout does not say how many units its labels "
                f"have."
            )
        there = ~_absent(self.matrix)
        if self.units is not None:
            there &= self.units >= min_units
        return tuple(name for name, yes in zip(self.labels, there, strict=True) if yes)

    def among(self, labels: Sequence[str]) -> FloatArray:
        """Return the matrix of some labels; 0 where one of them is not in the layout."""
        position = {name: k for k, name in enumerate(self.labels)}
        there = [k for k, name in enumerate(labels) if name in position]
        rows = [position[labels[k]] for k in there]
        matrix = np.zeros((len(labels), len(labels)))
        matrix[np.ix_(there, there)] = np.nan_to_num(self.matrix[np.ix_(rows, rows)])
        return matrix


def _absent(matrix: FloatArray) -> NDArray[np.bool_]:
    """Whether each label has no distance to any other, shape (n_labels,); not so a single one."""
    if len(matrix) < 2:
        return np.zeros(len(matrix), np.bool_)
    lacking = np.isnan(matrix) | np.eye(len(matrix), dtype=bool)
    return np.asarray(np.all(lacking, axis=1), dtype=np.bool_)


@dataclass(frozen=True)
class Agreement:
    """How alike two layouts are.

    Attributes
    ----------
    pearson, spearman : Interval
        Correlation of the distances, with percentiles over resampled labels; NaN where it is not
        defined.
    labels : tuple of str
        Those compared.
    n_pairs : int
    only_in_first, only_in_second : tuple of str
        Labels that one layout lacks.
    too_small : tuple of str
        Labels of both layouts with fewer than ``min_units`` units in one of them, left out.
    absent : {"error", "intersect", "zero"}
        What became of labels of one layout only.
    min_units, min_pairs : int
    undefined : str
        Why there is no correlation; empty where there is one.
    """

    pearson: Interval
    spearman: Interval
    labels: tuple[str, ...]
    n_pairs: int
    only_in_first: tuple[str, ...]
    only_in_second: tuple[str, ...]
    too_small: tuple[str, ...]
    absent: Absent
    min_units: int
    min_pairs: int
    undefined: str

    @property
    def enough(self) -> bool:
        """Whether there are pairs enough to speak of a finding."""
        return self.n_pairs >= self.min_pairs and not self.undefined

    def __str__(self) -> str:
        """Give both correlations, or say why they are no finding."""
        about = f"{self.n_pairs} pairs of {len(self.labels)} labels"
        if self.undefined:
            return f"no correlation: {self.undefined}"
        if not self.enough:
            return f"no finding: {about}, and fewer than {self.min_pairs} pairs carry none"
        return (
            f"Pearson {_shown(self.pearson)}, Spearman {_shown(self.spearman)}, {about} of "
            f"{self.min_units} units or more"
        )


def _shown(interval: Interval) -> str:
    return f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def correlate_layouts(
    first: Layout | Geometry,
    second: Layout | Geometry,
    *,
    absent: Absent = "error",
    min_units: int = 1,
    min_pairs: int = MIN_PAIRS,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Agreement:
    """Correlate the distances of labels in two spaces, by their values and by their ranks.

    Pairs that share a label depend on each other, so labels are resampled and not pairs, as
    rsatoolbox resamples patterns (Nili et al. 2014); a label drawn twice has no distance to itself.

    Parameters
    ----------
    first, second : Layout or Geometry
        Labels are matched by name.
    absent : {"error", "intersect", "zero"}, default="error"
        Labels of one space only are refused, left out, or take part with distances of 0, as in the
        code that Zhou & Srikumar (2022) released.
    min_units : int, default=1
        Labels with fewer units in either space are left out; see :data:`SIZES`.
    min_pairs : int, default=10
        Fewer pairs of labels are no finding, which the outcome says.
    n_bootstrap : int, default=1000
    confidence : float, default=0.95
    seed : int, default=0

    Returns
    -------
    Agreement

    Raises
    ------
    InputError
        If an option is out of its range, or labels are absent and ``absent`` is ``"error"``.
    """
    check_bootstrap(n_bootstrap, confidence)
    if absent not in get_args(Absent):
        raise InputError(f"absent is one of {', '.join(get_args(Absent))}, but it is {absent!r}.")
    if min_units < 1 or min_pairs < 1:
        raise InputError(
            f"min_units and min_pairs are at least 1, but they are {min_units!r} and {min_pairs!r}."
        )
    layouts = [Layout.of(each) if isinstance(each, Geometry) else each for each in (first, second)]
    (a, b) = layouts
    there = [each.present(1) for each in layouts]
    large = [set(each.present(min_units)) for each in layouts]
    only = tuple(
        tuple(name for name in mine if name not in other) for mine, other in (there, there[::-1])
    )
    if absent == "error" and (only[0] or only[1]):
        which = "first" if only[0] else "second"
        raise InputError(
            f"labels only in the {which} space: {', '.join(only[0] or only[1])}. Leave them out "
            f"with absent='intersect', or give them distances of 0 with absent='zero'."
        )
    common = [name for name in there[0] if name in there[1]]
    too_small = tuple(name for name in common if not all(name in each for each in large))
    compared = [name for name in common if name not in too_small]
    if absent == "zero":
        compared += [name for name in (*only[0], *only[1]) if name in large[0] | large[1]]
    matrices = a.among(compared), b.among(compared)
    upper = np.triu_indices(len(compared), 1)
    value, undefined = pearson(matrices[0][upper], matrices[1][upper])
    ranked = _spearman(matrices[0][upper], matrices[1][upper])
    drawn = _drawn(matrices, n_bootstrap, seed)
    return Agreement(
        pearson=interval_of_defined(value, drawn[:, 0], confidence),
        spearman=interval_of_defined(ranked, drawn[:, 1], confidence),
        labels=tuple(compared),
        n_pairs=len(upper[0]),
        only_in_first=only[0],
        only_in_second=only[1],
        too_small=too_small,
        absent=absent,
        min_units=min_units,
        min_pairs=min_pairs,
        undefined=undefined,
    )


def correlate_by_size(
    first: Layout | Geometry,
    second: Layout | Geometry,
    *,
    sizes: Sequence[int] = SIZES,
    **options: Any,
) -> tuple[Agreement, ...]:
    """Correlate two layouts over all labels, and over those of so many units or more.

    A similarity that changes with the threshold hangs on a few tiny labels.

    Parameters
    ----------
    first, second : Layout or Geometry
    sizes : sequence of int, default=(1, 6, 10)
    **options
        As in :func:`correlate_layouts`.

    Returns
    -------
    tuple of Agreement
        One for each size.
    """
    return tuple(correlate_layouts(first, second, min_units=size, **options) for size in sizes)


def _spearman(first: FloatArray, second: FloatArray) -> float:
    if not len(first):
        return float("nan")
    return pearson(rankdata(first), rankdata(second))[0]


def _drawn(matrices: tuple[FloatArray, FloatArray], n_bootstrap: int, seed: int) -> FloatArray:
    """Correlate resamples of the labels, shape (n_bootstrap, 2); NaN where that is not defined.

    A pair stands in a resample as often as its first label was drawn times its second.
    """
    n = len(matrices[0])
    drawn = np.full((n_bootstrap, 2), np.nan)
    if n < 3:
        return drawn
    rng = np.random.default_rng(seed)
    upper = np.triu_indices(n, 1)
    first, second = (matrix[upper] for matrix in matrices)
    for start in range(0, n_bootstrap, _CHUNK):
        labels = rng.integers(n, size=(min(_CHUNK, n_bootstrap - start), n))
        times = np.stack([np.bincount(each, minlength=n) for each in labels]).astype(np.float64)
        weights = times[:, upper[0]] * times[:, upper[1]]
        ranks = weighted_ranks(first, weights), weighted_ranks(second, weights)
        part = slice(start, start + len(labels))
        drawn[part, 0] = weighted_correlation(first[None], second[None], weights)
        drawn[part, 1] = weighted_correlation(*ranks, weights)
    return drawn
