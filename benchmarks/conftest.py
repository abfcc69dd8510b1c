"""Options of the benchmarks, and how each of them is timed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from threadpoolctl import threadpool_limits


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that lets the long benchmarks run."""
    parser.addoption("--hard", action="store_true", help="also run benchmarks that take minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the long benchmarks unless asked for."""
    if config.getoption("--hard"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="takes minutes; runs with --hard"))


@pytest.fixture
def timed(benchmark: Any) -> Callable[..., Any]:
    """Time a function and record who did what, and with which outcome.

    Called with the function, the program, the work and the threads; ``outcome`` turns the answer
    into a line; ``share`` is the part of the work that was really done (slow peers).
    """

    def run(
        function: Callable[[], Any],
        *,
        work: str,
        program: str,
        threads: int = 1,
        rounds: int = 3,
        warm: bool = True,
        share: float = 1.0,
        outcome: Callable[[Any], str] = str,
    ) -> Any:
        benchmark.group = work
        benchmark.extra_info.update(program=program, threads=threads, share=share)
        with threadpool_limits(threads):  # linear algebra libraries too
            answer = benchmark.pedantic(
                function, rounds=rounds, iterations=1, warmup_rounds=1 if warm else 0
            )
        benchmark.extra_info["outcome"] = outcome(answer)
        return answer

    return run
