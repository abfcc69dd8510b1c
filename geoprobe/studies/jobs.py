"""Jobs on single cells: each reads spaces, and writes one file that is whole.

What they work with is imported when they work: a process that only lists them starts at once.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from geoprobe.errors import FormatError, InputError
from geoprobe.findings import Network
from geoprobe.geometry import Cell, read_geometry, write_geometry
from geoprobe.reference.inputs import read_clusters
from geoprobe.spaces import Space
from geoprobe.studies.cell_files import read_noted, write_noted
from geoprobe.studies.inputs import Inputs
from geoprobe.studies.plan import ClassifierPlan, Plan

CLASSIFIER_FORMAT = "geoprobe-classifier"
MEMORISATION_FORMAT = "geoprobe-memorisation"
MOVEMENT_FORMAT = "geoprobe-movement"
# Later epochs change little, and the curves are drawn.
_MOST_CURVE_EPOCHS = 100


def read_train(inputs: Inputs) -> Space:
    """Read the points to train.

    Raises
    ------
    InputError, FormatError
        If they cannot be used; the message names the file.
    """
    if inputs.problem:
        raise InputError(inputs.problem)
    train = inputs.train.read()
    # A file may hold points to test that the plan does not speak of.
    return train if inputs.test is not None or train.test is None else replace(train, test=None)


def read_test(inputs: Inputs) -> Space | None:
    """Read the points to test, if there are any."""
    return None if inputs.test is None else inputs.test.read()


def read_both(cell: Cell, inputs: Inputs) -> tuple[Space, Space]:
    """Read the points to train and to test where nothing can be done without either.

    Labels come as text, as a geometry has them: one file may hold numbers where the other holds
    their text, and a number is never equal to a text.
    """
    train, test = read_train(inputs), read_test(inputs)
    if test is None:
        raise InputError(f"{cell} has no points to test.")
    return _with_text(train), _with_text(test)


def _with_text(space: Space) -> Space:
    return replace(space, labels=space.labels.astype(np.str_))


def load_kernels() -> None:
    """Measure a small space that overlaps, so that the kernels are compiled and in the cache."""
    from geoprobe.probes import measure

    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b", "c"], 20)
    space = Space(rng.normal(size=(60, 3)).astype(np.float32), labels)
    measure(space, test=space)


def measure_cell(
    cell: Cell, inputs: Inputs, path: Path, tau: float, n_threads: int, progress: object = None
) -> None:
    """Measure the geometry of a cell and write it to a file."""
    from geoprobe.probes import measure
    from geoprobe.probes.partition import measure_partition

    train, test = read_train(inputs), read_test(inputs)
    if inputs.clusters is None:
        geometry = measure(train, test=test, cell=cell, tau=tau, n_threads=n_threads)
    else:
        clusters = read_clusters(inputs.clusters, train.n_points, train.source or str(cell))
        try:
            geometry = measure_partition(
                train, clusters, test=test, cell=cell, tau=tau, n_threads=n_threads
            )
        except InputError as error:
            raise FormatError(str(error), inputs.clusters) from error
    write_geometry(geometry, path)


def hold_cell(
    cell: Cell,
    inputs: Inputs,
    path: Path,
    start: Path,
    tau: float,
    n_threads: int,
    progress: object = None,
) -> None:
    """Measure a cell by the clusters of the space that it was tuned from and write it."""
    from geoprobe.probes.partition import measure_partition

    original, train = read_geometry(start), read_train(inputs)
    if original.fingerprints.get("labels") != train.fingerprints()["labels"]:
        raise InputError(
            f"{cell}: its units are not those of {original.cell}, whose clusters were to be kept."
        )
    clusters = original.need_clusters().assignment
    geometry = measure_partition(train, clusters, cell=cell, tau=tau, n_threads=n_threads)
    write_geometry(geometry, path)


def move_cell(
    cell: Cell, inputs: Inputs, path: Path, start: Inputs, n_threads: int, progress: object = None
) -> None:
    """Resample how far labels have moved from the start to a cell and write the intervals."""
    from geoprobe.findings import movement_intervals

    before, after = read_train(start), read_train(inputs)
    intervals = movement_intervals(before, after)
    by_label = {label: interval._asdict() for label, interval in intervals.items()}
    write_noted(path, MOVEMENT_FORMAT, cell, intervals=by_label)


def resample_cell(
    cell: Cell,
    inputs: Inputs,
    path: Path,
    tau: float,
    n_bootstrap: int,
    n_threads: int,
    progress: object = None,
) -> None:
    """Measure the distances of a cell's labels in resamples of its units and write them."""
    from geoprobe.findings import resample_distances, save_resamples

    train = read_train(inputs)
    resampled = resample_distances(train, n_bootstrap=n_bootstrap, tau=tau, n_threads=n_threads)
    save_resamples(replace(resampled, cell=cell), path)


