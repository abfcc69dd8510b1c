"""A labelled space: the points of one representation on one data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.arrays import as_labels, as_points
from geoprobe.errors import InputError
from geoprobe.geometry.fingerprints import hash_labels, hash_points
from geoprobe.showing import MOST_ROWS, Showing, Summary, count


@dataclass(frozen=True, eq=False)
class Space(Showing):
    """Points with one label each; the arrays are validated when the space is made.

    Attributes
    ----------
    points : ndarray of float32 or float64, shape (n_points, n_dims)
    labels : ndarray of str, int or bool, shape (n_points,)
    name : str
        What to call the space in reports.
    source : pathlib.Path or None
        The file it was read from.
    test : Space or None
        Further points of the same representation, held out.
    """

    points: NDArray[Any]
    labels: NDArray[Any]
    name: str = "space"
    source: Path | None = None
    test: Space | None = None

    def __post_init__(self) -> None:
        """Bring the arrays to the form that :mod:`geoprobe.arrays` promises."""
        points = as_points(self.points, name="points")
        classes, codes = as_labels(self.labels, len(points), name="labels")
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "labels", classes[codes])
        if self.test is not None and self.test.n_dims != self.n_dims:
            raise InputError(
                f"the test points have {self.test.n_dims} dimensions, but the points have "
                f"{self.n_dims}."
            )

    @property
    def n_points(self) -> int:
        """The number of points."""
        return int(self.points.shape[0])

    @property
    def n_dims(self) -> int:
        """The number of coordinates of a point."""
        return int(self.points.shape[1])

    def plot(self, ax: Any = None) -> Any:
        """Draw the points in the plane of their two principal components.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            New ones by default.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        InputError
            If there is a single point.
        GeoprobeError
            If matplotlib is not installed.
        """
        from geoprobe.drawing.maps import draw_map, principal_view

        names, codes = np.unique(self.labels, return_inverse=True)
        texts = [str(name) for name in names.tolist()]
        return draw_map(principal_view(self.points), codes, texts, ax=ax, title=self.name)

    def _summaries(self) -> Sequence[Summary]:
        names, sizes = np.unique(self.labels, return_counts=True)
        held_out = "" if self.test is None else f"; {count(self.test.n_points, 'test point')}"
        line = (
            f"{self.name}: {count(self.n_points, 'point')} of {count(self.n_dims, 'dimension')} "
            f"({self.points.dtype}), {count(len(names), 'label')}{held_out}."
        )
        largest = np.argsort(-sizes, kind="stable")[:MOST_ROWS].tolist()
        rows = tuple((str(names[k]), f"{sizes[k]:,}") for k in largest)
        return (Summary((line,), "The largest labels", ("label", "points "), rows),)

    def fingerprints(self) -> dict[str, str]:
        """Return the SHA-256 of the ``points`` and of the ``labels``, in hexadecimal."""
        return {"points": hash_points(self.points), "labels": hash_labels(self.labels)}


def digits() -> Space:
    """Return scikit-learn's handwritten digits: 1,797 images of 8 x 8 grey values, labels 0 to 9.

    Returns
    -------
    Space
        ``points`` of float64, shape (1797, 64); ``labels`` of int64, shape (1797,).
    """
    from sklearn.datasets import load_digits

    points, labels = load_digits(return_X_y=True)
    return Space(points, labels.astype(np.int64), name="digits")
