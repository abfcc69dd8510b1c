"""Plans of studies: one readable file that says what to do, and nothing of how it went."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    field_validator,
    model_validator,
)

from geoprobe import plugins
from geoprobe.encoders.options import Schedule, TuningOptions
from geoprobe.errors import FormatError, GeoprobeError, InputError
from geoprobe.files.toml_files import read_toml
from geoprobe.schema import Flag, Number, Positive, Record, Text, Whole, named_path, parse
from geoprobe.studies.controls_plan import ControlsPlan
from geoprobe.studies.spaces_plan import SpacesPlan
from geoprobe.suggestions import suggestion
from geoprobe.tasks import TaskSpec, task_names
from geoprobe.tolerances import TAU, checked_tau

ABOUT_TEXT = (
    *("seeds", "checkpoints", "cross", "finetune", "limit", "task", "data", "overlong"),
    *("revision", "threads"),
)
"""Keys of a plan that mean nothing without tasks."""

ANALYSES = (
    "performance",
    "memorisation",
    "linearity",
    "min-distances",
    "centroid-paths",
    "cross-task",
    "movement",
    "similarity",
    "differences",
)
"""The nine analyses of Zhou & Srikumar (2022), in the order of the report."""

Value = TypeVar("Value")


def _listed(value: Any) -> Any:
    """Let a single text stand for a list of one."""
    return (value,) if isinstance(value, str) else value


def _some(values: tuple[Value, ...]) -> tuple[Value, ...]:
    """Refuse an empty list."""
    if not values:
        raise ValueError("the list is empty")
    return values


def _different(values: tuple[Value, ...]) -> tuple[Value, ...]:
    """Refuse values that occur twice."""
    if len(set(values)) < len(values):
        raise ValueError("it names something twice")
    return values


MaybeNames = Annotated[tuple[Text, ...], BeforeValidator(_listed), AfterValidator(_different)]
Names = Annotated[MaybeNames, AfterValidator(_some)]
Numbers = Annotated[tuple[Whole, ...], AfterValidator(_some), AfterValidator(_different)]


class ClassifierPlan(Record):
    """Which part of the grid of classifiers a study searches.

    Attributes
    ----------
    hidden_sizes : tuple of int
        Units of either hidden layer; every pair of them is tried.
    weight_decays : tuple of float
    folds, initialisations, max_epochs : int
    search : {"full", "quick"}
        ``"quick"`` is an approximation; see :class:`geoprobe.probes.classifier.ClassifierProbe`.
    early_stopping : bool
        False trains every network on all points for ``max_epochs``.
    """

    hidden_sizes: Annotated[
        tuple[Positive, ...], AfterValidator(_some), AfterValidator(_different)
    ] = (32, 64, 128, 256)
    weight_decays: Annotated[
        tuple[Annotated[Number, Field(ge=0)], ...],
        AfterValidator(_some),
        AfterValidator(_different),
    ] = tuple(10.0**k for k in range(-7, 1))
    folds: Annotated[Whole, Field(ge=2)] = 5
    initialisations: Positive = 5
    max_epochs: Positive = 1000
    search: Literal["full", "quick"] = "full"
    early_stopping: Flag = True


class LimitPlan(Record):
    """How many units of each split a study keeps, and which; None keeps all."""

    train: Positive | None = None
    test: Positive | None = None
    seed: Whole = 0


class Plan(Record):
    """A study: every task with every model and seed, or spaces that are there, or both.

    Attributes
    ----------
    name : str
    tasks : tuple of str
        Tasks to fine-tune on and to look at: named ones, or tables ``[task.NAME]`` of the file.
        Empty in a study of given spaces alone, as ``models`` is.
    models : tuple of str
        Encoders, as :func:`geoprobe.encoders.load_encoder` takes them.
    revision : mapping of str to str
        For a model on the hub, its branch, tag, commit or ``"refs/pr/<number>"``.
    spaces : SpacesPlan or None
        Spaces that somebody already has.
    seeds : tuple of int
        Of fine-tuning.
    layers : tuple of int or None
        None is all.
    checkpoints : Schedule
    cross : mapping of str to tuple of str
        For a task to fine-tune on, the further tasks whose units are extracted as well. A plan may
        say ``"all"`` instead: every task of it, for each.
    analyses : tuple of str
        Some of :data:`ANALYSES`, and of the findings of other packages.
    classifier : ClassifierPlan or None
        None leaves the classifier probe out.
    controls : ControlsPlan or None
        What stands beside the findings; None says nothing of chance.
    finetune : TuningOptions
        Without a seed of its own.
    limit : LimitPlan
    task : dict of str to TaskSpec
        The user's own tasks, tables ``[task.NAME]`` of the file.
    data : pathlib.Path or None
        Where the corpora of the named tasks are.
    device : str
    threads : int or None
        Of each extraction and fine-tuning, for ``device="cpu"``. With None they come one at a time
        and take all processors. With a number they run beside each other, as many as there is room
        for, and their outcome does not depend on the number of processors.
    overlong : {"error", "split"}
        What becomes of sentences that are too long for a model, as in
        :func:`geoprobe.encoders.align`.
    tau : float
    min_cluster_size : int
        Clusters of fewer points are left out of the distances of labels; 1 keeps all.
    reduce : {"mean", "minimum"}
        What becomes of the distances of a label in several clusters.
    resamples : int
        Bootstrap resamples of the units for the intervals of distances and similarities; each of
        them measures all distances again. 0 leaves these intervals out.
    fixed_partition : bool
        Whether the clusters of each original space are also measured in the spaces tuned from it,
        for the similarity of a partition that is kept while the space moves.
    parquet : bool
        Whether the tables are written as parquet beside csv.
    """

    name: Text = "study"
    tasks: MaybeNames = ()
    models: MaybeNames = ()
    revision: dict[str, Text] = Field(default_factory=dict)
    spaces: SpacesPlan | None = None
    seeds: Numbers = (0,)
    layers: Numbers | None = None
    checkpoints: Schedule = Schedule()
    cross: dict[str, Names] = Field(default_factory=dict)
    analyses: Names = ANALYSES
    classifier: ClassifierPlan | None = ClassifierPlan()
    controls: ControlsPlan | None = None
    finetune: TuningOptions = TuningOptions()
    limit: LimitPlan = LimitPlan()
    task: dict[str, TaskSpec] = Field(default_factory=dict)
    data: Path | None = None
    device: Text = "auto"
    threads: Positive | None = None
    overlong: Literal["error", "split"] = "error"
    tau: float = TAU
    min_cluster_size: Positive = 1
    reduce: Literal["mean", "minimum"] = "mean"
    resamples: Whole = 0
    fixed_partition: Flag = False
    parquet: Flag = False

    @field_validator("layers", mode="before")
    @classmethod
    def _all_layers(cls, value: Any) -> Any:
        return None if value == "all" else value

    @field_validator("checkpoints", mode="before")
    @classmethod
    def _schedule(cls, value: Any) -> Any:
        return value if isinstance(value, Schedule) else Schedule(value)

    @field_validator("classifier", "controls", mode="before")
    @classmethod
    def _whether(cls, value: Any) -> Any:
        # An empty table takes all defaults.
        return ({} if value else None) if isinstance(value, bool) else value

    @model_validator(mode="before")
    @classmethod
    def _all_tasks(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or values.get("cross") != "all":
            return values
        tasks = values.get("tasks")
        if not isinstance(tasks, list | tuple) or not all(isinstance(task, str) for task in tasks):
            return {**values, "cross": {}}
        others = {task: tuple(each for each in tasks if each != task) for task in tasks}
        return {**values, "cross": {task: rest for task, rest in others.items() if rest}}

    @field_validator("finetune", mode="before")
    @classmethod
    def _no_seed(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and "seed" in value:
            raise InputError("finetune has no seed of its own; a plan has a list of seeds.")
        return value

    @field_validator("tau", mode="before")
    @classmethod
    def _tolerance(cls, value: Any) -> float:
        return checked_tau(value)

    @field_validator("analyses")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value == ("all",):
            return ANALYSES
        known = (*ANALYSES, *plugins.offered(plugins.FINDINGS, ANALYSES))
        for analysis in value:
            if analysis not in known:
                raise InputError(
                    f"there is no analysis {analysis!r}; {suggestion(analysis, known)}."
                )
        return value

    @model_validator(mode="after")
    def _check_tasks(self) -> Plan:
        """Refuse tasks that nobody knows, before anything is done."""
        for key, other in (("tasks", "models"), ("models", "tasks")):
            if not getattr(self, key) and (getattr(self, other) or self.spaces is None):
                if key in self.model_fields_set:
                    raise InputError(f"{key} is []: the list is empty.")
                raise InputError(
                    f"the key {key!r} is missing: a plan names tasks and models, or in [spaces] "
                    f"the spaces that there are."
                )
        if not self.tasks:
            self._refuse_text()
        known = [*self.task, *task_names()]
        for task in (*self.tasks, *self.cross, *(t for ts in self.cross.values() for t in ts)):
            if task not in known:
                raise InputError(f"there is no task {task!r}; {suggestion(task, known)}.")
        for task in self.cross:
            if task not in self.tasks:
                raise InputError(
                    f"cross names {task!r}, but fine-tuning is done on {', '.join(self.tasks)}."
                )
        for model in self.revision:
            if model not in self.models:
                raise InputError(
                    f"revision names {model!r}, but the models are {', '.join(self.models)}."
                )
        if self.threads is not None and self.device != "cpu":
            raise InputError(f'threads are of the device "cpu", but the device is {self.device!r}.')
        if self.resamples == 1:
            raise InputError("resamples is 1, but intervals need two at least, or 0 for none.")
        return self

    def _refuse_text(self) -> None:
        """Refuse what is said of text where there is none."""
        for key in ABOUT_TEXT:
            if getattr(self, key) != type(self).model_fields[key].get_default(
                call_default_factory=True
            ):
                raise InputError(
                    f"{key} is about text, but this plan has no tasks: its spaces are given."
                )

    def extracted(self, tuned_on: str) -> tuple[str, ...]:
        """Return the tasks whose units are extracted when fine-tuning on one."""
        return tuple(dict.fromkeys((tuned_on, *self.cross.get(tuned_on, ()))))

    def revised(self, model: str) -> str:
        """Return a model with the revision that the plan names, for people to read."""
        return f"{model} ({self.revision[model]})" if model in self.revision else model

    @property
    def all_tasks(self) -> tuple[str, ...]:
        """Every task whose units are looked at."""
        return tuple(dict.fromkeys(t for task in self.tasks for t in self.extracted(task)))

    def as_table(self) -> dict[str, Any]:
        """Return the plan as JSON or TOML hold it; :func:`plan_from_table` reads it again."""
        table = self.model_dump(mode="json", exclude={"task", "data", "layers", "checkpoints"})
        del table["finetune"]["seed"]
        own = {name: spec.model_dump(mode="json") for name, spec in self.task.items()}
        table |= {
            "layers": "all" if self.layers is None else list(self.layers),
            "checkpoints": self.checkpoints.text,
            "classifier": table["classifier"] or False,
            "controls": table["controls"] or False,
            "task": own,
            "data": None if self.data is None else str(self.data.resolve()),
            "spaces": None if self.spaces is None else self.spaces.as_table(),
        }
        plain: dict[str, Any] = json.loads(json.dumps(table, default=str))
        return plain


def read_plan(path: str | os.PathLike[str]) -> Plan:
    """Read a plan from a TOML file; paths in it start from its folder.

    Raises
    ------
    FormatError
        Naming the file, and the key with the nearest known one where a key is not known.
    """
    path = Path(path)
    return plan_from_table(read_toml(path), folder=path.parent, name=path.stem, path=path)


def demo_plan() -> Plan:
    """Return the plan of ``geoprobe demo``."""
    with resources.as_file(resources.files("geoprobe.studies") / "plans" / "demo.toml") as path:
        return read_plan(path)


def plan_from_table(
    table: Mapping[str, Any],
    *,
    folder: str | os.PathLike[str] = ".",
    name: str = "study",
    path: Path | None = None,
) -> Plan:
    """Make a plan from a table as a TOML file gives it.

    Parameters
    ----------
    table : mapping
    folder : path
        Where files are that are not named from the root of the file system.
    name : str
        Of the plan, if the table has none.
    path : Path, optional
        The file, for messages.

    Raises
    ------
    InputError
        For unknown keys, naming the nearest known one, and values of a wrong type; a FormatError
        that names the file if there is one.
    """
    values: dict[str, Any] = {"name": name, **table}
    if isinstance(values.get("data"), str):
        values["data"] = named_path(values["data"], folder, path)
    if isinstance(spaces := values.get("spaces"), Mapping):
        values["spaces"] = {**spaces, "folder": named_path(spaces.get("folder", "."), folder, path)}
    try:
        tasks = values.get("task", {})
        if isinstance(tasks, Mapping):
            values["task"] = {key: _own_task(str(key), spec, folder) for key, spec in tasks.items()}
    except GeoprobeError as error:
        raise error if path is None else FormatError(str(error), path) from error
    return parse(Plan, values, path)


def _own_task(key: str, spec: Any, folder: str | os.PathLike[str]) -> TaskSpec:
    if not isinstance(spec, Mapping):
        raise InputError(f"task.{key} should be a table, but it is {spec!r:.200}.")
    try:
        return TaskSpec.from_table(spec, folder=folder)
    except InputError as error:
        raise InputError(f"task.{key}: {error}") from error
