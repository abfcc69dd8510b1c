"""Folders that one process at a time works in."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows, where folders cannot be locked
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def locked(folder: Path, *, wait: bool) -> Iterator[None]:
    """Keep other processes out of a folder, as long as this one lives.

    Some network file systems lock no folders; there the user has to see to it.

    Parameters
    ----------
    folder : Path
    wait : bool
        Whether to wait where another process is in.

    Raises
    ------
    BlockingIOError
        If another process is in and nobody waits.
    """
    with contextlib.ExitStack() as stack:
        if fcntl is not None:
            handle = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, handle)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                raise
            except OSError:
                pass
        yield
