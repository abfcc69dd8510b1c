"""Data of a study: all that has been computed, read from its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np

from geoprobe.controls import BesideControl
from geoprobe.encoders.tuning import TuningResult
from geoprobe.findings import (
    Interval,
    Network,
    ResampledDistances,
    Trajectory,
    arrange_runs,
    load_resamples,
    similarity_interval,
)
from geoprobe.geometry import Cell, Geometry
from geoprobe.showing import Showing, Summary, count
from geoprobe.studies.cell_files import check_cell, read_measured, read_noted, read_those_there
from geoprobe.studies.inputs import study_inputs
from geoprobe.studies.jobs import (
    CLASSIFIER_FORMAT,
    MEMORISATION_FORMAT,
    MOVEMENT_FORMAT,
    chosen_network,
)
from geoprobe.studies.plan import Plan
from geoprobe.studies.runs import Run, runs
from geoprobe.studies.study_controls import StudyControls, beside_controls, load_controls
from geoprobe.studies.study_folder import StudyFolder


@dataclass(frozen=True)
class StudyData(Showing):
    """All that has been computed of a study.

    Attributes
    ----------
    plan : Plan
    names : dict of str to str
        Short name of each model of the plan.
    geometries : tuple of Geometry
        In the order of their cells.
    held : mapping from Cell to Geometry
        Cells measured by the clusters of the spaces that they were tuned from.
    runs : tuple of Trajectory
    classifier : mapping from Cell to list of float
        Test accuracies of the classifier probe.
    networks : mapping from Cell to Network
        What the classifier probe has chosen.
    head : mapping from Cell to float
        Test accuracy of the fine-tuned head, for every layer.
    curves : mapping from Cell to mapping from str to ndarray
        Learning curves.
    intervals : mapping from str to mapping from Cell
        Of ``movement``, ``distance`` and ``similarity``.
    controls : StudyControls
    """

    plan: Plan
    names: dict[str, str]
    geometries: tuple[Geometry, ...]
    held: Mapping[Cell, Geometry]
    runs: tuple[Trajectory, ...]
    classifier: Mapping[Cell, list[float]]
    networks: Mapping[Cell, Network]
    head: Mapping[Cell, float]
    curves: Mapping[Cell, Mapping[str, Any]]
    intervals: Mapping[str, Mapping[Cell, Any]]
    controls: StudyControls = field(default_factory=StudyControls)

    def _summaries(self) -> Sequence[Summary]:
        n_spaces, n_runs = len(self.geometries), len(self.runs)
        line = f"{self.plan.name}: {count(n_spaces, 'space')}, {count(n_runs, 'layer')} tuned."
        return (Summary((line,)),)

    @cached_property
    def beside(self) -> BesideControl:
        """Every number that has a control, beside it."""
        return beside_controls(self.controls)

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Names of the user's own groupings, sorted."""
        return tuple(sorted({name for g in self.geometries for name, _ in g.cell.group}))

    @property
    def reduction(self) -> dict[str, Any]:
        """How the distances of labels in several clusters are reduced."""
        return {"reduce": self.plan.reduce, "min_cluster_size": self.plan.min_cluster_size}


def load_study_data(folder: StudyFolder) -> StudyData:
    """Read what a study has computed so far.

    Raises
    ------
    FormatError
        If this is no folder of a study, or a file in it is damaged.
    """
    plan, names = folder.plan()
    listed = list(study_inputs(plan, folder))
    geometries = tuple(read_those_there(listed, folder.geometry, read_measured).values())
    held = listed if plan.fixed_partition else []
    classified = read_those_there(listed, folder.classifier, partial(read_noted, CLASSIFIER_FORMAT))
    followed = read_those_there(
        listed, folder.memorisation, partial(read_noted, MEMORISATION_FORMAT)
    )
    return StudyData(
        plan,
        names,
        geometries,
        read_those_there(held, folder.held, read_measured),
        tuple(arrange_runs(geometries)),
        {cell: noted["each"] for cell, noted in classified.items()},
        {cell: chosen_network(noted) for cell, noted in classified.items()},
        _heads(plan, folder, names, listed),
        {
            cell: {part: np.array(curve) for part, curve in noted["curves"].items()}
            for cell, noted in followed.items()
        },
        _intervals(plan, folder, listed),
        load_controls(plan, folder, listed),
    )


def _intervals(plan: Plan, folder: StudyFolder, listed: list[Cell]) -> dict[str, dict[Cell, Any]]:
    """Return the intervals of movements, smallest distances and similarities."""
    intervals: dict[str, dict[Cell, Any]] = {"movement": {}, "distance": {}, "similarity": {}}
    originals: dict[Cell, ResampledDistances] = {}
    for cell in listed:
        path = folder.movement(cell)
        if path.is_file():
            noted = read_noted(MOVEMENT_FORMAT, path, cell)["intervals"]
            intervals["movement"][cell] = {label: _interval(each) for label, each in noted.items()}
        path = folder.resamples(cell, plan.resamples)
        if plan.resamples and path.is_file():
            drawn = load_resamples(path)
            check_cell(path, drawn.cell, cell)
            intervals["distance"][cell] = drawn.minimum()
            # Of a model as published before the cells tuned from it: the cells are in that order.
            if cell.tuned_on is None:
                originals[cell] = drawn
            if (start := originals.get(cell.start(originals))) is not None:
                intervals["similarity"][cell] = similarity_interval(start, drawn)
    return intervals


def _interval(noted: Mapping[str, Any]) -> Interval:
    known: dict[str, Any] = {k: float("nan") if v is None else v for k, v in noted.items()}
    return Interval(**known)


def _heads(
    plan: Plan, folder: StudyFolder, names: dict[str, str], listed: list[Cell]
) -> dict[Cell, float]:
    """Return the test accuracy of the heads, for every layer of their last update."""
    own: dict[Run, list[Cell]] = {}
    for cell in listed:
        if cell.tuned_on == cell.task and cell.seed is not None:
            own.setdefault(Run(cell.task, cell.model, cell.seed), []).append(cell)
    accuracies: dict[Cell, float] = {}
    for run in runs(plan, names):
        place = folder.run(run.tuned_on, run.model, run.seed)
        if not folder.is_tuned(run.tuned_on, run.model, run.seed):
            continue
        of = {each.step: each.test_accuracy for each in TuningResult.read(place).checkpoints}
        accuracies |= {cell: of[cell.step] for cell in own.get(run, [])}
    return accuracies
