"""Geometries on disk: one npz file each, arrays and JSON, never pickle."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError
from geoprobe.files.npz_files import Arrays, read_npz, write_npz
from geoprobe.findings.cells import Cell
from geoprobe.findings.geometry import Clusters, Geometry, HeldOut, PairBounds, all_pairs

FORMAT = "geoprobe geometry"
FORMAT_VERSION = 1


def save_geometry(geometry: Geometry, path: str | os.PathLike[str]) -> Path:
    """Write a geometry to one file, which appears complete or not at all.

    The same geometry gives the same bytes. Which clusters the distances belong to is not written,
    since every pair is there in a fixed order.

    Parameters
    ----------
    geometry : Geometry
    path : path
        Ends in ``.npz``; replaced if it is there.

    Returns
    -------
    Path

    Raises
    ------
    OutputError
        If the name does not end so.
    StoreError
        If the file cannot be written; an older one stays then.
    """
    target = Path(os.fspath(path))
    arrays: Arrays = {}
    about = {"format": FORMAT, "format_version": FORMAT_VERSION, **_pack(geometry, "", arrays)}
    write_npz(target, about, arrays)
    return target


def load_geometry(path: str | os.PathLike[str]) -> Geometry:
    """Read a geometry back.

    Parameters
    ----------
    path : path

    Raises
    ------
    FormatError
        If the file is missing, damaged, or of another kind or version.
    """
    source = Path(os.fspath(path))
    about, arrays = read_npz(source, FORMAT, FORMAT_VERSION)
    try:
        return _unpack(about, "", arrays)
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"the geometry does not fit together ({error}).", source) from error


def _pack(g: Geometry, prefix: str, arrays: Arrays) -> dict[str, Any]:
    """Put the arrays under names that begin with ``prefix``; return the rest for JSON."""
    arrays |= {f"{prefix}counts": g.counts, f"{prefix}centroids": g.centroids}
    _pack_bounds(g.hulls, f"{prefix}hulls.", arrays)
    if g.clusters is not None:
        for name in ("label", "size", "blocked_first", "blocked_second", "blocker", "gap"):
            arrays[f"{prefix}clusters.{name}"] = getattr(g.clusters, name)
        _pack_bounds(g.clusters.distances, f"{prefix}clusters.", arrays)
    about: dict[str, Any] = {
        "cell": g.cell.as_dict(),
        "labels": list(g.labels),
        "scale": g.scale,
        "tau": g.tau,
        "tallies": g.tallies,
        "fingerprints": g.fingerprints,
        "clusters": g.clusters is not None,
        "held_out": None,
        "test": None,
    }
    if g.held_out is not None:
        for name in ("true", "predicted", "distance"):
            arrays[f"{prefix}held_out.{name}"] = getattr(g.held_out, name)
        about["held_out"] = {"names": g.held_out.names, "unseen": g.held_out.unseen}
    if g.test is not None:
        about["test"] = _pack(g.test, f"{prefix}test.", arrays)
    return about


def _pack_bounds(bounds: PairBounds, prefix: str, arrays: Arrays) -> None:
    for name in ("lower", "upper", "status"):
        arrays[f"{prefix}{name}"] = getattr(bounds, name)


def _unpack(about: dict[str, Any], prefix: str, arrays: Arrays) -> Geometry:
    """Build the geometry whose arrays have names that begin with ``prefix``."""
    labels = tuple(about["labels"])
    counts, centroids = arrays[f"{prefix}counts"], arrays[f"{prefix}centroids"]
    if counts.shape != (len(labels),) or centroids.shape[:1] != (len(labels),):
        raise ValueError(
            f"{len(labels)} labels have {len(counts)} counts and {len(centroids)} centroids"
        )
    whole = np.arange(len(labels), dtype=np.int64)
    held, test = about["held_out"], about["test"]
    return Geometry(
        cell=Cell(**about["cell"]),
        labels=labels,
        counts=counts,
        centroids=centroids,
        hulls=_unpack_bounds(whole, f"{prefix}hulls.", arrays),
        clusters=_unpack_clusters(f"{prefix}clusters.", arrays) if about["clusters"] else None,
        held_out=None if held is None else _unpack_held_out(held, f"{prefix}held_out.", arrays),
        test=None if test is None else _unpack(test, f"{prefix}test.", arrays),
        scale=about["scale"],
        tau=about["tau"],
        tallies=about["tallies"],
        fingerprints=about["fingerprints"],
    )


def _unpack_clusters(prefix: str, arrays: Arrays) -> Clusters:
    names = ("label", "size", "blocked_first", "blocked_second", "blocker", "gap")
    columns = {name: arrays[f"{prefix}{name}"] for name in names}
    return Clusters(distances=_unpack_bounds(columns["label"], prefix, arrays), **columns)


def _unpack_held_out(about: dict[str, Any], prefix: str, arrays: Arrays) -> HeldOut:
    columns = {name: arrays[f"{prefix}{name}"] for name in ("true", "predicted", "distance")}
    return HeldOut(names=tuple(about["names"]), unseen=tuple(about["unseen"]), **columns)


def _unpack_bounds(groups: NDArray[np.int64], prefix: str, arrays: Arrays) -> PairBounds:
    first, second = all_pairs(groups)
    columns = {name: arrays[f"{prefix}{name}"] for name in ("lower", "upper", "status")}
    for name, column in columns.items():
        if column.shape != first.shape:
            raise ValueError(f"{prefix}{name} has the shape {column.shape}, not {first.shape}")
    return PairBounds(first=first, second=second, **columns)
