"""Files of labelled spaces: one function that reads every format that geoprobe knows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.arrays import warn_of_dominating_row
from geoprobe.errors import FormatError, InputError
from geoprobe.spaces.array_files import NamedArrays, NpzArrays, SafetensorsArrays, read_npy
from geoprobe.spaces.keys import SpaceKey
from geoprobe.spaces.space import Space
from geoprobe.spaces.store_layout import LABELS
from geoprobe.spaces.text_formats import (
    read_column,
    read_embeddings,
    read_label_lines,
    read_label_set,
    read_table,
)

SUFFIXES = (".npz", ".npy", ".safetensors", ".csv", ".tsv", ".txt")
"""Endings of the files that :func:`read_space` reads."""

_LABEL_SUFFIXES = (".npy", ".txt", ".csv", ".tsv")
_PICKLE_SUFFIXES = (".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib")


def read_space(
    path: str | os.PathLike[str],
    *,
    points: str | Sequence[str] | None = None,
    labels: str | os.PathLike[str] | None = None,
    column: str = "label",
    label_set: str | os.PathLike[str] | None = None,
    name: str | None = None,
) -> Space:
    """Read a labelled space; the ending of the file's name decides the format.

    Parameters
    ----------
    path : path-like
        - ``.npz``, ``.safetensors``: named arrays. A file of a :class:`geoprobe.spaces.SpaceStore`
          is read too.
        - ``.npy``: the points; they stay on disk until they are used.
        - ``.csv``, ``.tsv``: a table with column names.
        - ``.txt``: embeddings as DirectProbe reads them, one vector a line.
    points : str or sequence of str, optional
        npz and safetensors: the name of the array of points, ``X`` by default; in a file of a
        store ``layer_<i>``, the last layer by default. csv and tsv: the columns of the coordinates,
        all but that of the labels by default.
    labels : str or path-like, optional
        npz and safetensors: the name of the array of labels, ``y`` by default (``labels`` in a file
        of a store), or else a file of labels. npy and txt: a file of labels, always needed. csv and
        tsv: the column of the labels, ``column`` by default. A file of labels is ``.npy``;
        ``.txt``, with one label a line or DirectProbe's entities; or ``.csv`` or ``.tsv``, with the
        labels in ``column``.
    column : str
        The column of the labels in a table.
    label_set : path-like, optional
        A file with the labels that may occur, one a line; others are then refused.
    name : str, optional
        What to call the space; by default what a file of a store is of, or else the name of the
        file without its ending.

    Returns
    -------
    Space
        With its ``test`` part where an npz or safetensors file holds two more arrays with the same
        names and ``_test`` behind them, which have rows, or where beside ``train.safetensors`` of
        a store there is ``test.safetensors`` with the same layer.

    Raises
    ------
    FormatError
        Naming the file, and the line where there is one, and what was expected.

    Warns
    -----
    InputWarning
        If one row alone sets the scale; it is named.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in _PICKLE_SUFFIXES:
        raise FormatError(
            f"files ending in {path.suffix} may hold pickled objects, which geoprobe never "
            f"unpickles; save the points as one of {', '.join(SUFFIXES)}.",
            path,
        )
    if suffix not in SUFFIXES:
        raise FormatError(
            f"the name ends in {path.suffix!r}, but one of {', '.join(SUFFIXES)} is expected.", path
        )
    test: Space | None = None
    title = path.stem
    if suffix == ".safetensors" and (stored := SafetensorsArrays(path)).key is not None:
        at = stored.last_layer_name if points is None else _array_name(points)
        X, y = _named(stored, at, LABELS if labels is None else labels, column)
        title = _stored_title(stored.key, at)
        test = _test_beside(stored, at) if labels in (None, LABELS) else None
    elif suffix in (".npz", ".safetensors"):
        arrays: NamedArrays = NpzArrays(path) if suffix == ".npz" else stored
        at = _array_name(points)
        X, y = _named(arrays, at, "y" if labels is None else labels, column)
        test = _test_part(arrays, at, labels, title if name is None else name)
    elif suffix in (".csv", ".tsv"):
        columns = [points] if isinstance(points, str) else points
        X, y = read_table(path, label=_text(labels, column), points=columns)
    else:
        if points is not None:
            raise InputError(
                f"points={points!r} has no meaning for {path}: the file is the points."
            )
        X = read_npy(path) if suffix == ".npy" else read_embeddings(path)
        y = _label_file(path, labels, column)
    if label_set is not None:
        _check_labels(y, label_set, path)
    space = _space(X, y, title if name is None else name, path, test)
    warn_of_dominating_row(space.points, f"{path}, {space.name}")
    return space


