"""Names of files: safe on every system, and the same for the same content."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping

_LONGEST = 80


def file_name(analysis: str, choices: Mapping[str, str]) -> str:
    """Return a name, without suffix, for one view of an analysis.

    Parameters
    ----------
    analysis : str
    choices : mapping of str to str
        What tells the view from its siblings.

    Returns
    -------
    str
        Lower-case letters, digits, dots, hyphens and underscores only. Wherever that loses
        something, eight hexadecimal digits of a hash keep different choices apart.
    """
    parts = [analysis, *(_part(name, value) for name, value in choices.items())]
    exact = "_".join(parts)
    safe = "_".join(_safe(part) for part in parts)
    if safe == exact and len(safe) <= _LONGEST and "_" not in "".join(parts):
        return safe
    told = json.dumps([analysis, list(choices.items())]).encode("ascii")
    return f"{safe[:_LONGEST].rstrip('-._')}_{hashlib.sha256(told).hexdigest()[:8]}"


def _part(name: str, value: str) -> str:
    """Name a value where it does not speak for itself."""
    return f"{name}-{value}".replace(" ", "-") if value.isdecimal() or name == "tuned on" else value


def _safe(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.") or "x"
