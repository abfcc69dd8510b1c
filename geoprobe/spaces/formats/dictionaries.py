"""Dictionaries of activations, as hooks on models give them: names, and a tensor for each."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.arrays import on_host
from geoprobe.errors import InputError
from geoprobe.spaces.formats.named_arrays import NamedArrays, StoredArray, fault


def is_dictionary(source: Any) -> bool:
    """Tell whether something gives arrays by name, as a dict and an ActivationCache do."""
    return all(hasattr(source, name) for name in ("keys", "items", "__getitem__"))


class Dictionary(NamedArrays):
    """The arrays of a dictionary, and of the dictionaries and lists in it.

    Names of what lies deeper are joined with ``/``; the third array in the list ``hidden`` is
    called ``hidden/2``. A list of text or numbers is one array.

    Parameters
    ----------
    content : mapping, or list or tuple of arrays
    path : Path or None
        The file that it was read from.
    """

    points = ("X", "tensor")

    def __init__(self, content: Any, path: Path | None = None) -> None:
        self.path = path
        self._found: dict[str, Any] = {}
        self._lists: dict[str, list[str]] = {}
        self._collect(content, "")
        self.names = list(self._found)

    def _collect(self, content: Any, before: str) -> None:
        if is_dictionary(content):
            pairs: Iterable[tuple[Any, Any]] = content.items()
        elif isinstance(content, (list, tuple)) and not _is_plain(content):
            pairs = enumerate(content)
            self._lists[before] = []
        else:
            self._found[before] = content
            return
        for name, value in pairs:
            below = f"{before}/{name}" if before else str(name)
            if before in self._lists:
                self._lists[before].append(below)
            self._collect(value, below)

    def array(self, name: str) -> StoredArray:
        """Return one array; a tensor comes to the processor's memory by rows.

        Raises
        ------
        FormatError, InputError
            If it is no array of numbers or text, or is sparse or nested.
        """
        value = self._found[name]
        if getattr(value, "is_sparse", False) or getattr(value, "is_nested", False):
            what = "sparse" if value.is_sparse else "nested, with rows of different lengths"
            raise fault(f"the array {name!r} is {what}, but a dense one is expected.", self.path)
        if isinstance(value, (list, tuple)):
            return StoredArray.of(self._of_list(value, name))
        if not hasattr(value, "shape"):
            raise fault(
                f"the array {name!r} is of type {type(value).__name__}, but a tensor, an array, or "
                f"a list of labels is expected.",
                self.path,
            )
        if isinstance(value, np.ndarray) and value.dtype.name != "bfloat16":
            return StoredArray.of(value)
        dtype = str(getattr(value.dtype, "name", value.dtype)).removeprefix("torch.")
        return StoredArray(tuple(value.shape), dtype, partial(self._rows, value, name))

    def _of_list(self, values: Any, name: str) -> NDArray[Any]:
        """Return a list of labels or numbers, or a list of such lists of one length."""
        lengths = {len(each) if isinstance(each, (list, tuple)) else -1 for each in values}
        if lengths <= {-1}:
            return np.fromiter(values, dtype=object, count=len(values))
        if len(lengths) > 1:
            raise fault(
                f"{name!r} is a list of lists of different lengths, {min(lengths - {-1})} and "
                f"{max(lengths)} among them, but one length is expected.",
                self.path,
            )
        array = on_host(values, name)
        return array.astype(object) if array.dtype.kind == "U" else array

    def ragged(self, name: str) -> str | None:
        """Return what to say of a name that stands for a list of arrays; None if it does not."""
        below = self._lists.get(name)
        if not below:
            return None
        shapes = [tuple(getattr(self._found.get(each), "shape", ())) for each in below]
        shown = ", ".join(map(str, shapes[:5])) + (" ..." if len(shapes) > 5 else "")
        return (
            f"{name!r} is a list of {len(below)} arrays of the shapes {shown}, but one array of "
            f"shape (n_points, n_dims) or (batch, position, n_dims) is expected; name one of them, "
            f"such as {below[0]!r}, or join them: pad them and pass a mask, or concatenate their "
            f"rows."
        )

    def _rows(self, value: Any, name: str, begin: int, end: int) -> NDArray[Any]:
        try:
            return on_host(value[begin:end] if value.shape else value, f"the array {name!r}")
        except InputError as error:
            raise fault(str(error), self.path) from error


def _is_plain(values: Any) -> bool:
    """Tell whether a list, or the lists in it, hold labels or numbers and no arrays."""
    return all(
        _is_plain(value)
        if isinstance(value, (list, tuple))
        else not hasattr(value, "shape") and not is_dictionary(value)
        for value in values
    )
