"""Public corpora, fetched from their homes.

A file counts only when it is whole and what it should be: its SHA-256 where one is known, or else
its own format and a least number of sentences. Known are those of UD English-PUD (release 2.18) and
of the TREC questions, as other public projects record them for the same addresses. None is on
record for the two splits of STREUSLE 4.7.1: there the hash found is noted and can be shown.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from geoprobe.errors import FormatError, GeoprobeError, InputError
from geoprobe.files.atomic import discard, new_name, remove_stale
from geoprobe.files.disk import hash_file, sync
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.suggestions import suggestion
from geoprobe.tasks.conllu import read_treebank
from geoprobe.tasks.corpora import data_folder
from geoprobe.tasks.text_tables import read_trec

RECORD = "fetched.json"
_CHUNK = 1 << 16
_TIMEOUT = 30.0


class FetchError(GeoprobeError):
    """A corpus that could not be fetched, or is not what it should be."""


@dataclass(frozen=True)
class FetchedFile:
    """What is known of a file that was fetched.

    Attributes
    ----------
    name : str
        In the corpus's folder.
    url : str
        Where it came from.
    sha256 : str
        As found.
    n_bytes : int
    n_sentences : int
    expected : bool
        Whether the hash is the one known beforehand; else only the content was checked.
    """

    name: str
    url: str
    sha256: str
    n_bytes: int
    n_sentences: int
    expected: bool


@dataclass(frozen=True)
class _Remote:
    """A file at its home; ``sha256`` is None where nobody has put it on record."""

    place: str
    at_least: int
    sha256: str | None = None

    @property
    def name(self) -> str:
        return self.place.rpartition("/")[2]


@dataclass(frozen=True)
class _Source:
    base_url: str
    files: tuple[_Remote, ...]
    count: Callable[[Path], int]


def _count_treebank(path: Path) -> int:
    return sum(1 for _ in read_treebank(path))


def _count_trec(path: Path) -> int:
    return len(read_trec(path).units)


_GITHUB = "https://raw.githubusercontent.com"
_SOURCES = {
    "ud_english_pud": _Source(
        f"{_GITHUB}/UniversalDependencies/UD_English-PUD/r2.18",
        (
            _Remote(
                "en_pud-ud-test.conllu",
                1000,
                "c80584f2bc2b31d5bada78a1136f9feec7ac49e5e18898db02dea434b5b8f0aa",
            ),
        ),
        _count_treebank,
    ),
    "streusle": _Source(
        f"{_GITHUB}/nert-nlp/streusle/v4.7.1",
        (
            _Remote("train/streusle.ud_train.conllulex", 2700),
            _Remote("test/streusle.ud_test.conllulex", 500),
        ),
        _count_treebank,
    ),
    "trec": _Source(
        "https://cogcomp.seas.upenn.edu/Data/QA/QC",
        (
            _Remote(
                "train_5500.label",
                5452,
                "9e4c8bdcaffb96ed61041bd64b564183d52793a8e91d84fc3a8646885f466ec3",
            ),
            _Remote(
                "TREC_10.label",
                500,
                "033f22c028c2bbba9ca682f68ffe204dc1aa6e1cf35dd6207f2d4ca67f0d0e8e",
            ),
        ),
        _count_trec,
    ),
}


def fetch_corpus(
    name: str,
    folder: str | os.PathLike[str] | None = None,
    *,
    base_url: str | None = None,
    progress: ProgressCallback | None = None,
) -> Path:
    """Download a corpus from its home, unless it is here already.

    Parameters
    ----------
    name : {"ud_english_pud", "streusle", "trec"}
    folder : path-like or None
        The folder with all corpora; :func:`geoprobe.tasks.data_folder` by default.
    base_url : str or None
        A mirror, with the same files at the same places below it.
    progress : callable or None
        Told of bytes, phase ``"download"``; a total of 0 means that the server does not say it.

    Returns
    -------
    pathlib.Path
        The corpus's own folder. :func:`fetched_files` tells what lies there.

    Raises
    ------
    InputError
        For an unknown corpus.
    FetchError
        If pooch is missing, the network or the server refuses, or a file is not what it should be:
        then it is removed, or never gets its name.

    Notes
    -----
    All files are fetched and checked before the first one gets its name. Files that are there and
    right are kept; one that is there and wrong is an error, because it may be somebody's own.
    """
    if name not in _SOURCES:
        raise InputError(f"there is no corpus {name!r}; {suggestion(name, _SOURCES)}.")
    source = _SOURCES[name]
    base = (source.base_url if base_url is None else base_url).rstrip("/")
    home = (data_folder() if folder is None else Path(folder).expanduser()) / name
    there = {file.name: file for file in fetched_files(home)}
    facts: list[FetchedFile] = []
    missing: list[_Remote] = []
    for remote in source.files:
        if (home / remote.name).is_file():
            url = there[remote.name].url if remote.name in there else ""
            facts.append(_checked(home / remote.name, remote, source, url, home))
        else:
            missing.append(remote)
    if missing:
        _fetch_all(missing, source, base, home, facts, progress)
    return home


def fetched_files(folder: str | os.PathLike[str]) -> list[FetchedFile]:
    """Return what was noted of the files in a corpus's folder; empty where nothing was fetched.

    Raises
    ------
    FormatError
        If the note is damaged.
    """
    path = Path(folder) / RECORD
    if not path.is_file():
        return []
    try:
        return [FetchedFile(**file) for file in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise FormatError(f"the note on fetched files is damaged: {error}.", path) from error


def _fetch_all(
    missing: list[_Remote],
    source: _Source,
    base: str,
    home: Path,
    facts: list[FetchedFile],
    progress: ProgressCallback | None,
) -> None:
    """Fetch files into a hidden folder, check them, and let all appear together."""
    hidden = new_name(home / RECORD)
    try:
        home.mkdir(parents=True, exist_ok=True)
        remove_stale(home / RECORD)
        hidden.mkdir()
        for remote in missing:
            url = f"{base}/{remote.place}"
            _download(url, hidden / remote.name, home / remote.name, progress)
            facts.append(_checked(hidden / remote.name, remote, source, url, home))
            sync(hidden / remote.name)
        noted = sorted(map(asdict, facts), key=lambda file: str(file["name"]))
        (hidden / RECORD).write_text(json.dumps(noted, indent=1) + "\n", encoding="utf-8")
        sync(hidden / RECORD)
        for name in (*(remote.name for remote in missing), RECORD):
            (hidden / name).replace(home / name)
        sync(home)
    except OSError as error:
        raise FetchError(f"{home} cannot be written: {error.strerror or error}.") from error
    finally:
        discard(hidden)


def _download(url: str, path: Path, target: Path, progress: ProgressCallback | None) -> None:
    try:
        import pooch
    except ImportError as error:
        raise FetchError(
            'downloading needs the package pooch: pip install "geoprobe[data]".'
        ) from error
    import requests

    meter = _Meter(target.name, progress)
    # Compressed on its way, a file could not be compared with the length that the server tells.
    plain = {"Accept-Encoding": "identity"}
    get = pooch.HTTPDownloader(
        progressbar=meter, chunk_size=_CHUNK, headers=plain, timeout=_TIMEOUT
    )
    by_hand = f"Or download it in another way, and put it at {target}."
    try:
        get(url, path, None)
    except requests.exceptions.HTTPError as error:
        raise FetchError(f"the server refuses: {error}. {by_hand}") from error
    except requests.exceptions.RequestException as error:
        raise FetchError(
            f"{url} cannot be fetched, the network or the server fails: {error}. {by_hand}"
        ) from error
    found = path.stat().st_size
    if meter.total and found != meter.total:
        raise FetchError(
            f"{url}: the download broke off, {found} bytes of {meter.total} came. {by_hand}"
        )


def _checked(path: Path, remote: _Remote, source: _Source, url: str, home: Path) -> FetchedFile:
    """Return what is to be noted of a file, if it is what it should be."""
    found = hash_file(path)
    what = url if path.parent != home else f"{path}, which is here already,"
    remedy = "It is not kept" if path.parent != home else "Move it away to fetch it again"
    if remote.sha256 not in (None, found):
        raise FetchError(
            f"{what} is not the file expected: its SHA-256 is {found}, but {remote.sha256} is "
            f"expected. {remedy}."
        )
    try:
        n_sentences = source.count(path)
    except FormatError as error:
        raise FetchError(f"{what} is not the corpus expected: {error} {remedy}.") from error
    if n_sentences < remote.at_least:
        raise FetchError(
            f"{what} has {n_sentences} sentences, but at least {remote.at_least} are expected. "
            f"{remedy}."
        )
    size = path.stat().st_size
    return FetchedFile(remote.name, url, found, size, n_sentences, remote.sha256 is not None)


class _Meter:
    """What pooch takes for a progress bar; it sets the total itself."""

    def __init__(self, name: str, progress: ProgressCallback | None) -> None:
        self.total = 0
        self._done = 0
        self._name = name
        self._progress = progress

    def update(self, n_bytes: int) -> None:
        # pooch counts the last chunk as a whole one.
        self._done = min(self._done + n_bytes, self.total or self._done + n_bytes)
        if self._progress is not None:
            self._progress(Progress("download", self._done, self.total, self._name))

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        pass
