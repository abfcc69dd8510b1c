"""Sentences as word pieces, whole or in windows that overlap."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import InputError
from geoprobe.tasks.units import Sentence

IntArray = NDArray[np.int64]
Place = tuple[int, int, int]
"""A word's window, its first piece there, and the one after its last."""

_SENTENCES_AT_ONCE = 1000
_SAMPLE = ("Words", "are", "kept", "apart", "here")


@dataclass(frozen=True, eq=False)
class TokenizedSentence:
    """The word pieces of one sentence.

    Attributes
    ----------
    sentence : Sentence
    ids : ndarray of int64, shape (n_pieces,)
        Special pieces included.
    spans : dict of int to (int, int)
        For every word that has pieces, its first one and the one after its last.
    """

    sentence: Sentence
    ids: IntArray
    spans: dict[int, tuple[int, int]]

    @property
    def body(self) -> tuple[int, int]:
        """The first piece that belongs to a word, and the one after the last such."""
        if not self.spans:
            return len(self.ids), len(self.ids)
        begins, ends = zip(*self.spans.values(), strict=True)
        return min(begins), max(ends)

    def special_piece(self, piece: int) -> int | None:
        """Return where a special piece stands outside all words, or None."""
        begin, end = self.body
        outside = (*range(begin), *range(end, len(self.ids)))
        return next((place for place in outside if self.ids[place] == piece), None)


class WordTokenizer:
    """A tokenizer that is given words, and whose own settings stay as they are.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerFast
    model : str
        For messages.

    Raises
    ------
    InputError
        If it is not a fast tokenizer, or not one that can be given words.

    Notes
    -----
    The words go in one by one, so that no piece ever covers two. Tokenizers to which a space marks
    the begin of a word, such as that of GPT-2, get one before every word but the first, unless
    they put it there by themselves; which it is shows in a sample, that has to come out as it does
    as plain text.
    """

    def __init__(self, tokenizer: Any, model: str) -> None:
        from tokenizers import Tokenizer

        # A copy: cutting and padding may be set in the file of the model, and are not ours to lift.
        self._tokenizer = Tokenizer.from_str(_as_text(tokenizer, model))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._prefix = self._find_prefix(model)
        self._model = model

    def tokenize(self, sentences: Sequence[Sentence]) -> Iterator[TokenizedSentence]:
        """Yield the pieces of each sentence."""
        for begin in range(0, len(sentences), _SENTENCES_AT_ONCE):
            chunk = sentences[begin : begin + _SENTENCES_AT_ONCE]
            encodings = self._tokenizer.encode_batch(
                [self._prefixed(sentence.words) for sentence in chunk], is_pretokenized=True
            )
            for sentence, encoding in zip(chunk, encodings, strict=True):
                if any(encoding.type_ids[1:-1]):
                    raise InputError(
                        f"the tokenizer of {self._model} gives the pieces of a single sentence "
                        f"types other than 0, which geoprobe does not pass on."
                    )
                ids = np.array(encoding.ids, np.int64)
                yield TokenizedSentence(sentence, ids, _spans(encoding.word_ids, sentence))

    def _prefixed(self, words: Sequence[str]) -> list[str]:
        return [words[0], *(self._prefix + word for word in words[1:])]

    def _find_prefix(self, model: str) -> str:
        plain = self._tokenizer.encode(" ".join(_SAMPLE), add_special_tokens=False).ids
        for prefix in ("", " "):
            words = [_SAMPLE[0], *(prefix + word for word in _SAMPLE[1:])]
            encoding = self._tokenizer.encode(words, is_pretokenized=True, add_special_tokens=False)
            word_order = list(dict.fromkeys(encoding.word_ids))
            if encoding.ids == plain and word_order == [*range(len(words))]:
                return prefix
        raise InputError(
            f"the tokenizer of {model} cuts words that come one by one into other pieces than "
            f"those of a text, so that its pieces cannot be assigned to words."
        )