def classify_cell(
    cell: Cell,
    inputs: Inputs,
    path: Path,
    plan: ClassifierPlan,
    device: str,
    n_threads: int,
    progress: object = None,
) -> None:
    """Search and train the classifiers of a cell and write their accuracies."""
    from geoprobe.probes.classifier import ClassifierProbe

    train, test = read_both(cell, inputs)
    probe = ClassifierProbe(**_parameters(plan), device=device, n_threads=n_threads)
    probe.fit(train.points, train.labels)
    accuracies = probe.accuracies(test.points, test.labels)
    write_noted(
        path,
        CLASSIFIER_FORMAT,
        cell,
        plan=plan.model_dump(mode="json"),
        each=[float(value) for value in accuracies.each],
        best={name: probe.best_params_[name] for name in ("hidden_sizes", "weight_decay")},
    )


def chosen_network(content: dict[str, Any]) -> Network:
    """Return the network that a file of classifiers names as the best."""
    best = content["best"]
    first, second = best["hidden_sizes"]
    return Network((first, second), float(best["weight_decay"]))


def memorise_cell(
    cell: Cell,
    inputs: Inputs,
    path: Path,
    chosen: Path,
    plan: ClassifierPlan,
    device: str,
    n_threads: int,
    progress: object = None,
) -> None:
    """Follow classifiers of part of a cell's training units and write their curves.

    Their network is the one that the classifier probe has chosen for the cell.
    """
    from geoprobe.findings import subtrain_curves
    from geoprobe.probes.classifier import learning_curves

    train, test = read_both(cell, inputs)
    network = chosen_network(read_noted(CLASSIFIER_FORMAT, chosen, cell))
    follow = partial(
        learning_curves,
        **network._asdict(),
        n_epochs=min(plan.max_epochs, _MOST_CURVE_EPOCHS),
        n_initialisations=plan.initialisations,
        device=device,
        n_threads=n_threads,
    )
    curves = subtrain_curves(train, test, train=follow)
    write_noted(path, MEMORISATION_FORMAT, cell, curves=curves)


def leave_out_cell(
    cell: Cell, inputs: Inputs, path: Path, plan: Plan, n_threads: int, progress: object = None
) -> None:
    """Measure each unit of a cell left out of its own label, and write what that gives."""
    from geoprobe.controls import measure_units, save_units
    from geoprobe.studies.control_jobs import unit_names

    train, test = read_both(cell, inputs)
    assert inputs.test is not None
    found = measure_units(
        train,
        test,
        groups=unit_names(plan, inputs.train, train.n_points).groups,
        test_groups=unit_names(plan, inputs.test, test.n_points).groups,
        tau=plan.tau,
        n_threads=n_threads,
    )
    save_units(replace(found, cell=cell), path)


def _parameters(plan: ClassifierPlan) -> dict[str, Any]:
    return {
        "hidden_sizes": plan.hidden_sizes,
        "weight_decays": plan.weight_decays,
        "n_folds": plan.folds,
        "n_initialisations": plan.initialisations,
        "search": plan.search,
        "early_stopping": plan.early_stopping,
        "max_epochs": plan.max_epochs,
    }
