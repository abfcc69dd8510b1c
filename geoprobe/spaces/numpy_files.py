"""NumPy's own files, npy and npz. Pickled ones are refused, never unpickled."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError
from geoprobe.files.text_files import checked_file

_NPY_MAGIC = b"\x93NUMPY"
_ZIP_MAGIC = b"PK\x03\x04"
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
    _check_magic(path, _NPY_MAGIC, "npy")
    try:
        return np.asarray(np.lib.format.open_memmap(path, mode="r"))
    # NumPy parses the header as Python text, so damage there raises errors of many kinds.
    except Exception as error:
        if "Python objects" in str(error):
            raise FormatError(f"the array {_PICKLED}.", path) from error
        raise FormatError(f"the npy file is damaged or cut off: {error}.", path) from error


class NpzArrays:
    """The arrays of an npz file, read one by one on demand."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = checked_file(path)
        _check_magic(self.path, _ZIP_MAGIC, "npz")
        try:
            with zipfile.ZipFile(self.path) as archive:
                members = archive.namelist()
        except Exception as error:
            raise FormatError(f"the npz file is damaged or cut off: {error}.", self.path) from error
        self.names = [name.removesuffix(".npy") for name in members if name.endswith(".npy")]

    def read(self, name: str) -> NDArray[Any]:
        """Return one array.

        Raises
        ------
        FormatError
            If the array is damaged or holds pickled objects.
        """
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(f"{name}.npy") as member:
                array: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
        # As above, and the decompressors add their own.
        except Exception as error:
            if "allow_pickle" in str(error):
                raise FormatError(f"the array {name!r} {_PICKLED}.", self.path) from error
            raise FormatError(
                f"the array {name!r} is damaged or cut off: {error}.", self.path
            ) from error
        return array


def _check_magic(path: Path, magic: bytes, what: str) -> None:
    with path.open("rb") as file:
        first = file.read(len(magic))
    if first == magic:
        return
    if first[:1] == b"\x80":
        raise FormatError(f"this is a pickle, not an {what} file; it is not opened.", path)
    if magic.startswith(first):
        raise FormatError(f"the {what} file is cut off after {len(first)} bytes.", path)
    for other, kind in ((_NPY_MAGIC, "npy"), (_ZIP_MAGIC, "npz")):
        if first[: len(other)] == other[: len(first)]:
            raise FormatError(f"this is an {kind} file, but its name ends in .{what}.", path)
    raise FormatError(f"this is not an {what} file: it starts with {first!r}.", path)
