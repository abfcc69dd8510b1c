"""Batches of sentences of similar length, and the units' vectors pooled from their pieces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch  # noqa: TID253  (only what runs models imports this module)

from geoprobe.encoders.alignment import Alignment
from geoprobe.encoders.word_pieces import IntArray
from geoprobe.tasks.units import Join


@dataclass(frozen=True, eq=False)
class Batch:
    """Some sentences, ready for a model, and the units in them.

    Attributes
    ----------
    ids : Tensor of int64, shape (n_windows, n_pieces)
    mask : Tensor of int64 of the same shape, or None
        1 where there is a piece; None where there is no padding.
    rows : ndarray of int64, shape (n_units,)
        Which units of the split these are; ascending.
    place : Tensor of int64, shape (n_units * n_words,)
        Position of the first piece of each word of each unit among all pieces of the batch.
    further, word : Tensor of int64, shape (n_further,)
        The positions of the other pieces, and the words they belong to: positions in ``place``.
    share : Tensor of float32, shape (n_units * n_words, 1)
        What each piece of a word counts: 1 through their number.
    join : {"single", "concat", "difference"}
    """

    ids: torch.Tensor
    mask: torch.Tensor | None
    rows: IntArray
    place: torch.Tensor
    further: torch.Tensor
    word: torch.Tensor
    share: torch.Tensor
    join: Join


def make_batches(lengths: IntArray, max_pieces: int, waste: int = 64) -> list[IntArray]:
    """Group inputs by length.

    Parameters
    ----------
    lengths : ndarray of int64, shape (n_inputs,)
    max_pieces : int
        Most pieces of a batch, with padding; a longer input is a batch by itself.
    waste : int
        Most padding of a batch, in pieces: what a further pass of the model costs.

    Returns
    -------
    list of ndarray of int64
        Positions in ``lengths``, the longest first; together all of them.
    """
    order = np.argsort(-lengths, kind="stable")
    batches: list[IntArray] = []
    begin = padding = 0
    for end, length in enumerate(lengths[order].tolist()):
        longest = int(lengths[order[begin]])
        lack = longest - length
        full = (end - begin + 1) * longest > max_pieces or padding + lack > waste
        if end > begin and full:
            batches.append(order[begin:end])
            begin, padding, lack = end, 0, 0
        padding += lack
    if len(order):
        batches.append(order[begin:])
    return batches


def make_batch(
    alignment: Alignment, sentences: IntArray, *, join: Join, device: torch.device
) -> Batch:
    """Prepare sentences, all their windows and all their units.

    Parameters
    ----------
    alignment : Alignment
    sentences : ndarray of int64, shape (n_sentences,)
        Each named once.
    join : {"single", "concat", "difference"}
    device : torch.device
    """
    windows = alignment.windows_of(sentences)
    lengths = alignment.lengths[windows]
    longest = int(lengths.max())
    inside = np.arange(longest) < lengths[:, None]
    ids = np.full(inside.shape, alignment.pad, np.int64)
    ids[inside] = np.concatenate([alignment.pieces[window] for window in windows.tolist()])
    rows = alignment.units_of(sentences)
    line = np.empty(len(alignment.pieces), np.int64)
    line[windows] = np.arange(len(windows))
    begin = (alignment.first[rows] + line[alignment.window[rows]] * longest).reshape(-1)
    sizes = (alignment.last[rows] - alignment.first[rows]).reshape(-1)
    word = np.repeat(np.arange(len(begin)), sizes - 1)
    nth = np.arange(len(word)) - np.repeat(np.cumsum(sizes - 1) - (sizes - 1), sizes - 1)
    return Batch(
        ids=_to_device(ids, device),
        mask=None if inside.all() else _to_device(inside.astype(np.int64), device),
        rows=rows,
        place=_to_device(begin, device),
        further=_to_device(begin[word] + 1 + nth, device),
        word=_to_device(word, device),
        share=_to_device((1.0 / sizes[:, None]).astype(np.float32), device),
        join=join,
    )


def pool(hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Average the pieces of every word and join the words of every unit.

    Parameters
    ----------
    hidden : Tensor, shape (n_windows, n_pieces, n_dims)
        Of any layer; gradients pass through.
    batch : Batch

    Returns
    -------
    Tensor of float32, shape (n_units, n_dims) or (n_units, 2 * n_dims)
        Twice the dimensions for ``join="concat"``; for ``"difference"`` the first word's vector
        minus the second's.
    """
    flat = hidden.reshape(-1, hidden.shape[-1])
    words = flat.index_select(0, batch.place).float()
    if len(batch.further):
        # Most words are a single piece: only what goes beyond is added.
        further = flat.index_select(0, batch.further).float()
        words = words.index_add(0, batch.word, further) * batch.share
    if batch.join == "single":
        return words
    pairs = words.reshape(len(batch.rows), 2, -1)
    if batch.join == "difference":
        return pairs[:, 0] - pairs[:, 1]
    return pairs.reshape(len(batch.rows), -1)


def _to_device(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """Return the numbers on a device; copying to a GPU goes on beside what runs there."""
    tensor = torch.from_numpy(array)
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
