"""Headers of npy and npz files: what they declare, held against the file and the memory.

A header of a few bytes can declare an array of any size, and a zip file of 8 MB can hold 8 GB. Both
are found out here, before any memory is taken for them.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from geoprobe.errors import FormatError
from geoprobe.files.disk import readable
from geoprobe.memory import free_memory

# NumPy's own limit: its parser is slow on long headers.
_LONGEST_HEADER = 10_000
# Deflate reaches 1032, zeros alone; spaces of real numbers stay below 10.
_LARGEST_RATIO = 500
_ALWAYS_ALLOWED = 1 << 28
# Asking the system what is free takes longer than reading so little.
_ALWAYS_FREE = 1 << 20
_VERSIONS = {(1, 0): 2, (2, 0): 4, (3, 0): 4}
# A header as NumPy writes it. Any other is read as Python text, which takes ten times as long.
_SIZE = r"(?:0|[1-9][0-9]{0,17})"
_USUAL = re.compile(
    r"\{'descr': '([<>|][biufcU][0-9]{1,9})', 'fortran_order': (True|False), "
    rf"'shape': \(((?:{_SIZE},)?|{_SIZE}(?:, {_SIZE})+)\), \}} *\n".encode("ascii")
)


class NpyHeader(NamedTuple):
    """What an npy file declares."""

    length: int
    """Bytes before the first number."""
    shape: tuple[int, ...]
    columns_first: bool
    """Whether columns are contiguous, as in Fortran, and not rows."""
    dtype: np.dtype[np.generic]

    @property
    def n_bytes(self) -> int:
        """Bytes of the numbers."""
        return math.prod(self.shape) * self.dtype.itemsize


def check_npy(path: Path) -> None:
    """Refuse an npy file whose header declares more than the file holds.

    Raises
    ------
    FormatError
        Saying both sizes.
    ValueError, OSError
        If there is no header.
    """
    with path.open("rb") as file:
        header = read_npy_header(file)
    there = path.stat().st_size - header.length
    if header.n_bytes > there and not header.dtype.hasobject:
        raise FormatError(
            f"the header declares an array of shape {header.shape}, {readable(header.n_bytes)}, "
            f"but {readable(there)} follow: the file is damaged or cut off.",
            path,
        )


def check_npz(archive: zipfile.ZipFile, path: Path, name: str) -> NpyHeader:
    """Refuse an array of an npz file that unpacks to more than it should, or to another size.

    Parameters
    ----------
    archive : ZipFile
    path : Path
        Of the archive.
    name : str
        Member of the archive.

    Returns
    -------
    NpyHeader

    Raises
    ------
    FormatError
        Saying what is declared and what is there.
    ValueError, OSError, KeyError, and what zipfile raises
        If the member is missing or no npy file.
    """
    member = archive.getinfo(name)
    _check_packed(path, [member], f"the array {_name(member)}")
    with archive.open(member) as file:
        header = read_npy_header(file)
    _check_size(path, member, header)
    return header


def unpack_npz(archive: zipfile.ZipFile, path: Path) -> dict[str, tuple[NpyHeader, bytes]]:
    """Unpack all arrays of an npz file with the checks of :func:`check_npz`.

    Returns
    -------
    dict of str to (NpyHeader, bytes)
        By the name of the array; the bytes begin with the header.

    Raises
    ------
    FormatError, and more
        As :func:`check_npz` does; FormatError also if memory does not hold them.
    """
    members, what = archive.infolist(), f"{len(archive.infolist())} arrays"
    check_memory(_check_packed(path, members, what), what, path)
    unpacked = {}
    for member in members:
        data = archive.read(member)
        header = read_npy_header(io.BytesIO(data))
        _check_size(path, member, header)
        unpacked[member.filename.removesuffix(".npy")] = header, data
    return unpacked


def _check_packed(path: Path, members: Sequence[zipfile.ZipInfo], what: str) -> int:
    """Refuse members that pack better than numbers do; return what they unpack to."""
    total = sum(member.file_size for member in members)
    # What the archive says of itself may be forged; it never holds more than its length.
    packed = min(sum(member.compress_size for member in members), path.stat().st_size)
    if total > max(_ALWAYS_ALLOWED, _LARGEST_RATIO * packed):
        raise FormatError(
            f"{readable(packed)} would unpack to {readable(total)} for {what}, more than "
            f"{_LARGEST_RATIO} times as much; numbers that were measured do not pack so well, and "
            f"nothing is unpacked.",
            path,
        )
    return total


def _check_size(path: Path, member: zipfile.ZipInfo, header: NpyHeader) -> None:
    there = member.file_size - header.length
    if header.n_bytes != there and not header.dtype.hasobject:
        raise FormatError(
            f"the array {_name(member)} declares the shape {header.shape}, "
            f"{readable(header.n_bytes)}, but {readable(there)} are packed.",
            path,
        )


def check_memory(n_bytes: int, what: str, path: Path) -> None:
    """Refuse to read what the free memory would not hold.

    Raises
    ------
    FormatError
        Saying what is needed and what is free.
    """
    free = free_memory() if n_bytes > _ALWAYS_FREE else None
    if free is not None and n_bytes > free:
        raise FormatError(
            f"{readable(n_bytes)} of memory are needed for {what}, but {readable(free)} are free.",
            path,
        )


def read_npy_header(file: IO[bytes]) -> NpyHeader:
    """Read the header that a file of one array begins with.

    Raises
    ------
    ValueError
        If there is none, or it is longer than any array needs.
    """
    start = file.read(8)
    version = tuple(start[6:])
    if version not in _VERSIONS:
        raise ValueError(f"version {'.'.join(map(str, version))} of the npy format is not known")
    width = file.read(_VERSIONS[version])
    length = int.from_bytes(width, "little")
    if length > _LONGEST_HEADER:
        raise ValueError(
            f"the header declares a length of {readable(length)}, at most {_LONGEST_HEADER} bytes "
            f"are expected"
        )
    text = file.read(length)
    before = len(start) + len(width) + length
    if (usual := _USUAL.fullmatch(text)) is not None:
        shape = tuple(int(size) for size in usual[3].split(b",") if size)
        return NpyHeader(before, shape, usual[2] == b"True", np.dtype(usual[1].decode("ascii")))
    # Version 3 differs in the encoding of field names, which arrays of points do not have.
    whole = io.BytesIO(width + text)
    if version == (1, 0):
        shape, columns_first, dtype = np.lib.format.read_array_header_1_0(whole)
    else:
        shape, columns_first, dtype = np.lib.format.read_array_header_2_0(whole)
    if min(shape, default=0) < 0:
        raise ValueError(f"the header declares the shape {shape}")
    return NpyHeader(before, shape, columns_first, dtype)


def _name(member: zipfile.ZipInfo) -> str:
    return repr(member.filename.removesuffix(".npy"))
