"""Executors of this machine: its processes, or the process itself."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from typing import Any, NamedTuple

from geoprobe.memory import free_memory
from geoprobe.processes import keep_worker, share_of_threads
from geoprobe.progress import ProgressCallback
from geoprobe.studies.executors import Answer, Piece, Uses, attempt

LOST = "its worker process was lost: killed, or ended by the system for want of memory"
_SECONDS_BETWEEN_LOOKS = 0.2


class ThisProcess:
    """Runs one piece at a time, in the process itself.

    Parameters
    ----------
    n_threads : int
        For each piece.
    progress : callable, optional
        Told how far a piece has come.
    """

    def __init__(self, n_threads: int = 1, progress: ProgressCallback | None = None) -> None:
        self._n_threads = n_threads
        self._progress = progress
        self._memory = free_memory()
        self._piece: Piece | None = None

    def refuses(self, uses: Uses) -> str:
        """Say why a piece can never run here, however long one waits; empty if it can."""
        return _too_large(uses, self._memory)

    def has_room(self, uses: Uses) -> bool:
        """Whether a piece would run now if it were started."""
        return self._piece is None

    def start(self, piece: Piece) -> None:
        """Start a piece for which there is room."""
        self._piece = piece

    def finished(self, timeout: float) -> list[tuple[Piece, Answer]]:
        """Run the piece that was started, to its end."""
        piece = self._piece
        if piece is None:
            return []
        answer = attempt(piece.work, self._n_threads, self._progress)
        self._piece = None
        return [(piece, answer)]

    def close(self) -> None:
        """Forget what was started."""
        self._piece = None


class _Job(NamedTuple):
    """A piece that is running, and where."""

    piece: Piece
    worker: int
    began: float


class Processes:
    """Runs pieces in processes of this machine.

    Each worker is a pool of its own, so that one which is killed takes no other with it, and the
    piece that it was at is known.

    Parameters
    ----------
    n_workers : int
    kernels : Future, optional
        Done when the kernels are compiled; pieces that need them have no room before.
    memory : int, optional
        Bytes that the pieces may take together; what is free now by default.
    """

    def __init__(
        self, n_workers: int, kernels: Future[None] | None = None, *, memory: int | None = None
    ) -> None:
        self._n_workers = n_workers
        self._kernels = kernels
        self._memory = free_memory() if memory is None else memory
        self._pools: dict[int, Any] = {}
        self._jobs: dict[Future[Answer], _Job] = {}

    def refuses(self, uses: Uses) -> str:
        """Say why a piece can never run here, however long one waits; empty if it can."""
        return _too_large(uses, self._memory)

    def has_room(self, uses: Uses) -> bool:
        """Whether a piece would run now if it were started.

        Raises
        ------
        Exception
            What the compiler raised, if the piece needs the kernels and they cannot be had.
        """
        if uses.kernels and self._kernels is not None:
            if not self._kernels.done():
                return False
            self._kernels.result()
        running = [job.piece.uses for job in self._jobs.values()]
        if sum(map(self._cores, (*running, uses))) > self._n_workers:
            return False
        taken = sum(each.memory for each in running)
        if self._memory is not None and running and taken + uses.memory > self._memory:
            return False
        return not (uses.gpu and any(each.gpu for each in running))

    def start(self, piece: Piece) -> None:
        """Start a piece for which there is room."""
        busy = {job.worker for job in self._jobs.values()}
        worker = next(number for number in range(self._n_workers) if number not in busy)
        n_threads = self._n_workers if piece.uses.cores is None else piece.uses.cores
        began = time.perf_counter()
        try:
            future = self._pool(worker).submit(attempt, piece.work, n_threads)
        except BrokenExecutor:
            # It died while it had nothing to do.
            self._pools.pop(worker)
            future = self._pool(worker).submit(attempt, piece.work, n_threads)
        self._jobs[future] = _Job(piece, worker, began)

    def finished(self, timeout: float) -> list[tuple[Piece, Answer]]:
        """Return the pieces that have ended since the last call."""
        if not self._jobs and self._kernels is not None:
            # All that is ready needs the kernels.
            wait([self._kernels], timeout=timeout)
            return []
        done, _ = wait(self._jobs, timeout=timeout, return_when=FIRST_COMPLETED)
        return [self._answer(future) for future in done]

    def close(self) -> None:
        """Give back all workers; what runs is ended."""
        for pool in self._pools.values():
            pool.shutdown(wait=True, kill_workers=True)
        self._pools.clear()
        self._jobs.clear()

    def _answer(self, future: Future[Answer]) -> tuple[Piece, Answer]:
        job = self._jobs.pop(future)
        try:
            return job.piece, future.result()
        except BrokenExecutor:
            self._pools.pop(job.worker).shutdown(wait=False, kill_workers=True)
            return job.piece, Answer(time.perf_counter() - job.began, LOST, lost=True)

    def _cores(self, uses: Uses) -> int:
        """Return how many of the workers' cores a piece takes; one on a GPU leaves others."""
        if uses.cores is None:
            return 1 if uses.gpu else self._n_workers
        return min(uses.cores, self._n_workers)

    def _pool(self, worker: int) -> Any:
        if worker not in self._pools:
            # Unlike the pool of the standard library, it asks nothing of the user's own script.
            from joblib.externals.loky import ProcessPoolExecutor

            self._pools[worker] = ProcessPoolExecutor(
                1,
                initializer=_begin,
                initargs=(os.getpid(),),
                env=share_of_threads(self._n_workers),
            )
        return self._pools[worker]


def _too_large(uses: Uses, memory: int | None) -> str:
    if memory is None or uses.memory <= memory:
        return ""
    return (
        f"it needs at least {uses.memory / 1e9:,.1f} GB of memory, but {memory / 1e9:,.1f} GB are "
        f"free on this machine"
    )


def _begin(parent: int) -> None:
    """Leave interrupts to the parent, and end when it ends, however it does."""
    keep_worker()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.name == "posix":
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    # A worker without a parent would go on with a piece that others take over.
    with contextlib.suppress(AttributeError):
        while os.getppid() == parent:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        os._exit(1)
