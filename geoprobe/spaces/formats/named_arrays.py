"""Named arrays in one file: what every format is brought to, and what its errors say."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError, InputError
from geoprobe.extras import installing

MAYBE_BFLOAT16 = (
    " Numbers of two bytes without a type may be bfloat16, which this format cannot say; save them "
    "as float32, which holds all their values, or in a safetensors file."
)
BARE = ("|V2", "<V2")
"""What NumPy calls numbers of two bytes without a type."""

_SHOWN = 20
_BLOCK_ELEMENTS = 1 << 22


@dataclass(frozen=True, eq=False)
class StoredArray:
    """An array that is read by rows.

    Attributes
    ----------
    shape : tuple of int
    dtype : str
        Of the numbers as they are stored, as NumPy calls it, or ``"bfloat16"``; ``"str"`` for text.
    read : callable
        ``read(begin, end)`` gives the rows ``begin`` to ``end`` (not included) as a NumPy array;
        bfloat16 comes as float32.
    whole : ndarray or None
        The array itself, where it is in memory or mapped into it already.
    """

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[int, int], NDArray[Any]]
    whole: NDArray[Any] | None = None

    @classmethod
    def of(cls, array: NDArray[Any]) -> StoredArray:
        """Return an array of NumPy's as a stored one."""
        return cls(array.shape, str(array.dtype), lambda begin, end: array[begin:end], array)

    def all(self) -> NDArray[Any]:
        """Return every row."""
        return self.read(0, self.shape[0]) if self.shape else self.read(0, 1)


class Walk:
    """Rows on their way through a file that gives them block by block, one of which is in memory.

    Parameters
    ----------
    start : callable
        ``start(row)`` yields blocks of rows with the row that each begins at, up to the last row of
        the file and from a block on that holds ``row`` or comes before it.
    what : str
        What the rows are of, for messages: ``"the column 'X'"``.
    path : Path or None
        Of the file, for messages.
    none : ndarray, optional
        What is returned where no rows are asked for.
    """

    def __init__(
        self,
        start: Callable[[int], Iterator[tuple[int, NDArray[Any]]]],
        what: str,
        path: Path | None,
        none: NDArray[Any] | None = None,
    ) -> None:
        self._start, self._what, self._path = start, what, path
        self._none = np.empty(0) if none is None else none
        self._on: Iterator[tuple[int, NDArray[Any]]] | None = None
        self._begin, self._block = 0, self._none

    def rows(self, begin: int, end: int) -> NDArray[Any]:
        """Return the rows ``begin`` to ``end``, fastest where the last call ended at ``begin``.

        Raises
        ------
        FormatError
            If the file ends before.
        """
        if self._on is None or begin < self._begin:
            self._on, self._begin, self._block = self._start(begin), begin, self._none
        parts: list[NDArray[Any]] = []
        while begin < end:
            part = self._block[begin - self._begin : end - self._begin]
            if len(part):
                parts.append(part)
                begin += len(part)
                continue
            self._begin, block = next(self._on, (begin, None))
            if block is None:
                self._on = None
                raise fault(
                    f"{self._what} ends before row {begin}, but more rows were announced: the file "
                    f"is damaged or cut off, or has changed since it was opened.",
                    self._path,
                )
            self._block = block
        return np.concatenate(parts) if parts else self._none


class NamedArrays:
    """Named arrays in one file, or the columns of a table; a subclass reads a format.

    Attributes
    ----------
    path : Path or None
        None for a dictionary in memory.
    kind : str
        What one of the arrays is called in messages: array, dataset, column ...
    names : list of str
    points, labels : tuple of str
        What the points and the labels are called where nothing else was said, best first.
    """

    path: Path | None
    names: list[str]
    kind = "array"
    points: tuple[str, ...] = ("X",)
    labels: tuple[str, ...] = ("y", "labels", "label")

    def array(self, name: str) -> StoredArray:
        """Return one array, unread."""
        raise NotImplementedError


class TableColumns(NamedArrays):
    """The columns of a table, several of which may make up the points."""

    kind = "column"
    labels = ()

    def columns(self, names: list[str]) -> StoredArray:
        """Return columns of numbers side by side, unread, shape (n_rows, n_columns)."""
        raise NotImplementedError


def fault(message: str, path: Path | None) -> InputError | FormatError:
    """Return the error of a file, or of a dictionary if there is none."""
    return InputError(message) if path is None else FormatError(message, path)


def listed(names: Iterable[str]) -> str:
    """Return names in quotes with commas between, the first twenty of them."""
    names = list(names)
    shown = ", ".join(repr(name) for name in names[:_SHOWN]) or "none at all"
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown


def need(module: str, extra: str, path: Path | None) -> Any:
    """Import the library of a format.

    Raises
    ------
    FormatError
        Naming the extra that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        if error.name is not None and error.name.partition(".")[0] != package:
            raise fault(f"{package} cannot be imported: {error}.", path) from error
        raise fault(
            f"reading this needs {package}, which is not installed: {installing(extra)}.",
            path,
        ) from error


def widened(halves: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return bfloat16, given as the bits, as float32, whose upper half a bfloat16 is."""
    wide: NDArray[np.float32] = (halves.astype(np.uint32) << 16).view(np.float32)
    return wide


def blocks(begin: int, end: int, row_elements: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of rows, each of which may well be in memory at once."""
    n_rows = max(1, _BLOCK_ELEMENTS // max(row_elements, 1))
    for first in range(begin, end, n_rows):
        yield first, min(first + n_rows, end)
