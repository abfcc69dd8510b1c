"""Findings of a study, section by section, in the order of the paper."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from geoprobe import plugins
from geoprobe.controls import (
    Claim,
    claims,
    compare_margins,
    compare_units,
    similarity_by_size,
)
from geoprobe.errors import GeoprobeError, InputError
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
from geoprobe.geometry import Cell
from geoprobe.showing import Showing, Summary, count, frame
from geoprobe.studies.answers import Found, answer
from geoprobe.studies.description import describe_study
from geoprobe.studies.runs import ends
from geoprobe.studies.sentences import NOTHING, Answer
from geoprobe.studies.status import study_status
from geoprobe.studies.study_controls import (
    bands,
    beside_controls,
    compared_layouts,
    end_rows,
    nearest_bands,
    without_control,
)
from geoprobe.studies.study_data import StudyData, load_study_data
from geoprobe.studies.study_folder import StudyFolder
from geoprobe.suggestions import suggestion


class Text(NamedTuple):
    """The words above the figures of one analysis."""

    title: str
    question: str
    reading: str
    paper: str = ""
    """Where the numbers differ from those of Zhou & Srikumar (2022) by their definition."""


TEXTS = {
    "performance": Text(
        "Performance before and after fine-tuning",
        "Does fine-tuning help, and do train and test stay alike?",
        "One row for each task and model, as published and after the last update. The accuracies "
        "on the test split are those of DirectProbe (the label of the nearest cluster), of the "
        "classifier probe (mean and standard deviation over initialisations) and of the "
        "fine-tuned head. The similarity is the Pearson correlation of the distances between "
        "labels in the train and in the test space: 1 means that both are laid out alike. Beside "
        "them stand labels, clusters, whether the train space is linear, and the hidden layers "
        "that cross-validation has chosen for the classifier.",
        "In the paper, a label that one of the two spaces lacks may count: the authors' code "
        "gives it the distance 0. Here labels that both have are compared, and the others are "
        "listed.",
    ),
    "memorisation": Text(
        "Memorisation",
        "Does fine-tuning remember the training units?",
        "The training units are split 80 to 20 into subtrain and subtest; fine-tuning saw both. A "
        "classifier, of the size that cross-validation has chosen for the space, is trained on "
        "subtrain. Where its curve on subtest keeps to that on subtrain and runs far above that "
        "on test, the representation knows the training units better than new ones. A table says "
        "who has seen what. The other view trains nothing: every training unit is left out of the "
        "hull of its own label, with the units of its sentence or group, and lies as far from it "
        "as a new one would, unless it is known by heart. A point is a label: above 1, its test "
        "units lie further from it than its training units. Small labels scatter; what all of them "
        "give stands beside pseudo-tests, which are training units drawn like the test.",
        "The paper's experiment as the authors' blog describes it. Here units are split one by "
        "one, and classifiers are followed for 100 epochs at most, without early stopping. Units "
        "left out are not in the paper.",
    ),
    "linearity": Text(
        "Linearity",
        "Can hyperplanes tell the labels apart?",
        "With as many clusters as labels a hyperplane separates every two labels. Further "
        "clusters count how often a label had to be split. Where a label is split, the other "
        "view names the cluster of another label that stands in between; a third, where a tuned "
        "space is not linear, says which labels overlap and from which update on no more.",
        "As in the paper. Units that coincide with one of another label, on which the authors' "
        "code breaks its definition, stay clusters of their own and are counted. Which blockers "
        "vanish when is not in the paper.",
    ),
    "min-distances": Text(
        "Minimum distance of each label during fine-tuning",
        "Which labels does fine-tuning push away from the others, and when?",
        "A line is the distance from a label to the nearest other one, in the units of the space, "
        "by update. The three labels that gain most and the three that gain least are named. "
        "Beside it stands how far the units of the same labels lie from their mean: distances that "
        "grow only as these do are a space that has become larger.",
        "As in the paper wherever a space is linear. Else a distance is the mean over pairs of "
        "clusters, as in the authors' code, unless the plan says otherwise.",
    ),
    "centroid-paths": Text(
        "Paths of the centroids of the closest labels",
        "Where do labels go that lie close together?",
        "Each path is the mean of the points of a label, update by update, in the plane of the two "
        "principal components of the path's own points; the first layer that knows the context "
        "(layer 1) beside the last.",
        "As in the paper, but for the choice of labels, of which no rule is known to us: here "
        "they are the closest ones of the last layer before fine-tuning.",
    ),
    "cross-task": Text(
        "Fine-tuning on another task",
        "What does fine-tuning on one task do to the space of another?",
        "For each task that was looked at and each that was fine-tuned on: how many labels came "
        "further from, or closer to, their nearest neighbour, the mean change of that distance, "
        "and the accuracies before and after. The head is that of the task tuned on, so it has an "
        "accuracy on that task alone.",
        "As in the paper for its tunings on POS, PS-role and PS-fxn looked at through PS-fxn. Its "
        "accuracy is that of the classifier probe; DirectProbe's and the head's are added.",
    ),
    "movement": Text(
        "Movement of the labels by layer",
        "Which layers does fine-tuning change?",
        "The distance between the mean of a label's points before and after, for each layer. "
        "Higher layers usually move further.",
        "As in the paper; the share of the radius of the original space is added, for layers "
        "differ in scale.",
    ),
    "similarity": Text(
        "Similarity of each layer to its original",
        "How much of the original layout is left?",
        "The Pearson correlation of the distances between labels with those of the same layer "
        "before fine-tuning: 1 is the original layout, whatever its size. Each space has the "
        "clusters found in it; the fixed similarity keeps those of the original space while the "
        "space moves, and is dashed where the two differ. Where a space is not linear, the lines "
        "below say what the distances of its labels are.",
        "As in the paper where the original space is linear, for then its clusters are the labels. "
        "Elsewhere the fixed similarity is the one that keeps the partition.",
    ),
    "differences": Text(
        "Directions in which the labels move",
        "Do labels move apart, or all the same way?",
        "Arrows are the vectors from each label's mean before fine-tuning to that after it, in the "
        "plane of their two principal components. Arrows in different directions mean that labels "
        "move away from each other. The drift is their mean, the movement that all labels share; "
        "another figure is drawn without it.",
        "As in the paper; what is left without the drift is added.",
    ),
    "controls": Text(
        "Beside their controls",
        "Which of these numbers would chance give as well?",
        "Each number stands beside its control: the same measure of shuffled labels, of a "
        "pseudo-test drawn from training, of a control task. The p-value is the share of controls "
        "that reach it, (1 + reached) / (1 + drawn); above 0.05 it is not distinguishable from "
        "chance. The score is 0 at chance and 1 at its best.",
        "The papers have no controls.",
    ),
}


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
    title, question, reading, paper : str
        What it is called, what it answers, how to read it, and where it differs from the paper.
    views : tuple of View
        All with the same keys of choices.
    missing : tuple of str
        What could not be computed, and why.
    answer : Answer
        What was found, in sentences with their controls.
    """

    analysis: str
    title: str
    question: str
    reading: str
    paper: str
    views: tuple[View, ...]
    missing: tuple[str, ...]
    answer: Answer = NOTHING


