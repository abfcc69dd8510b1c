"""Suggestions for names that were mistyped."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like ``name``, or None where none is near."""
    folded = {each.casefold(): each for each in reversed(list(known))}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    return folded[near[0]] if near else None


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the nearest known one, and all of them.

    Examples
    --------
    >>> suggestion("labl", ["label", "train"])
    "the nearest known one is 'label'; there are: label, train"
    """
    known = list(known)
    near = nearest(name, known)
    first = f"the nearest known one is {near!r}; " if near else ""
    return f"{first}there are: {', '.join(known) or 'none'}"
