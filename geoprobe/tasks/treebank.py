"""From treebank sentences to units: whose words, which label."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Literal

from geoprobe.errors import FormatError, InputError
from geoprobe.suggestions import suggestion
from geoprobe.tasks.conllu import COLUMNS, TreebankSentence
from geoprobe.tasks.split_builder import Labelled, SplitBuilder
from geoprobe.tasks.units import Join

TreebankUnits = Literal["words", "pairs", "sentence"]
"""What the units of a treebank are."""

Cells = tuple[str, ...]


def select(name: str) -> Callable[[Cells], str | None]:
    """Return a function that takes a label from the cells of a word.

    Parameters
    ----------
    name : str
        A column, such as ``"upos"``, ``"deprel"`` or ``"ss"``; or a key of FEATS or MISC, as in
        ``"feats.Number"`` and ``"misc.Role"``. Columns are named in any case, keys are not.

    Returns
    -------
    function
        From the cells of a word to the label; None where the column is ``_`` or the key missing.

    Raises
    ------
    InputError
        For a name that is neither; the function raises it too when the file has no such column.
    """
    column, dot, key = name.partition(".")
    column = column.lower()
    if column not in COLUMNS or (dot and (column not in ("feats", "misc") or not key)):
        raise InputError(
            f"there is no label {name!r} in a treebank; "
            f"{suggestion(name, [*COLUMNS[1:], 'feats.KEY', 'misc.KEY'])}."
        )
    at = COLUMNS.index(column)

    def take(cells: Cells) -> str | None:
        if at >= len(cells):
            raise InputError(
                f"there is no column {column.upper()} among the {len(cells)} of this file; "
                f"it is one of CoNLL-U-Lex."
            )
        if cells[at] == "_":
            return None
        return _value(cells[at], key) if dot else cells[at].strip()

    return take


def _value(cell: str, key: str) -> str | None:
    for pair in cell.split("|"):
        name, _, value = pair.partition("=")
        if name.strip() == key:
            return value.strip() or None
    return None


def gather(
    sentences: Iterable[TreebankSentence],
    *,
    label: str,
    units: TreebankUnits = "words",
    join: Join = "single",
    only: Mapping[str, str] | None = None,
    leave_out: Iterable[str] = (),
    group: str | None = None,
) -> SplitBuilder:
    """Collect the units of treebank sentences.

    Parameters
    ----------
    sentences : iterable of TreebankSentence
    label : str
        As :func:`select` takes it; ``"comment.KEY"`` for whole sentences. A word without it
        (``_``, or no such key) is no unit.
    units : {"words", "pairs", "sentence"}
        Each word; each word with its head; or each sentence. A pair is ``(head, dependent)``, in
        this order, and its label is the dependent's; the root, which has no head, is left out.
    join : {"single", "concat", "difference"}
        With ``"single"`` a pair is represented by the dependent alone.
    only : mapping of str to str, optional
        Patterns (``*`` and ``?`` as in names of files) by column or key: only words that match
        all of them are units. What is missing counts as ``_``.
    leave_out : iterable of str
        Labels whose units are left out.
    group : str, optional
        The comment that keeps sentences together in a random split. ``newdoc id`` and
        ``newpar id`` hold until the next one; any other has to stand above every sentence.

    Returns
    -------
    SplitBuilder

    Raises
    ------
    FormatError
        Naming the sentence, for pairs in a sentence without heads, or a comment that is missing.
    InputError
        For labels or columns that do not exist.
    """
    gathered = SplitBuilder()
    dropped = frozenset(leave_out)
    if only and units == "sentence":
        raise InputError("only= chooses among words, but the units are whole sentences.")
    keep = _filter(only or {})
    find = _comment_label(label) if units == "sentence" else _word_labels(label, keep)
    for sentence, key in _grouped(sentences, group):
        found: list[Labelled] = []
        for word, name in find(sentence):
            if name in dropped:
                continue
            if units == "pairs":
                head = _head(sentence, word)
                if head >= 0:
                    found.append(((word,) if join == "single" else (head, word), name))
            else:
                found.append((() if units == "sentence" else (word,), name))
        gathered.add(sentence.forms, found, sentence.path, sentence.line, group=key)
    return gathered


def _filter(only: Mapping[str, str]) -> Callable[[Cells], bool]:
    rules = [(select(name), pattern) for name, pattern in only.items()]
    return lambda cells: all(fnmatchcase(take(cells) or "_", rule) for take, rule in rules)


Labels = Callable[[TreebankSentence], Iterator[tuple[int, str]]]


def _word_labels(label: str, keep: Callable[[Cells], bool]) -> Labels:
    take = select(label)

    def find(sentence: TreebankSentence) -> Iterator[tuple[int, str]]:
        for word, cells in enumerate(sentence.words):
            try:
                name = take(cells) if keep(cells) else None
            except InputError as error:
                raise FormatError(str(error), sentence.path, sentence.line) from error
            if name is not None:
                yield word, name

    return find


def _comment_label(label: str) -> Labels:
    kind, _, key = label.partition(".")
    if kind != "comment" or not key:
        raise InputError(
            f"label={label!r} is no label of whole sentences; 'comment.KEY' takes that of the "
            f"line '# KEY = ...' above each of them."
        )

    def find(sentence: TreebankSentence) -> Iterator[tuple[int, str]]:
        if sentence.comments.get(key):
            yield 0, sentence.comments[key]

    return find


def _head(sentence: TreebankSentence, word: int) -> int:
    if sentence.heads is None:
        raise FormatError(
            "column 7 (HEAD) is '_' throughout the sentence, but pairs need heads.",
            sentence.path,
            sentence.line,
        )
    return sentence.heads[word] - 1


def _grouped(
    sentences: Iterable[TreebankSentence], group: str | None
) -> Iterator[tuple[TreebankSentence, Hashable]]:
    lasting = group in ("newdoc id", "newpar id")
    current: str | None = None
    for sentence in sentences:
        if group is not None:
            current = sentence.comments.get(group, current if lasting else None)
            if current is None:
                raise FormatError(
                    f"the sentence has no comment '# {group} = ...' to group it by.",
                    sentence.path,
                    sentence.line,
                )
        yield sentence, current
