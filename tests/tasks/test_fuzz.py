"""The fuzzer of the readers, briefly: damaged files end in clean errors."""

from __future__ import annotations

import random
import warnings
from pathlib import Path

import pytest

from geoprobe.tasks import TaskSpec, read_task
from scripts import fuzz_readers


@pytest.mark.full
def test_damaged_files(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        outcomes = fuzz_readers.campaign(1.0, 7, [], tmp_path / "input")
    # Both ways out have to be taken by every reader, or the fuzzer tries nothing.
    for name in fuzz_readers.READERS:
        assert outcomes[name, "refused"] > 0
    assert sum(outcomes[name, "read"] for name in fuzz_readers.READERS) > 10


@pytest.mark.parametrize("name", fuzz_readers.READERS)
def test_the_starting_points_are_good(name: str, tmp_path: Path) -> None:
    content, how = fuzz_readers.READERS[name]
    path = tmp_path / "input"
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        task = read_task(TaskSpec.from_table({"train": path, "test_fraction": 0.5, **how}), "own")
    fuzz_readers.check(task)


def test_another_exception_is_not_swallowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(spec: TaskSpec, name: str) -> None:
        raise KeyError(name)

    monkeypatch.setattr(fuzz_readers, "read_task", crash)
    with warnings.catch_warnings(), pytest.raises(KeyError):
        fuzz_readers.campaign(1.0, 7, [], tmp_path / "input")


def test_damage_is_repeatable() -> None:
    once, again = (
        [fuzz_readers.damaged(fuzz_readers.TREEBANK, random.Random(seed)) for seed in range(20)]
        for _ in range(2)
    )
    assert once == again
    assert len(set(once)) > 15
