"""Files of safetensors, those of a store of spaces among them, mapped into memory."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError, InputError
from geoprobe.files.disk import readable
from geoprobe.files.text_files import checked_file
from geoprobe.spaces.formats.named_arrays import NamedArrays, StoredArray, widened
from geoprobe.spaces.keys import SpaceKey
from geoprobe.spaces.store_layout import LABELS, read_metadata, tensor_name

# The library's own limit.
_LONGEST_HEADER = 100_000_000
_TYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
}


class SafetensorsArrays(NamedArrays):
    """The tensors of a safetensors file, read one by one on demand.

    Attributes
    ----------
    path : pathlib.Path
    names : list of str
        Of the tensors.
    key : SpaceKey or None
        Of the spaces, if the file comes from a store.
    """

    path: Path

    def __init__(self, path: str | os.PathLike[str]) -> None:
        from safetensors import SafetensorError, safe_open

        self.path = file_path = checked_file(path)
        _check_header(file_path)
        try:
            with safe_open(file_path, framework="numpy") as file:
                self.names = sorted(file.keys())
                metadata = file.metadata() or {}
        except (SafetensorError, OSError, ValueError) as error:
            raise FormatError(
                f"this is no safetensors file, or it is damaged or cut off: {error}.", file_path
            ) from error
        try:
            stored = read_metadata(metadata)
        except InputError as error:
            raise FormatError(str(error), file_path) from error
        self.key: SpaceKey | None = None
        self._label_names: NDArray[np.str_] | None = None
        if stored is not None:
            self.key, self._label_names = stored[0], np.array(stored[1], dtype=np.str_)
            self.points, self.labels = (self._last_layer_name(),), (LABELS,)

    def _last_layer_name(self) -> str:
        return max(
            (name for name in self.names if name.startswith(tensor_name(""))),
            key=lambda name: (len(name), name),
            default=tensor_name("0"),
        )

    def array(self, name: str) -> StoredArray:
        """Return one tensor, unread; in a file of a store, the codes of the labels as the labels.

        Raises
        ------
        FormatError
            If NumPy has no type for the tensor, or a code has no label.
        """
        kind, shape, begin = self._place(name)
        if kind not in _TYPES:
            raise FormatError(
                f"the tensor {name!r} of type {kind} cannot be read; the types are "
                f"{', '.join(_TYPES)}.",
                self.path,
            )
        dtype = np.dtype(_TYPES[kind])
        if 0 in shape:
            return StoredArray.of(np.empty(shape, dtype))
        mapped = np.memmap(self.path, dtype, "r", begin, shape)
        if self._label_names is not None and name == LABELS:
            return StoredArray.of(self._labels(mapped))
        if kind == "BF16":
            return StoredArray(
                shape, "bfloat16", lambda first, last: np.asarray(widened(mapped[first:last]))
            )
        # Tensors begin anywhere in the file: compiled kernels take the aligned copy of a row only.
        return StoredArray(shape, str(dtype), lambda first, last: np.array(mapped[first:last]))

    def _labels(self, codes: NDArray[np.generic]) -> NDArray[np.str_]:
        assert self._label_names is not None
        if codes.dtype.kind != "i" or not np.isin(codes, range(len(self._label_names))).all():
            raise FormatError(
                f"{LABELS!r} should hold the codes of {len(self._label_names)} labels, but some "
                f"have no label: the file is damaged.",
                self.path,
            )
        labels: NDArray[np.str_] = self._label_names[np.asarray(codes, dtype=np.int64)]
        return labels

    def _place(self, name: str) -> tuple[str, tuple[int, ...], int]:
        """Return type and shape of a tensor, and where it begins in the file."""
        with self.path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            noted = json.loads(file.read(length))[name]
        return str(noted["dtype"]), tuple(noted["shape"]), 8 + length + noted["data_offsets"][0]


def _check_header(path: Path) -> None:
    """Refuse a safetensors file that declares a header longer than itself or than any can be."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    n_bytes = path.stat().st_size
    if length > min(n_bytes, _LONGEST_HEADER):
        raise FormatError(
            f"this is no safetensors file, or it is damaged or cut off: its header would be "
            f"{readable(length)} long, the file is {readable(n_bytes)}.",
            path,
        )
