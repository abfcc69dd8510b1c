"""Files of arrays with a head that says what they are: npz, never pickle."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError, OutputError
from geoprobe.files.array_headers import NpyHeader, unpack_npz
from geoprobe.files.atomic import write_file
from geoprobe.files.json_files import SEAL, seal
from geoprobe.files.zip_members import member

Arrays = dict[str, NDArray[Any]]

_ABOUT = "about"
# Digits of measured numbers hardly pack: more effort costs twice the time for a few per cent.
_LEVEL = 1
# What reading an arbitrary or damaged zip file of arrays may raise.
_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


def write_npz(target: Path, about: Mapping[str, Any], arrays: Arrays) -> None:
    """Write or replace a file at one stroke; the same content gives the same bytes.

    Parameters
    ----------
    target : pathlib.Path
        Ends in ``.npz``.
    about : mapping
        What JSON can hold, ``format`` and ``format_version`` among it.
    arrays : dict of str to ndarray

    Raises
    ------
    OutputError
        If the name does not end so.
    StoreError
        If the file cannot be written; an older one stays then.
    """
    if target.suffix != ".npz":
        raise OutputError(f"{target}: the name of this file ends in .npz.")
    sealed = {**about, SEAL: _seal(about, arrays)}
    head = json.dumps(sealed, allow_nan=False).encode("ascii")
    named = {**arrays, _ABOUT: np.frombuffer(head, dtype=np.uint8)}

    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "x") as archive:
            for name, array in named.items():
                packed = io.BytesIO()
                np.lib.format.write_array(packed, array, allow_pickle=False)
                archive.writestr(member(f"{name}.npy"), packed.getbuffer(), compresslevel=_LEVEL)

    write_file(target, write)


def read_npz(source: Path, expected: str, version: int) -> tuple[dict[str, Any], Arrays]:
    """Read what :func:`write_npz` has written, and check the name and version of its format.

    Raises
    ------
    FormatError
        If the file is missing, damaged, or of another kind or version.
    """
    if not source.is_file():
        raise FormatError("there is no such file.", source)
    try:
        with zipfile.ZipFile(source) as archive:
            unpacked = unpack_npz(archive, source)
        arrays = {name: _array(header, data) for name, (header, data) in unpacked.items()}
        about = json.loads(bytes(arrays.pop(_ABOUT)).decode("ascii"))
        kind = (about["format"], about["format_version"])
        noted = about.pop(SEAL, None)
        changed = kind == (expected, version) and noted != _seal(about, arrays)
    except FormatError:
        raise
    except _DAMAGE as error:
        raise FormatError(f"no {expected}, or a damaged one ({error}).", source) from error
    if kind != (expected, version):
        raise FormatError(
            f"expected {expected!r} version {version}, but it says {kind}. Remove the file, and "
            f"whatever made it makes it again.",
            source,
        )
    if changed:
        raise FormatError(
            "the file was changed after it was written: its hash is another. Remove it, and "
            "whatever made it makes it again.",
            source,
        )
    return about, arrays


def _seal(about: Mapping[str, Any], arrays: Arrays) -> str:
    """Return the SHA-256 of a head and of its arrays: names, types, shapes and bytes."""
    digest = hashlib.sha256(seal(about).encode("ascii"))
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode("ascii"))
        digest.update(array.tobytes())
    return digest.hexdigest()


def _array(header: NpyHeader, data: bytes) -> NDArray[Any]:
    if header.dtype.hasobject:
        raise ValueError("Python objects, which are never unpickled")
    order: Literal["F", "C"] = "F" if header.columns_first else "C"
    return np.array(np.ndarray(header.shape, header.dtype, data, header.length, order=order))
