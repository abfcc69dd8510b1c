"""Ctrl-C in the middle of the work: Python answers, and the probe is as it was before."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from geoprobe.probes import DirectProbe
from geoprobe.progress import Progress
from geoprobe.threads import in_order, interruptible

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(
        not hasattr(signal, "pthread_kill"), reason="this system sends a thread no signals"
    ),
]

# Where nothing else runs, a second is too much; the machine of a test may be busy.
MOST_SECONDS = 10.0
# Seconds from the first report of a phase to Ctrl-C: the kernels are at work by then.
DELAY = 0.02


def hard_space() -> tuple[np.ndarray, np.ndarray]:
    """Return points of many labels that overlap: every phase of a fit takes a while."""
    rng = np.random.default_rng(5)
    return rng.normal(size=(4000, 50)), rng.integers(0, 40, 4000)


@pytest.fixture(autouse=True)
def ctrl_c_raises() -> Iterator[None]:
    """Whatever runs the tests may have set another handler."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class CtrlC:
    """A report of progress that interrupts the main thread once a phase is under way."""

    def __init__(self, phase: str) -> None:
        self.phase = phase
        self.seen: list[str] = []
        self.pressed = 0.0

    def __call__(self, progress: Progress) -> None:
        if progress.phase == self.phase and self.phase not in self.seen:
            threading.Timer(DELAY, self._press).start()
        self.seen.append(progress.phase)

    def _press(self) -> None:
        self.pressed = time.perf_counter()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def interrupted(work: Callable[[], object]) -> float:
    """Do some work that Ctrl-C ends; return when Python heard of it."""
    with pytest.raises(KeyboardInterrupt):
        work()
        # It was done too soon; the key is about to be pressed.
        time.sleep(MOST_SECONDS)
        pytest.fail("nobody has pressed Ctrl-C")
    return time.perf_counter()


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("phase", ["labels", "merging", "distances"])
def test_a_fit_is_left_as_unfitted_as_before(phase: str, n_threads: int) -> None:
    X, y = hard_space()
    ctrl_c = CtrlC(phase)
    probe = DirectProbe(n_threads=n_threads, progress=ctrl_c)
    before = dict(vars(probe))
    seconds = interrupted(lambda: probe.fit(X, y)) - ctrl_c.pressed
    print(f"{phase}, {n_threads} threads: answered {seconds:.3f} s after Ctrl-C")
    assert seconds < MOST_SECONDS
    assert ctrl_c.seen[-1] == phase
    assert vars(probe) == before
    with pytest.raises(NotFittedError):
        check_is_fitted(probe)
    assert_like_new(probe, X[:400], y[:400])


def assert_like_new(probe: DirectProbe, X: np.ndarray, y: np.ndarray) -> None:
    """Assert that fitting the probe gives what fitting a new one gives."""
    new = DirectProbe(n_threads=1).fit(X, y)
    probe.fit(X, y)
    assert np.array_equal(probe.labels_, new.labels_)
    assert np.array_equal(probe.distances_.upper, new.distances_.upper)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_interrupted_fit_keeps_the_fit_before(n_threads: int) -> None:
    X, y = hard_space()
    probe = DirectProbe(n_threads=n_threads).fit(X[:400], y[:400])
    answer = probe.rank_clusters(X[400:450])
    ctrl_c = CtrlC("merging")
    probe.set_params(progress=ctrl_c)
    before = dict(vars(probe))
    interrupted(lambda: probe.fit(X, y))
    assert vars(probe) == before
    for one, two in zip(probe.rank_clusters(X[400:450]), answer, strict=True):
        assert np.array_equal(one, two)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("method", ["predict", "rank_clusters"])
def test_an_interrupted_prediction_leaves_the_probe_as_it_was(method: str, n_threads: int) -> None:
    X, y = hard_space()
    ctrl_c = CtrlC("ranking")
    probe = DirectProbe(n_threads=n_threads).fit(X[:1000], y[:1000])
    expected = probe.rank_clusters(X[:50])
    probe.set_params(progress=ctrl_c)
    before = dict(vars(probe))
    queries = np.tile(X, (10, 1))
    seconds = interrupted(lambda: getattr(probe, method)(queries)) - ctrl_c.pressed
    print(f"{method}, {n_threads} threads: answered {seconds:.3f} s after Ctrl-C")
    assert seconds < MOST_SECONDS
    assert vars(probe) == before
    for one, two in zip(probe.rank_clusters(X[:50]), expected, strict=True):
        assert np.array_equal(one, two)


HARD_FIT = """
import sys, numpy as np
from tests.probes.test_interrupts import hard_space
from geoprobe.probes import DirectProbe

def tell(progress):
    if progress.phase == "merging":
        print("merging", flush=True)

DirectProbe(n_threads={n_threads}, progress=tell).fit(*hard_space())
"""


@pytest.mark.parametrize("n_threads", [1, 2])
def test_ctrl_c_ends_a_program(repository: Path, n_threads: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HARD_FIT.format(n_threads=n_threads)],
        cwd=repository,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "merging\n"
        began = time.perf_counter()
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
    seconds = time.perf_counter() - began
    print(f"{n_threads} threads: gone {seconds:.3f} s after Ctrl-C")
    assert complaint.rstrip().endswith("KeyboardInterrupt")
    assert seconds < MOST_SECONDS


@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_interrupt_does_not_wait_for_long_tasks(n_threads: int) -> None:
    """Tasks that have begun run on, those that have not never do."""
    go_on = threading.Event()
    begun: list[int] = []

    def task(number: int) -> int:
        begun.append(number)
        if number == 0:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        go_on.wait(60)
        return number

    began = time.perf_counter()
    try:
        heard = interrupted(lambda: list(in_order(task, range(6), n_threads, long=True)))
        assert heard - began < MOST_SECONDS
    finally:
        go_on.set()
    assert set(begun) <= set(range(n_threads))


def test_interruptible_returns_what_the_function_does() -> None:
    assert interruptible(divmod, 7, 3) == (2, 1)
    with pytest.raises(ZeroDivisionError):
        interruptible(divmod, 7, 0)
