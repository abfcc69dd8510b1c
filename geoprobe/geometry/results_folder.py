"""Results folders: a geometry, its tables and a summary, written at once or not at all."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from geoprobe.errors import FormatError
from geoprobe.files.atomic import is_unfinished, new_folder
from geoprobe.files.csv_files import write_table
from geoprobe.files.json_files import check_format, load_object
from geoprobe.geometry.measured import Geometry
from geoprobe.geometry.npz import read_geometry, write_geometry
from geoprobe.geometry.pairs import Status
from geoprobe.geometry.result_tables import tables
from geoprobe.schema import Record, parse
from geoprobe.versions import installed_versions

FORMAT = "geoprobe results"
FORMAT_VERSION = 2
SUMMARY = "summary.json"
PAGE = "summary.html"
GEOMETRY = "geometry.npz"

_PACKAGES = ("geoprobe", "numpy", "numba", "scipy", "highspy", "scikit-learn", "faiss-cpu")


class Origin(Record):
    """Where the points of a results folder came from."""

    name: str
    path: str | None = None
    test_path: str | None = None
    options: dict[str, str] = Field(default_factory=dict)
    """How the file was read: names of arrays and columns."""


class Results(NamedTuple):
    """What a results folder holds."""

    folder: Path
    geometry: Geometry
    origin: Origin
    summary: dict[str, Any]


def write_results(
    geometry: Geometry,
    folder: str | os.PathLike[str],
    *,
    source: str | os.PathLike[str] | None = None,
    test_source: str | os.PathLike[str] | None = None,
    options: Mapping[str, str] | None = None,
    timings: Mapping[str, float] | None = None,
    page: str | None = None,
) -> Path:
    """Write a geometry with its certificates, and the same as tables for people.

    Parameters
    ----------
    geometry : Geometry
        With fingerprints, as :func:`geoprobe.probes.measure` makes it.
    folder : path
        Where to write; missing, or an empty folder.
    source, test_source : path, optional
        Files that the points and the test points were read from.
    options : mapping of str to str, optional
        How the file was read, so that it can be read again: names of arrays and columns.
    timings : mapping of str to float, optional
        Seconds in each phase.
    page : str, optional
        HTML for people, as :func:`geoprobe.report.space_page` makes it: ``summary.html``.

    Returns
    -------
    Path
        The folder, absolute.

    Raises
    ------
    OutputError
        If something is there already, or writing fails; no part of the folder remains then.
    """
    origin = Origin(
        name=geometry.cell.task,
        path=_absolute(source),
        test_path=_absolute(test_source),
        options=dict(options or {}),
    )
    summary = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        **describe(geometry),
        "input": origin.model_dump(),
        "timings": {name: float(seconds) for name, seconds in (timings or {}).items()},
        "versions": _versions(),
    }
    with new_folder(folder) as hidden:
        write_geometry(geometry, hidden / GEOMETRY)
        for name, columns in tables(geometry).items():
            write_table(hidden / name, columns)
        text = json.dumps(summary, indent=1, allow_nan=False) + "\n"
        (hidden / SUMMARY).write_text(text, encoding="ascii")
        if page is not None:
            # A lone surrogate in a name cannot be written as UTF-8.
            (hidden / PAGE).write_bytes(page.encode("utf8", errors="replace"))
    return Path(folder).expanduser().resolve()


def read_results(folder: str | os.PathLike[str]) -> Results:
    """Read a results folder; the form of its geometry is checked, its claims are not.

    Parameters
    ----------
    folder : path
        As :func:`write_results` wrote it.

    Raises
    ------
    FormatError
        If the folder holds no finished results, or a file is missing, changed or malformed.
    """
    place = Path(folder)
    summary = read_summary(place)
    origin = parse(Origin, summary.get("input"), place / SUMMARY)
    return Results(place, read_geometry(place / GEOMETRY), origin, summary)


def read_summary(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the summary of a results folder.

    Raises
    ------
    FormatError
        If the folder is no finished result, the file is damaged, or another version wrote it.
    """
    place = Path(folder)
    if is_unfinished(place):
        raise FormatError("unfinished results: whatever wrote them did not end. Remove it.", place)
    if not place.is_dir():
        what = "is a file" if place.exists() else "does not exist"
        raise FormatError(f"a folder of results is expected, but this {what}.", place)
    path = place / SUMMARY
    if not path.is_file():
        raise FormatError(f"no results: the folder has no {SUMMARY}.", place)
    summary = load_object(path)
    if (summary.get("format"), summary.get("format_version")) == (FORMAT, 1):
        raise FormatError(
            "geoprobe 0.1 wrote these results; its tables can still be read as csv, but to verify "
            "them run `geoprobe probe` on the data again.",
            path,
        )
    check_format(summary, FORMAT, FORMAT_VERSION, path)
    return summary


def describe(g: Geometry) -> dict[str, Any]:
    """Return the numbers of a summary, which all follow from the geometry.

    Parameters
    ----------
    g : Geometry

    Returns
    -------
    dict
        Of types that JSON knows.
    """
    pairs = g.hulls if g.clusters is None else g.clusters.distances
    disjoint = pairs.upper[pairs.status == Status.DISJOINT]
    unproved = int((pairs.status == Status.UNPROVED).sum())
    summary: dict[str, Any] = {
        "kind": "distances" if g.counters is None else "probe",
        "n_points": g.n_units,
        "n_dims": g.n_dims,
        "dtype": g.dtype,
        "points_sha256": g.fingerprints.get("points"),
        "labels_sha256": g.fingerprints.get("labels"),
        "n_labels": g.n_labels,
        "labels": g.classes.tolist(),
        "tau": g.tau,
        "scale": g.scale,
        "n_clusters": None if g.clusters is None else len(g.clusters),
        "is_linear": g.is_linear,
        "status": "unproved" if unproved else "proved",
        "overlapping_pairs": int((pairs.status == Status.OVERLAP).sum()),
        "unproved_pairs": unproved,
        "smallest_distance": float(disjoint.min()) if len(disjoint) else None,
        "counts": {} if g.counters is None else asdict(g.counters),
    }
    if g.predictions is not None:
        p = g.predictions
        summary["test"] = {
            "name": p.name,
            "points_sha256": p.fingerprints.get("points"),
            "labels_sha256": p.fingerprints.get("labels"),
            "n_points": len(p),
            "right": int(np.sum(p.correct)),
            "accuracy": p.accuracy,
            "unseen_labels": list(p.unseen),
        }
    return summary


def _absolute(path: str | os.PathLike[str] | None) -> str | None:
    return None if path is None else str(Path(path).resolve())


def _versions() -> dict[str, str]:
    """Return the versions of Python, geoprobe and what it computes with."""
    known = installed_versions(_PACKAGES)
    missing = {name: "not installed" for name in _PACKAGES if name not in known}
    return {"python": platform.python_version(), **known, **missing}
