"""The form of a file of the store, which is a safetensors file, and of its sidecar.

A file is the length of its header (8 bytes, little-endian), the header in JSON, and the
tensors without gaps. Ours has one tensor ``layer_<i>`` for each layer, the codes of the labels in
``labels``, and the names of the labels and the key in the metadata. The header follows from the
attributes of :class:`StoreLayout` alone, so that a file can be checked by writing its header again,
and so that the same points make the same bytes. The sidecar repeats the attributes in JSON, says
what the points come from, and proves that the file is complete.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
from pydantic import Strict

from geoprobe.errors import FormatError, InputError
from geoprobe.files.json_files import fits, load_object, seal
from geoprobe.schema import Positive, Record, Text, Whole, parse
from geoprobe.spaces.keys import SpaceKey

FORMAT: Final = "geoprobe-spaces"
VERSION: Final = 1
LABELS = "labels"
DTYPES = ("float32", "float16")
"""Types of number in which the store keeps points."""
# Headers, the sidecar, and what a file system adds for a file.
_OVERHEAD = 1 << 16
_CODE_BYTES = 4
# Rows of common lengths then start where vector instructions like them to.
_ALIGNMENT = 64
_NAMES_IN_FILES = {"float32": "F32", "float16": "F16"}
_CHECKSUM = "checksum"


def estimate_bytes(n_units: int, n_dims: int, n_layers: int, dtype: str = "float32") -> int:
    """Return what the spaces of one key need on the disk, long label names not counted.

    Parameters
    ----------
    n_units, n_dims, n_layers : int
    dtype : {"float32", "float16"}

    Raises
    ------
    InputError
        For another dtype.
    """
    points = n_layers * n_units * n_dims * item_size(dtype)
    return points + 4 * n_units + _OVERHEAD


def item_size(dtype: str) -> int:
    """Return how many bytes a number takes.

    Raises
    ------
    InputError
        If the store does not keep numbers of this type.
    """
    if dtype not in DTYPES:
        raise InputError(f"dtype is {dtype!r}, but the store keeps {' or '.join(DTYPES)}.")
    return np.dtype(dtype).itemsize


def tensor_name(layer: int | str) -> str:
    """Return what the points of a layer are called in the file."""
    return f"layer_{layer}"


def read_metadata(metadata: Mapping[str, str]) -> tuple[SpaceKey, tuple[str, ...]] | None:
    """Return the key and the names of the labels; None if the file is not one of a store.

    Raises
    ------
    InputError
        If it is one, but of another version or damaged.
    """
    if metadata.get("format") != FORMAT:
        return None
    if metadata.get("version") != str(VERSION):
        raise InputError(
            f"the file of spaces has version {metadata.get('version')!r}, but version {VERSION} "
            f"is expected; it may come from a later geoprobe."
        )
    try:
        key, names = (json.loads(metadata[name]) for name in ("key", "label_names"))
    except (KeyError, ValueError, RecursionError) as error:
        raise InputError(f"the metadata of the file of spaces are damaged: {error}.") from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError("the names of the labels in the metadata are damaged.")
    return SpaceKey.from_dict(key), tuple(names)


@dataclass(frozen=True)
class StoreLayout:
    """What a file of the store holds.

    Attributes
    ----------
    key : SpaceKey
    layers : tuple of int
        In ascending order.
    label_names : tuple of str
        In sorted order; the code of a label is its position here.
    n_units, n_dims : int
    dtype : {"float32", "float16"}
    """

    key: SpaceKey
    layers: tuple[int, ...]
    label_names: tuple[str, ...]
    n_units: int
    n_dims: int
    dtype: str

    @property
    def layer_bytes(self) -> int:
        """Length of the points of one layer."""
        return self.n_units * self.row_bytes

    @property
    def row_bytes(self) -> int:
        """Length of one point."""
        return self.n_dims * item_size(self.dtype)

    @property
    def n_bytes(self) -> int:
        """Length of the file."""
        return len(self.header) + len(self.layers) * self.layer_bytes + self.n_units * _CODE_BYTES

    @property
    def labels_start(self) -> int:
        """Position in the file of the codes of the labels."""
        return len(self.header) + self._spans[LABELS][0]

    def layer_start(self, layer: int) -> int:
        """Return the position in the file of the first point of a layer."""
        return len(self.header) + self._spans[tensor_name(layer)][0]

    @cached_property
    def header(self) -> bytes:
        """The length and the header, up to the first tensor."""
        tensors: dict[str, Any] = {"__metadata__": self._metadata}
        for name, span in self._spans.items():
            shape = [self.n_units] if name == LABELS else [self.n_units, self.n_dims]
            kind = "I32" if name == LABELS else _NAMES_IN_FILES[self.dtype]
            tensors[name] = {"dtype": kind, "shape": shape, "data_offsets": list(span)}
        text = json.dumps(tensors, separators=(",", ":")).encode("ascii")
        text += b" " * (-(8 + len(text)) % _ALIGNMENT)
        return len(text).to_bytes(8, "little") + text

    @property
    def _metadata(self) -> dict[str, str]:
        """The format's metadata, which maps text to text."""
        return {
            "format": FORMAT,
            "version": str(VERSION),
            "key": json.dumps(self.key.as_dict()),
            "label_names": json.dumps(self.label_names),
        }

    @cached_property
    def _spans(self) -> dict[str, tuple[int, int]]:
        """Begin and end of each tensor, counted from the end of the header."""
        sizes = {tensor_name(layer): self.layer_bytes for layer in self.layers}
        codes = {LABELS: self.n_units * _CODE_BYTES}
        # Wide numbers first: an odd number of halves would leave the codes between two words.
        sizes = codes | sizes if item_size(self.dtype) < _CODE_BYTES else sizes | codes
        spans, begin = {}, 0
        for name, size in sizes.items():
            spans[name] = (begin, begin + size)
            begin += size
        return spans


