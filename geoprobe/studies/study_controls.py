"""Controls of a study: read from their files, and put beside what they control."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from geoprobe.controls import (
    BesideControl,
    BesideRow,
    LeftOutUnits,
    NoiseCeiling,
    NullTest,
    ShuffledLabels,
    beside_row,
    came_apart,
    load_shuffled,
    load_units,
    pulled_closer,
    pushed_apart,
    shuffled_similarity,
)
from geoprobe.controls.sampling import paired_test
from geoprobe.controls.unit_memorisation import overall_rows
from geoprobe.findings import Interval, accuracy_interval, label_distances
from geoprobe.findings.control_bands import Band, Bands
from geoprobe.findings.differences import common_drift
from geoprobe.findings.movement import displacements
from geoprobe.findings.similarity import pearson
from geoprobe.geometry import Cell, Geometry
from geoprobe.geometry.measured import Predictions
from geoprobe.studies.cell_files import as_array, check_cell, read_noted, read_those_there
from geoprobe.studies.control_jobs import (
    SAMPLING_FORMAT,
    SELECTIVITY_FORMAT,
    SHUFFLED_MOVEMENT_FORMAT,
    SHUFFLED_PREDICTIONS_FORMAT,
)
from geoprobe.studies.controls_plan import ControlsPlan
from geoprobe.studies.plan import Plan
from geoprobe.studies.runs import ends
from geoprobe.studies.study_folder import StudyFolder

Of = TypeVar("Of", LeftOutUnits, ShuffledLabels)


@dataclass(frozen=True)
class StudyControls:
    """What the controls of a study gave, by cell.

    Attributes
    ----------
    units : mapping of Cell to LeftOutUnits
        Of every plan that asks for memorisation, whether it has controls or not.
    shuffled : mapping of Cell to ShuffledLabels
    movement, sampling, selectivity, predictions : mapping of Cell to dict
        As their jobs wrote them.
    """

    units: Mapping[Cell, LeftOutUnits] = field(default_factory=dict)
    shuffled: Mapping[Cell, ShuffledLabels] = field(default_factory=dict)
    movement: Mapping[Cell, Mapping[str, Any]] = field(default_factory=dict)
    sampling: Mapping[Cell, Mapping[str, Any]] = field(default_factory=dict)
    selectivity: Mapping[Cell, Mapping[str, Any]] = field(default_factory=dict)
    predictions: Mapping[Cell, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def cells(self) -> list[Cell]:
        """Every cell with a control, in the order of :attr:`Cell.order`."""
        found = {cell for each in fields(self) for cell in getattr(self, each.name)}
        return sorted(found, key=lambda cell: cell.order)

    def among(self, cells: Collection[Cell]) -> StudyControls:
        """Return the controls of some cells."""
        kept = {
            each.name: {
                cell: found for cell, found in getattr(self, each.name).items() if cell in cells
            }
            for each in fields(self)
        }
        return StudyControls(**kept)


def load_controls(plan: Plan, folder: StudyFolder, listed: Sequence[Cell]) -> StudyControls:
    """Read what the controls of a plan have given so far.

    Parameters
    ----------
    plan : Plan
    folder : StudyFolder
    listed : sequence of Cell
        All of the study.

    Raises
    ------
    FormatError
        If a file is damaged, was changed, or is that of another cell.
    """
    units = read_those_there(listed, folder.units, partial(_checked, load_units))
    if plan.controls is None:
        return StudyControls(units)
    controls = plan.controls

    def noted(kind: str, path: Callable[[Cell, ControlsPlan], Path]) -> dict[Cell, dict[str, Any]]:
        return read_those_there(
            listed, lambda cell: path(cell, controls), partial(read_noted, kind)
        )

    return StudyControls(
        units,
        read_those_there(
            listed,
            lambda cell: folder.shuffled(cell, controls),
            partial(_checked, load_shuffled),
        ),
        noted(SHUFFLED_MOVEMENT_FORMAT, folder.shuffled_movement),
        noted(SAMPLING_FORMAT, folder.sampling),
        noted(SELECTIVITY_FORMAT, folder.selectivity),
        noted(SHUFFLED_PREDICTIONS_FORMAT, folder.shuffled_predictions),
    )


def _accuracy(cell: Cell, held_out: Predictions) -> BesideRow:
    interval = accuracy_interval(held_out)
    return beside_row(cell, "nearest", len(held_out), interval.value, interval=interval)


def _checked(load: Callable[[Path], Of], path: Path, cell: Cell) -> Of:
    found = load(path)
    check_cell(path, found.cell, cell)
    return found


def beside_controls(controls: StudyControls) -> BesideControl:
    """Put all that has a control beside it."""
    rows = overall_rows(controls.units)
    notes: list[str] = []
    for cell, shuffled in controls.shuffled.items():
        rows += _of_labels(cell, shuffled, controls.shuffled.get(cell.start(controls.shuffled)))
        if not len(shuffled.null_clusters):
            notes.append(
                f"{cell}: clusters of shuffled labels were not counted, for its {shuffled.n_units} "
                f"units are more than clusters_up_to of the plan."
            )
    for cell, noted in controls.movement.items():
        tests = {"movement": NullTest(noted["movement"], as_array(noted["null"]), "greater")}
        common = noted["common"]
        if common["share"] is not None:
            tests["common"] = NullTest(common["share"], as_array(common["null"]), "less")
        rows += _tested(cell, noted["n_units"], len(noted["labels"]), tests)
    for cell, noted in controls.predictions.items():
        accuracy = noted["accuracy"]
        if "problem" in accuracy:
            notes.append(f"{cell}: no control of the accuracy: {accuracy['problem']}")
            continue
        test = NullTest(accuracy["observed"], as_array(accuracy["null"]), "greater")
        interval = Interval(**accuracy["interval"])
        rows.append(
            beside_row(
                cell, "nearest", noted["n_test"], test.observed, test=test, interval=interval
            )
        )
    for cell, noted in controls.sampling.items():
        rows += _of_sampling(cell, noted, notes)
    for cell, noted in controls.selectivity.items():
        rows += _of_classifier(cell, noted, notes)
    return BesideControl(tuple(rows), tuple(notes))


def _of_labels(
    cell: Cell, shuffled: ShuffledLabels, start: ShuffledLabels | None
) -> list[BesideRow]:
    n_units = shuffled.n_units
    tests = {"distance": shuffled.mean_distance()}
    if len(shuffled.null_clusters):
        tests["clusters"] = shuffled.clusters()
    else:
        tests["overlaps"] = shuffled.overlaps()
    same = start is not None and cell.tuned_on is not None and start.units == shuffled.units
    if same and start is not None:
        tests["apart"] = pushed_apart(start, shuffled)
        tests["to original"] = shuffled_similarity(start, shuffled)
        if not start.is_linear:
            tests["came apart"] = came_apart(start, shuffled)
        if cell.tuned_on != cell.task:
            tests["closer"] = pulled_closer(start, shuffled)
    return _tested(cell, n_units, len(shuffled.labels), tests)


def _tested(
    cell: Cell, n_units: int, n_labels: int, tests: Mapping[str, NullTest]
) -> list[BesideRow]:
    return [
        beside_row(cell, measure, n_units, test.observed, n_labels=n_labels, test=test)
        for measure, test in tests.items()
    ]


def _of_sampling(cell: Cell, noted: Mapping[str, Any], notes: list[str]) -> list[BesideRow]:
    rows: list[BesideRow] = []
    drift, ceiling = noted.get("drift", {}), noted.get("ceiling", {})
    for what, part in (("drift", drift), ("noise ceiling", ceiling)):
        if "problem" in part:
            notes.append(f"{cell}: no {what}: {part['problem']}")
    if "seen" in drift:
        n_units, n_labels = int(sum(drift["units"])), len(drift["labels"])
        seen, unseen = as_array(drift["seen"]), as_array(drift["unseen"])
        moved_seen, moved_unseen = as_array(drift["moved_seen"]), as_array(drift["moved_unseen"])
        rows += _tested(
            cell,
            n_units,
            n_labels,
            {
                "train to test": paired_test(unseen, seen, "less"),
                "test means": paired_test(moved_unseen, moved_seen, "greater"),
            },
        )
        if drift["left_out"]:
            notes.append(
                f"{cell}: test labels of which training has no more units, or none outside the "
                f"groups of a draw, are left out of the drift: {', '.join(drift['left_out'])}."
            )
    if "halves" in ceiling:
        found = NoiseCeiling(
            as_array(ceiling["halves"]), tuple(ceiling["labels"]), tuple(ceiling["left_out"]),
            ceiling["n_units"], "pearson",
        ).whole()  # fmt: skip
        n_units, n_labels = ceiling["n_units"], len(ceiling["labels"])
        rows.append(
            beside_row(cell, "ceiling", n_units, found.value, n_labels=n_labels, interval=found)
        )
    leakage = noted.get("leakage")
    if leakage is not None and leakage["share"] > 0:
        notes.append(f"{cell}: {_leaked(leakage)}")
    return rows


def _leaked(leakage: Mapping[str, Any]) -> str:
    text = (
        f"{leakage['same_vector']} of {leakage['n_test']} test units have a vector that is in train"
    )
    if leakage["same_group"] is not None:
        text += f", and {leakage['same_group']} belong to a group that is in train too"
    return f"{text}: {leakage['share']:.0%} of the test is no test."


def _of_classifier(cell: Cell, noted: Mapping[str, Any], notes: list[str]) -> list[BesideRow]:
    rows = []
    selective, code = noted.get("selectivity", {}), noted.get("code", {})
    for what, part in (("selectivity", selective), ("description length", code)):
        if "problem" in part:
            notes.append(f"{cell}: no {what}: {part['problem']}")
    if "accuracy" in selective:
        n_units, accuracy = selective["n_test_units"], selective["accuracy"]
        controls = as_array(selective["controls"])
        rows.append(beside_row(cell, "accuracy", n_units, accuracy, control=controls))
        notes.append(
            f"{cell}: selectivity {accuracy - controls.mean():.3f}; {selective['seen']:.0%} of the "
            f"test units have a type that is in train."
        )
    if "bits" in code:
        n_units, n_labels = code["n_units"], code["n_labels"]
        bits, shuffled = code["bits"] / n_units, [code["shuffled_bits"] / n_units]
        rows.append(beside_row(cell, "bits", n_units, bits, n_labels=n_labels, control=shuffled))
        notes.append(
            f"{cell}: the labels take {code['bits']:.0f} bits, {code['uniform_bits']:.0f} without "
            f"knowledge: compression {code['uniform_bits'] / code['bits']:.2f}."
        )
    return rows


def end_rows(rows: Sequence[BesideRow], cells: Sequence[Cell]) -> list[BesideRow]:
    """Select what is said of the last layer, before fine-tuning and after its last update."""
    last = {
        (cell.task, cell.representation, cell.tuned_on or "", cell.seed, cell.step, cell.layer)
        for cell in ends(list(cells))
    }
    return [row for row in rows if row[:6] in last]


def without_control(rows: Sequence[BesideRow], geometries: Sequence[Geometry]) -> list[BesideRow]:
    """Measure the last layers as the controls do, where no control stands beside the number.

    Parameters
    ----------
    rows : sequence of BesideRow
        With a control; they are not measured again.
    geometries : sequence of Geometry
        All of the study.
    """
    known = {g.cell: g for g in geometries}
    there = {(*row[:6], row.measure) for row in rows}
    return [
        row
        for cell in ends(list(known))
        for row in _alone(known[cell], known.get(cell.start(known)))
        if (*row[:6], row.measure) not in there
    ]


def _alone(g: Geometry, start: Geometry | None) -> list[BesideRow]:
    """Return the main measures of a space, and of what it was tuned from."""
    found: dict[str, float] = {}
    if g.clusters is not None:
        found["clusters"] = float(g.n_clusters)
    if g.cell.tuned_on is not None and start is not None and start.labels == g.labels:
        was, now = (label_distances(each, reduce="hull") for each in (start, g))
        first, second = was.minimum()[0], now.minimum()[0]
        found["apart"] = float((second > first).sum())
        if g.cell.tuned_on != g.cell.task:
            found["closer"] = float((second < first).sum())
        found["to original"] = pearson(was.vector(g.labels), now.vector(g.labels))[0]
        if start.n_dims == g.n_dims:
            vectors = displacements(start, g).vectors
            found["movement"] = float(np.linalg.norm(vectors, axis=1).mean())
            found["common"] = common_drift(vectors).share
    rows = [
        beside_row(g.cell, measure, g.n_units, value, n_labels=g.n_labels)
        for measure, value in found.items()
        if not np.isnan(value)
    ]
    if g.predictions is not None:
        rows.append(_accuracy(g.cell, g.predictions))
    return rows


def bands(beside: BesideControl, measure: str, name: str, *, per_label: bool = False) -> Bands:
    """Return what the control of a measure gives: a standard deviation to either side of its mean.

    Parameters
    ----------
    beside : BesideControl
    measure : str
        A key of :data:`geoprobe.controls.beside.MEASURES`.
    name : str
        What the control is, for the legend.
    per_label : bool, default=False
        Whether values are divided by the number of labels.
    """
    found: dict[tuple[Any, ...], list[Band]] = {}
    for row in beside.rows:
        if row.measure == measure and not np.isnan(row.control):
            spread = 0.0 if np.isnan(row.control_std) else row.control_std
            per = row.n_labels if per_label and row.n_labels else 1
            ends_ = (row.control - spread, row.control + spread, row.value)
            key = (row.task, row.model, row.tuned_on, row.step, row.layer)
            found.setdefault(key, []).append(Band(*(value / per for value in ends_)))
    return Bands(f"{name}: mean ± sd", {key: Band.mean(each) for key, each in found.items()})


def nearest_bands(controls: StudyControls) -> Bands:
    """Return where the smallest distances of shuffled labels lie, 95 % of all labels and draws."""
    found: dict[tuple[Any, ...], list[Band]] = {}
    for cell, shuffled in controls.shuffled.items():
        observed, null = shuffled.nearest()
        low, high = np.percentile(null, [2.5, 97.5]).tolist()
        key = (cell.task, cell.representation, cell.tuned_on or "", cell.step, cell.layer)
        found.setdefault(key, []).append(Band(low, high, float(observed.mean())))
    name = "shuffled labels: middle 95 %"
    return Bands(name, {key: Band.mean(each) for key, each in found.items()})


def compared_layouts(
    geometries: Sequence[Geometry],
) -> list[tuple[Cell, str, Geometry, Geometry]]:
    """List what is compared in the last layers: training and test, original and tuned."""
    known = {g.cell: g for g in geometries}
    found = []
    for cell in ends(list(known)):
        g = known[cell]
        if g.test is not None:
            found.append((cell, "all of training and test", g, g.test))
        start = known.get(cell.start(known))
        if cell.tuned_on is not None and start is not None:
            found.append((cell, "original and tuned", start, g))
    return found
