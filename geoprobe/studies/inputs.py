"""Inputs of the cells of a study: where their points lie, as paths and parameters, never points."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from geoprobe.encoders.model_files import short_names
from geoprobe.errors import InputError
from geoprobe.geometry import Cell
from geoprobe.memory import nothing_to_free
from geoprobe.reference.inputs import clusters_file
from geoprobe.spaces import SpaceStore
from geoprobe.spaces.keys import SPLITS, SpaceKey
from geoprobe.spaces.source import Readable, StoredLayer
from geoprobe.studies.given import Given, find_given
from geoprobe.studies.given_index import GivenIndex
from geoprobe.studies.plan import Plan
from geoprobe.studies.study_folder import StudyFolder
from geoprobe.studies.text_facts import TextFacts, cells_of_text


class Inputs(NamedTuple):
    """Where the points of one cell lie, whatever they come from."""

    train: Readable
    test: Readable | None
    problem: str = ""
    """Why they cannot be used; empty if they can."""
    clusters: Path | None = None
    """A file with the cluster of each point to train, where they are not to be found."""
    n_bytes: int = 0
    """What their numbers take in memory at the least; 0 where that is not known."""


@nothing_to_free()
def study_inputs(
    plan: Plan,
    folder: StudyFolder,
    *,
    given: GivenIndex | None = None,
    facts: TextFacts | None = None,
) -> dict[Cell, Inputs]:
    """List the cells of a plan whose points are there, extracted or given.

    Parameters
    ----------
    plan : Plan
    folder : StudyFolder
    given : GivenIndex, optional
        What was found in the files of given spaces; read from the folder by default.
    facts : TextFacts, optional
        With them, the cells that text will become are there as well.

    Returns
    -------
    dict of Cell to Inputs
        In the order of :attr:`Cell.order`.

    Raises
    ------
    FormatError
        If a file that keeps them is damaged.
    """
    inputs = _of_text(plan, folder, facts)
    index = given or (None if plan.spaces is None else folder.given())
    if index is not None:
        inputs |= _of_index(index)
    return {cell: inputs[cell] for cell in sorted(inputs, key=lambda cell: cell.order)}


@nothing_to_free()
def planned_inputs(
    plan: Plan, folder: StudyFolder, facts: TextFacts | None = None
) -> dict[Cell, Inputs]:
    """List the cells as :func:`study_inputs` does, but given ones as the plan finds them now.

    Raises
    ------
    InputError, FormatError
        As :func:`planned_files` does.
    """
    if plan.spaces is None:
        return study_inputs(plan, folder, facts=facts)
    index = folder.given()
    problems = {} if index is None else index.problems
    given = GivenIndex(planned_files(plan), {}, problems)
    return study_inputs(plan, folder, given=given, facts=facts)


def _of_text(plan: Plan, folder: StudyFolder, facts: TextFacts | None) -> dict[Cell, Inputs]:
    found = stored_inputs(_extracted(plan, folder.store), folder.store)
    if facts is None:
        return found
    names = short_names(plan.models)
    known = stored_inputs(cells_of_text(plan, names, facts), folder.store)
    return found | {
        cell: inputs._replace(n_bytes=sum(facts.n_bytes(cell, split) for split in SPLITS))
        for cell, inputs in known.items()
    }


def stored_inputs(cells: list[Cell], store: SpaceStore) -> dict[Cell, Inputs]:
    """Return where a store keeps cells, or will keep them."""
    return {
        cell: Inputs(_layer(cell, "train", store), _layer(cell, "test", store)) for cell in cells
    }


def _layer(cell: Cell, split: str, store: SpaceStore) -> StoredLayer:
    return StoredLayer(store.root, SpaceKey.of(cell, split), cell.layer)


def planned_files(plan: Plan) -> dict[Cell, Given]:
    """Find the files of given cells in the layers of a plan; none without given spaces.

    Raises
    ------
    InputError, FormatError
        As :func:`geoprobe.studies.given.find_given` does; InputError also if no file is of a layer
        that the plan names.
    """
    if plan.spaces is None:
        return {}
    files = find_given(plan.spaces, plan.all_tasks)
    there = {cell.layer for cell in files}
    for layer in plan.layers or ():
        if layer not in there:
            raise InputError(
                f"the plan asks for layer {layer}, but the given spaces have the layers "
                f"{', '.join(map(str, sorted(there)))}."
            )
    return {
        cell: given
        for cell, given in files.items()
        if plan.layers is None or cell.layer in plan.layers
    }


def _of_index(index: GivenIndex) -> dict[Cell, Inputs]:
    """Return where the points of given cells lie."""
    found = {}
    for cell, given in index.files.items():
        looks = [index.looks.get(source) for source in given if source is not None]
        clusters = given.train.clusters
        found[cell] = Inputs(
            given.train,
            given.test,
            index.problems.get(cell, ""),
            None if clusters is None else clusters_file(clusters),
            sum(look.n_bytes for look in looks if look is not None),
        )
    return found


def _extracted(plan: Plan, store: SpaceStore) -> list[Cell]:
    """List the cells of a plan's tasks whose spaces are in the store."""
    models = set(short_names(plan.models).values())
    return [
        key.cell(layer)
        for key in store.keys()
        if key.split == "train" and _belongs(key, plan, models)
        for layer in store.open(key).layers
        if plan.layers is None or layer in plan.layers
    ]


def _belongs(key: SpaceKey, plan: Plan, models: set[str]) -> bool:
    """Whether the spaces of a key are part of the plan."""
    if key.model not in models:
        return False
    if key.tuned_on is None:
        return key.task in plan.all_tasks
    known = key.tuned_on in plan.tasks and key.seed in plan.seeds
    return known and key.task in plan.extracted(key.tuned_on)
