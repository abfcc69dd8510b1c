"""The index of given spaces: what was found in their files, kept in the folder of a study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geoprobe.errors import FormatError
from geoprobe.files.json_files import read_json, write_json
from geoprobe.geometry import Cell
from geoprobe.memory import nothing_to_free
from geoprobe.spaces.source import Source
from geoprobe.studies.given import Given

FORMAT = "geoprobe-given"
VERSION = 1


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
