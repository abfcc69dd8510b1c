"""Overhead of a study for each of its cells, outside the mathematics.

Usage: ``python -m scripts.many_cells --cells 2000``. Cells are drawn from the shared real spaces;
``GEOPROBE_SHARED`` names the folder above them, and without them that part is skipped and the
reason printed. The study runs on workers, and the time inside ``measure`` is noted in each of them;
what remains of the workers' time is overhead, which includes their start. Processor time says the
same where others use the machine as well, but for what waits for the disk. Then a plan of many
given files is listed, looked at, its status shown, and its run begun again with everything done.
Last, all that is made of a finished study of many cells is made: of one geometry under the name of
every cell. What is written lies in a temporary folder, which is removed, or below ``--folder``.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from geoprobe.files import atomic
from geoprobe.geometry import Cell, write_geometry
from geoprobe.probes import measure
from geoprobe.progress import ProgressCallback
from geoprobe.report import write_report
from geoprobe.spaces import Space
from geoprobe.spaces.source import Source
from geoprobe.studies import (
    Plan,
    StudyFolder,
    compute_findings,
    export_study,
    jobs,
    load_study_data,
    local_executor,
    plan_from_table,
    run_study,
    study_status,
    write_tables,
)
from geoprobe.studies.executors import Answer, Work
from geoprobe.studies.given import Given
from geoprobe.studies.given_index import write_index
from geoprobe.studies.given_looks import look_at
from geoprobe.studies.inputs import planned_files, planned_inputs
from geoprobe.studies.pieces import pieces
from geoprobe.studies.tracked_runs import tracked_runs

Result = TypeVar("Result")
NOTED = "GEOPROBE_MANY_CELLS"
FILES = "{model}/seed-{seed}/layer_{layer}.{split}.npz"
LAYERS = 10


def sources(shared: Path) -> list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """Return points and labels of the shared spaces that cells are drawn from."""
    spaces = []
    for name, labels in (("ps_layer3", "role"), ("pos_layer6", "y"), ("trec50_layer6", "y")):
        with np.load(shared / f"{name}.npz") as file:
            spaces.append((file["X"], file[labels]))
    return spaces


def draw(folder: Path, n_cells: int, shared: Path, n_train: int, n_test: int) -> None:
    """Write the files of so many cells; labels of the test part are among those to train."""
    rng = np.random.default_rng(0)
    drawn_from = sources(shared)
    for number in range(n_cells):
        points, labels = drawn_from[number % len(drawn_from)]
        rows = rng.permutation(len(points))[: n_train + n_test]
        train, test = rows[:n_train], rows[n_train:]
        test = test[np.isin(labels[test], labels[train])]
        place = folder / f"model-{number % 3}" / f"seed-{number // (3 * LAYERS)}"
        place.mkdir(parents=True, exist_ok=True)
        for split, of in (("train", train), ("test", test)):
            path = place / f"layer_{number // 3 % LAYERS}.{split}.npz"
            np.savez(path, X=points[of], y=labels[of])


def plan_of(folder: Path) -> Plan:
    """Return the plan of the files below a folder; nothing but measuring."""
    table = {
        "classifier": False,
        "analyses": ["linearity"],
        "spaces": {"files": FILES, "fixed": {"task": "drawn"}},
    }
    return plan_from_table(table, folder=folder)


# Names that a file may have on every file system.
MOST_LINKS = 1000


class Spent(NamedTuple):
    """Seconds by the clock, and of processors."""

    wall: float
    cpu: float


def noted_measure(measure: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Measure, and add the time to the file of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        return measure(*args, **options)
    finally:
        spent = Spent(time.perf_counter() - wall, time.process_time() - cpu)
        with (Path(os.environ[NOTED]) / f"{os.getpid()}.txt").open("a") as file:
            file.write(f"{spent.wall!r} {spent.cpu!r}\n")


def processor_seconds() -> float:
    """Return what this process and its children that have ended took of processors."""
    return sum(os.times()[:4])


def noted_attempt(work: Work, n_threads: int, progress: ProgressCallback | None = None) -> Answer:
    """Do a piece in a process in which ``measure`` notes its time."""
    if not isinstance(jobs.measure, partial):
        jobs.measure = partial(noted_measure, jobs.measure)
    return _ATTEMPT(work, n_threads, progress)


_ATTEMPT = local_executor.attempt


def run_noted(plan: Plan, root: Path, workers: int, notes: Path) -> tuple[Spent, list[Spent]]:
    """Run a study; return what it took, and each call of ``measure`` in it."""
    notes.mkdir()
    os.environ[NOTED] = str(notes)
    jobs.load_kernels()
    local_executor.attempt = noted_attempt
    wall, cpu = time.perf_counter(), processor_seconds()
    try:
        outcome = run_study(plan, root, n_workers=workers)
    finally:
        local_executor.attempt = _ATTEMPT
    spent = Spent(time.perf_counter() - wall, processor_seconds() - cpu)
    assert outcome.failed == {}, outcome.failed
    lines = [line for path in notes.iterdir() for line in path.read_text().splitlines()]
    return spent, [Spent(*map(float, line.split())) for line in lines]


def overhead(folder: Path, n_cells: int, workers: int, profile: bool) -> None:
    """Print the overhead of a study on workers, and of pieces in it."""
    plan, root = plan_of(folder), folder / "study"
    spent, each = run_noted(plan, root, workers, folder / "notes")
    assert len(each) == n_cells, (len(each), n_cells)
    inside = Spent(*map(sum, zip(*each, strict=True)))
    pieces_s = sum(StudyFolder(root).seconds()["measure"])
    total = spent.wall * workers
    rest = total - inside.wall
    print(f"{n_cells:,} cells on {workers} workers: {spent.wall:,.1f} s")
    print(f"  inside measure            {inside.wall / n_cells * 1e3:9.1f} ms a cell")
    print(f"  overhead, all             {rest / n_cells * 1e3:9.1f} ms a cell, {rest / total:.2%}")
    print(f"    reading and writing     {(pieces_s - inside.wall) / n_cells * 1e3:9.1f}")
    print(f"    all else                {(total - pieces_s) / n_cells * 1e3:9.1f}")
    print("  of processor time")
    print(f"    inside measure          {inside.cpu / n_cells * 1e3:9.1f} ms a cell")
    print(f"    overhead, all           {(spent.cpu - inside.cpu) / n_cells * 1e3:9.1f}")
    for name, work in (
        ("look at the files", lambda: planned_inputs(plan, StudyFolder(root))),
        ("run again, all done", lambda: run_study(plan, root, n_workers=workers)),
    ):
        began = time.perf_counter()
        work()
        print(f"  {name:26}{(time.perf_counter() - began) / n_cells * 1e3:9.2f} ms a cell")
    if profile:
        shutil.rmtree(root / "geometry")
        profiler = cProfile.Profile()
        profiler.runcall(run_study, plan, root, n_workers=1)
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(60)


def many_files(folder: Path, n_cells: int) -> Iterator[Path]:
    """Make the files of a large plan, hard links to one, without a geometry."""
    rng = np.random.default_rng(0)
    first = folder / "one.npz"
    np.savez(first, X=rng.normal(size=(30, 4)).astype(np.float32), y=np.repeat(["a", "b"], 15))
    for number in range(n_cells):
        place = folder / f"model-{number % 10}" / f"seed-{number // (10 * LAYERS)}"
        place.mkdir(parents=True, exist_ok=True)
        path = place / f"layer_{number // 10 % LAYERS}.train.npz"
        # A file has few hard links on some systems.
        if number % 20_000 == 0:
            shutil.copy(first, path)
            first = path
        else:
            os.link(first, path)
        yield path


class Clock:
    """Prints how long each of several works takes."""

    def __call__(self, name: str, work: Callable[[], Result]) -> Result:
        """Work, and print its name, its seconds and those of processors."""
        wall, cpu = time.perf_counter(), processor_seconds()
        result = work()
        wall, cpu = time.perf_counter() - wall, processor_seconds() - cpu
        print(f"  {name:26}{wall:9.2f} s {cpu:9.2f} s of processors", flush=True)
        return result


def large_plan(folder: Path, n_cells: int, workers: int) -> None:
    """Print how long a large plan takes to list, to look at, to show its status and to resume."""
    folder.mkdir()
    for _ in many_files(folder, n_cells):
        pass
    plan, root = plan_of(folder), folder / "study"
    study, clock = StudyFolder(root), Clock()
    print(f"A plan of {n_cells:,} cells")
    inputs = clock("list the files", lambda: planned_inputs(plan, study))
    work = clock("list the pieces", lambda: pieces(plan, study, inputs))
    clock("status, nothing done", lambda: study_status(plan, study, inputs=inputs))
    files = planned_files(plan)
    index = clock(
        f"look at files, {workers} workers",
        lambda: look_at(files, unseen="error", n_workers=workers),
    )
    clock("write what was found", lambda: write_index(index, study.given_index))
    cells = [piece for piece in work if piece.kind == "measure"]
    one = cells[0]
    one.work(1, None)
    # Writing every geometry would take minutes, and resuming asks only whether it is there.
    for number, piece in enumerate(cells[1:], 1):
        piece.path.parent.mkdir(parents=True, exist_ok=True)
        if number % MOST_LINKS:
            os.link(one.path, piece.path)
        else:
            shutil.copy(one.path, piece.path)
            one = piece
    clock("status, all done", lambda: study_status(plan, study, inputs=inputs))
    clock("resume, all done", lambda: run_study(plan, root, n_workers=workers))


STEPS = (0, 10, 20, 40, 80)
SEEDS = 5


def finished(folder: Path, n_cells: int) -> None:
    """Print how long it takes to make what is made of a finished study."""
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(60, 8)), np.repeat(list("abcdef"), 10)
    measured = measure(Space(points, labels), test=Space(points + 0.1, labels))
    folder.mkdir(parents=True)
    first = folder / "one.npz"
    np.savez(first, X=points, y=labels)
    files: dict[Cell, Given] = {}
    for number in range(n_cells):
        rest, layer = divmod(number, LAYERS)
        rest, step = divmod(rest, len(STEPS))
        model, seed = divmod(rest, SEEDS)
        tuned = STEPS[step] > 0
        cell = Cell("drawn", f"model-{model}", layer, "drawn" if tuned else None, seed, STEPS[step])
        # One file for all: nothing reads it again.
        files[cell] = Given(Source(first), None)
    table = {
        "classifier": False,
        "spaces": {"files": "{model}.npz", "fixed": {"task": "drawn", "layer": 0}},
    }
    plan, study = plan_from_table(table, folder=folder), StudyFolder(folder / "study")
    study.adopt(plan, {})
    write_index(look_at(files, unseen="error"), study.given_index)
    # A geometry that a power cut would lose does for this.
    sync, atomic.sync = atomic.sync, lambda path: None
    try:
        for cell in files:
            write_geometry(replace(measured, cell=cell), study.geometry(cell))
    finally:
        atomic.sync = sync
    print(f"A finished study of {n_cells:,} cells")
    clock = Clock()
    material = clock("read it", lambda: load_study_data(study))
    gathered = clock("findings", lambda: compute_findings(study, material=material))
    clock("tables", lambda: write_tables(study, material=material))
    clock("runs for a tracker", lambda: list(tracked_runs(material)))
    clock(
        f"report, {sum(len(section.views) for section in gathered.sections):,} views",
        lambda: write_report(gathered, study.report, figures=study.figures),
    )
    clock("export", lambda: export_study(study, folder / "export.zip", unfinished=True))
    print(f"  memory at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:,.2f} GB")


def main() -> None:
    """Read the arguments, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=2000, help="cells to measure; 0 for none")
    parser.add_argument("--planned", type=int, default=100_000, help="cells of the large plan")
    parser.add_argument("--finished", type=int, default=2000, help="cells of a finished study")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--train", type=int, default=400, help="points to train in a cell")
    parser.add_argument("--test", type=int, default=100, help="points to test in a cell")
    parser.add_argument("--profile", action="store_true", help="where a serial run spends its time")
    parser.add_argument("--folder", type=Path, help="where to write; must not be there")
    given = parser.parse_args()
    shared = Path(os.environ.get("GEOPROBE_SHARED", "../shared")) / "spaces"
    folder = given.folder or Path(tempfile.mkdtemp()) / "many-cells"
    folder.mkdir(parents=True)
    try:
        if given.cells and not shared.is_dir():
            print(f"Skipped: there are no shared spaces in {shared}; name them by GEOPROBE_SHARED.")
        elif given.cells:
            draw(folder / "drawn", given.cells, shared, given.train, given.test)
            overhead(folder / "drawn", given.cells, given.workers, given.profile)
        if given.planned:
            large_plan(folder / "large", given.planned, given.workers)
        if given.finished:
            finished(folder / "finished", given.finished)
    finally:
        if given.folder is None:
            shutil.rmtree(folder.parent)


if __name__ == "__main__":
    main()
