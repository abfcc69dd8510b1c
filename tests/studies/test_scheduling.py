"""The loop over pieces: order, failures, lost workers, memory, several processes on a folder."""

from __future__ import annotations

import dataclasses
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import Future
from functools import partial
from pathlib import Path

import pytest

from geoprobe.errors import GeoprobeError
from geoprobe.progress import Progress
from geoprobe.studies import StudyFolder, read_plan, run_study, study_status, write_tables
from geoprobe.studies.claims import Claims
from geoprobe.studies.executors import Piece, Uses
from geoprobe.studies.expectation import Expectation
from geoprobe.studies.kinds import KINDS
from geoprobe.studies.local_executor import Processes, _Job
from geoprobe.studies.shares import Share
from tests.support import piece_cases as cases
from tests.support.given_cases import write_spaces


def test_what_a_piece_needs_is_made_before(tmp_path: Path) -> None:
    first = cases.plain(tmp_path, "first", kind="fine-tune")
    second = dataclasses.replace(cases.plain(tmp_path, "second"), needs=(first.path,))
    third = dataclasses.replace(cases.plain(tmp_path, "third"), needs=(second.path, first.path))
    tally = cases.work_off([third, second, first], tmp_path)
    assert (tmp_path / "log").read_text().split() == ["first", "second", "third"]
    assert tally.done == {"fine-tune": 1, "measure": 2} and tally.left == {}
    assert list((tmp_path / "work").iterdir()) == []


def test_pieces_that_need_the_kernels_wait_until_they_are_compiled() -> None:
    kernels: Future[None] = Future()
    executor = Processes(2, kernels)
    assert executor.has_room(Uses()) and not executor.has_room(Uses(kernels=True))
    assert executor.finished(0.0) == []
    kernels.set_result(None)
    assert executor.has_room(Uses(kernels=True))
    broken: Future[None] = Future()
    broken.set_exception(MemoryError("the compiler"))
    with pytest.raises(MemoryError, match="the compiler"):
        Processes(2, broken).has_room(Uses(kernels=True))


@pytest.mark.full
def test_a_study_goes_on_when_the_kernels_are_there(tmp_path: Path) -> None:
    """Nothing but pieces that wait for the kernels is no end of the work."""
    kernels: Future[None] = Future()
    threading.Timer(0.3, kernels.set_result, [None]).start()
    cell = dataclasses.replace(cases.plain(tmp_path, "cell"), uses=Uses(kernels=True))
    assert cases.work_off([cell], tmp_path, Processes(2, kernels)).done == {"measure": 1}


def test_progress_counts_a_kind_and_foresees_all_of_them(tmp_path: Path) -> None:
    first = cases.plain(tmp_path, "first")
    second = dataclasses.replace(cases.plain(tmp_path, "second"), needs=(first.path,))
    seen: list[Progress] = []
    cases.work_off([first, second], tmp_path, progress=seen.append)
    assert [(step.phase, step.done, step.total) for step in seen] == [
        ("measuring", done, 2) for done in (0, 1, 1, 2)
    ]
    assert all(step.left is not None and step.left >= 0 for step in seen)
    assert seen[-1].left == 0


def test_the_rest_takes_what_pieces_of_its_kind_took() -> None:
    now = 0.0
    rest = Expectation(lambda: now)
    assert rest.left({"fine-tune": 2}) is None
    tuning = [Piece("fine-tune", str(k), Path(str(k)), cases.refuse) for k in range(2)]
    left = {"fine-tune": 2, "measure": 30}
    for piece in tuning:
        rest.begin(piece)
    usual, measuring = KINDS["fine-tune"].seconds, KINDS["measure"].seconds
    assert rest.left(left) == pytest.approx((2 * usual + 30 * measuring) / 2)
    now = 2 * usual
    # They take longer than was thought, and may end any moment; so will the others.
    assert rest.left(left) == pytest.approx(2 * 30 * measuring / 2)
    for piece in tuning:
        rest.end(piece)
    left = {"fine-tune": 0, "measure": 30}
    assert rest.left(left) == pytest.approx(30 * measuring)
    cell = Piece("measure", "cell", Path("cell"), cases.refuse)
    rest.begin(cell)
    now += 4.0
    rest.end(cell)
    at_once = (4 * usual + 4) / now
    assert rest.left({"measure": 29}) == pytest.approx(29 * 4 / at_once)


