"""Tables of Arrow's, read batch by batch through pyarrow: parquet and Arrow files."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError, GeoprobeError
from geoprobe.files.text_files import checked_file
from geoprobe.spaces.formats.arrow_columns import column_form, column_values, joint_type
from geoprobe.spaces.formats.named_arrays import StoredArray, TableColumns, Walk, fault, need
from geoprobe.spaces.formats.signatures import ARROW, PARQUET, STREAM, check_signature

BATCH = 4096
Batches = Iterator[tuple[int, Any]]


class ArrowTable(TableColumns):
    """The columns of a table that Arrow gives, read batch by batch.

    A subclass says how many rows there are, and gives the batches of some of the columns from the
    one on that holds a given row.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._pa = need("pyarrow", "parquet", path)
        # Damage raises errors of Arrow's, all of them ValueError, OSError or NotImplementedError.
        self.damage: tuple[type[Exception], ...] = (
            self._pa.ArrowException,
            ValueError,
            OSError,
            KeyError,
        )
        try:
            self._schema, self._n_rows = self._open()
        except self.damage as error:
            raise fault(f"the file is damaged or cut off: {error}.", path) from error
        # How long the lists of a column are.
        self._lengths: dict[str, int] = {}
        self.names = list(self._schema.names)
        twice = {name for name in self.names if self.names.count(name) > 1}
        if twice:
            raise fault(f"the column {min(twice)!r} is there more than once.", path)

    def _open(self) -> tuple[Any, int]:
        """Return the schema and the number of rows."""
        raise NotImplementedError

    def _batches(self, names: list[str], row: int) -> Batches:
        """Yield batches of some columns with the row that each begins at."""
        raise NotImplementedError

    def array(self, name: str) -> StoredArray:
        """Return one column, of which nothing but the first row is read.

        Raises
        ------
        FormatError
            If it holds neither numbers, nor lists of numbers, nor text, or is damaged.
        """
        dtype, is_list = column_form(self._schema.field(name).type, name, self.path)
        walk = self._walk([name])
        shape: tuple[int, ...] = (self._n_rows,)
        if is_list:
            self._lengths[name] = walk.rows(0, 1).shape[1] if self._n_rows else 0
            shape = (self._n_rows, self._lengths[name])
        return StoredArray(shape, dtype, walk.rows)

    def columns(self, names: list[str]) -> StoredArray:
        """Return columns of numbers side by side, unread, shape (n_rows, n_columns).

        Raises
        ------
        FormatError
            If one of them does not hold one number a row.
        """
        dtype = joint_type({name: self._schema.field(name).type for name in names}, self.path)
        walk = self._walk(names, side_by_side=True)
        return StoredArray((self._n_rows, len(names)), dtype, walk.rows)

    def _walk(self, names: list[str], side_by_side: bool = False) -> Walk:
        start = partial(self._blocks, names, side_by_side)
        return Walk(start, f"the column {names[0]!r}", self.path)

    def _blocks(
        self, names: list[str], side_by_side: bool, row: int
    ) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield the values of some columns, batch by batch; what is damaged is told by names."""
        try:
            for begin, batch in self._batches(names, row):
                parts = [
                    column_values(
                        batch.column(name), name, begin, self.path, self._lengths.get(name)
                    )
                    for name in names
                ]
                yield begin, np.stack(parts, axis=1) if side_by_side else parts[0]
        except GeoprobeError:
            raise
        except self.damage as error:
            raise fault(
                f"the column {', '.join(map(repr, names[:3]))} is damaged or cut off: {error}.",
                self.path,
            ) from error


class ParquetTable(ArrowTable):
    """The columns of a parquet file."""

    path: Path

    def __init__(self, path: Path) -> None:
        check_signature(checked_file(path), "parquet", PARQUET)
        self._parquet = need("pyarrow.parquet", "parquet", path)
        super().__init__(path)

    def _open(self) -> tuple[Any, int]:
        with self._parquet.ParquetFile(self.path) as file:
            return file.schema_arrow, int(file.metadata.num_rows)

    def whole(self) -> Any:
        """Return all of it as a table of pyarrow's."""
        with self._parquet.ParquetFile(self.path) as file:
            return file.read()

    def _batches(self, names: list[str], row: int) -> Batches:
        with self._parquet.ParquetFile(self.path, memory_map=True) as file:
            begin, first = 0, 0
            for first in range(file.num_row_groups):
                n_rows = file.metadata.row_group(first).num_rows
                if begin + n_rows > row:
                    break
                begin += n_rows
            groups = range(first, file.num_row_groups)
            for batch in file.iter_batches(BATCH, row_groups=groups, columns=names):
                yield begin, batch
                begin += batch.num_rows


class IpcTable(ArrowTable):
    """The columns of an Arrow file (feather among them) or of an Arrow stream."""

    path: Path

    def __init__(self, path: Path) -> None:
        check_signature(checked_file(path), "Arrow", ARROW, STREAM)
        self._ipc = need("pyarrow.ipc", "parquet", path)
        super().__init__(path)

    def _open(self) -> tuple[Any, int]:
        n_rows = 0
        for batch in self._records([0]):
            n_rows += batch.num_rows
        return self._schema, n_rows

    def _batches(self, names: list[str], row: int) -> Batches:
        begin = 0
        for batch in self._records([self._schema.names.index(name) for name in names]):
            if begin + batch.num_rows > row:
                yield begin, batch
            begin += batch.num_rows

    def _records(self, fields: list[int]) -> Iterator[Any]:
        """Yield the batches of a file or of a stream, with some of their columns."""
        chosen = self._ipc.IpcReadOptions(included_fields=fields)
        with self._pa.memory_map(str(self.path)) as source:
            if source.read(len(ARROW)) == ARROW:
                file = self._ipc.open_file(source, options=chosen)
                self._schema = self._ipc.open_file(source).schema
                for at in range(file.num_record_batches):
                    yield file.get_batch(at)
                return
            source.seek(0)
            self._schema = self._ipc.open_stream(source).schema
            source.seek(0)
            yield from self._ipc.open_stream(source, options=chosen)


def read_records(path: Path) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Read a whole parquet file that lists things, as the names of its columns and its rows.

    Raises
    ------
    FormatError
        If it is damaged or no parquet, or pyarrow is not installed.
    """
    opened = ParquetTable(path)
    try:
        table = opened.whole()
        columns = [column.to_pylist() for column in table.columns]
    except opened.damage as error:
        raise FormatError(f"the file is damaged or cut off: {error}.", path) from error
    return list(opened.names), list(zip(*columns, strict=True))
