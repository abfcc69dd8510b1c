"""Killed writers and full disks: no unfinished file passes for a complete one."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from geoprobe.errors import FormatError
from geoprobe.files import atomic, disk
from geoprobe.spaces import DiskSpaceError, SpaceStore, StoreError
from tests.support.store_by_hand import KEY, LABELS, N_DIMS, fill, points

posix = pytest.mark.skipif(os.name == "nt", reason="signals and limits of POSIX")

# Writes one file; {hook} runs before.
WRITER = """
import os, signal, sys
import numpy as np
from tests.support.store_by_hand import fill
from geoprobe.spaces import SpaceStore
{hook}
fill(SpaceStore(sys.argv[1]), salt=1)
"""

# Every step that changes the folder announces itself to the auditing of Python.
KILL_AT_STEP = """
from geoprobe.spaces import store_writer
steps = 0
def step():
    global steps
    steps += 1
    if steps == {at}:
        os.kill(os.getpid(), signal.SIGKILL)
def watch(event, arguments):
    if event in ("os.rename", "os.remove", "os.mkdir", "fcntl.flock") or (
        event == "open" and isinstance(arguments[0], str) and "original" in arguments[0]
    ):
        step()
written = store_writer.write_at
def write_at(*arguments):
    step()
    written(*arguments)