def test_a_piece_that_says_how_far_it_has_come_is_expected_to_go_on_as_fast() -> None:
    now = 0.0
    rest = Expectation(lambda: now)
    rest.begin(Piece("fine-tune", "one", Path("one"), cases.refuse))
    rest.come(0.5)
    assert rest.left({"fine-tune": 1}) == pytest.approx(KINDS["fine-tune"].seconds)
    now = 1000.0
    rest.come(0.6)
    # It went on where it was stopped: a tenth took 1,000 seconds.
    assert rest.left({"fine-tune": 1}) == pytest.approx(4000)


@pytest.mark.full
def test_what_a_long_piece_makes_on_its_way_is_used_meanwhile(tmp_path: Path) -> None:
    """A moment of a fine-tuning is measured while the fine-tuning goes on."""
    moment, end = tmp_path / "moment", tmp_path / "end"
    tuning = Piece(
        "fine-tune", "run", end, partial(make_moment, moment, end), makes=(moment,),
        uses=Uses(cores=None, gpu=True),
    )  # fmt: skip
    cell = dataclasses.replace(cases.plain(tmp_path, "cell"), needs=(moment,))
    assert cases.work_off([tuning, cell], tmp_path, Processes(2)).done == {
        "fine-tune": 1,
        "measure": 1,
    }
    assert end.read_text() == "the cell was there"


def make_moment(moment: Path, end: Path, n_threads: int, progress: object) -> None:
    moment.touch()
    until = time.monotonic() + 30
    while not (moment.parent / "cell").exists() and time.monotonic() < until:
        time.sleep(0.05)
    end.write_text("the cell was there" if (moment.parent / "cell").exists() else "in vain")


def test_a_piece_that_always_fails_is_tried_once_and_named(tmp_path: Path) -> None:
    bad = Piece("measure", "bad", tmp_path / "bad", cases.fail)
    refused = Piece("measure", "refused", tmp_path / "refused", cases.refuse)
    after = dataclasses.replace(cases.plain(tmp_path, "after"), needs=(bad.path,))
    pieces = [bad, refused, after, cases.plain(tmp_path, "good")]
    for _ in range(2):
        tally = cases.work_off(pieces, tmp_path)
        assert tally.failed.keys() == {"measure bad", "measure refused"}
        assert tally.failed["measure bad"].startswith("ValueError: this always fails")
        assert tally.failed["measure refused"] == "the points are bad"
        assert tally.left == {"measure after": "it needs measure bad, which failed"}
        found = Claims(tmp_path / "work").failure(bad)
        assert found is not None and found.tries == 1
    Claims(tmp_path / "work").forget_failures()
    mended = dataclasses.replace(bad, work=partial(cases.make, bad.path, 0.0))
    assert cases.work_off([mended, after], tmp_path).done == {"measure": 2}


@pytest.mark.full
def test_a_lost_worker_costs_its_piece_one_try_and_others_nothing(tmp_path: Path) -> None:
    twice = Piece("measure", "twice", tmp_path / "twice", partial(cases.die, tmp_path / "twice", 2))
    others = [cases.plain(tmp_path, f"p{number}", 0.2) for number in range(8)]
    tally = cases.work_off([twice, *others], tmp_path, Processes(2))
    assert tally.failed == {} and tally.done == {"measure": 9}
    assert Counter((tmp_path / "log").read_text().split()) == {f"p{n}": 1 for n in range(8)}
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.full
def test_a_worker_that_has_grown_is_kept(tmp_path: Path) -> None:
    pytest.importorskip("psutil", reason="without it joblib exchanges no worker")
    sizes = {"first": 1, "grows": 400_000_000, "last": 1}
    pieces = [
        Piece("measure", name, tmp_path / name, partial(cases.grow, tmp_path / name, n_bytes))
        for name, n_bytes in sizes.items()
    ]
    assert cases.work_off(pieces, tmp_path, Processes(1)).done == {"measure": 3}
    assert len({(tmp_path / name).read_text() for name in sizes}) == 1


