"""JSON files that appear whole or not at all, and say what they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from geoprobe.errors import FormatError
from geoprobe.files.atomic import write_file


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write or replace a JSON file at one stroke; its folder is made.

    Raises
    ------
    StoreError
        If the system refuses.
    """
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    write_file(path, lambda unfinished: unfinished.write_text(text, encoding="ascii"))


def read_json(path: Path, expected: str, version: int) -> dict[str, Any]:
    """Read a JSON object and check the name and version of its format.

    Raises
    ------
    FormatError
        If it is something else or cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="ascii"))
    except (OSError, ValueError, RecursionError) as error:
        raise FormatError(f"the file cannot be read: {error}.", path) from error
    if not isinstance(content, dict) or content.get("format") != expected:
        raise FormatError(f'a JSON object with "format" {expected!r} is expected.', path)
    if content.get("format_version") != version:
        raise FormatError(
            f"this geoprobe reads version {version} of the format, not version "
            f"{content.get('format_version')!r}.",
            path,
        )
    return content
