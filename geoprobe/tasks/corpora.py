"""Public corpora that named tasks read, and where their files are."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from geoprobe.errors import InputError
from geoprobe.schema import named_path
from geoprobe.tasks.conllu import TreebankSentence, read_treebank
from geoprobe.tasks.labelled_text import LabelledSentence
from geoprobe.tasks.readers import read_trec


class MissingCorpusError(InputError):
    """A corpus that is not on this computer; the message says where it was looked for."""


@dataclass(frozen=True)
class CorpusFile:
    """A file of a corpus, here and at its home.

    Attributes
    ----------
    places : tuple of str
        Where it may be within the corpus's own folder; it is fetched to the first of them.
    remote : str
        Where it is below the address of the corpus.
    n_sentences : int
        It has at least so many.
    sha256 : str or None
        None where nobody has put it on record.
    """

    places: tuple[str, ...]
    remote: str
    n_sentences: int
    sha256: str | None = None

    @property
    def name(self) -> str:
        """The name under which it is fetched."""
        return self.places[0]


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
    files : mapping of str to CorpusFile
        By the part of the corpus that they hold.
    base_url : str
        The address below which its files are.
    read : function
        From the path of a file to its sentences.
    """

    name: str
    title: str
    home: str
    licence: str
    files: Mapping[str, CorpusFile]
    base_url: str
    read: Callable[[Path], Iterator[TreebankSentence | LabelledSentence]] = read_treebank

    def places(self, part: str, data: Path) -> list[Path]:
        """Return where the file of a part is looked for, in this order.

        The data folder may also be the corpus's own folder.
        """
        return [
            base / place for base in (data / self.name, data) for place in self.files[part].places
        ]

    def place(self, part: str, data: Path) -> Path:
        """Return the file of a part, or where it would be if there were one."""
        places = self.places(part, data)
        return next((place for place in places if place.is_file()), places[0])

    def find(self, part: str, data: Path) -> Path:
        """Return the file of a part.

        Raises
        ------
        MissingCorpusError
            Saying where the file was looked for and how to get it.
        """
        place = self.place(part, data)
        if place.is_file():
            return place
        places = ", ".join(map(str, self.places(part, data)))
        raise MissingCorpusError(
            f"the {part} file of {self.title} is missing; it was looked for as {places}. Get it "
            f"with: geoprobe data get {self.name} (its home is {self.home}), or name the folder "
            f"that holds it."
        )


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
        return named_path(named)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "geoprobe" / "data"


def _streusle_file(part: str, n_sentences: int) -> CorpusFile:
    name = f"streusle.ud_{part}.conllulex"
    return CorpusFile((name, f"{part}/{name}"), f"{part}/{name}", n_sentences)


_GITHUB = "https://raw.githubusercontent.com"

PUD = Corpus(
    "ud_english_pud",
    "UD English-PUD",
    "https://github.com/UniversalDependencies/UD_English-PUD",
    "CC BY-SA 3.0",
    {
        "whole": CorpusFile(
            ("en_pud-ud-test.conllu", "UD_English-PUD/en_pud-ud-test.conllu"),
            "en_pud-ud-test.conllu",
            1000,
            "c80584f2bc2b31d5bada78a1136f9feec7ac49e5e18898db02dea434b5b8f0aa",
        )
    },
    f"{_GITHUB}/UniversalDependencies/UD_English-PUD/r2.18",
)
STREUSLE = Corpus(
    "streusle",
    "STREUSLE",
    "https://github.com/nert-nlp/streusle",
    "CC BY-SA 4.0",
    {"train": _streusle_file("train", 2700), "test": _streusle_file("test", 500)},
    f"{_GITHUB}/nert-nlp/streusle/v4.7.1",
)
TREC = Corpus(
    "trec",
    "TREC question classification",
    "https://cogcomp.seas.upenn.edu/Data/QA/QC/",
    "free for research",
    {
        "train": CorpusFile(
            ("train_5500.label",),
            "train_5500.label",
            5452,
            "9e4c8bdcaffb96ed61041bd64b564183d52793a8e91d84fc3a8646885f466ec3",
        ),
        "test": CorpusFile(
            ("TREC_10.label",),
            "TREC_10.label",
            500,
            "033f22c028c2bbba9ca682f68ffe204dc1aa6e1cf35dd6207f2d4ca67f0d0e8e",
        ),
    },
    "https://cogcomp.seas.upenn.edu/Data/QA/QC",
    read_trec,
)
CORPORA = {corpus.name: corpus for corpus in (PUD, STREUSLE, TREC)}
"""The corpora by name."""
