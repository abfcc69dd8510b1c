"""Points and labels in a file, or in a dictionary of activations, read by rows."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.arrays import as_labels, on_host
from geoprobe.errors import FormatError, InputError
from geoprobe.files.array_headers import check_memory
from geoprobe.spaces.formats import (
    SUFFIXES,
    Dictionary,
    NamedArrays,
    PlainPoints,
    added_suffixes,
    in_memory,
    reader_of,
)
from geoprobe.spaces.formats.activations import as_flat_labels, as_rows
from geoprobe.spaces.formats.datasets_folder import is_datasets_folder
from geoprobe.spaces.formats.named_arrays import (
    BARE,
    MAYBE_BFLOAT16,
    StoredArray,
    TableColumns,
    blocks,
    fault,
    listed,
)
from geoprobe.spaces.formats.numpy_files import read_npy
from geoprobe.spaces.formats.text_tables import DELIMITED, TextTable
from geoprobe.spaces.text_formats import read_label_lines

LABEL_SUFFIXES = (".npy", ".txt", *DELIMITED)
"""Endings of files of labels alone."""

_PICKLE_SUFFIXES = (".pkl", ".pickle", ".bin", ".joblib", ".ckpt")
_TABLES = (*DELIMITED, ".parquet", ".arrow", ".feather")
_NARROW = ("float16", "bfloat16", "float32")

Labels = str | os.PathLike[str] | Sequence[Any] | NDArray[Any]


@dataclass(frozen=True, eq=False)
class PointsFile:
    """Points that lie in a file, with their labels; the points are read when they are asked for.

    Attributes
    ----------
    path : pathlib.Path or None
        The file; None for a dictionary in memory.
    name : str
        What the points are called in the file; empty where the file is the points.
    labels : ndarray, shape (n_points,), or None
        In memory, one label a point, in the order of the points; None where the file holds none
        and none were named.
    stored : StoredArray, shape (n_points, n_dims)
        What the points are read from.
    """

    path: Path | None
    name: str
    labels: NDArray[Any] | None
    stored: StoredArray

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_points, n_dims)``."""
        n_points, n_dims = self.stored.shape
        return n_points, n_dims

    @property
    def dtype(self) -> str:
        """Type of the numbers as they are stored: "float16", "bfloat16", "float32" ..."""
        return self.stored.dtype

    def rows(self, begin: int, end: int) -> NDArray[Any]:
        """Return the points ``begin`` to ``end`` (not included), shape (end - begin, n_dims).

        Rows are counted from 0, and a range that reaches beyond the last one ends there. bfloat16
        comes as float32, which holds all its values; everything else as it is stored.

        Raises
        ------
        FormatError
            If that part of the file is damaged.
        """
        n_points, n_dims = self.shape
        begin, end, _ = slice(begin, end).indices(n_points)
        if begin >= end:
            return np.empty((0, n_dims), np.float32 if self.dtype == "bfloat16" else self.dtype)
        return self.stored.read(begin, end)

    def array(self) -> NDArray[Any]:
        """Return all points, shape (n_points, n_dims), read block by block.

        float16 and bfloat16 come as float32, so that the answer is the only copy in memory and
        :func:`geoprobe.arrays.as_points` makes no other. What NumPy maps into memory stays on disk.

        Raises
        ------
        FormatError
            If the file is damaged, or memory does not hold the points.
        """
        if self.stored.whole is not None:
            return self.stored.whole
        n_points, n_dims = self.shape
        dtype = np.dtype(np.float32 if self.dtype in _NARROW else self.dtype)
        if self.path is not None:
            needed = n_points * n_dims * dtype.itemsize
            check_memory(needed, f"{_called(self.name)} of shape {self.shape}", self.path)
        points = np.empty(self.shape, dtype=dtype)
        for begin, end in blocks(0, n_points, n_dims):
            points[begin:end] = self.stored.read(begin, end)
        return points


def open_points(
    source: str | os.PathLike[str] | Mapping[str, Any],
    *,
    points: str | Sequence[str] | None = None,
    labels: Labels | None = None,
    column: str = "label",
    position: int | None = None,
    mask: str | NDArray[np.bool_] | None = None,
) -> PointsFile:
    """Open points in any format that geoprobe knows, and read nothing but the labels yet.

    The vectors in a ``.txt`` are an exception: they are read whole.

    Parameters
    ----------
    source : path-like or mapping of str to array
        A file, whose name's ending decides the format (:data:`geoprobe.spaces.SUFFIXES`, and those
        that other packages read), a folder of the library datasets, activations by name, such as a
        dict or an ActivationCache, or a data set of the library datasets.
    points : str or sequence of str, optional
        The array, dataset, key or column of the points. Needed where there is more than one that
        could be them and none is called ``X``. Several columns of a table make up one point.
    labels : str, path-like or array-like, optional
        The array, dataset, key or column of the labels, by default ``y``, ``labels`` or ``label``
        (in a table ``column``); or a file of labels; or, one for each point, the labels themselves.
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
        For options that have no meaning, or a dictionary that cannot be used.
    """
    opened = open_arrays(source)
    return select(opened, points, labels, column=column, position=position, mask=mask)[0]


