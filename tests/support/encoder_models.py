"""Tiny models with random weights, and their tokenizers, made without a network."""

from __future__ import annotations

import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch  # noqa: TID253
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (  # noqa: TID253
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2Model,
    LlamaConfig,
    LlamaModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    T5Config,
    T5Model,
)

from geoprobe.tasks import Sentence, Split, Unit

SMALL = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4}
N_LAYERS, N_DIMS = SMALL["num_hidden_layers"], SMALL["hidden_size"]
POSITIONS = 40


def wordpiece(cls: bool = True) -> PreTrainedTokenizerFast:
    """BERT's kind: pieces that go on are marked, characters out of the vocabulary are unknown."""
    signs = string.ascii_lowercase + string.digits + "'.,-?!"
    known = ["the", "in", "on", "house", "cat", "##s", "##ing", "sleep", "don", "walk"]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *signs, *(f"##{c}" for c in signs), *known]
    tokenizer = Tokenizer(
        models.WordPiece(
            {piece: number for number, piece in enumerate(dict.fromkeys(pieces))},
            unk_token="[UNK]",
            max_input_chars_per_word=100,
        )
    )
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    named = {"unk_token": "[UNK]", "pad_token": "[PAD]"}
    if cls:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
        named |= {"cls_token": "[CLS]", "sep_token": "[SEP]"}
    # As in many folders on the hub: an input is cut off and filled unless told otherwise.
    tokenizer.enable_truncation(12)
    tokenizer.enable_padding(length=12)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named)


def byte_level(specials: tuple[str, ...] = (), *, split: bool = False) -> PreTrainedTokenizerFast:
    """GPT-2's kind: bytes, a space is part of the word behind it; with ``split`` Llama 3's."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("Ġ", "c"), ("Ġc", "at"), ("a", "t")]
    merges = [merges[5], *merges[:5]]
    pieces = [*specials, *alphabet, *("".join(pair) for pair in merges)]
    numbers = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(numbers, merges))
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if split:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(r" ?\w+| ?[^\s\w]+|\s+"), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    if not specials:
        return PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, cls_token="<s>", pad_token="<pad>", sep_token="</s>"
    )


def _bert() -> tuple[Any, Any]:
    tokenizer = wordpiece()
    config = BertConfig(
        vocab_size=len(tokenizer),
        intermediate_size=64,
        max_position_embeddings=POSITIONS,
        # Large weights, so that vectors differ by what stands around a word.
        initializer_range=0.3,
        **SMALL,
    )
    return BertModel(config), tokenizer


def _roberta() -> tuple[Any, Any]:
    tokenizer = byte_level(("<s>", "<pad>", "</s>"))
    config = RobertaConfig(
        vocab_size=len(tokenizer),
        intermediate_size=64,
        max_position_embeddings=POSITIONS + 2,
        pad_token_id=1,
        initializer_range=0.3,
        **SMALL,
    )
    return RobertaModel(config), tokenizer


def _gpt2() -> tuple[Any, Any]:
    tokenizer = byte_level()
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=N_DIMS,
        n_layer=N_LAYERS,
        n_head=4,
        n_positions=POSITIONS,
        bos_token_id=None,
        eos_token_id=None,
        initializer_range=0.3,
    )
    return GPT2Model(config), tokenizer


def _llama() -> tuple[Any, Any]:
    tokenizer = byte_level(split=True)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        intermediate_size=64,
        max_position_embeddings=POSITIONS,
        bos_token_id=None,
        eos_token_id=None,
        initializer_range=0.3,
        **SMALL,
    )
    return LlamaModel(config), tokenizer


def _t5() -> tuple[Any, Any]:
    tokenizer = wordpiece(cls=False)
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=N_DIMS,
        d_ff=64,
        d_kv=8,
        num_layers=N_LAYERS,
        num_heads=4,
        decoder_start_token_id=0,
    )
    return T5Model(config), tokenizer


FAMILIES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "bert": _bert,
    "roberta": _roberta,
    "gpt2": _gpt2,
    "llama": _llama,
    "t5": _t5,
}


def save(family: str, folder: Path) -> Path:
    """Write a tiny model of a family, the same numbers every time, and return its folder."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model, tokenizer = FAMILIES[family]()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def words_split(*sentences: str, name: str = "train", label: str = "x") -> Split:
    """Return a split with a unit for each word of sentences, which are split at spaces."""
    kept = tuple(
        Sentence(tuple(text.split(" ")), f"text:{line}") for line, text in enumerate(sentences, 1)
    )
    units = tuple(
        Unit(number, (word,), label)
        for number, sentence in enumerate(kept)
        for word in range(len(sentence.words))
    )
    return Split(name, kept, units)


def compute_findings(n_units: int) -> tuple[dict[int, np.ndarray], Callable[..., None]]:
    """Return a place for the points of each layer, and what writes them there once."""
    points: dict[int, np.ndarray] = {}

    def write(layer: int, rows: np.ndarray, some: np.ndarray) -> None:
        kept = points.setdefault(layer, np.full((n_units, some.shape[1]), np.nan, np.float32))
        assert np.isnan(kept[rows]).all()
        assert (np.diff(rows) > 0).all()
        kept[rows] = some

    return points, write
