"""Tasks in a user's own files: their description, and how they are read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, Strict, model_validator

from geoprobe.errors import InputError
from geoprobe.schema import Number, Record, Text, named_path, parse
from geoprobe.tasks.conllu import read_treebank
from geoprobe.tasks.labelled_text import LabelledSentence, LabelledText, collect
from geoprobe.tasks.leakage import warn_of_shared_units
from geoprobe.tasks.readers import read_pairs, read_table, read_texts, read_trec, read_words
from geoprobe.tasks.splits import random_split
from geoprobe.tasks.treebank import label_sentences
from geoprobe.tasks.units import Join, Task, UnitKind

Format = Literal["conllu", "trec", "csv", "tsv", "jsonl"]

FORMATS: dict[str, Format] = {
    ".conllu": "conllu",
    ".conllulex": "conllu",
    ".label": "trec",
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
}
"""Formats by the ending of a file's name."""

# The kinds of units that each format has, the default first, and the options that have a meaning
# for them besides those that every task has.
_OPTIONS: dict[Format, dict[UnitKind, tuple[str, ...]]] = {
    "conllu": {
        "words": ("label", "only", "leave_out", "group"),
        "pairs": ("label", "only", "leave_out", "group"),
        "sentence": ("label", "leave_out", "group"),
    },
    "trec": {"sentence": ()},
    "csv": {"sentence": ("text", "label", "leave_out", "group")},
    "tsv": {"sentence": ("text", "label", "leave_out", "group")},
    "jsonl": {
        "sentence": ("text", "label", "leave_out", "group"),
        "words": ("tokens", "label", "leave_out", "group"),
        "pairs": ("tokens", "words", "label", "leave_out", "group"),
    },
}
# The default first.
_JOINS: dict[UnitKind, tuple[Join, ...]] = {
    "words": ("single",),
    "sentence": ("single",),
    "pairs": ("concat", "difference", "single"),
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
    only : dict of str to str
        conllu: patterns (``*``, ``?``) by column or key that a word has to match.
    leave_out : tuple of str
        Labels whose units are left out.

    Raises
    ------
    InputError
        For a value of a wrong type, and for options that do not go together.
    """

    train: Path
    test: Path | None = None
    test_fraction: Annotated[Number, Field(gt=0, lt=1)] | None = None
    split_seed: Annotated[int, Strict(), Field(ge=-(2**63), lt=2**63)] = 0
    group: Text | None = None
    format: Format | None = None
    units: UnitKind | None = None
    join: Join | None = None
    label: Text | None = None
    text: Text | None = None
    tokens: Text | None = None
    words: Text | None = None
    only: dict[Text, Text] = Field(default_factory=dict)
    leave_out: tuple[Text, ...] = ()

    @classmethod
    def from_table(
        cls,
        table: Mapping[str, Any],
        *,
        folder: str | os.PathLike[str] = ".",
        path: Path | None = None,
    ) -> TaskSpec:
        """Make a spec from a table such as a TOML file has.

        Parameters
        ----------
        table : mapping
            The attributes above, by name.
        folder : path-like
            Where files are that are not named from the root of the file system.
        path : Path, optional
            The file that the table was read from, for the message.

        Raises
        ------
        InputError
            For unknown keys, naming the nearest known one, and values of a wrong type; a
            FormatError that names the file if there is one.
        """
        values = dict(table)
        for key in ("train", "test"):
            if isinstance(values.get(key), (str, os.PathLike)):
                values[key] = named_path(values[key], folder, path)
        return parse(cls, values, path)

    @model_validator(mode="after")
    def _complete(self) -> TaskSpec:
        """Refuse what does not go together, and decide what was left open."""
        self._check_test()
        form = self.format or self._format_by_name()
        kinds = _OPTIONS[form]
        units = self.units or next(iter(kinds))
        if units not in kinds:
            raise InputError(
                f"units is {units!r}, but the format {form!r} has {' or '.join(map(repr, kinds))}."
            )
        join = self.join or _JOINS[units][0]
        if join not in _JOINS[units]:
            raise InputError(
                f"join is {join!r}, but units={units!r} take "
                f"{' or '.join(map(repr, _JOINS[units]))}."
            )
        for name in ("label", "text", "tokens", "words", "only", "leave_out", "group"):
            if getattr(self, name) and name not in kinds[units]:
                raise InputError(
                    f"{name}={getattr(self, name)!r} has no meaning for units={units!r} of the "
                    f"format {form!r}."
                )
        if (form, units) == ("conllu", "sentence") and self.label is None:
            raise InputError(
                "sentences of a treebank have no label of their own; label='comment.KEY' takes "
                "that of the line '# KEY = ...' above each."
            )
        # A record is frozen only for those who use it.
        vars(self).update(format=form, units=units, join=join)
        return self

    def _check_test(self) -> None:
        """Make sure that there is one way to the test split, and no option of the other way."""
        if (self.test is None) == (self.test_fraction is None):
            raise InputError(
                "a task takes either test, a file, or test_fraction, for a random split; "
                f"{'neither' if self.test is None else 'both'} came."
            )
        if self.test is not None:
            for name in ("group", "split_seed"):
                if getattr(self, name):
                    raise InputError(
                        f"{name}={getattr(self, name)!r} has no meaning without test_fraction."
                    )

    def _format_by_name(self) -> Format:
        """Return the format that the endings of the files' names tell."""
        formats = set()
        for path in (self.train, self.test):
            if path is not None:
                if path.suffix.lower() not in FORMATS:
                    raise InputError(
                        f"{path} ends in {path.suffix!r}, which tells no format; name one with "
                        f"format: {', '.join(_OPTIONS)}."
                    )
                formats.add(FORMATS[path.suffix.lower()])
        if len(formats) > 1:
            raise InputError(f"{self.train} and {self.test} are files of different formats.")
        return formats.pop()


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
    text = read_labelled_text(spec, spec.train)
    if spec.test is not None:
        train = text.as_split("train")
        test = read_labelled_text(spec, spec.test).as_split("test")
    else:
        assert spec.test_fraction is not None
        train, test = random_split(text, spec.test_fraction, spec.split_seed)
    assert spec.join is not None
    task = Task(name, train, test, spec.join)
    warn_of_shared_units(task)
    return task


def read_labelled_text(spec: TaskSpec, path: Path) -> LabelledText:
    """Read one of the files of a task; errors are those of :func:`read_task`."""
    # The pairs of a sentence lie on several lines, each of which repeats it.
    share = (spec.format, spec.units) == ("jsonl", "pairs")
    return collect(read_sentences(spec, path), path, leave_out=spec.leave_out, share=share)


def read_sentences(spec: TaskSpec, path: Path) -> Iterator[LabelledSentence]:
    """Read the sentences of a file one by one, also those without a unit."""
    if spec.format == "trec":
        return read_trec(path)
    if spec.format == "conllu":
        assert spec.units is not None and spec.join is not None
        return label_sentences(
            read_treebank(path),
            label=spec.label or ("deprel" if spec.units == "pairs" else "upos"),
            units=spec.units,
            join=spec.join,
            only=spec.only,
            group=spec.group,
        )
    names = ("text", "tokens", "words", "label", "group")
    given = {name: value for name in names if (value := getattr(spec, name)) is not None}
    if spec.format != "jsonl":
        return read_table(path, tabs=spec.format == "tsv", **given)
    if spec.units == "words":
        return read_words(path, **given)
    return read_pairs(path, **given) if spec.units == "pairs" else read_texts(path, **given)
