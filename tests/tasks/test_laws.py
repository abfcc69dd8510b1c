"""Laws of the readers, over generated files: what is written is what is read."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

pytest.importorskip("hypothesis", reason="the laws of the readers are tried by hypothesis")

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from geoprobe.errors import FormatError
from geoprobe.tasks.conllu import TreebankSentence, read_treebank
from geoprobe.tasks.labelled_text import collect
from geoprobe.tasks.readers import read_table, read_texts, read_trec, read_words

quickly = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
characters = st.characters(exclude_categories=("Cs",), exclude_characters="\0\t\n\r")
cells = st.text(characters, min_size=1, max_size=6).filter(lambda text: text.strip())
split_words = cells.map(lambda text: "".join(text.split()))


@st.composite
def trees(draw: st.DrawFn) -> list[int]:
    """Heads of a random tree: words hang on words that are in it already, in random order."""
    order = draw(st.permutations(range(1, draw(st.integers(1, 8)) + 1)))
    heads = [0] * len(order)
    for at, word in enumerate(order[1:], start=1):
        heads[word - 1] = order[draw(st.integers(0, at - 1))]
    return heads


@st.composite
def sentences(draw: st.DrawFn, n_columns: int) -> tuple[list[str], list[list[str]], list[int]]:
    """Lines of a sentence, the cells of its words, and its heads."""
    heads = draw(trees())
    words = []
    for number, head in enumerate(heads, start=1):
        row = [draw(cells) for _ in range(n_columns)]
        row[0], row[6] = str(number), str(head)
        words.append(row)
    lines = ["\t".join(row) for row in words]
    blank = ["_"] * (n_columns - 1)
    for number in reversed(range(len(words) + 1)):
        if draw(st.integers(0, 5)) == 0:
            lines.insert(number, "\t".join([f"{number}.1", *blank]))
    if len(words) > 1 and draw(st.booleans()):
        lines.insert(0, "\t".join([f"1-{len(words)}", *blank]))
        if lines[1].startswith("0.1\t"):
            lines[0], lines[1] = lines[1], lines[0]
    return lines, words, heads


treebanks = st.sampled_from([10, 15, 19]).flatmap(
    lambda n_columns: st.lists(sentences(n_columns), min_size=1, max_size=4)
)


def write(path: Path, treebank: list, *, end: str = "\n") -> Path:
    blocks = [["# text = x", *lines, ""] for lines, _, _ in treebank]
    path.write_bytes("".join(line + end for block in blocks for line in block).encode("utf-8"))
    return path


@pytest.mark.full
@quickly
@given(treebank=treebanks, end=st.sampled_from(["\n", "\r\n"]))
def test_treebanks_come_back(tmp_path: Path, treebank: list, end: str) -> None:
    read = list(read_treebank(write(tmp_path / "t", treebank, end=end)))
    assert [[list(row) for row in each.words] for each in read] == [
        words for _, words, _ in treebank
    ]
    assert [list(each.heads or ()) for each in read] == [heads for _, _, heads in treebank]


def is_tree(heads: list[int]) -> bool:
    """Whether every way upwards ends at the one root: slowly, by walking each of them."""
    for word in range(1, len(heads) + 1):
        for _ in heads:
            word = heads[word - 1] if word else 0
        if word:
            return False
    return heads.count(0) == 1


@quickly
@given(
    heads=st.integers(1, 6).flatmap(lambda n: st.lists(st.integers(0, n), min_size=n, max_size=n))
)
def test_exactly_the_trees_are_read(tmp_path: Path, heads: list[int]) -> None:
    words = [[str(at + 1), "w", "_", "_", "_", "_", str(h), *"___"] for at, h in enumerate(heads)]
    path = write(tmp_path / "t", [(["\t".join(row) for row in words], words, heads)])
    try:
        (sentence,) = read_treebank(path)
    except FormatError:
        assert not is_tree(heads)
    else:
        assert isinstance(sentence, TreebankSentence)
        assert is_tree(heads)


@pytest.mark.full
@quickly
@given(treebank=treebanks, data=st.data())
def test_a_cell_less_is_noticed_in_its_line(tmp_path: Path, treebank: list, data) -> None:
    path = write(tmp_path / "t", treebank)
    lines = path.read_bytes().split(b"\n")
    full = [at for at, line in enumerate(lines) if b"\t" in line]
    at = data.draw(st.sampled_from(full))
    lines[at] = lines[at].rpartition(b"\t")[0]
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(FormatError) as caught:
        list(read_treebank(path))
    # The first line decides how many columns there are, unless it has an impossible number.
    assert caught.value.line == at + 1


texts = st.lists(split_words, min_size=1, max_size=5)
labels = cells.map(str.strip).filter(lambda text: text)


@quickly
@given(rows=st.lists(st.tuples(texts, labels), min_size=1, max_size=5))
def test_csv_and_json_come_back(tmp_path: Path, rows: list) -> None:
    path = tmp_path / "t"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["label", "text"])
        writer.writerows([label, " ".join(words)] for words, label in rows)
    expected = [(tuple(words), label) for words, label in rows]
    text = collect(read_table(path, tabs=False), path)
    assert [(text.sentences[unit.sentence].words, unit.label) for unit in text.units] == expected
    path.write_text(
        "".join(json.dumps({"text": " ".join(w), "label": label}) + "\n" for w, label in rows)
    )
    text = collect(read_texts(path), path)
    assert [(text.sentences[unit.sentence].words, unit.label) for unit in text.units] == expected


@quickly
@given(words=st.lists(st.tuples(cells, st.none() | labels), min_size=1, max_size=6))
def test_labelled_words_come_back(tmp_path: Path, words: list) -> None:
    path = tmp_path / "t"
    record = {"tokens": [form for form, _ in words], "labels": [label for _, label in words]}
    path.write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8", newline="")
    text = collect(read_words(path), path)
    assert [(unit.words, unit.label) for unit in text.units] == [
        ((at,), label) for at, (_, label) in enumerate(words) if label is not None
    ]


@quickly
@given(
    rows=st.lists(
        st.tuples(
            st.from_regex(r"[A-Z]{1,4}:[a-z]{1,5}", fullmatch=True),
            st.lists(st.text(st.characters(max_codepoint=255), min_size=1), min_size=1),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_trec_comes_back(tmp_path: Path, rows: list) -> None:
    rows = [(label, " ".join(words).replace("\0", "x").split()) for label, words in rows]
    assume(all(words for _, words in rows))
    path = tmp_path / "t"
    path.write_bytes(
        "".join(f"{label} {' '.join(words)}\n" for label, words in rows).encode("iso-8859-1")
    )
    text = collect(read_trec(path), path)
    assert [unit.label for unit in text.units] == [label for label, _ in rows]
    assert [list(sentence.words) for sentence in text.sentences] == [words for _, words in rows]
