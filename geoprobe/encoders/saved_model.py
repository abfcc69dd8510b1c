"""A fine-tuned model and its head in a folder of safetensors, complete or absent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from geoprobe.encoders.head import LinearHead
from geoprobe.files.atomic import discard, new_folder, unfinished_of

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
    for unfinished in unfinished_of(folder):
        # Of a process that was killed: one at a time works in the folder of a run.
        discard(unfinished)
    with new_folder(folder) as place, _without_bars():
        model.save_pretrained(place)
        tokenizer.save_pretrained(place)
        weights = {name: value.detach().cpu() for name, value in head.named_parameters()}
        save_file(weights, place / HEAD)
        (place / LABELS).write_text(json.dumps(list(labels)) + "\n", encoding="ascii")


@contextmanager
def _without_bars() -> Iterator[None]:
    """Silence the progress bar that transformers shows for every file."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
