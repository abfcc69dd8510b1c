"""Columns of Arrow tables as arrays of NumPy: numbers, lists of numbers, text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.spaces.formats.named_arrays import fault, need


def column_form(kind: Any, name: str, path: Path | None) -> tuple[str, bool]:
    """Return the type of a column's numbers as NumPy calls it, and whether a row is a list of them.

    Parameters
    ----------
    kind : pyarrow.DataType
    name : str
        Of the column.
    path : Path
        Of the file, for messages.

    Raises
    ------
    FormatError
        If the column holds neither numbers, nor lists of numbers, nor text.
    """
    types = need("pyarrow.types", "parquet", path)
    is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    item = kind.value_type if is_list else kind
    if types.is_dictionary(item):
        item = item.value_type
    if types.is_floating(item) or types.is_integer(item) or types.is_boolean(item):
        return str(np.dtype(item.to_pandas_dtype())), is_list
    if not is_list and (types.is_string(item) or types.is_large_string(item)):
        return "str", False
    raise fault(
        f"the column {name!r} has the type {kind}, but numbers, lists of numbers, or text for "
        f"labels, are expected.",
        path,
    )


def joint_type(kinds: dict[str, Any], path: Path | None) -> str:
    """Return the type of number that holds the numbers of several columns.

    Parameters
    ----------
    kinds : dict of str to pyarrow.DataType
        The types of the columns by name.
    path : Path
        Of the file, for messages.

    Raises
    ------
    FormatError
        If one of them does not hold one number a row.
    """
    dtypes = []
    for name, kind in kinds.items():
        dtype, is_list = column_form(kind, name, path)
        if is_list or dtype == "str":
            what = f"the type {kind}" if is_list else "dtype str"
            raise fault(
                f"the column {name!r} has {what}, but numbers are expected, one a row, where "
                f"several columns make up a point.",
                path,
            )
        dtypes.append(np.dtype(dtype))
    return str(np.result_type(*dtypes))


def column_values(
    column: Any, name: str, first_row: int, path: Path | None, length: int | None = None
) -> NDArray[Any]:
    """Return a part of a column.

    Parameters
    ----------
    column : pyarrow.Array or pyarrow.ChunkedArray
    name : str
        Of the column.
    first_row : int
        Where the part begins in the file, for messages.
    path : Path
        Of the file, for messages.
    length : int, optional
        Of every list in a column of lists; by default that of the first one.

    Returns
    -------
    ndarray, shape (n_rows,), or (n_rows, n_numbers) for a column of lists

    Raises
    ------
    FormatError
        Naming the first row that is empty, holds an empty number, or is of another length; or if
        the column is damaged.
    """
    _, is_list = column_form(column.type, name, path)
    array = _sound(column, name, path)
    _refuse_null(array, name, first_row, 1, path)
    if not is_list:
        return np.asarray(array.to_numpy(zero_copy_only=False))
    lengths = need("pyarrow.compute", "parquet", path).list_value_length(array)
    lengths = lengths.to_numpy(zero_copy_only=False)
    if len(lengths) == 0:
        return np.empty((0, 0))
    length = int(lengths[0]) if length is None else length
    other = lengths != length
    if other.any():
        row = int(np.argmax(other))
        raise fault(
            f"the column {name!r} has {lengths[row]} numbers in row {first_row + row}, but "
            f"{length} are expected, as in the rows before; vectors of one space are of one "
            f"length.",
            path,
        )
    numbers = array.flatten()
    _refuse_null(numbers, name, first_row, length, path)
    return np.reshape(numbers.to_numpy(zero_copy_only=False), (len(lengths), length))


def _sound(column: Any, name: str, path: Path | None) -> Any:
    """Return a column as one array, whose lists and texts lie within what is there."""
    pa = need("pyarrow", "parquet", path)
    try:
        column.validate(full=True)
        array = column
        if isinstance(column, pa.ChunkedArray):
            chunks = column.chunks
            array = pa.concat_arrays(chunks) if chunks else pa.array([], column.type)
        return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
    except (pa.ArrowException, ValueError, IndexError) as error:
        raise fault(f"the column {name!r} is damaged or cut off: {error}.", path) from error


def _refuse_null(array: Any, name: str, first_row: int, per_row: int, path: Path | None) -> None:
    if array.null_count == 0:
        return
    at = int(np.argmax(array.is_null().to_numpy(zero_copy_only=False)))
    raise fault(
        f"the column {name!r} has no value in row {first_row + at // max(per_row, 1)}, but every "
        f"row needs one.",
        path,
    )
