"""Spaces that lie in the store, read layer by layer when they are asked for."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.arrays import warn_of_dominating_row
from geoprobe.errors import FormatError, InputError
from geoprobe.files.disk import hash_file
from geoprobe.spaces.space import Space
from geoprobe.spaces.store_layout import Sidecar, StoreLayout


class StoredSpaces:
    """The spaces of all layers under one key; each is read when it is asked for.

    Attributes
    ----------
    key : SpaceKey
    path : pathlib.Path
        The safetensors file.
    layers : tuple of int
    label_names : tuple of str
        The different labels, sorted.
    n_units, n_dims : int
    dtype : str
    provenance : dict
    created : str
        Time of writing, UTC.
    sha256 : str
        Of the file.
    """

    def __init__(self, path: Path, sidecar: Sidecar) -> None:
        layout = sidecar.layout()
        self._layout = layout
        self.key = layout.key
        self.path = path
        self.layers = layout.layers
        self.label_names = layout.label_names
        self.n_units = layout.n_units
        self.n_dims = layout.n_dims
        self.dtype = layout.dtype
        self.n_bytes = layout.n_bytes
        self.provenance = sidecar.provenance
        self.created = sidecar.created
        self.sha256 = sidecar.sha256

    def __repr__(self) -> str:
        return f"<StoredSpaces of {self.key}, layers {self.layers}, {self.n_units} units>"

    @cached_property
    def labels(self) -> NDArray[np.str_]:
        """The labels, shape (n_units,)."""
        codes = self._map("<i4", self._layout.labels_start, (self.n_units,))
        if codes.min() < 0 or codes.max() >= len(self.label_names):
            raise FormatError(
                f"the codes of the labels go from {codes.min()} to {codes.max()}, but there are "
                f"{len(self.label_names)} labels: the file is damaged.",
                self.path,
            )
        labels: NDArray[np.str_] = np.array(self.label_names)[codes]
        labels.setflags(write=False)
        return labels

    def points(self, layer: int) -> NDArray[Any]:
        """Map the points of a layer into memory.

        Returns
        -------
        numpy.memmap of float32 or float16, shape (n_units, n_dims)
            Read-only; pages are read when they are used.

        Raises
        ------
        InputError
            If the layer was not stored.
        FormatError
            If the file has been removed, cut off or replaced since it was opened.
        """
        if layer not in self.layers:
            known = ", ".join(map(str, self.layers))
            raise InputError(f"{self.path}: there is no layer {layer!r}; the layers are {known}.")
        kind = np.dtype(self.dtype).newbyteorder("<")
        start = self._layout.layer_start(int(layer))
        return self._map(kind, start, (self.n_units, self.n_dims))

    def space(self, layer: int) -> Space:
        """Return one layer as a space, called for example ``"ps-role minilm layer 6"``.

        Raises
        ------
        InputError, FormatError
            As :meth:`points` does; FormatError also for numbers that are not finite.

        Warns
        -----
        InputWarning
            If one row alone sets the scale; it is named.
        """
        points = self.points(layer)
        try:
            space = Space(points, self.labels, f"{self.key} layer {layer}", self.path)
        except InputError as error:
            raise FormatError(str(error), self.path) from error
        warn_of_dominating_row(space.points, space.name)
        return space

    def verify(self) -> None:
        """Read the whole file and compare its SHA-256 with the sidecar's.

        Raises
        ------
        FormatError
            If they differ.
        """
        try:
            digest = hash_file(self.path)
        except OSError as error:
            raise FormatError(f"the file cannot be read: {error.strerror}.", self.path) from error
        if digest != self.sha256:
            raise FormatError(
                f"the file is damaged: its SHA-256 is {digest}, but {self.sha256} is expected.",
                self.path,
            )

    def _map(self, kind: Any, start: int, shape: tuple[int, ...]) -> NDArray[Any]:
        # Somebody may have put another file there since this one was opened.
        check_data(self.path, self._layout)
        try:
            return np.memmap(self.path, dtype=kind, mode="r", offset=start, shape=shape)
        except (OSError, ValueError) as error:
            raise FormatError(f"the file cannot be mapped: {error}.", self.path) from error


def check_data(data: Path, layout: StoreLayout) -> None:
    """Compare the length and the header of the data with what the sidecar says of them.

    Raises
    ------
    FormatError
        If they differ.
    """
    try:
        n_bytes = data.stat().st_size
        with data.open("rb") as file:
            header = file.read(len(layout.header))
    except OSError as error:
        raise FormatError(f"the file cannot be read: {error.strerror}.", data) from error
    if n_bytes != layout.n_bytes:
        raise FormatError(
            f"the file has {n_bytes} bytes, but its sidecar says {layout.n_bytes}: it is cut off "
            f"or was replaced.",
            data,
        )
    if header != layout.header:
        raise FormatError(
            "the header does not fit the sidecar: the file is damaged or was replaced.", data
        )
