"""Distances of labels, and labels of two spaces matched by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from geoprobe.errors import InputError
from geoprobe.geometry.label_table import LabelTable
from geoprobe.geometry.measured import FloatArray, Geometry
from geoprobe.geometry.pairs import PairwiseDistances
from geoprobe.showing import Showing, Summary, count, first_few, frame, number

Reduce = Literal["mean", "minimum", "hull"]


class LabelMatch(NamedTuple):
    """Labels of two spaces, matched by name; each in the order of its space."""

    common: tuple[str, ...]
    only_in_first: tuple[str, ...]
    only_in_second: tuple[str, ...]

    def notes(self, where: object, what: str = "labels") -> list[str]:
        """Return a sentence on the labels of one space only, the first being the earlier one."""
        ends = (("before", self.only_in_first), ("after", self.only_in_second))
        return [
            f"{where}: {what} only {when}: {', '.join(names)}." for when, names in ends if names
        ]


def match_labels(first: Sequence[str], second: Sequence[str]) -> LabelMatch:
    """Match labels by name.

    Parameters
    ----------
    first, second : sequence of str

    Returns
    -------
    LabelMatch
    """
    in_first, in_second = set(first), set(second)
    return LabelMatch(
        common=tuple(name for name in first if name in in_second),
        only_in_first=tuple(name for name in first if name not in in_second),
        only_in_second=tuple(name for name in second if name not in in_first),
    )


@dataclass(frozen=True, eq=False)
class LabelDistances(Showing):
    """Distances of all pairs of labels of one space.

    Attributes
    ----------
    labels : tuple of str
    matrix : ndarray of float64, shape (n_labels, n_labels)
        Symmetric; NaN on the diagonal and where a label has no cluster large enough.
    left_out : tuple of str
        Labels without a cluster of ``min_cluster_size`` points.
    reduce : str
    min_cluster_size : int
    """

    labels: tuple[str, ...]
    matrix: FloatArray
    left_out: tuple[str, ...]
    reduce: Reduce
    min_cluster_size: int

    def vector(self, labels: Sequence[str]) -> FloatArray:
        """Return the distance vector of some labels (ACL 2022, section 2).

        Parameters
        ----------
        labels : sequence of str
            All of them in this space.

        Returns
        -------
        ndarray of float64, shape (n * (n - 1) / 2,)
            Pairs in the lexicographic order of ``labels``.
        """
        position = {name: k for k, name in enumerate(self.labels)}
        rows = np.array([position[name] for name in labels], dtype=np.int64)
        first, second = np.triu_indices(len(rows), 1)
        return np.asarray(self.matrix[rows[first], rows[second]], dtype=np.float64)

    def minimum(self) -> tuple[FloatArray, tuple[str, ...]]:
        """Return each label's smallest distance to the others, and the label it has it to.

        Returns
        -------
        distance : ndarray of float64, shape (n_labels,)
            NaN for labels left out.
        nearest : tuple of str
            The first such label of several; empty text for labels left out.
        """
        reachable = np.where(np.isnan(self.matrix), np.inf, self.matrix)
        nearest = reachable.argmin(axis=1)
        distance = reachable[np.arange(len(nearest)), nearest]
        known = np.isfinite(distance)
        names = tuple(
            self.labels[k] if here else ""
            for k, here in zip(nearest.tolist(), known.tolist(), strict=True)
        )
        return np.where(known, distance, np.nan), names

    def to_frame(self) -> Any:
        """Return the matrix as a pandas DataFrame with the labels as its index and its columns.

        Raises
        ------
        GeoprobeError
            If pandas is not installed.
        """
        columns = dict(zip(self.labels, self.matrix.T, strict=True))
        return frame(columns).set_axis(list(self.labels), axis="index")

    def plot(self, ax: Any = None) -> Any:
        """Draw the distances as a grid of colours.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            New ones by default.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        GeoprobeError
            If matplotlib is not installed.
        """
        from geoprobe.drawing.grids import draw_distances

        return draw_distances(self.matrix, self.labels, ax=ax, title=self._size())

    def _size(self) -> str:
        what = "hulls" if self.reduce == "hull" else f"{self.reduce} over clusters"
        return f"{count(len(self.labels), 'label')}, {what}"

    def _summaries(self) -> Sequence[Summary]:
        distance, nearest = self.minimum()
        lines = [f"{self._size()}."]
        if np.isfinite(distance).any():
            k = int(np.nanargmin(distance))
            lines.append(
                f"The nearest two: {self.labels[k]} and {nearest[k]}, {number(distance[k])} apart."
            )
        if self.left_out:
            lines.append(f"Left out for their small clusters: {first_few(self.left_out)}.")
        return (Summary(tuple(lines)),)


def label_distances(
    geometry: Geometry, *, reduce: Reduce = "mean", min_cluster_size: int = 1
) -> LabelDistances:
    """Gather the distances of labels from those of their clusters.

    In a linear space every label is one cluster and all three ways agree.

    Parameters
    ----------
    geometry : Geometry
    reduce : {"mean", "minimum", "hull"}, default="mean"
        What the distance of labels of several clusters is: the mean over all pairs of clusters
        (as in the code of Zhou & Srikumar 2022), the smallest of them, or the distance of the
        hulls of the whole labels, which is 0 where they overlap.
    min_cluster_size : int, default=1
        Clusters of fewer points are left out (Zhou & Srikumar leave out those of five points or
        fewer: 6). Labels left without a cluster are listed. Not for ``"hull"``.

    Returns
    -------
    LabelDistances

    Raises
    ------
    InputError
        If an option is unknown, or the clusters were not measured.
    """
    if reduce not in get_args(Reduce):
        raise InputError(f"reduce is one of {', '.join(get_args(Reduce))}, but it is {reduce!r}.")
    if min_cluster_size < 1:
        raise InputError(f"min_cluster_size is at least 1, but it is {min_cluster_size!r}.")
    if reduce == "hull" and min_cluster_size > 1:
        raise InputError(
            "min_cluster_size leaves clusters out, but reduce='hull' measures whole labels; "
            "choose 'mean' or 'minimum'."
        )
    if reduce == "hull":
        left_out: tuple[str, ...] = ()
        matrix = _square(geometry, geometry.hulls, geometry.hulls.distance)
    else:
        matrix, kept = _from_clusters(geometry, reduce, min_cluster_size)
        left_out = tuple(name for k, name in enumerate(geometry.labels) if k not in kept)
    return LabelDistances(geometry.labels, matrix, left_out, reduce, min_cluster_size)


_OF_SPLIT_LABELS = {
    "mean": "the mean over all pairs of their clusters",
    "minimum": "the smallest one of their clusters",
    "hull": "0 where their hulls overlap",
}


def split_labels(spaces: Sequence[Geometry], reduce: Reduce, where: str) -> list[str]:
    """Return a sentence on what the distances of labels are where a space is not linear.

    Parameters
    ----------
    spaces : sequence of Geometry
        One, or those of a fine-tuning step by step.
    reduce : {"mean", "minimum", "hull"}
    where : str
        What they are, for the sentence.

    Returns
    -------
    list of str
        Empty where all are linear.
    """
    split = [g for g in spaces if not g.is_linear]
    if not split:
        return []
    steps = "" if len(spaces) == 1 else f" at {len(split)} of {len(spaces)} steps"
    counts = sorted(g.n_clusters for g in split if g.clusters is not None)
    clusters = " to ".join(dict.fromkeys(f"{n:,}" for n in counts[:1] + counts[-1:]))
    known = f" ({clusters} clusters)" if counts else ""
    return [
        f"{where}: not linear{steps}{known} for {split[0].n_labels} labels; the distance of two "
        f"labels is {_OF_SPLIT_LABELS[reduce]}."
    ]


def _square(
    geometry: Geometry, pairs: PairwiseDistances | LabelTable, distance: FloatArray
) -> FloatArray:
    matrix = np.full((geometry.n_labels, geometry.n_labels), np.nan)
    matrix[pairs.first, pairs.second] = distance
    matrix[pairs.second, pairs.first] = distance
    return matrix


def _from_clusters(
    geometry: Geometry, reduce: Reduce, min_cluster_size: int
) -> tuple[FloatArray, set[int]]:
    """Gather by label what clusters are large enough; also return the labels that have some."""
    clusters = geometry.need_clusters()
    table = geometry.label_table(min_cluster_size)
    matrix = _square(geometry, table, table.mean if reduce == "mean" else table.upper)
    return matrix, set(clusters.label[clusters.size >= min_cluster_size].tolist())
