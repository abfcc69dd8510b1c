"""The one place where arrays of points and labels are validated."""

from __future__ import annotations

import contextlib
import numbers
import warnings
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import InputError, InputTypeError, InputWarning

# Between these magnitudes the squared distance of two points neither overflows nor, for any two
# float64 numbers that differ, vanishes by underflow.
_LARGEST = 1e140
_SMALLEST = 1e-130
_LARGEST_EXACT_INT = 2**53
_CHUNK_ELEMENTS = 1 << 22
_NUMBERS = (numbers.Real, Decimal, np.bool_)
# With the usual tau of 1e-7, differences of a ten-thousandth of all other points' radius vanish.
_DOMINATES = 1000.0


def as_points(
    points: Any, *, name: str = "X", min_points: int = 1, copy: bool = False
) -> NDArray[Any]:
    """Validate points and bring them to the form that all of geoprobe works on.

    Parameters
    ----------
    points : array-like, shape (n_points, n_dims)
        Numbers: NumPy arrays (memory-mapped, read-only and non-contiguous ones too), torch
        tensors, data frames, nested lists. float16 becomes float32; integers, booleans and Python
        objects that are numbers, such as nullable columns of pandas give, become float64.
    name : str
        What to call the points in error messages.
    min_points : int
        The smallest number of rows allowed.
    copy : bool
        Whether the answer may share no memory with ``points``.

    Returns
    -------
    ndarray of float32 or float64, shape (n_points, n_dims)
        C-contiguous and in native byte order.

    Raises
    ------
    InputError
        For anything that is not a table of finite real numbers whose squared distances float64
        can hold; the message names the first bad row. Objects that are neither numbers nor text
        raise an InputTypeError, which is one.
    """
    array = on_host(points, name)
    if array.dtype.kind == "O":
        array = _from_numbers(array, name)
    _check_kind(array, name)
    _check_shape(array, name, min_points)
    if array.dtype.kind in "iu":
        _check_exact_ints(array, name)
    single = array.dtype.kind == "f" and array.dtype.itemsize <= 4
    dtype: type[np.floating[Any]] = np.float32 if single else np.float64
    if copy:
        numbers = np.array(array, dtype=dtype, order="C")
    else:
        numbers = np.ascontiguousarray(array, dtype=dtype)
    _check_magnitudes(numbers, name)
    return numbers


