"""Folders of the library datasets, as ``save_to_disk`` writes them, read by rows."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError
from geoprobe.spaces.formats.arrow_columns import column_form, column_values
from geoprobe.spaces.formats.named_arrays import StoredArray, listed, need

_HEADS = ("state.json", "dataset_dict.json")


def is_datasets_folder(path: Path) -> bool:
    """Tell whether ``save_to_disk`` wrote a folder."""
    return any((path / head).is_file() for head in _HEADS)


class DatasetsTable:
    """The columns of one split of a data set; labels of a ClassLabel are read as their names."""

    kind = "column"
    points: tuple[str, ...] = ("X",)
    labels: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        self.path: Path | None = path
        datasets = need("datasets", "datasets", path)
        try:
            found = datasets.load_from_disk(str(path))
        # The library parses JSON and Arrow with errors of many kinds.
        except Exception as error:
            raise FormatError(f"the data set is damaged or cut off: {error}.", path) from error
        if isinstance(found, datasets.DatasetDict):
            raise FormatError(
                f"the folder holds the splits {listed(found)}; name one of them, such as "
                f"{path / next(iter(found), 'train')}.",
                path,
            )
        self._features = found.features
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
        kind = self._rows_of.features.arrow_schema.field(name).type
        dtype, is_list = column_form(kind, name, self.path)
        names = getattr(self._features[name], "names", None)
        if names is not None:
            return StoredArray((n_rows,), "str", partial(self._named, name, list(names)))
        shape: tuple[int, ...] = (n_rows,)
        if is_list:
            shape = (n_rows, self._rows(name, 0, 1).shape[1] if n_rows else 0)
        return StoredArray(shape, dtype, partial(self._rows, name))

    def _rows(self, name: str, begin: int, end: int) -> NDArray[Any]:
        try:
            part = self._rows_of[begin : min(end, len(self._rows_of))].column(name)
        # As above.
        except Exception as error:
            raise FormatError(
                f"the column {name!r} is damaged or cut off: {error}.", self.path
            ) from error
        return column_values(part, name, begin, self.path)

    def _named(self, name: str, names: list[str], begin: int, end: int) -> NDArray[Any]:
        codes = self._rows(name, begin, end)
        bad = (codes < 0) | (codes >= len(names))
        if bad.any():
            row = int(np.argmax(bad))
            raise FormatError(
                f"the column {name!r} has the class {codes[row]} in row {begin + row}, but there "
                f"are the classes 0 to {len(names) - 1}.",
                self.path,
            )
        return np.asarray(np.array(names)[codes])
