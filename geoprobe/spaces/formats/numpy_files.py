"""NumPy's own files: npy, mapped into memory, and npz, unpacked by rows.

Pickled objects are refused, never unpickled; sizes are checked before memory is taken.
"""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError
from geoprobe.files.array_headers import NpyHeader, check_memory, check_npy, check_npz
from geoprobe.files.text_files import checked_file
from geoprobe.spaces.formats.named_arrays import NamedArrays, StoredArray, Walk, blocks
from geoprobe.spaces.formats.signatures import NPY, ZIP, check_signature

_PICKLED = "holds pickled Python objects, which geoprobe never unpickles"


def read_npy(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Map an npy file into memory, read-only.

    Returns
    -------
    ndarray
        Backed by the file; its pages are read when they are used.

    Raises
    ------
    FormatError
        If the file is no npy file, is cut off, or holds pickled objects.
    """
    path = checked_file(path)
    check_signature(path, "npy", NPY)
    try:
        check_npy(path)
        return np.asarray(np.lib.format.open_memmap(path, mode="r"))
    except FormatError:
        raise
    # NumPy parses the header as Python text, so damage there raises errors of many kinds.
    except Exception as error:
        if "Python objects" in str(error):
            raise FormatError(f"the array {_PICKLED}.", path) from error
        raise FormatError(f"the npy file is damaged or cut off: {error}.", path) from error


class NpzArrays(NamedArrays):
    """The arrays of an npz file, read one by one on demand."""

    path: Path

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = checked_file(path)
        check_signature(self.path, "npz", ZIP)
        try:
            with zipfile.ZipFile(self.path) as archive:
                members = archive.namelist()
        except Exception as error:
            raise FormatError(f"the npz file is damaged or cut off: {error}.", self.path) from error
        self.names = [name.removesuffix(".npy") for name in members if name.endswith(".npy")]

    def array(self, name: str) -> StoredArray:
        """Return one array, of which nothing but the header is read.

        Raises
        ------
        FormatError
            If the array is damaged, holds pickled objects, or is larger than the file can hold.
        """
        with self._in_our_words(name), zipfile.ZipFile(self.path) as archive:
            header = check_npz(archive, self.path, f"{name}.npy")
        shape, dtype = header.shape, header.dtype
        if dtype.hasobject:
            raise FormatError(f"the array {name!r} {_PICKLED}.", self.path)
        # Rows of columns that were written one by one are scattered over the whole file.
        if header.columns_first or not shape:
            return StoredArray(shape, str(dtype), partial(self._rows_of_whole, name, header))
        none = np.empty((0, *shape[1:]), dtype)
        walk = Walk(partial(self._blocks, name, header), f"the array {name!r}", self.path, none)
        return StoredArray(shape, str(dtype), walk.rows)

    def _blocks(self, name: str, header: NpyHeader, row: int) -> Iterator[tuple[int, NDArray[Any]]]:
        """Unpack an array from a row on."""
        n_rows, *others = header.shape
        row_bytes = math.prod(others) * header.dtype.itemsize
        with (
            self._in_our_words(name),
            zipfile.ZipFile(self.path) as archive,
            archive.open(f"{name}.npy") as file,
        ):
            file.seek(header.length + row * row_bytes)
            # Small blocks, so that whoever asks for a few rows does not wait for many.
            for begin, end in blocks(row, n_rows, 16 * math.prod(others)):
                data = file.read((end - begin) * row_bytes)
                if end == n_rows:
                    # The end of the member is where its checksum is compared.
                    file.read(1)
                yield begin, np.ndarray((end - begin, *others), header.dtype, data)

    def _rows_of_whole(self, name: str, header: NpyHeader, begin: int, end: int) -> NDArray[Any]:
        check_memory(header.n_bytes, f"the array {name!r}", self.path)
        with (
            self._in_our_words(name),
            zipfile.ZipFile(self.path) as archive,
            archive.open(f"{name}.npy") as file,
        ):
            whole = np.asarray(np.lib.format.read_array(file, allow_pickle=False))
        return whole[begin:end] if header.shape else whole

    @contextmanager
    def _in_our_words(self, name: str) -> Iterator[None]:
        try:
            yield
        except FormatError:
            raise
        # As above, and the decompressors add their own.
        except Exception as error:
            raise FormatError(
                f"the array {name!r} is damaged or cut off: {error}.", self.path
            ) from error
