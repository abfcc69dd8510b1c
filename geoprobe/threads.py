"""Numbers of threads, and a function run over chunks with them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from operator import index
from typing import Any, SupportsIndex, TypeVar

from threadpoolctl import ThreadpoolController

from geoprobe.errors import InputError

Task = TypeVar("Task")
Result = TypeVar("Result")


def available_threads() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def checked_threads(n_threads: SupportsIndex | None) -> int:
    """Return the number of threads to use.

    Parameters
    ----------
    n_threads : int, integer of NumPy, or None
        None stands for all processors.

    Raises
    ------
    InputError
        If it is not a positive whole number.
    """
    if n_threads is None:
        return available_threads()
    try:
        # NumPy's integers are none of Python's, but can be used as one.
        count = 0 if isinstance(n_threads, bool) else index(n_threads)
    except TypeError:
        count = 0
    if count < 1:
        raise InputError(f"n_threads must be a positive whole number, but it is {n_threads!r}.")
    return count


def in_order(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    n_threads: int,
    *,
    long: bool = False,
) -> Generator[Result, None, None]:
    """Yield ``function(task)`` for every task, in the order of the tasks.

    An interrupt (Ctrl-C) is not kept waiting by tasks that run in other threads: those that have
    begun run to their end behind the caller's back, and nobody hears of them.

    Parameters
    ----------
    function : callable
        Releases the interpreter's lock where threads are to help.
    tasks : sequence
    n_threads : int
        With 1, or a single task, everything runs in the calling thread, unless tasks are long.
    long : bool, default=False
        Whether a task may stay in a kernel for a second or more, where the calling thread would
        hear no interrupt: then it always runs in another.
    """
    if (n_threads == 1 or len(tasks) < 2) and not long:
        for task in tasks:
            yield function(task)
        return
    pool = ThreadPoolExecutor(max(1, min(n_threads, len(tasks))))
    answered = False
    try:
        for future in [pool.submit(function, task) for task in tasks]:
            yield future.result()
        answered = True
    except Exception:
        # A task has failed: the others end before anybody hears of it.
        answered = True
        raise
    finally:
        pool.shutdown(wait=answered, cancel_futures=True)


def interruptible(function: Callable[..., Result], *args: Any) -> Result:
    """Return ``function(*args)``, and hear an interrupt (Ctrl-C) while a kernel works on it.

    The kernel then runs to its end behind the caller's back, in arrays that nobody reads any more.
    """
    return next(in_order(lambda task: function(*task), [args], 1, long=True))


_BLAS = threading.RLock()


@cache
def _libraries() -> ThreadpoolController:
    """Return the libraries of linear algebra; to look for them takes milliseconds."""
    return ThreadpoolController()


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Keep NumPy's linear algebra to the thread that calls it, while inside: one at a time.

    How many threads it uses decides about last bits, and a library that wakes a thread a core for
    small matrices waits far longer than it works where the cores are busy. threadpoolctl ignores
    whoever sets the number while another thread's limit stands: hence one at a time.
    """
    with _BLAS, _libraries().limit(limits=1, user_api="blas"):
        yield
