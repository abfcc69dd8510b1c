"""Public corpora that named tasks read, and where they lie on this computer."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from geoprobe.errors import InputError


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


class MissingCorpusError(InputError):
    """A corpus that is not on this computer; the message says where it was looked for."""


@dataclass(frozen=True)
class Corpus:
    """A corpus as its authors release it.

    Attributes
    ----------
    name : str
        Its folder in the data folder, and its name for ``geoprobe data get``.
    title : str
    home : str
        Where it is described and can be had.
    licence : str
    files : mapping of str to tuple of str
        For each part the places, within its own folder, where its file may be.
    """

    name: str
    title: str
    home: str
    licence: str
    files: Mapping[str, tuple[str, ...]]

    def places(self, part: str, data: Path) -> list[Path]:
        """Return where the file of a part is looked for, in this order.

        The data folder may also be the corpus's own folder.
        """
        return [base / place for base in (data / self.name, data) for place in self.files[part]]

    def find(self, part: str, data: Path) -> Path:
        """Return the file of a part.

        Raises
        ------
        MissingCorpusError
            Saying where the file was looked for and how to get it.
        """
        places = self.places(part, data)
        for place in places:
            if place.is_file():
                return place
        raise MissingCorpusError(
            f"the {part} file of {self.title} is missing; it was looked for as "
            f"{', '.join(map(str, places))}. Get it with: geoprobe data get {self.name} (its home "
            f"is {self.home}), or name the folder that holds it."
        )


def _streusle_file(part: str) -> tuple[str, ...]:
    name = f"streusle.ud_{part}.conllulex"
    return (name, f"{part}/{name}")


PUD = Corpus(
    "ud_english_pud",
    "UD English-PUD",
    "https://github.com/UniversalDependencies/UD_English-PUD",
    "CC BY-SA 3.0",
    {"whole": ("en_pud-ud-test.conllu", "UD_English-PUD/en_pud-ud-test.conllu")},
)
STREUSLE = Corpus(
    "streusle",
    "STREUSLE",
    "https://github.com/nert-nlp/streusle",
    "CC BY-SA 4.0",
    {"train": _streusle_file("train"), "test": _streusle_file("test")},
)
TREC = Corpus(
    "trec",
    "TREC question classification",
    "https://cogcomp.seas.upenn.edu/Data/QA/QC/",
    "free for research",
    {"train": ("train_5500.label",), "test": ("TREC_10.label",)},
)
CORPORA = {corpus.name: corpus for corpus in (PUD, STREUSLE, TREC)}
"""The corpora by name."""
