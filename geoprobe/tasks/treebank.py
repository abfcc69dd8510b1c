"""Units of treebanks: which words, and which label each has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from geoprobe.errors import FormatError, InputError
from geoprobe.suggestions import suggestion
from geoprobe.tasks.conllu import COLUMNS, TreebankSentence
from geoprobe.tasks.labelled_text import LabelledSentence
from geoprobe.tasks.units import Join, UnitKind

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


def label_sentences(
    sentences: Iterable[TreebankSentence],
    *,
    label: str,
    units: UnitKind = "words",
    join: Join = "single",
    only: Mapping[str, str] | None = None,
    group: str | None = None,
) -> Iterator[LabelledSentence]:
    """Find the units of treebank sentences.

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
    group : str, optional
        The comment that keeps sentences together in a random split. ``newdoc id`` and
        ``newpar id`` hold until the next one; any other has to stand above every sentence.

    Yields
    ------
    LabelledSentence
        One for each sentence, with units or without.

    Raises
    ------
    FormatError
        Naming the sentence, for pairs in a sentence without heads, or a comment that is missing.
    InputError
        For labels or columns that do not exist.
    """
    if units == "sentence":
        if only:
            raise InputError("only= chooses among words, but the units are whole sentences.")
        find = _comment_label(label)
    else:
        find = _word_labels(label, only or {}, pairs=units == "pairs", join=join)
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
        yield LabelledSentence(sentence.forms, list(find(sentence)), sentence.line, current)


FindUnits = Callable[[TreebankSentence], Iterator[tuple[tuple[int, ...], str]]]
"""From a sentence to the positions of the words of each unit, and its label."""


def _word_labels(label: str, only: Mapping[str, str], *, pairs: bool, join: Join) -> FindUnits:
    take = select(label)
    rules = [(select(name), pattern) for name, pattern in only.items()]

    def find(sentence: TreebankSentence) -> Iterator[tuple[tuple[int, ...], str]]:
        for word, cells in enumerate(sentence.words):
            try:
                keep = all(fnmatchcase(value(cells) or "_", pattern) for value, pattern in rules)
                name = take(cells) if keep else None
            except InputError as error:
                raise FormatError(str(error), sentence.path, sentence.line) from error
            if name is not None:
                positions = _pair(sentence, word, join) if pairs else (word,)
                if positions:
                    yield positions, name

    return find


def _comment_label(label: str) -> FindUnits:
    kind, _, key = label.partition(".")
    if kind != "comment" or not key:
        raise InputError(
            f"label={label!r} is no label of whole sentences; 'comment.KEY' takes that of the "
            f"line '# KEY = ...' above each of them."
        )

    def find(sentence: TreebankSentence) -> Iterator[tuple[tuple[int, ...], str]]:
        if sentence.comments.get(key):
            yield (), sentence.comments[key]

    return find


def _pair(sentence: TreebankSentence, word: int, join: Join) -> tuple[int, ...]:
    """Return a word's head and the word, or the word alone; nothing for the root."""
    if sentence.heads is None:
        raise FormatError(
            "column 7 (HEAD) is '_' throughout the sentence, but pairs need heads.",
            sentence.path,
            sentence.line,
        )
    head = sentence.heads[word]
    if head == 0:
        return ()
    return (word,) if join == "single" else (head - 1, word)