def tokenizer_sha256(tokenizer: Any, model: str) -> str:
    """Return the SHA-256 of everything that decides how a tokenizer cuts text.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerFast
    model : str
        For messages.

    Raises
    ------
    InputError
        If it is not a fast tokenizer.
    """
    return hashlib.sha256(_as_text(tokenizer, model).encode()).hexdigest()


def _as_text(tokenizer: Any, model: str) -> str:
    if not getattr(tokenizer, "is_fast", False):
        raise InputError(
            f"{model} has a tokenizer without a fast version ({type(tokenizer).__name__}), "
            f"which cannot tell which word a piece belongs to."
        )
    text: str = tokenizer.backend_tokenizer.to_str()
    return text


def _spans(word_ids: Sequence[int | None], sentence: Sentence) -> dict[int, tuple[int, int]]:
    """Return the run of pieces of each word."""
    spans: dict[int, tuple[int, int]] = {}
    for place, word in enumerate(word_ids):
        if word is None:
            continue
        first, last = spans.get(word, (place, place))
        if last != place:
            raise InputError(
                f"the pieces of word {word + 1} of the sentence at {sentence.source}, "
                f"{sentence.words[word]!r}, do not stand together."
            )
        spans[word] = (first, place + 1)
    return spans


def cut_windows(
    tokenized: TokenizedSentence, places: list[list[Place]], max_pieces: int, model: str
) -> tuple[list[IntArray], list[list[Place]]]:
    """Cut a sentence into windows and find the best window for each word of its units.

    Parameters
    ----------
    tokenized : TokenizedSentence
        With more than ``max_pieces`` pieces.
    places : list of list of (window, first, last)
        The words of each unit in the sentence as a whole, whose window is 0.
    max_pieces : int
    model : str
        For messages.

    Returns
    -------
    windows : list of ndarray of int64
        Each with ``max_pieces`` pieces; all begin and end with the special pieces of the sentence.
    places : list of list of (window, first, last)

    Raises
    ------
    InputError
        If the model's input has no room for pieces of words, or no window holds a word whole.
    """
    begin, end = tokenized.body
    ids = tokenized.ids
    room = max_pieces - begin - (len(ids) - end)
    if room < 1:
        raise InputError(
            f"{model} takes {max_pieces} pieces at most, which the special ones of the sentence "
            f"at {tokenized.sentence.source} fill by themselves."
        )
    begins = _window_begins(begin, end, room)
    windows = [np.concatenate([ids[:begin], ids[at : at + room], ids[end:]]) for at in begins]
    return windows, [
        [_best_place(first, last, begins, room, tokenized, model) for _, first, last in unit]
        for unit in places
    ]


def _window_begins(begin: int, end: int, room: int) -> list[int]:
    """Return where the windows begin: evenly apart, at most half a window."""
    n_steps = math.ceil((end - begin - room) / max(1, room // 2))
    return [begin + (end - begin - room) * step // n_steps for step in range(n_steps + 1)]


def _best_place(
    first: int, last: int, begins: list[int], room: int, tokenized: TokenizedSentence, model: str
) -> Place:
    """Return a word's place in the window where its shorter side is longest."""
    begin, end = tokenized.body
    if last <= begin:
        return 0, first, last
    if first >= end:
        return 0, first - (end - begin) + room, last - (end - begin) + room

    def context(window: int) -> float:
        left = math.inf if begins[window] == begin else first - begins[window]
        right = math.inf if begins[window] + room == end else begins[window] + room - last
        return min(left, right)

    whole = [k for k, at in enumerate(begins) if at <= first and last <= at + room]
    if not whole:
        raise InputError(
            f"a word of the sentence at {tokenized.sentence.source} has {last - first} pieces; no "
            f"window of the {room} pieces of words that {model} takes at once holds it whole."
        )
    best = max(whole, key=context)
    return best, first - begins[best] + begin, last - begins[best] + begin
