"""The loop that does the pieces of a study, whoever runs them and however many share it."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from geoprobe.files.listing import Listing
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.studies.claims import Claims, Look, digest
from geoprobe.studies.executors import Answer, Executor, Piece
from geoprobe.studies.expectation import Expectation
from geoprobe.studies.pieces import KINDS
from geoprobe.studies.shares import ALL, Share, parse_share

FIRST_LOOK_S = 0.5
LONGEST_LOOK_S = 10.0
"""Seconds between two looks at what others have done, while there is nothing to do here."""

_REST_PER_LOOK = 10

PHASES = {
    "extract": "extracting",
    "fine-tune": "fine-tuning",
    "measure": "measuring",
    "hold": "measuring kept clusters",
    "move": "intervals of movement",
    "resample": "resampling",
    "classify": "classifying",
    "memorise": "learning curves",
    "leave-out": "leaving units out",
    "shuffle": "shuffling labels",
    "shuffle-move": "shuffling movements",
    "shuffle-predict": "shuffling predictions",
    "sample": "sampling",
    "select": "control tasks",
}


@dataclass
class Tally:
    """What a loop did.

    Attributes
    ----------
    done, found : dict of str to int
        Pieces done here, and pieces that had been done or were done by others, by kind.
    failed : dict of str to str
        What could not be done, and why.
    left : dict of str to str
        What was not begun, and what it waits for.
    """

    done: dict[str, int] = field(default_factory=dict)
    found: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)


class Schedule:
    """The pieces of one process: which are ready, which wait, and which others are at.

    Parameters
    ----------
    pieces : sequence of Piece
    claims : Claims
        Of this process, which has joined.
    share : Share
        Pieces of others are left to them.
    note : callable
        Told of every finished piece, with its seconds.
    progress : callable, optional
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        claims: Claims,
        *,
        share: Share = ALL,
        note: Callable[[Piece, float], None],
        progress: ProgressCallback | None = None,
    ) -> None:
        self.tally = Tally()
        self._claims = claims
        self._share = share
        self._note = note
        self._progress = progress
        self._makers = {path: piece for piece in pieces for path in (*piece.makes, piece.path)}
        self._ready: dict[str, deque[Piece]] = {kind: deque() for kind in KINDS}
        # By the first file that is not there yet.
        self._waiting: dict[Path, list[Piece]] = {}
        self._elsewhere: list[Piece] = []
        self._expectation = Expectation()
        self._totals: dict[str, int] = {}
        self._n_failed: Counter[str] = Counter()
        self._listing = Listing()
        self._sort(pieces)

    def _sort(self, pieces: Sequence[Piece]) -> None:
        failures = self._claims.look().failures
        for piece in pieces:
            failure = failures.get(digest(piece)) if failures else None
            if self._listing.has(piece.path):
                self._count(self.tally.found, piece)
            elif piece.problem:
                self._note_failed(piece, piece.problem)
            elif failure is not None and not failure.again:
                self._note_failed(piece, failure.said)
            elif self._share.has(piece):
                self._place(piece)
            else:
                continue
            self._totals[piece.kind] = self._totals.get(piece.kind, 0) + 1

    @property
    def n_left(self) -> int:
        """How many pieces are still to be done by this process."""
        waiting = sum(map(len, self._waiting.values()))
        return waiting + sum(map(len, self._ready.values())) + len(self._elsewhere)

    def left_of(self, kind: str) -> bool:
        """Whether any piece of a kind is still to be done by this process."""
        waiting = (piece for pieces in self._waiting.values() for piece in pieces)
        return bool(self._ready[kind]) or any(piece.kind == kind for piece in waiting)

    def run(self, executor: Executor) -> Tally:
        """Start what is ready as long as there is room, until nothing is left that can be done."""
        pause, rest, looked = FIRST_LOOK_S, FIRST_LOOK_S, time.monotonic()
        while True:
            self._start(executor)
            self._tell()
            waits = bool(self._waiting or self._elsewhere)
            if not self._expectation.running and not waits and not any(self._ready.values()):
                break
            answers = executor.finished(pause if waits else LONGEST_LOOK_S)
            for piece, answer in answers:
                self._end(piece, answer)
            if answers:
                pause = FIRST_LOOK_S
            idle = not self._expectation.running and not any(self._ready.values())
            early = (FIRST_LOOK_S if idle else rest) - (time.monotonic() - looked)
            if not waits or (early > 0 and not idle):
                continue
            time.sleep(max(0.0, early))
            began = time.monotonic()
            moved = self._look_again()
            looked = time.monotonic()
            # A look at a large study takes seconds, which are not to be those of the work.
            rest = max(FIRST_LOOK_S, _REST_PER_LOOK * (looked - began))
            if moved:
                pause = FIRST_LOOK_S
            elif not self._expectation.running and not any(self._ready.values()):
                if not self._others_go_on():
                    break
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_LOOK_S)
        self._name_what_is_left()
        return self.tally

    def _start(self, executor: Executor) -> None:
        for kind in KINDS:
            ready = self._ready[kind]
            while ready:
                # What can never run here is not to hold up those behind it until all is idle.
                if reason := executor.refuses(ready[0].uses):
                    self._fail(ready.popleft(), reason)
                    continue
                if not executor.has_room(ready[0].uses):
                    break
                piece = ready.popleft()
                if self._begin(piece):
                    executor.start(piece)
                    self._expectation.begin(piece)

    def _begin(self, piece: Piece) -> bool:
        """Claim a piece; False if others have it, or have done it."""
        if not self._claims.take(piece):
            self._elsewhere.append(piece)
            return False
        if piece.path.exists():
            self._count(self.tally.found, piece)
            self._report(piece.kind, piece)
        elif (failure := self._claims.failure(piece)) is not None and not failure.again:
            self._fail(piece, failure.said)
        else:
            return True
        self._claims.release(piece)
        return False

    def _end(self, piece: Piece, answer: Answer) -> None:
        self._expectation.end(piece)
        if not answer.error:
            self._note(piece, answer.seconds)
            self._count(self.tally.done, piece)
            self._report(piece.kind, piece)
            self._claims.forget_failure(piece)
        else:
            failure = self._claims.note_failure(piece, answer.error, lost=answer.lost)
            if failure.again:
                self._ready[piece.kind].append(piece)
            else:
                self._fail(piece, failure.said)
        self._claims.release(piece)

    def _look_again(self) -> bool:
        """Look for what has come, from here or from elsewhere; whether anything was to be moved."""
        self._listing = Listing()
        came = [path for path in self._waiting if self._listing.has(path)]
        for path in came:
            for piece in self._waiting.pop(path):
                self._place(piece)
        look = self._claims.look()
        others, self._elsewhere = self._elsewhere, []
        for piece in others:
            if self._listing.has(piece.path):
                self._count(self.tally.found, piece)
                self._report(piece.kind, piece)
            elif digest(piece) in look.running:
                self._elsewhere.append(piece)
            else:
                self._ready[piece.kind].append(piece)
        return bool(came) or len(self._elsewhere) < len(others)

    def _place(self, piece: Piece) -> None:
        """Put a piece where it belongs by what is there."""
        missing = next((path for path in piece.needs if not self._listing.has(path)), None)
        if missing is None:
            self._ready[piece.kind].append(piece)
        else:
            self._waiting.setdefault(missing, []).append(piece)

    def _others_go_on(self) -> bool:
        """Whether somebody alive does, or will do, what this process waits for."""
        if self._elsewhere:
            return True
        look = self._claims.look()
        known: dict[Path, bool] = {}
        return any(self._comes(path, look, known) for path in self._waiting)

    def _comes(self, path: Path, look: Look, known: dict[Path, bool]) -> bool:
        """Whether a file will come from another process, as far as one can see."""
        if path not in known:
            known[path] = self._will_make(self._makers.get(path), look, known)
        return known[path]

    def _will_make(self, maker: Piece | None, look: Look, known: dict[Path, bool]) -> bool:
        if maker is None or self._listing.has(maker.path):
            return False
        if digest(maker) in look.running:
            return True
        failure = look.failures.get(digest(maker))
        if maker.problem or (failure is not None and not failure.again):
            return False
        if not any(parse_share(share).has(maker) for share in look.shares):
            return False
        return all(
            self._listing.has(path) or self._comes(path, look, known) for path in maker.needs
        )

    def _name_what_is_left(self) -> None:
        for path, pieces in self._waiting.items():
            maker = self._makers.get(path)
            if maker is None or self._listing.has(maker.path):
                reason = f"it needs {path}, which is not there"
            elif str(maker) in self.tally.failed:
                reason = f"it needs {maker}, which failed"
            else:
                reason = f"it needs {maker}, which nobody is at"
            for piece in pieces:
                self.tally.left[str(piece)] = reason

    def _fail(self, piece: Piece, reason: str) -> None:
        self._note_failed(piece, reason)
        self._report(piece.kind, piece)

    def _note_failed(self, piece: Piece, reason: str) -> None:
        self.tally.failed[str(piece)] = reason
        self._n_failed[piece.kind] += 1

    def _count(self, counts: dict[str, int], piece: Piece) -> None:
        counts[piece.kind] = counts.get(piece.kind, 0) + 1

    def _tell(self) -> None:
        """Say how far that has come which has run longest."""
        if running := self._expectation.running:
            self._report(running[0])

    def _report(self, kind: str, piece: Piece | None = None) -> None:
        if self._progress is None:
            return
        done = self._n_done(kind)
        unfinished = {each: n - self._n_done(each) for each, n in self._totals.items()}
        left = self._expectation.left(unfinished)
        detail = "" if piece is None else piece.name
        self._progress(Progress(PHASES[kind], done, self._totals[kind], detail, left))

    def _n_done(self, kind: str) -> int:
        done, found = self.tally.done.get(kind, 0), self.tally.found.get(kind, 0)
        return done + found + self._n_failed[kind]
