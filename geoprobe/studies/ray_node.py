"""A node's share in a study on Ray: whether it can take part, its kernels, and one piece's work."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from geoprobe.studies.executors import Answer, attempt

_SECONDS_FOR_A_FOLDER = 10.0
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def do_piece(marker: Path, packed: bytes, n_threads: int, own_kernels: bool) -> Answer | str:
    """Do the work of a piece on this node.

    Parameters
    ----------
    marker : pathlib.Path
        A file of the study that every node must see.
    packed : bytes
        The work, pickled: what it imports may compile, and that waits for the folder of kernels.
    n_threads : int
    own_kernels : bool
        Whether this node keeps compiled kernels of its own.

    Returns
    -------
    Answer, or str
        A sentence if this node cannot take part.
    """
    if refusal := unseen(marker):
        return refusal
    if own_kernels:
        os.environ.setdefault("GEOPROBE_CACHE_DIR", str(kernel_folder()))
    compile_once()
    return attempt(pickle.loads(packed), n_threads)


def unseen(marker: Path) -> str:
    """Say that this node does not see the folder of a study; empty if it does."""
    end = time.monotonic() + _SECONDS_FOR_A_FOLDER
    while not marker.is_file():
        # A network file system may be some seconds late.
        if time.monotonic() > end:
            return (
                f"does not see {marker.parent}; the folder of a study must lie on a disk that all "
                f"nodes share, under the same name"
            )
        time.sleep(0.5)
    return ""


def kernel_folder() -> Path:
    """Return a folder of this machine's own for compiled kernels, the user's alone.

    Home folders are often shared, and kernels are made for one type of processor; and what lies
    in the cache is run, so that nobody else may write there.
    """
    user = os.getuid() if hasattr(os, "getuid") else os.getlogin()
    folder = Path(tempfile.gettempdir()) / f"geoprobe-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    foreign = hasattr(os, "getuid") and (found.st_uid != user or found.st_mode & _OTHERS_WRITE)
    if foreign or not stat.S_ISDIR(found.st_mode):
        return Path(tempfile.mkdtemp(prefix="geoprobe-"))
    return folder


def compile_once() -> None:
    """Compile the kernels if nobody has on this node; the others wait for the first one."""
    from geoprobe.kernels.cache import cache_folder

    # The names of the folders change with what lies in them.
    kernels = sorted(
        path.stem for path in Path(cache_folder.__code__.co_filename).parent.glob("*.py")
    )
    folders = [cache_folder(name) for name in kernels]
    name = hashlib.sha256("\n".join(map(str, folders)).encode()).hexdigest()[:16]
    base = folders[0].parent
    compiled = base / f"compiled-{name}"
    if compiled.exists():
        return
    with _alone(base / "compiling"):
        if not compiled.exists():
            from geoprobe.studies.jobs import load_kernels

            load_kernels()
            compiled.touch()


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep out the other processes of this machine, where the system can."""
    try:
        import fcntl
    except ImportError:  # pragma: no cover - Windows
        yield
        return
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
