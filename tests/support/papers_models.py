"""The papers' five BERTs as the hub keeps them: their shapes and files, with random weights."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import torch  # noqa: TID253  (tests that need it skip before)

from geoprobe.encoders.model_files import HUB

# Layers, dimensions and heads, from section 3.1 of Zhou & Srikumar (2022).
SHAPES = {
    "bert-tiny": (2, 128, 2),
    "bert-mini": (4, 256, 4),
    "bert-small": (4, 512, 8),
    "bert-medium": (8, 512, 8),
    "bert-base": (12, 768, 12),
}
PROPOSED = "refs/pr/1"


def put_in_cache(name: str, cache: Path) -> None:
    """Write what a download of one of them leaves in the cache of the hub.

    As of ``google/bert_uncased_*``: main holds pickled weights only, a pull request safetensors of
    the whole pretrained model; the configuration does not name its kind, and the tokenizer is a
    bare ``vocab.txt``.
    """
    repository = cache / f"models--{HUB[name].replace('/', '--')}"
    for revision, commit in (("main", "0" * 40), (PROPOSED, "1" * 40)):
        # The cache names a file after the whole revision, "refs/pr/1" of it too.
        ref = repository / "refs" / revision
        ref.parent.mkdir(parents=True, exist_ok=True)
        ref.write_text(commit, encoding="ascii")
        folder = repository / "snapshots" / commit
        folder.mkdir(parents=True)
        write_files(name, folder, pickled=revision == "main")


def write_files(name: str, folder: Path, *, pickled: bool = False) -> None:
    """Write configuration, vocabulary and weights into a folder."""
    from transformers import BertConfig, BertForPreTraining

    n_layers, n_dims, n_heads = SHAPES[name]
    signs = string.ascii_lowercase + string.digits + string.punctuation
    pieces = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *signs]
    pieces += [f"##{sign}" for sign in signs]
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf8")
    config: dict[str, Any] = {
        "attention_probs_dropout_prob": 0.1,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": n_dims,
        "initializer_range": 0.02,
        "intermediate_size": 4 * n_dims,
        "max_position_embeddings": 512,
        "num_attention_heads": n_heads,
        "num_hidden_layers": n_layers,
        "type_vocab_size": 2,
        "vocab_size": len(pieces),
    }
    if pickled:
        (folder / "pytorch_model.bin").write_bytes(b"never read")
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            BertForPreTraining(BertConfig(**config)).save_pretrained(folder)
    # In place of what save_pretrained has written, which says more.
    (folder / "config.json").write_text(json.dumps(config), encoding="ascii")