def open_arrays(source: Any) -> NamedArrays:
    """Open a file, a dictionary or a data set.

    Raises
    ------
    FormatError
        If the file cannot be read as what its name says, or its name ends as no format's does.
    InputError
        If it is neither of these.
    """
    opened = in_memory(source)
    if opened is not None:
        return opened
    if not isinstance(source, (str, os.PathLike)):
        raise InputError(
            f"points are read from a file or a dictionary of arrays, not from an object of type "
            f"{type(source).__name__}."
        )
    path = Path(source)
    suffix = path.suffix.lower()
    if suffix in _PICKLE_SUFFIXES:
        raise FormatError(
            f"files ending in {path.suffix} may hold pickled objects, which geoprobe never "
            f"unpickles; save the points as one of {', '.join(SUFFIXES)}.",
            path,
        )
    reader = reader_of(path)
    if reader is not None:
        return reader(path)
    found = f"the name ends in {path.suffix!r}"
    if path.is_dir():
        found = "the folder is neither a zarr store nor one of the library datasets"
    known = ", ".join((*SUFFIXES, *added_suffixes()))
    raise FormatError(f"{found}, but one of {known} is expected.", path)


def is_table(path: Path) -> bool:
    """Tell whether a file or folder has columns, several of which may make up the points."""
    return path.suffix.lower() in _TABLES or is_datasets_folder(path)


def select(
    opened: NamedArrays,
    points: str | Sequence[str] | None,
    labels: Labels | None,
    *,
    column: str,
    position: int | None = None,
    mask: str | NDArray[np.bool_] | None = None,
) -> tuple[PointsFile, str | None]:
    """Take points and labels from a file of named arrays.

    Parameters
    ----------
    opened : NamedArrays
    points, labels, column, position, mask
        As in :func:`open_points`.

    Returns
    -------
    points : PointsFile
    label_name : str or None
        What the labels are called in the file; None if they come from elsewhere.

    Raises
    ------
    FormatError, InputError
        As in :func:`open_points`.
    """
    y, label_name = _labels(opened, labels, column)
    taken = {label_name, mask if isinstance(mask, str) else None}
    stored, name = _points(opened, points, taken)
    if isinstance(mask, str):
        check_name(opened, mask, "mask")
        mask = _in_memory(opened, mask)
    elif mask is not None:
        mask = on_host(mask, "mask")
    return _joined(opened.path, stored, name, y, position, mask), label_name


def check_name(opened: NamedArrays, name: str, what: str) -> None:
    """Refuse a name that is not in the file, saying which are."""
    if name in opened.names:
        return
    lists = opened.ragged(name) if isinstance(opened, Dictionary) else None
    raise fault(
        lists
        or f"there is no {opened.kind} {name!r} to take the {what} from; the {opened.kind}s are: "
        f"{listed(opened.names)}.",
        opened.path,
    )


