"""Progress, durations and tables as people see them."""

from __future__ import annotations

import io
import sys
import threading

import pytest

from geoprobe.cli.app import say_error, say_table
from geoprobe.cli.console import (
    Pace,
    PlainProgress,
    WholeProgress,
    compiling_shown,
    duration,
    show_progress,
)
from geoprobe.progress import Progress


class Clock:
    """A clock that goes when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    """A text file that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0 s"),
        (0.001, "0 s"),
        (0.0456, "0.046 s"),
        (0.42, "0.42 s"),
        (9.9, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.9, "1 min 0 s"),
        (185, "3 min 5 s"),
        (3599.9, "1 h 0 min"),
        (7800, "2 h 10 min"),
    ],
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_steady_work_is_foreseen() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert pace.left(0, 100) is None
    clock.now += 0.5
    assert pace.left(5, 100) is None
    for done in range(10, 100, 10):
        clock.now = 100 + done / 10
        assert pace.left(done, 100) == pytest.approx((100 - done) / 10)


def test_what_was_done_before_is_no_speed() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert pace.left(80, 100) is None
    clock.now += 10
    assert pace.left(85, 100) == pytest.approx(30)


def test_work_that_slows_down_is_noticed() -> None:
    clock = Clock()
    pace = Pace(clock)
    for second in range(1, 201):
        clock.now = 100 + second
        done = second * 10 if second <= 100 else 1000 + (second - 100)
        left = pace.left(done, 2000)
    assert left == pytest.approx(900, rel=0.01)


def test_small_and_large_pieces_in_turn_do_not_make_the_estimate_jump() -> None:
    """A hundred of a second each, then a hundred of nine, and so on: five seconds in the mean."""
    clock, total = Clock(), 2000
    pace = Pace(clock)
    foreseen = []
    for done in range(1, total + 1):
        clock.now += 1.0 if done // 100 % 2 else 9.0
        left = pace.left(done, total)
        if done in range(1000, 1600):
            assert left is not None
            foreseen.append(left / (5 * (total - done)))
    assert 0.8 < min(foreseen) and max(foreseen) < 1.25


def test_work_that_stands_still_has_no_estimate() -> None:
    clock = Clock()
    pace = Pace(clock)
    clock.now += 50
    assert pace.left(0, 10) is None
    assert pace.left(0, 0) is None


def test_plain_lines_come_now_and_then() -> None:
    clock, stream = Clock(), io.StringIO()
    progress = PlainProgress(stream, clock)
    for done in range(101):
        progress(Progress("merging", done, 100, f"{done} merges"))
        clock.now += 0.125
    progress(Progress("distances", 0, 1))
    progress(Progress("distances", 1, 1))
    progress(Progress("distances", 1, 1))
    progress.close()
    assert stream.getvalue().splitlines() == [
        "merging: 40% after 5 s, about 7.5 s left (40 merges)",
        "merging: 80% after 10 s, about 2.5 s left (80 merges)",
        "merging: done in 12 s (100 merges)",
        "distances: done in 0 s",
    ]


def test_a_line_on_all_of_the_work_goes_by_the_seconds_left() -> None:
    clock, stream = Clock(), io.StringIO()
    lines = PlainProgress(stream, clock)
    line = WholeProgress(lines, "demo", clock)
    clock.now += 5
    line(Progress("extracting", 0, 2))
    clock.now += 5
    line(Progress("fine-tuning", 0, 2, left=30.0))
    clock.now += 5
    # Who knows nothing of the rest does not change it.
    line(Progress("loss", 7, 9))
    clock.now += 5
    # More is left than was thought.
    line(Progress("measuring", 3, 1000, left=40.0))
    clock.now += 1
    line(Progress("measuring", 4, 1000, left=39.0))
    clock.now += 20
    line(Progress("drawing", 1, 2, left=0.0))
    line.finish()
    lines.close()
    assert stream.getvalue().splitlines() == [
        "demo: 0% after 5 s (extracting, 0 of 2)",
        "demo: 25% after 10 s, about 30 s left (fine-tuning, 0 of 2)",
        "demo: 38% after 15 s, about 25 s left (loss, 7 of 9)",
        "demo: 38% after 20 s, about 40 s left (measuring, 3 of 1,000)",
        "demo: 99% after 41 s, about 0 s left (drawing, 1 of 2)",
        "demo: done in 41 s",
    ]


