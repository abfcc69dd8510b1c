"""TOML files, whose errors become ours."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from geoprobe.errors import FormatError
from geoprobe.files.text_files import open_text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    FormatError
        If there is none, or it is not TOML, with the place.
    """
    with open_text(path) as file:
        text = file.read()
    try:
        table: dict[str, Any] = tomllib.loads(text)
    # Besides its own error, Python's limits: tables in tables, or an integer of 4,300 digits.
    except (ValueError, RecursionError) as error:
        raise FormatError(f"this is no TOML: {error}.", Path(path)) from error
    return table
