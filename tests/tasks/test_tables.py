"""TREC, csv, tsv and JSON lines: what is read, and the line of what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from geoprobe.errors import FormatError
from geoprobe.tasks.labelled_text import LabelledSentence, LabelledText, collect
from geoprobe.tasks.readers import read_pairs, read_table, read_texts, read_trec, read_words

read_csv = partial(read_table, tabs=False)
read_tsv = partial(read_table, tabs=True)
Read = Callable[[Path], Iterable[LabelledSentence]]
Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(content: str | bytes) -> Path:
        path = tmp_path / "file"
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return path

    return put


def text_of(read: Read, path: Path, **how: Any) -> LabelledText:
    return collect(read(path), path, **how)


def rows(text: LabelledText) -> list[tuple[tuple[str, ...], tuple[int, ...], str]]:
    return [(text.sentences[unit.sentence].words, unit.words, unit.label) for unit in text.units]


def lines(*records: object) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def test_trec(write: Write) -> None:
    path = write(b"LOC:city Where is  Malm\xf6 ?\r\n\nNUM:date When\xa0?\n")
    text = text_of(read_trec, path)
    assert rows(text) == [
        (("Where", "is", "Malmö", "?"), (), "LOC:city"),
        (("When", "?"), (), "NUM:date"),
    ]
    assert text.sentences[1].source == f"{path}:3"


def test_csv(write: Write) -> None:
    path = write('id,text,label\r\n1,"How far, ""then""?", dist \r\n\r\n2,"two\nlines",x\r\n3,y,z')
    text = text_of(read_csv, path)
    assert rows(text) == [
        (("How", "far,", '"then"?'), (), "dist"),
        (("two", "lines"), (), "x"),
        (("y",), (), "z"),
    ]
    assert [sentence.source for sentence in text.sentences] == [
        f"{path}:2",
        f"{path}:4",
        f"{path}:6",
    ]


def test_tsv_takes_quotes_as_they_are(write: Write) -> None:
    text = text_of(read_tsv, write('\ufefflabel\ttext\nx\t"Oh, no" she said\ny\t"\n'))
    assert rows(text) == [(('"Oh,', 'no"', "she", "said"), (), "x"), (('"',), (), "y")]


def test_tables_with_other_names_and_groups(write: Write) -> None:
    path = write("who,q,class\nann,a b,1\nbob,c,2\nann,d,-\n")
    read = partial(read_csv, text="q", label="class", group="who")
    text = text_of(read, path, leave_out=["-"])
    assert rows(text) == [(("a", "b"), (), "1"), (("c",), (), "2")]
    assert text.groups == ["ann", "bob"]


def test_texts_in_json(write: Write) -> None:
    path = write(
        lines({"text": "a  b", "label": " x "}, {"text": ["c d", "e"], "label": 3, "k": 0})
    )
    text = text_of(read_texts, path)
    assert rows(text) == [(("a", "b"), (), "x"), (("c d", "e"), (), "3")]


def test_words_in_json(write: Write) -> None:
    path = write(
        lines({"w": ["a", "b", "c"], "y": ["X", None, 0], "g": 7})
        + "\n"
        + lines({"w": ["d"], "y": ["O"], "g": "7"})
    )
    read = partial(read_words, tokens="w", label="y", group="g")
    text = text_of(read, path, leave_out=["O"])
    assert rows(text) == [(("a", "b", "c"), (0,), "X"), (("a", "b", "c"), (2,), "0")]
    assert text.groups == ["7"]


def test_pairs_in_json_share_their_sentence(write: Write) -> None:
    path = write(
        lines(
            {"tokens": ["a", "b"], "words": [0, 1], "label": "X"},
            {"tokens": "c d", "words": [1, 0], "label": "Y"},
            {"tokens": ["a", "b"], "words": [1, 0], "label": "Z"},
        )
    )
    text = text_of(read_pairs, path, share=True)
    assert [sentence.words for sentence in text.sentences] == [("a", "b"), ("c", "d")]
    assert [unit.sentence for unit in text.units] == [0, 1, 0]
    assert [unit.words for unit in text.units] == [(0, 1), (1, 0), (1, 0)]


PAIR = {"tokens": ["a", "b"], "words": [0, 1], "label": "X"}


@pytest.mark.parametrize(
    ("read", "content", "line", "match"),
    [
        (read_trec, "LOC:x a ?\nWhere is it ?\n", 2, "starts with 'Where', but a label such as"),
        (read_trec, "LOC: a\n", 1, "starts with 'LOC:'"),
        (read_trec, ":x a\n", 1, "starts with ':x'"),
        (read_trec, "A:x\ty z\n", 1, "starts with 'A:x"),
        (read_trec, "A:x \n", 1, "no question behind the label 'A:x'"),
        (read_trec, "A:x\n", 1, "no question"),
        (read_csv, "text,labl\na,b\n", 1, "no column 'label'; the nearest known one is 'labl'"),
        (read_csv, "text,label,text\na,b,c\n", 1, "'text' is there more than once"),
        (read_csv, "text,label\na,b\na\n", 3, "the row has 1 cells, but there are 2 columns"),
        (read_csv, "text,label\n ,b\n", 2, "column 'text' holds no words"),
        (read_csv, "text,label\na, \n", 2, "column 'label' holds no label"),
        (read_csv, 'text,label\na,b\n"a,b\n', 3, "no valid row: unexpected end of data"),
        (read_csv, 'text,label\n"a"b,c\n', 2, "no valid row"),
        (read_csv, b"text,label\na,\xff\n", 2, "byte 3 of the line is 0xff"),
        (read_csv, "text,label\na,\0\n", 2, "NUL"),
        (read_tsv, "text,label\na,b\n", 1, "no column 'text'"),
        (read_texts, '{"text": "a"\n', 1, "no JSON"),
        (read_texts, "[1]\n", 1, r"the line is \[1\], but a JSON object"),
        (read_texts, '{"text": "a", "text": "b"}\n', 1, "the key 'text' is there more than once"),
        (read_texts, "[" * 100_000, 1, "no JSON"),
        (read_texts, '{"text": "a", "label": ' + "9" * 5000 + "}", 1, "no JSON"),
        (read_texts, lines({"txt": "a", "label": "x"}), 1, "no key 'text'; the nearest .* 'txt'"),
        (read_texts, lines({"text": 3, "label": "x"}), 1, "'text' is 3, but a text or a list"),
        (read_texts, lines({"text": ["a", 3], "label": "x"}), 1, "a text or a list of words"),
        (read_texts, lines({"text": " ", "label": "x"}), 1, "'text' holds no words"),
        (read_texts, lines({"text": ["a", " "], "label": "x"}), 1, "word 2 of the sentence"),
        (read_texts, lines({"text": ["\ud800"], "label": "x"}), 1, "surrogate"),
        (read_texts, lines({"text": "a", "label": None}), 1, "'label' holds null"),
        (read_texts, lines({"text": "a", "label": True}), 1, "'label' holds true"),
        (read_texts, lines({"text": "a", "label": 0.5}), 1, "a label is text or an integer"),
        (read_texts, lines({"text": "a", "label": ""}), 1, "'label' holds"),
        (read_words, lines({"tokens": ["a"], "labels": "X"}), 1, "but a list is expected"),
        (read_words, lines({"tokens": ["a"], "labels": []}), 1, "1 words, but 0 labels"),
        (read_pairs, lines(PAIR, {**PAIR, "words": [0, 2]}), 2, "names word 2 .*there are 2 words"),
        (read_pairs, lines({**PAIR, "words": [-1, 0]}), 1, "names word -1"),
        (read_pairs, lines({**PAIR, "words": [0, True]}), 1, "a list of positions"),
        (read_pairs, lines({**PAIR, "words": []}), 1, "names 0 words, but one or two"),
        (read_pairs, lines({**PAIR, "words": 1}), 1, "a list of positions"),
    ],
)
def test_refused(write: Write, read: Read, content: str | bytes, line: int, match: str) -> None:
    path = write(content)
    with pytest.raises(FormatError, match=match) as caught:
        text_of(read, path)
    assert (caught.value.path, caught.value.line) == (path, line)


def test_labels_that_no_array_holds(write: Write) -> None:
    text = text_of(read_texts, write(lines({"text": "a", "label": "x\0"})))
    with pytest.raises(FormatError, match="NUL"):
        text.as_split("train")


def test_nothing_in_the_file(write: Write) -> None:
    for read, content in ((read_texts, "\n"), (read_csv, "text,label\n"), (read_trec, " \n")):
        with pytest.raises(FormatError, match="not a single unit in the file"):
            text_of(read, write(content)).as_split("train")
    with pytest.raises(FormatError, match="no column 'text'"):
        list(read_csv(write("\n\n")))
