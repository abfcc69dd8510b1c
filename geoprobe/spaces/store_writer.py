"""The writer of the spaces of one key: layer by layer, in any order, in little memory."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import InputError
from geoprobe.files.atomic import discard, new_name, remove_stale
from geoprobe.files.disk import (
    as_store_error,
    check_disk,
    hash_file,
    reserve,
    sync,
    write_at,
)
from geoprobe.files.locks import locked
from geoprobe.spaces.store_layout import Sidecar, StoreLayout


class SpaceWriter:
    """Takes points row by row; the file appears when the block ends without an exception.

    Made by :meth:`geoprobe.spaces.SpaceStore.writer`, used with ``with``. The rows go straight to
    their places on the disk: plain writes, because a write into mapped memory on a full disk ends
    the process without a word.

    Raises
    ------
    DiskSpaceError
        If the disk is too full; on entry, where the system can promise space.
    StoreError
        If the file cannot be written. Nothing is left behind.
    InputError
        At the end of the block, if rows are missing.
    """

    def __init__(
        self, data: Path, layout: StoreLayout, codes: NDArray[np.int32], provenance: dict[str, Any]
    ) -> None:
        self.layout = layout
        self._data = data
        self._codes = codes
        self._provenance = provenance
        self._seen = {layer: np.zeros(layout.n_units, dtype=np.bool_) for layer in layout.layers}
        self._hidden: Path | None = None
        self._file: IO[bytes] | None = None

    def __enter__(self) -> SpaceWriter:
        """Reserve the space on the disk."""
        if self._hidden is not None:
            raise InputError("a writer of spaces serves one with block only.")
        hidden = self._hidden = new_name(self._data)
        try:
            self._data.parent.mkdir(parents=True, exist_ok=True)
            remove_stale(self._data)
            remove_stale(self._data.with_suffix(".json"))
            check_disk(self._data.parent, self.layout.n_bytes)
            self._file = hidden.open("xb", buffering=0)
            reserve(self._file, self.layout.n_bytes)
            write_at(self._file, 0, memoryview(self.layout.header))
            write_at(self._file, self.layout.labels_start, _bytes(self._codes))
        except OSError as error:
            self._abandon()
            raise as_store_error(self._data, error) from error
        except BaseException:
            self._abandon()
            raise
        return self

    def write(self, layer: int, rows: NDArray[Any], points: NDArray[Any]) -> None:
        """Write some points of a layer; every row is written exactly once per layer.

        Parameters
        ----------
        layer : int
        rows : ndarray of int, shape (n_rows,)
            Positions of the units, in any order.
        points : ndarray, shape (n_rows, n_dims)

        Raises
        ------
        InputError
            For a layer or rows that do not exist or are written already, a wrong shape, or
            numbers that are not finite in the store's dtype.
        StoreError
            If the system refuses.
        """
        if self._file is None:
            raise InputError("points are written inside the writer's with block only.")
        rows, numbers = self._checked(layer, np.asarray(rows), np.asarray(points))
        if len(rows) == 0:
            return
        order = np.argsort(rows, kind="stable")
        rows, numbers = rows[order], np.ascontiguousarray(numbers[order])
        start, length = self.layout.layer_start(layer), self.layout.row_bytes
        try:
            for first, last in _runs(rows):
                position = start + int(rows[first]) * length
                write_at(self._file, position, _bytes(numbers[first:last]))
        except OSError as error:
            raise as_store_error(self._data, error) from error
        self._seen[layer][rows] = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let the file appear, or remove it after an exception."""
        try:
            if kind is None:
                self._check_complete()
                self._finish()
        except OSError as refused:
            raise as_store_error(self._data, refused) from refused
        finally:
            self._abandon()

    def _checked(
        self, layer: int, rows: NDArray[Any], points: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the rows, and the points in the type of the file."""
        layout = self.layout
        if layer not in self._seen:
            known = ", ".join(map(str, layout.layers))
            raise InputError(f"layer {layer!r} is none of those announced, {known}.")
        if rows.ndim != 1 or (rows.dtype.kind not in "iu" and rows.size):
            raise InputError(
                f"rows should be a 1d array of integers, but they have shape {rows.shape} and "
                f"dtype {rows.dtype}."
            )
        if points.shape != (len(rows), layout.n_dims) or points.dtype.kind != "f":
            raise InputError(
                f"points should be numbers of shape ({len(rows)}, {layout.n_dims}), but their "
                f"shape is {points.shape} and their dtype {points.dtype}."
            )
        rows = rows.astype(np.int64)
        self._check_rows(layer, rows)
        with np.errstate(over="ignore"):
            numbers = points.astype(np.dtype(layout.dtype).newbyteorder("<"))
        if not np.isfinite(numbers).all():
            row, column = np.argwhere(~np.isfinite(numbers))[0]
            raise InputError(
                f"layer {layer} of {layout.key} has {points[row, column]} in row {rows[row]}, "
                f"column {column}; every number has to be finite in {layout.dtype}."
            )
        return rows, numbers

    def _check_rows(self, layer: int, rows: NDArray[np.int64]) -> None:
        outside = (rows < 0) | (rows >= self.layout.n_units)
        if outside.any():
            raise InputError(
                f"row {rows[outside][0]} of layer {layer} does not exist; there are "
                f"{self.layout.n_units} units."
            )
        seen = self._seen[layer]
        if seen[rows].any():
            raise InputError(
                f"row {rows[seen[rows]][0]} of layer {layer} has been written already."
            )
        if len(np.unique(rows)) != len(rows):
            values, counts = np.unique(rows, return_counts=True)
            raise InputError(f"row {values[counts > 1][0]} of layer {layer} comes twice.")

    def _check_complete(self) -> None:
        for layer, seen in self._seen.items():
            missing = np.flatnonzero(~seen)
            if len(missing):
                raise InputError(
                    f"{len(missing)} of {len(seen)} rows of layer {layer} of {self.layout.key} "
                    f"were never written; the first is row {missing[0]}."
                )

    def _finish(self) -> None:
        """Force everything to the disk, then let the file appear and its sidecar last."""
        assert self._file is not None and self._hidden is not None
        os.fsync(self._file.fileno())
        self._file.close()
        created = datetime.now(timezone.utc).isoformat(timespec="seconds")
        content = Sidecar.of(self.layout, hash_file(self._hidden), created, self._provenance)
        sidecar = self._data.with_suffix(".json")
        hidden = new_name(sidecar)
        try:
            hidden.write_text(content.text(), encoding="utf-8")
            sync(hidden)
            # Data and sidecar come from the same process.
            with locked(self._data.parent, wait=True):
                # Between the two renames the old sidecar would speak for the new data.
                sidecar.unlink(missing_ok=True)
                self._hidden.replace(self._data)
                sync(self._data.parent)
                hidden.replace(sidecar)
        finally:
            discard(hidden)
        # All names are in place: from here on the spaces are complete, whatever the disk says.
        with contextlib.suppress(OSError):
            sync(self._data.parent)

    def _abandon(self) -> None:
        """Close the file and remove it, if it has not got its name yet."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
        if self._hidden is not None:
            discard(self._hidden)


def _runs(rows: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each run of consecutive numbers among ascending ones."""
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    yield from zip([0, *breaks.tolist()], [*breaks.tolist(), len(rows)], strict=True)


def _bytes(array: NDArray[Any]) -> memoryview:
    """Return the bytes of a contiguous array."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
