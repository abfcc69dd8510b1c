"""Words of what does not hold: where it begins, and values in few characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import VerificationError

_LONGEST = 80


def first_true(wrong: NDArray[np.bool_]) -> int | None:
    """Return the first place where something is wrong; None where nothing is."""
    return int(np.argmax(wrong)) if wrong.any() else None


def short(value: object) -> str:
    """Return a value in at most some 80 characters."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def compare(compared: Sequence[tuple[str, Any, Any]], where: str) -> int:
    """Check what is stated of the data, (what, stated, given); return the number of comparisons."""
    for what, stated, given in compared:
        if stated != given:
            raise VerificationError(
                f"{where}: the {what} is {short(stated)}, but that of the data given is "
                f"{short(given)}."
            )
    return len(compared)