class Sidecar(Record):
    """What is known of a complete file of the store; its fields are those of the file beside it.

    Attributes
    ----------
    format, version
        Of the file.
    key : dict
        As :meth:`SpaceKey.as_dict` gives it.
    layers, labels, n_units, n_dims, dtype
        As in :class:`StoreLayout`, where ``labels`` is ``label_names``.
    n_bytes : int
        Length of the file of points.
    sha256 : str
        Of the file of points, in hexadecimal.
    created : str
        When, in UTC as ISO 8601 writes it.
    provenance : dict
        What the caller said of the origin of the points.
    """

    format: Literal["geoprobe-spaces"] = FORMAT
    version: Literal[1] = VERSION
    key: dict[str, Any]
    layers: tuple[Whole, ...]
    labels: tuple[Annotated[str, Strict()], ...]
    n_units: Positive
    n_dims: Positive
    dtype: Literal["float32", "float16"]
    n_bytes: Whole
    sha256: Text
    created: Text
    provenance: dict[str, Any]

    @classmethod
    def of(
        cls, layout: StoreLayout, sha256: str, created: str, provenance: dict[str, Any]
    ) -> Sidecar:
        """Return the sidecar of a file that is laid out so."""
        content = {
            "key": layout.key.as_dict(),
            "layers": layout.layers,
            "labels": layout.label_names,
            "n_units": layout.n_units,
            "n_dims": layout.n_dims,
            "dtype": layout.dtype,
            "n_bytes": layout.n_bytes,
            "sha256": sha256,
            "created": created,
            "provenance": provenance,
        }
        return parse(cls, content)

    def layout(self) -> StoreLayout:
        """Return where everything lies in the file of points.

        Raises
        ------
        InputError
            If the key names no place in a store.
        """
        return StoreLayout(
            SpaceKey.from_dict(self.key),
            self.layers,
            self.labels,
            self.n_units,
            self.n_dims,
            self.dtype,
        )

    def text(self) -> str:
        """Return the content of the file, which a checksum ends."""
        content = dict(self)
        return json.dumps({**content, _CHECKSUM: seal(content)}, indent=1) + "\n"


def read_sidecar(path: Path) -> Sidecar:
    """Read a sidecar.

    Raises
    ------
    FormatError
        If it is missing, damaged, was edited, or is of a later version.
    """
    content = load_object(path)
    if content.get("format") != FORMAT:
        raise FormatError(f"this is not the sidecar of a file of spaces (format {FORMAT!r}).", path)
    if content.get("version") != VERSION:
        raise FormatError(
            f"the file has version {content.get('version')!r}, but version {VERSION} is expected; "
            f"it may come from a later geoprobe.",
            path,
        )
    noted = content.pop(_CHECKSUM, None)
    sidecar = parse(Sidecar, content, path)
    if not fits(noted, content):
        raise FormatError(
            "the content does not fit its checksum: the file is damaged or was edited.", path
        )
    return sidecar


def as_json(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return the provenance as it will be read again.

    Raises
    ------
    InputError
        If JSON cannot hold it.
    """
    try:
        copy = json.loads(json.dumps(dict(provenance), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"the provenance cannot be written as JSON: {error}.") from error
    return dict(copy)
