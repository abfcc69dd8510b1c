"""Words and their pieces, word by word against tokenising each word alone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from geoprobe.encoders.alignment import Alignment, Alignments, align
from geoprobe.encoders.model_files import MissingModelError, offline_folder
from geoprobe.encoders.word_pieces import WordTokenizer
from geoprobe.errors import InputError
from geoprobe.tasks import Sentence, Split, Unit
from tests.support import encoder_models as models

HARD = (
    "don't can't I'm rock'n'roll o'clock 's n't 'tis",
    "😀 👩‍👩‍👧 🇩🇪 ☃ → ♥ ✓ \ufffd",
    "naïve cafe\u0301 e\u0301 A\u030angstro\u0308m ß İstanbul ñ",
    "漢字 日本語の文 한국어 ไทย العربية हिन्दी עברית",
    "3.14159 1,000,000 ١٢٣ Ⅻ ½ x² 10% $5 +49-30-1234567",
    "http://a.b/c?d=e#f a@b.cc C++ ... -- _ () [CLS] [SEP] [UNK] <s> ##s",
    "pneumonoultramicroscopicsilicovolcanoconiosis " + "ab" * 60 + " the in on",
    "the\u200bcat \u200bin in\u200d soft\u00adhyphen \ufeffthe non\u00a0breaking",
)


def encoder_of(tokenizer: Any, max_pieces: int = 512) -> Any:
    return SimpleNamespace(name="tiny", tokenizer=tokenizer, max_pieces=max_pieces)


@pytest.fixture(params=["wordpiece", "byte level", "roberta", "llama 3", "minilm"])
def tokenizer(request: pytest.FixtureRequest) -> Any:
    if request.param == "minilm":
        from transformers import AutoTokenizer

        try:
            return AutoTokenizer.from_pretrained(offline_folder())
        except MissingModelError as error:
            pytest.skip(str(error))
    made = {
        "wordpiece": models.wordpiece,
        "byte level": models.byte_level,
        "roberta": lambda: models.byte_level(("<s>", "<pad>", "</s>")),
        "llama 3": lambda: models.byte_level(split=True),
    }
    return made[request.param]()


def alone(tokenizer: Any, word: str, begins: bool) -> list[int]:
    """Return the pieces of a word as text of its own; in bytes, the space before belongs to it."""
    text = word if begins or tokenizer.backend_tokenizer.decoder is None else f" {word}"
    if "WordPiece" in type(tokenizer.backend_tokenizer.model).__name__:
        text = word
    return list(
        tokenizer(text, add_special_tokens=False, truncation=False, padding=False).input_ids
    )


def used(alignment: Alignment, row: int, word: int = 0) -> list[int]:
    """Return the pieces that a word of a unit is averaged from."""
    window = alignment.pieces[alignment.window[row, word]]
    return window[alignment.first[row, word] : alignment.last[row, word]].tolist()


@pytest.mark.full
@pytest.mark.parametrize("text", HARD)
def test_each_word_has_the_pieces_that_it_has_alone(tokenizer: Any, text: str) -> None:
    kept = [
        (place == 0, word)
        for place, word in enumerate(text.split(" "))
        if alone(tokenizer, word, place == 0)
    ]
    split = models.words_split(" ".join(word for _, word in kept))
    expected = [alone(tokenizer, word, n == 0) for n, (_, word) in enumerate(kept)]
    alignment = align(encoder_of(tokenizer, 10_000), split)
    assert [used(alignment, row) for row in range(split.n_units)] == expected
    body = [piece for pieces in expected for piece in pieces]
    whole = alignment.pieces[0].tolist()
    begin = alignment.first[0, 0]
    assert whole[begin : begin + len(body)] == body
    assert set(whole[:begin] + whole[begin + len(body) :]) <= set(tokenizer.all_special_ids)


def test_a_word_that_becomes_nothing_is_named() -> None:
    split = models.words_split("the cat", "in \u200b house")
    with pytest.raises(InputError, match=r"word 2 of the sentence at text:2, '\\u200b', has no"):
        align(encoder_of(models.wordpiece()), split)


def test_a_word_that_becomes_nothing_may_stand_beside_a_unit() -> None:
    split = models.words_split("in \u200b house")
    split = Split("train", split.sentences, (split.units[0], split.units[2]))
    alignment = align(encoder_of(models.wordpiece()), split)
    assert alignment.first[:, 0].tolist() == [1, 2]


def test_cutting_and_filling_of_the_tokenizer_are_neither_used_nor_lost() -> None:
    tokenizer = models.wordpiece()
    before = tokenizer.backend_tokenizer.to_str()
    split = models.words_split(" ".join(["the"] * 30), "cat")
    assert align(encoder_of(tokenizer), split).lengths.tolist() == [32, 3]
    assert tokenizer.backend_tokenizer.to_str() == before


def test_pairs_and_whole_sentences() -> None:
    split = models.words_split("sleeping cats in houses")
    pairs = Split("train", split.sentences, (Unit(0, (3, 1), "a"), Unit(0, (1, 3), "b")))
    alignment = align(encoder_of(models.wordpiece()), pairs)
    assert alignment.first.tolist() == [[6, 3], [3, 6]]
    assert alignment.last.tolist() == [[8, 5], [5, 8]]
    whole = Split("train", split.sentences, (Unit(0, (), "a"),))
    alignment = align(encoder_of(models.wordpiece()), whole)
    assert (alignment.first.tolist(), alignment.last.tolist()) == ([[0]], [[1]])


def test_whole_sentences_need_a_piece_for_them() -> None:
    sentences = (Sentence(("the", "cat"), "text:1"),)
    whole = Split("train", sentences, (Unit(0, (), "a"),))
    with pytest.raises(InputError, match=r"\[CLS\] piece represents, but tiny has none"):
        align(encoder_of(models.byte_level()), whole)
    silent = models.wordpiece(cls=False)
    silent.cls_token = "[CLS]"
    with pytest.raises(InputError, match="puts none into the sentence at text:1"):
        align(encoder_of(silent), whole)


def test_a_sentence_too_long_is_refused_by_name() -> None:
    split = models.words_split("the cat", " ".join(["cats"] * 5))
    with pytest.raises(InputError, match=r"at text:2 has 12 pieces, but tiny takes 11 at most"):
        align(encoder_of(models.wordpiece(), 11), split)
    assert align(encoder_of(models.wordpiece(), 12), split).n_split == 0
    with pytest.raises(InputError, match="overlong is 'error' or 'split'"):
        align(encoder_of(models.wordpiece()), split, overlong="cut")  # type: ignore[arg-type]


def test_a_sentence_without_units_may_be_too_long() -> None:
    split = models.words_split("the cat", " ".join(["cats"] * 5))
    split = Split("train", split.sentences, split.units[:2])
    assert align(encoder_of(models.wordpiece(), 8), split).n_split == 0


def best_context(n_body: int, room: int, begins: list[int], first: int, last: int) -> int:
    """Return the longest shorter side that a word could have, by trying all windows."""
    sides = []
    for at in begins:
        if at <= first and last <= at + room:
            left = n_body if at == 0 else first - at
            right = n_body if at + room == n_body else at + room - last
            sides.append(min(left, right))
    return max(sides)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(30))
def test_windows_of_long_sentences(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tokenizer = models.wordpiece()
    # Random letters, so that no stretch of pieces as long as a window comes twice.
    letters = rng.choice(list("abcdefghijklmnopqrstuvwxyz"), size=(int(rng.integers(12, 120)), 4))
    words = ["".join(some[: rng.integers(1, 5)]) for some in letters]
    split = models.words_split(" ".join(words))
    max_pieces = int(rng.integers(10, 24))
    encoder = encoder_of(tokenizer, max_pieces)
    plain = align(encoder_of(tokenizer, 10_000), split)
    body = plain.pieces[0][1:-1]
    if len(body) + 2 <= max_pieces:
        pytest.skip("short enough")
    alignment = align(encoder, split, overlong="split")
    room = max_pieces - 2
    assert alignment.n_split == 1
    assert set(alignment.lengths.tolist()) == {max_pieces}
    assert all(window[0] == 2 and window[-1] == 3 for window in alignment.pieces)
    begins = [
        at
        for at in range(len(body) - room + 1)
        if any(np.array_equal(body[at : at + room], window[1:-1]) for window in alignment.pieces)
    ]
    assert (begins[0], begins[-1]) == (0, len(body) - room)
    for row in range(split.n_units):
        assert used(alignment, row) == used(plain, row)
        window = alignment.pieces[alignment.window[row, 0]]
        first, last = int(plain.first[row, 0]) - 1, int(plain.last[row, 0]) - 1
        at = first - (int(alignment.first[row, 0]) - 1)
        assert np.array_equal(window[1:-1], body[at : at + room])
        here = best_context(len(body), room, [at], first, last)
        assert here == best_context(len(body), room, begins, first, last)
        # Half a window at least lies around a word, less the word and what rounding costs.
        assert here >= (room - room // 2 - (last - first)) // 2 - 1


def test_a_word_longer_than_a_window_is_named() -> None:
    split = models.words_split("the " + "a" * 30)
    with pytest.raises(
        InputError, match=r"word of the sentence at text:1 has 30 pieces; no window"
    ):
        align(encoder_of(models.wordpiece(), 20), split, overlong="split")


def test_sentences_with_the_same_pieces_share_a_pass() -> None:
    split = models.words_split("the cat", "in house", "The CAT", "the cat")
    alignment = align(encoder_of(models.wordpiece()), split)
    shared = alignment.without_repeats()
    assert shared.unit_sentence.tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    assert [used(shared, row) for row in range(8)] == [used(alignment, row) for row in range(8)]
    assert shared.units_of(np.array([0])).tolist() == [0, 1, 4, 5, 6, 7]


def test_alignments_are_made_once_for_a_text_and_a_tokenizer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []
    real = WordTokenizer.tokenize

    def counted(self: WordTokenizer, sentences: Any) -> Any:
        calls.append(sentences)
        return real(self, sentences)

    monkeypatch.setattr(WordTokenizer, "tokenize", counted)
    alignments, text = Alignments(), ("the cat sleeps", "in house")
    first = alignments.of(encoder_of(models.wordpiece()), models.words_split(*text))
    # Another tokenizer with the same pieces, and another split with the same text.
    assert alignments.of(encoder_of(models.wordpiece()), models.words_split(*text)) is first
    assert len(calls) == 1
    others = [
        alignments.of(encoder_of(models.wordpiece()), models.words_split(text[0])),
        alignments.of(encoder_of(models.wordpiece(), 20), models.words_split(*text)),
        alignments.of(encoder_of(models.byte_level()), models.words_split(*text)),
        alignments.of(encoder_of(models.wordpiece()), models.words_split(*text), "split"),
    ]
    assert len({id(each) for each in [first, *others]}) == len(calls) == 5
    with pytest.raises(InputError, match="without a fast version"):
        alignments.of(
            encoder_of(SimpleNamespace(is_fast=False, cls_token_id=None, pad_token_id=None)),
            models.words_split(*text),
        )


def test_tokenizers_that_cannot_be_used() -> None:
    with pytest.raises(InputError, match="without a fast version"):
        WordTokenizer(SimpleNamespace(is_fast=False), "slow")
    from tokenizers import Tokenizer
    from tokenizers import models as kinds
    from transformers import PreTrainedTokenizerFast

    # A piece may cover several words here, because nothing cuts the text before.
    whole = Tokenizer(kinds.WordLevel({"Words are kept apart here": 0, "?": 1}, unk_token="?"))
    with pytest.raises(InputError, match="cannot be assigned to words"):
        WordTokenizer(PreTrainedTokenizerFast(tokenizer_object=whole, unk_token="?"), "odd")


def test_fixtures_are_what_they_claim(tmp_path: Path) -> None:
    """The space before a word matters to one kind of tokenizer only."""
    assert alone(models.byte_level(), "the", True) != alone(models.byte_level(), "the", False)
    assert alone(models.wordpiece(), "the", True) == alone(models.wordpiece(), "the", False)
