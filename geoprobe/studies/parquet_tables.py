"""Tables of a study as parquet, each column in its own type, through pyarrow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from geoprobe.extras import need
from geoprobe.files.atomic import write_file
from geoprobe.studies.table_columns import type_of

_ROWS_AT_ONCE = 65536


def need_parquet() -> tuple[Any, Any]:
    """Return pyarrow and its parquet module.

    Raises
    ------
    GeoprobeError
        If pyarrow is not installed.
    """
    return need("pyarrow", "parquet", "a plan with parquet = true"), need(
        "pyarrow.parquet", "parquet", "a plan with parquet = true"
    )


def write_parquet(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write or replace a table at one stroke, so many rows in memory at a time.

    Text is as it is; what is None or NaN is null. The same rows give the same bytes with the same
    pyarrow.

    Parameters
    ----------
    path : Path
    columns : sequence of str
        Names that :func:`geoprobe.studies.table_columns.type_of` knows; others hold text.
    rows : iterable of sequences of len(columns)

    Raises
    ------
    GeoprobeError
        If pyarrow is not installed.
    StoreError
        If the system refuses.
    """
    pa, parquet = need_parquet()
    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    schema = pa.schema([(name, types[type_of(name)]) for name in columns])

    def fill(unfinished: Path) -> None:
        left = iter(rows)
        with parquet.ParquetWriter(unfinished, schema, compression="zstd") as writer:
            while block := list(islice(left, _ROWS_AT_ONCE)):
                values = zip(*block, strict=True)
                arrays = [
                    pa.array([_plain(value) for value in column], field.type)
                    for column, field in zip(values, schema, strict=True)
                ]
                writer.write_table(pa.table(arrays, schema=schema))

    write_file(path, fill)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        # A lone surrogate cannot be written as UTF-8; in csv it becomes the same.
        return value.encode("utf8", errors="replace").decode("utf8")
    return None if isinstance(value, float) and math.isnan(value) else value
