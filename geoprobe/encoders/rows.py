"""Rows that come in any order, handed on in large sorted pieces."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]
Write = Callable[[int, IntArray, FloatArray], None]

MEMORY = 256 * 2**20
"""Bytes of all layers together that wait to be written, unless one batch has more."""


class SortedRows:
    """Gathers the rows of all layers and writes them in ascending order when they are many.

    Sentences of one length lie all over a file; written one by one they would cost more than the
    pass of a small model.

    Parameters
    ----------
    write : callable
        Takes a layer, rows and points.
    layers : sequence of int
    n_rows : int
        How many there will be.
    n_dims : int
    memory : int
        Bytes to gather.
    """

    def __init__(
        self, write: Write, layers: Sequence[int], n_rows: int, n_dims: int, memory: int = MEMORY
    ) -> None:
        self._write = write
        self._room = min(n_rows, max(1, memory // (4 * n_dims * len(layers))))
        self._rows = np.empty(self._room, np.int64)
        self._points = {layer: np.empty((self._room, n_dims), np.float32) for layer in layers}
        self._n_waiting = 0

    def add(self, rows: IntArray, points: dict[int, FloatArray]) -> None:
        """Take the points of some rows, shape (n_rows, n_dims) for each layer."""
        begin = 0
        while begin < len(rows):
            if self._n_waiting == self._room:
                self.flush()
            end = min(len(rows), begin + self._room - self._n_waiting)
            here = slice(self._n_waiting, self._n_waiting + end - begin)
            self._rows[here] = rows[begin:end]
            for layer, kept in self._points.items():
                kept[here] = points[layer][begin:end]
            self._n_waiting += end - begin
            begin = end

    def flush(self) -> None:
        """Write what waits."""
        order = np.argsort(self._rows[: self._n_waiting], kind="stable")
        for layer, kept in self._points.items():
            self._write(layer, self._rows[order], kept[order])
        self._n_waiting = 0
