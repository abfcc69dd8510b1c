"""Words of what does not hold: where it begins, and values in few characters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LONGEST = 80


def first_true(wrong: NDArray[np.bool_]) -> int | None:
    """Return the first place where something is wrong; None where nothing is."""
    return int(np.argmax(wrong)) if wrong.any() else None


def short(value: object) -> str:
    """Return a value in at most some 80 characters."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
