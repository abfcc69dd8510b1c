"""Interrupted at any moment, a run goes on to the same bits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from geoprobe.encoders import Schedule, TuningOptions, TuningResult  # noqa: E402
from geoprobe.encoders.finetune import finetune  # noqa: E402
from geoprobe.encoders.run_folder import STATE  # noqa: E402
from geoprobe.errors import FormatError  # noqa: E402
from geoprobe.progress import Progress  # noqa: E402
from geoprobe.spaces import SpaceStore  # noqa: E402
from scripts.kill_campaign import campaign  # noqa: E402
from tests.support import finetune_cases as cases  # noqa: E402


class StopError(Exception):
    """Ends a run from within."""


class StopAfter:
    """A progress callback that ends the run at one of its reports."""

    def __init__(self, reports: int) -> None:
        self.left = reports

    def __call__(self, report: Progress) -> None:
        if self.left == 0:
            raise StopError
        self.left -= 1


def run(folder: Path, progress: Any = None, **changes: Any) -> TuningResult:
    return finetune(
        cases.encoder(),
        cases.task(),
        **(
            {
                "options": TuningOptions(epochs=2, learning_rate=5e-3, batch_size=8, seed=4),
                "store": SpaceStore(folder / "store"),
                "run_folder": folder / "run",
                "checkpoints": Schedule("steps:2,last"),
                "progress": progress,
            }
            | changes
        ),
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("whole")
    run(folder)
    return cases.snapshot(folder)


@pytest.fixture(scope="module")
def n_reports(tmp_path_factory: pytest.TempPathFactory) -> int:
    reports: list[Progress] = []
    run(tmp_path_factory.mktemp("counted"), reports.append)
    return len(reports)


@pytest.mark.full
@pytest.mark.parametrize("save_every_s", [0.0, 3600.0], ids=["each update", "checkpoints only"])
def test_stopped_at_every_report(
    tmp_path: Path, whole: dict[str, Any], n_reports: int, save_every_s: float
) -> None:
    assert n_reports >= 12
    for reports in range(n_reports):
        folder = tmp_path / str(reports)
        with pytest.raises(StopError):
            run(folder, StopAfter(reports), save_every_s=save_every_s)
        run(folder)
        assert cases.snapshot(folder) == whole, reports


def test_stopped_again_and_again(tmp_path: Path, whole: dict[str, Any], n_reports: int) -> None:
    stops = 0
    while True:
        try:
            run(tmp_path, StopAfter(3), save_every_s=0.0)
            break
        except StopError:
            stops += 1
    assert 2 <= stops <= n_reports
    assert cases.snapshot(tmp_path) == whole


def test_random_numbers_in_between_change_nothing(tmp_path: Path, whole: dict[str, Any]) -> None:
    def draw(report: Progress) -> None:
        torch.rand(report.done + 1)

    run(tmp_path, draw)
    assert cases.snapshot(tmp_path) == whole


@pytest.mark.full
def test_time_and_surroundings_of_all_processes_are_kept(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    with pytest.raises(StopError):
        run(tmp_path, StopAfter(8), save_every_s=0.0)
    try:
        torch.set_num_threads(threads + 1)
        found = run(tmp_path)
    finally:
        torch.set_num_threads(threads)
    assert [each["threads"] for each in found.environment] == [threads, threads + 1]
    assert found.seconds["training"] > 0


def test_state_of_another_run(tmp_path: Path) -> None:
    with pytest.raises(StopError):
        run(tmp_path, StopAfter(8), save_every_s=0.0)
    assert (tmp_path / "run" / STATE).exists()
    with pytest.raises(FormatError, match=r"options\.seed was 4 and is now 5"):
        run(tmp_path, options=TuningOptions(epochs=2, learning_rate=5e-3, batch_size=8, seed=5))


@pytest.mark.parametrize("name", ["losses", "checkpoints", "seconds", "environment"])
def test_damaged_notes_are_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(StopError):
        run(tmp_path, StopAfter(8), save_every_s=0.0)
    path = tmp_path / "run" / STATE
    content = json.loads(path.read_text(encoding="ascii"))
    for notes in ({name: 1}, {name: ["x"]}, {name + "s": []}):
        path.write_text(json.dumps(content | {"notes": content["notes"] | notes}))
        with pytest.raises(FormatError, match=STATE):
            run(tmp_path)


def test_spaces_that_are_gone(tmp_path: Path) -> None:
    with pytest.raises(StopError):
        run(tmp_path, StopAfter(8), save_every_s=0.0)
    with pytest.raises(FormatError, match="lacks it"):
        run(tmp_path, store=SpaceStore(tmp_path / "elsewhere"))


@pytest.mark.full
def test_killed_at_random_moments(tmp_path: Path) -> None:
    """The short form of scripts/kill_campaign.py."""
    kills = campaign(tmp_path, kills=3, seed=7)
    assert [kill.wrong for kill in kills] == [[], [], []]
