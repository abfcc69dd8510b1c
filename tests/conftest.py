"""Options and fixtures of the whole test suite."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
Run = Callable[..., tuple[int, str, str]]

# Small models gain nothing from several threads of torch, which turn round while they wait for each
# other: beside other work they take its processors. NumPy is loaded by now, and keeps its threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def two_torch_threads() -> Iterator[int]:
    """Let torch have two threads, so that it shows whether somebody gives them back."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield 2
    torch.set_num_threads(before)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--runslow", action="store_true", help="also run the tests marked slow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--runslow"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="slow; runs with --runslow"))


def pytest_sessionfinish() -> None:
    """End the processes that joblib keeps for later: a worker of pytest leaves without them."""
    if (loky := sys.modules.get("joblib.externals.loky")) is not None:
        loky.get_reusable_executor().shutdown(wait=True, kill_workers=True)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository that the tests lie in."""
    return ROOT


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run the program in an empty folder; return exit code, output, errors."""
    from geoprobe import cli

    monkeypatch.chdir(tmp_path)

    def run(*args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["geoprobe", *map(str, args)])
        code: Any = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return run


@pytest.fixture(scope="session")
def shared_space() -> Callable[[str], dict[str, np.ndarray]]:
    """A reader of the shared real spaces; skips the test where they are absent."""
    folder = Path(os.environ.get("GEOPROBE_SHARED", ROOT.parent / "shared")) / "spaces"

    def read(name: str) -> dict[str, np.ndarray]:
        path = folder / f"{name}.npz"
        if not path.is_file():
            pytest.skip(
                f"needs {path}; the variable GEOPROBE_SHARED names the folder above 'spaces'"
            )
        with np.load(path, allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}

    return read
