"""The memory that this process may still take."""

from __future__ import annotations

import os
from pathlib import Path

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
