"""Jobs of controls on single cells: each measures again, and writes one file that is whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geoprobe.controls import (
    NullTest,
    find_leakage,
    measure_selectivity,
    noise_ceiling,
    online_code,
    permutation_test,
    permuted_rows,
    pseudo_test_drift,
    save_shuffled,
    shuffle_labels,
    shuffle_movement,
)
from geoprobe.errors import GeoprobeError, InputError
from geoprobe.findings import accuracy_interval
from geoprobe.geometry import Cell, read_geometry
from geoprobe.spaces import Space
from geoprobe.spaces.source import Readable, Source, StoredLayer
from geoprobe.studies.cell_files import read_noted, write_noted
from geoprobe.studies.controls_plan import ControlsPlan
from geoprobe.studies.inputs import Inputs
from geoprobe.studies.jobs import (
    CLASSIFIER_FORMAT,
    chosen_network,
    read_both,
    read_test,
    read_train,
)
from geoprobe.studies.plan import Plan
from geoprobe.studies.text_jobs import text_of

SAMPLING_FORMAT = "geoprobe-sampling"
SELECTIVITY_FORMAT = "geoprobe-selectivity"
SHUFFLED_MOVEMENT_FORMAT = "geoprobe-shuffled-movement"
SHUFFLED_PREDICTIONS_FORMAT = "geoprobe-shuffled-predictions"

Names = NDArray[np.str_]


class UnitNames(NamedTuple):
    """What units are beside their vectors, shape (n_units,) each; None where that is not known."""

    groups: Names | None
    """Such as the sentence of a word."""
    types: Names | None
    """Such as the word."""


def unit_names(plan: Plan, place: Readable, n_units: int) -> UnitNames:
    """Find out which group and type each unit of a space has.

    Parameters
    ----------
    plan : Plan
    place : StoredLayer or Source
        Units of text have their sentence and their words; given points what the plan names.
    n_units : int
        Of the space.

    Raises
    ------
    FormatError, InputError
        If they cannot be read, or are not one for each unit.
    """
    if isinstance(place, StoredLayer):
        names = _of_text(plan, place)
    else:
        assert isinstance(place, Source)
        names = UnitNames(_of_file(place, "groups"), _of_file(place, "types"))
    for what, found in zip(names._fields, names, strict=True):
        if found is not None and len(found) != n_units:
            raise InputError(
                f"{place}: there are {len(found)} {what}, but the space has {n_units} units."
            )
    return names


def _of_file(source: Source, what: str) -> Names | None:
    where: str | None = getattr(source, what)
    if where is None:
        return None
    try:
        return source.read_names(where)
    except GeoprobeError as error:
        raise InputError(f"the {what} of the units, {where!r}, cannot be read: {error}") from error


def _of_text(plan: Plan, place: StoredLayer) -> UnitNames:
    split = text_of(plan).tasks[place.key.task].splits[place.key.split]
    words = [split.sentences[unit.sentence].words for unit in split.units]
    return UnitNames(
        np.array([" ".join(each) for each in words]),
        np.array(
            [
                " ".join(each[k] for k in unit.words) if unit.words else " ".join(each)
                for unit, each in zip(split.units, words, strict=True)
            ]
        ),
    )


def groups_to_hold(controls: ControlsPlan, names: UnitNames) -> Names | None:
    """Return the groups that permutations and draws respect; none where most units stand alone.

    A question of TREC is a unit, and few are asked twice: inside groups, hardly a label could
    change its place, and the control would repeat what it controls.
    """
    if not controls.groups or names.groups is None:
        return None
    sizes = np.unique(names.groups, return_counts=True)[1]
    return names.groups if 2 * np.count_nonzero(sizes == 1) < len(names.groups) else None


def shuffle_cell(
    plan: Plan,
    controls: ControlsPlan,
    cell: Cell,
    inputs: Inputs,
    path: Path,
    n_threads: int,
    progress: object = None,
) -> None:
    """Measure a cell under shuffled labels and write what it gives."""
    train = read_train(inputs)
    groups = groups_to_hold(controls, unit_names(plan, inputs.train, train.n_points))
    options = {**_permuting(controls, groups), "tau": plan.tau, "n_threads": n_threads}
    counted = train.n_points <= controls.clusters_up_to
    found = shuffle_labels(train.points, train.labels, clusters=counted, **options)
    save_shuffled(replace(found, cell=cell), path)


def shuffle_move_cell(
    plan: Plan,
    controls: ControlsPlan,
    cell: Cell,
    inputs: Inputs,
    path: Path,
    start: Inputs,
    n_threads: int,
    progress: object = None,
) -> None:
    """Write how far labels, and shuffled ones, have moved from the start to a cell."""
    before, after = read_train(start), read_train(inputs)
    if not np.array_equal(before.labels, after.labels):
        raise InputError(
            f"movement is between two representations of the same units, but the labels of {cell} "
            f"and of its start differ."
        )
    groups = groups_to_hold(controls, unit_names(plan, inputs.train, after.n_points))
    options = _permuting(controls, groups)
    found = shuffle_movement(before.points, after.points, before.labels, **options)
    mean, common = found.mean(), found.in_common()
    write_noted(
        path,
        SHUFFLED_MOVEMENT_FORMAT,
        cell,
        n_units=after.n_points,
        movement=mean.observed,
        null=mean.null,
        common={"share": common.observed, "null": common.null},
        labels=_by_label("movement", found.labels, found.of),
    )


def shuffle_predict_cell(
    plan: Plan,
    controls: ControlsPlan,
    cell: Cell,
    inputs: Inputs,
    path: Path,
    measured: Path,
    n_threads: int,
    progress: object = None,
) -> None:
    """Write the accuracy of a cell's predictions, and that on permuted labels of its test units.

    The predictions stay: what the same ones would reach if they had nothing to do with the labels.
    """
    held_out = read_geometry(measured).predictions
    if held_out is None or inputs.test is None:
        raise InputError(f"{cell} has no predictions of points to test.")
    predicted, n_test = held_out.predicted, len(held_out)
    groups = groups_to_hold(controls, unit_names(plan, inputs.test, n_test))

    def accuracy(labels: NDArray[Any]) -> float:
        return float(np.mean(labels == predicted))

    def tested() -> dict[str, Any]:
        found = permutation_test(accuracy, held_out.true, **_permuting(controls, groups))
        interval = accuracy_interval(held_out)._asdict()
        return {**_parts(found, "observed", "null"), "interval": interval}

    about = {"n_test": n_test, "grouped": groups is not None}
    write_noted(path, SHUFFLED_PREDICTIONS_FORMAT, cell, **about, accuracy=_or_problem(tested))


def _permuting(controls: ControlsPlan, groups: Names | None) -> dict[str, Any]:
    """Return how labels are permuted, as functions of controls take it."""
    return {
        "n_permutations": controls.permutations,
        "seed": controls.seed,
        "groups": groups,
        "exchange": controls.exchange,
    }


def _parts(found: object, *names: str) -> dict[str, Any]:
    """Return some attributes of what was found, by their names."""
    return {name: getattr(found, name) for name in names}


def _by_label(
    what: str, labels: Sequence[str], test: Callable[[str], NullTest]
) -> list[dict[str, Any]]:
    """Return a number of every label beside its control."""
    tests = {label: test(label) for label in labels}
    return [
        {"label": label, what: each.observed, "null": each.mean, "p": each.p_value}
        for label, each in tests.items()
    ]


def sample_cell(
    plan: Plan,
    controls: ControlsPlan,
    cell: Cell,
    inputs: Inputs,
    path: Path,
    n_threads: int,
    progress: object = None,
) -> None:
    """Write what sampling alone does to a cell, and what of its test units is in train."""
    train, test = read_train(inputs), read_test(inputs)
    names = unit_names(plan, inputs.train, train.n_points)
    groups = groups_to_hold(controls, names)
    options: dict[str, Any] = {"seed": controls.seed, "groups": groups, "n_threads": n_threads}
    options["tau"] = plan.tau
    found: dict[str, Any] = {"n_units": train.n_points, "grouped": groups is not None}
    if controls.halves:
        found["ceiling"] = _or_problem(lambda: _ceiling(train, controls, options))
    if test is not None and inputs.test is not None:
        of_test = unit_names(plan, inputs.test, test.n_points)
        found["leakage"] = _leakage(train, test, names, of_test)
        if controls.pseudo_tests:
            found["drift"] = _or_problem(lambda: _drift(train, test, controls, options))
    write_noted(path, SAMPLING_FORMAT, cell, **found)


def _or_problem(make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what is made, or why these units do not allow it: that is an outcome too."""
    try:
        return make()
    except InputError as error:
        return {"problem": str(error)}


