"""The store: spaces of many models, checkpoints and layers in one folder, read lazily."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError, InputError
from geoprobe.files.atomic import is_unfinished
from geoprobe.spaces.keys import SpaceKey
from geoprobe.spaces.store_layout import (
    Sidecar,
    StoreLayout,
    as_json,
    item_size,
    read_sidecar,
)
from geoprobe.spaces.store_writer import SpaceWriter
from geoprobe.spaces.stored import StoredSpaces, check_data

_SUFFIX = ".safetensors"


class SpaceStore:
    """A folder with one file of spaces for each :class:`SpaceKey`, and a sidecar beside it.

    The files are ``<task>/<model>/original/<split>.safetensors`` and
    ``<task>/<model>/<tuned_on>-seed<k>/step-<8 digits>/<split>.safetensors``, with the points of a
    layer in the tensor ``layer_<i>`` and codes of the labels in ``labels``. A file is complete once
    its sidecar ``<split>.json`` is there, which is written last.

    Several processes may write at the same time, the same key too: each fills a file of its own,
    and the last to finish wins, with its data and its sidecar together.

    Parameters
    ----------
    root : path-like
        The folder; made when something is written.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root).expanduser().resolve()
        if self.root.exists() and not self.root.is_dir():
            raise FormatError("this is a file, but the folder of a store is expected.", self.root)

    def __repr__(self) -> str:
        return f"SpaceStore({str(self.root)!r})"

    def path(self, key: SpaceKey) -> Path:
        """Return where the data of a key are, or would be."""
        return self.root / key.folder / f"{key.split}{_SUFFIX}"

    def sidecar(self, key: SpaceKey) -> Path:
        """Return the file beside the data of a key, which is written last."""
        return self.path(key).with_suffix(".json")

    def keys(self) -> list[SpaceKey]:
        """Return the keys of all complete files, sorted."""
        keys = {SpaceKey.at(path, self.root) for path in self._files(f"*{_SUFFIX}")}
        return sorted(key for key in keys if key is not None and key in self)

    def __contains__(self, key: object) -> bool:
        """Whether a key's file and sidecar are there, and their form, key and size agree."""
        if not isinstance(key, SpaceKey):
            return False
        try:
            self._checked(key)
        except FormatError:
            return False
        return True

    def open(self, key: SpaceKey, *, verify: bool = False) -> StoredSpaces:
        """Open the spaces of a key; no points are read yet.

        Parameters
        ----------
        key : SpaceKey
        verify : bool
            Whether to read the whole file and compare its SHA-256.

        Raises
        ------
        FormatError
            If they are missing, cut off, damaged or not complete, or the sidecar was edited.
        """
        opened = StoredSpaces(self.path(key), self._checked(key))
        if verify:
            opened.verify()
        return opened

    def writer(
        self,
        key: SpaceKey,
        *,
        layers: Sequence[int],
        labels: NDArray[Any],
        n_dims: int,
        provenance: Mapping[str, Any],
        dtype: str = "float32",
    ) -> SpaceWriter:
        """Return what writes the spaces of a key; what is there already is replaced at the end.

        Parameters
        ----------
        key : SpaceKey
        layers : sequence of int
            0 is the output of the embedding layer.
        labels : ndarray of str, shape (n_units,)
        n_dims : int
        provenance : mapping
            Whatever tells where the points come from, as far as JSON can hold it.
        dtype : {"float32", "float16"}
            How the numbers are kept.

        Returns
        -------
        SpaceWriter
            A context manager.

        Raises
        ------
        InputError
            For layers, labels, dimensions or a provenance that cannot be kept.
        """
        names, codes = _coded(labels)
        item_size(dtype)
        if not _is_whole(n_dims) or n_dims < 1:
            raise InputError(f"n_dims is {n_dims!r}, but at least 1 is expected.")
        layout = StoreLayout(key, _ascending(layers), names, len(codes), int(n_dims), dtype)
        return SpaceWriter(self.path(key), layout, codes, as_json(provenance))

    def leftovers(self) -> list[Path]:
        """Return files that are being written or were left by a process that was killed.

        Those of a dead process go away by themselves when the same key is written again on the
        same computer. A file of data without a sidecar counts too.
        """
        hidden = [path for path in self._files(".*") if is_unfinished(path)]
        alone = [
            path
            for path in self._files(f"*{_SUFFIX}")
            if SpaceKey.at(path, self.root) is not None and not path.with_suffix(".json").exists()
        ]
        return sorted(hidden + alone)

    def _files(self, pattern: str) -> Iterator[Path]:
        """Yield the files at the two depths where a store has files."""
        for depth in ("*/*/*", "*/*/*/*"):
            yield from self.root.glob(f"{depth}/{pattern}")

    def _checked(self, key: SpaceKey) -> Sidecar:
        """Return the sidecar of a key's data, after comparing them without reading points."""
        data = self.path(key)
        sidecar = data.with_suffix(".json")
        if not data.is_file():
            raise FormatError(f"there are no spaces of {key}.", data)
        if not sidecar.is_file():
            raise FormatError(
                f"the spaces are not complete: their sidecar {sidecar.name} is missing. Write "
                f"them again.",
                data,
            )
        note = read_sidecar(sidecar)
        try:
            layout = note.layout()
        except InputError as error:
            raise FormatError(str(error), sidecar) from error
        if layout.key != key:
            raise FormatError(f"this belongs to {layout.key}, not to {key}.", sidecar)
        check_data(data, layout)
        return note


