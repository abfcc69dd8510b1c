"""The index of given spaces: what was found in their files, kept in the folder of a study."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from geoprobe.errors import FormatError, GeoprobeError, InputError
from geoprobe.files.json_files import read_json, write_json
from geoprobe.geometry import Cell, Geometry, read_geometry
from geoprobe.memory import nothing_to_free
from geoprobe.processes import end_processes, in_processes
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.reference.inputs import clusters_file, read_clusters
from geoprobe.spaces.source import Source
from geoprobe.studies.given import Given

FORMAT = "geoprobe-given"
VERSION = 1
_MOST_NAMES = 5
# A process takes as long to start as to look at a thousand files.
_MANY = 2000
_BATCH = 100


@dataclass(frozen=True)
class Look:
    """What a file was found to hold, without its points.

    Attributes
    ----------
    stamp : tuple of int
        Size and time of the file, and of the file of its labels if there is one. Another stamp
        means that the file is looked at again.
    n_units, n_dims : int
    dtype : str
        Type of the numbers as they are stored.
    labels : tuple of str
        The different labels, sorted.
    problem : str
        Why the file cannot be used; empty if it can.
    """

    stamp: tuple[int, ...]
    n_units: int = 0
    n_dims: int = 0
    dtype: str = ""
    labels: tuple[str, ...] = ()
    problem: str = ""

    @property
    def n_bytes(self) -> int:
        """What the numbers take in memory at the least, as they are worked on."""
        return self.n_units * self.n_dims * np.dtype(np.float64).itemsize


@dataclass(frozen=True)
class GivenIndex:
    """The files of all given cells, and what was found in them.

    Attributes
    ----------
    files : dict of Cell to Given
    looks : dict of Source to Look
        Of every file of them.
    problems : dict of Cell to str
        Why a cell cannot be measured.
    """

    files: Mapping[Cell, Given]
    looks: Mapping[Source, Look]
    problems: Mapping[Cell, str]


@nothing_to_free()
def look_at(
    files: Mapping[Cell, Given],
    *,
    unseen: str,
    before: GivenIndex | None = None,
    believed: Callable[[Cell], bool] | None = None,
    n_workers: int = 1,
    progress: ProgressCallback | None = None,
) -> GivenIndex:
    """Look at the files of given cells, and at those alone that have changed since.

    Parameters
    ----------
    files : mapping of Cell to Given
    unseen : {"error", "wrong"}
        What becomes of labels that only the test split has.
    before : GivenIndex, optional
        What was found the last time.
    believed : callable, optional
        Of a cell, whether what was found the last time is believed without a look at the stamps.
    n_workers : int, default=1
        Processes that look, where there is enough to look at.
    progress : callable, optional

    Raises
    ------
    InputError
        If the files of one task and model hold numbers of different types.
    """
    known = {} if before is None else before.looks
    sources = list(dict.fromkeys(source for cell in files.values() for source in cell if source))
    unasked = {
        source
        for cell, given in files.items()
        if believed is not None and believed(cell)
        for source in given
    }
    same = {
        source: old
        for source in sources
        if (old := known.get(source))
        and not old.problem
        and (source in unasked or old.stamp == _stamp(source))
    }
    unseen_files = [source for source in sources if source not in same]
    seen: dict[Source, Look] = {}
    workers = n_workers if len(unseen_files) >= _MANY else 1
    found = in_processes([partial(_look, one) for one in unseen_files], workers, at_once=_BATCH)
    for source, look in zip(unseen_files, found, strict=True):
        seen[source] = look
        if progress is not None:
            progress(Progress("looking at files", len(same) + len(seen), len(sources)))
    if workers > 1:
        end_processes()
    looks = {source: same.get(source) or seen[source] for source in sources}
    _refuse_mixed_types(files, looks)
    problems = {
        cell: problem
        for cell, given in files.items()
        if (problem := _problem(given, looks, unseen))
    }
    return GivenIndex(files, looks, problems)


def _look(source: Source) -> Look:
    stamp = _stamp(source)
    try:
        found = source.open()
        if found.labels is None:
            raise FormatError(
                "the file holds no labels; labels in [spaces] names them.", source.path
            )
    except GeoprobeError as error:
        return Look(stamp, problem=str(error))
    labels = tuple(sorted({str(label) for label in found.labels.tolist()}))
    n_units, n_dims = found.shape
    drawn = n_units if source.subsample is None else min(n_units, source.subsample)
    return Look(stamp, drawn, n_dims, "float32" if source.float32 else found.dtype, labels)


def _stamp(source: Source) -> tuple[int, ...]:
    """Return size and time of a file and of the file of its labels; nothing if it is gone."""
    clusters = None if source.clusters is None else clusters_file(source.clusters)
    paths = [source.path, source.labels_file, clusters]
    try:
        stats = [path.stat() for path in paths if path is not None]
    except OSError:
        return ()
    return tuple(number for stat in stats for number in (stat.st_size, stat.st_mtime_ns))


def _refuse_mixed_types(files: Mapping[Cell, Given], looks: Mapping[Source, Look]) -> None:
    first: dict[tuple[str, str], Source] = {}
    for cell, given in files.items():
        for source in given:
            if source is None or looks[source].problem:
                continue
            other = first.setdefault((cell.task, cell.representation), source)
            if looks[other].dtype != looks[source].dtype:
                raise InputError(
                    f"the numbers of one model should be of one type, but those of "
                    f"{cell.task} {cell.representation} are {looks[other].dtype} in {other.path} "
                    f"and {looks[source].dtype} in {source.path}."
                )


def _problem(given: Given, looks: Mapping[Source, Look], unseen: str) -> str:
    """Return why a cell cannot be measured; empty if it can."""
    train = looks[given.train]
    if train.problem:
        return train.problem
    if len(train.labels) < 2:
        return (
            f"{given.train.path}: every label is {train.labels[0]!r}, but at least 2 different "
            f"labels are needed."
        )
    if given.test is None:
        return ""
    test = looks[given.test]
    if test.problem:
        return test.problem
    if test.n_dims != train.n_dims:
        return (
            f"{given.test.path}: the points to test have {test.n_dims} dimensions, but those to "
            f"train in {given.train.path} have {train.n_dims}."
        )
    new = sorted(set(test.labels) - set(train.labels))
    if new and unseen == "error":
        shown = ", ".join(map(repr, new[:_MOST_NAMES])) + " ..." * (len(new) > _MOST_NAMES)
        return (
            f"{given.test.path}: {shown} among the labels to test is not among those to train in "
            f'{given.train.path}; with unseen = "wrong" in [spaces] it counts as predicted wrongly.'
        )
    return ""


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


def refuse_changed(index: GivenIndex, before: GivenIndex | None, geometry: Any) -> None:
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
        path: Path = geometry(cell)
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


def write_index(index: GivenIndex, path: Path) -> None:
    """Write an index at one stroke.

    Raises
    ------
    StoreError
        If the system refuses.
    """
    sources = list(index.looks)
    position = {source: at for at, source in enumerate(sources)}
    label_sets = list(dict.fromkeys(look.labels for look in index.looks.values()))
    of_set = {labels: at for at, labels in enumerate(label_sets)}
    files = []
    for source in sources:
        look = index.looks[source]
        said = {**vars(source), "path": str(source.path)}
        found = {**vars(look), "labels": of_set[look.labels]}
        files.append({"source": said, "found": found})
    cells = [
        {
            "cell": cell.as_dict(),
            "train": position[given.train],
            "test": None if given.test is None else position[given.test],
            "problem": index.problems.get(cell, ""),
        }
        for cell, given in index.files.items()
    ]
    content = {"label_sets": label_sets, "files": files, "cells": cells}
    write_json(path, {"format": FORMAT, "format_version": VERSION, **content}, indent=None)


@nothing_to_free()
def read_index(path: Path) -> GivenIndex:
    """Read an index.

    Raises
    ------
    FormatError
        If the file is missing, damaged, or of another kind or version.
    """
    noted = read_json(path, FORMAT, VERSION)
    try:
        label_sets = [tuple(map(str, labels)) for labels in noted["label_sets"]]
        pairs = [_file(each, label_sets) for each in noted["files"]]
        sources = [source for source, _ in pairs]
        cells = [(Cell.from_dict(each["cell"]), each) for each in noted["cells"]]
        files = {cell: Given(*_at(sources, (each["train"], each["test"]))) for cell, each in cells}
        problems = {cell: str(each["problem"]) for cell, each in cells if each["problem"]}
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise FormatError(f"the index does not fit together ({error}).", path) from error
    return GivenIndex(files, dict(pairs), problems)


def _at(sources: list[Source], positions: Iterable[int | None]) -> list[Any]:
    return [None if at is None else sources[at] for at in positions]


def _file(noted: dict[str, Any], label_sets: list[tuple[str, ...]]) -> tuple[Source, Look]:
    said, found = noted["source"], noted["found"]
    look = Look(
        tuple(map(int, found["stamp"])),
        int(found["n_units"]),
        int(found["n_dims"]),
        str(found["dtype"]),
        label_sets[found["labels"]],
        str(found["problem"]),
    )
    return Source(**{**said, "path": Path(said["path"])}), look
