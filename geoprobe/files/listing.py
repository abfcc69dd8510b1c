"""Listings of folders, which answer for many files at the price of one look at each folder."""

from __future__ import annotations

import os
from pathlib import Path


class Listing:
    """What was there when it was first asked for; a folder is read once, however many files it has.

    A folder in a folder that does not have it is not looked at.
    """

    def __init__(self) -> None:
        self._names: dict[str, frozenset[str]] = {}

    def has(self, path: Path) -> bool:
        """Whether a file or folder is there."""
        folder, name = os.path.split(path)
        return name in self._of(folder)

    def _of(self, folder: str) -> frozenset[str]:
        names = self._names.get(folder)
        if names is None:
            names = self._names[folder] = self._read(folder)
        return names

    def _read(self, folder: str) -> frozenset[str]:
        above, name = os.path.split(folder)
        if above in self._names and name and name not in self._names[above]:
            return frozenset()
        try:
            return frozenset(entry.name for entry in os.scandir(folder))
        except (FileNotFoundError, NotADirectoryError):
            # The nearest folder that is there answers for all that would lie below it.
            if name and above != folder:
                self._of(above)
            return frozenset()
