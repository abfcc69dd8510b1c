"""Kinds of pieces: what a person reads while one runs, and how long the demo's take."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """One kind of piece."""

    phase: str
    """What is going on while it runs."""
    seconds: float
    """Of a piece of the demo, or of one like it, on an idle core; the first loads its libraries."""


KINDS = {
    "extract": Kind("extracting", 8.0),
    "fine-tune": Kind("fine-tuning", 25.0),
    "measure": Kind("measuring", 0.3),
    "hold": Kind("measuring kept clusters", 0.3),
    "move": Kind("intervals of movement", 0.3),
    "resample": Kind("resampling", 3.0),
    "classify": Kind("classifying", 1.5),
    "memorise": Kind("learning curves", 2.0),
    "leave-out": Kind("leaving units out", 1.0),
    "shuffle": Kind("shuffling labels", 3.0),
    "shuffle-move": Kind("shuffling movements", 1.0),
    "shuffle-predict": Kind("shuffling predictions", 0.3),
    "sample": Kind("sampling", 3.0),
    "select": Kind("control tasks", 3.0),
}
"""In the order in which pieces are begun, if they are ready at the same time."""
