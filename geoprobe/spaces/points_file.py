"""Points and labels in a file, or in a dictionary of activations, read by rows."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class PointsFile:
    """Points that lie in a file, with their labels; the points are read when they are asked for.

    Attributes
    ----------
    path : pathlib.Path or None
        The file; None for a dictionary in memory.
    shape : tuple of int
        ``(n_points, n_dims)``.
    dtype : str
        Type of the numbers as they are stored: ``"float16"``, ``"bfloat16"``, ``"float32"`` ...
    labels : ndarray, shape (n_points,), or None
        In memory, one label a point, in the order of the points; None where the file holds none
        and none were named.
    """

    path: Path | None
    shape: tuple[int, int]
    dtype: str
    labels: NDArray[Any] | None

    def rows(self, begin: int, end: int) -> NDArray[Any]:
        """Return the points ``begin`` to ``end`` (not included), shape (end - begin, n_dims).

        bfloat16 comes as float32, which holds all its values; everything else as it is stored.
        """
        raise NotImplementedError

    def array(self) -> NDArray[Any]:
        """Return all points, shape (n_points, n_dims), read block by block.

        float16 and bfloat16 come as float32, so that the answer is the only copy in memory and
        :func:`geoprobe.arrays.as_points` makes no other.
        """
        raise NotImplementedError


def open_points(
    source: str | os.PathLike[str] | Mapping[str, Any],
    *,
    points: str | Sequence[str] | None = None,
    labels: str | os.PathLike[str] | Sequence[Any] | NDArray[Any] | None = None,
    column: str = "label",
    position: int | None = None,
    mask: str | NDArray[np.bool_] | None = None,
) -> PointsFile:
    """Open points in any format that geoprobe knows; nothing but the labels is read yet.

    Parameters
    ----------
    source : path-like or mapping of str to array
        A file, whose name's ending decides the format, or activations by name.
    points : str or sequence of str, optional
        The array, dataset, key or column of the points. Needed where there is more than one that
        could be them and none is called ``X``. Several columns of a table make up one point.
    labels : str, path-like or array-like, optional
        The array, dataset, key or column of the labels, by default ``y`` or ``labels`` (in a table
        ``column``); or a file of labels; or, one for each point, the labels themselves.
    column : str
        The column of the labels in a table, and in a file of labels that is a table.
    position : int, optional
        Of activations of shape (batch, position, n_dims): the one position that is taken of every
        text; -1 is the last. Without it every position is a point.
    mask : str or ndarray of bool, shape (batch, position), optional
        Which positions are points, for texts that were padded to one length.

    Returns
    -------
    PointsFile

    Raises
    ------
    FormatError
        Naming the file, what is in it, and what was expected.
    InputError
        For options that contradict each other, or a dictionary that cannot be used.
    """
    raise NotImplementedError
