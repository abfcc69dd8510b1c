"""Formats of files of points, a reader for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from geoprobe import plugins
from geoprobe.spaces.formats.arrow_files import IpcTable, ParquetTable
from geoprobe.spaces.formats.datasets_folder import (
    DatasetsTable,
    is_dataset,
    is_datasets_folder,
    open_datasets_folder,
)
from geoprobe.spaces.formats.dictionaries import Dictionary, is_dictionary
from geoprobe.spaces.formats.hdf5_files import Hdf5Arrays
from geoprobe.spaces.formats.named_arrays import NamedArrays
from geoprobe.spaces.formats.numpy_files import NpzArrays
from geoprobe.spaces.formats.plain_points import PlainPoints
from geoprobe.spaces.formats.safetensors_files import SafetensorsArrays
from geoprobe.spaces.formats.text_tables import DELIMITED, TextTable
from geoprobe.spaces.formats.torch_files import open_torch
from geoprobe.spaces.formats.zarr_stores import ZarrArrays, is_zarr_store

READERS: dict[str, Callable[[Path], NamedArrays]] = {
    ".npz": NpzArrays,
    ".safetensors": SafetensorsArrays,
    ".h5": Hdf5Arrays,
    ".hdf5": Hdf5Arrays,
    ".parquet": ParquetTable,
    ".arrow": IpcTable,
    ".feather": IpcTable,
    ".pt": open_torch,
    ".pth": open_torch,
    ".zarr": ZarrArrays,
    ".zip": ZarrArrays,
    **dict.fromkeys(DELIMITED, TextTable),
    ".npy": PlainPoints,
    ".txt": PlainPoints,
}
"""What opens a file, by the ending of its name."""

SUFFIXES = tuple(READERS)
"""Endings of the files that are read; a folder of the library datasets is called as it likes."""

__all__ = [
    "READERS",
    "SUFFIXES",
    "Dictionary",
    "NamedArrays",
    "PlainPoints",
    "added_suffixes",
    "in_memory",
    "reader_of",
]


def in_memory(source: Any) -> NamedArrays | None:
    """Return a dictionary, or a data set of the library datasets, as named arrays; else None."""
    if is_dictionary(source):
        return Dictionary(source)
    return DatasetsTable(source) if is_dataset(source) else None


def reader_of(path: Path) -> Callable[[Path], NamedArrays] | None:
    """Return what opens a file or a folder; None if nothing does."""
    if path.is_dir():
        if is_datasets_folder(path):
            return open_datasets_folder
        if is_zarr_store(path):
            return ZarrArrays
    suffix = path.suffix.lower()
    point = None if suffix in SUFFIXES else _of_others().get(suffix.removeprefix("."))
    if point is None:
        return READERS.get(suffix)
    return partial(_read_by, point)


def added_suffixes() -> tuple[str, ...]:
    """Return the endings of the files that other packages read."""
    return tuple(f".{name}" for name in _of_others())


def _read_by(point: EntryPoint, path: Path) -> Dictionary:
    content: Mapping[str, Any] = plugins.ask(point, Mapping, path)  # type: ignore[type-abstract]
    return Dictionary(content, path)


def _of_others() -> dict[str, EntryPoint]:
    return plugins.offered(plugins.READERS, [suffix.removeprefix(".") for suffix in SUFFIXES])
