"""Files that are the points and nothing else: npy, and the text of DirectProbe."""

from __future__ import annotations

from pathlib import Path

from geoprobe.spaces.formats.named_arrays import NamedArrays, StoredArray
from geoprobe.spaces.formats.numpy_files import read_npy
from geoprobe.spaces.text_formats import read_embeddings


class PlainPoints(NamedArrays):
    """One array without a name."""

    path: Path
    points = ("",)

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names = [""]

    def array(self, name: str) -> StoredArray:
        """Return the points: an npy file is mapped into memory, a text is read whole.

        Raises
        ------
        FormatError
            If the file is damaged or of another format.
        """
        read = read_npy if self.path.suffix.lower() == ".npy" else read_embeddings
        return StoredArray.of(read(self.path))
