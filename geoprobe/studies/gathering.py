"""From the files of a study to its findings, section by section, in the order of the paper."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from geoprobe.errors import GeoprobeError, InputError
from geoprobe.findings import (
    Finding,
    Trajectory,
    compare_linearity,
    compare_memorisation,
    compare_performance,
    compare_tasks,
    difference_vectors,
    follow_centroids,
    measure_movement,
    minimum_distances,
    similarity_to_original,
    standing_between,
)
from geoprobe.geometry import Cell
from geoprobe.studies.about import describe_study
from geoprobe.studies.cells import ends
from geoprobe.studies.folder import StudyFolder
from geoprobe.studies.material import Material, load_material
from geoprobe.studies.sections import TEXTS
from geoprobe.studies.status import study_status
from geoprobe.suggestions import suggestion


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


def gather(
    folder: StudyFolder, analyses: Sequence[str] | None = None, *, material: Material | None = None
) -> Gathered:
    """Compute the findings of a study from what is there, finished or not.

    Parameters
    ----------
    folder : StudyFolder
    analyses : sequence of str, optional
        Some of those of the plan, instead of all.
    material : Material, optional
        What :func:`load_material` has read of the folder; read here without it.

    Raises
    ------
    InputError
        If an analysis is not in the plan.
    FormatError
        If this is no folder of a study, or a file in it is damaged.
    """
    material = load_material(folder) if material is None else material
    plan = material.plan
    status = study_status(plan, folder)
    wanted = plan.analyses if analyses is None else tuple(analyses)
    for analysis in wanted:
        if analysis not in plan.analyses:
            raise InputError(
                f"the plan of this study has no analysis {analysis!r}; "
                f"{suggestion(analysis, plan.analyses)}."
            )
    return Gathered(
        plan.name,
        describe_study(plan, folder, material.names, material.geometries),
        tuple(_section(analysis, material) for analysis in wanted),
        status.missing,
        status.complete,
    )


def _section(analysis: str, material: Material) -> Section:
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


def _performance(m: Material) -> Made:
    own = [g for g in m.geometries if g.cell.tuned_on in (None, g.cell.task)]
    if own:
        yield (
            {},
            partial(compare_performance, own, classifier=m.classifier, head=m.head, **m.reduction),
        )


def _memorisation(m: Material) -> Made:
    for (task, model), some in _grouped(m.curves, lambda cell: (cell.task, cell.model)).items():
        curves = {cell: m.curves[cell] for cell in some}
        yield {"task": task, "model": model}, partial(compare_memorisation, curves)


def _linearity(m: Material) -> Made:
    by = _grouped(m.geometries, lambda g: (g.cell.task, g.cell.model))
    for (task, model), some in by.items():
        choices = {"show": "labels and clusters", "task": task, "model": model, "space": "all"}
        yield choices, partial(compare_linearity, some)
    # What stands between is asked of the models as published, and of the last layer where a
    # fine-tuning ends; every step and layer would be a flood.
    last = set(ends([g.cell for g in m.geometries]))
    for g in m.geometries:
        asked = g.cell in last or g.cell == g.cell.original
        if asked and g.clusters is not None and len(g.clusters) > g.n_labels:
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
) -> Callable[[Material], Made]:
    def make(m: Material) -> Made:
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
) -> Callable[[Material], Made]:
    def make(m: Material) -> Made:
        options = m.options(reduces, intervals)
        for some in _grouped(m.runs, lambda run: run.family).values():
            yield _choices(some[0]), partial(analysis, some, **options)

    return make


def _cross_task(m: Material) -> Made:
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


_MAKERS: dict[str, Callable[[Material], Made]] = {
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
