"""Alignments of units with word pieces: which pieces of which window a unit is averaged from."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from geoprobe.encoders.word_pieces import (
    IntArray,
    Place,
    TokenizedSentence,
    WordTokenizer,
    cut_windows,
    tokenizer_sha256,
)
from geoprobe.errors import InputError
from geoprobe.tasks.units import Split

if TYPE_CHECKING:
    from geoprobe.encoders.load import Encoder

Overlong = Literal["error", "split"]


@dataclass(frozen=True, eq=False)
class Alignment:
    """The units of a split as runs of word pieces.

    A sentence is one *window* of pieces, or several that overlap where it is too long for the
    model. A unit has ``n_words`` words (1 for a whole sentence), and each lies in one window.

    Attributes
    ----------
    pieces : tuple of ndarray of int64
        Ids of the pieces of each window, special ones included.
    sentence : ndarray of int64, shape (n_windows,)
        The sentence of each window; ascending. Every sentence has at least one.
    unit_sentence : ndarray of int64, shape (n_units,)
    window, first, last : ndarray of int64, shape (n_units, n_words)
        The word is the mean of the pieces ``first`` to ``last - 1`` of the window.
    pad : int
        The id to fill with.
    n_split : int
        How many sentences were too long and became several windows.
    """

    pieces: tuple[IntArray, ...]
    sentence: IntArray
    unit_sentence: IntArray
    window: IntArray
    first: IntArray
    last: IntArray
    pad: int
    n_split: int = 0

    @cached_property
    def lengths(self) -> IntArray:
        """The number of pieces of each window, shape (n_windows,)."""
        return np.array([len(each) for each in self.pieces], np.int64)

    @cached_property
    def used(self) -> IntArray:
        """The sentences that have units, ascending."""
        return np.unique(self.unit_sentence)

    @cached_property
    def first_window(self) -> IntArray:
        """The first window of each sentence, and the number of windows: (n_sentences + 1,)."""
        n_sentences = int(self.sentence[-1]) + 1
        return np.searchsorted(self.sentence, np.arange(n_sentences + 1))

    def windows_of(self, sentences: IntArray) -> IntArray:
        """Return the windows of sentences, in the order of the sentences."""
        return _concatenated(self.first_window[sentences], self.first_window[sentences + 1])

    def units_of(self, sentences: IntArray) -> IntArray:
        """Return the units in sentences, ascending."""
        order, begins = self._units_by_sentence
        return np.sort(order[_concatenated(begins[sentences], begins[sentences + 1])])

    def without_repeats(self) -> Alignment:
        """Move the units of sentences with the same pieces to the first of them.

        The vectors stay the same, and the other sentences need no pass of the model any more.
        """
        first_of: dict[bytes, int] = {}
        moved = np.arange(len(self.first_window) - 1)
        for number in self.used.tolist():
            begin, end = self.first_window[number : number + 2].tolist()
            content = b"|".join(self.pieces[window].tobytes() for window in range(begin, end))
            moved[number] = first_of.setdefault(content, number)
        shift = self.first_window[moved] - self.first_window[:-1]
        return replace(
            self,
            unit_sentence=moved[self.unit_sentence],
            window=self.window + shift[self.unit_sentence][:, None],
        )

    @classmethod
    def side_by_side(cls, several: Sequence[Alignment]) -> Alignment:
        """Return one alignment with the sentences and units of several, of one encoder, in turn."""
        n_sentences = _begins([len(each.first_window) - 1 for each in several])
        n_windows = _begins([len(each.pieces) for each in several])
        return cls(
            pieces=tuple(piece for each in several for piece in each.pieces),
            sentence=_shifted([each.sentence for each in several], n_sentences),
            unit_sentence=_shifted([each.unit_sentence for each in several], n_sentences),
            window=_shifted([each.window for each in several], n_windows),
            first=np.concatenate([each.first for each in several]),
            last=np.concatenate([each.last for each in several]),
            pad=several[0].pad,
            n_split=sum(each.n_split for each in several),
        )

    @cached_property
    def _units_by_sentence(self) -> tuple[IntArray, IntArray]:
        order = np.argsort(self.unit_sentence, kind="stable")
        numbers = np.arange(len(self.first_window))
        return order, np.searchsorted(self.unit_sentence[order], numbers)


def align(encoder: Encoder, split: Split, *, overlong: Overlong = "error") -> Alignment:
    """Cut the words of a split into the pieces of a model.

    Parameters
    ----------
    encoder : Encoder
    split : Split
    overlong : {"error", "split"}
        What becomes of sentences with more pieces than the model takes: an error that names the
        first; or windows that overlap by at least half, every one as long as the model allows.
        Each word is then taken from the window in which it has the most context on its shorter
        side, where an end of the sentence is no lack of context; a whole sentence is represented
        by its first window.

    Returns
    -------
    Alignment

    Raises
    ------
    InputError
        If a unit's word has no piece, a sentence is too long, a word is too long for a window, or
        a whole sentence is asked of a model without a piece for it.
    """
    if overlong not in get_args(Overlong):
        raise InputError(f"overlong is 'error' or 'split', not {overlong!r}.")
    _check_whole(encoder, split)
    pieces: list[IntArray] = []
    sentence_of: list[int] = []
    n_words = max(1, len(split.units[0].words))
    places = np.zeros((split.n_units, n_words, 3), np.int64)
    rows_of = _rows_by_sentence(split)
    n_split = 0
    tokenizer = WordTokenizer(encoder.tokenizer, encoder.name)
    for number, tokenized in enumerate(tokenizer.tokenize(split.sentences)):
        rows = rows_of[number]
        windows = [tokenized.ids]
        in_sentence = [_places(encoder, split, row, tokenized) for row in rows]
        if len(tokenized.ids) > encoder.max_pieces and rows:
            if overlong == "error":
                raise _too_long(encoder, tokenized)
            windows, in_sentence = cut_windows(
                tokenized, in_sentence, encoder.max_pieces, encoder.name
            )
            n_split += 1
        for row, place in zip(rows, in_sentence, strict=True):
            places[row] = place
            places[row, :, 0] += len(pieces)
        pieces += windows
        sentence_of += [number] * len(windows)
    return Alignment(
        pieces=tuple(pieces),
        sentence=np.array(sentence_of, np.int64),
        unit_sentence=np.array([unit.sentence for unit in split.units], np.int64),
        window=places[:, :, 0],
        first=places[:, :, 1],
        last=places[:, :, 2],
        pad=_pad(encoder.tokenizer),
        n_split=n_split,
    )


class Alignments:
    """Alignments that are made once for each text, tokenizer and longest input.

    Whoever reads the same text several times, such as a study that checks it, extracts it and
    fine-tunes on it, makes one of these and hands it to each. Models with equal tokenizers, such
    as the five BERTs of Zhou & Srikumar (2022), share what is in it.
    """

    def __init__(self) -> None:
        self._alignments: dict[Hashable, Alignment] = {}

    def of(self, encoder: Encoder, split: Split, overlong: Overlong = "error") -> Alignment:
        """Return the alignment of a split, made at the first call.

        Parameters
        ----------
        encoder, split, overlong
            As in :func:`align`.

        Raises
        ------
        InputError
            As :func:`align` does.
        """
        special = encoder.tokenizer.cls_token_id, _pad(encoder.tokenizer)
        digest = tokenizer_sha256(encoder.tokenizer, encoder.name)
        key = digest, special, encoder.max_pieces, split, overlong
        if key not in self._alignments:
            self._alignments[key] = align(encoder, split, overlong=overlong)
        return self._alignments[key]


def _rows_by_sentence(split: Split) -> list[list[int]]:
    rows: list[list[int]] = [[] for _ in split.sentences]
    for row, unit in enumerate(split.units):
        rows[unit.sentence].append(row)
    return rows


def _places(encoder: Encoder, split: Split, row: int, tokenized: TokenizedSentence) -> list[Place]:
    """Return (window, first piece, one after its last) of each word of a unit."""
    unit = split.units[row]
    if not unit.words:
        at = tokenized.special_piece(encoder.tokenizer.cls_token_id)
        if at is None:
            raise InputError(
                f"{encoder.name} knows a [CLS] piece, but its tokenizer puts none into the "
                f"sentence at {tokenized.sentence.source}, so whole sentences have no vector."
            )
        return [(0, at, at + 1)]
    places = []
    for word in unit.words:
        span = tokenized.spans.get(word)
        if span is None:
            raise InputError(
                f"word {word + 1} of the sentence at {tokenized.sentence.source}, "
                f"{tokenized.sentence.words[word]!r}, has no piece: the tokenizer of "
                f"{encoder.name} drops every character of it."
            )
        places.append((0, *span))
    return places


def _check_whole(encoder: Encoder, split: Split) -> None:
    whole = any(not unit.words for unit in split.units)
    if whole and encoder.tokenizer.cls_token_id is None:
        raise InputError(
            f"units of the {split.name} split are whole sentences, which a [CLS] piece represents, "
            f"but {encoder.name} has none. Choose an encoder such as BERT."
        )


def _too_long(encoder: Encoder, tokenized: TokenizedSentence) -> InputError:
    return InputError(
        f"the sentence at {tokenized.sentence.source} has {len(tokenized.ids)} pieces, but "
        f"{encoder.name} takes {encoder.max_pieces} at most. With overlong='split' it is "
        f"represented in windows that overlap."
    )


def _pad(tokenizer: Any) -> int:
    """Return the id to fill with; what is filled is masked, so that any id will do."""
    return 0 if tokenizer.pad_token_id is None else int(tokenizer.pad_token_id)


def _begins(sizes: Sequence[int]) -> list[int]:
    """Return where each of several parts begins when they come one after another."""
    return [sum(sizes[:k]) for k in range(len(sizes))]


def _shifted(parts: Sequence[IntArray], begins: Sequence[int]) -> IntArray:
    return np.concatenate([part + begin for part, begin in zip(parts, begins, strict=True)])


def _concatenated(begins: IntArray, ends: IntArray) -> IntArray:
    """Return the numbers of all ranges from ``begins`` to ``ends - 1``, one after another."""
    sizes = ends - begins
    before = np.cumsum(sizes) - sizes
    return np.repeat(begins - before, sizes) + np.arange(int(sizes.sum()))
