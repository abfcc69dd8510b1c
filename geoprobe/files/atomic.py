"""Files that appear whole or not at all, and names of those that are being written.

A file appears under its own name only when it is complete. Before that it is hidden and its name
says which process on which computer writes it; what a dead process has left can be told from what a
living one is filling.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from geoprobe.files.disk import as_store_error, sync

SUFFIX = ".unfinished"
_NAME = re.compile(
    r"\.(?P<target>.+)\.(?P<host>[\w-]+)-(?P<pid>\d+)-(?P<token>[0-9a-f]{8})" + re.escape(SUFFIX)
)
_ours: set[str] = set()


def write_file(path: Path, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a file that appears under its name only when it is whole and safe.

    Raises
    ------
    StoreError
        If the system refuses; nothing is left then, and an older file stays.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise as_store_error(path.parent, error) from error
    remove_stale(path)
    unfinished = new_name(path)
    try:
        write(unfinished)
        sync(unfinished)
        unfinished.replace(path)
        with contextlib.suppress(OSError):
            sync(path.parent)
    except OSError as error:
        discard(unfinished)
        raise as_store_error(path, error) from error
    except BaseException:
        discard(unfinished)
        raise


def new_name(target: Path) -> Path:
    """Return a name beside ``target`` for a file or folder whose content is to become it."""
    token = secrets.token_hex(4)
    _ours.add(token)
    return target.with_name(f".{target.name}.{_host()}-{os.getpid()}-{token}{SUFFIX}")


def discard(path: Path) -> None:
    """Remove an unfinished file or folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def unfinished_of(target: Path) -> Iterator[Path]:
    """Yield the unfinished files that were to become ``target``."""
    if target.parent.is_dir():
        for path in sorted(target.parent.iterdir()):
            found = _NAME.fullmatch(path.name)
            if found and found["target"] == target.name:
                yield path


def is_unfinished(path: Path) -> bool:
    """Whether the name is one that :func:`new_name` gives."""
    return _NAME.fullmatch(path.name) is not None


def remove_stale(target: Path) -> None:
    """Remove the unfinished files which processes that are dead have left for ``target``.

    Files from another computer are left alone, for there is no telling from here whether their
    process lives; likewise all files on Windows.
    """
    for path in unfinished_of(target):
        found = _NAME.fullmatch(path.name)
        if found and found["host"] == _host() and not _alive(int(found["pid"]), found["token"]):
            discard(path)


def _host() -> str:
    return re.sub(r"[^\w-]", "_", socket.gethostname()) or "localhost"


def _alive(pid: int, token: str) -> bool:
    """Whether the process that writes the file lives."""
    if pid == os.getpid():
        # A container gives each of its runs the same numbers: ours may be that of a dead run.
        return token in _ours
    if os.name == "nt":  # pragma: no cover - signal 0 would end the process there
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
