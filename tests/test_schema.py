"""Tables of a user: what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from geoprobe.errors import FormatError, InputError
from geoprobe.schema import Number, Positive, Record, Text, parse


class Inner(Record):
    """A part of a table."""

    rate: Number = 0.5


class Outer(Record):
    """A table."""

    name: Text
    sizes: tuple[Positive, ...] = (1,)
    inner: Inner = Inner()


def test_a_good_table() -> None:
    assert parse(Outer, {"name": "a", "sizes": [2, 3], "inner": {"rate": 1}}) == Outer(
        name="a", sizes=(2, 3), inner=Inner(rate=1.0)
    )


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({}, "'name' is missing"),
        ({"name": ""}, "name is ''"),
        ({"name": "a", "nmae": 1}, "nearest known one is 'name'"),
        ({"name": "a", "inner": {"raet": 1}}, "nearest known one is 'rate'"),
        ({"name": "a", "inner": {"rate": "1"}}, "rate is '1'"),
        ({"name": "a", "inner": 3}, "inner is 3"),
        ({"name": "a", "sizes": [1, 2.0]}, r"sizes.1 is 2.0"),
        ({"name": "a", "sizes": [True]}, "sizes.0 is True"),
        ({"name": "a", "sizes": 3}, "sizes is 3"),
        ({"name": 5}, "name is 5"),
    ],
)
def test_bad_tables(table: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse(Outer, table)
    with pytest.raises(FormatError, match="plan.toml: .*" + words):
        parse(Outer, table, Path("plan.toml"))


def test_replaced_is_checked() -> None:
    with pytest.raises(InputError, match="name is 5"):
        Outer(name="a").replaced(name=5)
