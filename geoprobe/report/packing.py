"""Parts of the page that are looked at one at a time, compressed until they are asked for."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence


def pack(parts: Sequence[str]) -> str:
    """Compress pieces of HTML for a browser to unpack.

    Parameters
    ----------
    parts : sequence of str

    Returns
    -------
    str
        A JSON list of them, compressed with gzip, in Base64. The same for the same pieces.
    """
    data = json.dumps(list(parts), ensure_ascii=False).encode("utf8")
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode("ascii")


def unpack(text: str) -> list[str]:
    """Undo :func:`pack`."""
    parts: list[str] = json.loads(gzip.decompress(base64.b64decode(text)))
    return parts
