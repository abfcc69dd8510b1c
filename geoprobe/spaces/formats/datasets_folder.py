"""Data sets of the library datasets, in folders that ``save_to_disk`` writes, read by rows."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.spaces.formats.arrow_columns import column_form, column_values, joint_type
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


class DatasetsTable:
    """The columns of one split of a data set; labels of a ClassLabel are read as their names.

    Parameters
    ----------
    found : datasets.Dataset
    path : Path or None
        Of its folder; None if it is in memory.
    """

    kind = "column"
    points: tuple[str, ...] = ("X",)
    labels: tuple[str, ...] = ()

    def __init__(self, found: Any, path: Path | None = None) -> None:
        self.path = path
        self._features = found.features
        self._schema = found.features.arrow_schema
        self._rows_of = found.with_format("arrow")
        self.names: list[str] = list(found.column_names)

    def array(self, name: str) -> StoredArray:
        """Return one column, of which nothing but the first row is read.

        Raises
        ------
        FormatError
            If it holds neither numbers, nor lists of numbers, nor text, or is damaged.
        """
        n_rows = len(self._rows_of)
        dtype, is_list = column_form(self._schema.field(name).type, name, self.path)
        names = getattr(self._features[name], "names", None)
        if names is not None:
            return StoredArray((n_rows,), "str", partial(self._named, name, list(names)))
        shape: tuple[int, ...] = (n_rows,)
        if is_list:
            shape = (n_rows, self._rows(name, 0, 1).shape[1] if n_rows else 0)
        return StoredArray(shape, dtype, partial(self._rows, name))

    def columns(self, names: list[str]) -> StoredArray:
        """Return columns of numbers side by side, unread, shape (n_rows, n_columns).

        Raises
        ------
        FormatError
            If one of them does not hold one number a row.
        """
        dtype = joint_type({name: self._schema.field(name).type for name in names}, self.path)
        read = partial(self._beside, names)
        return StoredArray((len(self._rows_of), len(names)), dtype, read)

    def _beside(self, names: list[str], begin: int, end: int) -> NDArray[Any]:
        chosen = self._part(names, begin, end)
        parts = [column_values(chosen.column(name), name, begin, self.path) for name in names]
        return np.stack(parts, axis=1)

    def _rows(self, name: str, begin: int, end: int) -> NDArray[Any]:
        return column_values(self._part([name], begin, end).column(name), name, begin, self.path)

    def _part(self, names: list[str], begin: int, end: int) -> Any:
        """Return rows of some columns as a table of Arrow's."""
        try:
            chosen = self._rows_of.select_columns(names)
            return chosen[begin : min(end, len(chosen))]
        # As above.
        except Exception as error:
            raise fault(f"the data set is damaged or cut off: {error}.", self.path) from error

    def _named(self, name: str, names: list[str], begin: int, end: int) -> NDArray[Any]:
        codes = self._rows(name, begin, end)
        bad = (codes < 0) | (codes >= len(names))
        if bad.any():
            row = int(np.argmax(bad))
            raise fault(
                f"the column {name!r} has the class {codes[row]} in row {begin + row}, but there "
                f"are the classes 0 to {len(names) - 1}.",
                self.path,
            )
        return np.asarray(np.array(names)[codes])
