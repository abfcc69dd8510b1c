"""Words and their pieces: which pieces of which pass of a model each unit is averaged from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from geoprobe.encoders.pieces import SentencePieces, Tokens
from geoprobe.encoders.windows import cut
from geoprobe.errors import InputError
from geoprobe.tasks.units import Split

IntArray = NDArray[np.int64]
Overlong = Literal["error", "split"]


class Aligns(Protocol):
    """What :func:`align` needs of an encoder."""

    @property
    def name(self) -> str:
        """Its short name."""

    @property
    def tokenizer(self) -> Any:
        """A fast tokenizer of transformers."""

    @property
    def max_pieces(self) -> int:
        """The longest input, special pieces included."""


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

    @cached_property
    def _units_by_sentence(self) -> tuple[IntArray, IntArray]:
        order = np.argsort(self.unit_sentence, kind="stable")
        numbers = np.arange(len(self.first_window))
        return order, np.searchsorted(self.unit_sentence[order], numbers)


def align(encoder: Aligns, split: Split, *, overlong: Overlong = "error") -> Alignment:
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
    of_sentence: list[int] = []
    n_words = max(1, len(split.units[0].words))
    cells = np.zeros((split.n_units, n_words, 3), np.int64)
    units = _rows_by_sentence(split)
    n_split = 0
    for number, coded in enumerate(_coded(encoder, split)):
        places = [_places(encoder, split, row, coded) for row in units[number]]
        windows = [coded.ids]
        if len(coded.ids) > encoder.max_pieces and units[number]:
            if overlong == "error":
                raise _too_long(encoder, split, number, coded)
            windows, places = cut(coded, places, encoder.max_pieces, encoder.name)
            n_split += 1
        for row, place in zip(units[number], places, strict=True):
            cells[row] = place
            cells[row, :, 0] += len(pieces)
        pieces += windows
        of_sentence += [number] * len(windows)
    return Alignment(
        pieces=tuple(pieces),
        sentence=np.array(of_sentence, np.int64),
        unit_sentence=np.array([unit.sentence for unit in split.units], np.int64),
        window=cells[:, :, 0],
        first=cells[:, :, 1],
        last=cells[:, :, 2],
        pad=_pad(encoder.tokenizer),
        n_split=n_split,
    )


def _coded(encoder: Aligns, split: Split) -> Iterator[SentencePieces]:
    return Tokens(encoder.tokenizer, encoder.name).of(split.sentences)


def _rows_by_sentence(split: Split) -> list[list[int]]:
    rows: list[list[int]] = [[] for _ in split.sentences]
    for row, unit in enumerate(split.units):
        rows[unit.sentence].append(row)
    return rows


def _places(
    encoder: Aligns, split: Split, row: int, coded: SentencePieces
) -> list[tuple[int, int, int]]:
    """Return (window, first piece, one after its last) of each word of a unit."""
    unit = split.units[row]
    if not unit.words:
        at = coded.place_of(encoder.tokenizer.cls_token_id)
        if at is None:
            raise InputError(
                f"{encoder.name} knows a [CLS] piece, but its tokenizer puts none into the "
                f"sentence at {coded.sentence.source}, so whole sentences have no vector."
            )
        return [(0, at, at + 1)]
    spans = []
    for word in unit.words:
        span = coded.spans.get(word)
        if span is None:
            raise InputError(
                f"word {word + 1} of the sentence at {coded.sentence.source}, "
                f"{coded.sentence.words[word]!r}, has no piece: the tokenizer of {encoder.name} "
                f"drops every character of it."
            )
        spans.append((0, *span))
    return spans


def _check_whole(encoder: Aligns, split: Split) -> None:
    whole = any(not unit.words for unit in split.units)
    if whole and encoder.tokenizer.cls_token_id is None:
        raise InputError(
            f"units of the {split.name} split are whole sentences, which a [CLS] piece represents, "
            f"but {encoder.name} has none. Choose an encoder such as BERT."
        )


def _too_long(encoder: Aligns, split: Split, number: int, coded: SentencePieces) -> InputError:
    return InputError(
        f"the sentence at {split.sentences[number].source} has {len(coded.ids)} pieces, but "
        f"{encoder.name} takes {encoder.max_pieces} at most. With overlong='split' it is "
        f"represented in windows that overlap."
    )


def _pad(tokenizer: Any) -> int:
    """Return the id to fill with; what is filled is masked, so that any id will do."""
    return 0 if tokenizer.pad_token_id is None else int(tokenizer.pad_token_id)


def _concatenated(begins: IntArray, ends: IntArray) -> IntArray:
    """Return the numbers of all ranges from ``begins`` to ``ends - 1``, one after another."""
    sizes = ends - begins
    before = np.cumsum(sizes) - sizes
    return np.repeat(begins - before, sizes) + np.arange(int(sizes.sum()))
