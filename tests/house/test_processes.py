"""Calls in several processes: their order, and what an error leaves behind."""

from __future__ import annotations

import os
from functools import partial

import pytest

from geoprobe.processes import end_processes, in_processes


def test_a_single_worker_is_this_process() -> None:
    assert list(in_processes([os.getpid, os.getpid], 1)) == [os.getpid()] * 2


@pytest.mark.full
def test_an_error_is_raised_and_costs_later_calls_nothing() -> None:
    calls = [partial(int, text) for text in ("1", "no number", "3")]
    answers = in_processes(calls, 2)
    assert next(answers) == 1
    with pytest.raises(ValueError, match="no number"):
        next(answers)
    assert list(in_processes(calls[::2], 2)) == [1, 3]
    end_processes()
