"""The threads of the linear algebra: one inside, as many as before outside."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from geoprobe.threads import single_threaded_blas


def blas_threads() -> set[int]:
    np.ones((2, 2)) @ np.ones((2, 2))
    return {
        pool["num_threads"]
        for pool in threadpool_info()
        # What faiss brings along counts by OpenMP, for each thread that calls.
        if pool["user_api"] == "blas" and pool.get("threading_layer") != "openmp"
    }


def test_the_last_one_out_restores() -> None:
    """Two threads that leave in the order in which they came leave nothing behind."""
    before = blas_threads()
    if before == {1}:
        pytest.skip("the linear algebra of this machine has one thread")
    first_in, second_in, first_out = (threading.Event() for _ in range(3))
    seen: list[set[int]] = []

    def first() -> None:
        with single_threaded_blas():
            first_in.set()
            second_in.wait(10)
        first_out.set()

    def second() -> None:
        first_in.wait(10)
        with single_threaded_blas():
            second_in.set()
            first_out.wait(10)
            seen.append(blas_threads())

    threads = [threading.Thread(target=target) for target in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert seen == [{1}]
    assert blas_threads() == before


def test_an_error_inside_restores() -> None:
    before = blas_threads()
    with pytest.raises(ZeroDivisionError), single_threaded_blas():
        raise ZeroDivisionError
    assert blas_threads() == before
