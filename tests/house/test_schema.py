"""Tables of a user: what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from pydantic import field_validator

from geoprobe.errors import FormatError, InputError
from geoprobe.schema import Number, Positive, Record, Text, named_path, parse


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
        ({"name": "a", "self": 1}, "there is no key 'self'"),
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


def test_a_mistyped_name_comes_before_the_missing_one() -> None:
    with pytest.raises(InputError, match="no key 'nmae'; the nearest known one is 'name'"):
        parse(Outer, {"nmae": "a"})


class Choice(Record):
    """One of two words."""

    split: Literal["train", "test"]


def test_the_nearest_known_value_is_named() -> None:
    with pytest.raises(InputError, match=r"'train' or 'test'; the nearest known one is 'train'"):
        parse(Choice, {"split": "trian"})
    with pytest.raises(InputError, match=r"split is 'x': input should be 'train' or 'test'\.$"):
        parse(Choice, {"split": "x"})


def test_values_that_python_cannot_write() -> None:
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    for value, kind in ((16**5000, "int"), (deep, "list")):
        with pytest.raises(InputError, match=f"name is a value of the type {kind} that is too"):
            parse(Outer, {"name": value})
        with pytest.raises(InputError, match=f"a value of the type {kind} that is too long"):
            parse(Outer, value)


class Place(Record):
    """A file that is refused."""

    path: Path

    @field_validator("path")
    @classmethod
    def _refuse(cls, value: Path) -> Path:
        raise InputError(f"{value} is taken.")


def test_half_of_a_surrogate_pair() -> None:
    with pytest.raises(InputError, match=r"^a is taken\."):
        parse(Place, {"path": "a"})
    with pytest.raises(InputError, match=r"half of a surrogate pair is no text: '\\ud800 is taken"):
        parse(Place, {"path": "\ud800"})


def test_paths_in_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert named_path("a.csv", tmp_path) == tmp_path / "a.csv"
    assert named_path(tmp_path / "a.csv", "elsewhere") == tmp_path / "a.csv"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert named_path("~/a.csv", "elsewhere") == tmp_path / "a.csv"
    with pytest.raises(InputError, match="no folder of a user for '~nobody"):
        named_path("~nobody-here/a.csv", tmp_path)