def as_labels(
    y: Any, n_points: int, *, name: str = "y", min_labels: int = 1
) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Validate labels and number them.

    Parameters
    ----------
    y : array-like, shape (n_points,)
        Strings, integers, booleans, or floats with integral values (which become integers).
    n_points : int
        How many labels there have to be.
    name : str
        What to call the labels in error messages.
    min_labels : int
        The smallest number of different labels allowed.

    Returns
    -------
    classes : ndarray, shape (n_labels,)
        The different labels in sorted order.
    codes : ndarray of int32, shape (n_points,)
        The position of each point's label in ``classes``.

    Raises
    ------
    InputError
        For a wrong shape or length, missing values, fractions, a mixture of types, or too few
        different labels; the message names the first bad row.
    """
    if y is None:
        raise InputError(f"{name} should be a 1d array of {n_points} labels, but it is None.")
    array = on_host(y, name)
    if isinstance(y, (list, tuple)) and array.ndim == 1:
        # NumPy would turn ["a", 1] into two strings; as objects the mixture shows.
        array = np.fromiter(y, dtype=object, count=len(y))
    if array.ndim != 1:
        raise InputError(
            f"{name} should be a 1d array of {n_points} labels, but its shape is {array.shape}."
        )
    if len(array) != n_points:
        raise InputError(f"{name} has {len(array)} labels, but there are {n_points} points.")
    classes, codes = np.unique(_label_values(array, name), return_inverse=True)
    if len(classes) < min_labels:
        if len(classes) == 0:
            raise InputError(f"{name} is empty, but at least {min_labels} label is needed.")
        raise InputError(
            f"{name} has only one class (every label is {classes[0].item()!r}), but at least "
            f"{min_labels} different labels are needed."
        )
    return classes, codes.astype(np.int32)


def warn_of_dominating_row(points: NDArray[Any], name: str) -> None:
    """Warn when one row alone sets the scale R of a space, so that all others seem to coincide.

    R is the largest distance of a point to the mean; hulls at most ``tau * R`` apart overlap, and
    points as near as that count as equal.

    Parameters
    ----------
    points : ndarray of float32 or float64, shape (n_points, n_dims)
        As :func:`as_points` returns them.
    name : str
        What to call the space in the warning.

    Warns
    -----
    InputWarning
        Naming the row, if it lies a thousand times as far from the others' mean as any of them.
    """
    n_points = len(points)
    if n_points < 3:
        return
    distance = _distances_to(points, points.mean(axis=0, dtype=np.float64))
    row = int(distance.argmax())
    others = np.delete(distance, row)
    # Far from n - 1 points that are close together, one row moves their mean by an n-th of its way.
    if distance[row] * 2.0 < others.max() * min(_DOMINATES, n_points):
        return
    rest = np.delete(np.arange(n_points), row)
    centre = points.mean(axis=0, dtype=np.float64, where=(np.arange(n_points) != row)[:, None])
    distance = _distances_to(points, centre)
    radius = float(distance[rest].max())
    if radius > 0.0 and distance[row] > _DOMINATES * radius:
        warnings.warn(
            f"{name}: row {row} lies {distance[row]:.3g} from the mean of the others, which all "
            f"lie within {radius:.3g}. It alone sets the scale, and differences between the others "
            f"may count as none; leave the row out if it is not meant.",
            InputWarning,
            stacklevel=3,
        )


def _distances_to(points: NDArray[Any], centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance of every point to a centre, in chunks, shape (n_points,)."""
    rows = max(1, _CHUNK_ELEMENTS // points.shape[1])
    distance = np.empty(len(points))
    for start in range(0, len(points), rows):
        difference = points[start : start + rows] - centre
        distance[start : start + rows] = np.sqrt(np.einsum("ij,ij->i", difference, difference))
    return distance


def on_host(values: Any, name: str) -> NDArray[Any]:
    """Return values as a plain NumPy array, whatever library they come from; bfloat16 as float32.

    Parameters
    ----------
    values : array-like
    name : str
        What to call them in error messages.

    Raises
    ------
    InputError
        If they are sparse, masked, or no array at all.
    """
    if hasattr(values, "tocsr") or getattr(values, "is_sparse", False) is True:
        raise InputError(f"{name} is a sparse matrix, but a dense array is expected.")
    if isinstance(values, np.ma.MaskedArray):
        raise InputError(f"{name} is a masked array; fill or drop the masked values first.")
    if hasattr(values, "detach") and hasattr(values, "cpu"):
        values = values.detach().cpu()
        # NumPy has no bfloat16; float32 holds every one of its values.
        if str(values.dtype) == "torch.bfloat16":
            values = values.float()
    try:
        array = np.asarray(values)
        # As above; libraries beside torch bring a type of their own for it.
        return array.astype(np.float32) if array.dtype.name == "bfloat16" else array
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise InputError(f"{name} cannot be read as an array: {error}") from error


def _check_kind(array: NDArray[Any], name: str) -> None:
    kind = array.dtype.kind
    if kind == "c":
        raise InputError(f"Complex data not supported: {name} has dtype {array.dtype}.")
    if kind not in "fiub":
        raise InputError(
            f"{name} has dtype {array.dtype}, but numbers are expected: float16, float32, "
            f"float64, integers or booleans."
        )
    if kind == "f" and array.dtype.itemsize > 8:
        raise InputError(
            f"{name} has dtype {array.dtype}, which is wider than float64; convert it."
        )


def _from_numbers(array: NDArray[Any], name: str) -> NDArray[np.float64]:
    """Return an array of Python objects as numbers; text is none, whatever it says."""
    if all(issubclass(kind, _NUMBERS) for kind in set(map(type, array.ravel()))):
        with contextlib.suppress(OverflowError):
            floats: NDArray[np.float64] = array.astype(np.float64)
            # Only a large float can come from an integer that was rounded.
            if not np.any(np.abs(floats) >= _LARGEST_EXACT_INT):
                return floats
    for index, value in np.ndenumerate(array):
        _check_number(value, f"row {index[0]}" if index else "it", name)
    return array.astype(np.float64)


def _check_number(value: object, where: str, name: str) -> None:
    """Refuse an object that float64 cannot hold."""
    if isinstance(value, numbers.Integral) and abs(int(value)) > _LARGEST_EXACT_INT:
        what = f"an integer beyond 2**53, {value!r}"
    elif isinstance(value, _NUMBERS):
        return
    else:
        what = f"{value!r:.200}, of type {type(value).__name__}"
    message = (
        f"{name} is an array of Python objects, but numbers are expected; {where} holds {what}"
    )
    try:
        float(value)  # type: ignore[arg-type]
    except TypeError as error:
        raise InputTypeError(f"{message}: {error}.") from error
    except (ValueError, OverflowError):
        pass
    raise InputError(f"{message}.")


def _check_shape(array: NDArray[Any], name: str, min_points: int) -> None:
    if array.ndim != 2:
        raise InputError(
            f"{name} should have the shape (n_points, n_dims), but its shape is {array.shape}. "
            f"Reshape your data, with {name}.reshape(1, -1) if it is one point."
        )
    n_points, n_dims = array.shape
    # The words of the next two messages are those that scikit-learn's own checks look for.
    if n_points < max(min_points, 1):
        raise InputError(
            f"{name} has {n_points} sample(s) (n_samples={n_points}) while a minimum of "
            f"{max(min_points, 1)} is required."
        )
    if n_dims == 0:
        raise InputError(
            f"{name} has 0 feature(s) (shape={array.shape}) while a minimum of 1 is required."
        )


def _check_exact_ints(array: NDArray[Any], name: str) -> None:
    if array.dtype.itemsize < 8:
        return
    too_large = array > _LARGEST_EXACT_INT
    if array.dtype.kind == "i":
        too_large |= array < -_LARGEST_EXACT_INT
    if too_large.any():
        row, column = np.argwhere(too_large)[0]
        raise InputError(
            f"{name} holds the integer {array[row, column]} in row {row}, column {column}; float64 "
            f"is exact only up to 2**53."
        )


def _check_magnitudes(numbers: NDArray[Any], name: str) -> None:
    """Refuse NaN, infinity, and numbers whose squares leave the range of float64."""
    rows = max(1, _CHUNK_ELEMENTS // numbers.shape[1])
    largest = 0.0
    for start in range(0, len(numbers), rows):
        part = numbers[start : start + rows]
        # NaN and infinity show in the extremes, without a temporary array.
        extreme = max(-float(part.min()), float(part.max()))
        if not np.isfinite(extreme):
            row, column = np.argwhere(~np.isfinite(part))[0]
            raise InputError(
                f"{name} contains {part[row, column]} in row {start + row}, column {column}; "
                f"every value has to be finite (no NaN, no inf)."
            )
        if extreme > _LARGEST:
            row, column = np.argwhere(np.abs(part) > _LARGEST)[0]
            raise InputError(
                f"{name} contains {part[row, column]} in row {start + row}, column {column}; "
                f"squared distances of values beyond {_LARGEST:g} overflow. Rescale the points."
            )
        largest = max(largest, extreme)
    if 0.0 < largest < _SMALLEST:
        row = int(np.argwhere(numbers.any(axis=1))[0, 0])
        raise InputError(
            f"{name} contains no value larger than {largest:g} (row {row} is the first that is "
            f"not zero); squared distances of values below {_SMALLEST:g} underflow. Rescale the "
            f"points."
        )


def _label_values(array: NDArray[Any], name: str) -> NDArray[Any]:
    kind = array.dtype.kind
    if kind in "iubU":
        return array
    if kind == "f":
        return _integral(array, name)
    if kind in "OT":
        return _from_objects(array.astype(object), name)
    if kind == "S":
        raise InputError(
            f"{name} holds bytes (dtype {array.dtype}), but strings, integers or booleans are "
            f"expected; np.char.decode turns bytes into strings."
        )
    raise InputError(
        f"Unknown label type: {name} has dtype {array.dtype}, but strings, integers or booleans "
        f"are expected."
    )


def _integral(array: NDArray[Any], name: str) -> NDArray[np.int64]:
    bad = ~np.isfinite(array)
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(
            f"Input {name} contains {array[row]} in row {row}, but every label has to be given "
            f"(no NaN, no infinity)."
        )
    bad = (array != np.rint(array)) | (np.abs(array) > _LARGEST_EXACT_INT)
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(
            f"Unknown label type: {name} holds {array[row]} in row {row}, a continuous value; "
            f"labels are strings, integers or booleans."
        )
    return array.astype(np.int64)


def _from_objects(array: NDArray[Any], name: str) -> NDArray[Any]:
    """Return an object array of one kind of label as an array of that kind."""
    kinds = [_kind_of(value) for value in array]
    for row, kind in enumerate(kinds):
        if kind is None:
            raise InputError(
                f"Unknown label type: {name} holds {array[row]!r} in row {row}, but strings, "
                f"integers or booleans are expected."
            )
        if kind is not kinds[0]:
            raise InputError(
                f"Unknown label type: {name} mixes {array[0]!r} in row 0 with {array[row]!r} in "
                f"row {row}; all labels have to be of one type."
            )
    if not kinds:
        return array.astype(str)
    if kinds[0] is float:
        return _integral(array.astype(np.float64), name)
    if kinds[0] is str and any("\0" in value for value in array):
        raise InputError(f"{name} holds a label with a NUL character, which NumPy would drop.")
    try:
        return array.astype({str: np.str_, bool: np.bool_, int: np.int64}[kinds[0]])
    except OverflowError as error:
        raise InputError(f"{name} holds an integer label that 64 bits cannot hold.") from error


def _kind_of(value: object) -> Any:
    for kind, members in (
        (bool, (bool, np.bool_)),
        (str, str),
        (int, (int, np.integer)),
        (float, (float, np.floating)),
    ):
        if isinstance(value, members):
            return kind
    return None
