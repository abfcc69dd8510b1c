"""Named arrays in npy, npz and safetensors files, read on demand.

Pickled objects are refused, never unpickled; sizes are checked before memory is taken. This is the
one file that knows the library safetensors.
"""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError, InputError
from geoprobe.files.array_headers import check_memory, check_npy, check_npz
from geoprobe.files.disk import readable
from geoprobe.files.text_files import checked_file
from geoprobe.spaces.keys import SpaceKey
from geoprobe.spaces.store_layout import LABELS, read_metadata, tensor_name

_NPY_MAGIC = b"\x93NUMPY"
_ZIP_MAGIC = b"PK\x03\x04"
_PICKLED = "holds pickled Python objects, which geoprobe never unpickles"
# The library's own limit.
_LONGEST_HEADER = 100_000_000


class NamedArrays(Protocol):
    """Named arrays in one file."""

    path: Path
    names: list[str]

    def read(self, name: str) -> NDArray[Any]:
        """Return one array."""


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
            If the array is damaged, holds pickled objects, or is larger than the file or the
            memory can hold.
        """
        member = f"{name}.npy"
        try:
            with zipfile.ZipFile(self.path) as archive:
                check_npz(archive, self.path, [member])
                with archive.open(member) as file:
                    array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        except FormatError:
            raise
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


class SafetensorsArrays:
    """The tensors of a safetensors file, read one by one on demand.

    Attributes
    ----------
    path : pathlib.Path
    names : list of str
        Of the tensors.
    key : SpaceKey or None
        Of the spaces, if the file comes from a store.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        from safetensors import SafetensorError, safe_open

        self.path = checked_file(path)
        _check_header(self.path)
        try:
            with safe_open(self.path, framework="numpy") as file:
                self.names = sorted(file.keys())
                metadata = file.metadata() or {}
        except (SafetensorError, OSError, ValueError) as error:
            raise FormatError(
                f"this is no safetensors file, or it is damaged or cut off: {error}.", self.path
            ) from error
        try:
            stored = read_metadata(metadata)
        except InputError as error:
            raise FormatError(str(error), self.path) from error
        self.key: SpaceKey | None = None
        self._label_names: NDArray[np.str_] | None = None
        if stored is not None:
            self.key, self._label_names = stored[0], np.array(stored[1], dtype=np.str_)

    @property
    def last_layer_name(self) -> str:
        """The tensor of the last layer in a file of a store."""
        return max(
            (name for name in self.names if name.startswith(tensor_name(""))),
            key=lambda name: (len(name), name),
            default=tensor_name("0"),
        )

    def read(self, name: str) -> NDArray[Any]:
        """Return one tensor; bfloat16 becomes float32, which holds all its values.

        In a file of a store, the codes of the labels become the labels.

        Raises
        ------
        FormatError
            If NumPy has no type for the tensor, memory does not hold it, or a code has no label.
        """
        array = self._tensor(name)
        if self._label_names is None or name != LABELS:
            return array
        if array.dtype.kind != "i" or not np.isin(array, range(len(self._label_names))).all():
            raise FormatError(
                f"{name!r} should hold the codes of {len(self._label_names)} labels, but some have "
                f"no label: the file is damaged.",
                self.path,
            )
        labels: NDArray[np.str_] = self._label_names[array]
        return labels

    def _tensor(self, name: str) -> NDArray[Any]:
        from safetensors import SafetensorError, safe_open

        kind, shape, begin, end = self._place(name)
        # bfloat16 is widened to twice its size, with the narrow numbers still there.
        needed = (end - begin) * (3 if kind == "BF16" else 1)
        check_memory(needed, f"the tensor {name!r}", self.path)
        if kind == "BF16":
            return self._bfloat16(shape, begin, end)
        try:
            with safe_open(self.path, framework="numpy") as file:
                array: NDArray[Any] = file.get_tensor(name)
        except (SafetensorError, OSError, ValueError, TypeError, AttributeError) as error:
            raise FormatError(
                f"the tensor {name!r} of type {kind} cannot be read: {error}.", self.path
            ) from error
        return array

    def _place(self, name: str) -> tuple[str, tuple[int, ...], int, int]:
        """Return type and shape of a tensor, and its begin and end in the file."""
        with self.path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            noted = json.loads(file.read(length))[name]
        begin, end = (8 + length + offset for offset in noted["data_offsets"])
        return str(noted["dtype"]), tuple(noted["shape"]), begin, end

    def _bfloat16(self, shape: tuple[int, ...], begin: int, end: int) -> NDArray[np.float32]:
        with self.path.open("rb") as file:
            file.seek(begin)
            halves = np.frombuffer(file.read(end - begin), dtype="<u2")
        # A bfloat16 is the upper half of a float32.
        wide = halves.astype(np.uint32) << 16
        return np.reshape(wide.view(np.float32), shape)


def _check_header(path: Path) -> None:
    """Refuse a safetensors file that declares a header longer than itself or than any can be."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    n_bytes = path.stat().st_size
    if length > min(n_bytes, _LONGEST_HEADER):
        raise FormatError(
            f"this is no safetensors file, or it is damaged or cut off: its header would be "
            f"{readable(length)} long, the file is {readable(n_bytes)}.",
            path,
        )
