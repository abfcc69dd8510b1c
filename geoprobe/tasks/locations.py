"""Where corpora lie on this computer."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def data_folder() -> Path:
    """Return the folder in which geoprobe keeps and looks for corpora; it may not exist yet.

    Returns
    -------
    pathlib.Path
        What the environment variable ``GEOPROBE_DATA`` names, when it is set and not empty. Else
        ``geoprobe/data`` in the user's own data folder: ``%LOCALAPPDATA%`` on Windows,
        ``~/Library/Application Support`` on macOS, and ``$XDG_DATA_HOME`` or ``~/.local/share``
        anywhere else.
    """
    named = os.environ.get("GEOPROBE_DATA")
    if named:
        return Path(named).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "geoprobe" / "data"
