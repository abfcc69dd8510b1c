"""Contract of executors: what a piece of a study is, and what may run it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from geoprobe.errors import GeoprobeError
from geoprobe.progress import ProgressCallback

Work = Callable[[int, ProgressCallback | None], object]
"""A picklable partial of a function of a module, with paths and parameters and never points.

It is called with the number of threads it may use, and with what to report progress to."""


class Uses(NamedTuple):
    """What a piece uses while it runs."""

    cores: int | None = 1
    """None is all of one machine."""
    memory: int = 0
    """Bytes that it needs at the least; 0 where that is not known."""
    gpu: bool = False
    """Whether it runs on a GPU where there is one; one such piece at a time on a machine."""
    kernels: bool = False
    """Whether it needs the kernels of the geometry, which are compiled on the first use."""


ONE_CORE = Uses()


@dataclass(frozen=True)
class Piece:
    """One job of a study.

    Attributes
    ----------
    kind, name : str
        Together they are of this piece alone.
    path : pathlib.Path
        The file that it writes whole: the piece is done when it is there.
    work : callable
        See :data:`Work`.
    needs : tuple of pathlib.Path
        Files that must be there before.
    makes : tuple of pathlib.Path
        Files besides ``path`` that others may need; they may be there long before it.
    uses : Uses
    problem : str
        Why it cannot be done, where that is known before; empty if nothing is.
    """

    kind: str
    name: str
    path: Path
    work: Work
    needs: tuple[Path, ...] = ()
    makes: tuple[Path, ...] = ()
    uses: Uses = ONE_CORE
    problem: str = ""

    def __str__(self) -> str:
        """Name the piece for a person."""
        return f"{self.kind} {self.name}"


class Answer(NamedTuple):
    """How a piece ended."""

    seconds: float
    error: str = ""
    """Why it failed; empty if it did not."""
    lost: bool = False
    """Whether its worker was lost, so that another try may go well."""


class Executor(Protocol):
    """What runs pieces: processes of this machine, or those of a cluster.

    It holds no queue: a piece is handed over when there is room for it, and runs then.
    """

    def refuses(self, uses: Uses) -> str:
        """Say why a piece can never run here, however long one waits; empty if it can."""

    def has_room(self, uses: Uses) -> bool:
        """Whether a piece that is not refused would run now if it were started."""

    def start(self, piece: Piece) -> None:
        """Start a piece for which there is room."""

    def finished(self, timeout: float) -> list[tuple[Piece, Answer]]:
        """Return the pieces that have ended since the last call.

        Parameters
        ----------
        timeout : float
            Seconds to wait for one at most; with nothing running, it returns at once.
        """

    def close(self) -> None:
        """Give back all workers; what runs is ended."""


def attempt(work: Work, n_threads: int, progress: ProgressCallback | None = None) -> Answer:
    """Do the work of a piece where it runs, and say how it ended; only interrupts pass through.

    Parameters
    ----------
    work : callable
    n_threads : int
    progress : callable, optional
    """
    began = time.perf_counter()
    try:
        work(n_threads, progress)
    except GeoprobeError as error:
        return Answer(time.perf_counter() - began, str(error))
    except Exception as error:
        where = traceback.format_exc(limit=-3)
        return Answer(time.perf_counter() - began, f"{type(error).__name__}: {error}\n{where}")
    return Answer(time.perf_counter() - began)
