"""JSON files that appear whole or not at all, and say what they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from geoprobe.errors import FormatError
from geoprobe.files.atomic import write_file

SEAL = "sha256"
"""Key of the hash of all else in the file."""


def write_json(path: Path, content: Mapping[str, Any], *, indent: int | None = 1) -> None:
    """Write or replace a JSON file at one stroke, sealed with a hash; its folder is made.

    Parameters
    ----------
    path : Path
    content : mapping
    indent : int or None
        None writes one line, in a tenth of the time.

    Raises
    ------
    StoreError
        If the system refuses.
    """
    sealed = {**content, SEAL: seal(content)}
    text = json.dumps(sealed, indent=indent, allow_nan=False) + "\n"
    write_file(path, lambda unfinished: unfinished.write_text(text, encoding="ascii"))


def read_json(path: Path, expected: str, version: int, *, sealed: bool = True) -> dict[str, Any]:
    """Read a JSON object and check its seal, and the name and version of its format.

    Parameters
    ----------
    path : Path
    expected : str
        Name of the format.
    version : int
    sealed : bool, default=True
        Whether a file without a seal is refused, such as geoprobe 0.1 wrote.

    Raises
    ------
    FormatError
        If it is something else, was changed, or cannot be read.
    """
    content = load_object(path)
    check_format(content, expected, version, path)
    noted = content.pop(SEAL, None)
    if noted is None and sealed:
        raise FormatError(
            "the file has no seal: it was edited, or geoprobe 0.1 wrote it. Remove it, and "
            "whatever made it makes it again.",
            path,
        )
    if noted is not None and not fits(noted, content):
        raise FormatError(
            "the file was changed after it was written: its hash is another. Remove it, and "
            "whatever made it makes it again.",
            path,
        )
    return content


def check_format(content: Mapping[str, Any], expected: str, version: int, path: Path) -> None:
    """Refuse a JSON object of another format or version."""
    if content.get("format") != expected:
        came = content.get("format")
        raise FormatError(
            f'a JSON object with "format" {expected!r} is expected, not {came!r:.80}.', path
        )
    if content.get("format_version") != version:
        raise FormatError(
            f"this geoprobe reads version {version} of the format, not version "
            f"{content.get('format_version')!r}.",
            path,
        )


def load_object(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    FormatError
        If it is missing, cannot be read, or is something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FormatError("there is no such file.", path) from error
    except OSError as error:
        raise FormatError(f"the file cannot be read: {error.strerror}.", path) from error
    except (ValueError, RecursionError) as error:
        raise FormatError(f"this is no JSON in UTF-8, or it is damaged: {error}.", path) from error
    if not isinstance(content, dict):
        raise FormatError(
            f"a JSON object is expected, not a value of type {type(content).__name__}.", path
        )
    return content


def fits(noted: object, content: Mapping[str, Any]) -> bool:
    """Whether a seal is that of a mapping."""
    try:
        return noted == seal(content)
    except (ValueError, RecursionError):
        # Infinite numbers, or nested too deeply: nothing that was ever sealed.
        return False


def seal(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what JSON makes of a mapping, keys sorted."""
    plain = json.dumps(content, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(plain.encode("ascii")).hexdigest()
