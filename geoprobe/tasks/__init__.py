"""Labelled text and the units in it."""

from __future__ import annotations

from geoprobe.tasks.corpora import CORPORA, Corpus, MissingCorpusError, data_folder
from geoprobe.tasks.leakage import SharedUnits, SharedUnitsWarning, shared_units
from geoprobe.tasks.named import TaskInfo, load_task, task_infos, task_names
from geoprobe.tasks.spec import TaskSpec, read_task
from geoprobe.tasks.splits import limit, subtask
from geoprobe.tasks.units import Join, Sentence, Split, Task, Unit

__all__ = [
    "CORPORA",
    "Corpus",
    "Join",
    "MissingCorpusError",
    "Sentence",
    "SharedUnits",
    "SharedUnitsWarning",
    "Split",
    "Task",
    "TaskInfo",
    "TaskSpec",
    "Unit",
    "data_folder",
    "limit",
    "load_task",
    "read_task",
    "shared_units",
    "subtask",
    "task_infos",
    "task_names",
]
