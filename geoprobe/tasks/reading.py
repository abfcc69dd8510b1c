"""One function that reads a task from a user's own files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from geoprobe.tasks.conllu import read_treebank
from geoprobe.tasks.jsonl import read_pairs, read_texts, read_words
from geoprobe.tasks.making import Gathered
from geoprobe.tasks.overlap import warn_of_shared_units
from geoprobe.tasks.spec import TaskSpec
from geoprobe.tasks.splitting import random_split
from geoprobe.tasks.tables import read_texts_table
from geoprobe.tasks.trec import read_trec
from geoprobe.tasks.treebank import gather
from geoprobe.tasks.units import Task

_JSONL: dict[str, Callable[..., Gathered]] = {
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


def _gathered(path: Path, spec: TaskSpec) -> Gathered:
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