def _ceiling(train: Space, controls: ControlsPlan, options: Mapping[str, Any]) -> dict[str, Any]:
    found = noise_ceiling(train.points, train.labels, n_splits=controls.halves, **options)
    return _parts(found, "halves", "labels", "left_out", "n_units")


def _drift(
    train: Space, test: Space, controls: ControlsPlan, options: Mapping[str, Any]
) -> dict[str, Any]:
    found = pseudo_test_drift(
        train.points,
        train.labels,
        test.points,
        test.labels,
        n_draws=controls.pseudo_tests,
        **options,
    )
    return {
        **_parts(found, "labels", "units", "left_out", "similarity", "seen", "unseen"),
        "moved_seen": found.moved_seen.mean(axis=1),
        "moved_unseen": found.moved_unseen.mean(axis=1),
        "moved": _by_label("distance", found.labels, found.moved),
    }


def _leakage(train: Space, test: Space, names: UnitNames, of_test: UnitNames) -> dict[str, Any]:
    known = names.groups is not None and of_test.groups is not None
    found = find_leakage(
        train.points,
        test.points,
        y_train=train.labels,
        y_test=test.labels,
        groups_train=names.groups if known else None,
        groups_test=of_test.groups if known else None,
    )
    return {
        "n_test": found.n_test,
        "same_vector": len(found.same_vector),
        "other_label": len(found.other_label),
        "same_group": None if found.same_group is None else len(found.same_group),
        "share": found.share,
    }


