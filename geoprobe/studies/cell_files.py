"""Files of cells: each is read as that of one cell, and JSON ones are written here as well."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from geoprobe.errors import FormatError, InputError
from geoprobe.files.json_files import read_json, write_json
from geoprobe.geometry import Cell, Geometry, read_geometry
from geoprobe.geometry.measured import FloatArray

VERSION = 1

Of = TypeVar("Of")


def write_noted(path: Path, kind: str, cell: Cell, **found: object) -> None:
    """Write what was found out about a cell at one stroke; arrays become lists, NaN null.

    Parameters
    ----------
    path : pathlib.Path
    kind : str
        Name of the format, which says one kind of thing about a cell.
    cell : Cell
    **found : object
        What JSON holds, and arrays.
    """
    head = {"format": kind, "format_version": VERSION, "cell": cell.as_dict()}
    write_json(path, {**head, **_plain(found)})


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def read_noted(kind: str, path: Path, cell: Cell) -> dict[str, Any]:
    """Read what was written about a cell.

    Raises
    ------
    FormatError
        If the file is damaged, was changed, or is that of another kind or cell.
    """
    noted = read_json(path, kind, VERSION)
    try:
        of = Cell.from_dict(noted.get("cell", {}))
    except InputError as error:
        raise FormatError(str(error), path) from error
    check_cell(path, of, cell)
    return noted


def as_array(values: Sequence[float | None]) -> FloatArray:
    """Return a list of JSON as the array that it was, NaN where it holds null."""
    return np.array(values, dtype=np.float64)


def read_measured(path: Path, cell: Cell) -> Geometry:
    """Read a geometry that has to be of a cell.

    Raises
    ------
    FormatError
        If the file is damaged, was changed, or is that of another cell.
    """
    geometry = read_geometry(path)
    check_cell(path, geometry.cell, cell)
    return geometry


def check_cell(path: Path, of: Cell | None, cell: Cell) -> None:
    """Refuse a file that says of itself that it is of another cell."""
    if of != cell:
        raise FormatError(f"this is of the cell {of}, not of {cell}.", path)


def read_those_there(
    cells: Iterable[Cell], path: Callable[[Cell], Path], read: Callable[[Path, Cell], Of]
) -> dict[Cell, Of]:
    """Read the files of those cells that have one.

    Parameters
    ----------
    cells : iterable of Cell
    path : callable
        From a cell to its file.
    read : callable
        Takes the file and the cell.
    """
    return {cell: read(path(cell), cell) for cell in cells if path(cell).is_file()}
