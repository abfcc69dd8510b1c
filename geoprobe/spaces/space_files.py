"""Files of labelled spaces: one function that reads every format that geoprobe knows."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.arrays import warn_of_dominating_row
from geoprobe.errors import FormatError, InputError
from geoprobe.spaces.formats import SUFFIXES, NamedArrays, PlainPoints, added_suffixes, reader_of
from geoprobe.spaces.formats.safetensors_files import SafetensorsArrays
from geoprobe.spaces.keys import SpaceKey
from geoprobe.spaces.points_file import (
    LABEL_SUFFIXES,
    Labels,
    PointsFile,
    check_name,
    open_arrays,
    select,
)
from geoprobe.spaces.space import Space
from geoprobe.spaces.store_layout import LABELS
from geoprobe.spaces.text_formats import read_label_set


def read_space(
    source: str | os.PathLike[str] | Mapping[str, Any],
    *,
    points: str | Sequence[str] | None = None,
    labels: Labels | None = None,
    column: str = "label",
    position: int | None = None,
    mask: str | NDArray[np.bool_] | None = None,
    label_set: str | os.PathLike[str] | None = None,
    name: str | None = None,
) -> Space:
    """Read a labelled space; the ending of the file's name decides the format.

    Parameters
    ----------
    source : path-like or mapping of str to array
        - ``.npz``, ``.safetensors``, ``.h5``, ``.hdf5``, ``.pt``, ``.pth``, ``.zarr``: named
          arrays. A file of a :class:`geoprobe.spaces.SpaceStore` is read too.
        - ``.npy``: the points; they stay on disk until they are used.
        - ``.parquet``, ``.arrow``, ``.feather``, ``.csv``, ``.tsv``, and a folder of the library
          datasets: a table with column names.
        - ``.txt``: embeddings as DirectProbe reads them, one vector a line.
        - A mapping: activations by name, such as a dict or an ActivationCache; or a data set of the
          library datasets.
    points : str or sequence of str, optional
        Named arrays: that of the points, ``X`` by default, or the only one that could be; in a file
        of a store ``layer_<i>``, the last layer by default. Tables: the column of lists of numbers,
        or the columns of the coordinates, all but that of the labels by default.
    labels : str, path-like or array-like, optional
        Named arrays: that of the labels, ``y``, ``labels`` or ``label`` by default, or else a file
        of labels. npy and txt: a file of labels, always needed. Tables: the column of the labels,
        ``column`` by default. A file of labels is ``.npy``; ``.txt``, with one label a line or
        DirectProbe's entities; or ``.csv`` or ``.tsv``, with the labels in ``column``. Or the
        labels themselves.
    column : str
        The column of the labels in a table.
    position, mask : optional
        Of activations of shape (batch, position, n_dims), as in
        :func:`geoprobe.spaces.open_points`.
    label_set : path-like, optional
        A file with the labels that may occur, one a line; others are then refused.
    name : str, optional
        What to call the space; by default what a file of a store is of, or else the name of the
        file without its ending, or of the array in a mapping.

    Returns
    -------
    Space
        With its ``test`` part where a file of named arrays holds two more arrays with the same
        names and ``_test`` behind them, which have rows, or where beside ``train.safetensors`` of
        a store there is ``test.safetensors`` with the same layer.

    Raises
    ------
    FormatError
        Naming the file, and the line where there is one, and what was expected.
    InputError
        For options that have no meaning, or a mapping that cannot be used.

    Warns
    -----
    InputWarning
        If one row alone sets the scale; it is named.
    """
    test: Space | None = None
    opened = open_arrays(source)
    found, at_labels = select(opened, points, labels, column=column, position=position, mask=mask)
    title = found.name if opened.path is None else _title(opened.path)
    if isinstance(opened, SafetensorsArrays) and opened.key is not None:
        title = _stored_title(opened.key, found.name)
        test = _test_beside(opened, found.name) if at_labels == LABELS else None
    elif at_labels is not None:
        test = _test_part(opened, found.name, at_labels, position, mask, name or title)
    if found.labels is None:
        if not isinstance(opened, PlainPoints):
            check_name(opened, (opened.labels or (column,))[0], "labels")
        raise FormatError("the file holds no labels; name a file of labels as well.", found.path)
    if label_set is not None:
        _check_labels(found.labels, label_set, found.path)
    space = _space(found, title if name is None else name, test)
    warn_of_dominating_row(
        space.points, space.name if found.path is None else f"{found.path}, {space.name}"
    )
    return space


def array_names(path: str | os.PathLike[str]) -> list[str]:
    """Return the names of the arrays in a file; none where they have no names.

    Raises
    ------
    FormatError
        If the file cannot be read.
    """
    return [name for name in open_arrays(Path(path)).names if name]


def is_source(path: Path) -> bool:
    """Whether there is a file, or a folder of a format that is one."""
    return path.is_file() or (path.is_dir() and reader_of(path) is not None)


def is_label_file(labels: str | os.PathLike[str]) -> bool:
    """Whether what is said of labels names a file, and no array or column."""
    return Path(labels).suffix.lower() in LABEL_SUFFIXES


def _title(path: Path) -> str:
    """Return the name without its ending; a folder of the library datasets has none."""
    known = (*SUFFIXES, *added_suffixes())
    name = path.stem if path.suffix.lower() in known else path.name
    return name.removesuffix(".zarr")


def _space(found: PointsFile, name: str, test: Space | None) -> Space:
    """Make the space; whatever its validation refuses is the fault of the file."""
    points = found.array()
    try:
        return Space(points, found.labels, name, found.path, test)  # type: ignore[arg-type]
    except InputError as error:
        if found.path is None:
            raise
        raise FormatError(str(error), found.path) from error


def _check_labels(
    labels: NDArray[Any], label_set: str | os.PathLike[str], path: Path | None
) -> None:
    known = set(read_label_set(label_set))
    for row, label in enumerate(labels):
        if str(label) not in known:
            raise FormatError(
                f"the label {str(label)!r} of row {row} is not in the label set {label_set}.", path
            )


def _test_part(
    opened: NamedArrays,
    points: str,
    labels: str,
    position: int | None,
    mask: str | NDArray[np.bool_] | None,
    name: str,
) -> Space | None:
    at_points, at_labels = f"{points}_test", f"{labels}_test"
    if at_points not in opened.names or at_labels not in opened.names:
        return None
    if isinstance(mask, str):
        mask = f"{mask}_test"
    elif mask is not None:
        return None
    if opened.array(at_points).shape[:1] == (0,):
        return None
    found, _ = select(opened, at_points, at_labels, column="", position=position, mask=mask)
    return _space(found, f"{name}_test", None)


def _test_beside(arrays: SafetensorsArrays, points: str) -> Space | None:
    """Return the same layer of the test split, which a store keeps beside the train split."""
    if arrays.key is None or arrays.path is None or arrays.path.name != "train.safetensors":
        return None
    beside = arrays.path.with_name("test.safetensors")
    if not beside.is_file():
        return None
    test = SafetensorsArrays(beside)
    if test.key != replace(arrays.key, split="test") or points not in test.names:
        return None
    found, _ = select(test, points, LABELS, column="")
    return _space(found, _stored_title(test.key, points), None)


def _stored_title(key: SpaceKey, points: str) -> str:
    return f"{key} {points.replace('_', ' ')}"
