"""A second process on the first use: it compiles for merging while this one compiles for hulls.

Numba compiles in one thread at a time, whatever the number of cores. What the second process has
compiled, this one reads from the cache; where it cannot be started, or fails, this one compiles
everything itself.
"""

from __future__ import annotations

import atexit
import contextlib
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from geoprobe.hulls.solving import Groups
from geoprobe.kernels import merging, pairs
from geoprobe.kernels.jit import is_missing
from geoprobe.kernels.ranking import rank_block
from geoprobe.probes.merging import merge_clusters
from geoprobe.probes.ranking import NearestHulls
from geoprobe.threads import available_threads

# Seconds between two looks for what the other process has compiled.
PAUSE = 0.02

_processes: list[subprocess.Popen[bytes]] = []


def compile_ahead() -> None:
    """Begin to compile the kernels of merging in another process, if none is compiled yet.

    Nothing begins where only one processor may be used, or the interpreter is not known.
    """
    if _processes or not (is_missing(pairs.solve_pairs) and is_missing(merging.advance)):
        return
    interpreter = Path(sys.executable or "")
    if available_threads() < 2 or not interpreter.name.lower().startswith("python"):
        return
    # It must find this very package, whatever folder the two of them are in.
    folders = [str(Path(__file__).parents[2]), *sys.path]
    task = f"import sys; sys.path[:] = {folders!r}; import {__name__} as a; a.compile_merging()"
    with contextlib.suppress(OSError):
        process = subprocess.Popen(
            [interpreter, "-c", task],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        _processes.append(process)
        # It does not outlive this process, which may turn out to need no merging.
        atexit.register(process.kill)


def wait_for_kernels() -> None:
    """Wait until the other process has compiled the kernels of merging, or has ended.

    This one does not idle meanwhile: it compiles the kernels of the ranking.
    """
    for process in _processes:
        if process.poll() is None and is_missing(merging.advance) and is_missing(rank_block):
            compile_ranking()
        while process.poll() is None and is_missing(merging.advance):
            time.sleep(PAUSE)


def compile_ranking() -> None:
    """Compile the kernels of the ranking: rank two segments for a point beside them."""
    points = np.array([[0.0, 0.0], [0.0, 0.5], [0.5, 0.0], [0.5, 0.5]])
    segments = Groups(rows=np.arange(4), start=np.array([0, 2, 4]))
    NearestHulls(points, segments).rank(np.array([[0.75, 0.3]]), 1, 1e-7, n_threads=1)


def compile_merging() -> None:
    """Compile the kernels of merging: merge the corners of two squares that overlap."""
    corners = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    merge_clusters(
        points=np.concatenate([corners / 2.0, corners / 3.0]),
        first=np.array([0, 4, 8]),
        original=np.arange(8),
        weight=np.ones(8),
        partner=~np.eye(2, dtype=bool),
        barred=np.zeros(8, bool),
        tau=1e-7,
    )
