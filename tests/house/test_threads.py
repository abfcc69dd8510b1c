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


def test_every_thread_is_alone_inside() -> None:
    """Whichever threads have been inside before and are still alive."""
    before = blas_threads()
    if before == {1}:
        pytest.skip("the linear algebra of this machine has one thread")
    done = threading.Event()
    seen: list[set[int]] = []

    def enter() -> None:
        with single_threaded_blas():
            seen.append(blas_threads())
        seen.append(blas_threads())
        done.wait(20)

    threads = [threading.Thread(target=enter) for _ in range(3)]
    for thread in threads:
        thread.start()
    with single_threaded_blas():
        seen.append(blas_threads())
    done.set()
    for thread in threads:
        thread.join(20)
    assert seen.count({1}) >= 4 and len(seen) == 7
    assert blas_threads() == before


def test_an_error_inside_restores() -> None:
    before = blas_threads()
    with pytest.raises(ZeroDivisionError), single_threaded_blas():
        raise ZeroDivisionError
    assert blas_threads() == before
