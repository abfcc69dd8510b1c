"""A fine-tuned model and its head in a folder of safetensors, complete or absent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from geoprobe.encoders.head import LinearHead
from geoprobe.results.folder import new_folder

HEAD = "head.safetensors"
LABELS = "labels.json"


def save_model(
    folder: Path, model: Any, tokenizer: Any, head: LinearHead, labels: Sequence[str]
) -> None:
    """Write what ``load_encoder(folder)`` loads, with the head and its labels beside it.

    A folder that is there already is left alone.

    Parameters
    ----------
    folder : Path
    model : PreTrainedModel
    tokenizer : PreTrainedTokenizerFast
    head : LinearHead
        Goes to ``head.safetensors`` as ``weight`` (n_labels, n_dims) and ``bias`` (n_labels,).
    labels : sequence of str
        In the order of the head's outputs; go to ``labels.json``.

    Raises
    ------
    OutputError
        If the system refuses; nothing is left then.
    """
    from safetensors.torch import save_file

    if folder.is_dir() and any(folder.iterdir()):
        return
    with new_folder(folder) as place:
        model.save_pretrained(place)
        tokenizer.save_pretrained(place)
        weights = {name: value.detach().cpu() for name, value in head.named_parameters()}
        save_file(weights, place / HEAD)
        (place / LABELS).write_text(json.dumps(list(labels)) + "\n", encoding="ascii")
