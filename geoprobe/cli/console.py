"""Progress on the screen: bars on a terminal, plain lines elsewhere, for each phase or for all.

It goes to standard error, so that standard output holds nothing but the answer.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TextIO

from geoprobe.progress import Progress, ProgressCallback

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

SECONDS_BETWEEN_LINES = 5.0
_FINEST_LINES = 0.1
# What is shown of all of the work as long as it goes on.
_NOT_YET = 0.99
_WINDOW = 30.0
_LATEST = 1 / 3
# Of the time that has passed; no more is remembered of a run of days.
_FINEST = 0.002
_TOO_EARLY = 1.0
_AT_ONCE = 0.05


class Pace:
    """Estimates the time that a phase still needs, from its speed in the last third of its time.

    Of the first minute and a half it is the last half minute. A shorter time would make the
    estimate jump where large and small pieces of work take turns.

    Parameters
    ----------
    clock : callable
        Returns seconds.
    began : float or None
        When the phase began; now by default.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, began: float | None = None
    ) -> None:
        self._clock = clock
        self._start = clock() if began is None else began
        self._seen: deque[tuple[float, int]] = deque([(self._start, 0)])

    def left(self, done: int, total: int) -> float | None:
        """Note how far the work is, and return the seconds left; None while it is too early."""
        now = self._clock()
        if len(self._seen) == 1 and now - self._start < _AT_ONCE:
            # What was done before the phase began says nothing about its speed.
            self._seen[0] = (now, done)
        elif now - self._seen[-1][0] > _FINEST * (now - self._start):
            self._seen.append((now, done))
        window = max(_WINDOW, (now - self._start) * _LATEST)
        while len(self._seen) > 2 and self._seen[1][0] < now - window:
            self._seen.popleft()
        then, before = self._seen[0]
        if now - self._start < _TOO_EARLY or done <= before:
            return None
        return max(0, total - done) * (now - then) / (done - before)


def duration(seconds: float) -> str:
    """Return a time in words: ``0.42 s``, ``12 s``, ``3 min 5 s``, ``2 h 10 min``."""
    if seconds < 9.95:
        return f"{seconds:.2g} s" if seconds >= 0.01 else "0 s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@contextlib.contextmanager
def compiling_shown(progress: ProgressCallback) -> Iterator[None]:
    """Report the compilation of kernels as a phase of its own, so that no other seems slow.

    Parameters
    ----------
    progress : callable
        Called when the compiler begins with a kernel that Python calls, and when it is done.
    """
    from numba.core import event

    class Compiler(event.Listener):  # type: ignore[misc]
        """Counts compilations inside each other; only the outermost is reported."""

        depth = 0

        def on_start(self, event: object) -> None:
            if self.depth == 0:
                progress(Progress("compiling kernels, once", 0, 1))
            self.depth += 1

        def on_end(self, event: object) -> None:
            self.depth -= 1
            if self.depth == 0:
                progress(Progress("compiling kernels, once", 1, 1))

    with event.install_listener("numba:compile", Compiler()):
        yield


@contextlib.contextmanager
def show_progress(stream: TextIO | None = None, *, whole: str = "") -> Iterator[ProgressCallback]:
    """Show the progress of long work while the block lasts.

    Parameters
    ----------
    stream : text file or None
        Where to; standard error by default.
    whole : str
        What all of the work is called, for one bar that tells how far all of it is; it goes by
        the :attr:`Progress.left` of those who know. Otherwise each phase has a bar of its own.

    Yields
    ------
    callable
        Takes a :class:`geoprobe.progress.Progress`, from any thread.
    """
    with _shown(sys.stderr if stream is None else stream) as show:
        if not whole:
            yield show
            return
        overall = WholeProgress(show, whole)
        yield overall
        overall.finish()


@contextlib.contextmanager
def _shown(stream: TextIO) -> Iterator[ProgressCallback]:
    """Show each phase as the stream can."""
    if not stream.isatty():
        lines = PlainProgress(stream)
        try:
            yield lines
        finally:
            lines.close()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Bars(*columns, console=Console(file=stream)) as bars:
        yield BarProgress(bars)


