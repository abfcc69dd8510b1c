"""HDF5 files, read by rows through h5py; this is the one file that knows the library."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError
from geoprobe.files.text_files import checked_file
from geoprobe.spaces.formats.named_arrays import (
    BARE,
    MAYBE_BFLOAT16,
    NamedArrays,
    StoredArray,
    need,
)
from geoprobe.spaces.formats.signatures import HDF5, check_signature

# What a damaged file, a dataset without its filter, or a type that NumPy lacks may raise.
_DAMAGE = (OSError, RuntimeError, ValueError, TypeError, KeyError, UnicodeDecodeError)
# Of an IEEE number of 8 bits of exponent, as float32 and bfloat16 have; float16's is 15.
_BFLOAT16_BIAS = 127


class Hdf5Arrays(NamedArrays):
    """The datasets of an HDF5 file, those of groups with the names of the groups before them."""

    kind = "dataset"
    path: Path

    def __init__(self, path: Path) -> None:
        self.path = checked_file(path)
        self._h5py = need("h5py", "hdf5", path)
        # The signature may follow a block of the user's own, which the library finds.
        if not self._h5py.is_hdf5(path):
            check_signature(self.path, "HDF5", HDF5)
        self.names = []

        def note(name: str, found: Any) -> None:
            if isinstance(found, self._h5py.Dataset):
                self.names.append(name)

        try:
            with self._h5py.File(path, "r") as file:
                file.visititems(note)
        except _DAMAGE as error:
            raise FormatError(
                f"the HDF5 file is damaged, cut off, or being written: {error}.", path
            ) from error

    def array(self, name: str) -> StoredArray:
        """Return one dataset, unread.

        Raises
        ------
        FormatError
            If it holds rows of different lengths, references or records, or is damaged.
        """
        try:
            with self._h5py.File(self.path, "r") as file:
                dataset = file[name]
                shape, dtype = dataset.shape, dataset.dtype
                is_text = self._h5py.check_string_dtype(dtype) is not None
                ragged = self._h5py.check_vlen_dtype(dtype) is not None and not is_text
                is_bfloat16 = _is_bfloat16(dataset)
        except _DAMAGE as error:
            raise self._damaged(name, error) from error
        if ragged or shape is None or (dtype.kind not in "fiubcSU" and not is_text):
            what = "rows of different lengths" if ragged else f"the type {dtype}"
            raise FormatError(
                f"the dataset {name!r} of shape {shape} holds {what}, but an array of numbers, or "
                f"of text for labels, is expected.{MAYBE_BFLOAT16 if str(dtype) in BARE else ''}",
                self.path,
            )
        kind = "str" if is_text else "bfloat16" if is_bfloat16 else str(dtype)
        return StoredArray(tuple(shape), kind, partial(self._rows, name, is_text))

    def _rows(self, name: str, is_text: bool, begin: int, end: int) -> NDArray[Any]:
        try:
            with self._h5py.File(self.path, "r") as file:
                dataset = file[name]
                if not dataset.shape:
                    return np.asarray(dataset[()])
                return np.asarray(dataset.asstr()[begin:end] if is_text else dataset[begin:end])
        except _DAMAGE as error:
            raise self._damaged(name, error) from error

    def _damaged(self, name: str, error: Exception) -> FormatError:
        return FormatError(f"the dataset {name!r} is damaged or cut off: {error}.", self.path)


def _is_bfloat16(dataset: Any) -> bool:
    """Tell whether two bytes hold the exponent of a float32; h5py gives these as float32."""
    stored = dataset.id.get_type()
    if stored.get_size() != 2 or not hasattr(stored, "get_ebias"):
        return False
    return bool(stored.get_ebias() == _BFLOAT16_BIAS)
