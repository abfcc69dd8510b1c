"""Random splits, smaller tasks, and test units that were there in training."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

import pytest

from geoprobe.errors import InputError
from geoprobe.tasks import Sentence, Split, Task, Unit, limit, shared_units, subtask
from geoprobe.tasks.splits import divide


def make(n: int = 60, *, labels: str = "aaaaabbbcd", n_test: int = 10) -> Task:
    """Return a task whose sentences have one to three units; every fifth repeats the first."""

    def split(name: str, size: int, start: int) -> Split:
        sentences, units = [], []
        for at in range(size):
            word = "again" if at % 5 == 0 and name == "train" else f"w{start + at}"
            sentences.append(Sentence((word, "x", "y"), f"{name}:{at}"))
            for place in range(at % 3 + 1):
                units.append(Unit(at, (place,), labels[(at + place) % len(labels)]))
        return Split(name, tuple(sentences), tuple(units))

    return Task("made", split("train", n, 0), split("test", n_test, n))


def rows(split: Split) -> list[tuple[str, tuple[int, ...], str]]:
    return [(split.sentences[u.sentence].source, u.words, u.label) for u in split.units]


def slow_divide(groups: list[str], fraction: float, seed: int) -> set[int]:
    """The rule of the documentation, word by word."""
    wanted = int(fraction * len(groups) + 0.5)
    order = sorted(
        set(groups), key=lambda g: hashlib.sha256(json.dumps([seed, g]).encode()).hexdigest()
    )
    test: set[int] = set()
    for group in order:
        members = {row for row, other in enumerate(groups) if other == group}
        if len(test) + len(members) <= wanted:
            test |= members
    return test


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_divide_follows_its_rule(fraction: float, seed: int) -> None:
    groups = [f"g{number * number % 17}" for number in range(100)]
    assert divide(groups, fraction, seed) == slow_divide(groups, fraction, seed)


def test_divide_is_exact_for_single_units() -> None:
    for size in (2, 7, 10, 33):
        groups = [str(number) for number in range(size)]
        for wanted in range(1, size):
            assert len(divide(groups, wanted / size, 3)) == wanted
    assert len({frozenset(divide(groups, 0.3, seed)) for seed in range(20)}) == 20


def test_divide_never_changes() -> None:
    """Splits that were published have to stay what they were."""
    assert divide([str(number) for number in range(20)], 0.25, 0) == {1, 2, 3, 6, 13}


def test_divide_refuses() -> None:
    for fraction in (0.0, 1.0, float("nan")):
        with pytest.raises(InputError, match="not between 0 and 1"):
            divide(["a", "b"], fraction, 0)
    with pytest.raises(InputError, match="4 units in 2 groups, the smallest of 2, cannot be split"):
        divide(["a", "a", "b", "b"], 0.3, 0)
    with pytest.raises(InputError, match="in 1 groups"):
        divide(["a", "a"], 0.9, 0)


def test_subtask() -> None:
    task = make()
    part = subtask(task, test_fraction=0.2, seed=4)
    assert part.name == "made-sub4"
    assert Counter(rows(part.train) + rows(part.test)) == Counter(rows(task.train))
    assert part.test.n_units == 24 == 0.2 * task.train.n_units
    assert not {s.words for s in part.train.sentences} & {s.words for s in part.test.sentences}
    assert subtask(task, seed=4).fingerprint == part.fingerprint
    assert subtask(task, seed=5).fingerprint != part.fingerprint
    for split in part.splits.values():
        assert {unit.sentence for unit in split.units} == set(range(len(split.sentences)))


@pytest.mark.parametrize("size", [4, 5, 17, 119])
def test_limit_keeps_every_label_and_the_order(size: int) -> None:
    task = make()
    small = limit(task, n_train=size, n_test=3, seed=1)
    assert (small.train.n_units, small.test.n_units) == (size, 3)
    assert set(small.train.labels) == set(task.train.labels)
    whole = rows(task.train)
    places = [whole.index(row) for row in rows(small.train)]
    assert places == sorted(set(places))
    assert limit(task, n_train=size, n_test=3, seed=1).fingerprint == small.fingerprint


def test_limit_below_the_number_of_labels_keeps_the_frequent() -> None:
    task = make()
    counts = Counter(task.train.labels.tolist())
    frequent = [label for label, _ in sorted(counts.items(), key=lambda x: (-x[1], x[0]))]
    for size in (1, 2, 3):
        assert set(limit(task, n_train=size).train.labels) == set(frequent[:size])


def test_limit_that_limits_nothing() -> None:
    task = make()
    assert limit(task) == task
    assert limit(task, n_train=10**6, n_test=10**6) == task
    with pytest.raises(InputError, match="train split cannot be limited to 0 units"):
        limit(task, n_train=0)


def test_limits_differ_by_seed() -> None:
    task = make()
    assert len({limit(task, n_train=20, seed=seed).fingerprint for seed in range(10)}) == 10


def test_shared_units() -> None:
    train = Split(
        "train",
        (Sentence(("a", "b"), "t:1"), Sentence(("c",), "t:2")),
        (Unit(0, (0,), "x"), Unit(1, (0,), "x"), Unit(1, (0,), "y")),
    )
    test = Split(
        "test",
        (Sentence(("c",), "s:1"), Sentence(("a", "b"), "s:2"), Sentence(("a", "c"), "s:3")),
        (
            Unit(0, (0,), "y"),
            Unit(0, (0,), "z"),
            Unit(1, (1,), "x"),
            Unit(1, (0,), "x"),
            Unit(2, (0,), "x"),
        ),
    )
    shared = shared_units(Task("t", train, test))
    assert (shared.count, shared.n_test, shared.n_other_label) == (3, 5, 1)
    assert shared.examples == ("'c' (s:1 and t:2)", "'c' (s:1 and t:2)", "'a' (s:2 and t:1)")
    assert str(shared) == "3 of 5 test units also occur in train, such as 'c' (s:1 and t:2)."


def test_nothing_shared() -> None:
    shared = shared_units(make())
    assert (shared.count, shared.examples) == (0, ())
    assert str(shared) == f"0 of {shared.n_test} test units also occur in train."


def test_examples_of_whole_sentences_are_short() -> None:
    long = tuple(f"word{number}" for number in range(50))
    split = {
        name: Split(name, (Sentence(long, name),), (Unit(0, (), "x"),))
        for name in ("train", "test")
    }
    (example,) = shared_units(Task("t", **split)).examples
    assert example.startswith("'word0 word1") and "...' (test and train)" in example
    assert len(example) < 120
