"""Hashes by which a labelled space is recognised."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BYTES_AT_ONCE = 1 << 24


def hash_points(points: NDArray[Any]) -> str:
    """Return the SHA-256 of points: a line with their type and shape, then their bytes.

    Parameters
    ----------
    points : ndarray of float32 or float64, shape (n_points, n_dims)
        As :func:`geoprobe.arrays.as_points` returns them.

    Returns
    -------
    str
        64 hexadecimal digits.

    Notes
    -----
    The line is ``<f4 n_points n_dims`` (or ``<f8``) and a line feed, in ASCII; the numbers follow
    row by row, little-endian.
    """
    little = points.dtype.newbyteorder("<")
    n_points, n_dims = points.shape
    digest = hashlib.sha256(f"{little.str} {n_points} {n_dims}\n".encode("ascii"))
    rows = max(1, _BYTES_AT_ONCE // (n_dims * little.itemsize))
    for start in range(0, n_points, rows):
        digest.update(np.ascontiguousarray(points[start : start + rows], dtype=little).data)
    return digest.hexdigest()


def hash_labels(labels: NDArray[Any]) -> str:
    """Return the SHA-256 of labels: of the JSON array that lists them, in ASCII.

    Parameters
    ----------
    labels : ndarray of str, int or bool, shape (n_points,)

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    return hashlib.sha256(json.dumps(labels.tolist()).encode("ascii")).hexdigest()
