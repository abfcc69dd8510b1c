"""Public corpora, fetched from their homes.

A file counts only when it is whole and what it should be: its SHA-256 where one is known, or else
its own format and a least number of sentences. Known are those of UD English-PUD (release 2.18) and
of the TREC questions, as other public projects record them for the same addresses. None is on
record for the two splits of STREUSLE 4.7.1: there the hash found is noted and can be shown.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from geoprobe.errors import FormatError, GeoprobeError, InputError
from geoprobe.extras import installing
from geoprobe.files.atomic import discard, new_name, remove_stale
from geoprobe.files.disk import hash_file, sync
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.schema import Flag, Record, Text, Whole, named_path, parse
from geoprobe.suggestions import suggestion
from geoprobe.tasks.corpora import CORPORA, Corpus, CorpusFile, data_folder

NOTE = "fetched.json"
"""The file, beside those that were fetched, that says where they came from."""

_CHUNK = 1 << 16
_TIMEOUT = 30.0


class FetchError(GeoprobeError):
    """A corpus that could not be fetched, or is not what it should be."""


class FetchedFile(Record):
    """What is known of a file that was fetched.

    Attributes
    ----------
    name : str
        In the corpus's folder.
    url : str
        Where it came from; empty for one that was there already.
    sha256 : str
        As found.
    n_bytes : int
    n_sentences : int
    expected : bool
        Whether the hash is the one known beforehand; else only the content was checked.
    """

    name: Text
    url: str
    sha256: Text
    n_bytes: Whole
    n_sentences: Whole
    expected: Flag


class _Note(Record):
    files: tuple[FetchedFile, ...]


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
        If requests is missing, the network or the server refuses, or a file is not what it should
        be: then it is removed, or never gets its name.

    Notes
    -----
    All files are fetched and checked before the first one gets its name. Files that are there and
    right are kept; one that is there and wrong is an error, because it may be somebody's own.
    """
    if name not in CORPORA:
        raise InputError(f"there is no corpus {name!r}; {suggestion(name, CORPORA)}.")
    corpus = CORPORA[name]
    base = (corpus.base_url if base_url is None else base_url).rstrip("/")
    home = (data_folder() if folder is None else named_path(folder)) / name
    noted = {file.name: file.url for file in fetched_files(home)}
    there: list[FetchedFile] = []
    missing: list[CorpusFile] = []
    for file in corpus.files.values():
        path = home / file.name
        if path.is_file():
            there.append(_checked(path, file, corpus, noted.get(file.name, ""), home))
        else:
            missing.append(file)
    if missing:
        _fetch_all(missing, there, corpus, base, home, progress)
    return home


def fetched_files(folder: str | os.PathLike[str]) -> list[FetchedFile]:
    """Return what was noted of the files in a corpus's folder; empty where nothing was fetched.

    Raises
    ------
    FormatError
        If the note is damaged.
    """
    path = Path(folder) / NOTE
    if not path.is_file():
        return []
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return list(parse(_Note, {"files": content}).files)
    except (OSError, ValueError, RecursionError) as error:
        raise FormatError(f"the note on fetched files is damaged: {error}.", path) from error


def _fetch_all(
    missing: list[CorpusFile],
    there: list[FetchedFile],
    corpus: Corpus,
    base: str,
    home: Path,
    progress: ProgressCallback | None,
) -> None:
    """Fetch files into a hidden folder, check them, and let all appear together."""
    hidden = new_name(home / NOTE)
    try:
        home.mkdir(parents=True, exist_ok=True)
        remove_stale(home / NOTE)
        hidden.mkdir()
        fetched = []
        for file in missing:
            url, path = f"{base}/{file.remote}", hidden / file.name
            _download(url, path, home / file.name, progress)
            fetched.append(_checked(path, file, corpus, url, home))
            sync(path)
        note = [file.model_dump() for file in sorted(there + fetched, key=lambda file: file.name)]
        (hidden / NOTE).write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
        sync(hidden / NOTE)
        for name in (*(file.name for file in missing), NOTE):
            (hidden / name).replace(home / name)
        sync(home)
    except OSError as error:
        raise FetchError(f"{home} cannot be written: {error.strerror or error}.") from error
    finally:
        discard(hidden)


def _download(url: str, path: Path, target: Path, progress: ProgressCallback | None) -> None:
    try:
        import requests
    except ImportError as error:
        raise FetchError(
            f"downloading needs the package requests: {installing('data')}."
        ) from error
    # Compressed on its way, a file could not be compared with the length that the server tells.
    plain = {"Accept-Encoding": "identity"}
    by_hand = f"Or download it in another way, and put it at {target}."
    done = 0
    try:
        with (
            requests.get(url, headers=plain, timeout=_TIMEOUT, stream=True) as answer,
            path.open("wb") as file,
        ):
            answer.raise_for_status()
            total = int(answer.headers.get("Content-Length", 0))
            for chunk in answer.iter_content(_CHUNK):
                done += file.write(chunk)
                if progress is not None:
                    progress(Progress("download", done, total, target.name))
    except requests.exceptions.HTTPError as error:
        raise FetchError(f"the server refuses: {error}. {by_hand}") from error
    except requests.exceptions.RequestException as error:
        raise FetchError(
            f"{url} cannot be fetched, the network or the server fails: {error}. {by_hand}"
        ) from error
    if total and done != total:
        raise FetchError(f"{url}: the download broke off, {done} bytes of {total} came. {by_hand}")


def _checked(path: Path, file: CorpusFile, corpus: Corpus, url: str, home: Path) -> FetchedFile:
    """Return what is to be noted of a file, if it is what it should be."""
    sha256 = hash_file(path)
    what = url if path.parent != home else f"{path}, which is here already,"
    remedy = "It is not kept" if path.parent != home else "Move it away to fetch it again"
    if file.sha256 not in (None, sha256):
        raise FetchError(
            f"{what} is not the file expected: its SHA-256 is {sha256}, but {file.sha256} is "
            f"expected. {remedy}."
        )
    try:
        n_sentences = sum(1 for _ in corpus.read(path))
    except FormatError as error:
        raise FetchError(f"{what} is not the corpus expected: {error} {remedy}.") from error
    if n_sentences < file.n_sentences:
        raise FetchError(
            f"{what} has {n_sentences} sentences, but at least {file.n_sentences} are expected. "
            f"{remedy}."
        )
    return FetchedFile(
        name=file.name,
        url=url,
        sha256=sha256,
        n_bytes=path.stat().st_size,
        n_sentences=n_sentences,
        expected=file.sha256 is not None,
    )