store_writer.write_at = write_at
sys.addaudithook(watch)
"""


def start(repository: Path, folder: Path, hook: str) -> subprocess.Popen[bytes]:
    code = WRITER.format(hook=hook)
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stderr=subprocess.PIPE, cwd=repository
    )


def files(store: SpaceStore) -> set[Path]:
    return {path for path in store.root.rglob("*") if path.is_file()}


def assert_whole_or_absent(store: SpaceStore, salts: tuple[int, ...]) -> bool:
    """Return whether there is a complete file, which then holds one of the versions."""
    if KEY not in store:
        sidecar = store.path(KEY).with_suffix(".json")
        assert not sidecar.exists()
        assert files(store) == set(store.leftovers())
        return False
    stored = store.open(KEY, verify=True)
    assert any(
        all(np.array_equal(stored.points(layer), points(layer, salt=salt)) for layer in (0, 2, 11))
        for salt in salts
    )
    assert files(store) - {stored.path, stored.path.with_suffix(".json")} == set(store.leftovers())
    return True


@pytest.mark.full
@posix
@pytest.mark.parametrize("replaces", [False, True])
def test_killed_at_every_step(repository: Path, tmp_path: Path, replaces: bool) -> None:
    absent, steps = 0, 0
    while True:
        steps += 1
        store = SpaceStore(tmp_path / str(steps))
        if replaces:
            fill(store)
        process = start(repository, store.root, KILL_AT_STEP.format(at=steps))
        _, stderr = process.communicate(timeout=60)
        there = assert_whole_or_absent(store, (0, 1) if replaces else (1,))
        absent += not there
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, stderr.decode()
        # The next writer cleans up.
        fill(store, salt=2)
        assert store.leftovers() == []
        assert len(files(store)) == 2
    assert there
    # Reserving, the header, the labels, six parts of points, the sidecar and the renames.
    assert steps > 20
    assert absent < 5 if replaces else absent > 20


@pytest.mark.full
@posix
def test_killed_at_random_moments(repository: Path, tmp_path: Path) -> None:
    store = SpaceStore(tmp_path)
    again = "\nwhile True: fill(SpaceStore(sys.argv[1]), salt=0)"
    for seed in range(5):
        process = start(repository, store.root, again)
        while KEY not in store:
            time.sleep(0.01)
            assert process.poll() is None
        time.sleep(np.random.default_rng(seed).uniform(0, 0.1))
        process.kill()
        process.communicate(timeout=60)
        assert_whole_or_absent(store, (0,))
        fill(store)
        assert store.leftovers() == []


@pytest.mark.full
@posix
def test_two_writers_of_one_key(repository: Path, tmp_path: Path) -> None:
    many = "\nfor _ in range(40): fill(SpaceStore(sys.argv[1]), salt={salt})\nsys.exit()"
    processes = [start(repository, tmp_path, many.format(salt=salt)) for salt in (1, 2)]
    for process in processes:
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr.decode()
    store = SpaceStore(tmp_path)
    assert assert_whole_or_absent(store, (1, 2))
    assert store.leftovers() == []


def test_the_file_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    store = SpaceStore(tmp_path)
    asked = {"layers": [0], "labels": LABELS, "n_dims": N_DIMS, "provenance": {}}
    with store.writer(KEY, **asked) as slow:
        assert KEY not in store
        assert len(store.leftovers()) == 1
        fill(store)
        assert len(store.leftovers()) == 1
        slow.write(0, np.arange(5), points(0, salt=7))
    np.testing.assert_array_equal(store.open(KEY, verify=True).points(0), points(0, salt=7))
    assert store.leftovers() == []


@posix
def test_only_files_of_the_dead_on_this_computer_are_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "train.safetensors"
    monkeypatch.setattr(atomic, "_host", lambda: "other")
    elsewhere = atomic.new_name(target)
    monkeypatch.undo()
    ours = atomic.new_name(target)
    # The same process number in an earlier run of a container.
    earlier = ours.with_name(ours.name.replace(ours.name.split("-")[-1][:8], "0" * 8))
    dead = ours.with_name(ours.name.replace(f"-{os.getpid()}-", f"-{2**22 + 1}-"))
    similar = tmp_path / ".notes.unfinished"
    for path in (elsewhere, ours, earlier, dead, similar):
        path.touch()
    atomic.remove_stale(target)
    assert set(tmp_path.iterdir()) == {elsewhere, ours, similar}


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OSError(errno.EIO, "cable")])
def test_an_exception_leaves_what_was_there(tmp_path: Path, error: object) -> None:
    store = SpaceStore(tmp_path)
    fill(store)
    before = files(store)
    asked = {"layers": [0], "labels": LABELS, "n_dims": N_DIMS, "provenance": {}}
    with pytest.raises((KeyboardInterrupt, ValueError, OSError)), store.writer(KEY, **asked) as new:
        new.write(0, np.arange(5), points(0, salt=7))
        raise error  # type: ignore[misc]
    assert files(store) == before
    np.testing.assert_array_equal(store.open(KEY, verify=True).points(0), points(0))


def test_full_disk_on_reserving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    store = SpaceStore(tmp_path)
    with pytest.raises(DiskSpaceError, match=r"train\.safetensors cannot be .*: the disk is full"):
        fill(store)
    assert files(store) == set()


def test_too_little_space_is_seen_before(tmp_path: Path) -> None:
    store = SpaceStore(tmp_path)
    asked = {"labels": LABELS, "n_dims": 2**50, "provenance": {}}
    writer = store.writer(KEY, layers=[0], **asked)
    with pytest.raises(DiskSpaceError, match="are needed"), writer:
        raise AssertionError("unreachable")
    assert files(store) == set()


def test_a_file_system_that_reserves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "posix_fallocate", unknown, raising=False)
    store = SpaceStore(tmp_path)
    fill(store)
    store.open(KEY, verify=True)


def test_full_disk_while_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = disk.write_at
    calls = 0

    def write_at(*arguments: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        written(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("geoprobe.spaces.store_writer.write_at", write_at)
    store = SpaceStore(tmp_path)
    with pytest.raises(DiskSpaceError, match="the disk is full"):
        fill(store)
    assert files(store) == set()


@posix
def test_a_limit_of_the_system(repository: Path, tmp_path: Path) -> None:
    # A real refusal by the system: no file may grow beyond 700 bytes.
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))"
    process = start(repository, tmp_path, limit)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"StoreError" in stderr
    assert b"cannot be written: File too large" in stderr
    assert files(SpaceStore(tmp_path)) == set()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_is_not_ours(tmp_path: Path) -> None:  # pragma: no cover
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="cannot be written: Permission denied"):
        fill(SpaceStore(tmp_path))


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "ps-role").write_text("mine")
    with pytest.raises(StoreError, match="cannot be written"):
        fill(SpaceStore(tmp_path))
    with pytest.raises(FormatError, match="no spaces"):
        SpaceStore(tmp_path).open(KEY)


def test_short_writes_are_continued() -> None:
    class Slow:
        def __init__(self) -> None:
            self.content = bytearray(9)
            self.position = 0

        def seek(self, position: int) -> None:
            self.position = position

        def write(self, data: memoryview) -> int:
            part = bytes(data[:2])
            self.content[self.position : self.position + len(part)] = part
            self.position += len(part)
            return len(part)

    file = Slow()
    disk.write_at(file, 3, memoryview(b"abcde"))  # type: ignore[arg-type]
    assert bytes(file.content) == b"\0\0\0abcde\0"
