"""What has been computed of a study, read from its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from geoprobe.encoders.tuning import TuningResult
from geoprobe.files.json_files import read_json
from geoprobe.findings import (
    Cell,
    Geometry,
    Interval,
    ResampledDistances,
    Trajectory,
    arrange_runs,
    load_geometry,
    load_resamples,
    similarity_interval,
)
from geoprobe.studies.cells import cells, runs
from geoprobe.studies.folder import StudyFolder
from geoprobe.studies.plan import Plan
from geoprobe.studies.working import (
    CLASSIFIER_FORMAT,
    MEMORISATION_FORMAT,
    MOVEMENT_FORMAT,
    VERSION,
)


@dataclass(frozen=True)
class Material:
    """All that has been computed of a study.

    Attributes
    ----------
    plan : Plan
    names : dict of str to str
        Short name of each model of the plan.
    geometries : tuple of Geometry
        In the order of their cells.
    runs : tuple of Trajectory
    classifier : mapping from Cell to list of float
        Test accuracies of the classifier probe.
    head : mapping from Cell to float
        Test accuracy of the fine-tuned head, for every layer.
    curves : mapping from Cell to mapping from str to ndarray
        Learning curves.
    intervals : mapping from str to mapping from Cell
        Of ``movement``, ``distance`` and ``similarity``.
    """

    plan: Plan
    names: dict[str, str]
    geometries: tuple[Geometry, ...]
    runs: tuple[Trajectory, ...]
    classifier: Mapping[Cell, list[float]]
    head: Mapping[Cell, float]
    curves: Mapping[Cell, Mapping[str, Any]]
    intervals: Mapping[str, Mapping[Cell, Any]]

    @property
    def reduction(self) -> dict[str, Any]:
        """How the distances of labels in several clusters are reduced."""
        return {"reduce": self.plan.reduce, "min_cluster_size": self.plan.min_cluster_size}

    def options(self, reduces: bool, intervals: str) -> dict[str, Any]:
        """Return what an analysis is called with besides its spaces."""
        options = self.reduction if reduces else {}
        return options | ({"intervals": self.intervals[intervals]} if intervals else {})


def load_material(folder: StudyFolder) -> Material:
    """Read what a study has computed so far.

    Raises
    ------
    FormatError
        If this is no folder of a study, or a file in it is damaged.
    """
    plan, names = folder.plan()
    listed = cells(plan, folder.store, set(names.values()))
    geometries = tuple(
        load_geometry(folder.geometry(cell)) for cell in listed if folder.geometry(cell).is_file()
    )
    return Material(
        plan,
        names,
        geometries,
        tuple(arrange_runs(geometries)),
        _classifiers(folder, listed),
        _heads(plan, folder, names, listed),
        _curves(folder, listed),
        _intervals(plan, folder, listed),
    )


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
        if not folder.is_tuned(run.tuned_on, run.model, run.seed):
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
