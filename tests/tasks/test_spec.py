"""A user's own task: what the spec refuses, and what is read from it."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from geoprobe.errors import FormatError, GeoprobeError, InputError
from geoprobe.files.toml_files import read_toml
from geoprobe.tasks import SharedUnitsWarning, TaskSpec, read_task

CONLLU = "1\t{0}\t_\tNOUN\t_\t_\t2\tnsubj\t_\t_\n2\truns\trun\tVERB\t_\t_\t0\troot\t_\t_\n\n"


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("a.conllu").write_text("".join(CONLLU.format(name) for name in ("Ann", "Bob", "Cy")))
    Path("b.conllu").write_text(CONLLU.format("Dan"))
    Path("t.csv").write_text(
        "text,label,doc\n" + "".join(f"t{i},l{i % 2},{i // 3}\n" for i in range(12))
    )
    Path("q.label").write_text("A:x one ?\nB:y two ?\n")
    Path("w.jsonl").write_text('{"tokens": ["a", "b"], "labels": ["X", "Y"]}\n')
    Path("p.jsonl").write_text('{"tokens": ["a", "b"], "words": [1, 0], "label": "X"}\n')
    Path("w2.jsonl").write_text('{"tokens": ["c", "b"], "labels": ["X", "Y"]}\n')
    Path("p2.jsonl").write_text('{"tokens": ["c", "b"], "words": [1, 0], "label": "X"}\n')
    Path("r.label").write_text("A:x three ?\n")
    return tmp_path


def test_from_a_table(files: Path) -> None:
    table = {
        "train": "a.conllu",
        "test": "b.conllu",
        "units": "pairs",
        "join": "difference",
        "label": "deprel",
        "only": {"upos": "N*"},
        "leave_out": ["dep"],
    }
    spec = TaskSpec.from_table(table, folder=files)
    assert spec.train == files / "a.conllu"
    assert (spec.format, spec.units, spec.join) == ("conllu", "pairs", "difference")
    task = read_task(spec, "own")
    assert (task.name, task.join) == ("own", "difference")
    assert [unit.words for unit in task.train.units] == [(1, 0)] * 3
    assert task.test.labels.tolist() == ["nsubj"]


@pytest.mark.parametrize(
    ("how", "units", "join", "labels"),
    [
        ({"train": "a.conllu", "test": "b.conllu"}, "words", "single", ["NOUN", "VERB"]),
        ({"train": "a.conllu", "test": "b.conllu", "units": "pairs"}, "pairs", "concat", ["nsubj"]),
        ({"train": "q.label", "test": "r.label"}, "sentence", "single", ["A:x"]),
        ({"train": "w.jsonl", "test": "w2.jsonl", "units": "words"}, "words", "single", ["X", "Y"]),
        ({"train": "p.jsonl", "test": "p2.jsonl", "units": "pairs"}, "pairs", "concat", ["X"]),
    ],
)
def test_what_is_decided_by_itself(how: dict, units: str, join: str, labels: list[str]) -> None:
    spec = TaskSpec.from_table(how)
    assert (spec.units, spec.join) == (units, join)
    task = read_task(spec, "own")
    assert task.join == join
    assert task.test.labels.tolist() == labels


def test_random_split_keeps_groups_together() -> None:
    spec = TaskSpec(train=Path("t.csv"), test_fraction=0.25, split_seed=5, group="doc")
    task = read_task(spec, "own")
    assert (task.train.n_units, task.test.n_units) == (9, 3)
    numbers = [int(sentence.words[0][1:]) // 3 for sentence in task.test.sentences]
    assert len(set(numbers)) == 1
    assert read_task(spec, "own").fingerprint == task.fingerprint


def test_a_warning_when_test_repeats_train() -> None:
    Path("c.conllu").write_text(CONLLU.format("Ann"))
    spec = TaskSpec(train=Path("a.conllu"), test=Path("c.conllu"))
    with pytest.warns(SharedUnitsWarning, match=r"own: 2 of 2 test units .* 'Ann' \(c\.conllu:1"):
        task = read_task(spec, "own")
    assert task.test.n_units == 2


@pytest.mark.parametrize(
    ("table", "match"),
    [
        ({"trian": "a.conllu"}, "no key 'trian'; the nearest known one is 'train'"),
        ({"test": "b.conllu"}, "the key 'train' is missing"),
        ({"train": "a.conllu"}, "neither came"),
        ({"train": "a.conllu", "test": "b.conllu", "test_fraction": 0.2}, "both came"),
        ({"train": 3, "test": "b.conllu"}, "train is 3: the name of a file is expected"),
        (
            {"train": "a.conllu", "test_fraction": 1},
            "test_fraction is 1: input should be less than 1",
        ),
        (
            {"train": "a.conllu", "test_fraction": "0.2"},
            "test_fraction is '0.2': a number is expected",
        ),
        (
            {"train": "a.conllu", "test_fraction": 0.2, "split_seed": 1.5},
            "split_seed is 1.5: a whole number is expected",
        ),
        ({"train": "a.conllu", "test": "b.conllu", "split_seed": 1}, "without test_fraction"),
        ({"train": "a.conllu", "test": "b.conllu", "group": "doc"}, "without test_fraction"),
        ({"train": "a.conllu", "test": "t.csv"}, "files of different formats"),
        ({"train": "a.txt", "test": "b.txt"}, "ends in '.txt', which tells no format"),
        (
            {"train": "a.txt", "test": "b.txt", "format": "conll"},
            "the nearest known one is 'conllu'",
        ),
        ({"train": "a.conllu", "test": "b.conllu", "units": "pair"}, "known one is 'pairs'"),
        (
            {"train": "a.conllu", "test": "b.conllu", "join": "concat"},
            "join is 'concat', but units='words' take 'single'",
        ),
        ({"train": "a.conllu", "test": "b.conllu", "text": "t"}, "text='t' has no meaning"),
        ({"train": "a.conllu", "test": "b.conllu", "units": "sentence"}, r"label='comment\.KEY'"),
        ({"train": "t.csv", "test_fraction": 0.2, "only": {"upos": "X"}}, "only=.* has no meaning"),
        ({"train": "q.label", "test": "r.label", "label": "x"}, "label='x' has no meaning"),
        (
            {"train": "t.csv", "test_fraction": 0.2, "units": "words"},
            "units is 'words', but the format 'csv' has 'sentence'",
        ),
        ({"train": "t.csv", "test_fraction": 0.2, "label": 3}, "label is 3: text is expected"),
        (
            {"train": "t.csv", "test_fraction": 0.2, "leave_out": "x"},
            "leave_out is 'x': a list is expected",
        ),
        ({"train": "a.conllu", "test": "b.conllu", "only": ["x"]}, "a table is expected"),
        (
            {"train": "a.conllu", "test": "b.conllu", "only": {"upos": 1}},
            "only.upos is 1: text is expected",
        ),
    ],
)
def test_refused(table: dict, match: str) -> None:
    with pytest.raises(InputError, match=match):
        TaskSpec.from_table(table)


DEEP: list = []
for _ in range(2000):
    DEEP = [DEEP]
VALUES = [
    *(None, True, 5, -1, 10**400, 16**5000, 0.5, float("nan"), "", "~nobody-here/a.csv", "a\0b"),
    *("\ud800", "x" * 5000, "comment.", [], ["x"], [1], {}, {"upos": 1}, {"": "x"}, DEEP),
    *(datetime.date(2020, 1, 1), b"x", object()),
]


@pytest.mark.parametrize("key", [*TaskSpec.model_fields, "", "x" * 300])
@pytest.mark.parametrize("start", ["a.conllu", "t.csv", "p.jsonl", "q.label"])
def test_values_of_any_kind_are_read_or_refused_in_a_sentence(start: str, key: str) -> None:
    refused = 0
    for value in VALUES:
        table = {"train": start, "test_fraction": 0.5, key: value}
        try:
            spec = TaskSpec.from_table(table)
            assert TaskSpec.from_table(spec.model_dump(mode="json")) == spec
            read_task(spec, "own")
        except GeoprobeError as error:
            assert str(error).endswith(".")
            refused += 1
    assert refused >= len(VALUES) // 2


def test_the_file_of_the_table_is_named(tmp_path: Path) -> None:
    for table, match in (
        ({"train": 3}, "train is 3"),
        ({"train": "~nobody-here/a.csv"}, "~nobody"),
    ):
        with pytest.raises(FormatError, match=rf"mine\.toml: .*{match}"):
            TaskSpec.from_table(table, path=Path("mine.toml"))


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 5000])
def test_toml_beyond_the_limits_of_python(value: str) -> None:
    Path("mine.toml").write_text(f"split_seed = {value}")
    with pytest.raises(FormatError, match=r"mine\.toml: this is no TOML"):
        read_toml(Path("mine.toml"))


def test_refused_when_read() -> None:
    spec = TaskSpec(train=Path("a.conllu"), test=Path("b.conllu"), label="xpos")
    with pytest.raises(FormatError, match=r"a\.conllu: there is not a single unit"):
        read_task(spec, "own")
    with pytest.raises(InputError, match="the nearest known one is 'lemma'"):
        read_task(TaskSpec(train=Path("a.conllu"), test=Path("b.conllu"), label="lema"), "own")
    spec = TaskSpec(train=Path("p.jsonl"), test=Path("p2.jsonl"), units="pairs", join="single")
    with pytest.raises(InputError, match="has 2 words, but join='single' takes"):
        read_task(spec, "own")
    with pytest.raises(FormatError, match="no such file"):
        read_task(TaskSpec(train=Path("no.csv"), test=Path("t.csv")), "own")
