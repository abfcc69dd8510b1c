"""A BERT of a few thousand random weights, and tasks that it can learn in seconds."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch  # noqa: TID253  (tests that need it skip before)

from geoprobe.encoders.load import Encoder
from geoprobe.tasks import Sentence, Split, Task, Unit

NOUNS = ("cat", "dog", "bird", "horse", "fish", "mouse")
VERBS = ("eats", "sees", "likes", "hears", "finds")
PLACES = ("in", "on", "under", "near")
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_PIECES = (*_SPECIAL, *NOUNS, *VERBS, *PLACES, "the", "a", "##s", "##ing", "look")


def tokenizer() -> Any:
    """Return a tokenizer of word pieces over a few words."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {piece: number for number, piece in enumerate(_PIECES)}
    pieces = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    pieces.pre_tokenizer = pre_tokenizers.Whitespace()
    pieces.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    return PreTrainedTokenizerFast(
        tokenizer_object=pieces, **dict(zip(names, _SPECIAL, strict=True)), model_max_length=64
    )


def model(*, dropout: float = 0.1, n_dims: int = 16, seed: int = 0) -> Any:
    """Return a BERT of two layers."""
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=len(_PIECES),
        hidden_size=n_dims,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=2 * n_dims,
        max_position_embeddings=64,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        pad_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return BertModel(config).eval()


def encoder(*, dropout: float = 0.1, seed: int = 0) -> Encoder:
    """Return a small encoder with random weights."""
    return Encoder(
        name="tiny",
        model=model(dropout=dropout, seed=seed),
        tokenizer=tokenizer(),
        device=torch.device("cpu"),
        n_layers=2,
        n_dims=16,
        max_pieces=64,
        provenance={"model": f"tiny, seed {seed}"},
    )


def task(
    name: str = "toy", *, n_train: int = 24, n_test: int = 10, kind: str = "word", seed: int = 0
) -> Task:
    """Return a task over simple sentences.

    ``kind`` is ``"word"``, a word's part of speech; ``"pair"``, whether two words are neighbours;
    ``"sentence"``, the place word of a sentence; or ``"difference"``, as ``"pair"``.
    """
    rng = random.Random(f"{name} {seed}")
    joins = {"pair": "concat", "difference": "difference"}
    return Task(
        name,
        _split("train", n_train, kind, rng),
        _split("test", n_test, kind, rng),
        join=joins.get(kind, "single"),  # type: ignore[arg-type]
    )


def _split(name: str, n_sentences: int, kind: str, rng: random.Random) -> Split:
    sentences, units = [], []
    for number in range(n_sentences):
        words, tags = _sentence(rng)
        sentences.append(Sentence(words, f"{name}.txt:{number + 1}"))
        # Some sentences have no units, as in real corpora.
        if number % 7 != 3 or number == 0:
            units += _units(number, words, tags, kind, rng)
    return Split(name, tuple(sentences), tuple(units))


def _sentence(rng: random.Random) -> tuple[tuple[str, ...], tuple[str, ...]]:
    words, tags = ["the", rng.choice(NOUNS), rng.choice(VERBS)], ["DET", "NOUN", "VERB"]
    for _ in range(rng.randrange(4)):
        words += [rng.choice(PLACES), "a", rng.choice(NOUNS)]
        tags += ["ADP", "DET", "NOUN"]
    if rng.random() < 0.3:
        words.append("looking")
        tags.append("VERB")
    return tuple(words), tuple(tags)


def _units(
    number: int, words: tuple[str, ...], tags: tuple[str, ...], kind: str, rng: random.Random
) -> list[Unit]:
    if kind == "word":
        return [Unit(number, (place,), tag) for place, tag in enumerate(tags)]
    if kind == "sentence":
        return [Unit(number, (), words[3] if len(words) > 4 else "none")]
    pairs = [tuple(rng.sample(range(len(words)), 2)) for _ in range(3)]
    return [Unit(number, (a, b), "near" if abs(a - b) == 1 else "far") for a, b in pairs]


def snapshot(folder: Path) -> dict[str, bytes | dict[str, Any]]:
    """Return everything below a folder, without times and the checksums that cover them."""
    import json

    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            continue
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".json" and path.name not in ("config.json", "labels.json"):
            content = json.loads(path.read_text(encoding="utf8"))
            for timing in ("created", "checksum", "sha256", "seconds", "environment"):
                content.pop(timing, None)
            found[name] = content
        else:
            found[name] = path.read_bytes()
    return found
