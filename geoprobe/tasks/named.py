"""Tasks that have names: the five of the papers, and three on the built-in text."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from geoprobe.errors import FormatError, InputError
from geoprobe.suggestions import suggestion
from geoprobe.tasks.conllu import TreebankSentence, read_treebank
from geoprobe.tasks.corpora import PUD, STREUSLE, TREC, Corpus, MissingCorpusError, data_folder
from geoprobe.tasks.text_tables import read_trec
from geoprobe.tasks.treebank import TreebankUnits, gather
from geoprobe.tasks.units import Join, Split, Task

_PUD_SENTENCES = 1000
_PUD_TRAIN = 800
_SINGLE_PREPOSITION = {"smwe": "_", "ss": "p.*"}


@dataclass(frozen=True)
class _Recipe:
    """How a named task is made from its corpus; ``corpus`` is None for the built-in text."""

    about: str
    corpus: Corpus | None
    label: str = ""
    units: TreebankUnits = "words"
    join: Join = "single"
    only: Mapping[str, str] = field(default_factory=dict)


_RECIPES = {
    "pos": _Recipe("part of speech (UPOS) of each word", PUD, "upos"),
    "dep": _Recipe(
        "relation of each word to its head, head first; roots left out",
        PUD,
        "deprel",
        "pairs",
        "concat",
    ),
    "ps-role": _Recipe(
        "scene role of each single-word adposition or possessive",
        STREUSLE,
        "ss",
        only=_SINGLE_PREPOSITION,
    ),
    "ps-fxn": _Recipe(
        "function of each single-word adposition or possessive",
        STREUSLE,
        "ss2",
        only=_SINGLE_PREPOSITION,
    ),
    "trec-50": _Recipe("what a question asks for", TREC, units="sentence"),
    "builtin-pos": _Recipe("part of speech (UPOS) of each word", None, "upos"),
    "builtin-dep": _Recipe(
        "relation of each word to its head, head first; roots left out",
        None,
        "deprel",
        "pairs",
        "concat",
    ),
    "builtin-role": _Recipe("semantic role of each single-word preposition", None, "misc.Role"),
}


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """What is known of a named task without reading it.

    Attributes
    ----------
    name : str
    about : str
        What its labels say.
    units : {"words", "pairs", "sentence"}
    join : {"single", "concat", "difference"}
    corpus : str or None
        Name of its corpus for ``geoprobe data get``; None for text that comes with geoprobe.
    home, licence : str
    found : bool
        Whether the files are there.
    files : tuple of pathlib.Path
        The files, or where they would be.
    """

    name: str
    about: str
    units: str
    join: str
    corpus: str | None
    home: str
    licence: str
    found: bool
    files: tuple[Path, ...]


def task_names() -> list[str]:
    """Return the names that :func:`load_task` knows."""
    return list(_RECIPES)


def task_infos(data: str | os.PathLike[str] | None = None) -> list[TaskInfo]:
    """Return what is known of every named task; only looks whether the files are there.

    Parameters
    ----------
    data : path-like or None
        As for :func:`load_task`.
    """
    folder = data_folder() if data is None else Path(data)
    return [_info(name, recipe, folder) for name, recipe in _RECIPES.items()]


def load_task(name: str, *, data: str | os.PathLike[str] | None = None) -> Task:
    """Load a named task.

    Parameters
    ----------
    name : str
        One of :func:`task_names`.
    data : path-like or None
        The folder with the corpora, each in its own folder (``ud_english_pud``, ``streusle``,
        ``trec``) or unpacked as released; :func:`geoprobe.tasks.data_folder` by default.

    Returns
    -------
    Task
        ``pos`` and ``dep``: the first 800 sentences of UD English-PUD are train, the last 200
        test. ``ps-role`` and ``ps-fxn``: STREUSLE's own train and test; the expressions of a
        single token (SMWE is ``_``) whose scene role starts with ``p.``. ``trec-50``: the 5,500
        and the TREC 10 questions. The built-in text has its own two files. No warning is issued
        for units that the published splits share; :func:`geoprobe.tasks.shared_units` counts them.

    Raises
    ------
    InputError
        For an unknown name, naming the nearest known one.
    MissingCorpusError
        If a file is missing: which one, where it was looked for, and how to get it.
    FormatError
        If a file is not what its name says.

    References
    ----------
    Zhou and Srikumar, "A Closer Look at How Fine-tuning Changes BERT", ACL 2022, for the tasks
    and splits.
    """
    if name not in _RECIPES:
        raise InputError(f"there is no task {name!r}; {suggestion(name, _RECIPES)}.")
    recipe = _RECIPES[name]
    folder = data_folder() if data is None else Path(data)
    if recipe.corpus is PUD:
        train, test = _pud(recipe, PUD.find("whole", folder))
    elif recipe.corpus is None:
        with resources.as_file(resources.files("geoprobe.tasks")) as here:
            train, test = _two_files(recipe, lambda part: _builtin(here, part))
    else:
        corpus = recipe.corpus
        train, test = _two_files(recipe, lambda part: corpus.find(part, folder))
    return Task(name, train, test, recipe.join)


def _pud(recipe: _Recipe, path: Path) -> tuple[Split, Split]:
    sentences = list(read_treebank(path))
    if len(sentences) != _PUD_SENTENCES:
        raise FormatError(
            f"the file has {len(sentences)} sentences, but English-PUD has {_PUD_SENTENCES}.", path
        )
    return (
        _treebank(recipe, sentences[:_PUD_TRAIN], "train", path),
        _treebank(recipe, sentences[_PUD_TRAIN:], "test", path),
    )


def _two_files(recipe: _Recipe, find: Callable[[str], Path]) -> tuple[Split, Split]:
    paths = {part: find(part) for part in ("train", "test")}
    if recipe.corpus is TREC:
        train, test = (read_trec(path).split(part, path) for part, path in paths.items())
    else:
        train, test = (
            _treebank(recipe, list(read_treebank(path)), part, path) for part, path in paths.items()
        )
    return train, test


def _treebank(recipe: _Recipe, sentences: list[TreebankSentence], part: str, path: Path) -> Split:
    gathered = gather(
        sentences,
        label=recipe.label,
        units=recipe.units,
        join=recipe.join,
        only=recipe.only,
    )
    return gathered.split(part, path)


def _builtin(here: Path, part: str) -> Path:
    return here / "builtin" / f"{part}.conllu"


def _info(name: str, recipe: _Recipe, folder: Path) -> TaskInfo:
    corpus = recipe.corpus
    if corpus is None:
        with resources.as_file(resources.files("geoprobe.tasks")) as here:
            files = tuple(_builtin(here, part) for part in ("train", "test"))
        found = all(path.is_file() for path in files)
        home, licence = "comes with geoprobe", "Apache-2.0"
    else:
        files, found = _found(corpus, folder)
        home, licence = corpus.home, corpus.licence
    return TaskInfo(
        name,
        recipe.about,
        recipe.units,
        recipe.join,
        None if corpus is None else corpus.name,
        home,
        licence,
        found,
        files,
    )


def _found(corpus: Corpus, folder: Path) -> tuple[tuple[Path, ...], bool]:
    files, found = [], True
    for part in corpus.files:
        try:
            files.append(corpus.find(part, folder))
        except MissingCorpusError:
            files.append(corpus.places(part, folder)[0])
            found = False
    return tuple(files), found
