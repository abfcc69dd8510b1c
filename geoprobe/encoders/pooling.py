"""From the hidden states of a batch to the vectors of its units."""

from __future__ import annotations

import torch  # noqa: TID253  (only what runs models imports this module)

from geoprobe.encoders.batches import Batch


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
