"""Files of the safetensors format, the one file that knows that library."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError, InputError
from geoprobe.files.text_files import checked_file
from geoprobe.spaces.keys import SpaceKey
from geoprobe.spaces.store_layout import LABELS, read_metadata, tensor_name


class SafetensorsArrays:
    """The tensors of a safetensors file, read one by one on demand.

    Attributes
    ----------
    path : pathlib.Path
    names : list of str
        Of the tensors.
    key : SpaceKey or None
        Of the spaces, if the file comes from a store.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        from safetensors import SafetensorError, safe_open

        self.path = checked_file(path)
        try:
            with safe_open(self.path, framework="numpy") as file:
                self.names = sorted(file.keys())
                metadata = file.metadata() or {}
        except (SafetensorError, OSError, ValueError) as error:
            raise FormatError(
                f"this is no safetensors file, or it is damaged or cut off: {error}.", self.path
            ) from error
        try:
            stored = read_metadata(metadata)
        except InputError as error:
            raise FormatError(str(error), self.path) from error
        self.key: SpaceKey | None = None
        self._label_names: NDArray[np.str_] | None = None
        if stored is not None:
            self.key, self._label_names = stored[0], np.array(stored[1], dtype=np.str_)

    @property
    def last_layer_name(self) -> str:
        """The tensor of the last layer in a file of a store."""
        return max(
            (name for name in self.names if name.startswith(tensor_name(""))),
            key=lambda name: (len(name), name),
            default=tensor_name("0"),
        )

    def read(self, name: str) -> NDArray[Any]:
        """Return one tensor; bfloat16 becomes float32, which holds all its values.

        In a file of a store, the codes of the labels become the labels.

        Raises
        ------
        FormatError
            If NumPy has no type for the tensor, or a code has no label.
        """
        array = self._tensor(name)
        if self._label_names is None or name != LABELS:
            return array
        if array.dtype.kind != "i" or not np.isin(array, range(len(self._label_names))).all():
            raise FormatError(
                f"{name!r} should hold the codes of {len(self._label_names)} labels, but some have "
                f"no label: the file is damaged.",
                self.path,
            )
        labels: NDArray[np.str_] = self._label_names[array]
        return labels

    def _tensor(self, name: str) -> NDArray[Any]:
        from safetensors import SafetensorError, safe_open

        if self._kind(name) == "BF16":
            return self._bfloat16(name)
        try:
            with safe_open(self.path, framework="numpy") as file:
                array: NDArray[Any] = file.get_tensor(name)
        except (SafetensorError, OSError, ValueError, TypeError, AttributeError) as error:
            raise FormatError(
                f"the tensor {name!r} of type {self._kind(name)} cannot be read: {error}.",
                self.path,
            ) from error
        return array

    def _header(self) -> tuple[dict[str, Any], int]:
        """Return the header and the position of the first byte after it."""
        with self.path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            return json.loads(file.read(length)), 8 + length

    def _kind(self, name: str) -> str:
        return str(self._header()[0][name]["dtype"])

    def _bfloat16(self, name: str) -> NDArray[np.float32]:
        header, start = self._header()
        begin, end = header[name]["data_offsets"]
        with self.path.open("rb") as file:
            file.seek(start + begin)
            halves = np.frombuffer(file.read(end - begin), dtype="<u2")
        # A bfloat16 is the upper half of a float32.
        wide = halves.astype(np.uint32) << 16
        return np.reshape(wide.view(np.float32), tuple(header[name]["shape"]))