def select_cell(
    plan: Plan,
    controls: ControlsPlan,
    cell: Cell,
    inputs: Inputs,
    path: Path,
    classified: Path,
    n_threads: int,
    progress: object = None,
) -> None:
    """Write selectivity and description length of the classifier that was chosen for a cell."""
    from geoprobe.probes.classifier import ClassifierProbe

    train, test = read_both(cell, inputs)
    sizes, decay = chosen_network(read_noted(CLASSIFIER_FORMAT, classified, cell))
    grid = plan.classifier
    assert grid is not None and sizes is not None
    names = unit_names(plan, inputs.train, train.n_points)
    found: dict[str, Any] = {"hidden_sizes": sizes, "weight_decay": decay}
    if controls.control_tasks:
        assert inputs.test is not None
        of_test = unit_names(plan, inputs.test, test.n_points)
        probe = ClassifierProbe(
            hidden_sizes=(sizes,),
            weight_decays=(decay,),
            n_initialisations=grid.initialisations,
            max_epochs=grid.max_epochs,
            random_state=controls.seed,
            device=plan.device,
            n_threads=n_threads,
        )
        if names.types is None or of_test.types is None:
            found["selectivity"] = {
                "problem": "the types of the units are not known; [spaces] names them with types."
            }
        else:
            types, test_types = names.types, of_test.types
            found["selectivity"] = _or_problem(
                lambda: _selectivity(train, test, types, test_types, probe, controls)
            )
    if controls.description_length:
        groups = groups_to_hold(controls, names)
        found["code"] = _or_problem(
            lambda: _codes(train, groups, sizes, decay, plan.device, controls, n_threads)
        )
    write_noted(path, SELECTIVITY_FORMAT, cell, **found)


def _selectivity(
    train: Space, test: Space, types: Names, test_types: Names, probe: Any, controls: ControlsPlan
) -> dict[str, Any]:
    found = measure_selectivity(
        train.points,
        train.labels,
        types,
        test.points,
        test.labels,
        test_types,
        probe=probe,
        n_controls=controls.control_tasks,
        seed=controls.seed,
    )
    return _parts(found, "accuracy", "controls", "seen", "n_test_units", "n_types")


def _codes(
    train: Space,
    groups: Names | None,
    sizes: tuple[int, int],
    decay: float,
    device: str,
    controls: ControlsPlan,
    n_threads: int,
) -> dict[str, Any]:
    """Measure the code of the labels, and that of labels shuffled once."""
    once = {**_permuting(controls, groups), "n_permutations": 1}
    (rows,) = permuted_rows(train.labels, **once)
    known, shuffled = (
        online_code(
            train.points,
            labels,
            hidden_sizes=sizes,
            weight_decay=decay,
            groups=groups,
            seed=controls.seed,
            device=device,
            n_threads=n_threads,
        )
        for labels in (train.labels, train.labels[rows])
    )
    parts = _parts(known, "n_units", "n_labels", "uniform_bits", "bits")
    return {**parts, "shuffled_bits": shuffled.bits}
