"""Specifications of tasks: where the text is, what its units are, and how it is read."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from geoprobe.errors import InputError
from geoprobe.schema import Number, Record, Text, Whole, parse
from geoprobe.suggestions import suggestion
from geoprobe.tasks.conllu import read_treebank
from geoprobe.tasks.jsonl import read_pairs, read_texts, read_words
from geoprobe.tasks.split_builder import SplitBuilder
from geoprobe.tasks.subsets import random_split
from geoprobe.tasks.text_tables import read_texts_table, read_trec
from geoprobe.tasks.treebank import gather
from geoprobe.tasks.units import Join, Task, warn_of_shared_units

FORMATS = {
    ".conllu": "conllu",
    ".conllulex": "conllu",
    ".label": "trec",
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
}
"""Formats by the ending of a file's name."""

_UNITS = {
    "conllu": ("words", "pairs", "sentence"),
    "trec": ("sentence",),
    "csv": ("sentence",),
    "tsv": ("sentence",),
    "jsonl": ("sentence", "words", "pairs"),
}
_JOINS = {
    "words": ("single",),
    "sentence": ("single",),
    "pairs": ("concat", "difference", "single"),
}
# The options that have a meaning, besides those that every task has.
_OPTIONS = {
    ("conllu", "words"): ("label", "only", "leave_out", "group"),
    ("conllu", "pairs"): ("label", "only", "leave_out", "group"),
    ("conllu", "sentence"): ("label", "leave_out", "group"),
    ("trec", "sentence"): (),
    ("csv", "sentence"): ("text", "label", "leave_out", "group"),
    ("tsv", "sentence"): ("text", "label", "leave_out", "group"),
    ("jsonl", "sentence"): ("text", "label", "leave_out", "group"),
    ("jsonl", "words"): ("tokens", "label", "leave_out", "group"),
    ("jsonl", "pairs"): ("tokens", "words", "label", "leave_out", "group"),
}


class TaskSpec(Record):
    """Where the text of a task is and what its units are.

    Attributes
    ----------
    train : pathlib.Path
        The file with the train split, or with everything if ``test_fraction`` is given.
    test : pathlib.Path or None
        The file with the test split.
    test_fraction : float or None
        Instead of ``test``: the share of the units that a random split takes for the test.
    split_seed : int
        The seed of the random split.
    group : str or None
        What no random split tears apart: a column of csv and tsv, a key of jsonl, a comment of
        CoNLL-U such as ``"newdoc id"``. The sentence by default, equal sentences together.
    format : {"conllu", "trec", "csv", "tsv", "jsonl"} or None
        By the ending of the file's name if it is None. ``conllu`` is CoNLL-U-Lex too.
    units : {"words", "pairs", "sentence"} or None
        The first of these that the format has: words for conllu, else sentences.
    join : {"single", "concat", "difference"} or None
        ``"concat"`` for pairs and ``"single"`` for all else if it is None.
    label : str or None
        conllu: a column, ``feats.KEY`` or ``misc.KEY``; ``comment.KEY`` for sentences. csv, tsv
        and jsonl: a column or key; the key of the list for words. By default ``upos`` for words,
        ``deprel`` for pairs, ``label``, and ``labels`` for the words of jsonl.
    text, tokens, words : str or None
        csv, tsv, jsonl: the column or key of the text, the list of words, the positions of a pair.
        They are called as these arguments are by default.
    only : mapping of str to str
        conllu: patterns (``*``, ``?``) by column or key that a word has to match.
    leave_out : tuple of str
        Labels whose units are left out.
    """

    train: Path
    test: Path | None = None
    test_fraction: Annotated[Number, Field(gt=0, lt=1)] | None = None
    split_seed: Whole = 0
    group: Text | None = None
    format: Text | None = None
    units: Text | None = None
    join: Join | None = None
    label: Text | None = None
    text: Text | None = None
    tokens: Text | None = None
    words: Text | None = None
    only: dict[str, Text] = Field(default_factory=dict)
    leave_out: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _decide_all(self) -> TaskSpec:
        """Refuse what does not go together, and decide what was left open."""
        if (self.test is None) == (self.test_fraction is None):
            raise InputError(
                "a task takes either test, a file, or test_fraction, for a random split; "
                f"{'neither' if self.test is None else 'both'} came."
            )
        if self.test is not None:
            for name, given in (("group", self.group), ("split_seed", self.split_seed)):
                if given:
                    raise InputError(f"{name}={given!r} has no meaning without test_fraction.")
        self._decide("format", self._format(), tuple(_UNITS))
        assert self.format is not None
        self._decide("units", _UNITS[self.format][0], _UNITS[self.format])
        assert self.units is not None
        self._decide("join", "concat" if self.units == "pairs" else "single", _JOINS[self.units])
        self._check_options(self.format, self.units)
        return self

    @classmethod
    def from_table(
        cls, table: Mapping[str, Any], *, folder: str | os.PathLike[str] = "."
    ) -> TaskSpec:
        """Make a spec from a table such as a TOML file has.

        Parameters
        ----------
        table : mapping
            The attributes above, by name.
        folder : path-like
            Where files are that are not named from the root of the file system.

        Raises
        ------
        InputError
            For unknown keys, naming the nearest known one, and values of a wrong type.
        """
        values = dict(table)
        for key in ("train", "test"):
            if isinstance(values.get(key), (str, os.PathLike)):
                values[key] = Path(folder) / Path(values[key]).expanduser()
        return parse(cls, values)

    def _format(self) -> str:
        """Return the format that the endings of the files' names tell."""
        found = set()
        for path in (self.train, self.test):
            if path is not None and self.format is None:
                if path.suffix.lower() not in FORMATS:
                    raise InputError(
                        f"{path} ends in {path.suffix!r}, which tells no format; name one with "
                        f"format: {', '.join(_UNITS)}."
                    )
                found.add(FORMATS[path.suffix.lower()])
        if len(found) > 1:
            raise InputError(f"{self.train} and {self.test} are files of different formats.")
        return min(found, default="")

    def _decide(self, name: str, default: str, allowed: tuple[str, ...]) -> None:
        value = getattr(self, name)
        if value is None:
            object.__setattr__(self, name, default)
        elif value not in allowed:
            raise InputError(
                f"{name}={value!r} does not go with the rest; {suggestion(value, allowed)}."
            )

    def _check_options(self, form: str, units: str) -> None:
        allowed = _OPTIONS[form, units]
        for name in ("label", "text", "tokens", "words", "only", "leave_out", "group"):
            if getattr(self, name) and name not in allowed:
                raise InputError(
                    f"{name}={getattr(self, name)!r} has no meaning for units={units!r} of the "
                    f"format {form!r}."
                )
        if (form, units) == ("conllu", "sentence") and self.label is None:
            raise InputError(
                "sentences of a treebank have no label of their own; label='comment.KEY' takes "
                "that of the line '# KEY = ...' above each."
            )


