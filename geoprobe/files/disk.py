"""Space on the disk, and files that are safe there."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from pathlib import Path
from typing import IO

from geoprobe.errors import OutputError

_BLOCK = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT) if hasattr(errno, "EDQUOT") else (errno.ENOSPC,)


class StoreError(OutputError):
    """A file or folder that cannot be written."""


class DiskSpaceError(StoreError):
    """Not enough space on the disk."""


def check_disk(root: str | os.PathLike[str], needed_bytes: int) -> None:
    """Refuse work whose results would not fit on the disk.

    Parameters
    ----------
    root : path-like
        Where they are to be written; it may not exist yet.
    needed_bytes : int

    Raises
    ------
    DiskSpaceError
        Naming what is needed and what is free.
    StoreError
        If the system does not say what is free.
    """
    nearest = Path(root).expanduser().resolve()
    try:
        while not nearest.exists():
            nearest = nearest.parent
        free = shutil.disk_usage(nearest).free
    except OSError as error:
        raise as_store_error(Path(root), error) from error
    if needed_bytes > free:
        raise DiskSpaceError(
            f"{root}: {readable(needed_bytes)} are needed, but {readable(free)} are free on the "
            f"disk."
        )


def readable(n_bytes: int) -> str:
    """Return a number of bytes for a person, with the exact number behind larger units."""
    size = float(n_bytes)
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            break
        size /= 1000
    return f"{n_bytes} bytes" if unit == "bytes" else f"{size:.1f} {unit} ({n_bytes} bytes)"


def as_store_error(path: Path, error: OSError) -> StoreError:
    """Say in our words that the system refused to write."""
    if error.errno in _FULL:
        return DiskSpaceError(f"{path} cannot be written: the disk is full ({error.strerror}).")
    return StoreError(f"{path} cannot be written: {error.strerror or error}.")


def reserve(file: IO[bytes], n_bytes: int) -> None:
    """Give a file its length, with the blocks behind it where the system can promise them.

    Raises
    ------
    OSError
        If the disk is too full.
    """
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file.fileno(), 0, n_bytes)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise
        else:
            return
    file.truncate(n_bytes)


def write_at(file: IO[bytes], position: int, data: memoryview) -> None:
    """Write all of ``data`` into an unbuffered file, which may take it in pieces."""
    file.seek(position)
    while data:
        data = data[file.write(data) :]


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal, read block by block."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def sync(path: Path) -> None:
    """Force a file or a folder to the disk."""
    if path.is_dir() and os.name == "nt":  # pragma: no cover - folders cannot be opened there
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
