"""StudyFindings studies made of real findings, for the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from geoprobe.controls import LeftOutUnits, compare_units, measure_units
from geoprobe.findings import (
    Network,
    arrange_runs,
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
from geoprobe.geometry import Geometry
from geoprobe.geometry.cells import Cell
from geoprobe.probes import measure
from geoprobe.spaces import Space
from geoprobe.studies.analysis_texts import analysis_texts
from geoprobe.studies.study_findings import Section, StudyFindings
from geoprobe.studies.views import View

SCRIPT = "<script>alert(1)</script>"
LONG = "a label whose name goes on " * 8
ODD = (
    SCRIPT, "$x_1$", "_hidden", "Straße 語", LONG.strip(), "$", "a&b\"c'd", "${7*7}{{7*7}}",
    "</details></svg><img src=x onerror=alert(2)>",
)  # fmt: skip
"""Names that mean something to HTML, TeX, legends, templates, or no font at all."""


def space(
    labels: Sequence[str], layer: int, step: int, seed: int, split: int, apart: float = 1.0
) -> Space:
    """Labels around fixed centres, which move apart with the step and more in higher layers."""
    rng = np.random.default_rng([7, layer])
    centres = 5.0 * rng.normal(size=(len(labels), 6))
    push = np.random.default_rng([8, layer, seed]).normal(size=centres.shape)
    centres = centres * (1 + 0.02 * layer * np.log1p(step)) + 0.1 * layer * np.log1p(step) * push
    noise = np.random.default_rng([9, layer, split])
    points = np.repeat(apart * centres, 10, axis=0) + noise.normal(size=(10 * len(labels), 6))
    return Space(points, np.repeat(list(labels), 10), name="made")


def geometries(
    labels: Sequence[str],
    *,
    task: str = "pos",
    tuned_on: Sequence[str] = ("pos",),
    layers: Sequence[int] = (0, 1, 2),
    steps: Sequence[int] = (2, 20, 200),
    seeds: Sequence[int] = (0, 1),
    apart: float = 1.0,
) -> list[Geometry]:
    """The cells of one model on one task."""
    cells = [Cell(task, "tiny", layer) for layer in layers]
    cells += [
        Cell(task, "tiny", layer, other, seed, step)
        for other in tuned_on
        for seed in seeds
        for step in steps
        for layer in layers
    ]
    return [
        measure(
            space(labels, cell.layer, cell.step, cell.seed or 0, 0, apart),
            cell=cell,
            test=space(labels, cell.layer, cell.step, cell.seed or 0, 1, apart),
            n_threads=1,
        )
        for cell in cells
    ]


def section(analysis: str, views: Sequence[View], missing: Sequence[str] = ()) -> Section:
    text = analysis_texts()[analysis]
    return Section(analysis, *text, tuple(views), tuple(missing))


def curves(cells: Sequence[Cell]) -> dict[Cell, dict[str, Any]]:
    """Learning curves that rise to 0.9 on subtest and less on test."""
    epochs = np.arange(1, 21)
    found = {}
    for cell in cells:
        rise = 1 - np.exp(-epochs / (5 if cell.tuned_on is None else 1.5))
        found[cell] = {
            "subtrain": np.stack([rise, 0.99 * rise]),
            "subtest": np.stack([0.95 * rise, 0.93 * rise]),
            "test": np.stack([(0.9 if cell.tuned_on is None else 0.8) * rise, 0.79 * rise]),
        }
    return found


def left_out(labels: Sequence[str], cell: Cell) -> LeftOutUnits:
    """The units of a cell, each left out of its label, beside half of the units to test."""
    train, test = (space(labels, cell.layer, cell.step, cell.seed or 0, k) for k in (0, 1))
    half = Space(test.points[::2], test.labels[::2])
    return measure_units(train, half, n_draws=19, n_threads=1)


def gathered(
    labels: Sequence[str] = ("noun", "verb", "adverb", "adposition", "numeral"),
    layers: Sequence[int] = (0, 2),
    steps: Sequence[int] = (2, 200),
) -> StudyFindings:
    """A finished study of two tasks, tuned on the first, with all nine sections."""
    tasks = {"pos": labels, "dep": [f"{label}:x" for label in labels[:4]]}
    found = [
        g
        for task, names in tasks.items()
        for g in geometries(names, task=task, tuned_on=("pos",), layers=layers, steps=steps)
    ]
    close = geometries(labels, layers=(0,), steps=(2,), seeds=(0,), apart=0.12)
    own = [g for g in found if g.cell.tuned_on in (None, g.cell.task)]
    ends = [g.cell for g in own if g.cell.layer == layers[-1] and g.cell.step in (0, steps[-1])]
    scores = {cell: [0.8, 0.82, 0.79] for cell in ends}
    networks = {cell: Network((64, 256), 1e-4) for cell in ends}
    head = {cell: 0.9 for cell in ends if cell.tuned_on}
    runs = arrange_runs(found)
    families: dict[Any, list[Any]] = {}
    for run in runs:
        families.setdefault(run.family, []).append(run)

    def choices(family: Any) -> dict[str, str]:
        return {"task": family[0], "tuned on": family[2], "model": family[1]}

    def by_layer(analysis: Any) -> list[View]:
        return [
            View({**choices(f), "layer": str(n)}, analysis([r for r in some if r.layer == n]))
            for f, some in families.items()
            for n in sorted({r.layer for r in some})
        ]

    def by_family(analysis: Any) -> list[View]:
        return [View(choices(f), analysis(some)) for f, some in families.items()]

    linear = [
        View({"show": "labels and clusters", "task": task, "model": "tiny"},
             compare_linearity([g for g in found if g.cell.task == task]))
        for task in tasks
    ]  # fmt: skip
    linear.append(
        View({"show": "what stands in between", "task": "pos", "model": str(close[0].cell)},
             standing_between(close[0]))
    )  # fmt: skip
    sections = (
        section("performance", [View({}, compare_performance(
            own, classifier=scores, networks=networks, head=head, n_bootstrap=50))]),
        section("memorisation", [
            View({"show": "learning curves", "task": "pos", "model": "tiny"}, compare_memorisation(
                curves([cell for cell in ends if cell.task == "pos"]), networks=networks)),
            View({"show": "units left out", "task": "pos", "model": "tiny"}, compare_units({
                cell: left_out(labels, cell) for cell in ends if cell.task == "pos"})),
        ]),
        section("linearity", linear),
        section("min-distances", by_layer(minimum_distances)),
        section("centroid-paths", by_family(follow_centroids)),
        section("cross-task", [View({"model": "tiny"}, compare_tasks(
            runs, classifier=scores, head=head, n_bootstrap=50))]),
        section("movement", by_family(measure_movement)),
        section("similarity", by_family(similarity_to_original)),
        section("differences", by_layer(difference_vectors)),
    )  # fmt: skip
    return StudyFindings("made-up", about(tasks), sections, (), True)


def about(tasks: dict[str, Sequence[str]]) -> dict[str, Any]:
    return {
        "Plan": {"tasks": ", ".join(tasks), "models": "tiny", "seeds": "0, 1", "tau": "1e-07"},
        "Tasks": {task: f"{10 * len(names)} units, {len(names)} labels"
                  for task, names in tasks.items()},
        "Models": {"tiny": "made up, weights sha256 " + "0" * 64},
        "Versions": {"geoprobe": "0", "numpy": "2"},
        "Time": {},
    }  # fmt: skip
