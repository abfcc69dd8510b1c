"""Activations of shape (batch, position, n_dims) as points, one for each position or text."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import InputError
from geoprobe.spaces.formats.named_arrays import StoredArray, blocks


def as_rows(
    stored: StoredArray, position: int | None, mask: NDArray[Any] | None
) -> tuple[StoredArray, NDArray[np.int64] | None]:
    """Return points of shape (n_points, n_dims) from points or activations.

    Parameters
    ----------
    stored : StoredArray, shape (n_points, n_dims) or (batch, position, n_dims)
    position : int or None
        The position to take of every text; all of them by default.
    mask : ndarray or None, shape (batch, position)
        Which positions are points; all of them by default.

    Returns
    -------
    points : StoredArray, shape (n_points, n_dims)
    kept : ndarray of int64 or None
        The number of each point among all positions, counted text by text; None if the points were
        points already, or there is one for each text.

    Raises
    ------
    InputError
        If the shapes do not fit together, or an option has no meaning.
    """
    if position is not None and mask is not None:
        raise InputError("position takes one point of every text, so that mask has no meaning.")
    if len(stored.shape) == 2:
        for name, value in (("position", position), ("mask", mask)):
            if value is not None:
                raise InputError(
                    f"{name} is for activations of shape (batch, position, n_dims) only."
                )
        return stored, None
    if len(stored.shape) != 3:
        raise InputError(
            "the shape (n_points, n_dims) is expected, or (batch, position, n_dims) of activations."
        )
    if position is not None:
        return _one_position(stored, position), None
    kept = np.arange(stored.shape[0] * stored.shape[1]) if mask is None else _kept(stored, mask)
    return _all_positions(stored, kept), kept


def as_flat_labels(
    labels: NDArray[Any], shape: tuple[int, ...], kept: NDArray[Any]
) -> NDArray[Any]:
    """Return one label for each point that is kept of activations.

    Parameters
    ----------
    labels : ndarray, shape (batch, position) or (n_kept,)
    shape : tuple of int
        Of the activations.
    kept : ndarray of int64
        As :func:`as_rows` gives it.

    Raises
    ------
    InputError
        If they have another shape.
    """
    if labels.shape == shape[:2]:
        return np.asarray(labels.reshape(-1)[kept])
    if labels.shape == (len(kept),):
        return labels
    hint = (
        "; position=-1 takes the last position of every text" if labels.shape == shape[:1] else ""
    )
    raise InputError(
        f"the labels have the shape {labels.shape}, but one for each position is expected, "
        f"{shape[:2]} or ({len(kept)},){hint}."
    )


def _one_position(stored: StoredArray, position: int) -> StoredArray:
    n_texts, n_positions, n_dims = stored.shape
    if not -n_positions <= position < n_positions:
        raise InputError(
            f"there is no position {position}; there are {n_positions}, counted from 0."
        )

    def read(begin: int, end: int) -> NDArray[Any]:
        parts = [
            stored.read(first, last)[:, position]
            for first, last in blocks(begin, end, n_positions * n_dims)
        ]
        return np.concatenate(parts)

    return StoredArray((n_texts, n_dims), stored.dtype, read)


def _kept(stored: StoredArray, mask: NDArray[Any]) -> NDArray[np.int64]:
    if mask.shape != stored.shape[:2]:
        raise InputError(
            f"the mask has the shape {mask.shape}, but {stored.shape[:2]} is expected."
        )
    if mask.dtype.kind not in "biu" or not np.isin(mask, (0, 1)).all():
        raise InputError("the mask should hold true and false, or 1 and 0, and nothing else.")
    return np.flatnonzero(mask)


def _all_positions(stored: StoredArray, kept: NDArray[np.int64]) -> StoredArray:
    _, n_positions, n_dims = stored.shape

    def read(begin: int, end: int) -> NDArray[Any]:
        chosen = kept[begin:end]
        texts = int(chosen[0]) // n_positions, int(chosen[-1]) // n_positions + 1
        parts = []
        for first, last in blocks(*texts, n_positions * n_dims):
            at = np.searchsorted(chosen, (first * n_positions, last * n_positions))
            block = stored.read(first, last).reshape(-1, n_dims)
            parts.append(block[chosen[at[0] : at[1]] - first * n_positions])
        return np.concatenate(parts)

    return StoredArray((len(kept), n_dims), stored.dtype, read)
