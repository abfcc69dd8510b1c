"""Pieces that note in a file that they were done, and such as fail; and a study of four shards."""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from functools import partial
from pathlib import Path

from geoprobe.errors import InputError
from geoprobe.progress import ProgressCallback
from geoprobe.studies.claims import Claims
from geoprobe.studies.executors import Executor, Piece, Uses
from geoprobe.studies.local_executor import ThisProcess
from geoprobe.studies.scheduling import Schedule, Tally
from geoprobe.studies.shares import ALL, Share


def make(path: Path, seconds: float, n_threads: int, progress: ProgressCallback | None) -> None:
    """Write a file whole, and note in the log beside it that it was done."""
    time.sleep(seconds)
    with (path.parent / "log").open("a") as log:
        log.write(f"{path.name}\n")
    path.write_text(str(n_threads))


def fail(n_threads: int, progress: ProgressCallback | None) -> None:
    raise ValueError("this always fails")


def refuse(n_threads: int, progress: ProgressCallback | None) -> None:
    raise InputError("the points are bad")


def die(path: Path, times: int, n_threads: int, progress: ProgressCallback | None) -> None:
    """Kill the worker the first times, and then write the file."""
    with (path.parent / "deaths").open("a") as log:
        log.write("x")
    if len((path.parent / "deaths").read_text()) <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    path.write_text("")


_kept: list[bytes] = []


def grow(path: Path, n_bytes: int, n_threads: int, progress: ProgressCallback | None) -> None:
    """Keep so much memory for a while, and write the number of the process."""
    _kept.append(b"x" * n_bytes)
    time.sleep(1.1)
    path.write_text(str(os.getpid()))


def plain(folder: Path, name: str, seconds: float = 0.0, kind: str = "measure") -> Piece:
    return Piece(kind, name, folder / name, partial(make, folder / name, seconds))


def large(folder: Path, n_bytes: int) -> Piece:
    path = folder / "large"
    return Piece("measure", "large", path, partial(make, path, 0.0), uses=Uses(memory=n_bytes))


def work_off(
    pieces: list[Piece],
    folder: Path,
    executor: Executor | None = None,
    share: Share = ALL,
    progress: ProgressCallback | None = None,
) -> Tally:
    claims = Claims(folder / "work")
    runs = executor or ThisProcess()
    with claims.join(str(share)):
        try:
            schedule = Schedule(
                pieces, claims, share=share, note=lambda *_: None, progress=progress
            )
            return schedule.run(runs)
        finally:
            runs.close()


N_PIECES = 60


def chain(folder: Path) -> list[Piece]:
    """Pieces of which every third needs the one before it."""
    pieces = [plain(folder, f"p{number}", 0.01) for number in range(N_PIECES)]
    return [
        dataclasses.replace(piece, needs=(pieces[number - 1].path,)) if number % 3 == 2 else piece
        for number, piece in enumerate(pieces)
    ]


def shard(folder: Path, number: int) -> None:
    """Do a quarter of the pieces; with 0, all of them."""
    work_off(chain(folder), folder, share=Share(number, 4) if number else ALL)
