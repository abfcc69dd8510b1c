"""Heads of members of a zip file, the same on every machine and at any time."""

from __future__ import annotations

import zipfile

# The earliest time that a zip file can say: when a file was written is no part of a result.
_TIME = (1980, 1, 1, 0, 0, 0)


def member(name: str, *, stored: bool = False) -> zipfile.ZipInfo:
    """Return the head of a member; ``stored`` for what does not pack any further."""
    head = zipfile.ZipInfo(name, _TIME)
    head.create_system = 3
    head.external_attr = 0o100644 << 16
    head.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    return head
