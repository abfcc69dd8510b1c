"""Sentences that are longer than a model's input, cut into windows that overlap."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from geoprobe.encoders.pieces import SentencePieces
from geoprobe.errors import InputError

IntArray = NDArray[np.int64]
Place = tuple[int, int, int]


def cut(
    coded: SentencePieces, places: list[list[Place]], max_pieces: int, model: str
) -> tuple[list[IntArray], list[list[Place]]]:
    """Cut a sentence into windows and find the best window for each word of its units.

    Parameters
    ----------
    coded : SentencePieces
        With more than ``max_pieces`` pieces.
    places : list of list of (window, first, last)
        The words of each unit in the sentence as a whole, whose window is 0.
    max_pieces : int
    model : str
        For messages.

    Returns
    -------
    windows : list of ndarray of int64
        Each with ``max_pieces`` pieces; all begin and end with the special pieces of the sentence.
    places : list of list of (window, first, last)

    Raises
    ------
    InputError
        If the model's input has no room for pieces of words, or no window holds a word whole.
    """
    begin, end = coded.body
    room = max_pieces - begin - (len(coded.ids) - end)
    if room < 1:
        raise InputError(
            f"{model} takes {max_pieces} pieces at most, which the special ones of the sentence "
            f"at {coded.sentence.source} fill by themselves."
        )
    begins = _begins(begin, end, room)
    windows = [
        np.concatenate([coded.ids[:begin], coded.ids[at : at + room], coded.ids[end:]])
        for at in begins
    ]
    moved = [[_moved(word, begins, room, coded, model) for _, *word in unit] for unit in places]
    return windows, moved


def _begins(begin: int, end: int, room: int) -> list[int]:
    """Return where the windows begin: evenly apart, at most half a window."""
    n_steps = math.ceil((end - begin - room) / max(1, room // 2))
    return [begin + (end - begin - room) * step // n_steps for step in range(n_steps + 1)]


def _moved(
    word: list[int], begins: list[int], room: int, coded: SentencePieces, model: str
) -> Place:
    """Return a word's place in the window where its shorter side is longest."""
    first, last = word
    begin, end = coded.body
    if last <= begin:
        return 0, first, last
    if first >= end:
        return 0, first - (end - begin) + room, last - (end - begin) + room

    def context(window: int) -> float:
        left = math.inf if begins[window] == begin else first - begins[window]
        right = math.inf if begins[window] + room == end else begins[window] + room - last
        return min(left, right)

    whole = [k for k, at in enumerate(begins) if at <= first and last <= at + room]
    if not whole:
        raise InputError(
            f"a word of the sentence at {coded.sentence.source} has {last - first} pieces; no "
            f"window of the {room} pieces of words that {model} takes at once holds it whole."
        )
    best = max(whole, key=context)
    return best, first - begins[best] + begin, last - begins[best] + begin