def test_a_phase_may_come_in_rounds_and_be_empty() -> None:
    clock, stream = Clock(), io.StringIO()
    progress = PlainProgress(stream, clock)
    for total in (3, 2, 1):
        for done in range(total + 1):
            progress(Progress("ranking", done, total))
            clock.now += 0.25
    progress(Progress("nothing", 0, 0))
    progress.close()
    progress.close()
    assert stream.getvalue().splitlines() == ["ranking: done in 2 s", "nothing: done in 0 s"]


def test_a_phase_that_reports_late_began_earlier() -> None:
    clock, stream = Clock(), io.StringIO()
    progress = PlainProgress(stream, clock)
    clock.now += 2
    progress(Progress("labels", 5, 5))
    clock.now += 3
    progress(Progress("distances", 1, 1))
    progress.close()
    assert stream.getvalue().splitlines() == ["labels: done in 2 s", "distances: done in 3 s"]


def test_a_phase_that_breaks_off_is_not_done() -> None:
    stream = io.StringIO()
    with pytest.raises(KeyboardInterrupt), show_progress(stream) as progress:
        progress(Progress("merging", 5, 10))
        raise KeyboardInterrupt
    assert stream.getvalue() == ""


def test_a_closed_stream_stops_no_work() -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream)
    stream.close()
    progress(Progress("files", 1, 1))
    progress.close()


def test_a_terminal_gets_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    stream = Terminal()
    with show_progress(stream) as progress:
        for done in range(11):
            progress(Progress("merging [red]", done, 10, "[b]x"))
        workers = [
            threading.Thread(target=progress, args=(Progress("distances", k, 8),)) for k in range(8)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    seen = stream.getvalue()
    assert "merging [red]" in seen
    assert "[b]x" in seen
    assert "100%" in seen
    assert "distances" in seen


def test_a_terminal_gets_one_bar_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    stream = Terminal()
    with show_progress(stream, whole="my [b]plan") as progress:
        progress(Progress("fine-tuning", 0, 2, left=30.0))
        progress(Progress("measuring", 3, 4, left=0.0))
    lines = [line for line in stream.getvalue().splitlines() if "my [b]plan" in line]
    assert "100%" in lines[-1]
    assert "fine-tuning\n" not in stream.getvalue()


def test_all_of_the_work_is_done_only_at_its_end() -> None:
    stream = io.StringIO()
    with pytest.raises(KeyboardInterrupt), show_progress(stream, whole="demo") as progress:
        progress(Progress("measuring", 4, 4, left=0.0))
        raise KeyboardInterrupt
    assert stream.getvalue() == ""


def test_elsewhere_there_are_no_bars() -> None:
    stream = io.StringIO()
    with show_progress(stream) as progress:
        progress(Progress("merging", 3, 3))
    assert stream.getvalue() == "merging: done in 0 s\n"


def test_a_plain_table(capsys: pytest.CaptureFixture[str]) -> None:
    say_table("Title", ("label", "size "), [("[b]", "1"), ("a\nb", "1,000")])
    assert capsys.readouterr().out == "Title\n  label   size\n  [b]        1\n  a\\nb   1,000\n"


def test_a_table_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("TERM", "xterm")
    say_table("Title [x]", ("label", "size "), [("[b]bold", "1")])
    assert "[b]bold" in stream.getvalue()
    assert "Title [x]" in stream.getvalue()


@pytest.mark.parametrize("plain", [False, True])
def test_errors_are_red_on_a_terminal(monkeypatch: pytest.MonkeyPatch, plain: bool) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    if plain:
        monkeypatch.setenv("NO_COLOR", "1")
    else:
        monkeypatch.delenv("NO_COLOR", raising=False)
    say_error("one\nsentence.")
    text = "one sentence."
    assert stream.getvalue() == (f"{text}\n" if plain else f"\x1b[31m{text}\x1b[0m\n")


def test_compilation_is_a_phase_of_its_own() -> None:
    """Also where one compiled function compiles another, and where nothing is compiled."""
    import numba

    steps: list[Progress] = []
    with compiling_shown(steps.append):
        inner = numba.njit(lambda x: x + 1)
        outer = numba.njit(lambda x: inner(x) * 2)
        assert outer(3) == 8
        assert [(step.done, step.total) for step in steps] == [(0, 1), (1, 1)]
        assert {step.phase for step in steps} == {"compiling kernels, once"}
        outer(4)
    assert len(steps) == 2
    numba.njit(lambda x: x - 1)(3)
    assert len(steps) == 2
