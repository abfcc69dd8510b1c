"""A results folder appears complete or not at all."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from geoprobe.errors import FormatError, OutputError, VerificationError
from geoprobe.files.atomic import check_output, is_unfinished, new_folder, unfinished_of
from geoprobe.geometry import read_results, write_results
from geoprobe.geometry.result_tables import tables
from geoprobe.geometry.results_folder import GEOMETRY, SUMMARY
from geoprobe.verify import verify_results
from tests.support.geometry_by_hand import LABELS, POINTS, geometry_by_hand

TABLES = tuple(tables(geometry_by_hand()))

WRITER = """
import sys, time
from pathlib import Path
from tests.support.geometry_by_hand import geometry_by_hand
from geoprobe.geometry import results_folder as folder, write_results
{hook}
write_results(geometry_by_hand(), sys.argv[1])
"""


def write(folder: Path) -> Path:
    return write_results(geometry_by_hand(), folder)


def writer(hook: str) -> str:
    return WRITER.format(hook=hook)


def nothing_in(folder: Path) -> bool:
    return list(folder.iterdir()) == []


def test_all_files_are_there(tmp_path: Path) -> None:
    folder = write(tmp_path / "deep" / "out")
    assert folder == (tmp_path / "deep" / "out").resolve()
    assert sorted(p.name for p in folder.iterdir()) == sorted((*TABLES, GEOMETRY, SUMMARY))
    assert [p.name for p in folder.parent.iterdir()] == ["out"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    verify_results(write(tmp_path / "out"), POINTS, LABELS)


def test_a_folder_with_content_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        check_output(out)
    with pytest.raises(OutputError, match="not empty"):
        write(out)
    assert [p.name for p in out.iterdir()] == ["mine.txt"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_results_are_never_written_over(tmp_path: Path) -> None:
    before = (write(tmp_path / "out") / SUMMARY).read_bytes()
    with pytest.raises(OutputError, match="not empty"):
        write(tmp_path / "out")
    assert (tmp_path / "out" / SUMMARY).read_bytes() == before


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="is a file"):
        check_output(tmp_path / "out")
    with pytest.raises(OutputError, match=r"file, not a folder|Not a directory"):
        check_output(tmp_path / "out" / "below")


def test_the_current_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match="current folder"):
        check_output(".")


def test_the_root_and_reserved_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        check_output("/")
    with pytest.raises(OutputError, match="unfinished"):
        check_output(tmp_path / ".out.1-ab.unfinished")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="permission"):
            check_output(tmp_path / "out")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
def test_a_full_disk_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*args: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if call == "write":
        monkeypatch.setattr("geoprobe.geometry.results_folder.write_table", full)
    elif call == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OutputError, match="No space left"):
        write(tmp_path / "out")
    monkeypatch.undo()
    assert nothing_in(tmp_path)


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "out") as hidden:
        (hidden / "half.csv").write_text("half")
        raise KeyboardInterrupt
    assert nothing_in(tmp_path)


def test_another_writer_that_was_faster_wins(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="not empty"), new_folder(tmp_path / "out") as hidden:
        (hidden / "mine").write_text("mine")
        write(tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    read_results(tmp_path / "out")


@pytest.mark.skipif(os.name == "nt", reason="limits of file sizes are POSIX")
def test_a_limit_of_the_system_leaves_nothing(tmp_path: Path, repository: Path) -> None:
    """A real refusal to write, halfway through a file, which no test double invents."""
    hook = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))"
    run = subprocess.run(
        [sys.executable, "-c", writer(hook), str(tmp_path / "out")],
        capture_output=True,
        text=True,
        cwd=repository,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert run.returncode == 1
    assert "StoreError" in run.stderr and "File too large" in run.stderr
    assert nothing_in(tmp_path)


@pytest.mark.full
@pytest.mark.skipif(os.name == "nt", reason="kill -9 is POSIX")
@pytest.mark.parametrize("moment", ["write_geometry", "write_table", "publish"])
def test_a_killed_writer_leaves_nothing_that_looks_complete(
    tmp_path: Path, repository: Path, moment: str
) -> None:
    """A real kill -9, before the geometry, before the tables, and before the rename."""
    ready = tmp_path / "ready"
    stop = f"def stop(*a, **k):\n    Path({str(ready)!r}).touch()\n    time.sleep(60)\n"
    if moment == "publish":
        hook = stop + "import geoprobe.files.atomic as atomic; atomic._publish = stop"
    else:
        hook = stop + f"folder.{moment} = stop"
    target = tmp_path / "results" / "out"
    process = subprocess.Popen([sys.executable, "-c", writer(hook), str(target)], cwd=repository)
    try:
        for _ in range(600):
            if ready.exists() or process.poll() is not None:
                break
            time.sleep(0.05)
        assert ready.exists()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not target.exists()
    (left,) = unfinished_of(target)
    assert is_unfinished(left)
    assert left.name.startswith(".out.")
    # Everything may lie in it already: its name alone says that it never was finished.
    assert (left / SUMMARY).exists() == (moment == "publish")
    for read in (read_results, lambda place: verify_results(place, [[0.0]], ["a"])):
        with pytest.raises(FormatError, match="unfinished"):
            read(left)
    # The next writer clears away what the dead one has left.
    verify_results(write(target), POINTS, LABELS)
    assert [path.name for path in target.parent.iterdir()] == ["out"]


@pytest.mark.full
@pytest.mark.parametrize("name", [SUMMARY, GEOMETRY, *TABLES])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_folder_with_a_missing_or_cut_file_does_not_hold(
    tmp_path: Path, name: str, damage: str
) -> None:
    path = write(tmp_path / "out") / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    absent = name == SUMMARY and damage == "missing"
    with pytest.raises(FormatError if absent else VerificationError, match=name):
        verify_results(tmp_path / "out", POINTS, LABELS)


def test_folders_that_are_no_results(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="does not exist"):
        read_results(tmp_path / "nowhere")
    with pytest.raises(FormatError, match=r"no summary\.json"):
        read_results(tmp_path)
    (tmp_path / "file").write_text("text")
    with pytest.raises(FormatError, match="is a file"):
        read_results(tmp_path / "file")
    (tmp_path / SUMMARY).write_text('{"format": "something else"}')
    with pytest.raises(FormatError, match="something else"):
        read_results(tmp_path)


def test_a_later_version_of_the_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / SUMMARY).write_text('{"format": "geoprobe results", "format_version": 3}')
    with pytest.raises(FormatError, match="version 3"):
        read_results(tmp_path)