@dataclass(frozen=True)
class StudyFindings(Showing):
    """A study as far as it has been computed.

    Attributes
    ----------
    name : str
    about : mapping
        What was run and from what.
    sections : tuple of Section
    claims : tuple of Claim
        What was found in the last layers, each beside its control.
    missing : tuple of str
        What has not been computed.
    complete : bool
    """

    name: str
    about: Mapping[str, Any]
    sections: tuple[Section, ...]
    missing: tuple[str, ...]
    complete: bool
    claims: tuple[Claim, ...] = ()

    def view(self, analysis: str, **choices: str) -> View:
        """Return the first view of an analysis that is as asked.

        Parameters
        ----------
        analysis : str
        **choices : str
            What tells views apart, such as ``task="pos", layer="6"``; any of them, or none.

        Raises
        ------
        InputError
            If there is no such analysis, or it has no such view.
        """
        known = {section.analysis: section for section in self.sections}
        if analysis not in known:
            raise InputError(f"there is no analysis {analysis!r}; {suggestion(analysis, known)}.")
        wanted = {name.replace("_", " "): str(value) for name, value in choices.items()}
        views = known[analysis].views
        for view in views:
            if wanted.items() <= dict(view.choices).items():
                return view
        there = "; ".join(", ".join(f"{n} {v}" for n, v in view.choices.items()) for view in views)
        raise InputError(f"{analysis} has no view with {wanted}; there are: {there or 'none'}.")

    def plot(self, analysis: str, ax: Any = None, **choices: str) -> Any:
        """Draw a view of an analysis; parameters and errors are those of :meth:`view`.

        Returns
        -------
        matplotlib.axes.Axes, or a list of them for several panels
        """
        return self.view(analysis, **choices).finding.plot(ax)

    def to_frame(self) -> Any:
        """Return a pandas DataFrame with a row for each view: analysis, choices, number of rows.

        Raises
        ------
        GeoprobeError
            If pandas is not installed.
        """
        views = [(section, view) for section in self.sections for view in section.views]
        return frame(
            {
                "analysis": [section.analysis for section, _ in views],
                "view": [", ".join(f"{n} {v}" for n, v in v.choices.items()) for _, v in views],
                "rows": [len(view.finding.rows) for _, view in views],
            }
        )

    def _summaries(self) -> Sequence[Summary]:
        n_views = sum(len(section.views) for section in self.sections)
        lines = [
            f"{self.name}: {count(n_views, 'view')} of {len(self.sections)} analyses.",
            *([] if self.complete else ["The study is not finished."]),
        ]
        rows = tuple((s.analysis, f"{len(s.views):,}", s.title) for s in self.sections)
        return (Summary(tuple(lines), "Analyses", ("analysis", "views ", "title"), rows),)


