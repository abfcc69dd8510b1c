"""Description of a study: what it was run with and from what, the head of its report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from geoprobe.geometry import Cell, Geometry
from geoprobe.spaces.keys import SpaceKey
from geoprobe.studies.given_index import GivenIndex
from geoprobe.studies.plan import Plan
from geoprobe.studies.study_folder import StudyFolder
from geoprobe.studies.text_facts import TextFacts, read_facts
from geoprobe.versions import installed_versions

_PACKAGES = (
    "geoprobe", "numpy", "numba", "scipy", "scikit-learn", "highspy", "torch", "transformers",
)  # fmt: skip


def describe_study(
    plan: Plan, folder: StudyFolder, names: dict[str, str], geometries: Sequence[Geometry]
) -> dict[str, Any]:
    """Describe a study for its readers, as tables within a table."""
    seconds = folder.seconds()
    facts = read_facts(folder.text_facts)
    given = folder.given() if plan.spaces is not None else None
    return {
        "Plan": {
            **(_of_text(plan) if plan.tasks else {}),
            **({} if plan.spaces is None else {"given spaces": plan.spaces.files}),
            "layers": "all" if plan.layers is None else ", ".join(map(str, plan.layers)),
            "distances of split labels": plan.reduce
            + (
                ""
                if plan.min_cluster_size == 1
                else f", clusters of at least {plan.min_cluster_size} points"
            ),
            "tau": f"{plan.tau:g}",
        },
        "Tasks": {task: _task(task, names, folder, geometries) for task in plan.all_tasks}
        | ({} if given is None else _given_tasks(given)),
        "Models": {names[model]: _model(names[model], plan, folder, facts) for model in plan.models}
        | ({} if given is None else _given_models(given)),
        "Versions": study_versions(),
        "Time": {kind: f"{sum(each):,.0f} s for {len(each):,}" for kind, each in seconds.items()},
    }


def study_versions() -> dict[str, str]:
    """Return the versions of the packages on which the numbers of a study hang."""
    return installed_versions(_PACKAGES)


def _of_text(plan: Plan) -> dict[str, str]:
    return {
        "tasks": ", ".join(plan.tasks),
        "models": ", ".join(map(plan.revised, plan.models)),
        "seeds": ", ".join(map(str, plan.seeds)),
        "checkpoints": plan.checkpoints.text,
        "fine-tuning": _options(plan),
        "units kept": _limits(plan),
    }


def _given_tasks(given: GivenIndex) -> dict[str, str]:
    """Say of every task of given spaces how many units and labels its files have."""
    tasks: dict[str, str] = {}
    for cell, files in given.files.items():
        if cell.task in tasks or cell in given.problems:
            continue
        train = given.looks[files.train]
        test = None if files.test is None else given.looks[files.test]
        tested = "none" if test is None else f"{test.n_units:,}"
        tasks[cell.task] = (
            f"{train.n_units:,} units to train and {tested} to test, {len(train.labels)} labels"
        )
    return tasks


def _given_models(given: GivenIndex) -> dict[str, str]:
    """Say of every model how many spaces are given, and in which type of numbers."""
    cells: dict[str, list[Cell]] = {}
    for cell in given.files:
        cells.setdefault(cell.representation, []).append(cell)
    types = {
        model: sorted({given.looks[given.files[cell].train].dtype for cell in of_model} - {""})
        for model, of_model in cells.items()
    }
    return {
        model: f"given, {len(of_model):,} spaces of {', '.join(types[model])}"
        for model, of_model in cells.items()
    }


def _options(plan: Plan) -> str:
    options = plan.finetune
    epochs = "10 epochs (3 for models of twelve layers or more)"
    if options.epochs is not None:
        epochs = f"{options.epochs} epoch{'' if options.epochs == 1 else 's'}"
    return (
        f"{epochs}, learning rate {options.learning_rate:g}, {options.batch_size} sentences "
        f"an update"
    )


def _limits(plan: Plan) -> str:
    train, test = plan.limit.train, plan.limit.test
    if train is None and test is None:
        return "all"
    return f"train {'all' if train is None else train}, test {'all' if test is None else test}"


def _task(
    task: str, names: dict[str, str], folder: StudyFolder, geometries: Sequence[Geometry]
) -> str:
    for model in names.values():
        keys = [SpaceKey(task, model, split) for split in ("train", "test")]
        if all(key in folder.store for key in keys):
            train, test = (folder.store.open(key) for key in keys)
            return (
                f"{train.n_units:,} units to train and {test.n_units:,} to test, "
                f"{len(train.label_names)} labels"
            )
    return "not extracted yet"


def _model(name: str, plan: Plan, folder: StudyFolder, facts: TextFacts | None) -> str:
    for task in plan.all_tasks:
        key = SpaceKey(task, name, "train")
        if key in folder.store:
            noted = folder.store.open(key).provenance
            parts = [str(noted[part]) for part in ("model", "revision") if noted.get(part)]
            if facts is not None and name in facts.models:
                shape = facts.models[name]
                parts.append(f"{shape.n_layers} layers of {shape.n_dims} dimensions")
            weights = noted.get("weights_sha256") or noted.get("weights")
            return ", ".join(parts) + (f", weights sha256 {weights}" if weights else "")
    return "not loaded yet"
