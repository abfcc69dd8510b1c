"""From the files of a study to its findings, section by section, in the order of the paper."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from geoprobe.encoders.tuning_result import RESULT, TuningResult
from geoprobe.errors import GeoprobeError
from geoprobe.findings import (
    Cell,
    Finding,
    Geometry,
    Interval,
    ResampledDistances,
    Trajectory,
    arrange_runs,
    compare_linearity,
    compare_memorisation,
    compare_performance,
    compare_tasks,
    difference_vectors,
    follow_centroids,
    load_geometry,
    load_resamples,
    measure_movement,
    minimum_distances,
    similarity_interval,
    similarity_to_original,
    standing_between,
)
from geoprobe.spaces.json_files import read_json
from geoprobe.studies.about import describe_study
from geoprobe.studies.cells import cells, ends, runs
from geoprobe.studies.folder import StudyFolder
from geoprobe.studies.plan import Plan
from geoprobe.studies.sections import TEXTS
from geoprobe.studies.status import study_status
from geoprobe.studies.working import (
    CLASSIFIER_FORMAT,
    MEMORISATION_FORMAT,
    MOVEMENT_FORMAT,
    VERSION,
)


@dataclass(frozen=True)
class View:
    """One figure and its numbers.

    Attributes
    ----------
    choices : mapping of str to str
        What tells it from the other views of its section, such as task, model and layer.
    finding : Finding
    """

    choices: Mapping[str, str]
    finding: Finding


@dataclass(frozen=True)
class Section:
    """One analysis.

    Attributes
    ----------
    analysis : str
    title, question, reading : str
        What it is called, what it answers and how to read it.
    views : tuple of View
        All with the same keys of choices.
    missing : tuple of str
        What could not be computed, and why.
    """

    analysis: str
    title: str
    question: str
    reading: str
    views: tuple[View, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Gathered:
    """A study as far as it has been computed.

    Attributes
    ----------
    name : str
    about : mapping
        What was run and from what.
    sections : tuple of Section
    missing : tuple of str
        What has not been computed.
    complete : bool
    """

    name: str
    about: Mapping[str, Any]
    sections: tuple[Section, ...]
    missing: tuple[str, ...]
    complete: bool


@dataclass(frozen=True)
class _Material:
    """What the sections are made of."""

    plan: Plan
    geometries: tuple[Geometry, ...]
    runs: tuple[Trajectory, ...]
    classifier: Mapping[Cell, list[float]]
    head: Mapping[Cell, float]
    curves: Mapping[Cell, Mapping[str, Any]]
    intervals: Mapping[str, Mapping[Cell, Any]]

    @property
    def reduction(self) -> dict[str, Any]:
        return {"reduce": self.plan.reduce, "min_cluster_size": self.plan.min_cluster_size}

    def options(self, reduces: bool, intervals: str) -> dict[str, Any]:
        """Return what an analysis is called with besides its spaces."""
        options = self.reduction if reduces else {}
        return options | ({"intervals": self.intervals[intervals]} if intervals else {})


def gather(folder: StudyFolder) -> Gathered:
    """Compute the findings of a study from what is there, finished or not.

    Raises
    ------
    FormatError
        If this is no folder of a study, or a file in it is damaged.
    """
    plan, names = folder.plan()
    status = study_status(plan, folder)
    listed = cells(plan, folder.store, set(names.values()))
    geometries = tuple(
        load_geometry(folder.geometry(cell)) for cell in listed if folder.geometry(cell).is_file()
    )
    material = _Material(
        plan,
        geometries,
        tuple(arrange_runs(geometries)),
        _classifiers(folder, listed),
        _heads(plan, folder, names, listed),
        _curves(folder, listed),
        _intervals(plan, folder, listed),
    )
    sections = tuple(_section(analysis, material) for analysis in plan.analyses)
    return Gathered(
        plan.name,
        describe_study(plan, folder, names, geometries),
        sections,
        status.missing,
        status.complete,
    )


def _section(analysis: str, material: _Material) -> Section:
    missing: list[str] = []
    views: list[View] = []
    for choices, make in _MAKERS[analysis](material):
        try:
            views.append(View(choices, make()))
        except GeoprobeError as error:
            missing.append(str(error))
    if not views and not missing:
        missing.append(_NOTHING[analysis])
    text = TEXTS[analysis]
    return Section(analysis, text.title, text.question, text.reading, tuple(views), tuple(missing))


Made = Iterable[tuple[dict[str, str], Callable[[], Finding]]]


def _performance(m: _Material) -> Made:
    own = [g for g in m.geometries if g.cell.tuned_on in (None, g.cell.task)]
    if own:
        yield (
            {},
            partial(compare_performance, own, classifier=m.classifier, head=m.head, **m.reduction),
        )


def _memorisation(m: _Material) -> Made:
    for (task, model), some in _grouped(m.curves, lambda cell: (cell.task, cell.model)).items():
        curves = {cell: m.curves[cell] for cell in some}
        yield {"task": task, "model": model}, partial(compare_memorisation, curves)


def _linearity(m: _Material) -> Made:
    by = _grouped(m.geometries, lambda g: (g.cell.task, g.cell.model))
    for (task, model), some in by.items():
        choices = {"show": "labels and clusters", "task": task, "model": model, "space": "all"}
        yield choices, partial(compare_linearity, some)
    # What stands between is asked at the ends of a fine-tuning; every step would be a flood.
    last = set(ends([g.cell for g in m.geometries]))
    for g in m.geometries:
        if g.cell in last and g.clusters is not None and len(g.clusters) > g.n_labels:
            choices = {
                "show": "what stands in between",
                "task": g.cell.task,
                "model": g.cell.model,
                "space": _moment(g.cell),
            }
            yield choices, partial(standing_between, g)


def _moment(cell: Cell) -> str:
    """Name a space among those of its task and model."""
    if cell.tuned_on is None:
        return f"as published, layer {cell.layer}"
    return f"tuned on {cell.tuned_on}, seed {cell.seed}, step {cell.step}, layer {cell.layer}"


def _by_layer(
    analysis: Callable[..., Finding], *, reduces: bool = True, intervals: str = ""
) -> Callable[[_Material], Made]:
    def make(m: _Material) -> Made:
        options = m.options(reduces, intervals)
        for run in m.runs:
            # Seeds of one layer belong to one view: the first seed stands for all.
            same = [r for r in m.runs if r.family == run.family and r.layer == run.layer]
            if same[0] is run:
                yield (
                    {**_choices(run), "layer": str(run.layer)},
                    partial(analysis, same, **options),
                )

    return make


def _by_family(
    analysis: Callable[..., Finding], *, reduces: bool = True, intervals: str = ""
) -> Callable[[_Material], Made]:
    def make(m: _Material) -> Made:
        options = m.options(reduces, intervals)
        for some in _grouped(m.runs, lambda run: run.family).values():
            yield _choices(some[0]), partial(analysis, some, **options)

    return make


def _cross_task(m: _Material) -> Made:
    for (model,), some in _grouped(m.runs, lambda run: (run.model,)).items():
        yield (
            {"model": model},
            partial(compare_tasks, some, classifier=m.classifier, **m.reduction),
        )


def _choices(run: Trajectory) -> dict[str, str]:
    return {"task": run.task, "tuned on": run.tuned_on, "model": run.model}


def _grouped(items: Iterable[Any], key: Callable[[Any], tuple[str, ...]]) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


_MAKERS: dict[str, Callable[[_Material], Made]] = {
    "performance": _performance,
    "memorisation": _memorisation,
    "linearity": _linearity,
    "min-distances": _by_layer(minimum_distances, intervals="distance"),
    "centroid-paths": _by_family(follow_centroids),
    "cross-task": _cross_task,
    "movement": _by_family(measure_movement, reduces=False, intervals="movement"),
    "similarity": _by_family(similarity_to_original, intervals="similarity"),
    "differences": _by_layer(difference_vectors, reduces=False),
}

_FINE_TUNED = "Nothing has been fine-tuned and measured yet."
_NOTHING = {
    analysis: "Nothing has been measured yet."
    if analysis in ("performance", "linearity")
    else _FINE_TUNED
    for analysis in _MAKERS
} | {"memorisation": "No learning curves have been computed yet."}


def _classifiers(folder: StudyFolder, listed: list[Cell]) -> dict[Cell, list[float]]:
    return {
        cell: read_json(folder.classifier(cell), CLASSIFIER_FORMAT, VERSION)["each"]
        for cell in listed
        if folder.classifier(cell).is_file()
    }


def _intervals(plan: Plan, folder: StudyFolder, listed: list[Cell]) -> dict[str, dict[Cell, Any]]:
    """Return the intervals of movements, smallest distances and similarities."""
    found: dict[str, dict[Cell, Any]] = {"movement": {}, "distance": {}, "similarity": {}}
    originals: dict[Cell, ResampledDistances] = {}
    for cell in listed:
        path = folder.movement(cell)
        if path.is_file():
            noted = read_json(path, MOVEMENT_FORMAT, VERSION)["intervals"]
            found["movement"][cell] = {label: _interval(each) for label, each in noted.items()}
        path = folder.resamples(cell, plan.resamples)
        if plan.resamples and path.is_file():
            drawn = load_resamples(path)
            found["distance"][cell] = drawn.minimum()
            # Of a model as published before the cells tuned from it: the cells are in that order.
            if cell == cell.original:
                originals[cell] = drawn
            if cell.original in originals:
                found["similarity"][cell] = similarity_interval(originals[cell.original], drawn)
    return found


def _interval(noted: Mapping[str, Any]) -> Interval:
    known: dict[str, Any] = {k: float("nan") if v is None else v for k, v in noted.items()}
    return Interval(**known)


def _curves(folder: StudyFolder, listed: list[Cell]) -> dict[Cell, dict[str, Any]]:
    return {
        cell: {
            part: np.array(curve)
            for part, curve in read_json(folder.memorisation(cell), MEMORISATION_FORMAT, VERSION)[
                "curves"
            ].items()
        }
        for cell in listed
        if folder.memorisation(cell).is_file()
    }


def _heads(
    plan: Plan, folder: StudyFolder, names: dict[str, str], listed: list[Cell]
) -> dict[Cell, float]:
    """Return the test accuracy of the heads, for every layer of their last update."""
    found: dict[Cell, float] = {}
    for run in runs(plan, names):
        place = folder.run(run.tuned_on, run.model, run.seed)
        if not (place / RESULT).is_file():
            continue
        of = {each.step: each.test_accuracy for each in TuningResult.read(place).checkpoints}
        for cell in listed:
            if (cell.task, cell.model, cell.tuned_on, cell.seed) == (
                run.tuned_on,
                run.model,
                run.tuned_on,
                run.seed,
            ):
                found[cell] = of[cell.step]
    return found
