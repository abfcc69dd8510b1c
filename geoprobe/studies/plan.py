"""The plan of a study: one readable file that says what to do, and nothing of how it went."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from geoprobe.encoders.options import Schedule, TuningOptions
from geoprobe.errors import FormatError, GeoprobeError, InputError
from geoprobe.files.toml_files import read_toml
from geoprobe.probes.classifier.checks import checked_grid
from geoprobe.probes.classifier.recipe import whole
from geoprobe.schema import parse
from geoprobe.suggestions import suggestion
from geoprobe.tasks import TaskSpec, task_names
from geoprobe.tolerances import TAU, checked_tau

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


@dataclass(frozen=True, kw_only=True)
class ClassifierPlan:
    """Which part of the grid of classifiers a study searches.

    Attributes
    ----------
    hidden_sizes : tuple of int
        Units of either hidden layer; every pair of them is tried.
    weight_decays : tuple of float
    folds, initialisations, max_epochs : int
    search : {"full", "quick"}
        ``"quick"`` is an approximation; see :class:`geoprobe.probes.classifier.ClassifierProbe`.
    """

    hidden_sizes: tuple[int, ...] = (32, 64, 128, 256)
    weight_decays: tuple[float, ...] = tuple(10.0**k for k in range(-7, 1))
    folds: int = 5
    initialisations: int = 5
    max_epochs: int = 1000
    search: str = "full"

    def __post_init__(self) -> None:
        """Refuse here what would otherwise be refused after hours of fine-tuning."""
        checked_grid(self.hidden_sizes, self.weight_decays, self.folds)
        whole(self.initialisations, "classifier.initialisations", 1)
        whole(self.max_epochs, "classifier.max_epochs", 1)
        if self.search not in ("full", "quick"):
            raise InputError(f"classifier.search is 'full' or 'quick', not {self.search!r}.")


@dataclass(frozen=True, kw_only=True)
class LimitPlan:
    """How many units of each split a study keeps, and which; None keeps all."""

    train: int | None = None
    test: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what is no number of units."""
        for name in ("train", "test"):
            if getattr(self, name) is not None:
                whole(getattr(self, name), f"limit.{name}", 1)
        whole(self.seed, "limit.seed", 0)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A study: every task with every model and seed, before, during and after fine-tuning.

    Attributes
    ----------
    name : str
    tasks : tuple of str
        Tasks to fine-tune on and to look at: named ones, or tables ``[task.NAME]`` of the file.
    models : tuple of str
        Encoders, as :func:`geoprobe.encoders.load_encoder` takes them.
    seeds : tuple of int
        Of fine-tuning.
    layers : tuple of int or None
        None is all.
    checkpoints : Schedule
    cross : mapping of str to tuple of str
        For a task to fine-tune on, the further tasks whose units are extracted as well.
    analyses : tuple of str
        Some of :data:`ANALYSES`.
    classifier : ClassifierPlan or None
        None leaves the classifier probe out.
    finetune : TuningOptions
        Without a seed of its own.
    limit : LimitPlan
    own : mapping of str to TaskSpec
        The user's own tasks.
    data : pathlib.Path or None
        Where the corpora of the named tasks are.
    device : str
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
    """

    name: str
    tasks: tuple[str, ...]
    models: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    layers: tuple[int, ...] | None = None
    checkpoints: Schedule = field(default_factory=Schedule)
    cross: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    analyses: tuple[str, ...] = ANALYSES
    classifier: ClassifierPlan | None = field(default_factory=ClassifierPlan)
    finetune: TuningOptions = field(default_factory=TuningOptions)
    limit: LimitPlan = field(default_factory=LimitPlan)
    own: Mapping[str, TaskSpec] = field(default_factory=dict)
    data: Path | None = None
    device: str = "auto"
    overlong: Literal["error", "split"] = "error"
    tau: float = TAU
    min_cluster_size: int = 1
    reduce: str = "mean"
    resamples: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be done, before anything is."""
        _check_list("tasks", self.tasks)
        _check_list("models", self.models)
        _check_list("seeds", self.seeds, of=int)
        if self.layers is not None:
            _check_list("layers", self.layers, of=int)
        known = [*self.own, *task_names()]
        for task in (*self.tasks, *self.cross, *(t for ts in self.cross.values() for t in ts)):
            if task not in known:
                raise InputError(f"there is no task {task!r}; {suggestion(task, known)}.")
        for task in self.cross:
            if task not in self.tasks:
                raise InputError(
                    f"cross names {task!r}, but fine-tuning is done on {', '.join(self.tasks)}."
                )
        for analysis in self.analyses:
            if analysis not in ANALYSES:
                raise InputError(
                    f"there is no analysis {analysis!r}; {suggestion(analysis, ANALYSES)}."
                )
        if self.reduce not in ("mean", "minimum"):
            raise InputError(f"reduce is 'mean' or 'minimum', not {self.reduce!r}.")
        if self.overlong not in ("error", "split"):
            raise InputError(f"overlong is 'error' or 'split', not {self.overlong!r}.")
        whole(self.min_cluster_size, "min_cluster_size", 1)
        if self.resamples != 0:
            whole(self.resamples, "resamples", 2)
        checked_tau(self.tau)

    def extracted(self, tuned_on: str) -> tuple[str, ...]:
        """Return the tasks whose units are extracted when fine-tuning on one."""
        return tuple(dict.fromkeys((tuned_on, *self.cross.get(tuned_on, ()))))

    @property
    def all_tasks(self) -> tuple[str, ...]:
        """Every task whose units are looked at."""
        return tuple(dict.fromkeys(t for task in self.tasks for t in self.extracted(task)))

    def as_table(self) -> dict[str, Any]:
        """Return the plan as JSON or TOML hold it; :func:`plan_from_table` reads it again."""
        table = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        finetune = dict(self.finetune)
        del finetune["seed"]
        own = {name: dataclasses.asdict(spec) for name, spec in table.pop("own").items()}
        classifier = self.classifier
        table |= {
            "layers": "all" if self.layers is None else self.layers,
            "checkpoints": self.checkpoints.text,
            "finetune": finetune,
            "limit": dataclasses.asdict(self.limit),
            "classifier": False if classifier is None else dataclasses.asdict(classifier),
            "task": own,
            "data": None if self.data is None else str(self.data.resolve()),
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
    table = read_toml(path)
    try:
        return plan_from_table(table, folder=path.parent, name=path.stem)
    except FormatError:
        raise
    except GeoprobeError as error:
        raise FormatError(str(error), path) from error


def plan_from_table(
    table: Mapping[str, Any], *, folder: str | os.PathLike[str] = ".", name: str = "study"
) -> Plan:
    """Make a plan from a table as a TOML file gives it.

    Raises
    ------
    InputError
        For unknown keys, naming the nearest known one, and values of a wrong type.
    """
    known = [each.name for each in dataclasses.fields(Plan) if each.name != "own"] + ["task"]
    _check_keys("a plan", table, known)
    for key in ("tasks", "models"):
        if key not in table:
            raise InputError(f"a plan needs the key {key!r}, a list of names.")
    values: dict[str, Any] = {"name": name, **table}
    for key in ("task", "cross", "finetune", "limit"):
        if not isinstance(values.get(key, {}), Mapping):
            raise InputError(f"{key} should be a table, but it is {values[key]!r}.")
    own = values.pop("task", {})
    for key, spec in own.items():
        if not isinstance(spec, Mapping):
            raise InputError(f"task.{key} should be a table, but it is {spec!r}.")
    values["own"] = {key: TaskSpec.from_table(spec, folder=folder) for key, spec in own.items()}
    for key in ("tasks", "models", "seeds", "analyses"):
        if key in values:
            values[key] = _tuple(key, values[key])
    values["layers"] = None if values.get("layers", "all") == "all" else values["layers"]
    if values["layers"] is not None:
        values["layers"] = _tuple("layers", values["layers"])
    if values.get("analyses") == ("all",):
        values["analyses"] = ANALYSES
    values["cross"] = {k: _tuple(f"cross.{k}", v) for k, v in values.get("cross", {}).items()}
    values["checkpoints"] = Schedule(values.get("checkpoints", "epochs"))
    values["finetune"] = _finetune(values.get("finetune", {}))
    values["limit"] = _section("limit", LimitPlan, values.get("limit", {}))
    values["classifier"] = _classifier(values.get("classifier", True))
    if values.get("data") is not None:
        values["data"] = Path(folder) / Path(values["data"]).expanduser()
    return Plan(**values)


def _finetune(table: Mapping[str, Any]) -> TuningOptions:
    if "seed" in table:
        raise InputError("finetune has no seed of its own; a plan has a list of seeds.")
    _check_keys("finetune", table, list(TuningOptions.model_fields))
    return parse(TuningOptions, table)


def _classifier(value: Any) -> ClassifierPlan | None:
    if isinstance(value, bool):
        return ClassifierPlan() if value else None
    if not isinstance(value, Mapping):
        raise InputError(f"classifier should be true, false or a table, but it is {value!r}.")
    table = {
        key: _tuple(f"classifier.{key}", each) if isinstance(each, list) else each
        for key, each in value.items()
    }
    plan: ClassifierPlan = _section("classifier", ClassifierPlan, table)
    return plan


def _section(name: str, kind: Any, table: Mapping[str, Any]) -> Any:
    _check_keys(name, table, [each.name for each in dataclasses.fields(kind)])
    return kind(**table)


def _check_keys(what: str, table: Mapping[str, Any], known: list[str]) -> None:
    for key in table:
        if key not in known:
            raise InputError(f"{what} has no key {key!r}; {suggestion(key, known)}.")


def _tuple(key: str, value: Any) -> tuple[Any, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, (list, tuple)):
        raise InputError(f"{key} should be a list, but it is {value!r}.")
    return tuple(value)


def _check_list(key: str, values: Iterable[Any], of: type = str) -> None:
    values = list(values)
    if not values:
        raise InputError(f"{key} is an empty list.")
    for value in values:
        if type(value) is not of or value == "" or (isinstance(value, int) and value < 0):
            kind = "a name" if of is str else "a whole number from 0 on"
            raise InputError(f"{key} holds {value!r}, where {kind} is expected.")
    if len(set(values)) < len(values):
        raise InputError(f"{key} names something twice: {', '.join(map(str, values))}.")
