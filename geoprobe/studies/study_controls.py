"""Controls of a study: read from their files, and put beside what they control."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from geoprobe.controls import (
    BesideControl,
    BesideRow,
    NoiseCeiling,
    NullTest,
    ShuffledLabels,
    beside_row,
    came_apart,
    claims,
    load_shuffled,
    pushed_apart,
    shuffled_similarity,
)
from geoprobe.errors import FormatError
from geoprobe.files.json_files import read_json
from geoprobe.geometry import Cell, Geometry
from geoprobe.studies.control_jobs import (
    SAMPLING_FORMAT,
    SELECTIVITY_FORMAT,
    SHUFFLED_MOVEMENT_FORMAT,
    SHUFFLED_PREDICTIONS_FORMAT,
    VERSION,
)
from geoprobe.studies.plan import Plan
from geoprobe.studies.runs import ends
from geoprobe.studies.study_folder import StudyFolder

CONTROLLED = {
    "performance": ("nearest", "accuracy", "bits", "train to test", "test means", "ceiling"),
    "linearity": ("clusters", "came apart"),
    "min-distances": ("apart", "distance"),
    "movement": ("movement",),
    "similarity": ("to original",),
}
"""Analyses with a control, and the measures that stand beside them."""

WITHOUT = (
    "No control was computed (a table [controls] in the plan): nothing here says what chance would "
    "give."
)

Of = TypeVar("Of")


@dataclass(frozen=True)
class StudyControls:
    """What the controls of a study gave, by cell.

    Attributes
    ----------
    shuffled : mapping of Cell to ShuffledLabels
    movement, sampling, selectivity, predictions : mapping of Cell to dict
        As their jobs wrote them.
    """

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
    if plan.controls is None:
        return StudyControls()
    controls = plan.controls

    def there(path: Callable[[Cell], Path], read: Callable[[Path, Cell], Of]) -> dict[Cell, Of]:
        return {cell: read(path(cell), cell) for cell in listed if path(cell).is_file()}

    def of_format(name: str) -> Callable[[Path, Cell], dict[str, Any]]:
        return lambda path, cell: _of_cell(path, name, cell)

    return StudyControls(
        there(lambda cell: folder.shuffled(cell, controls), _shuffled),
        there(
            lambda cell: folder.shuffled_movement(cell, controls),
            of_format(SHUFFLED_MOVEMENT_FORMAT),
        ),
        there(lambda cell: folder.sampling(cell, controls), of_format(SAMPLING_FORMAT)),
        there(lambda cell: folder.selectivity(cell, controls), of_format(SELECTIVITY_FORMAT)),
        there(
            lambda cell: folder.shuffled_predictions(cell, controls),
            of_format(SHUFFLED_PREDICTIONS_FORMAT),
        ),
    )


def _shuffled(path: Path, cell: Cell) -> ShuffledLabels:
    found = load_shuffled(path)
    if found.cell != cell:
        raise FormatError(f"this is of the cell {found.cell}, not of {cell}.", path)
    return found


def _of_cell(path: Path, expected: str, cell: Cell) -> dict[str, Any]:
    noted = read_json(path, expected, VERSION)
    if noted.get("cell") != cell.as_dict():
        raise FormatError(f"this is of the cell {noted.get('cell')!r:.200}, not of {cell}.", path)
    return noted


def beside_controls(controls: StudyControls) -> BesideControl:
    """Put all that has a control beside it."""
    rows: list[BesideRow] = []
    notes: list[str] = []
    for cell, shuffled in controls.shuffled.items():
        rows += _of_labels(cell, shuffled, controls.shuffled.get(cell.start(controls.shuffled)))
    for cell, noted in controls.movement.items():
        test = NullTest(noted["movement"], _array(noted["null"]), "greater")
        rows.append(beside_row(cell, "movement", noted["n_units"], test.observed, test=test))
    for cell, noted in controls.predictions.items():
        accuracy = noted["accuracy"]
        if "problem" in accuracy:
            notes.append(f"{cell}: no control of the accuracy: {accuracy['problem']}")
            continue
        test = NullTest(accuracy["observed"], _array(accuracy["null"]), "greater")
        rows.append(beside_row(cell, "nearest", noted["n_test"], test.observed, test=test))
    for cell, noted in controls.sampling.items():
        rows += _of_sampling(cell, noted, notes)
    for cell, noted in controls.selectivity.items():
        rows += _of_classifier(cell, noted, notes)
    return BesideControl(tuple(rows), tuple(notes))


def _of_labels(
    cell: Cell, shuffled: ShuffledLabels, start: ShuffledLabels | None
) -> list[BesideRow]:
    n_units = shuffled.n_units
    tests = {"clusters": shuffled.clusters(), "distance": shuffled.mean_distance()}
    same = start is not None and cell.tuned_on is not None and start.units == shuffled.units
    if same and start is not None:
        tests["apart"] = pushed_apart(start, shuffled)
        tests["to original"] = shuffled_similarity(start, shuffled)
        if not start.is_linear:
            tests["came apart"] = came_apart(start, shuffled)
    return [
        beside_row(cell, measure, n_units, test.observed, test=test)
        for measure, test in tests.items()
    ]


def _of_sampling(cell: Cell, noted: Mapping[str, Any], notes: list[str]) -> list[BesideRow]:
    rows: list[BesideRow] = []
    drift, ceiling = noted.get("drift", {}), noted.get("ceiling", {})
    for what, part in (("drift", drift), ("noise ceiling", ceiling)):
        if "problem" in part:
            notes.append(f"{cell}: no {what}: {part['problem']}")
    if "seen" in drift:
        n_units = int(sum(drift["units"]))
        seen, unseen = _array(drift["seen"]), _array(drift["unseen"])
        mean = float(np.nanmean(unseen)) if not np.isnan(unseen).all() else float("nan")
        test = NullTest(mean, seen - unseen + mean, "less")
        rows.append(beside_row(cell, "train to test", n_units, mean, test=test))
        seen, unseen = _array(drift["moved_seen"]), _array(drift["moved_unseen"])
        test = NullTest(float(unseen.mean()), seen - unseen + unseen.mean(), "greater")
        rows.append(beside_row(cell, "test means", n_units, test.observed, test=test))
        if drift["left_out"]:
            notes.append(
                f"{cell}: test labels of which training has no more units are left out of the "
                f"drift: {', '.join(drift['left_out'])}."
            )
    if "halves" in ceiling:
        found = NoiseCeiling(
            _array(ceiling["halves"]), tuple(ceiling["labels"]), tuple(ceiling["left_out"]),
            ceiling["n_units"], "pearson",
        ).whole()  # fmt: skip
        rows.append(beside_row(cell, "ceiling", ceiling["n_units"], found.value, interval=found))
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
        controls = _array(selective["controls"])
        rows.append(beside_row(cell, "accuracy", n_units, accuracy, control=controls))
        notes.append(
            f"{cell}: selectivity {accuracy - controls.mean():.3f}; {selective['seen']:.0%} of the "
            f"test units have a type that is in train."
        )
    if "bits" in code:
        n_units = code["n_units"]
        shuffled = [code["shuffled_bits"] / n_units]
        rows.append(beside_row(cell, "bits", n_units, code["bits"] / n_units, control=shuffled))
        notes.append(
            f"{cell}: the labels take {code['bits']:.0f} bits, {code['uniform_bits']:.0f} without "
            f"knowledge: compression {code['uniform_bits'] / code['bits']:.2f}."
        )
    return rows


def _array(values: Sequence[float | None]) -> Any:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def end_rows(rows: Sequence[BesideRow], cells: Sequence[Cell]) -> list[BesideRow]:
    """Select what is said of the last layer, before fine-tuning and after its last update."""
    last = {
        (cell.task, cell.representation, cell.tuned_on or "", cell.seed, cell.step, cell.layer)
        for cell in ends(list(cells))
    }
    return [row for row in rows if row[:6] in last]


def sentences(
    analysis: str, plan: Plan, beside: BesideControl, cells: Sequence[Cell]
) -> tuple[str, ...]:
    """Say what an analysis found, beside its control, of the last layers.

    Parameters
    ----------
    analysis : str
    plan : Plan
    beside : BesideControl
    cells : sequence of Cell
        All of the study.
    """
    measures = CONTROLLED.get(analysis, ())
    if not measures:
        return ()
    if plan.controls is None:
        return (WITHOUT,)
    found = claims(row for row in end_rows(beside.rows, cells) if row.measure in measures)
    if not found:
        return ("No control of this has been computed yet.",)
    return tuple(map(str, found))


def compared_layouts(
    geometries: Sequence[Geometry],
) -> list[tuple[Cell, str, Geometry, Geometry]]:
    """List what is compared in the last layers: training and test, original and tuned."""
    known = {g.cell: g for g in geometries}
    found = []
    for cell in ends(list(known)):
        g = known[cell]
        if g.test is not None:
            found.append((cell, "training and test", g, g.test))
        start = known.get(cell.start(known))
        if cell.tuned_on is not None and start is not None:
            found.append((cell, "original and tuned", start, g))
    return found