_JSONL: dict[str, Callable[..., SplitBuilder]] = {
    "sentence": read_texts,
    "words": read_words,
    "pairs": read_pairs,
}


def read_task(spec: TaskSpec, name: str) -> Task:
    """Read a task from files.

    Parameters
    ----------
    spec : TaskSpec
    name : str
        What to call the task.

    Returns
    -------
    Task

    Raises
    ------
    FormatError
        Naming file and line of what cannot be read.
    InputError
        For labels that the format does not have, or a random split that cannot be made.

    Warns
    -----
    SharedUnitsWarning
        If test units also occur in train.
    """
    gathered = _gathered(spec.train, spec)
    train = gathered.split("train", spec.train)
    if spec.test is not None:
        test = _gathered(spec.test, spec).split("test", spec.test)
    else:
        assert spec.test_fraction is not None
        train, test = random_split(gathered, train, spec.test_fraction, spec.split_seed)
    assert spec.join is not None
    task = Task(name, train, test, spec.join)
    warn_of_shared_units(task)
    return task


def _gathered(path: Path, spec: TaskSpec) -> SplitBuilder:
    if spec.format == "trec":
        return read_trec(path)
    common: dict[str, Any] = {"group": spec.group, "leave_out": spec.leave_out}
    if spec.format == "conllu":
        label = spec.label or ("deprel" if spec.units == "pairs" else "upos")
        return gather(
            read_treebank(path),
            label=label,
            units=spec.units,  # type: ignore[arg-type]
            join=spec.join or "single",
            only=spec.only,
            **common,
        )
    named = {"text": spec.text, "tokens": spec.tokens, "words": spec.words}
    common |= {key: value for key, value in named.items() if value is not None}
    if spec.label is not None:
        common["labels" if spec.units == "words" else "label"] = spec.label
    if spec.format == "jsonl":
        return _JSONL[str(spec.units)](path, **common)
    return read_texts_table(path, tabs=spec.format == "tsv", **common)
