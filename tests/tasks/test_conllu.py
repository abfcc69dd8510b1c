"""The reader of treebanks: what it gives, and the line and column of what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from geoprobe.errors import FormatError
from geoprobe.tasks.conllu import read_treebank

Write = Callable[..., Path]


def word(number: object, form: str = "w", head: object = 0, *, misc: str = "_", n: int = 10) -> str:
    cells = [str(number), form, "l", "X", "_", "_", str(head), "rel", "_", misc]
    return "\t".join(cells + ["_"] * (n - 10))


GOOD = ["# sent_id = one", "# odd", word(1, "a", 2), word(2, "b", 0), "", word(1, "c"), ""]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(lines: list[str] | bytes, *, ends: str = "\n") -> Path:
        path = tmp_path / "t.conllu"
        content = lines if isinstance(lines, bytes) else "".join(x + ends for x in lines).encode()
        path.write_bytes(content)
        return path

    return put


def test_a_good_file(write: Write) -> None:
    path = write(GOOD)
    first, second = read_treebank(path)
    assert first.forms == ("a", "b")
    assert first.heads == (2, 0)
    assert first.comments == {"sent_id": "one", "odd": ""}
    assert (first.path, first.line) == (path, 3)
    assert first.words[0][3] == "X"
    assert second.forms == ("c",)
    assert second.comments == {}
    assert second.line == 6


@pytest.mark.parametrize(
    "content",
    [
        "\r\n".join(GOOD).encode(),
        b"\xef\xbb\xbf" + "\n".join(GOOD).encode(),
        "\n".join(GOOD[:-1]).encode(),
        ("\n\n" + "\n\n\n".join("\n".join(p) for p in (GOOD[:4], GOOD[5:])) + "\n\n").encode(),
    ],
    ids=["carriage returns", "byte order mark", "no end", "more blank lines"],
)
def test_harmless_differences(write: Write, content: bytes) -> None:
    assert [each.forms for each in read_treebank(write(content))] == [("a", "b"), ("c",)]


def test_multiword_tokens_and_empty_nodes_are_no_words(write: Write) -> None:
    empty = word("2.1", "gone", "_")
    lines = [word("0.1", "x", "_"), word("1-2", "ab", "_"), word(1, "a", 2), word(2, "b", 0)]
    path = write(
        [
            *lines,
            empty,
            word("2.2", "too", "_"),
            word("3-4", "cd", "_"),
            word(3, "c", 2),
            word(4, "d", 2),
        ]
    )
    assert next(read_treebank(path)).forms == ("a", "b", "c", "d")


@pytest.mark.parametrize("n", [15, 19])
def test_more_columns(write: Write, n: int) -> None:
    assert len(next(read_treebank(write([word(1, n=n)]))).words[0]) == n


def test_no_heads_at_all(write: Write) -> None:
    path = write([word(1, "a", "_"), word(2, "b", "_")])
    assert next(read_treebank(path)).heads is None


def test_words_keep_odd_characters(write: Write) -> None:
    # Unicode's own line ends and blanks are no ends of lines or columns.
    odd = ["10 000", "a\u2028b", "\x0cx", "\u200b", "e\u0301", "\U0001f600"]
    path = write([word(i + 1, form, 0 if i == 0 else 1) for i, form in enumerate(odd)])
    assert next(read_treebank(path)).forms == tuple(odd)


def test_it_reads_one_sentence_at_a_time(write: Write) -> None:
    sentences = read_treebank(write([word(1), "", "broken"]))
    assert next(sentences).forms == ("w",)
    with pytest.raises(FormatError, match="line 3: the line has 1 columns"):
        next(sentences)


@pytest.mark.parametrize(
    ("lines", "line", "match"),
    [
        ([word(1).replace("\t", " ")], 1, "has 1 columns, but 10 .* separated by tabs"),
        ([word(1)[:-2]], 1, "has 9 columns"),
        ([word(1), word(2, n=19)], 2, "has 19 columns, but the lines before it have 10"),
        ([word(1), "", word(1, n=15)], 3, "has 15 columns, but the lines before it have 10"),
        ([word(1, "")], 1, r"column 2 \(FORM\) is empty"),
        ([word(1, "\u00a0")], 1, r"column 2 \(FORM\) is empty"),
        ([word(1, misc="")], 1, r"column 10 \(MISC\) is empty"),
        (["\t" * 9], 1, r"column 1 \(ID\) is empty"),
        ([word(2)], 1, r"column 1 \(ID\) is '2', but word 1 is expected"),
        ([word(1), word(3, head=1)], 2, "is '3', but word 2 is expected"),
        ([word(1), word(1, head=1)], 2, "is '1', but word 2"),
        ([word("01")], 1, "is '01', but a number, a range such as"),
        ([word("\u0661")], 1, "but a number, a range such as"),
        ([word("9" * 5000)], 1, "but a number, a range such as"),
        ([word("2-3", "ab", "_"), word(1)], 1, "is '2-3', but a range from 1 up"),
        ([word("1-1", "a", "_"), word(1)], 1, "is '1-1', but a range"),
        ([word("1-3", "a", "_"), word(1), word("2-3", "b", "_")], 3, "is '2-3', but a range"),
        ([word("1-3", "a", "_"), word(1), word(2, head=1)], 1, "ends at 3, but .* has 2 words"),
        ([word("1.1", "a", "_"), word(1)], 1, "is '1.1', but empty node 0.1"),
        ([word(1), word("1.2", "a", "_")], 2, "is '1.2', but empty node 1.1"),
        ([word(1, head="x")], 1, r"column 7 \(HEAD\) is 'x', but a number"),
        ([word(1), word(2, head="_")], 2, r"column 7 \(HEAD\) is '_', but a number"),
        ([word(1, head="-1")], 1, r"column 7 \(HEAD\) is '-1'"),
        ([word(1), word(2, head=3)], 2, r"column 7 \(HEAD\) is 3, but the sentence has 2 words"),
        ([word(1), word(2, head=0)], 2, r"2 words of the sentence are roots \(1, 2\)"),
        ([word(1, head=1)], 1, r"no word .* its root, and the heads of 1 words .* \(1 -> 1\)"),
        ([word(1, head=2), word(2, head=1)], 1, "no word of the sentence is its root"),
        (
            [word(1), word(2, head=3), word(3, head=4), word(4, head=2)],
            2,
            r"HEAD\): the heads of 3 words form a cycle \(2 -> 3 -> 4 -> 2\)",
        ),
        (["# only = comments", "", word(1)], 1, "that ends here has no words"),
        ([word(1), "", word("0.1", "x", "_")], 3, "that ends here has no words"),
        ([word(1), "# late", word(2, head=1)], 2, "a comment amid the words"),
        (["", "  ", ""], None, "no sentence in the file"),
        ([word(1), word(2, "a\0", 1)], 2, "NUL character"),
    ],
)
def test_refused(write: Write, lines: list[str], line: int | None, match: str) -> None:
    path = write(lines)
    with pytest.raises(FormatError, match=match) as caught:
        list(read_treebank(path))
    assert (caught.value.path, caught.value.line) == (path, line)


def test_not_utf8(write: Write) -> None:
    path = write(word(1).encode() + b"\n" + b"2\t\xf0\t" + b"\n")
    with pytest.raises(FormatError, match="line 2: byte 3 of the line is 0xf0, which is not UTF-8"):
        list(read_treebank(path))


def test_no_file_and_empty_file(write: Write, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no such file"):
        list(read_treebank(tmp_path / "none"))
    with pytest.raises(FormatError, match="not a file"):
        list(read_treebank(tmp_path))
    with pytest.raises(FormatError, match="is empty"):
        list(read_treebank(write(b"")))


def test_a_long_chain_and_a_long_cycle(write: Write) -> None:
    chain = [word(number, head=number - 1) for number in range(1, 5001)]
    assert next(read_treebank(write(chain))).heads == tuple(range(5000))
    with pytest.raises(FormatError, match=r"of 5000 words form a cycle \(1 -> 5000 -> .*\.\.\.\)"):
        list(read_treebank(write([word(1, head=5000), *chain[1:]])))
