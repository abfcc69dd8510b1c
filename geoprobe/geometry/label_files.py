"""Files of what was found out about the labels of a space: columns beside labels, units, cell."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from geoprobe.errors import FormatError
from geoprobe.files.npz_files import read_npz, write_npz
from geoprobe.geometry.cells import Cell

Of = TypeVar("Of")


@dataclass(frozen=True)
class LabelFile(Generic[Of]):
    """A kind of npz file that keeps one kind of value.

    Attributes
    ----------
    kind : callable
        Makes the value of its fields, which are those below and ``labels``, tuple of str,
        ``units``, str, and ``cell``, Cell or None.
    what : str
        What the value is called in messages.
    format : str
    version : int
    arrays : mapping of str to tuple of str
        Fields that are arrays, with their shapes: ``"labels"`` and ``"pairs"`` are the numbers of
        labels and of their pairs, and any other name stands for the same number throughout.
    numbers : tuple of str
        Fields that are whole numbers.
    """

    kind: Callable[..., Of]
    what: str
    format: str
    version: int
    arrays: Mapping[str, tuple[str, ...]]
    numbers: tuple[str, ...] = ()

    def save(self, value: Of, path: str | os.PathLike[str]) -> Path:
        """Write a value to one file, which appears complete or not at all.

        Raises
        ------
        OutputError, StoreError
            As :func:`geoprobe.geometry.write_geometry` does.
        """
        said: Any = value
        target = Path(os.fspath(path))
        about = {
            "format": self.format,
            "format_version": self.version,
            "labels": list(said.labels),
            **{name: getattr(value, name) for name in self.numbers},
            "units": said.units,
            "cell": None if said.cell is None else said.cell.as_dict(),
        }
        write_npz(target, about, {name: getattr(value, name) for name in self.arrays})
        return target

    def load(self, path: str | os.PathLike[str]) -> Of:
        """Read a value back.

        Raises
        ------
        FormatError
            If the file is missing, damaged, or of another kind or version.
        """
        source = Path(os.fspath(path))
        about, arrays = read_npz(source, self.format, self.version)
        try:
            labels = tuple(about["labels"])
            sizes = {"labels": len(labels), "pairs": len(labels) * (len(labels) - 1) // 2}
            for name, dims in self.arrays.items():
                shape = arrays[name].shape
                expected = tuple(
                    sizes.setdefault(dim, size) for dim, size in zip(dims, shape, strict=False)
                )
                if len(shape) != len(dims) or shape != expected:
                    raise ValueError(
                        f"{name} has the shape {shape}, not "
                        f"{tuple(sizes.get(dim, dim) for dim in dims)}"
                    )
            return self.kind(
                labels=labels,
                units=str(about["units"]),
                cell=None if about["cell"] is None else Cell.from_dict(about["cell"]),
                **{name: int(about[name]) for name in self.numbers},
                **{name: arrays[name] for name in self.arrays},
            )
        except (ValueError, KeyError, TypeError) as error:
            raise FormatError(f"the {self.what} do not fit together ({error}).", source) from error
