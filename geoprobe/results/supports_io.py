"""Convex weights in and out of ``certificates.npz``, in small types and never pickled."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError
from geoprobe.results.layout import SUPPORT_ARRAYS

if TYPE_CHECKING:
    from geoprobe.geometry.pairs import Supports

_INT32_MAX = 2**31 - 1


@dataclass(frozen=True)
class SupportArrays:
    """The arrays of :class:`geoprobe.geometry.pairs.Supports`, without importing it.

    Certificate ``k`` has on side a the rows ``index_a[start_a[k]:start_a[k + 1]]`` with the
    weights of the same slice; side b likewise.
    """

    start_a: NDArray[np.int64]
    index_a: NDArray[np.int64]
    weight_a: NDArray[np.float64]
    start_b: NDArray[np.int64]
    index_b: NDArray[np.int64]
    weight_b: NDArray[np.float64]

    def __len__(self) -> int:
        """Return the number of certificates."""
        return len(self.start_a) - 1


def write_supports(path: Path, **supports: Supports | SupportArrays) -> None:
    """Write named sets of certificates into one npz file.

    Parameters
    ----------
    path : Path
    **supports : Supports
        The arrays of ``name`` are stored as ``name_start_a`` and so on.
    """
    arrays = {
        f"{name}_{part}": _small(np.asarray(getattr(value, part)))
        for name, value in supports.items()
        for part in SUPPORT_ARRAYS
    }
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def read_supports(path: Path, *names: str) -> list[SupportArrays]:
    """Read sets of certificates and check that their arrays fit together.

    Raises
    ------
    FormatError
        If the file or an array is missing, damaged, of a wrong type or shape.
    """
    wanted = [f"{name}_{part}" for name in names for part in SUPPORT_ARRAYS]
    try:
        with np.load(path, allow_pickle=False) as archive:
            if sorted(archive.files) != sorted(wanted):
                raise FormatError(
                    f"the arrays should be {', '.join(wanted)}, not {', '.join(archive.files)}.",
                    path,
                )
            arrays = {name: archive[name] for name in wanted}
    except FormatError:
        raise
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise FormatError(f"the certificates cannot be read: {error}.", path) from error
    return [_supports(path, name, arrays) for name in names]


def _small(array: NDArray[Any]) -> NDArray[Any]:
    """Return whole numbers in 32 bits where they fit, everything else in float64."""
    if array.dtype.kind not in "iu":
        return array.astype("<f8", copy=False)
    fits = array.size == 0 or int(array.max()) <= _INT32_MAX
    return array.astype("<i4" if fits else "<i8", copy=False)


def _supports(path: Path, name: str, arrays: dict[str, NDArray[Any]]) -> SupportArrays:
    """Widen the arrays of one set and check them."""
    parts: dict[str, NDArray[Any]] = {}
    for part in SUPPORT_ARRAYS:
        array = arrays[f"{name}_{part}"]
        kind = "f" if part.startswith("weight") else "i"
        if array.ndim != 1 or array.dtype.kind != kind:
            raise FormatError(
                f"{name}_{part} should be a 1d array of {'floats' if kind == 'f' else 'integers'}, "
                f"not {array.dtype} of shape {array.shape}.",
                path,
            )
        parts[part] = array.astype(np.float64 if kind == "f" else np.int64)
    supports = SupportArrays(**parts)
    for side in "ab":
        start, index, weight = (getattr(supports, f"{part}_{side}") for part in _PARTS)
        # Strictly rising: a certificate without a row proves nothing.
        if (
            len(start) == 0
            or start[0] != 0
            or start[-1] != len(index)
            or (np.diff(start) < 1).any()
        ):
            raise FormatError(
                f"{name}_start_{side} should rise from 0 to {len(index)}, with at least one row "
                f"in every certificate.",
                path,
            )
        if len(weight) != len(index):
            raise FormatError(
                f"{name}_index_{side} has {len(index)} rows, but {name}_weight_{side} has "
                f"{len(weight)} weights.",
                path,
            )
    if len(supports.start_a) != len(supports.start_b):
        raise FormatError(
            f"{name}_start_a counts {len(supports.start_a) - 1} certificates, but {name}_start_b "
            f"counts {len(supports.start_b) - 1}.",
            path,
        )
    return supports


_PARTS = ("start", "index", "weight")
