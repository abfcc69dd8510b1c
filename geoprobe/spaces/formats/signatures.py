"""First bytes of files, which tell their format whatever the name says."""

from __future__ import annotations

import contextlib
import zipfile
from pathlib import Path

from geoprobe.errors import FormatError

NPY = b"\x93NUMPY"
ZIP = b"PK\x03\x04"
HDF5 = b"\x89HDF\r\n\x1a\n"
PARQUET = b"PAR1"
ARROW = b"ARROW1"
STREAM = b"\xff\xff\xff\xff"
# A number that begins what torch saved before it packed zip files; it is pickled itself.
OLD_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."

_NAMES = {NPY: "npy", HDF5: "HDF5", PARQUET: "parquet", ARROW: "Arrow"}


def check_signature(path: Path, what: str, *expected: bytes) -> None:
    """Refuse a file that does not begin as its name promises.

    Parameters
    ----------
    path : Path
    what : str
        The format that is expected.
    *expected : bytes
        One of these the file has to begin with.

    Raises
    ------
    FormatError
        Saying what the file is instead, or that it is cut off.
    """
    with path.open("rb") as file:
        first = file.read(max(map(len, expected)))
    if any(first.startswith(magic) for magic in expected):
        return
    if first[:1] == b"\x80":
        raise FormatError(
            f"this is a pickle, not {_article(what)} file, and geoprobe never unpickles; it is not "
            f"opened.",
            path,
        )
    if any(magic.startswith(first) for magic in expected):
        raise FormatError(f"the {what} file is cut off after {len(first)} bytes.", path)
    other = _kind(path)
    if other is not None:
        raise FormatError(
            f"this is {_article(other)} file, but its name ends in {path.suffix}.", path
        )
    raise FormatError(f"this is not {_article(what)} file: it starts with {first!r}.", path)


def zipped_kind(path: Path) -> str:
    """Return what a zip file holds: npz, torch or zip."""
    names: list[str] = []
    # A damaged archive raises errors of many kinds, and its reader has more to say of it.
    with contextlib.suppress(Exception), zipfile.ZipFile(path) as file:
        names = file.namelist()
    if any(name.endswith(".npy") for name in names):
        return "npz"
    return "torch" if any(name.endswith("/data.pkl") for name in names) else "zip"


def _kind(path: Path) -> str | None:
    with path.open("rb") as file:
        first = file.read(8)
    if first.startswith(ZIP):
        kind = zipped_kind(path)
        return "npz" if kind == "zip" else kind
    return next((name for magic, name in _NAMES.items() if first.startswith(magic)), None)


def _article(what: str) -> str:
    return f"an {what}" if what[0] in "aAnH" else f"a {what}"
