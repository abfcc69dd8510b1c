"""What one update of fine-tuning is made of; a pure function of the seed and its number."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]

_HEAD, _DROPOUT, _ORDER = 1, 2, 3


def head_seed(seed: int) -> int:
    """Return the seed of the head's first weights."""
    return _derived(seed, _HEAD)


def dropout_seed(seed: int, update: int) -> int:
    """Return the seed of the dropout in an update, counted from 0.

    Seeding every update anew makes the state of the generators no part of the state of training,
    so whatever draws random numbers between two updates changes nothing.
    """
    return _derived(seed, _DROPOUT, update)


def sentence_order(n_sentences: int, seed: int, epoch: int) -> IntArray:
    """Return the order, shape (n_sentences,), in which an epoch goes through the sentences."""
    return np.random.default_rng([seed, _ORDER, epoch]).permutation(n_sentences)


def updates_per_epoch(n_sentences: int, batch_size: int) -> int:
    """Return how many updates an epoch takes; its last may be of fewer sentences."""
    return math.ceil(n_sentences / batch_size)


def parts(lengths: Sequence[int] | IntArray, max_pieces: int, pass_cost: int) -> list[IntArray]:
    """Cut a batch into parts of sentences of similar length.

    Of all ways to cut the sentences, sorted by length, the one with the fewest pieces to compute
    is chosen: those of every part padded to its longest sentence, and ``pass_cost`` for the part
    itself.

    Parameters
    ----------
    lengths : sequence of int
        Word pieces of each sentence, special ones included.
    max_pieces : int
        Largest padded size of a part; a longer sentence is a part by itself.
    pass_cost : int
        What one more forward and backward pass costs, in pieces.

    Returns
    -------
    list of ndarray of int64
        Positions in ``lengths``; the parts with the longest sentences come first.
    """
    order = np.argsort(-np.asarray(lengths), kind="stable")
    longest = np.asarray(lengths)[order].tolist()
    best = [0.0] + [math.inf] * len(longest)
    begin = [0] * (len(longest) + 1)
    for end in range(1, len(longest) + 1):
        for start in range(end - 1, -1, -1):
            size = (end - start) * longest[start]
            if size > max_pieces and end - start > 1:
                break
            if best[start] + size + pass_cost < best[end]:
                best[end], begin[end] = best[start] + size + pass_cost, start
    cut: list[IntArray] = []
    end = len(longest)
    while end:
        cut.append(order[begin[end] : end])
        end = begin[end]
    return cut[::-1]


def _derived(*entropy: int) -> int:
    """Return 63 well-mixed bits."""
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> 1)
