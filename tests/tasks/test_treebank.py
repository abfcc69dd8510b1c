"""From treebanks to units: labels from any column, pairs with heads, filters and groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from geoprobe.errors import FormatError, InputError
from geoprobe.tasks.conllu import read_treebank
from geoprobe.tasks.labelled_text import LabelledText, collect
from geoprobe.tasks.treebank import label_sentences, select

TREEBANK = """\
# newdoc id = d1
# genre = news
1\tShe\tshe\tPRON\t_\tNumber=Sing|Person=3\t2\tnsubj\t_\t_
2\tran\trun\tVERB\tVBD\tTense=Past\t0\troot\t_\t_
3\tto\tto\tADP\t_\t_\t4\tcase\t_\tRole=Goal|SpaceAfter=No
4\ttown\ttown\tNOUN\tNN\tNumber=Sing\t2\tobl\t_\t_

# genre = talk
1\tGo\tgo\tVERB\t_\tMood=Imp\t0\troot\t_\t_

# newdoc id = d2
# genre = news
1\tAt\tat\tADP\t_\t_\t2\tcase\t_\tSpaceAfter=No|Role=Time
2\tnoon\tnoon\tNOUN\tNN\tNumber=Sing\t0\troot\t_\tRole=
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "t.conllu"
    path.write_text(TREEBANK, encoding="utf8")
    return path


def text_of(path: Path, *, leave_out: tuple[str, ...] = (), **how) -> LabelledText:
    return collect(label_sentences(read_treebank(path), **how), path, leave_out=leave_out)


def found(path: Path, **how) -> list[tuple[str, tuple[str, ...], str]]:
    """Return sentence, words and label of every unit, as text."""
    text = text_of(path, **how)
    rows = []
    for unit in text.units:
        words = text.sentences[unit.sentence].words
        rows.append((words[0], tuple(words[word] for word in unit.words), unit.label))
    return rows


def test_each_word(path: Path) -> None:
    rows = found(path, label="upos")
    assert [row[2] for row in rows] == ["PRON", "VERB", "ADP", "NOUN", "VERB", "ADP", "NOUN"]
    assert [row[1] for row in rows[:3]] == [("She",), ("ran",), ("to",)]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("XPOS", [("ran", "VBD"), ("town", "NN"), ("noon", "NN")]),
        ("feats.Number", [("She", "Sing"), ("town", "Sing"), ("noon", "Sing")]),
        ("misc.Role", [("to", "Goal"), ("At", "Time")]),
        ("feats.number", []),
    ],
)
def test_labels_that_some_words_lack(path: Path, label: str, expected: list) -> None:
    assert [(row[1][0], row[2]) for row in found(path, label=label)] == expected


def test_sentences_without_units_are_left_out(path: Path) -> None:
    text = text_of(path, label="misc.Role")
    assert [sentence.words[0] for sentence in text.sentences] == ["She", "At"]
    assert [sentence.source for sentence in text.sentences] == [f"{path}:3", f"{path}:13"]
    assert [unit.sentence for unit in text.units] == [0, 1]


def test_pairs_are_head_then_dependent_without_roots(path: Path) -> None:
    expected = [
        ("She", ("ran", "She"), "nsubj"),
        ("She", ("town", "to"), "case"),
        ("She", ("ran", "town"), "obl"),
        ("At", ("noon", "At"), "case"),
    ]
    for join in ("concat", "difference"):
        assert found(path, label="deprel", units="pairs", join=join) == expected
    alone = [(first, (words[1],), label) for first, words, label in expected]
    assert found(path, label="deprel", units="pairs") == alone


def test_sentences_by_a_comment(path: Path) -> None:
    rows = found(path, label="comment.genre", units="sentence")
    assert rows == [("She", (), "news"), ("Go", (), "talk"), ("At", (), "news")]


def test_only_and_leave_out(path: Path) -> None:
    rows = found(path, label="lemma", only={"upos": "[NP]*", "feats.Person": "_"})
    assert [row[2] for row in rows] == ["town", "noon"]
    rows = found(path, label="upos", leave_out=("VERB", "NOUN"))
    assert [row[2] for row in rows] == ["PRON", "ADP", "ADP"]


def test_groups(path: Path) -> None:
    text = text_of(path, label="upos", group="newdoc id")
    assert text.groups == ["d1", "d1", "d2"]
    assert text_of(path, label="upos", group="genre").groups[1] == "talk"
    by_words = text_of(path, label="upos").groups
    assert by_words == [("She", "ran", "to", "town"), ("Go",), ("At", "noon")]
    with pytest.raises(FormatError, match=r"line 3: the sentence has no comment '# sent_id = "):
        text_of(path, label="upos", group="sent_id")


@pytest.mark.parametrize(
    ("label", "match"),
    [
        ("upso", "no label 'upso' in a treebank; the nearest known one is 'upos'"),
        ("upos.Number", "no label 'upos.Number'"),
        ("feats.", r"no label 'feats\.'"),
        ("", "no label ''"),
    ],
)
def test_unknown_labels(label: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        select(label)


def test_what_cannot_be(path: Path) -> None:
    with pytest.raises(FormatError, match=r"line 3: there is no column SS among the 10"):
        found(path, label="ss")
    with pytest.raises(InputError, match="'upos' is no label of whole sentences"):
        found(path, label="upos", units="sentence")
    with pytest.raises(InputError, match="only= chooses among words"):
        found(path, label="comment.genre", units="sentence", only={"upos": "X"})


def test_pairs_need_heads(path: Path) -> None:
    path.write_text("1\ta\ta\tX\t_\t_\t_\tdep\t_\t_\n")
    assert len(found(path, label="upos")) == 1
    with pytest.raises(FormatError, match=r"line 1: column 7 \(HEAD\) is '_' throughout"):
        found(path, label="deprel", units="pairs")