class PlainProgress:
    """One line when a phase is over, and ever more seldom one in between.

    A phase is over when the next one begins, or :meth:`close` is called: some come in rounds, each
    of which ends.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._lock = threading.Lock()
        self._step: Progress | None = None
        self._pace = Pace(clock)
        self._began = self._last_report = self._last_line = clock()

    def __call__(self, step: Progress) -> None:
        """Print a line if it is time for one."""
        with self._lock:
            now = self._clock()
            if self._step is None or step.phase != self._step.phase:
                self._end_phase()
                # Whoever first reports in the middle began when the phase before it was over.
                began = now if step.done == 0 else self._last_report
                self._pace, self._began, self._last_line = Pace(self._clock, began), began, began
            elif step.done < self._step.done:
                self._pace = Pace(self._clock)
            left = _left(step, self._pace)
            self._step, self._last_report = step, now
            passed = now - self._began
            pause = max(SECONDS_BETWEEN_LINES, _FINEST_LINES * passed)
            if step.done < step.total and now - self._last_line >= pause:
                self._last_line = now
                share = 100 * step.done // step.total
                told = "" if left is None else f", about {duration(left)} left"
                self._say(f"{step.phase}: {share}% after {duration(passed)}{told}")

    def close(self) -> None:
        """End the last phase."""
        with self._lock:
            self._end_phase()
            self._step = None

    def _end_phase(self) -> None:
        if self._step is not None and self._step.done >= self._step.total:
            spent = self._last_report - self._began
            self._say(f"{self._step.phase}: done in {duration(spent)}")

    def _say(self, line: str) -> None:
        assert self._step is not None
        detail = f" ({self._step.detail})" if self._step.detail else ""
        _print(line + detail, self._stream)


class BarProgress:
    """One bar a phase."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._lock = threading.Lock()
        self._phases: dict[str, tuple[TaskID, Pace]] = {}

    def __call__(self, step: Progress) -> None:
        """Move the bar of the phase."""
        with self._lock:
            if step.phase not in self._phases:
                task = self._bars.add_task(step.phase, total=step.total, note="")
                self._phases[step.phase] = task, Pace()
            task, pace = self._phases[step.phase]
            left = _left(step, pace)
            note = step.detail
            if left is not None and step.done < step.total:
                note = f"about {duration(left)} left  {note}"
            self._bars.update(task, completed=step.done, total=step.total, note=note)


def _left(step: Progress, pace: Pace) -> float | None:
    """Return the seconds left: as whoever works says, or else by the pace."""
    left = pace.left(step.done, step.total)
    return left if step.left is None else step.left


class WholeProgress:
    """All of the work as one phase, done by the share of its time that has passed.

    The share never goes back: where more is left than was thought, it waits.

    Parameters
    ----------
    show : callable
        Shows the phase.
    whole : str
        What all of the work is called.
    clock : callable
        Returns seconds.
    """

    def __init__(
        self, show: ProgressCallback, whole: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._show = show
        self._whole = whole
        self._clock = clock
        self._lock = threading.Lock()
        self._began = clock()
        self._end: float | None = None
        self._share = 0.0
        show(Progress(whole, 0, 100))

    def __call__(self, step: Progress) -> None:
        """Note the seconds left where a step tells them."""
        with self._lock:
            now, left = self._clock(), None
            if step.left is not None:
                self._end = now + step.left
            if self._end is not None:
                left, passed = max(0.0, self._end - now), now - self._began
                if left + passed > 0:
                    self._share = max(self._share, min(passed / (passed + left), _NOT_YET))
            counted = f"{step.phase}, {step.done:,} of {step.total:,}"
            self._show(Progress(self._whole, round(100 * self._share), 100, counted, left))

    def finish(self) -> None:
        """Show that all is done."""
        self._show(Progress(self._whole, 100, 100))


def _print(line: str, stream: TextIO) -> None:
    # Whoever no longer listens to the progress may still want the result.
    with contextlib.suppress(OSError, ValueError):
        print(line, file=stream, flush=True)