@pytest.mark.full
def test_a_piece_that_kills_its_workers_is_left_alone_after_three_tries(tmp_path: Path) -> None:
    path = tmp_path / "always"
    bad = Piece("measure", "always", path, partial(cases.die, path, 99))
    good = cases.plain(tmp_path, "good")
    tally = cases.work_off([bad, good], tmp_path, Processes(2))
    assert "lost" in tally.failed["measure always"] and "3 times" in tally.failed["measure always"]
    assert tally.done == {"measure": 1}
    assert cases.work_off([bad, good], tmp_path, Processes(2)).failed == tally.failed
    assert (tmp_path / "deaths").read_text() == "xxx"


def test_a_piece_that_is_too_large_is_not_started_and_says_so(tmp_path: Path) -> None:
    tally = cases.work_off(
        [cases.large(tmp_path, 1 << 60), cases.plain(tmp_path, "good")], tmp_path
    )
    assert "memory" in tally.failed["measure large"] and tally.done == {"measure": 1}
    assert not (tmp_path / "large").exists()
    # Another machine may have room for it.
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.full
def test_a_piece_that_is_too_large_holds_up_none_behind_it(tmp_path: Path) -> None:
    """The first piece goes on until the third is done, which stands behind one too large."""
    third = cases.plain(tmp_path, "third")
    first = Piece("measure", "first", tmp_path / "first", partial(await_file, third.path))
    pieces = [first, cases.large(tmp_path, 101), third]
    tally = cases.work_off(pieces, tmp_path, Processes(2, memory=100))
    assert tally.done == {"measure": 2} and list(tally.failed) == ["measure large"]


def await_file(awaited: Path, n_threads: int, progress: object) -> None:
    until = time.monotonic() + 30
    while not awaited.exists():
        if time.monotonic() > until:
            raise TimeoutError(f"{awaited} was not made")
        time.sleep(0.05)


def test_room_is_for_what_fits() -> None:
    runs = Processes(3, memory=100)
    assert runs.has_room(Uses(cores=None)) and runs.has_room(Uses(memory=99))
    runs._jobs[Future()] = _Job(Piece("extract", "", Path(), cases.fail, uses=Uses(2)), 0, 0.0)
    assert runs.has_room(Uses(cores=1)) and not runs.has_room(Uses(cores=2))
    assert not runs.has_room(Uses(cores=None)) and runs.has_room(Uses(cores=None, gpu=True))
    runs._jobs.clear()
    # More than there are is all of them.
    assert runs.has_room(Uses(cores=9))
    assert runs.refuses(Uses(memory=101)) and not runs.refuses(Uses(memory=100))


def test_shares_wait_for_nobody_that_is_not_there(tmp_path: Path) -> None:
    first = cases.plain(tmp_path, "first", kind="extract")
    second = dataclasses.replace(cases.plain(tmp_path, "second"), needs=(first.path,))
    share = next(s for s in (Share(1, 2), Share(2, 2)) if not s.has(first))
    other = next(s for s in (Share(1, 2), Share(2, 2)) if s.has(first))
    while not share.has(second):
        name = f"{second.name}x"
        second = dataclasses.replace(second, name=name, path=tmp_path / name)
    tally = cases.work_off([first, second], tmp_path, share=share)
    assert tally.left == {str(second): "it needs extract first, which nobody is at"}
    assert tally.done == {} and not first.path.exists()
    assert cases.work_off([first, second], tmp_path, share=other).done == {"extract": 1}
    assert cases.work_off([first, second], tmp_path, share=share).done == {"measure": 1}


