"""Processes of this machine that work beside each other, kept however large they grow."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

from geoprobe.threads import available_threads

Result = TypeVar("Result")

_IDLE_S = 300
_BLAS = ("OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def in_processes(
    calls: Sequence[Callable[[], Result]], n_workers: int, *, at_once: int = 1
) -> Generator[Result, None, None]:
    """Yield what every call returns, in the order of the calls.

    Workers stay for calls that follow soon; they end if an error or an interrupt does.

    Parameters
    ----------
    calls : sequence of callable
        Picklable, as partials of functions of modules are.
    n_workers : int
        With 1, everything runs in this process.
    at_once : int, default=1
        How many calls a worker is given at a time.
    """
    if n_workers == 1:
        for call in calls:
            yield call()
        return
    # Unlike the pool of the standard library, it asks nothing of the user's own script.
    from joblib.externals.loky import get_reusable_executor

    pool = get_reusable_executor(
        n_workers, timeout=_IDLE_S, initializer=keep_worker, env=share_of_threads(n_workers)
    )
    done = False
    try:
        yield from pool.map(_call, calls, chunksize=at_once)
        done = True
    finally:
        if not done:
            pool.shutdown(wait=True, kill_workers=True)


def end_processes() -> None:
    """End the workers that stay: what comes next takes all processors, and memory."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor(reuse=True).shutdown(wait=True)


def keep_worker() -> None:
    """Keep this worker however large it grows.

    One that has grown by 300 MB, as torch makes it, would be exchanged for a new one, which imports
    all anew.
    """
    from joblib.externals.loky import process_executor

    process_executor._MAX_MEMORY_LEAK_SIZE = math.inf


def share_of_threads(n_workers: int) -> dict[str, str]:
    """Return the variables that give each of so many processes its share of the processors."""
    share = str(max(1, available_threads() // n_workers))
    return {name: os.environ.get(name, share) for name in _BLAS}


def _call(call: Callable[[], Result]) -> Result:
    return call()
