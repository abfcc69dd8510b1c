"""Parquet and Arrow files, read batch by batch through pyarrow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError
from geoprobe.files.text_files import checked_file
from geoprobe.spaces.formats.arrow_columns import column_form, column_values, ragged
from geoprobe.spaces.formats.named_arrays import StoredArray, need
from geoprobe.spaces.formats.signatures import ARROW, PARQUET, STREAM, check_signature

_BATCH = 4096
_Batches = Iterator[tuple[int, Any]]


class ArrowTable:
    """The columns of a parquet or Arrow file, read batch by batch.

    A subclass says how many rows there are, and gives the batches of some of the columns from the
    one on that holds a given row.
    """

    kind = "column"
    points: tuple[str, ...] = ("X",)
    labels: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        self.path: Path | None = path
        self._file_path = path
        self._pa = need("pyarrow", "parquet", path)
        # Damage raises errors of Arrow's, all of them ValueError, OSError or NotImplementedError.
        self.damage = (self._pa.ArrowException, ValueError, OSError, KeyError)
        try:
            self._schema, self._n_rows = self._open()
        except self.damage as error:
            raise FormatError(f"the file is damaged or cut off: {error}.", path) from error
        self.names: list[str] = list(self._schema.names)
        twice = {name for name in self.names if self.names.count(name) > 1}
        if twice:
            raise FormatError(f"the column {min(twice)!r} is there more than once.", path)

    def _open(self) -> tuple[Any, int]:
        """Return the schema and the number of rows."""
        raise NotImplementedError

    def _batches(self, name: str, row: int) -> _Batches:
        """Yield batches of one column with the row that each begins at."""
        raise NotImplementedError

    def array(self, name: str) -> StoredArray:
        """Return one column, of which nothing but the first row is read.

        Raises
        ------
        FormatError
            If it holds neither numbers, nor lists of numbers, nor text, or is damaged.
        """
        dtype, is_list = column_form(self._schema.field(name).type, name, self.path)
        walk = _Walk(name, partial(self._batches, name), self.damage, self._file_path)
        shape: tuple[int, ...] = (self._n_rows,)
        if is_list:
            shape = (self._n_rows, walk.rows(0, 1).shape[1] if self._n_rows else 0)
        return StoredArray(shape, dtype, walk.rows)


class _Walk:
    """A column on its way through the batches of a file, one of which is in memory."""

    def __init__(
        self,
        name: str,
        batches: Callable[[int], _Batches],
        damage: tuple[type[Exception], ...],
        path: Path,
    ) -> None:
        self._name, self._batches, self._damage, self._path = name, batches, damage, path
        self._on: _Batches | None = None
        self._begin = 0
        self._values: NDArray[Any] = np.empty(0)

    def rows(self, begin: int, end: int) -> NDArray[Any]:
        """Return the rows ``begin`` to ``end``, fastest where the last call ended at ``begin``."""
        if self._on is None or begin < self._begin:
            self._on = self._batches(begin)
            self._begin, self._values = begin, np.empty(0)
        parts: list[NDArray[Any]] = []
        at = begin
        while at < end:
            if at >= self._begin + len(self._values):
                if not self._next():
                    break
                continue
            part = self._values[at - self._begin : end - self._begin]
            if parts and part.shape[1:] != parts[0].shape[1:]:
                raise ragged(self._name, at, part.shape[1], parts[0].shape[1], self._path)
            parts.append(part)
            at += len(part)
        return np.concatenate(parts) if parts else self._values[:0]

    def _next(self) -> bool:
        assert self._on is not None
        try:
            self._begin, column = next(self._on)
        except StopIteration:
            return False
        except self._damage as error:
            raise FormatError(
                f"the column {self._name!r} is damaged or cut off: {error}.", self._path
            ) from error
        self._values = column_values(column, self._name, self._begin, self._path)
        return True


class ParquetTable(ArrowTable):
    """The columns of a parquet file."""

    def __init__(self, path: Path) -> None:
        check_signature(checked_file(path), "parquet", PARQUET)
        self._parquet = need("pyarrow.parquet", "parquet", path)
        super().__init__(path)

    def _open(self) -> tuple[Any, int]:
        with self._parquet.ParquetFile(self._file_path) as file:
            return file.schema_arrow, int(file.metadata.num_rows)

    def whole(self) -> Any:
        """Return all of it as a table of pyarrow's."""
        with self._parquet.ParquetFile(self._file_path) as file:
            return file.read()

    def _batches(self, name: str, row: int) -> _Batches:
        with self._parquet.ParquetFile(self._file_path, memory_map=True) as file:
            begin, first = 0, 0
            for first in range(file.num_row_groups):
                n_rows = file.metadata.row_group(first).num_rows
                if begin + n_rows > row:
                    break
                begin += n_rows
            groups = range(first, file.num_row_groups)
            for batch in file.iter_batches(_BATCH, row_groups=groups, columns=[name]):
                yield begin, self._pa.chunked_array([batch.column(name)])
                begin += batch.num_rows


class IpcTable(ArrowTable):
    """The columns of an Arrow file (feather among them) or of an Arrow stream."""

    def __init__(self, path: Path) -> None:
        check_signature(checked_file(path), "Arrow", ARROW, STREAM)
        self._ipc = need("pyarrow.ipc", "parquet", path)
        super().__init__(path)

    def _open(self) -> tuple[Any, int]:
        n_rows = 0
        for batch in self._records([0]):
            n_rows += batch.num_rows
        return self._schema, n_rows

    def _batches(self, name: str, row: int) -> _Batches:
        begin = 0
        for batch in self._records([self._schema.names.index(name)]):
            if begin + batch.num_rows > row:
                yield begin, self._pa.chunked_array([batch.column(0)])
            begin += batch.num_rows

    def _records(self, fields: list[int]) -> Iterator[Any]:
        """Yield the batches of a file or of a stream, with some of their columns."""
        chosen = self._ipc.IpcReadOptions(included_fields=fields)
        with self._pa.memory_map(str(self._file_path)) as source:
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
