"""Specification and result of a run of fine-tuning."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.encoders.options import Schedule, TuningOptions
from geoprobe.errors import FormatError, InputError
from geoprobe.files.json_files import read_json, write_json
from geoprobe.schema import Number, Positive, Record, Text, Whole, parse
from geoprobe.spaces.keys import SpaceKey
from geoprobe.tasks.units import Task

if TYPE_CHECKING:
    from geoprobe.encoders.alignment import Overlong
    from geoprobe.encoders.environment import Precision
    from geoprobe.encoders.load import Encoder

FORMAT = "geoprobe-tuning"
VERSION = 1
RESULT = "result.json"


@dataclass(frozen=True)
class TuningSpec:
    """Everything that the result of a run of fine-tuning depends on.

    Attributes
    ----------
    encoder : Encoder
    task : Task
    options : TuningOptions
        With their number of epochs.
    schedule : Schedule
    tasks : tuple of Task
        Whose units are extracted.
    layers : tuple of int
    dtype, precision, overlong : str
        As in :func:`geoprobe.encoders.extract_to_store`.
    save_models : bool

    Raises
    ------
    InputError
        If two tasks would be written to the same place.
    """

    encoder: Encoder
    task: Task
    options: TuningOptions
    schedule: Schedule
    tasks: tuple[Task, ...]
    layers: tuple[int, ...]
    dtype: str
    precision: Precision
    overlong: Overlong
    save_models: bool

    def __post_init__(self) -> None:
        """Refuse two tasks of one name, unless they are the same."""
        known: dict[str, str] = {self.task.name: self.task.fingerprint}
        for task in self.tasks:
            if known.setdefault(task.name, task.fingerprint) != task.fingerprint:
                raise InputError(f"two different tasks are named {task.name!r}.")
        if len({task.name for task in self.tasks}) < len(self.tasks):
            raise InputError("a task is named twice among those to extract.")

    def keys(self, steps: Sequence[int]) -> list[SpaceKey]:
        """Return the keys of everything that is extracted at these steps."""
        return [
            self.key(task, split, step)
            for step in steps
            for task in self.tasks
            for split in task.splits
        ]

    def key(self, task: Task, split: str, step: int) -> SpaceKey:
        """Return the key of a split's spaces; step 0 is the original."""
        if step == 0:
            return SpaceKey(task.name, self.encoder.name, split)
        seed = self.options.seed
        return SpaceKey(task.name, self.encoder.name, split, self.task.name, seed, step)

    def facts(self) -> dict[str, Any]:
        """Return names, fingerprints and options, of types that JSON knows."""
        return _as_json(
            {
                "task": {"name": self.task.name, "fingerprint": self.task.fingerprint},
                "model": {"name": self.encoder.name, **self.encoder.provenance},
                "options": dict(self.options),
                "checkpoints": self.schedule.text,
                "extract": {task.name: task.fingerprint for task in self.tasks},
                "layers": self.layers,
                "dtype": self.dtype,
                "precision": self.precision,
                "overlong": self.overlong,
                "save_models": self.save_models,
            }
        )

    def tuning_facts(self) -> dict[str, Any]:
        """Return what the weights after some updates depend on, beside the original ones."""
        return _as_json(
            {
                "tuned_on_fingerprint": self.task.fingerprint,
                "tuning": dict(self.options) | {"overlong": self.overlong},
            }
        )


class TunedCheckpoint(Record):
    """How good the head is after some updates.

    Attributes
    ----------
    step : int
        Updates done; 0 is the original encoder under a head that has learnt nothing.
    epoch : float
        The same in passes over the training split.
    train_accuracy, test_accuracy : float
        Share of the units whose label the head predicts; a label that training never saw counts
        as wrong.
    """

    step: Whole
    epoch: Number
    train_accuracy: Number
    test_accuracy: Number


