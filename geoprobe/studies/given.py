"""Given spaces: from the pattern or table of a plan to cells, and to the files of their points."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from geoprobe.errors import FormatError, InputError
from geoprobe.files.name_patterns import NamePattern, fill_in, find_files, names_in
from geoprobe.geometry import Cell
from geoprobe.schema import named_path
from geoprobe.spaces.keys import SPLITS
from geoprobe.spaces.points_file import is_table
from geoprobe.spaces.row_tables import read_rows
from geoprobe.spaces.source import Source
from geoprobe.spaces.space_files import array_names, is_label_file, is_source
from geoprobe.studies.spaces_plan import FILE_COLUMNS, NAMES, WHOLE, SpacesPlan, check_names

# pandas writes a column of whole numbers as 100.0 where some are missing.
_USUAL_LABELS = ("y", "labels", "label")
_MOST_DIGITS = 15
_WHOLE_NUMBER = re.compile(r"([0-9]+)(?:\.0+)?")


class Given(NamedTuple):
    """The files of one cell."""

    train: Source
    test: Source | None


@dataclass(frozen=True)
class _Named:
    """A file of a plan: what its name or its row says, and where that is said."""

    where: str
    path: Path
    values: dict[str, str]
    points: str | None
    labels: str | None
    row: Mapping[str, str] = field(default_factory=dict)


def find_given(plan: SpacesPlan, text_tasks: Collection[str] = ()) -> dict[Cell, Given]:
    """Find the files of given spaces and say of which cells they are; none is opened for it.

    Only where a plan says nothing of splits, or ``points`` is a pattern, files are asked for the
    names of their arrays.

    Parameters
    ----------
    plan : SpacesPlan
    text_tasks : collection of str
        Tasks whose spaces are extracted from text.

    Returns
    -------
    dict of Cell to Given
        In the order of :attr:`Cell.order`.

    Raises
    ------
    InputError, FormatError
        Naming the file, and the row of a table: a file that is not there, a name that is missing or
        no number, two files for one cell, a cell without points to train, a task that is text.
    """
    found: dict[Cell, dict[str, tuple[str, Source]]] = {}
    for one in _named_files(plan):
        split = _split(plan, one)
        if split is None:
            continue
        cell = _cell(plan, one)
        if cell.task in text_tasks:
            raise InputError(
                f"{one.where}: the task {cell.task!r} is text in this plan, so its spaces cannot "
                f"be given as well; call one of them otherwise."
            )
        splits = found.setdefault(cell, {})
        for name, source in _sources(plan, one, split):
            if name in splits:
                raise InputError(_twice(cell, name, splits[name][0], one))
            splits[name] = one.where, source
    for cell, splits in found.items():
        if "train" not in splits:
            where, _ = splits["test"]
            raise InputError(
                f"{where}: there are points to test of {cell}, but no file of points to train."
            )
    if not found:
        raise InputError(f"no file of {plan.files!r} is of a split that spaces.splits names.")
    return {
        cell: Given(found[cell]["train"][1], found[cell].get("test", (None, None))[1])
        for cell in sorted(found, key=lambda cell: cell.order)
    }


def _twice(cell: Cell, split: str, first: str, second: _Named) -> str:
    message = f"two files are of the split {split!r} of {cell}: {first} and {second.where}"
    if cell.tuned_on is None and second.values.get("tuned_on"):
        message += "; a step of 0 is the model before any training, whatever it is tuned on"
    return f"{message}."


def _named_files(plan: SpacesPlan) -> Iterator[_Named]:
    """Yield every file with what is said of it; in files of several layers, once for each."""
    for one in _table_rows(plan) if plan.is_table else _pattern_files(plan):
        named = names_in(one.points) if one.points else ()
        unknown = [name for name in named if name not in one.values]
        if not unknown:
            yield one
            continue
        kept = {name: f"{{{name}}}" for name in unknown}
        pattern = NamePattern(fill_in(one.points or "", {**one.values, **kept}), WHOLE)
        names = array_names(one.path)
        read = [(name, values) for name in names if (values := pattern.read(name)) is not None]
        if not read:
            raise FormatError(
                f"no array fits the pattern {one.points!r}; the arrays are: "
                f"{', '.join(map(repr, names)) or 'none at all'}.",
                one.path,
            )
        for name, values in read:
            where = f"{one.where}, {name}"
            yield replace(one, where=where, points=name, values={**one.values, **values})


def _pattern_files(plan: SpacesPlan) -> Iterator[_Named]:
    fixed = {name: str(value) for name, value in plan.fixed.items()}
    for path, values in find_files(plan.files, plan.folder, WHOLE, is_other=is_source):
        yield _Named(str(path), path, {**values, **fixed}, plan.points, plan.labels)


def _table_rows(plan: SpacesPlan) -> Iterator[_Named]:
    table = named_path(plan.files, plan.folder)
    columns, rows = read_rows(table)
    fixed = {name: str(value) for name, value in plan.fixed.items()}
    if "file" not in columns:
        raise FormatError(
            f"there is no column 'file'; the columns are {', '.join(map(repr, columns))}.", table
        )
    for name in fixed:
        if name in columns:
            raise FormatError(f"{name} is a column, and spaces.fixed says it as well.", table)
    told = tuple(name for name in columns if name not in FILE_COLUMNS)
    check_names((*told, *fixed, *names_in(plan.points or "")), str(table))
    for place, row in rows:
        where = f"{table}, {place}"
        if not row["file"]:
            raise InputError(f"{where}: the column 'file' is empty.")
        path = named_path(row["file"], table.parent)
        if not is_source(path):
            raise InputError(f"{where}: there is no file {path}.")
        values = {name: row[name] for name in told}
        for name in ("labels", "groups", "types"):
            if is_label_file(row.get(name, "")):
                row[name] = str(named_path(row[name], table.parent))
        points, labels = (row.get(name) or getattr(plan, name) for name in ("points", "labels"))
        said = {name: row[name] for name in FILE_COLUMNS if row.get(name)}
        for name in said.keys() & {"label_set", "clusters"}:
            said[name] = str(named_path(said[name], table.parent))
        yield _Named(where, path, {**values, **fixed}, points, labels, said)


def _split(plan: SpacesPlan, one: _Named) -> str | None:
    """Return the split of a file; ``""`` where nothing is said of it, None if it is left alone."""
    said = one.values.get("split", "")
    if not said and "split" not in one.values:
        return ""
    called = {split: getattr(plan.splits, split, split) for split in SPLITS}
    for split, name in called.items():
        if said == name:
            return split
    if plan.splits is not None and said:
        return None
    raise InputError(
        f"{one.where}: the split is {said!r}, but 'train' or 'test' is expected; [spaces.splits] "
        f'says what else they are called, such as test = "dev".'
    )


def _cell(plan: SpacesPlan, one: _Named) -> Cell:
    said = {name: text for name, text in one.values.items() if name != "split"}
    number = {name: _whole(one, name, said.get(name, "")) for name in WHOLE}
    for name in said:
        optional = name in ("step", "seed", "tuned_on")
        if not said[name] and not optional:
            raise InputError(f"{one.where}: {name} is empty.")
    task, step, tuned_on = said["task"], number["step"], said.get("tuned_on") or None
    if tuned_on is not None and step is None:
        raise InputError(
            f"{one.where}: tuned_on is {tuned_on!r}, but no step is said; say the number of "
            f"updates, which is 0 before them."
        )
    tuned = bool(step)
    group = tuple(sorted((name, said[name]) for name in said if name not in NAMES))
    return Cell(
        task=task,
        model=said["model"],
        layer=number["layer"] or 0,
        tuned_on=(tuned_on or task) if tuned else None,
        seed=number["seed"] or 0 if tuned else number["seed"],
        step=step or 0,
        group=group,
    )


def _whole(one: _Named, name: str, text: str) -> int | None:
    if not text and name != "layer":
        return None
    match = _WHOLE_NUMBER.fullmatch(text)
    if match is None or len(match[1]) > _MOST_DIGITS:
        raise InputError(
            f"{one.where}: {name} is {text!r:.80}, but a whole number of at most {_MOST_DIGITS} "
            f"digits is expected."
        )
    return int(match[1])


def _sources(plan: SpacesPlan, one: _Named, split: str) -> Iterator[tuple[str, Source]]:
    """Yield the splits that a file holds, and how each is read."""
    points = None if one.points is None else fill_in(one.points, one.values)
    labels = None if one.labels is None else fill_in(one.labels, one.values)
    beside = labels is not None and is_label_file(labels)
    if labels is not None and beside:
        labels = str(named_path(labels, plan.folder))
    clusters = one.row.get("clusters") or plan.clusters
    groups, types = (_beside(plan, one, what, points) for what in ("groups", "types"))
    source = Source(
        path=one.path,
        points=points,
        labels=labels,
        column=plan.column,
        label_set=one.row.get("label_set"),
        mask=plan.mask,
        position=plan.position,
        float32=plan.float32,
        subsample=_whole(one, "subsample", one.row.get("subsample", "")),
        seed=_whole(one, "subsample_seed", one.row.get("subsample_seed", "")) or 0,
        groups=groups,
        types=types,
    )
    if clusters is None or split == "test":
        yield split or "train", source
    else:
        path = named_path(fill_in(clusters, one.values), plan.folder)
        yield split or "train", replace(source, clusters=str(path))
    if not split and not beside:
        try:
            names = array_names(one.path)
        except FormatError:
            # Whoever opens it for its points says what is wrong, and of which cell.
            return
        known = [labels] if labels else [name for name in _USUAL_LABELS if name in names]
        test = replace(
            source,
            points=f"{points or 'X'}_test",
            labels=f"{known[0]}_test" if known else None,
            mask=None if plan.mask is None else f"{plan.mask}_test",
            groups=_of_test(groups),
            types=_of_test(types),
        )
        if test.points in names and test.labels in names:
            yield "test", test


def _of_test(name: str | None) -> str | None:
    """Return what an array is called that stands beside the points to test in one file."""
    return None if name is None or is_label_file(name) else f"{name}_test"


def _beside(plan: SpacesPlan, one: _Named, what: str, points: str | None) -> str | None:
    """Return where the groups or types of a file's points are, as its row or the plan says it."""
    said: str | None = one.row.get(what) or getattr(plan, what)
    if said is None:
        return None
    name = fill_in(said, one.values)
    if is_label_file(name):
        return str(named_path(name, plan.folder))
    if points is None and is_table(one.path):
        raise InputError(
            f"{one.where}: {what} is the column {name!r}, but points does not say which columns "
            f"are coordinates, and it would be taken for one of them."
        )
    return name
