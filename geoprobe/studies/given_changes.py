"""Changes of given files since a study last looked at them, and what they forbid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from geoprobe.errors import InputError
from geoprobe.geometry import Cell, Geometry, read_geometry
from geoprobe.reference.inputs import clusters_file, read_clusters
from geoprobe.spaces.source import Source
from geoprobe.studies.given_index import GivenIndex


def changed_cells(index: GivenIndex, before: GivenIndex) -> set[Cell]:
    """Return the cells of which a file looks otherwise than the last time, or that of their start.

    Parameters
    ----------
    index : GivenIndex
    before : GivenIndex
        What was found the last time.
    """
    changed = {
        cell
        for cell, given in index.files.items()
        if any(s is not None and before.looks.get(s) != index.looks[s] for s in given)
    }
    return changed | {cell for cell in index.files if cell.start(index.files) in changed}


def refuse_changed(
    index: GivenIndex, before: GivenIndex | None, geometry: Callable[[Cell], Path]
) -> None:
    """Refuse to go on where files no longer hold the points that were measured.

    Parameters
    ----------
    index : GivenIndex
    before : GivenIndex or None
        What was found the last time; files that look the same are believed to be the same.
    geometry : callable
        Takes a cell and returns the path of its geometry.

    Raises
    ------
    InputError
        Naming the file and the geometry.
    """
    known = {} if before is None else before.looks
    for cell, given in index.files.items():
        changed = [s for s in given if s is not None and known.get(s) != index.looks[s]]
        if not changed or cell in index.problems:
            continue
        path = geometry(cell)
        if not path.is_file():
            continue
        measured = read_geometry(path)
        if given.train in changed and given.train.clusters is not None:
            _refuse_other_clusters(given.train, measured, path)
        noted = [measured.fingerprints, measured.predictions and measured.predictions.fingerprints]
        for source, fingerprints in zip(given, noted, strict=True):
            if source in changed and fingerprints is None:
                raise InputError(
                    f"{source.path}: the space was measured without points to test ({path}); "
                    f"choose another folder for the study, or remove that file."
                )
            if source in changed and fingerprints != source.read().fingerprints():
                raise InputError(
                    f"{source.path}: these are not the points that were measured ({path}); choose "
                    f"another folder for the study."
                )


def refuse_other_groups(
    index: GivenIndex, before: GivenIndex | None, controls: Callable[[Cell], Sequence[Path]]
) -> None:
    """Refuse to go on where controls were computed with other groups or types than are named now.

    Parameters
    ----------
    index : GivenIndex
    before : GivenIndex or None
        What was found the last time.
    controls : callable
        Takes a cell and returns the files of its controls.

    Raises
    ------
    InputError
        Naming both, and the file of a control.
    """
    known = {} if before is None else before.files
    for cell, given in index.files.items():
        for source, old in zip(given, known.get(cell, (None, None)), strict=True):
            if source is None or old is None:
                continue
            for what in ("groups", "types"):
                now, then = getattr(source, what), getattr(old, what)
                # A file that was only moved is the same.
                names = [None if said is None else Path(said).name for said in (now, then)]
                if names[0] != names[1] and (paths := controls(cell)):
                    raise InputError(
                        f"{source.path}: its {what} are {now!r} now, but were {then!r} when its "
                        f"controls were computed ({paths[0]}); choose another folder for the "
                        f"study, or remove the controls."
                    )


def _refuse_other_clusters(source: Source, measured: Geometry, path: Path) -> None:
    """Refuse a partition that is not the one measured, whatever the numbers of its clusters."""
    ids = read_clusters(clusters_file(source.clusters or ""), measured.n_units, source.path or "")
    before = measured.need_clusters().assignment
    pairs = set(zip(ids.tolist(), before.tolist(), strict=True))
    if not len(pairs) == len(np.unique(ids)) == len(np.unique(before)):
        raise InputError(
            f"{source.clusters}: these are not the clusters that were measured ({path}); choose "
            f"another folder for the study."
        )
