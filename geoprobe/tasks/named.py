"""Named tasks: the five of the papers, and three on the built-in text."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from geoprobe import plugins
from geoprobe.errors import FormatError, InputError
from geoprobe.suggestions import suggestion
from geoprobe.tasks.corpora import PUD, STREUSLE, TREC, Corpus, data_folder
from geoprobe.tasks.labelled_text import collect
from geoprobe.tasks.spec import TaskSpec, read_labelled_text, read_sentences
from geoprobe.tasks.units import Split, Task

_PUD_SENTENCES = 1000
_PUD_TRAIN = 800
_UPOS = "part of speech (UPOS) of each word"
_RELATION = "relation of each word to its head, head first; roots left out"
_SINGLE_PREPOSITION = {"smwe": "_", "ss": "p.*"}
_BUILTIN = tuple(
    Path(__file__).parent / "builtin" / name for name in ("train.conllu", "test.conllu")
)


@dataclass(frozen=True)
class _NamedTask:
    """What the labels of a task say, its corpus, and the options of its TaskSpec.

    The corpus is None for the built-in text.
    """

    about: str
    corpus: Corpus | None
    options: Mapping[str, Any] = field(default_factory=dict)

    def spec(self, files: tuple[Path, ...]) -> TaskSpec:
        """Return the description of the task; PUD's one file stands for both splits."""
        return TaskSpec(train=files[0], test=files[-1], **self.options)


_TASKS = {
    "pos": _NamedTask(_UPOS, PUD),
    "dep": _NamedTask(_RELATION, PUD, {"units": "pairs"}),
    "ps-role": _NamedTask(
        "scene role of each single-word adposition or possessive",
        STREUSLE,
        {"label": "ss", "only": _SINGLE_PREPOSITION},
    ),
    "ps-fxn": _NamedTask(
        "function of each single-word adposition or possessive",
        STREUSLE,
        {"label": "ss2", "only": _SINGLE_PREPOSITION},
    ),
    "trec-50": _NamedTask("what a question asks for", TREC),
    "builtin-pos": _NamedTask(_UPOS, None),
    "builtin-dep": _NamedTask(_RELATION, None, {"units": "pairs"}),
    "builtin-role": _NamedTask(
        "semantic role of each single-word preposition", None, {"label": "misc.Role"}
    ),
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
        Name of its corpus for ``geoprobe data get``; None for text that comes with geoprobe, or
        with another package, which then is the home, and says no more before it is asked.
    home, licence : str
    found : bool
        Whether the files are there.
    files : tuple of pathlib.Path
        The files, or where they would be.
    """

    name: str
    about: str = ""
    units: str = ""
    join: str = ""
    corpus: str | None = None
    home: str = ""
    licence: str = ""
    found: bool = True
    files: tuple[Path, ...] = ()


def task_names() -> list[str]:
    """Return the names that :func:`load_task` knows: its own, and those of other packages."""
    return [*_TASKS, *_of_others()]


def task_infos(data: str | os.PathLike[str] | None = None) -> list[TaskInfo]:
    """Return what is known of every named task; only looks whether the files are there.

    Parameters
    ----------
    data : path-like or None
        As for :func:`load_task`.
    """
    folder = data_folder() if data is None else Path(data)
    own = [_info(name, task, folder) for name, task in _TASKS.items()]
    others = _of_others().items()
    return own + [TaskInfo(name, home=plugins.origin(point)) for name, point in others]


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
    PluginError
        If the task is another package's, and that fails.
    MissingCorpusError
        If a file is missing: which one, where it was looked for, and how to get it.
    FormatError
        If a file is not what its name says.

    References
    ----------
    Zhou and Srikumar, "A Closer Look at How Fine-tuning Changes BERT", ACL 2022, for the tasks
    and splits.
    """
    folder = data_folder() if data is None else Path(data)
    if name not in _TASKS:
        if name not in _of_others():
            raise InputError(f"there is no task {name!r}; {suggestion(name, task_names())}.")
        return replace(plugins.ask(_of_others()[name], Task, folder), name=name)
    corpus = _TASKS[name].corpus
    files = _BUILTIN
    if corpus is not None:
        files = tuple(corpus.find(part, folder) for part in corpus.files)
    spec = _TASKS[name].spec(files)
    if corpus is PUD:
        train, test = _pud_splits(spec)
    else:
        train, test = (
            read_labelled_text(spec, path).as_split(part)
            for part, path in zip(("train", "test"), files, strict=True)
        )
    assert spec.join is not None
    return Task(name, train, test, spec.join)


def _pud_splits(spec: TaskSpec) -> tuple[Split, Split]:
    path = spec.train
    sentences = list(read_sentences(spec, path))
    if len(sentences) != _PUD_SENTENCES:
        raise FormatError(
            f"the file has {len(sentences)} sentences, but English-PUD has {_PUD_SENTENCES}.", path
        )
    return (
        collect(sentences[:_PUD_TRAIN], path).as_split("train"),
        collect(sentences[_PUD_TRAIN:], path).as_split("test"),
    )


def _info(name: str, task: _NamedTask, folder: Path) -> TaskInfo:
    corpus = task.corpus
    files = _BUILTIN
    if corpus is not None:
        files = tuple(corpus.place(part, folder) for part in corpus.files)
    spec = task.spec(files)
    assert spec.units is not None and spec.join is not None
    return TaskInfo(
        name=name,
        about=task.about,
        units=spec.units,
        join=spec.join,
        corpus=None if corpus is None else corpus.name,
        home="comes with geoprobe" if corpus is None else corpus.home,
        licence="Apache-2.0" if corpus is None else corpus.licence,
        found=all(path.is_file() for path in files),
        files=files,
    )


def _of_others() -> dict[str, EntryPoint]:
    return plugins.offered(plugins.TASKS, _TASKS)