def array_names(path: str | os.PathLike[str]) -> list[str]:
    """Return the names of the arrays in a file; none where they have no names.

    Raises
    ------
    FormatError
        If the file cannot be read.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".npz":
        return NpzArrays(path).names
    return SafetensorsArrays(path).names if suffix == ".safetensors" else []


def is_label_file(labels: str | os.PathLike[str]) -> bool:
    """Whether what is said of labels names a file, and no array or column."""
    return Path(labels).suffix.lower() in _LABEL_SUFFIXES


def _space(
    points: NDArray[Any], labels: NDArray[Any], name: str, path: Path, test: Space | None
) -> Space:
    """Make the space; whatever its validation refuses is the fault of the file."""
    try:
        return Space(points, labels, name, path, test)
    except InputError as error:
        raise FormatError(str(error), path) from error


def _check_labels(labels: NDArray[Any], label_set: str | os.PathLike[str], path: Path) -> None:
    known = set(read_label_set(label_set))
    for row, label in enumerate(labels):
        if str(label) not in known:
            raise FormatError(
                f"the label {str(label)!r} of row {row} is not in the label set {label_set}.", path
            )


def _array_name(points: str | Sequence[str] | None) -> str:
    if points is None:
        return "X"
    if not isinstance(points, str):
        raise InputError(f"points={points!r} should be the name of one array.")
    return points


def _text(labels: str | os.PathLike[str] | None, column: str) -> str:
    return column if labels is None else os.fspath(labels)


def _named(
    arrays: NamedArrays, points: str, labels: str | os.PathLike[str], column: str
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return points and labels from named arrays, the labels perhaps from a file beside them."""
    _check_name(arrays, points, "points")
    at = os.fspath(labels)
    if at not in arrays.names and Path(at).suffix.lower() in _LABEL_SUFFIXES:
        return arrays.read(points), _label_file(arrays.path, labels, column)
    _check_name(arrays, at, "labels")
    return arrays.read(points), arrays.read(at)


def _check_name(arrays: NamedArrays, name: str, what: str) -> None:
    if name not in arrays.names:
        there = ", ".join(repr(each) for each in arrays.names) or "none at all"
        raise FormatError(
            f"there is no array {name!r} to take the {what} from; the arrays are: {there}.",
            arrays.path,
        )


def _test_part(
    arrays: NamedArrays, points: str, labels: str | os.PathLike[str] | None, name: str
) -> Space | None:
    at_points, at_labels = f"{points}_test", f"{_text(labels, 'y')}_test"
    if at_points not in arrays.names or at_labels not in arrays.names:
        return None
    X = arrays.read(at_points)
    if len(np.atleast_1d(X)) == 0:
        return None
    return _space(X, arrays.read(at_labels), f"{name}_test", arrays.path, None)


def _test_beside(arrays: SafetensorsArrays, points: str) -> Space | None:
    """Return the same layer of the test split, which a store keeps beside the train split."""
    beside = arrays.path.with_name("test.safetensors")
    if arrays.key is None or arrays.path.name != "train.safetensors" or not beside.is_file():
        return None
    test = SafetensorsArrays(beside)
    if test.key != replace(arrays.key, split="test") or points not in test.names:
        return None
    X, y = _named(test, points, LABELS, "")
    return _space(X, y, _stored_title(test.key, points), beside, None)


def _stored_title(key: SpaceKey, points: str) -> str:
    return f"{key} {points.replace('_', ' ')}"


def _label_file(path: Path, labels: str | os.PathLike[str] | None, column: str) -> NDArray[Any]:
    """Read labels from a file of their own."""
    if labels is None:
        raise FormatError("the file holds no labels; name a file of labels as well.", path)
    labels = Path(labels)
    suffix = labels.suffix.lower()
    if suffix == ".npy":
        return read_npy(labels)
    if suffix == ".txt":
        return read_label_lines(labels)
    if suffix in (".csv", ".tsv"):
        return read_column(labels, label=column)
    raise FormatError(
        f"the name ends in {labels.suffix!r}, but a file of labels ends in one of "
        f"{', '.join(_LABEL_SUFFIXES)}.",
        labels,
    )
