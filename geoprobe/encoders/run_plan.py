"""What a run of fine-tuning is: everything that its result depends on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.encoders.options import TuningOptions
from geoprobe.encoders.schedule import Schedule
from geoprobe.errors import FormatError, InputError
from geoprobe.tasks.units import Task

if TYPE_CHECKING:
    from geoprobe.encoders.alignment import Overlong
    from geoprobe.encoders.devices import Precision
    from geoprobe.encoders.load import Encoder


@dataclass(frozen=True)
class Plan:
    """What is fine-tuned, how, and what is extracted at which checkpoints.

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

    def facts(self) -> dict[str, Any]:
        """Return names, fingerprints and options, of types that JSON knows."""
        return plain(
            {
                "task": {"name": self.task.name, "fingerprint": self.task.fingerprint},
                "model": {"name": self.encoder.name, **self.encoder.provenance},
                "options": asdict(self.options),
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
        return plain(
            {
                "tuned_on_fingerprint": self.task.fingerprint,
                "tuning": asdict(self.options) | {"overlong": self.overlong},
            }
        )


def plain(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content as it comes back from JSON."""
    back: dict[str, Any] = json.loads(json.dumps(content))
    return back


def settled(options: TuningOptions, model: str) -> TuningOptions:
    """Return the options with the number of epochs that they leave to the model."""
    return replace(options, epochs=options.epochs_for(model))


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
    place = {label: code for code, label in enumerate(labels)}
    codes = {
        name: np.array([place.get(label, -1) for label in split.labels.tolist()], np.int64)
        for name, split in task.splits.items()
    }
    unseen: dict[str, int] = {}
    for label in sorted(label for label in task.test.labels.tolist() if label not in place):
        unseen[label] = unseen.get(label, 0) + 1
    return tuple(labels), codes, unseen


def check_plan(noted: Any, plan: Mapping[str, Any], path: Path) -> None:
    """Refuse to go on with the work of a run that was to do something else.

    Raises
    ------
    FormatError
        Naming every entry that differs, and its two values.
    """
    was, now = _flat(noted), _flat(plan)
    differing = [
        f"{name} was {was.get(name, 'nothing')} and is now {now.get(name, 'nothing')}"
        for name in sorted({*was, *now})
        if was.get(name) != now.get(name)
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
