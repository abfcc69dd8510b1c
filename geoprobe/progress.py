"""Reports of progress from long work to whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One report from a piece of long work.

    Attributes
    ----------
    phase : str
        What is being done, for a person: ``"merging"``, ``"distances"``.
    done, total : int
        Units of work finished and expected; ``done == total`` ends the phase.
    detail : str
        A few words on the state, such as ``"5184 merges, 211 bans"``; may be empty.
    left : float or None
        Seconds that not only this phase but all of the work will still take, where whoever does
        it can say so.
    """

    phase: str
    done: int
    total: int
    detail: str = ""
    left: float | None = None


ProgressCallback = Callable[[Progress], None]
