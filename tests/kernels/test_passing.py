"""Named tuples handed from function to function, against what plain Python does with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from geoprobe.kernels.jit import kernel


class Inner(NamedTuple):
    """An array and a number."""

    values: NDArray[np.float64]
    share: float


class Outer(NamedTuple):
    """A tuple within a tuple."""

    first: Inner
    second: Inner
    count: NDArray[np.int64]


@kernel
def weigh(inner: Inner) -> float:
    """Return a number that depends on every field, and change the array."""
    total = 0.0
    for i in range(inner.values.shape[0]):
        inner.values[i] += 1.0
        total += inner.share * inner.values[i]
    return total


@kernel
def nested(outer: Outer) -> float:
    """Hand on tuples that lie in the given one."""
    outer.count[0] += 1
    kept = outer.second
    total = 0.0
    for _ in range(3):
        total += weigh(outer.first) - 2.0 * weigh(kept)
    return total


@kernel
def swapped(outer: Outer) -> float:
    """Hand on variables that stand for one tuple, then for the other."""
    here, there = outer.first, outer.second
    total = 0.0
    for k in range(5):
        total = 3.0 * total + weigh(here)
        if k != 2:
            here, there = there, here
    return total + weigh(there)


@kernel
def made(outer: Outer) -> float:
    """Hand on tuples made on the way, one of them anew in every turn."""
    total = 0.0
    mine = Inner(outer.second.values, 0.5)
    for k in range(4):
        old = mine
        mine = Inner(outer.first.values, old.share + k)
        total = 2.0 * total + weigh(old) - weigh(mine)
    return total + nested(Outer(mine, outer.first, outer.count))


@pytest.mark.parametrize("function", [nested, swapped, made])
def test_tuples_arrive_as_they_were(function: Callable[[Outer], float]) -> None:
    def given() -> Outer:
        return Outer(Inner(np.arange(3.0), 0.25), Inner(np.arange(4.0), 2.0), np.zeros(1, np.int64))

    compiled, plain = given(), given()
    answer = function(compiled)
    written: Any = getattr(function, "__wrapped__", function)
    assert answer == written(plain)
    for got, expected in zip(
        compiled.first + compiled.second, plain.first + plain.second, strict=True
    ):
        np.testing.assert_array_equal(got, expected)
    assert compiled.count == plain.count
