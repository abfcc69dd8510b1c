"""Numbers and labels written as text."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError


def parse_numbers(
    cells: Sequence[str],
    path: str | os.PathLike[str],
    line: int,
    *,
    names: Sequence[str] | None = None,
) -> NDArray[np.float64]:
    """Turn the cells of one line into finite numbers.

    Parameters
    ----------
    cells : sequence of str, length n_dims
    path : path-like
        The file, for messages.
    line : int
        The line, for messages.
    names : sequence of str or None, length n_dims
        Names of the columns; they are counted from 1 without them.

    Returns
    -------
    ndarray of float64, shape (n_dims,)

    Raises
    ------
    FormatError
        Naming the first cell that is no finite number.
    """
    try:
        numbers = np.array(list(map(float, cells)))
    except ValueError:
        numbers = None
    # Python reads "1_000" as a number; nobody who writes data means that.
    if numbers is not None and np.isfinite(numbers).all() and "_" not in "".join(cells):
        return numbers
    at = next(at for at, cell in enumerate(cells) if not _is_finite(cell))
    column = f"column {names[at]!r}" if names is not None else f"value {at + 1}"
    raise FormatError(f"{column} is {cells[at]!r}, but a finite number is expected.", path, line)


def parse_label(text: str, path: str | os.PathLike[str], line: int) -> str:
    """Return a label without the white space around it.

    Raises
    ------
    FormatError
        If there is none, or it has a NUL character, which NumPy's strings drop at the end.
    """
    label = text.strip()
    if not label:
        raise FormatError("the label is empty.", path, line)
    if "\0" in label:
        raise FormatError(f"the label {label!r} has a NUL character.", path, line)
    return label


def _is_finite(cell: str) -> bool:
    try:
        return "_" not in cell and bool(np.isfinite(float(cell)))
    except ValueError:
        return False
