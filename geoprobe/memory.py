"""The memory that this process may still take."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator
from pathlib import Path

from geoprobe.errors import InputError

# The limit of a container or of a job on a cluster; what it uses already holds reclaimable pages
# of files, so that it says little of what is left.
_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def free_memory() -> int | None:
    """Return how many bytes may still be taken without swapping; None where nothing says it.

    On Linux it is what the system calls available, or the limit of the container if that is less;
    elsewhere all of the machine's memory.
    """
    known = [_available(), *map(_limit, _LIMITS)]
    return min((n_bytes for n_bytes in known if n_bytes is not None), default=None)


def _available() -> int | None:
    try:
        with Path("/proc/meminfo").open(encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # pragma: no cover - Windows
        return None


def _limit(path: Path) -> int | None:
    try:
        # Without a limit it reads "max".
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


@contextlib.contextmanager
def nothing_to_free() -> Iterator[None]:
    """Keep Python from searching for garbage while many objects are made, all of which stay.

    It searches all there are, again and again: half the time of listing 100,000 cells.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


BYTES_PER_PAIR = 300
"""What a pair of hulls takes with its bounds, its certificate and what is made of them on the way;
measured with two or three rows on either side."""


def check_room(n_pairs: int, what: str) -> None:
    """Refuse pairs of hulls that the free memory would not hold, before the machine swaps.

    Parameters
    ----------
    n_pairs : int
    what : str
        Such as "the distances of 499,500 pairs of 1,000 groups".

    Raises
    ------
    InputError
        Naming what is needed and what is free.
    """
    free = free_memory()
    if free is not None and n_pairs * BYTES_PER_PAIR > free:
        raise InputError(
            f"{what} need about {n_pairs * BYTES_PER_PAIR / 1e9:,.1f} GB of memory, but "
            f"{free / 1e9:,.1f} GB are free; there is a distance for every two groups of different "
            f"labels, so that fewer labels, or fewer points of labels that overlap, need less."
        )
