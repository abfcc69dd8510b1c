"""Sentences as word pieces, with the words that the pieces belong to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import InputError
from geoprobe.tasks.units import Sentence

_AT_ONCE = 1000
_SAMPLE = ("Words", "are", "kept", "apart", "here")


@dataclass(frozen=True, eq=False)
class SentencePieces:
    """The pieces of one sentence.

    Attributes
    ----------
    sentence : Sentence
    ids : ndarray of int64, shape (n_pieces,)
        Special pieces included.
    spans : dict of int to (int, int)
        For every word that has pieces, its first one and the one after its last.
    """

    sentence: Sentence
    ids: NDArray[np.int64]
    spans: dict[int, tuple[int, int]]

    def place_of(self, piece: int) -> int | None:
        """Return where a special piece stands outside all words, or None."""
        begin, end = self.body
        outside = (*range(begin), *range(end, len(self.ids)))
        return next((place for place in outside if self.ids[place] == piece), None)

    @property
    def body(self) -> tuple[int, int]:
        """The first piece that belongs to a word, and the one after the last such."""
        if not self.spans:
            return len(self.ids), len(self.ids)
        begins, ends = zip(*self.spans.values(), strict=True)
        return min(begins), max(ends)


class Tokens:
    """Cuts words into pieces without touching the settings of a tokenizer.

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

        if not getattr(tokenizer, "is_fast", False):
            raise InputError(
                f"{model} has a tokenizer without a fast version ({type(tokenizer).__name__}), "
                f"which cannot tell which word a piece belongs to."
            )
        # A copy: cutting and padding may be set in the file of the model, and are not ours to lift.
        self._tokenizer = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._prefix = self._find_prefix(model)
        self._model = model

    def of(self, sentences: Sequence[Sentence]) -> Iterator[SentencePieces]:
        """Yield the pieces of each sentence."""
        for begin in range(0, len(sentences), _AT_ONCE):
            some = sentences[begin : begin + _AT_ONCE]
            coded = self._tokenizer.encode_batch(
                [self._marked(sentence.words) for sentence in some], is_pretokenized=True
            )
            for sentence, encoding in zip(some, coded, strict=True):
                if any(encoding.type_ids[1:-1]):
                    raise InputError(
                        f"the tokenizer of {self._model} gives the pieces of a single sentence "
                        f"types other than 0, which geoprobe does not pass on."
                    )
                ids = np.array(encoding.ids, np.int64)
                yield SentencePieces(sentence, ids, _spans(encoding.word_ids, sentence))

    def _marked(self, words: Sequence[str]) -> list[str]:
        return [words[0], *(self._prefix + word for word in words[1:])]

    def _find_prefix(self, model: str) -> str:
        plain = self._tokenizer.encode(" ".join(_SAMPLE), add_special_tokens=False).ids
        for prefix in ("", " "):
            words = [_SAMPLE[0], *(prefix + word for word in _SAMPLE[1:])]
            coded = self._tokenizer.encode(words, is_pretokenized=True, add_special_tokens=False)
            if coded.ids == plain and list(dict.fromkeys(coded.word_ids)) == [*range(len(words))]:
                return prefix
        raise InputError(
            f"the tokenizer of {model} cuts words that come one by one into other pieces than "
            f"those of a text, so that its pieces cannot be assigned to words."
        )


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
