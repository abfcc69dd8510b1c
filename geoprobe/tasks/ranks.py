"""An order that looks random, depends on nothing but a seed, and never changes."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def rank(seed: int, *key: Any) -> bytes:
    """Return the place of a key in the order that belongs to a seed.

    Parameters
    ----------
    seed : int
    *key : str, int or tuple of these

    Returns
    -------
    bytes of length 32
        The SHA-256 of seed and key as a JSON array in ASCII. Generators of random numbers may
        give other numbers in later versions of their libraries; this may not.
    """
    return hashlib.sha256(json.dumps([seed, *key]).encode("ascii")).digest()