@dataclass(frozen=True)
class StoreRow:
    """One line of a list of what a store holds.

    Attributes
    ----------
    task, model, split : str
    tuned_on : str or None
    seed : int or None
    step : int
    layers : tuple of int
    n_units, n_dims, n_labels : int
    dtype : str
    n_bytes : int
        Of the data.
    created : str
    """

    task: str
    model: str
    tuned_on: str | None
    seed: int | None
    step: int
    split: str
    layers: tuple[int, ...]
    n_units: int
    n_dims: int
    n_labels: int
    dtype: str
    n_bytes: int
    created: str


def describe_store(store: SpaceStore) -> list[StoreRow]:
    """Return a row for each complete file of a store, in the order of the keys."""
    return [
        StoreRow(
            **stored.key.as_dict(),
            layers=stored.layers,
            n_units=stored.n_units,
            n_dims=stored.n_dims,
            n_labels=len(stored.label_names),
            dtype=stored.dtype,
            n_bytes=stored.n_bytes,
            created=stored.created,
        )
        for stored in map(store.open, store.keys())
    ]


def _coded(labels: NDArray[Any]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """Return the different labels and their codes, or refuse labels that no file could hold."""
    array = np.asarray(labels)
    if array.ndim != 1 or array.dtype.kind not in "UO" or len(array) == 0:
        raise InputError(
            f"labels should be a 1d array of at least one string, but they have shape "
            f"{array.shape} and dtype {array.dtype}."
        )
    for row, label in enumerate(array):
        if not isinstance(label, str) or "\0" in label or not _is_utf8(label):
            raise InputError(
                f"the label of unit {row} is {label!r}, but text without NUL characters that "
                f"UTF-8 can hold is expected."
            )
    names, codes = np.unique(array.astype(np.str_), return_inverse=True)
    return tuple(names.tolist()), codes.astype("<i4")


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _ascending(layers: Sequence[int]) -> tuple[int, ...]:
    """Return the layers in ascending order, or refuse them."""
    if not all(_is_whole(layer) and layer >= 0 for layer in layers) or len(layers) == 0:
        raise InputError(f"layers are {layers!r}, but one or more integers from 0 on are expected.")
    if len(set(layers)) != len(layers):
        raise InputError(f"layers are {layers!r}, but each is named once.")
    return tuple(sorted(int(layer) for layer in layers))


def _is_whole(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