def compute_findings(
    folder: StudyFolder, analyses: Sequence[str] | None = None, *, material: StudyData | None = None
) -> StudyFindings:
    """Compute the findings of a study from what is there, finished or not.

    Parameters
    ----------
    folder : StudyFolder
    analyses : sequence of str, optional
        Some of those of the plan, instead of all.
    material : StudyData, optional
        What :func:`load_study_data` has read of the folder; read here without it.

    Raises
    ------
    InputError
        If an analysis is not in the plan.
    FormatError
        If this is no folder of a study, or a file in it is damaged.
    """
    material = load_study_data(folder) if material is None else material
    plan = material.plan
    status = study_status(plan, folder)
    known = (*plan.analyses, *(() if plan.controls is None else ("controls",)))
    wanted = known if analyses is None else tuple(analyses)
    for analysis in wanted:
        if analysis not in known:
            raise InputError(
                f"the plan of this study has no analysis {analysis!r}; "
                f"{suggestion(analysis, known)}."
            )
    rows = end_rows(material.beside.rows, [g.cell for g in material.geometries])
    found = claims([*rows, *without_control(rows, material.geometries)])
    return StudyFindings(
        plan.name,
        describe_study(plan, folder, material.names, material.geometries),
        tuple(_section(analysis, material, found) for analysis in wanted),
        status.missing,
        status.complete,
        # Units left out have a control in any plan: that alone makes it none of controls.
        () if plan.controls is None else tuple(claims(rows)),
    )


def _section(analysis: str, material: StudyData, found: Sequence[Claim]) -> Section:
    missing: list[str] = []
    views: list[View] = []
    text, makers = _known(analysis)
    for choices, make in makers(material):
        try:
            views.append(View(choices, make()))
        except GeoprobeError as error:
            missing.append(str(error))
    if not views and not missing:
        missing.append(_lacking(analysis, material))
    findings = [view.finding for view in views]
    said = answer(analysis, Found(found, findings, material.runs)) if views else NOTHING
    return Section(analysis, *text, tuple(views), tuple(missing), said)


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


def _known(name: str) -> Analysis:
    """Return one of the nine analyses, or another package's."""
    if name in TEXTS:
        return Analysis(TEXTS[name], _MAKERS[name])
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
        choices = {"show": "learning curves", "task": cells[0].task, **_model(cells[0], m)}
        yield choices, partial(compare_memorisation, curves, networks=m.networks)
    for cells in _grouped(m.controls.units, _who).values():
        units = {cell: m.controls.units[cell] for cell in cells}
        choices = {"show": "units left out", "task": cells[0].task, **_model(cells[0], m)}
        yield choices, partial(compare_units, units)


def _linearity(m: StudyData) -> Made:
    control = bands(m.beside, "clusters", "shuffled labels", per_label=True)
    for geometries in _grouped(m.geometries, lambda g: _who(g.cell)).values():
        about = {"task": geometries[0].cell.task, **_model(geometries[0].cell, m)}
        choices = {"show": "labels and clusters", **about, "space": "all"}
        yield choices, _with(control, partial(compare_linearity, geometries))
    # What stands between is asked of the models as published, and of the last layer where a
    # fine-tuning ends; every step and layer would be a flood.
    last = set(ends([g.cell for g in m.geometries]))
    for g in m.geometries:
        asked = g.cell in last or g.cell.tuned_on is None
        found = g.clusters is not None and not g.clusters.fixed
        if asked and found and g.n_clusters > g.n_labels:
            choices = {
                "show": "what stands in between",
                "task": g.cell.task,
                **_model(g.cell, m),
                "space": _moment(g.cell),
            }
            yield choices, partial(standing_between, g)
    yield from _blockers(m)


