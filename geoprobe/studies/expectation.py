"""Expectation of the time that the rest of a study takes, from what its pieces took so far."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping

from geoprobe.studies.executors import Piece

SECONDS = {
    "extract": 8.0, "fine-tune": 25.0, "measure": 0.3, "hold": 0.3, "move": 0.3, "resample": 3.0,
    "classify": 1.5, "memorise": 2.0, "leave-out": 1.0, "shuffle": 3.0, "shuffle-move": 1.0,
    "shuffle-predict": 0.3, "sample": 3.0, "select": 3.0,
}  # fmt: skip
"""Of a piece of the demo, or of one like it, on an idle core; the first loads its libraries too."""

_TOO_EARLY = 1.0


class Expectation:
    """Foresees how long the rest of a study takes.

    A piece is expected to take as long as the mean of its kind took. Before the first of a kind is
    done, that is what it takes in the demo, times how much longer other kinds took than there.
    As many pieces are expected to run at the same time as have run so far.

    Parameters
    ----------
    clock : callable
        Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = clock()
        self._running: dict[str, tuple[str, float]] = {}
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._done: Counter[str] = Counter()

    @property
    def running(self) -> list[str]:
        """The kinds of the pieces that run, the one that has run longest first."""
        return [kind for kind, _ in self._running.values()]

    def begin(self, piece: Piece) -> None:
        """Note that a piece begins to run."""
        if not self._running and not self._done:
            self._start = self._clock()
        self._running[str(piece)] = piece.kind, self._clock()

    def end(self, piece: Piece) -> None:
        """Note that a piece has run, whatever came of it."""
        kind, began = self._running.pop(str(piece))
        self._seconds[kind] += self._clock() - began
        self._done[kind] += 1

    def left(self, unfinished: Mapping[str, int]) -> float | None:
        """Return the seconds that the rest will take; None before anything has begun.

        Parameters
        ----------
        unfinished : mapping of str to int
            Pieces of each kind that are not done; those that run are among them.
        """
        if not self._running and not self._done:
            return None
        now = self._clock()
        slowness = self._slowness(now)
        each = {kind: self._expected(kind, slowness) for kind in unfinished}
        ran = [now - began for _, began in self._running.values()]
        to_run = [
            max(0.0, each.get(kind, 0.0) - (now - began)) for kind, began in self._running.values()
        ]
        waiting = Counter(unfinished) - Counter(self.running)
        work = sum(n * each[kind] for kind, n in waiting.items()) + sum(to_run)
        passed = now - self._start
        at_once = float(len(ran))
        if passed > _TOO_EARLY:
            at_once = (sum(ran) + sum(self._seconds.values())) / passed
        return max(work / max(1.0, at_once), *to_run, 0.0)

    def _expected(self, kind: str, slowness: float) -> float:
        if self._done[kind]:
            return self._seconds[kind] / self._done[kind]
        return SECONDS[kind] * slowness

    def _slowness(self, now: float) -> float:
        """Return how much longer pieces take than in the demo; those that run on count too."""
        usual = sum(n * SECONDS[kind] for kind, n in self._done.items())
        took = sum(self._seconds.values())
        for kind, began in self._running.values():
            if now - began > SECONDS[kind]:
                usual += SECONDS[kind]
                took += now - began
        return took / usual if usual else 1.0