class TuningResult(Record):
    """A finished run of fine-tuning.

    Attributes
    ----------
    task, model : str
        What was fine-tuned on, and the short name of the encoder.
    options : TuningOptions
        With the number of epochs that was chosen.
    labels : tuple of str
        Labels of the training split, sorted; the head has one output for each.
    unseen_labels : dict of str to int
        Labels of the test split that training never saw, and how many units have them.
    n_updates, updates_per_epoch : int
    losses : tuple of float
        Cross-entropy of each update, the mean over the units of its batch, in nats.
    checkpoints : tuple of TunedCheckpoint
        In the order of their steps; the first is step 0.
    keys : tuple of SpaceKey
        What was extracted, the originals included.
    plan : dict
        Fingerprints of everything that the result depends on.
    environment : tuple of dict
        Device, threads and versions of the libraries, of every process that took part.
    seconds : dict of str to float
        Time spent on training and on checkpoints (extraction and accuracy), over all processes.
    """

    task: Text
    model: Text
    options: TuningOptions
    labels: tuple[str, ...]
    unseen_labels: dict[str, Positive]
    n_updates: Whole
    updates_per_epoch: Whole
    losses: tuple[Number, ...]
    checkpoints: tuple[TunedCheckpoint, ...]
    keys: tuple[SpaceKey, ...]
    plan: dict[str, Any]
    environment: tuple[dict[str, Any], ...]
    seconds: dict[str, Number]

    @property
    def test_accuracy(self) -> float:
        """Accuracy of the head on the test split after the last update."""
        return self.checkpoints[-1].test_accuracy

    def write(self, folder: Path) -> None:
        """Write the result; a result on the disk is whole.

        Raises
        ------
        StoreError
            If the system refuses.
        """
        head = {"format": FORMAT, "format_version": VERSION}
        write_json(folder / RESULT, head | self.model_dump(mode="json"))

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> TuningResult:
        """Read the result of a finished run.

        Parameters
        ----------
        folder : path-like
            The run's folder.

        Raises
        ------
        FormatError
            If there is none or it is damaged.
        """
        path = Path(folder) / RESULT
        if not path.is_file():
            raise FormatError(f"no finished fine-tuning: the folder has no {RESULT}.", folder)
        content = read_json(path, FORMAT, VERSION, sealed=False)
        del content["format"], content["format_version"]
        return parse(cls, content, path)


def codes_of(task: Task) -> tuple[tuple[str, ...], dict[str, NDArray[np.int64]], dict[str, int]]:
    """Return the labels of the training split, sorted, and the code of every unit.

    Returns
    -------
    labels : tuple of str
    codes : dict of str to ndarray of int64, shapes (n_units,)
        Of both splits; -1 for a label that training never sees.
    unseen : dict of str to int
        Such labels, and how many units of the test split have them.

    Raises
    ------
    InputError
        If the training split has one label only.
    """
    labels = sorted(set(task.train.labels.tolist()))
    if len(labels) < 2:
        raise InputError(
            f"every unit of the training split of {task.name!r} has the label {labels[0]!r}; "
            f"fine-tuning takes two labels or more."
        )
    code_of = {label: code for code, label in enumerate(labels)}
    codes = {
        name: np.array([code_of.get(label, -1) for label in split.labels.tolist()], np.int64)
        for name, split in task.splits.items()
    }
    unseen = Counter(sorted(label for label in task.test.labels.tolist() if label not in code_of))
    return tuple(labels), codes, dict(unseen)


def check_same_run(before: Any, now: Mapping[str, Any], path: Path) -> None:
    """Refuse to go on with the work of a run of another specification.

    Parameters
    ----------
    before, now : mapping
        What :meth:`TuningSpec.facts` gave then, and gives.
    path : Path
        The file that ``before`` comes from.

    Raises
    ------
    FormatError
        Naming every entry that differs, and its two values.
    """
    old, new = _flat(before), _flat(now)
    differing = [
        f"{name} was {old.get(name, 'nothing')} and is now {new.get(name, 'nothing')}"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]
    if differing:
        raise FormatError(
            f"it belongs to another run: {'; '.join(differing)}. Name another folder, or remove "
            f"this one.",
            path,
        )


def _flat(value: Any, name: str = "") -> dict[str, str]:
    """Return the leaves of nested mappings by their dotted names, as text."""
    if not isinstance(value, Mapping):
        return {name: repr(value)}
    leaves: dict[str, str] = {}
    for key, inner in value.items():
        leaves |= _flat(inner, f"{name}.{key}" if name else str(key))
    return leaves


def _as_json(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content as it comes back from JSON."""
    back: dict[str, Any] = json.loads(json.dumps(content))
    return back
