"""Views of a study: for every analysis, which figures there are and how each is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, TypeVar

from geoprobe import plugins
from geoprobe.controls import compare_margins, compare_units, similarity_by_size
from geoprobe.findings import (
    Finding,
    Trajectory,
    compare_linearity,
    compare_memorisation,
    compare_performance,
    compare_tasks,
    difference_vectors,
    follow_blockers,
    follow_centroids,
    measure_movement,
    minimum_distances,
    similarity_to_original,
    standing_between,
)
from geoprobe.findings.control_bands import Bands
from geoprobe.geometry import Cell
from geoprobe.studies.analysis_texts import Text, analysis_texts
from geoprobe.studies.runs import ends
from geoprobe.studies.study_controls import bands, beside_controls, compared_layouts, nearest_bands
from geoprobe.studies.study_data import StudyData

Item = TypeVar("Item")


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


Made = Iterable[tuple[dict[str, str], Callable[[], Finding]]]


class Analysis(NamedTuple):
    """An analysis that another package adds to those of a study.

    Attributes
    ----------
    text : Text
    make : callable
        From a :class:`StudyData` to pairs: what tells a view from the other views, by name, and a
        function without arguments that gives its finding. A GeoprobeError that this function
        raises is printed as what could not be computed.
    """

    text: Text
    make: Callable[[StudyData], Made]


def analysis_of(name: str) -> Analysis:
    """Return one of the nine analyses, the controls, or another package's."""
    if name in _MAKERS:
        return Analysis(analysis_texts()[name], _MAKERS[name])
    return plugins.load(plugins.offered(plugins.FINDINGS)[name], Analysis)


def _performance(m: StudyData) -> Made:
    own = [g for g in m.geometries if g.cell.tuned_on in (None, g.cell.task)]
    if any(g.predictions is not None for g in own):
        compare = partial(
            compare_performance, own, classifier=m.classifier, networks=m.networks,
            head=m.head, **m.reduction,
        )  # fmt: skip
        control = {
            "directprobe": bands(m.beside, "nearest", "permuted test labels"),
            "classifier": bands(m.beside, "accuracy", "control tasks"),
            "similarity": bands(m.beside, "train to test", "pseudo-tests"),
        }
        yield {}, _with(control, compare)


def _memorisation(m: StudyData) -> Made:
    for cells in _grouped(m.curves, _who).values():
        curves = {cell: m.curves[cell] for cell in cells}
        choices = {"show": "learning curves", **_about(cells[0], m)}
        yield choices, partial(compare_memorisation, curves, networks=m.networks)
    for cells in _grouped(m.controls.units, _who).values():
        units = {cell: m.controls.units[cell] for cell in cells}
        yield {"show": "units left out", **_about(cells[0], m)}, partial(compare_units, units)


def _linearity(m: StudyData) -> Made:
    control = bands(m.beside, "clusters", "shuffled labels", per_label=True)
    for geometries in _grouped(m.geometries, lambda g: _who(g.cell)).values():
        about = _about(geometries[0].cell, m)
        choices = {"show": "labels and clusters", **about, "space": "all"}
        yield choices, _with(control, partial(compare_linearity, geometries))
    # What stands between is asked of the models as published, and of the last layer where a
    # fine-tuning ends; every step and layer would be a flood.
    last = set(ends([g.cell for g in m.geometries]))
    for g in m.geometries:
        asked = g.cell in last or g.cell.tuned_on is None
        found = g.clusters is not None and not g.clusters.fixed
        if asked and found and g.n_clusters > g.n_labels:
            about = {**_about(g.cell, m), "space": _moment(g.cell)}
            yield {"show": "what stands in between", **about}, partial(standing_between, g)
    # Blockers are followed where a space of a fine-tuning is not linear at some moment.
    for runs in _by_layer(m):
        if not all(g.is_linear for run in runs for g in run.geometries):
            cell = runs[0].last.cell
            space = {"space": f"tuned on {cell.tuned_on}, layer {cell.layer}"}
            about = {"show": "which blockers vanish when", **_about(cell, m), **space}
            yield about, partial(follow_blockers, runs)


def _moment(cell: Cell) -> str:
    """Name a space among those of its task and model."""
    if cell.tuned_on is None:
        seed = "" if cell.seed is None else f"seed {cell.seed}, "
        return f"as published, {seed}layer {cell.layer}"
    return f"tuned on {cell.tuned_on}, seed {cell.seed}, step {cell.step}, layer {cell.layer}"


def _cross_task(m: StudyData) -> Made:
    for runs in _grouped(m.runs, lambda run: run.model).values():
        yield (
            _model(runs[0].last.cell, m),
            partial(compare_tasks, runs, classifier=m.classifier, head=m.head, **m.reduction),
        )


def _centroid_paths(m: StudyData) -> Made:
    for runs in _by_family(m):
        yield _tuning(runs[0], m), partial(follow_centroids, runs, **m.reduction)


