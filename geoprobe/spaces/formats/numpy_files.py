"""NumPy's own files: npy, mapped into memory, and npz, unpacked by rows.

Pickled objects are refused, never unpickled; sizes are checked before memory is taken.
"""

from __future__ import annotations

import math
import os
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError
from geoprobe.files.array_headers import (
    check_memory,
    check_npy,
    check_npz,
)
from geoprobe.files.text_files import checked_file
from geoprobe.spaces.formats.named_arrays import StoredArray
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


class NpzArrays:
    """The arrays of an npz file, read one by one on demand."""

    kind = "array"
    points: tuple[str, ...] = ("X",)
    labels: tuple[str, ...] = ("y", "labels", "label")

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: Path | None = checked_file(path)
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
        assert self.path is not None
        member = _Member(self.path, name)
        return StoredArray(member.header.shape, str(member.header.dtype), member.rows)


class _Member:
    """One array of an npz file, unpacked from its first row to its last."""

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name
        self._archive: zipfile.ZipFile | None = None
        self._file: IO[bytes] | None = None
        self._next = 0
        try:
            with zipfile.ZipFile(path) as archive:
                self.header = check_npz(archive, path, f"{name}.npy")
        except FormatError:
            raise
        # As above, and the decompressors add their own.
        except Exception as error:
            raise self._damaged(error) from error
        if self.header.dtype.hasobject:
            raise FormatError(f"the array {name!r} {_PICKLED}.", path)

    def rows(self, begin: int, end: int) -> NDArray[Any]:
        """Return the rows ``begin`` to ``end``, fastest where the last call ended at ``begin``."""
        shape, dtype = self.header.shape, self.header.dtype
        try:
            # Rows of columns that were written one by one are scattered over the whole file.
            if self.header.columns_first or not shape:
                return self._read_whole()[begin:end] if shape else self._read_whole()
            self._go_to(begin)
            assert self._file is not None
            out = np.empty((min(end, shape[0]) - begin, *shape[1:]), dtype=dtype)
            self._fill(self._file, out)
            self._next = end
            if end >= shape[0]:
                # The end of the member is where its checksum is compared.
                self._file.read(1)
                self._close()
        except FormatError:
            raise
        except Exception as error:
            raise self._damaged(error) from error
        return out

    def _go_to(self, row: int) -> None:
        """Let the open member stand before a row."""
        if self._file is None or row < self._next:
            self._close()
            self._archive = zipfile.ZipFile(self._path)
            self._file = self._archive.open(f"{self._name}.npy")
            self._file.read(self.header.length)
            self._next = 0
        between = (row - self._next) * self._row_bytes
        while between > 0:
            got = len(self._file.read(min(between, 1 << 24)))
            if got == 0:
                raise EOFError("the array ends too early")
            between -= got
        self._next = row

    @property
    def _row_bytes(self) -> int:
        return math.prod(self.header.shape[1:]) * self.header.dtype.itemsize

    @staticmethod
    def _fill(file: IO[bytes], out: NDArray[Any]) -> None:
        if out.nbytes == 0:
            return
        left = out.reshape(-1).view(np.uint8)
        while len(left):
            part = file.read(min(len(left), 1 << 24))
            if not part:
                raise EOFError("the array ends too early")
            left[: len(part)] = np.frombuffer(part, dtype=np.uint8)
            left = left[len(part) :]

    def _read_whole(self) -> NDArray[Any]:
        check_memory(self.header.n_bytes, f"the array {self._name!r}", self._path)
        with zipfile.ZipFile(self._path) as archive, archive.open(f"{self._name}.npy") as file:
            return np.asarray(np.lib.format.read_array(file, allow_pickle=False))

    def _close(self) -> None:
        for each in (self._file, self._archive):
            if each is not None:
                each.close()
        self._file = self._archive = None

    def __del__(self) -> None:
        self._close()

    def _damaged(self, error: Exception) -> FormatError:
        return FormatError(f"the array {self._name!r} is damaged or cut off: {error}.", self._path)