SHARD = """
import sys
from pathlib import Path
from tests.support.piece_cases import shard
shard(Path(sys.argv[1]), int(sys.argv[2]))
"""


@pytest.mark.full
@pytest.mark.parametrize("shards", [(1, 2, 3, 4), (0, 0, 0, 0)])
@pytest.mark.parametrize("times", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_two_of_four_processes_are_killed(
    tmp_path: Path, shards: tuple[int, ...], times: int
) -> None:
    """Nothing is lost and nothing done twice, but what a process was at when it was killed."""
    rng = random.Random(times + sum(shards))
    for time_ in range(times):
        folder = tmp_path / str(time_)
        folder.mkdir()
        runs = [subprocess.Popen([sys.executable, "-c", SHARD, folder, str(n)]) for n in shards]
        while not (folder / "log").exists():
            time.sleep(0.01)
        for run in rng.sample(runs, 2):
            time.sleep(rng.uniform(0.0, 0.2))
            run.send_signal(signal.SIGKILL)
        for run in runs:
            run.wait(timeout=60)
        # With shards, those of the dead are begun again, as a queue would.
        for number in set(shards):
            cases.shard(folder, number)
        for number in set(shards):
            cases.shard(folder, number)
        assert all(piece.path.exists() for piece in cases.chain(folder))
        done = Counter((folder / "log").read_text().split())
        assert done.keys() == {piece.name for piece in cases.chain(folder)}
        # Killed between its note and its file, a process leaves a piece that is begun again.
        assert sum(done.values()) - len(done) <= 2
        assert list((folder / "work").iterdir()) == []


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("given")
    write_spaces(folder)
    return folder


@pytest.mark.full
def test_shards_of_a_study_make_its_tables(place: Path, tmp_path: Path) -> None:
    plan = read_plan(place / "plan.toml").replaced(classifier=None)
    whole = run_study(plan, tmp_path / "whole", n_workers=1)
    assert whole.failed == {}
    for number in (1, 2, 3):
        run_study(plan, tmp_path / "parts", n_workers=1, shard=f"{number}/3")
    folder = StudyFolder(tmp_path / "parts")
    assert study_status(plan, folder).complete
    for one, two in zip(write_tables(whole.folder), write_tables(folder), strict=True):
        assert one.read_bytes() == two.read_bytes()
    with pytest.raises(GeoprobeError, match="the shard is '4/3'"):
        run_study(plan, tmp_path / "parts", shard="4/3")


def test_the_status_says_what_runs_waits_and_failed(place: Path, tmp_path: Path) -> None:
    plan = read_plan(place / "plan.toml").replaced(analyses=("linearity",), layers=(1,))
    folder = run_study(plan, tmp_path / "out", n_workers=1).folder
    from geoprobe.studies.inputs import study_inputs
    from geoprobe.studies.pieces import pieces

    first, second, third, *_ = pieces(plan, folder, study_inputs(plan, folder))
    for piece in (first, second, third):
        piece.path.unlink()
    claims = Claims(folder.work)
    with claims.join("1/1"):
        assert claims.take(first)
        claims.note_failure(second, "the disk is full", lost=False)
        status = study_status(plan, folder)
    (counts,) = status.counts
    assert (counts.done, counts.running, counts.failed, counts.waiting) == (1, 1, 1, 1)
    assert [running.name for running in status.running] == [first.name]
    assert status.failed == {str(second): "the disk is full"}
    assert status.waiting == (str(third),)
    again = run_study(plan, folder.root, n_workers=1)
    assert again.failed == {str(second): "the disk is full"} and again.done == {"measure": 2}
    assert run_study(plan, folder.root, n_workers=1, retry_failed=True).done == {"measure": 1}