def _min_distances(m: StudyData) -> Made:
    control = nearest_bands(m.controls)
    options = {**m.reduction, "intervals": m.intervals["distance"]}
    for runs in _by_layer(m):
        choices = {**_tuning(runs[0], m), "layer": str(runs[0].layer)}
        yield choices, _with(control, partial(minimum_distances, runs, **options))


def _movement(m: StudyData) -> Made:
    control = bands(m.beside, "movement", "shuffled labels")
    for runs in _by_family(m):
        make = partial(measure_movement, runs, intervals=m.intervals["movement"])
        yield _tuning(runs[0], m), _with(control, make)


def _similarity(m: StudyData) -> Made:
    control = bands(m.beside, "to original", "shuffled labels")
    options = {**m.reduction, "intervals": m.intervals["similarity"], "held": m.held}
    for runs in _by_family(m):
        make = partial(similarity_to_original, runs, **options)
        yield _tuning(runs[0], m), _with(control, make)


def _differences(m: StudyData) -> Made:
    for runs in _by_layer(m):
        choices = {**_tuning(runs[0], m), "layer": str(runs[0].layer)}
        yield choices, partial(difference_vectors, runs)


def _controls(m: StudyData) -> Made:
    for cells in _grouped(m.controls.cells, _who).values():
        choices = {"show": "beside the control", **_about(cells[0], m)}
        yield choices, partial(beside_controls, m.controls.among(set(cells)))
    for pairs in _grouped(compared_layouts(m.geometries), lambda pair: _who(pair[0])).values():
        assert m.plan.controls is not None
        choices = {"show": "similarity by label size", **_about(pairs[0][0], m)}
        options = {"absent": m.plan.controls.absent, **m.reduction}
        yield choices, partial(similarity_by_size, pairs, **options)
    yield from _margins(m)


def _margins(m: StudyData) -> Made:
    reached = {cell: sum(each) / len(each) for cell, each in m.classifier.items()}
    for task, spaces in _grouped(m.geometries, lambda g: g.cell.task).items():
        about = {"task": task, "model": "all", **dict.fromkeys(m.groups, "all")}
        make = partial(compare_margins, shuffled=m.controls.shuffled)
        tested = [g for g in spaces if g.predictions is not None]
        if len(tested) > 2:
            yield {"show": "margin and accuracy", **about}, partial(make, tested)
        trained = [g for g in spaces if g.cell in reached]
        if len(trained) > 2:
            yield (
                {"show": "margin and the classifier's accuracy", **about},
                partial(make, trained, accuracies=reached, accuracy="classifier probe"),
            )


def _with(control: Bands | dict[str, Bands], make: Callable[[], Any]) -> Callable[[], Finding]:
    """Make a finding whose figures show what the control gives."""
    return lambda: replace(make(), control=control)


def _by_family(m: StudyData) -> Iterable[list[Trajectory]]:
    """Gather the layers and seeds of each fine-tuning."""
    return _grouped(m.runs, lambda run: run.family).values()


def _by_layer(m: StudyData) -> Iterable[list[Trajectory]]:
    """Gather the seeds of each layer of each fine-tuning."""
    return _grouped(m.runs, lambda run: (*run.family, run.layer)).values()


def _tuning(run: Trajectory, m: StudyData) -> dict[str, str]:
    return {"task": run.task, "tuned on": run.tuned_on, **_model(run.last.cell, m)}


def _about(cell: Cell, m: StudyData) -> dict[str, str]:
    return {"task": cell.task, **_model(cell, m)}


def _who(cell: Cell) -> tuple[str, str]:
    return cell.task, cell.representation


def _model(cell: Cell, m: StudyData) -> dict[str, str]:
    """Return the choice of a model, and of what tells it from others of its name."""
    group = dict(cell.group)
    return {"model": cell.model, **{name: group.get(name, "none") for name in m.groups}}


def _grouped(items: Iterable[Item], key: Callable[[Item], Any]) -> dict[Any, list[Item]]:
    groups: dict[Any, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


_MAKERS: dict[str, Callable[[StudyData], Made]] = {
    "performance": _performance,
    "memorisation": _memorisation,
    "linearity": _linearity,
    "min-distances": _min_distances,
    "centroid-paths": _centroid_paths,
    "cross-task": _cross_task,
    "movement": _movement,
    "similarity": _similarity,
    "differences": _differences,
    "controls": _controls,
}


def lacking(analysis: str, m: StudyData) -> str:
    """Say what an analysis without any view needs, and has not got."""
    if not m.geometries:
        return "Nothing has been measured yet."
    if analysis == "controls":
        return "No control has been computed yet."
    untested = all(g.predictions is None for g in m.geometries)
    if analysis in ("performance", "memorisation") and untested:
        return f"{analysis} needs points to test, and these spaces have none."
    if analysis == "memorisation":
        return "No unit has been left out yet, and no learning curve computed."
    if not m.plan.tasks:
        return (
            f"{analysis} needs spaces before and after a training, and a study of given spaces in "
            f"which no file says a step above 0 has none."
        )
    return "Nothing has been fine-tuned and measured yet."
