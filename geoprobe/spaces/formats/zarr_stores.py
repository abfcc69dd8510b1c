"""Stores of zarr, folders or zip files, read by rows; the one file that knows the library."""

from __future__ import annotations

import re
import warnings
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError, InputWarning
from geoprobe.files.text_files import checked_file
from geoprobe.spaces.formats.named_arrays import NamedArrays, StoredArray, need
from geoprobe.spaces.formats.signatures import ZIP, check_signature

_PICKLED = "an array is packed as pickles, which geoprobe never unpickles."
_BFLOAT16 = (
    "an array is of bfloat16, which the library zarr does not read; save it as float32, which "
    "holds all its values, or in a safetensors file."
)
_HEADS = ("zarr.json", ".zarray", ".zgroup")


def is_zarr_store(path: Path) -> bool:
    """Tell whether a folder is a store of zarr."""
    return any((path / head).is_file() for head in _HEADS)


class ZarrArrays(NamedArrays):
    """The arrays of a zarr store, those of groups with the names of the groups before them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.is_dir() and not is_zarr_store(path):
            raise FormatError(
                f"this is not a zarr store: the folder holds none of {', '.join(_HEADS)}.", path
            )
        if not path.is_dir():
            check_signature(checked_file(path), "zip", ZIP)
        zarr = need("zarr", "zarr", path)
        self._arrays: dict[str, Any] = {}
        self._counted: set[str] = set()
        try:
            found = zarr.open(str(path), mode="r") if path.is_dir() else _unpacked(zarr, path)
            if isinstance(found, zarr.Array):
                self._arrays[path.stem] = found
            else:
                self._collect(found, "")
        except FormatError:
            raise
        # The library parses metadata with errors of its own, of many kinds.
        except Exception as error:
            said = _reason(str(error))
            raise FormatError(said or f"the zarr store is damaged: {error}.", path) from error
        self.names = sorted(self._arrays)

    def _collect(self, group: Any, before: str) -> None:
        for name, array in group.arrays():
            self._arrays[before + name] = array
        for name, below in group.groups():
            self._collect(below, f"{before}{name}/")

    def array(self, name: str) -> StoredArray:
        """Return one array, unread.

        Raises
        ------
        FormatError
            If it holds objects, or a codec of it unpickles.
        """
        array = self._arrays[name]
        codecs = repr((array.filters, getattr(array, "serializer", None), array.compressors))
        if re.search("pickle", codecs, re.IGNORECASE):
            raise FormatError(_PICKLED, self.path)
        is_text = array.dtype.kind in "TU"
        if not is_text and array.dtype.kind not in "fiubc":
            raise FormatError(
                f"the array {name!r} has dtype {array.dtype}, but numbers, or text for labels, are "
                f"expected.",
                self.path,
            )
        kind = "str" if is_text else str(array.dtype)
        return StoredArray(tuple(array.shape), kind, partial(self._rows, name))

    def _rows(self, name: str, begin: int, end: int) -> NDArray[Any]:
        array = self._arrays[name]
        self._warn_of_missing_chunks(name, array)
        try:
            return np.asarray(array[begin:end] if array.shape else array[()])
        # Each codec has errors of its own for what it cannot unpack.
        except Exception as error:
            raise FormatError(
                f"the array {name!r} is damaged or cut off: {error}.", self.path
            ) from error

    def _warn_of_missing_chunks(self, name: str, array: Any) -> None:
        """Tell of chunks that are not there: they are constant, or were lost on the way."""
        if name in self._counted:
            return
        self._counted.add(name)
        there, expected = array.nchunks_initialized, array.nchunks
        if there < expected:
            warnings.warn(
                f"{self.path}: {expected - there} of the {expected} chunks of {name!r} are not "
                f"there and are read as {array.fill_value}; the store is incomplete, unless all "
                f"their numbers are the same.",
                InputWarning,
                stacklevel=2,
            )


def _unpacked(zarr: Any, path: Path) -> Any:
    """Open a store in a zip file, whether its folder was packed or what is in the folder."""
    with zipfile.ZipFile(path) as file:
        heads = [name for name in file.namelist() if name.rpartition("/")[2] in _HEADS]
    if not heads:
        raise FormatError(
            f"this is not a zarr store: the zip file holds none of {', '.join(_HEADS)}.", path
        )
    top = min(heads, key=len).rpartition("/")[0]
    return zarr.open(zarr.storage.ZipStore(path, mode="r"), path=top, mode="r")


def _reason(said: str) -> str:
    """Return why the library cannot open a store that is not damaged; empty if it is."""
    if "pickle" in said:
        return _PICKLED
    return _BFLOAT16 if "bfloat16" in said else ""
