"""A reader for CoNLL-U and CoNLL-U-Lex that checks what it reads, sentence by sentence.

The formats are described at https://universaldependencies.org/format.html and, with nine more
columns for lexical semantics, at https://github.com/nert-nlp/streusle/blob/master/CONLLULEX.md.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from geoprobe.errors import FormatError
from geoprobe.files.text_files import numbered_lines

COLUMNS = (
    *("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc"),
    *("smwe", "lexcat", "lexlemma", "ss", "ss2", "wmwe", "wcat", "wlemma", "lextag"),
)
"""Names of the columns: ten of CoNLL-U, nine more of CoNLL-U-Lex."""

_WIDTHS = (10, 15, 19)
_WORD_ID = re.compile(r"[1-9][0-9]{0,8}")
_RANGE_ID = re.compile(r"([1-9][0-9]{0,8})-([1-9][0-9]{0,8})")
_EMPTY_ID = re.compile(r"(0|[1-9][0-9]{0,8})\.([1-9][0-9]{0,8})")
_HEAD = re.compile(r"0|[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class TreebankSentence:
    """One sentence of a treebank.

    Attributes
    ----------
    words : tuple of tuple of str
        The cells of each word, in the order of :data:`COLUMNS`; 10, 15 or 19 of them. Multiword
        tokens and empty nodes are checked, but are no words.
    heads : tuple of int or None
        For each word the number of its head, counted from 1, and 0 for the root. None where the
        column HEAD is ``_`` throughout.
    comments : dict of str to str
        ``# key = value`` above the sentence; a comment without ``=`` has the value ``""``.
    path : pathlib.Path
    line : int
        The line of the first word.
    """

    words: tuple[tuple[str, ...], ...]
    heads: tuple[int, ...] | None
    comments: dict[str, str]
    path: Path
    line: int

    @property
    def forms(self) -> tuple[str, ...]:
        """The words as they are written."""
        return tuple(cells[1] for cells in self.words)


def read_treebank(path: str | os.PathLike[str]) -> Iterator[TreebankSentence]:
    """Read a file in CoNLL-U or CoNLL-U-Lex, one sentence at a time.

    Parameters
    ----------
    path : path-like
        Text in UTF-8 with 10 columns, or 19, or the first 15 of these, separated by tabs. More
        blank lines than one between sentences do no harm, and the last one may be missing.

    Yields
    ------
    TreebankSentence

    Raises
    ------
    FormatError
        Naming the line and column: a wrong number of columns or another one than before, an empty
        cell, words not numbered from 1, ranges or empty nodes out of place, a head that is not in
        the sentence, no root or several, a cycle, a comment amid words, or comments without words.
    """
    path = Path(path)
    block: list[tuple[int, str]] = []
    n_columns: int | None = None
    # The end of the file ends a sentence as a blank line does.
    for line, text in chain(numbered_lines(path), [(0, "")]):
        if text.strip(" "):
            block.append((line, text))
        elif block:
            sentence = _sentence(block, path, n_columns)
            n_columns = len(sentence.words[0])
            yield sentence
            block = []
    if n_columns is None:
        raise FormatError("there is no sentence in the file.", path)


def _sentence(block: list[tuple[int, str]], path: Path, n_columns: int | None) -> TreebankSentence:
    comments: dict[str, str] = {}
    nodes = _Nodes(path)
    for line, text in block:
        if not text.startswith("#"):
            cells = _cells(text, path, line, n_columns)
            n_columns = len(cells)
            nodes.add(cells, line)
        elif nodes.seen:
            raise FormatError(
                "a comment amid the words of a sentence; is the blank line before it missing?",
                path,
                line,
            )
        else:
            key, _, value = text[1:].partition("=")
            comments[key.strip()] = value.strip()
    nodes.finish(block[-1][0])
    words, lines = tuple(nodes.words), nodes.lines
    return TreebankSentence(words, _heads(words, lines, path), comments, path, lines[0])


def _cells(text: str, path: Path, line: int, n_columns: int | None) -> tuple[str, ...]:
    cells = tuple(text.split("\t"))
    if len(cells) not in _WIDTHS:
        raise FormatError(
            f"the line has {len(cells)} columns, but 10 (CoNLL-U) or 15 or 19 (CoNLL-U-Lex) are "
            f"expected, separated by tabs.",
            path,
            line,
        )
    if n_columns is not None and len(cells) != n_columns:
        raise FormatError(
            f"the line has {len(cells)} columns, but the lines before it have {n_columns}.",
            path,
            line,
        )
    for at, cell in enumerate(cells):
        if not cell.strip():
            raise FormatError(
                f"column {at + 1} ({COLUMNS[at].upper()}) is empty; '_' stands for nothing.",
                path,
                line,
            )
    return cells


class _Nodes:
    """The lines of a sentence: words, and what is numbered between them."""

    def __init__(self, path: Path) -> None:
        self.words: list[tuple[str, ...]] = []
        self.lines: list[int] = []
        self.seen = False
        self._path = path
        self._range_end = 0
        self._range_line = 0
        self._empty = 0

    def add(self, cells: tuple[str, ...], line: int) -> None:
        """Take one line, whose ID has to be the next in order."""
        self.seen = True
        name = cells[0]
        if _WORD_ID.fullmatch(name):
            if int(name) != len(self.words) + 1:
                self._refuse(name, f"word {len(self.words) + 1}", line)
            self.words.append(cells)
            self.lines.append(line)
            self._empty = 0
        elif span := _RANGE_ID.fullmatch(name):
            first, last = int(span[1]), int(span[2])
            if first != len(self.words) + 1 or first <= self._range_end or last <= first:
                self._refuse(name, f"a range from {len(self.words) + 1} up, or that word", line)
            self._range_end, self._range_line = last, line
        elif node := _EMPTY_ID.fullmatch(name):
            if (int(node[1]), int(node[2])) != (len(self.words), self._empty + 1):
                self._refuse(name, f"empty node {len(self.words)}.{self._empty + 1}", line)
            self._empty += 1
        else:
            self._refuse(name, "a number, a range such as 1-2 or an empty node such as 1.1", line)

    def finish(self, line: int) -> None:
        """Make sure that there were words, and all that a range promised."""
        if not self.words:
            raise FormatError("the sentence that ends here has no words.", self._path, line)
        if self._range_end > len(self.words):
            raise FormatError(
                f"column 1 (ID): the range ends at {self._range_end}, but the sentence has "
                f"{len(self.words)} words.",
                self._path,
                self._range_line,
            )

    def _refuse(self, name: str, expected: str, line: int) -> None:
        raise FormatError(
            f"column 1 (ID) is {name[:40]!r}, but {expected} is expected.", self._path, line
        )


def _heads(
    words: tuple[tuple[str, ...], ...], lines: list[int], path: Path
) -> tuple[int, ...] | None:
    """Return the heads, if there are any; they form a tree under one root."""
    if all(cells[6] == "_" for cells in words):
        return None
    for cells, line in zip(words, lines, strict=True):
        head = cells[6]
        if not _HEAD.fullmatch(head):
            raise FormatError(
                f"column 7 (HEAD) is {head[:40]!r}, but a number is expected.", path, line
            )
        if int(head) > len(words):
            raise FormatError(
                f"column 7 (HEAD) is {head}, but the sentence has {len(words)} words.", path, line
            )
    heads = tuple(int(cells[6]) for cells in words)
    _check_tree(heads, lines, path)
    return heads


def _check_tree(heads: Sequence[int], lines: Sequence[int], path: Path) -> None:
    """Refuse heads with no root, a second one, or a cycle, naming the words."""
    roots = [word for word, head in enumerate(heads) if head == 0]
    if len(roots) > 1:
        numbers = ", ".join(str(word + 1) for word in roots[:8])
        raise FormatError(
            f"column 7 (HEAD): {len(roots)} words of the sentence are roots ({numbers}), but "
            f"exactly one is expected.",
            path,
            lines[roots[1]],
        )
    cycle = _cycle(heads)
    if cycle:
        way = " -> ".join([*map(str, cycle[:8]), "..." if len(cycle) > 8 else str(cycle[0])])
        # Without a root every way upwards ends in a cycle, so both are found here.
        rootless = "" if roots else "no word of the sentence is its root, and "
        raise FormatError(
            f"column 7 (HEAD): {rootless}the heads of {len(cycle)} words form a cycle ({way}).",
            path,
            lines[cycle[0] - 1],
        )


def _cycle(heads: Sequence[int]) -> list[int]:
    """Return the words of a cycle, numbered from 1, or nothing; each word is passed once."""
    known_good = {0}
    for start in range(1, len(heads) + 1):
        way: dict[int, None] = {}
        word = start
        while word not in known_good:
            if word in way:
                words = list(way)
                return words[words.index(word) :]
            way[word] = None
            word = heads[word - 1]
        known_good.update(way)
    return []
