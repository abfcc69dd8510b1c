"""The file format of a measured geometry: one npz of arrays and JSON, never pickle."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError
from geoprobe.files.npz_files import Arrays, read_npz, write_npz
from geoprobe.geometry.cells import Cell
from geoprobe.geometry.clusters import NO_BLOCKS, Blocks, Clusters, Counts
from geoprobe.geometry.measured import Geometry, Predictions, all_pairs
from geoprobe.geometry.pairs import PairwiseDistances, Supports

FORMAT = "geoprobe geometry"
FORMAT_VERSION = 2

_INT32_MAX = 2**31 - 1


def write_geometry(geometry: Geometry, path: str | os.PathLike[str]) -> Path:
    """Write a geometry to one file, which appears complete or not at all.

    The same geometry gives the same bytes. Which groups the distances belong to is not written,
    since every pair is there in a fixed order; of a linear space the distances of clusters are
    those of labels and are written once.

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


def read_geometry(path: str | os.PathLike[str]) -> Geometry:
    """Read a geometry back; its form is checked, its claims are not.

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
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise FormatError(f"the geometry does not fit together ({error}).", source) from error


def _pack(g: Geometry, prefix: str, arrays: Arrays) -> dict[str, Any]:
    """Put the arrays under names that begin with ``prefix``; return the rest for JSON."""
    arrays |= {f"{prefix}counts": _small(g.counts), f"{prefix}centroids": g.centroids}
    if g.spread is not None:
        arrays[f"{prefix}spread"] = g.spread
    _pack_pairs(g.hulls, f"{prefix}hulls.", arrays)
    about: dict[str, Any] = {
        "cell": g.cell.as_dict(),
        "classes": g.classes.tolist(),
        "scale": g.scale,
        "tau": g.tau,
        "dtype": g.dtype,
        "counters": None if g.counters is None else asdict(g.counters),
        "fingerprints": g.fingerprints,
        "clusters": g.clusters is not None,
        "predictions": None,
        "test": None,
    }
    if g.clusters is not None:
        _pack_clusters(g.clusters, g.n_labels, f"{prefix}clusters.", arrays)
        if g.clusters.fixed:
            about["fixed"] = True
    if g.predictions is not None:
        p = g.predictions
        for name in ("true", "cluster"):
            arrays[f"{prefix}predictions.{name}"] = _small(getattr(p, name))
        arrays[f"{prefix}predictions.distance"] = p.distance
        about["predictions"] = {
            "names": p.names,
            "unseen": p.unseen,
            "name": p.name,
            "fingerprints": p.fingerprints,
        }
    if g.test is not None:
        about["test"] = _pack(g.test, f"{prefix}test.", arrays)
    return about


def _pack_clusters(clusters: Clusters, n_labels: int, prefix: str, arrays: Arrays) -> None:
    arrays[f"{prefix}assignment"] = _small(clusters.assignment)
    arrays[f"{prefix}label"] = _small(clusters.label)
    if len(clusters) == n_labels:
        return
    _pack_pairs(clusters.distances, prefix, arrays)
    blocks = clusters.blocks
    for name in ("first", "second", "blocker", "certificate"):
        arrays[f"{prefix}blocks.{name}"] = _small(getattr(blocks, name))
    arrays[f"{prefix}blocks.gap"] = blocks.gap
    _pack_supports(blocks.supports, f"{prefix}blocks.", arrays)


def _pack_pairs(pairs: PairwiseDistances, prefix: str, arrays: Arrays) -> None:
    for name in ("lower", "upper", "status", "stage"):
        arrays[f"{prefix}{name}"] = getattr(pairs, name)
    _pack_supports(pairs.supports, prefix, arrays)


def _pack_supports(supports: Supports, prefix: str, arrays: Arrays) -> None:
    for side in "ab":
        sizes = np.diff(getattr(supports, f"start_{side}"))
        arrays[f"{prefix}size_{side}"] = _small(sizes)
        arrays[f"{prefix}index_{side}"] = _small(getattr(supports, f"index_{side}"))
        arrays[f"{prefix}weight_{side}"] = getattr(supports, f"weight_{side}")


def _small(numbers: NDArray[np.int64]) -> NDArray[Any]:
    """Return whole numbers in 32 bits where they fit."""
    fits = numbers.size == 0 or int(np.abs(numbers).max()) <= _INT32_MAX
    return numbers.astype(np.int32 if fits else np.int64)


def _unpack(about: dict[str, Any], prefix: str, arrays: Arrays) -> Geometry:
    """Build the geometry whose arrays have names that begin with ``prefix``."""
    classes = _labels(about["classes"])
    counts = _whole(arrays, f"{prefix}counts", len(classes))
    centroids = _column(arrays, f"{prefix}centroids", np.float64, len(classes), n_axes=2)
    n_points = int(counts.sum())
    scale, tau = float(about["scale"]), float(about["tau"])
    whole = np.arange(len(classes), dtype=np.int64)
    hulls = _unpack_pairs(classes, whole, n_points, scale, tau, f"{prefix}hulls.", arrays)
    clusters = (
        _unpack_clusters(hulls, n_points, f"{prefix}clusters.", arrays)
        if about["clusters"]
        else None
    )
    if clusters is not None and about.get("fixed", False):
        clusters = replace(clusters, fixed=True)
    noted, test = about["predictions"], about["test"]
    return Geometry(
        cell=Cell.from_dict(about["cell"]),
        classes=classes,
        counts=counts,
        centroids=centroids,
        hulls=hulls,
        clusters=clusters,
        predictions=None
        if noted is None or clusters is None
        else _unpack_predictions(noted, clusters, f"{prefix}predictions.", arrays),
        test=None if test is None else _unpack(test, f"{prefix}test.", arrays),
        spread=_column(arrays, f"{prefix}spread", np.float64, len(classes))
        if f"{prefix}spread" in arrays
        else None,
        counters=None if about["counters"] is None else Counts(**about["counters"]),
        fingerprints={str(k): str(v) for k, v in about["fingerprints"].items()},
        dtype=str(about["dtype"]),
    )


def _labels(listed: Any) -> NDArray[Any]:
    """Return labels as they were given: text, whole numbers, or true and false."""
    if not isinstance(listed, list) or len({type(each) for each in listed}) != 1:
        raise ValueError("classes is no list of labels of one type")
    if type(listed[0]) not in (str, int, bool):
        raise ValueError(f"labels are text, whole numbers or booleans, not {listed[0]!r:.80}")
    return np.array(listed)


def _unpack_clusters(
    hulls: PairwiseDistances, n_points: int, prefix: str, arrays: Arrays
) -> Clusters:
    label = _whole(arrays, f"{prefix}label")
    assignment = _whole(arrays, f"{prefix}assignment", n_points, below=len(label))
    n_labels = len(hulls.names)
    if len(label) < n_labels or np.any(np.diff(label) < 0):
        raise ValueError(f"{prefix}label does not ascend over {n_labels} labels")
    if label[0] != 0 or label[-1] != n_labels - 1 or np.any(np.diff(label) > 1):
        raise ValueError(f"{prefix}label leaves a label out")
    if len(label) == n_labels:
        return Clusters(assignment, label, hulls, NO_BLOCKS)
    distances = _unpack_pairs(
        np.arange(len(label)), label, n_points, hulls.scale, hulls.tau, prefix, arrays
    )
    supports = _unpack_supports(None, n_points, f"{prefix}blocks.", arrays)
    first = _whole(arrays, f"{prefix}blocks.first", below=len(label))
    blocks = Blocks(
        first=first,
        second=_whole(arrays, f"{prefix}blocks.second", len(first), below=len(label)),
        blocker=_whole(arrays, f"{prefix}blocks.blocker", len(first), below=len(label)),
        gap=_column(arrays, f"{prefix}blocks.gap", np.float64, len(first)),
        certificate=_whole(arrays, f"{prefix}blocks.certificate", len(first), below=len(supports)),
        supports=supports,
    )
    return Clusters(assignment, label, distances, blocks)


def _unpack_predictions(
    noted: dict[str, Any], clusters: Clusters, prefix: str, arrays: Arrays
) -> Predictions:
    names = tuple(str(name) for name in noted["names"])
    cluster = _whole(arrays, f"{prefix}cluster", below=len(clusters))
    return Predictions(
        names=names,
        true=_whole(arrays, f"{prefix}true", len(cluster), below=len(names)),
        predicted=clusters.label[cluster],
        cluster=cluster,
        distance=_column(arrays, f"{prefix}distance", np.float64, len(cluster)),
        unseen=tuple(str(name) for name in noted["unseen"]),
        name=str(noted["name"]),
        fingerprints={str(k): str(v) for k, v in noted["fingerprints"].items()},
    )


def _unpack_pairs(
    names: NDArray[Any],
    groups: NDArray[np.int64],
    n_points: int,
    scale: float,
    tau: float,
    prefix: str,
    arrays: Arrays,
) -> PairwiseDistances:
    first, second = all_pairs(groups)
    number = len(first)
    return PairwiseDistances(
        names=names,
        first=first,
        second=second,
        lower=_column(arrays, f"{prefix}lower", np.float64, number),
        upper=_column(arrays, f"{prefix}upper", np.float64, number),
        status=_whole(arrays, f"{prefix}status", number, below=3).astype(np.uint8),
        stage=_whole(arrays, f"{prefix}stage", number, below=2).astype(np.uint8),
        supports=_unpack_supports(number, n_points, prefix, arrays),
        scale=scale,
        tau=tau,
    )


def _unpack_supports(number: int | None, n_points: int, prefix: str, arrays: Arrays) -> Supports:
    parts: dict[str, NDArray[Any]] = {}
    for side in "ab":
        sizes = _whole(arrays, f"{prefix}size_{side}", number)
        number = len(sizes)
        if np.any(sizes == 0):
            raise ValueError(f"{prefix}size_{side}: certificate {int(np.argmin(sizes))} is empty")
        start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        entries = int(start[-1])
        parts[f"start_{side}"] = start
        parts[f"index_{side}"] = _whole(arrays, f"{prefix}index_{side}", entries, below=n_points)
        parts[f"weight_{side}"] = _column(arrays, f"{prefix}weight_{side}", np.float64, entries)
    return Supports(**parts)


def _column(
    arrays: Arrays, name: str, dtype: Any, number: int | None = None, n_axes: int = 1
) -> NDArray[Any]:
    """Return an array after checking type, shape and that every number is finite."""
    array = arrays[name]
    if array.dtype.kind != np.dtype(dtype).kind or array.ndim != n_axes:
        raise ValueError(f"{name} has the type {array.dtype} and {array.ndim} axes")
    if number is not None and len(array) != number:
        raise ValueError(f"{name} has {len(array)} rows, not {number}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name} holds a number that is not finite")
    return array.astype(dtype)


def _whole(
    arrays: Arrays, name: str, number: int | None = None, below: int | None = None
) -> NDArray[np.int64]:
    """Return whole numbers from 0 on, in 64 bits."""
    given = arrays[name]
    if given.dtype.kind == "u":
        given = given.astype(np.int64)
    column: NDArray[np.int64] = _column({name: given}, name, np.int64, number)
    bad = (column < 0) if below is None else (column < 0) | (column >= below)
    if bad.any():
        at = int(np.argmax(bad))
        raise ValueError(f"{name}[{at}] is {column[at]}, out of range")
    return column
