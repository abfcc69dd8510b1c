"""Looks into the files of given spaces: sizes, labels, and what cannot be used, before any work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from geoprobe.errors import FormatError, GeoprobeError, InputError
from geoprobe.geometry import Cell
from geoprobe.memory import nothing_to_free
from geoprobe.processes import end_processes, in_processes
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.reference.inputs import clusters_file
from geoprobe.spaces.source import Source
from geoprobe.studies.given import Given
from geoprobe.studies.given_index import GivenIndex, Look

_MOST_NAMES = 5
# A process takes as long to start as to look at a thousand files.
_MANY = 2000
_BATCH = 100


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
