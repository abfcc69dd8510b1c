"""A folder that appears complete or not at all.

The files are written into a hidden sibling, forced to the disk, and the sibling is renamed. A
process killed at any moment leaves either nothing, or a folder whose name says that it is
unfinished.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from geoprobe.errors import OutputError

UNFINISHED = ".unfinished"


def is_unfinished(folder: Path) -> bool:
    """Whether the name is one that :func:`new_folder` gives while it writes."""
    return folder.name.startswith(".") and folder.name.endswith(UNFINISHED)


def leftovers(folder: str | os.PathLike[str]) -> list[Path]:
    """Return unfinished folders beside ``folder`` which another writer of it has left or fills.

    Parameters
    ----------
    folder : path
        The folder that was to be written.
    """
    target = _absolute(folder)
    if not target.parent.is_dir():
        return []
    begin = f".{target.name}."
    return sorted(
        path
        for path in target.parent.iterdir()
        if path.name.startswith(begin) and is_unfinished(path)
    )


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
        raise OutputError(
            f"{target}: names ending in {UNFINISHED} are kept for unfinished folders."
        )
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
        raise _as_output_error(target, error) from error
    return target


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
    hidden = target.parent / f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}{UNFINISHED}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        hidden.mkdir()
        yield hidden
        _publish(hidden, target)
    except OSError as error:
        shutil.rmtree(hidden, ignore_errors=True)
        raise _as_output_error(target, error) from error
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise


def _publish(hidden: Path, target: Path) -> None:
    """Force everything to the disk, then let the folder appear under its name."""
    for path in sorted(hidden.iterdir()):
        _sync(path)
    _sync(hidden)
    _refuse_occupied(target)
    if os.name == "nt" and target.is_dir():  # pragma: no cover - renames onto nothing only
        target.rmdir()
    hidden.rename(target)
    # The rename has happened: from here on the folder is complete, whatever the disk says.
    with contextlib.suppress(OSError):
        _sync(target.parent)


def _sync(path: Path) -> None:
    """Force a file or a folder to the disk."""
    if path.is_dir() and os.name == "nt":  # pragma: no cover - folders cannot be opened there
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _absolute(folder: str | os.PathLike[str]) -> Path:
    """Return the place without links and dots, so that its parent is where it really lies."""
    return Path(os.fspath(folder)).expanduser().resolve()


def _refuse_occupied(target: Path) -> None:
    """Raise where something is there already; an empty folder is free, unless we stand in it."""
    if target.is_dir():
        if any(target.iterdir()):
            raise OutputError(f"{target} exists and is not empty; name a new folder or remove it.")
        if target == Path.cwd():
            raise OutputError(f"{target} is the current folder; name a new folder inside it.")
    elif target.exists():
        raise OutputError(f"{target} exists and is a file; name a new folder.")


def _as_output_error(target: Path, error: OSError) -> OutputError:
    """Say in our words that the system refused."""
    reason = error.strerror or str(error)
    return OutputError(f"{target} cannot be written: {reason}.")
