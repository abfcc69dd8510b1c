"""Answers about pairs of convex hulls: a status, two bounds, and the weights that prove them."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import InputError, UnprovedError
from geoprobe.files.csv_files import pick
from geoprobe.showing import MOST_ROWS, Showing, Summary, count, frame, number

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class Status(enum.IntEnum):
    """The outcome of a question about two hulls."""

    DISJOINT = 0
    """Proved by a hyperplane: the lower bound exceeds ``tau * scale``."""
    OVERLAP = 1
    """Proved by convex weights: the upper bound is at most ``tau * scale``."""
    UNPROVED = 2
    """Neither was proved: the bounds are valid, but lie on both sides of ``tau * scale``."""


class Stage(enum.IntEnum):
    """Which solver produced an answer."""

    KERNEL = 0
    """The compiled active-set kernels."""
    HIGHS = 1
    """The linear program solved by HiGHS."""


FEW = 100_000
"""So many pairs are enough for a picture."""

STATUS_NAMES = tuple(status.name.lower() for status in Status)
STAGE_NAMES = tuple(stage.name.lower() for stage in Stage)


@dataclass(frozen=True, eq=False)
class HullResult(Showing):
    """The answer about two convex hulls, with its certificate.

    Attributes
    ----------
    status : Status
        Whether the hulls are proved disjoint or proved to overlap.
    lower, upper : float
        Bounds of the distance of the hulls, in the units of the points. ``lower`` is the gap that
        the hyperplane ``normal`` leaves, after subtracting the rounding error of its dot
        products; ``upper`` is the length between the two convex combinations.
    support_a, support_b : ndarray of int64, shapes (n_support_a,), (n_support_b,)
        Rows of the two sets that carry weight.
    weights_a, weights_b : ndarray of float64, same shapes
        Convex weights of those rows: not negative, sum 1.
    normal : ndarray of float64, shape (n_dims,)
        Unit normal of the best hyperplane found, from the second hull to the first; all zeros
        when the hulls overlap.
    offset : float
        The hyperplane is ``{x : normal @ x == offset}``, midway between the hulls.
    scale : float
        R, the largest distance of a point to the mean of all points.
    tau : float
        The tolerance: hulls at most ``tau * scale`` apart overlap.
    stage : Stage
        The solver that decided.
    """

    status: Status
    lower: float
    upper: float
    support_a: IntArray
    weights_a: FloatArray
    support_b: IntArray
    weights_b: FloatArray
    normal: FloatArray
    offset: float
    scale: float
    tau: float
    stage: Stage

    def __bool__(self) -> bool:
        """Whether the hulls overlap; an unproved answer has no truth value."""
        if self.status is Status.UNPROVED:
            raise UnprovedError(
                f"neither overlap nor disjointness is proved: the distance lies in "
                f"[{self.lower:.3g}, {self.upper:.3g}] and tau * scale is "
                f"{self.tau * self.scale:.3g}."
            )
        return self.status is Status.OVERLAP

    @property
    def distance(self) -> float:
        """The distance of the hulls: ``upper`` when disjoint, 0 when they overlap."""
        return 0.0 if self.status is Status.OVERLAP else self.upper

    @property
    def gap(self) -> float:
        """Relative width of the bounds, ``(upper - lower) / upper``; 0 when they overlap."""
        return 0.0 if self.status is Status.OVERLAP else (self.upper - self.lower) / self.upper

    def to_frame(self) -> Any:
        """Return the points that carry weight as a pandas DataFrame: side, row, weight.

        Raises
        ------
        GeoprobeError
            If pandas is not installed.
        """
        sides = ["a"] * len(self.support_a) + ["b"] * len(self.support_b)
        return frame(
            {
                "side": sides,
                "row": np.concatenate([self.support_a, self.support_b]),
                "weight": np.concatenate([self.weights_a, self.weights_b]),
            }
        )

    def plot(self, A: Any, B: Any, ax: Any = None) -> Any:
        """Draw the two sets, their hulls and the line between the nearest points.

        Disjoint hulls are seen along the normal of the hyperplane, so that the gap is true to
        scale; others in the plane of the principal components of both sets.

        Parameters
        ----------
        A, B : array-like, shapes (n_a, n_dims), (n_b, n_dims)
            The two sets, as they were measured.
        ax : matplotlib.axes.Axes, optional

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        InputError
            If the sets are not of the shapes that were measured.
        GeoprobeError
            If matplotlib is not installed.
        """
        from geoprobe.arrays import as_points
        from geoprobe.drawing.maps import draw_map, principal_view, view_along

        points_a, points_b = as_points(A, name="A"), as_points(B, name="B")
        given = (("A", points_a, self.support_a), ("B", points_b, self.support_b))
        for name, points, support in given:
            if points.shape[1] != len(self.normal) or len(points) <= support.max():
                raise InputError(
                    f"{name} has shape {points.shape}, but the set that was measured has "
                    f"{len(self.normal)} dimensions and a row {support.max()}."
                )
        both = np.concatenate([points_a, points_b], dtype=np.float64)
        sides = np.repeat([0, 1], [len(points_a), len(points_b)])
        flat = not self.normal.any() or both.shape[1] == 1
        view = principal_view(both) if flat else view_along(both, self.normal)
        ends = np.array(
            [
                self.weights_a @ view.points[self.support_a],
                self.weights_b @ view.points[len(points_a) + self.support_b],
            ]
        )
        return draw_map(
            view, sides, ("A", "B"), groups=sides, bridges=[ends], ax=ax, title=self._sentence()
        )

    def _sentence(self) -> str:
        if self.status is Status.UNPROVED:
            return f"neither proved: distance in [{number(self.lower)}, {number(self.upper)}]"
        if self.status is Status.OVERLAP:
            return "overlap, the hulls share a point"
        return f"disjoint, distance {number(self.distance)}"

    def _summaries(self) -> Sequence[Summary]:
        a, b = len(self.support_a), len(self.support_b)
        gap = f" (bounds agree to {self.gap:.0e})" if self.status is Status.DISJOINT else ""
        lines = (
            f"{self._sentence()}{gap}.",
            f"Weights on {count(a, 'point')} of A and {count(b, 'point')} of B prove it; "
            f"decided by {_DECIDED[self.stage]}.",
        )
        return (Summary(lines),)


_DECIDED = {Stage.KERNEL: "the kernels", Stage.HIGHS: "HiGHS"}


Sides = tuple[IntArray, FloatArray, IntArray, FloatArray]
"""Rows and weights of the first side of a certificate, then those of the second."""


@dataclass(frozen=True, eq=False)
class Supports(Showing):
    """Convex weights of many certificates, stored end to end.

    Certificate ``k`` has on its first side the rows ``index_a[start_a[k]:start_a[k + 1]]`` with
    the weights ``weight_a[...]`` of the same slice; on its second side likewise.

    Attributes
    ----------
    start_a, start_b : ndarray of int64, shape (n_certificates + 1,)
    index_a, index_b : ndarray of int64, shapes (n_entries_a,), (n_entries_b,)
        Rows of the points.
    weight_a, weight_b : ndarray of float64, same shapes
    """

    start_a: IntArray
    index_a: IntArray
    weight_a: FloatArray
    start_b: IntArray
    index_b: IntArray
    weight_b: FloatArray

    @classmethod
    def of(cls, sides: Sequence[Sides]) -> Supports:
        """Store certificates, each (rows, weights, rows, weights), end to end."""
        index_a, weight_a, index_b, weight_b = (
            np.concatenate([np.empty(0, dtype), *(each[k] for each in sides)])
            for k, dtype in enumerate((np.int64, np.float64, np.int64, np.float64))
        )
        return cls(
            start_a=np.cumsum([0, *(len(each[0]) for each in sides)], dtype=np.int64),
            index_a=index_a,
            weight_a=weight_a,
            start_b=np.cumsum([0, *(len(each[2]) for each in sides)], dtype=np.int64),
            index_b=index_b,
            weight_b=weight_b,
        )

    @classmethod
    def joined(cls, parts: Sequence[Supports]) -> Supports:
        """Return the certificates of some parts after each other."""
        columns: dict[str, NDArray[Any]] = {}
        for side in "ab":
            sizes = [np.diff(getattr(part, f"start_{side}")) for part in parts]
            columns[f"start_{side}"] = np.concatenate([[0], *sizes]).cumsum()
            for name, none in (("index", np.empty(0, np.int64)), ("weight", np.empty(0))):
                entries = [getattr(part, f"{name}_{side}") for part in parts]
                columns[f"{name}_{side}"] = np.concatenate([none, *entries])
        return cls(**columns)

    def taken(self, numbers: IntArray) -> Supports:
        """Return the certificates of these numbers, in their order."""
        columns: dict[str, NDArray[Any]] = {}
        for side in "ab":
            begin = getattr(self, f"start_{side}")
            sizes = np.diff(begin)[numbers]
            start = np.concatenate([[0], sizes]).cumsum()
            entries = np.arange(start[-1]) + np.repeat(begin[numbers] - start[:-1], sizes)
            columns[f"start_{side}"] = start
            for name in ("index", "weight"):
                columns[f"{name}_{side}"] = getattr(self, f"{name}_{side}")[entries]
        return Supports(**columns)

    def __len__(self) -> int:
        """Return the number of certificates."""
        return len(self.start_a) - 1

    def side_a(self, k: int) -> tuple[IntArray, FloatArray]:
        """Return rows and weights of the first side of certificate ``k``."""
        part = slice(int(self.start_a[k]), int(self.start_a[k + 1]))
        return self.index_a[part], self.weight_a[part]

    def side_b(self, k: int) -> tuple[IntArray, FloatArray]:
        """Return rows and weights of the second side of certificate ``k``."""
        part = slice(int(self.start_b[k]), int(self.start_b[k + 1]))
        return self.index_b[part], self.weight_b[part]

    def sides(self, k: int) -> tuple[tuple[IntArray, FloatArray], tuple[IntArray, FloatArray]]:
        """Return rows and weights of both sides of certificate ``k``."""
        return self.side_a(k), self.side_b(k)

    def _summaries(self) -> Sequence[Summary]:
        entries = len(self.index_a) + len(self.index_b)
        return (Summary((f"{count(len(self), 'certificate')} of {count(entries, 'weight')}.",)),)

    def of_rows(self, original: IntArray) -> Supports:
        """Return the same certificates about the rows ``original[index]``."""
        return replace(self, index_a=original[self.index_a], index_b=original[self.index_b])


@dataclass(frozen=True, eq=False)
class PairwiseDistances(Showing):
    """Distances of many pairs of hulls, as columns; row ``k`` is one pair.

    Attributes
    ----------
    names : ndarray, shape (n_groups,)
        Label or cluster id of each group.
    first, second : ndarray of int64, shape (n_pairs,)
        Positions in ``names``, ``first < second``, in lexicographic order.
    lower, upper : ndarray of float64, shape (n_pairs,)
        Bounds of the distance, as in :class:`HullResult`.
    status : ndarray of uint8, shape (n_pairs,)
        Values of :class:`Status`.
    stage : ndarray of uint8, shape (n_pairs,)
        Values of :class:`Stage`.
    supports : Supports
        One certificate a pair; the hyperplane's normal is the vector between the two convex
        combinations.
    scale, tau : float
        R and the tolerance.
    """

    names: NDArray[Any]
    first: IntArray
    second: IntArray
    lower: FloatArray
    upper: FloatArray
    status: NDArray[np.uint8]
    stage: NDArray[np.uint8]
    supports: Supports
    scale: float
    tau: float

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.first)

    def in_units(self, scale: float, tau: float, names: NDArray[Any]) -> PairwiseDistances:
        """Return answers about points in units of R as answers about the points as given."""
        return replace(
            self,
            names=names,
            lower=self.lower * scale,
            upper=self.upper * scale,
            scale=scale,
            tau=tau,
        )

    def of_rows(self, original: IntArray) -> PairwiseDistances:
        """Return the same answers with supports about the rows ``original[index]``."""
        return replace(self, supports=self.supports.of_rows(original))

    @property
    def highs_calls(self) -> int:
        """How many pairs HiGHS had to decide."""
        return int((self.stage == Stage.HIGHS).sum())

    @property
    def distance(self) -> FloatArray:
        """The distance of each pair, shape (n_pairs,): ``upper``, or 0 where they overlap."""
        return np.where(self.status == Status.OVERLAP, 0.0, self.upper)

    def matrix(self) -> FloatArray:
        """Return the distances as a symmetric matrix, NaN where no pair was asked for.

        Returns
        -------
        ndarray of float64, shape (n_groups, n_groups)
            Zero on the diagonal.
        """
        n_groups = len(self.names)
        square = np.full((n_groups, n_groups), np.nan)
        np.fill_diagonal(square, 0.0)
        square[self.first, self.second] = self.distance
        square[self.second, self.first] = self.distance
        return square

    def proofs(self) -> dict[str, Any]:
        """Return bounds, status and stage of each pair, as columns by name."""
        return {
            "lower": self.lower,
            "upper": self.upper,
            "status": pick(STATUS_NAMES, self.status.astype(np.int64)),
            "stage": pick(STAGE_NAMES, self.stage.astype(np.int64)),
        }

    def to_frame(self) -> Any:
        """Return the pairs as a pandas DataFrame: names, distance, bounds, status, stage.

        Raises
        ------
        GeoprobeError
            If pandas is not installed.
        """
        return frame(
            {
                "first": self.names[self.first],
                "second": self.names[self.second],
                "distance": self.distance,
                **self.proofs(),
            }
        )

    def plot(self, ax: Any = None, *, at_most: int = 100, what: str = "group") -> Any:
        """Draw the distances of the groups as a grid of colours.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            New ones by default.
        at_most : int
            Groups shown: those with the shortest distances to another one.
        what : str
            What a group is, for the title.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        GeoprobeError
            If matplotlib is not installed.
        """
        from geoprobe.drawing.grids import draw_distances

        shown, title = self, f"Distances of {count(len(self.names), what)}"
        if len(self.names) > at_most:
            sides = np.column_stack([self.first, self.second])[self.smallest(FEW)].ravel()
            group, place = np.unique(sides, return_index=True)
            kept = np.sort(group[np.argsort(place)[:at_most]])
            inside = np.isin(self.first, kept) & np.isin(self.second, kept)
            shown = replace(
                self,
                names=self.names[kept],
                first=np.searchsorted(kept, self.first[inside]),
                second=np.searchsorted(kept, self.second[inside]),
                upper=self.upper[inside],
                status=self.status[inside],
            )
            title += f": the {at_most} nearest to another"
        names = [str(name) for name in shown.names.tolist()]
        return draw_distances(shown.matrix(), names, ax=ax, title=title)

    def smallest(self, most: int | None = None) -> IntArray:
        """Return the rows of the pairs, the smallest distance first, shape (n_rows,)."""
        distance = self.distance
        if most is None or most >= len(distance):
            return np.argsort(distance, kind="stable")
        # Of hundreds of millions of pairs only a few are sorted.
        rows = np.flatnonzero(distance <= np.partition(distance, most)[most])
        return rows[np.argsort(distance[rows], kind="stable")[:most]]

    def shortest(self, of: IntArray, most: int | None = None) -> IntArray:
        """Return the shortest pair of every class of groups.

        Parameters
        ----------
        of : ndarray of int64, shape (n_groups,)
            Class of each group: its label, or its own number.
        most : int, optional
            Look at this number of the smallest distances only.

        Returns
        -------
        ndarray of int64, shape (n_classes,)
            A row for each class that has such a pair, by class.
        """
        order = self.smallest(most)
        sides = np.column_stack([self.first, self.second])[order].ravel()
        _, place = np.unique(of[sides], return_index=True)
        return np.asarray(order[place // 2])

    def _size(self) -> str:
        return f"{count(len(self), 'pair')} of {count(len(self.names), 'group')}"

    def _summaries(self) -> Sequence[Summary]:
        names, status = self.names, self.status
        n_overlap = int((status == Status.OVERLAP).sum())
        lines = [f"{self._size()}, {n_overlap:,} overlapping."]
        apart = np.flatnonzero(status == Status.DISJOINT)
        if len(apart):
            ends = apart[np.argmin(self.upper[apart])], apart[np.argmax(self.upper[apart])]
            near, far = (
                f"{number(float(self.upper[k]))} ({names[self.first[k]]}, {names[self.second[k]]})"
                for k in ends
            )
            gap = float(np.max(1.0 - self.lower[apart] / self.upper[apart]))
            lines.append(f"Distances from {near} to {far}; bounds agree to {gap:.0e}.")
        lines += unproved(int((status == Status.UNPROVED).sum()))
        distance = self.distance
        rows = tuple(
            (
                str(names[self.first[k]]),
                str(names[self.second[k]]),
                number(float(distance[k])),
                STATUS_NAMES[status[k]],
            )
            for k in self.smallest(MOST_ROWS)
        )
        header = ("first", "second", "distance ", "status")
        return (Summary(tuple(lines), "The smallest distances", header, rows),)


def unproved(n_pairs: int) -> Sequence[str]:
    """Return a sentence on pairs that are left unproved, if there are any."""
    if not n_pairs:
        return ()
    return (
        f"UNPROVED pairs: {n_pairs:,}. Neither overlap nor disjointness is proved there; both "
        f"bounds hold.",
    )
