"""Files and folders that appear whole or not at all.

What is being written lies beside its place under a hidden name, which says which process on which
computer writes it; it is forced to the disk and then renamed. A process killed at any moment leaves
nothing under the name itself, and what it left can be told from what a living one is filling.
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

from geoprobe.errors import OccupiedError, OutputError
from geoprobe.files.disk import as_store_error, sync

SUFFIX = ".unfinished"
# Folders that version 0.1 left say nothing of their computer.
_NAME = re.compile(
    r"\.(?P<target>.+)\.((?P<host>[\w-]+)-)?(?P<pid>\d+)-(?P<token>[0-9a-f]+)" + re.escape(SUFFIX)
)
_ours: set[str] = set()


def write_file(path: Path, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a file that appears under its name only when it is whole and safe.

    Raises
    ------
    StoreError
        If the system refuses; nothing is left then, and an older file stays.
    """
    with _unfinished(path) as unfinished:
        write(unfinished)
        sync(unfinished)
        unfinished.replace(path)


@contextlib.contextmanager
def new_folder(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a hidden folder to write in, and rename it to ``folder`` at the end of the block.

    Parameters
    ----------
    folder : path
        Missing, or an empty folder.

    Yields
    ------
    Path
        Where to write.

    Raises
    ------
    OutputError
        If ``folder`` is taken, or writing fails; nothing is left behind then.
    """
    target = check_output(folder)
    with _unfinished(target) as unfinished:
        unfinished.mkdir()
        yield unfinished
        _publish(unfinished, target)


def check_output(folder: str | os.PathLike[str]) -> Path:
    """Refuse a folder that could not be written, before any work is done for it.

    Parameters
    ----------
    folder : path
        Missing, or an empty folder.

    Returns
    -------
    Path
        The same place, absolute.

    Raises
    ------
    OutputError
        If something is there already, or the place cannot be written to.
    """
    target = _absolute(folder)
    if not target.name:
        raise OutputError(f"{os.fspath(folder)!r} cannot be an output folder; name a new one.")
    if is_unfinished(target):
        raise OutputError(f"{target}: names ending in {SUFFIX} are kept for unfinished folders.")
    try:
        _refuse_occupied(target)
        nearest = target.parent
        while not nearest.exists():
            nearest = nearest.parent
        if not nearest.is_dir():
            raise OutputError(f"{target} cannot be written: {nearest} is a file, not a folder.")
        if not os.access(nearest, os.W_OK | os.X_OK):
            raise OutputError(f"{target} cannot be written: no permission to write in {nearest}.")
    except OSError as error:
        raise as_store_error(target, error) from error
    return target


def new_name(target: Path) -> Path:
    """Return a name beside ``target`` for a file or folder whose content is to become it."""
    token = secrets.token_hex(4)
    _ours.add(token)
    return target.with_name(f".{target.name}.{_host()}-{os.getpid()}-{token}{SUFFIX}")


def is_unfinished(path: Path) -> bool:
    """Whether the name is one that :func:`new_name` gives."""
    return _NAME.fullmatch(path.name) is not None


def unfinished_of(target: Path) -> list[Path]:
    """Return the files and folders, sorted, that were to become ``target`` or still may."""
    if not target.parent.is_dir():
        return []
    # A folder may hold tens of thousands of files, each of which is written in turn.
    begin = f".{target.name}."
    with os.scandir(target.parent) as entries:
        names = [entry.name for entry in entries if entry.name.startswith(begin)]
    return [
        target.with_name(name)
        for name in sorted(names)
        if (match := _NAME.fullmatch(name)) and match["target"] == target.name
    ]


def is_stale(path: Path) -> bool:
    """Whether a dead process of this computer has left the file or folder unfinished.

    Of what another computer left there is no telling from here whether its process lives; likewise
    of anything on Windows.
    """
    match = _NAME.fullmatch(path.name)
    return bool(
        match and match["host"] == _host() and not _alive(int(match["pid"]), match["token"])
    )


def remove_stale(target: Path) -> None:
    """Remove what :func:`is_stale` of the files and folders that were to become ``target``."""
    for path in unfinished_of(target):
        if is_stale(path):
            discard(path)


def discard(path: Path) -> None:
    """Remove an unfinished file or folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """Give a name whose content the block renames to ``target``; after an error nothing is left."""
    unfinished = new_name(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_stale(target)
        yield unfinished
        # The rename has happened: from here on the content is complete, whatever the disk says.
        with contextlib.suppress(OSError):
            sync(target.parent)
    except OSError as error:
        discard(unfinished)
        raise as_store_error(target, error) from error
    except BaseException:
        discard(unfinished)
        raise


def _publish(unfinished: Path, target: Path) -> None:
    """Force everything to the disk, then let the folder appear under its name."""
    for path in sorted(unfinished.rglob("*")):
        sync(path)
    sync(unfinished)
    _refuse_occupied(target)
    if os.name == "nt" and target.is_dir():  # pragma: no cover - renames onto nothing only
        target.rmdir()
    unfinished.rename(target)


def _absolute(path: str | os.PathLike[str]) -> Path:
    """Return the place without links and dots, so that its parent is where it really lies."""
    return Path(os.fspath(path)).expanduser().resolve()


def _refuse_occupied(target: Path) -> None:
    """Raise where something is there already; an empty folder is free, unless we stand in it."""
    if target.is_dir():
        if any(target.iterdir()):
            raise OccupiedError(
                f"{target} exists and is not empty; name a new folder or remove it."
            )
        if target == Path.cwd():
            raise OutputError(f"{target} is the current folder; name a new folder inside it.")
    elif target.exists():
        raise OutputError(f"{target} exists and is a file; name a new folder.")


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
