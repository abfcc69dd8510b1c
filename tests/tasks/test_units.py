"""Units, splits and tasks refuse what does not fit, and are recognised by their content."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest

from geoprobe.errors import InputError
from geoprobe.tasks import Sentence, Split, Task, Unit, data_folder

CATS = Sentence(("Cats", "sleep"), "a.txt:1")
DOGS = Sentence(("Dogs", "bark", "loudly"), "a.txt:2")


def make(*, join: str = "single", train: tuple = ((0, (0,), "n"), (1, (1,), "v"))) -> Task:
    test = Split("test", (DOGS,), (Unit(0, train[0][1], "n"),))
    return Task("own", Split("train", (CATS, DOGS), tuple(Unit(*u) for u in train)), test, join)


def test_what_a_task_tells() -> None:
    task = make()
    assert task.splits == {"train": task.train, "test": task.test}
    assert task.n_words_per_unit == 1
    assert task.train.n_units == 2
    assert repr(task) == "Task: own: 2 units to train and 1 to test, 2 labels."
    assert task.train.labels.tolist() == ["n", "v"]
    assert task.train.labels.dtype.kind == "U"
    assert not task.train.labels.flags.writeable
    assert make(train=((0, (), "x"),)).n_words_per_unit == 0
    assert make(join="concat", train=((0, (1, 0), "x"),)).n_words_per_unit == 2


def test_a_task_crosses_to_another_process() -> None:
    task = make()
    copy = pickle.loads(pickle.dumps(task))
    assert copy == task
    assert copy.fingerprint == task.fingerprint


def test_fingerprint_is_that_of_the_documented_lines() -> None:
    lines = (
        '["geoprobe-task",1,"single"]\n'
        '["split","train"]\n["sentence","Cats","sleep"]\n["sentence","Dogs","bark","loudly"]\n'
        '["unit",0,[0],"n"]\n["unit",1,[1],"v"]\n'
        '["split","test"]\n["sentence","Dogs","bark","loudly"]\n["unit",0,[0],"n"]\n'
    )
    assert make().fingerprint == hashlib.sha256(lines.encode("ascii")).hexdigest()


def test_fingerprint_sees_content_and_nothing_else() -> None:
    task = make()
    moved = Split("test", (Sentence(DOGS.words, "elsewhere:9"),), task.test.units)
    assert Task("other", task.train, moved).fingerprint == task.fingerprint
    others = [
        make(train=((0, (0,), "n"), (1, (1,), "w"))),
        make(train=((0, (0,), "n"), (1, (2,), "v"))),
        make(train=((0, (0,), "n"), (0, (1,), "v"))),
        make(train=((1, (1,), "v"), (0, (0,), "n"))),
        make(join="concat", train=((0, (0, 1), "n"), (1, (1, 0), "v"))),
        make(join="difference", train=((0, (0, 1), "n"), (1, (1, 0), "v"))),
    ]
    assert len({task.fingerprint, *(other.fingerprint for other in others)}) == 7


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ((), r"at a\.txt:7 has no words"),
        (("a", ""), r"word 2 of the sentence at a\.txt:7 is ''"),
        (("\u2003",), "not white space"),
        ((3,), "is 3"),
        (("a\0b",), "NUL"),
        (("\ud800",), "surrogate"),
    ],
)
def test_sentences_that_are_refused(words: tuple, match: str) -> None:
    with pytest.raises(InputError, match=match):
        Sentence(words, "a.txt:7")


@pytest.mark.parametrize(
    ("unit", "match"),
    [
        (Unit(2, (0,), "n"), "points to sentence 2, but there are 2"),
        (Unit(-1, (0,), "n"), "points to sentence -1"),
        (Unit(0, (2,), "n"), r"points to word 2 \(counted from 0\) .* at a\.txt:1, which has 2"),
        (Unit(0, (-1,), "n"), "points to word -1"),
        (Unit(0, (0,), " "), "has the label ' '"),
        (Unit(0, (0,), 4), "has the label 4"),
        (Unit(0, (0,), "n\0"), "NUL"),
    ],
)
def test_units_that_are_refused(unit: Unit, match: str) -> None:
    with pytest.raises(InputError, match=match):
        Split("train", (CATS, DOGS), (Unit(0, (0,), "n"), unit))


@pytest.mark.parametrize(
    ("join", "words", "match"),
    [
        ("single", (0, 1), "has 2 words, but join='single' takes 0 or 1"),
        ("concat", (0,), "has 1 words, but join='concat' takes 2"),
        ("difference", (), "has 0 words, but join='difference' takes 2"),
        ("difference", (1, 1), "pairs word 1 with itself"),
        ("sum", (0, 1), "join='sum' is unknown"),
    ],
)
def test_joins_that_do_not_fit(join: str, words: tuple, match: str) -> None:
    with pytest.raises(InputError, match=match):
        make(join=join, train=((0, words, "n"),))


def test_tasks_that_are_refused() -> None:
    task = make()
    with pytest.raises(InputError, match="all units of a task are of one kind"):
        make(train=((0, (0,), "n"), (0, (), "v")))
    with pytest.raises(InputError, match="has no units"):
        Split("train", (CATS,), ())
    with pytest.raises(InputError, match="'dev' came"):
        Split("dev", (CATS,), (Unit(0, (0,), "n"),))
    with pytest.raises(InputError, match="train split of the task 'own' is named 'test'"):
        Task("own", task.test, task.test)
    for name in ("", "a/b", "..", ".hidden", "a b", "a\n"):
        with pytest.raises(InputError, match="cannot be named"):
            Task(name, task.train, task.test)


def test_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GEOPROBE_DATA", str(tmp_path / "mine"))
    assert data_folder() == tmp_path / "mine"
    monkeypatch.setenv("GEOPROBE_DATA", "")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert data_folder() == tmp_path / "geoprobe" / "data"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert data_folder() == tmp_path / "home" / ".local" / "share" / "geoprobe" / "data"
    monkeypatch.setattr("sys.platform", "darwin")
    assert data_folder().parts[-4:] == ("Library", "Application Support", "geoprobe", "data")
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert data_folder() == tmp_path / "local" / "geoprobe" / "data"


def test_data_folder_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOPROBE_DATA", "~nobody-here/data")
    with pytest.raises(InputError, match="no folder of a user for '~nobody-here/data'"):
        data_folder()


def test_labels_are_numpy_text() -> None:
    assert isinstance(make().test.labels, np.ndarray)