def read_labels(path: str | os.PathLike[str], column: str) -> NDArray[Any]:
    """Read labels from a file of their own.

    Raises
    ------
    FormatError
        If it cannot be read as one.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return read_npy(path)
    if suffix == ".txt":
        return read_label_lines(path)
    if suffix in DELIMITED:
        table = TextTable(path)
        check_name(table, column, "labels")
        return table.array(column).all()
    raise FormatError(
        f"the name ends in {path.suffix!r}, but a file of labels ends in one of "
        f"{', '.join(LABEL_SUFFIXES)}.",
        path,
    )


def _labels(
    opened: NamedArrays, labels: Labels | None, column: str
) -> tuple[NDArray[Any] | None, str | None]:
    """Return the labels, and their name if they lie among the arrays."""
    if labels is None:
        usual = opened.labels or (column,)
        at = next((name for name in usual if name in opened.names), None)
        if at is None:
            return None, None
    elif isinstance(labels, (str, os.PathLike)):
        at = os.fspath(labels)
        is_file = at not in opened.names and Path(at).suffix.lower() in LABEL_SUFFIXES
        if is_file or isinstance(opened, PlainPoints):
            return read_labels(at, column), None
        check_name(opened, at, "labels")
    else:
        return np.asarray(labels) if isinstance(labels, np.ndarray) else _given(labels), None
    return _in_memory(opened, at), at


def _in_memory(opened: NamedArrays, name: str) -> NDArray[Any]:
    """Read labels or a mask, if memory holds them."""
    stored = opened.array(name)
    if opened.path is not None:
        each = 8 if stored.dtype in ("str", "bfloat16") else np.dtype(stored.dtype).itemsize
        check_memory(math.prod(stored.shape) * each, f"the {opened.kind} {name!r}", opened.path)
    return stored.all()


def _given(labels: Any) -> NDArray[Any]:
    """Return labels that were passed themselves; nested lists of text are arrays of two axes."""
    if isinstance(labels, (list, tuple)) and not any(
        isinstance(label, (list, tuple)) for label in labels
    ):
        return np.fromiter(labels, dtype=object, count=len(labels))
    return on_host(labels, "labels")


def _points(
    opened: NamedArrays, points: str | Sequence[str] | None, taken: set[str | None]
) -> tuple[StoredArray, str]:
    """Return the points and what they are called; names that are taken stand for other things."""
    if points is not None and isinstance(opened, PlainPoints):
        raise InputError(
            f"points={points!r} has no meaning for {opened.path}: the file is the points."
        )
    table = opened if isinstance(opened, TableColumns) else None
    if points is not None and not isinstance(points, str):
        if table is None:
            raise InputError(f"points={points!r} should be the name of one array.")
        if len(points) != 1:
            return _side_by_side(table, list(points)), ",".join(points)
        points = points[0]
    if points is None:
        points = next((name for name in opened.points if name in opened.names), None)
        # The first of the columns X, Y and Z is no space of its own.
        if table is not None and points is not None and len(opened.array(points).shape) == 1:
            points = None
    if points is None:
        free = [name for name in opened.names if name not in taken]
        candidates = [name for name in free if _may_be_points(opened, name)]
        if table is not None and not candidates:
            return _side_by_side(table, free), ",".join(free)
        if len(candidates) != 1:
            if not candidates:
                check_name(opened, opened.points[0], "points")
            raise fault(
                f"there is no {opened.kind} {opened.points[0]!r} to take the points from, and "
                f"several {opened.kind}s could be the points: {listed(candidates)}; name one.",
                opened.path,
            )
        points = candidates[0]
    check_name(opened, points, "points")
    stored = opened.array(points)
    if table is not None and len(stored.shape) == 1:
        return _side_by_side(table, [points]), points
    return stored, points


def _may_be_points(opened: NamedArrays, name: str) -> bool:
    try:
        return len(opened.array(name).shape) in (2, 3)
    except (FormatError, InputError):
        return False


def _side_by_side(opened: TableColumns, names: list[str]) -> StoredArray:
    """Return columns of numbers as the coordinates of points."""
    if not names:
        raise fault(
            f"there is no column for the points; the columns are: {listed(opened.names)}.",
            opened.path,
        )
    for name in names:
        check_name(opened, name, "points")
    return opened.columns(names)


def _check_numbers(stored: StoredArray, what: str, path: Path | None) -> None:
    if stored.dtype == "bfloat16":
        return
    try:
        kind = np.dtype(stored.dtype).kind if stored.dtype != "str" else "U"
    except TypeError:
        kind = "V"
    if kind not in "fiubcO":
        hint = MAYBE_BFLOAT16 if stored.dtype in BARE else ""
        raise fault(f"{what} has dtype {stored.dtype}, but numbers are expected.{hint}", path)


def _joined(
    path: Path | None,
    stored: StoredArray,
    name: str,
    labels: Any,
    position: int | None,
    mask: NDArray[Any] | None,
) -> PointsFile:
    """Bring points and labels together, one label a point."""
    what = _called(name)
    _check_numbers(stored, what, path)
    try:
        flat, kept = as_rows(stored, position, mask)
        if labels is None:
            return PointsFile(path, name, None, flat)
        if kept is not None:
            labels = as_flat_labels(np.asarray(labels), stored.shape, kept)
        classes, codes = as_labels(labels, flat.shape[0], name="labels")
    except InputError as error:
        raise fault(f"{what}, of shape {stored.shape}: {error}", path) from error
    return PointsFile(path, name, classes[codes], flat)


def _called(name: str) -> str:
    return f"the points {name!r}" if name else "the points"
