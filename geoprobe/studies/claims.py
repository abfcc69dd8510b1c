"""Claims on pieces: who works on what in a folder that several processes share, and what failed.

The folder ``work`` of a study holds a file for each piece that is being done, for each that failed,
and for each process that takes part. Nothing but the folder is shared: no server, and no lock that
a network file system might not keep.

The claims of one piece are numbered. A file that cannot be made twice, ``<piece>.claim-0``, is the
claim; if its process died, whoever makes ``<piece>.claim-1`` has it. Of two that notice the death
one succeeds, and no living claim is ever touched. Whoever comes too late, when the piece has been
done meanwhile and its claims are gone, sees that its file is there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from geoprobe.files.atomic import discard, is_stale, new_name, write_file
from geoprobe.studies.executors import Piece

MOST_TRIES = 3
"""How often a piece is begun whose worker is lost each time."""

BEAT_S = 10.0
"""Seconds between two signs of life."""

STALE_S = 120.0
"""A process of another machine that gave no sign of life for so long is taken for dead."""

_CLAIM = re.compile(r"(?P<piece>[0-9a-f]{24})\.claim-(?P<number>\d+)")
_HERE, _FAILED = ".here", ".failed"


class Running(NamedTuple):
    """A piece that somebody works on."""

    kind: str
    name: str
    host: str
    pid: int
    since: float
    """In seconds since 1970, by the clock of that machine."""

    def __str__(self) -> str:
        began = datetime.fromtimestamp(self.since).strftime("%Y-%m-%d %H:%M:%S")
        return f"{self.kind} {self.name}, on {self.host} (process {self.pid}) since {began}"


class Failure(NamedTuple):
    """A piece that failed."""

    kind: str
    name: str
    reason: str
    tries: int
    again: bool
    """Whether it will be tried again by itself."""

    @property
    def said(self) -> str:
        """The reason, with the number of tries if there were several."""
        return self.reason if self.tries == 1 else f"{self.reason} (tried {self.tries} times)"


def digest(piece: Piece) -> str:
    """Return the name of a piece in the names of files."""
    return digest_of(piece.kind, piece.name)


def digest_of(kind: str, name: str) -> str:
    """Return what :func:`digest` returns for a piece of that kind and name."""
    return hashlib.sha256(f"{kind}\0{name}".encode()).hexdigest()[:24]


class Claims:
    """The claims of one process, and what those of others say.

    Parameters
    ----------
    folder : pathlib.Path
        ``work`` in the folder of the study; made by :meth:`join`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: dict[str, Path] = {}
        self._here: Path | None = None
        self._lock = threading.Lock()
        self._gone = threading.Event()

    @contextlib.contextmanager
    def join(self, share: str) -> Iterator[None]:
        """Take part in the study: give signs of life until the block ends, and then leave.

        Parameters
        ----------
        share : str
            What this process does, such as ``"3/16"``; others read it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._here = self.folder / f"{secrets.token_hex(8)}{_HERE}"
        _make(self._here, {**_whoami(), "share": share})
        beat = threading.Thread(target=self._beat, name="geoprobe-claims", daemon=True)
        beat.start()
        try:
            yield
        finally:
            self._gone.set()
            beat.join()
            for path in [*self._held.values(), self._here]:
                path.unlink(missing_ok=True)
            self._held.clear()

    def take(self, piece: Piece) -> bool:
        """Claim a piece; False if a living process has it.

        Whoever has it then looks whether the piece was done in the meantime.
        """
        name = digest(piece)
        content = {**_whoami(), "kind": piece.kind, "name": piece.name}
        number = 0
        while True:
            path = self.folder / f"{name}.claim-{number}"
            if _make(path, content):
                if number and not (path.with_name(f"{name}.claim-{number - 1}")).exists():
                    # The claims were cleared away since: whoever has the piece now began anew.
                    path.unlink()
                    number = 0
                    continue
                with self._lock:
                    self._held[name] = path
                return True
            if self._lives(path):
                return False
            number += 1

    def release(self, piece: Piece) -> None:
        """Give a claim back, and clear away those of the dead before it."""
        name = digest(piece)
        with self._lock:
            path = self._held.pop(name)
        for number in range(int(path.name.rpartition("-")[2])):
            (self.folder / f"{name}.claim-{number}").unlink(missing_ok=True)
        path.unlink(missing_ok=True)

    def failure(self, piece: Piece) -> Failure | None:
        """Return how a piece failed, if it did."""
        return _failure(self.folder / f"{digest(piece)}{_FAILED}")

    def note_failure(self, piece: Piece, reason: str, *, lost: bool) -> Failure:
        """Note that a piece failed, or lost its worker, once more."""
        before = self.failure(piece)
        tries = 1 + (0 if before is None else before.tries)
        failure = Failure(piece.kind, piece.name, reason, tries, lost and tries < MOST_TRIES)
        text = json.dumps(failure._asdict(), indent=1) + "\n"
        path = self.folder / f"{digest(piece)}{_FAILED}"
        write_file(path, lambda unfinished: unfinished.write_text(text, encoding="ascii"))
        return failure

    def forget_failure(self, piece: Piece) -> None:
        """Forget that a piece failed."""
        (self.folder / f"{digest(piece)}{_FAILED}").unlink(missing_ok=True)

    def forget_failures(self) -> None:
        """Forget that anything failed."""
        for path in self.folder.glob(f"*{_FAILED}"):
            path.unlink(missing_ok=True)

    def look(self) -> Look:
        """Read the whole folder once: who takes part, what is running, and what failed."""
        found = Look({}, {}, set())
        with contextlib.suppress(FileNotFoundError):
            for path in sorted(self.folder.iterdir()):
                if (match := _CLAIM.fullmatch(path.name)) is not None:
                    if self._lives(path) and (noted := _read(path)):
                        found.running[match["piece"]] = Running(
                            *(noted[key] for key in Running._fields)
                        )
                elif path.suffix == _FAILED and (failure := _failure(path)) is not None:
                    found.failures[path.stem] = failure
                elif path.suffix == _HERE and path != self._here:
                    if self._lives(path):
                        found.shares.add(str(_read(path).get("share", "")))
                    else:
                        path.unlink(missing_ok=True)
                elif is_stale(path):
                    discard(path)
        return found

    def _beat(self) -> None:
        while not self._gone.wait(BEAT_S):
            with self._lock:
                paths = [*self._held.values()]
            for path in [*paths, self._here]:
                # With no time said, a network file system takes that of its own clock.
                with contextlib.suppress(OSError):
                    os.utime(path)  # type: ignore[arg-type]

    def _lives(self, path: Path) -> bool:
        """Whether the process that made a file is alive."""
        try:
            changed = path.stat().st_mtime
        except FileNotFoundError:
            return False
        noted = _read(path)
        if noted and noted["machine"] == _MACHINE and os.name == "posix":
            return bool(_started(noted["pid"]) == noted["started"])
        # Of another machine, or not filled yet where there are no links.
        return self._clock() - changed < STALE_S

    def _clock(self) -> float:
        """Return the time by the clock that stamps the files of the folder."""
        if self._here is None or self._gone.is_set():
            return time.time()
        with contextlib.suppress(OSError):
            os.utime(self._here)
            return self._here.stat().st_mtime
        return time.time()


class Look(NamedTuple):
    """What one look at the folder found, by the digests of pieces."""

    running: dict[str, Running]
    failures: dict[str, Failure]
    shares: set[str]
    """What the other processes do that take part."""


def _make(path: Path, content: dict[str, Any]) -> bool:
    """Make a file that nobody else can have made, with its content; False if it is there.

    A process that is killed meanwhile leaves no empty claim, which others would wait for.
    """
    beside = new_name(path)
    try:
        beside.write_text(json.dumps(content), encoding="ascii")
        os.link(beside, path)
    except FileExistsError:
        # A network file system may ask twice, and find what it has linked itself.
        return beside.stat().st_nlink == 2
    except OSError:
        return _make_and_fill(path, content)
    finally:
        beside.unlink(missing_ok=True)
    return True


def _make_and_fill(path: Path, content: dict[str, Any]) -> bool:
    """Do the same in two steps, for a file system without links."""
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except FileExistsError:
        return False
    with os.fdopen(handle, "w", encoding="ascii") as file:
        json.dump(content, file)
    return True


def _read(path: Path) -> dict[str, Any]:
    """Return what a file says; nothing if it is gone or not filled yet."""
    try:
        content = json.loads(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _failure(path: Path) -> Failure | None:
    noted = _read(path)
    try:
        return Failure(*(noted[key] for key in Failure._fields))
    except KeyError:
        return None


def _whoami() -> dict[str, Any]:
    pid = os.getpid()
    return {
        "machine": _MACHINE,
        "host": socket.gethostname(),
        "pid": pid,
        "started": _started(pid),
        "since": time.time(),
    }


def _machine() -> str:
    """Return what tells this machine, since it was started, from all others.

    Containers of one machine have process numbers of their own, and so count as different.
    """
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def _started(pid: int) -> str | None:
    """Return when a process of this machine was started; None if there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None if Path("/proc/self").exists() else _exists(pid)
    except OSError:
        return None
    # The name of the program stands in brackets and may hold anything.
    state, *fields = text.rpartition(")")[2].split()
    return None if state in "ZX" else fields[18]


def _exists(pid: int) -> str | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "there"


_MACHINE = _machine()
