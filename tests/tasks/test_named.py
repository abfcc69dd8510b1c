"""The tasks that have names: the counts of the papers, and how their files are found."""

from __future__ import annotations

import os
import shutil
from importlib import resources
from pathlib import Path

import pytest

from geoprobe.errors import FormatError, InputError
from geoprobe.tasks import (
    CORPORA,
    MissingCorpusError,
    load_task,
    shared_units,
    task_infos,
    task_names,
)

BUILTIN = ["builtin-pos", "builtin-dep", "builtin-role"]


@pytest.fixture(scope="module")
def corpora(repository: Path) -> Path:
    """The folder of the public corpora; skips the test where they are absent."""
    folder = Path(os.environ.get("GEOPROBE_SHARED", repository.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}; the variable GEOPROBE_SHARED names the folder above 'data'")
    return folder


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "n_train", "n_test", "train_labels", "test_labels", "join", "shared"),
    [
        ("pos", 16858, 4322, 17, 16, "single", 0),
        ("dep", 16058, 4122, 46, 39, "concat", 0),
        ("ps-role", 4285, 457, 46, 39, "single", 0),
        ("ps-fxn", 4285, 457, 38, 33, "single", 0),
        ("trec-50", 5452, 500, 50, 42, "single", 10),
    ],
)
def test_counts_of_the_papers(
    corpora: Path,
    name: str,
    n_train: int,
    n_test: int,
    train_labels: int,
    test_labels: int,
    join: str,
    shared: int,
) -> None:
    task = load_task(name, data=corpora)
    assert (task.name, task.join) == (name, join)
    assert (task.train.n_units, task.test.n_units) == (n_train, n_test)
    assert len(set(task.train.labels)) == train_labels
    assert len(set(task.test.labels)) == test_labels
    assert task.n_words_per_unit == {"dep": 2, "trec-50": 0}.get(name, 1)
    assert shared_units(task).count == shared


@pytest.mark.full
def test_what_the_units_are(corpora: Path) -> None:
    dep = load_task("dep", data=corpora).train
    words = dep.sentences[0].words
    # The first sentence begins: “ While much of the digital transition is unprecedented ...
    assert [tuple(words[at] for at in unit.words) for unit in dep.units[1:4]] == [
        ("unprecedented", "While"),
        ("unprecedented", "much"),
        ("transition", "of"),
    ]
    assert [unit.label for unit in dep.units[1:4]] == ["mark", "nsubj", "case"]
    role, function = (load_task(f"ps-{which}", data=corpora) for which in ("role", "fxn"))
    assert [unit.words for unit in role.train.units] == [
        unit.words for unit in function.train.units
    ]
    assert role.train.sentences == function.train.sentences
    first = role.train.units[0]
    assert role.train.sentences[first.sentence].words[first.words[0]] == "for"
    assert (first.label, role.train.units[1].label) == ("p.Purpose", "p.SocialRel")
    assert function.train.units[1].label == "p.Gestalt"
    trec = load_task("trec-50", data=corpora).train
    assert trec.units[0].label == "DESC:manner"
    assert trec.sentences[0].words[:3] == ("How", "did", "serfdom")


@pytest.mark.full
def test_other_layouts(corpora: Path, tmp_path: Path) -> None:
    released = tmp_path / "released" / "streusle"
    for part in ("train", "test"):
        (released / part).mkdir(parents=True)
        file = f"streusle.ud_{part}.conllulex"
        shutil.copy(corpora / "streusle" / file, released / part / file)
    shutil.copytree(corpora / "ud_english_pud", tmp_path / "UD_English-PUD")
    expected = load_task("ps-role", data=corpora).fingerprint
    assert load_task("ps-role", data=released.parent).fingerprint == expected
    assert load_task("ps-role", data=released).fingerprint == expected
    expected = load_task("pos", data=corpora).fingerprint
    assert load_task("pos", data=tmp_path).fingerprint == expected


def test_the_folder_of_the_user(
    corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEOPROBE_DATA", str(corpora))
    assert load_task("trec-50").test.n_units == 500
    assert all(info.found for info in task_infos() if info.corpus)
    monkeypatch.setenv("GEOPROBE_DATA", str(tmp_path))
    with pytest.raises(MissingCorpusError):
        load_task("trec-50")


@pytest.mark.parametrize(
    ("name", "file", "corpus"),
    [
        ("pos", "en_pud-ud-test.conllu", "ud_english_pud"),
        ("ps-fxn", "streusle.ud_train.conllulex", "streusle"),
        ("trec-50", "train_5500.label", "trec"),
    ],
)
def test_missing(tmp_path: Path, name: str, file: str, corpus: str) -> None:
    with pytest.raises(MissingCorpusError) as caught:
        load_task(name, data=tmp_path)
    message = str(caught.value)
    assert str(tmp_path / corpus / file) in message
    assert f"geoprobe data get {corpus} " in message
    assert CORPORA[corpus].home in message


def test_another_treebank_is_not_pud(tmp_path: Path) -> None:
    (tmp_path / "en_pud-ud-test.conllu").write_text("1\ta\ta\tX\t_\t_\t0\troot\t_\t_\n")
    with pytest.raises(FormatError, match="has 1 sentences, but English-PUD has 1000"):
        load_task("pos", data=tmp_path)


def test_unknown_names() -> None:
    with pytest.raises(InputError, match="no task 'PS_role'; the nearest known one is 'ps-role'"):
        load_task("PS_role")


def test_what_is_listed(tmp_path: Path) -> None:
    infos = task_infos(tmp_path)
    assert [info.name for info in infos] == task_names()
    assert task_names()[:5] == ["pos", "dep", "ps-role", "ps-fxn", "trec-50"]
    for info in infos:
        assert info.about and info.licence and info.home and info.files
        if info.corpus is not None:
            assert not info.found
            assert info.files[0].is_relative_to(tmp_path / info.corpus)


@pytest.mark.parametrize("name", BUILTIN)
def test_builtin_text(name: str) -> None:
    folder = resources.files("geoprobe.tasks") / "builtin"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}, the built-in text, which this copy of geoprobe is without")
    task = load_task(name)
    assert task.join == ("concat" if name == "builtin-dep" else "single")
    assert task.n_words_per_unit == (2 if name == "builtin-dep" else 1)
    assert set(task.test.labels) <= set(task.train.labels)
    assert shared_units(task).count == 0
    assert next(info for info in task_infos() if info.name == name).found
