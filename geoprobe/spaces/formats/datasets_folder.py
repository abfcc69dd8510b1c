"""Data sets of the library datasets, in folders that ``save_to_disk`` writes, read by rows."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.spaces.formats.arrow_files import BATCH, ArrowTable, Batches
from geoprobe.spaces.formats.named_arrays import StoredArray, fault, listed, need

_HEADS = ("state.json", "dataset_dict.json")


def is_datasets_folder(path: Path) -> bool:
    """Tell whether ``save_to_disk`` wrote a folder."""
    return any((path / head).is_file() for head in _HEADS)


def is_dataset(source: Any) -> bool:
    """Tell whether something is a data set of the library, one split of it."""
    return hasattr(source, "column_names") and hasattr(source, "with_format")


def open_datasets_folder(path: Path) -> DatasetsTable:
    """Return the table that ``save_to_disk`` wrote to a folder.

    Raises
    ------
    FormatError
        If it is damaged, or holds several splits.
    """
    datasets = need("datasets", "datasets", path)
    try:
        found = datasets.load_from_disk(str(path))
    # The library parses JSON and Arrow with errors of many kinds.
    except Exception as error:
        raise fault(f"the data set is damaged or cut off: {error}.", path) from error
    if isinstance(found, datasets.DatasetDict):
        raise fault(
            f"the folder holds the splits {listed(found)}; name one of them, such as "
            f"{path / next(iter(found), 'train')}.",
            path,
        )
    return DatasetsTable(found, path)


class DatasetsTable(ArrowTable):
    """The columns of one split of a data set; labels of a ClassLabel are read as their names.

    Parameters
    ----------
    found : datasets.Dataset
    path : Path or None
        Of its folder; None if it is in memory.
    """

    def __init__(self, found: Any, path: Path | None = None) -> None:
        self._found = found.with_format("arrow")
        super().__init__(path)
        # The library has errors of many kinds besides those of Arrow.
        self.damage = (Exception,)

    def _open(self) -> tuple[Any, int]:
        return self._found.features.arrow_schema, len(self._found)

    def _batches(self, names: list[str], row: int) -> Batches:
        chosen = self._found.select_columns(names)
        for begin in range(row, self._n_rows, BATCH):
            yield begin, chosen[begin : min(begin + BATCH, self._n_rows)]

    def array(self, name: str) -> StoredArray:
        """Return one column, of which nothing but the first row is read.

        Raises
        ------
        FormatError
            If it holds neither numbers, nor lists of numbers, nor text, or is damaged.
        """
        stored = super().array(name)
        names = getattr(self._found.features[name], "names", None)
        if names is None:
            return stored
        return StoredArray(stored.shape, "str", partial(self._named, name, names, stored))

    def _named(
        self, name: str, names: list[str], stored: StoredArray, begin: int, end: int
    ) -> NDArray[Any]:
        codes = stored.read(begin, end)
        bad = (codes < 0) | (codes >= len(names))
        if bad.any():
            row = int(np.argmax(bad))
            raise fault(
                f"the column {name!r} has the class {codes[row]} in row {begin + row}, but there "
                f"are the classes 0 to {len(names) - 1}.",
                self.path,
            )
        return np.asarray(np.array(names)[codes])