def _blockers(m: StudyData) -> Made:
    """Follow what overlaps, where a space of a fine-tuning is not linear at some moment."""
    for same in _grouped(m.runs, lambda run: (*run.family, run.layer)).values():
        if all(g.is_linear for run in same for g in run.geometries):
            continue
        cell = same[0].last.cell
        choices = {
            "show": "which blockers vanish when",
            "task": cell.task,
            **_model(cell, m),
            "space": f"tuned on {cell.tuned_on}, layer {cell.layer}",
        }
        yield choices, partial(follow_blockers, same)


def _with(control: Any, make: Callable[[], Any]) -> Callable[[], Finding]:
    """Make a finding whose figures show what the control gives."""
    return lambda: replace(make(), control=control)


def _moment(cell: Cell) -> str:
    """Name a space among those of its task and model."""
    if cell.tuned_on is None:
        seed = "" if cell.seed is None else f"seed {cell.seed}, "
        return f"as published, {seed}layer {cell.layer}"
    return f"tuned on {cell.tuned_on}, seed {cell.seed}, step {cell.step}, layer {cell.layer}"


def _by_layer(
    analysis: Callable[..., Finding], *, reduces: bool = True, intervals: str = ""
) -> Callable[[StudyData], Made]:
    def make(m: StudyData) -> Made:
        options = m.options(reduces, intervals)
        # Seeds of one layer belong to one view.
        for same in _grouped(m.runs, lambda run: (*run.family, run.layer)).values():
            choices = {**_choices(same[0], m), "layer": str(same[0].layer)}
            yield choices, partial(analysis, same, **options)

    return make


def _by_family(
    analysis: Callable[..., Finding], *, reduces: bool = True, intervals: str = ""
) -> Callable[[StudyData], Made]:
    def make(m: StudyData) -> Made:
        options = m.options(reduces, intervals)
        for runs in _grouped(m.runs, lambda run: run.family).values():
            yield _choices(runs[0], m), partial(analysis, runs, **options)

    return make


def _similarity(m: StudyData) -> Made:
    control = bands(m.beside, "to original", "shuffled labels")
    analysis = partial(similarity_to_original, held=m.held)
    for choices, make in _by_family(analysis, intervals="similarity")(m):
        yield choices, _with(control, make)


def _min_distances(m: StudyData) -> Made:
    control = nearest_bands(m.controls)
    for choices, make in _by_layer(minimum_distances, intervals="distance")(m):
        yield choices, _with(control, make)


def _cross_task(m: StudyData) -> Made:
    for runs in _grouped(m.runs, lambda run: (run.model,)).values():
        yield (
            _model(runs[0].last.cell, m),
            partial(compare_tasks, runs, classifier=m.classifier, head=m.head, **m.reduction),
        )


def _controls(m: StudyData) -> Made:
    for cells in _grouped(m.controls.cells, _who).values():
        about = {"task": cells[0].task, **_model(cells[0], m)}
        choices = {"show": "beside the control", **about}
        yield choices, partial(beside_controls, m.controls.among(set(cells)))
    for pairs in _grouped(compared_layouts(m.geometries), lambda pair: _who(pair[0])).values():
        assert m.plan.controls is not None
        about = {"task": pairs[0][0].task, **_model(pairs[0][0], m)}
        options = {"absent": m.plan.controls.absent, **m.reduction}
        yield (
            {"show": "similarity by label size", **about},
            partial(similarity_by_size, pairs, **options),
        )
    yield from _margins(m)


def _margins(m: StudyData) -> Made:
    reached = {cell: sum(each) / len(each) for cell, each in m.classifier.items()}
    for (task,), spaces in _grouped(m.geometries, lambda g: (g.cell.task,)).items():
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


def _choices(run: Trajectory, m: StudyData) -> dict[str, str]:
    return {"task": run.task, "tuned on": run.tuned_on, **_model(run.last.cell, m)}


def _who(cell: Cell) -> tuple[str, str]:
    return cell.task, cell.representation


def _model(cell: Cell, m: StudyData) -> dict[str, str]:
    """Return the choice of a model, and of what tells it from others of its name."""
    group = dict(cell.group)
    return {"model": cell.model, **{name: group.get(name, "none") for name in m.groups}}


def _grouped(
    items: Iterable[Any], key: Callable[[Any], tuple[object, ...]]
) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


_MAKERS: dict[str, Callable[[StudyData], Made]] = {
    "performance": _performance,
    "memorisation": _memorisation,
    "linearity": _linearity,
    "min-distances": _min_distances,
    "centroid-paths": _by_family(follow_centroids),
    "cross-task": _cross_task,
    "movement": _by_family(measure_movement, reduces=False, intervals="movement"),
    "similarity": _similarity,
    "differences": _by_layer(difference_vectors, reduces=False),
    "controls": _controls,
}


def _lacking(analysis: str, m: StudyData) -> str:
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
