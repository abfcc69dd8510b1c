"""Tidy tables of a whole study: a row for each space, and a row for each pair of labels."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from geoprobe.files.atomic import write_file
from geoprobe.files.csv_files import as_cell
from geoprobe.findings import label_distances, spatial_similarity
from geoprobe.geometry import Geometry
from geoprobe.geometry.pairs import Status
from geoprobe.studies.parquet_tables import need_parquet, write_parquet
from geoprobe.studies.study_data import StudyData, load_study_data
from geoprobe.studies.study_folder import StudyFolder
from geoprobe.studies.table_columns import CELL, PAIR, SPACE

Row = tuple[object, ...]


class Tables(NamedTuple):
    """Where the tables of a study are."""

    spaces: Path
    """A row for each measured space."""
    distances: Path
    """A row for each pair of labels of each measured space."""


def write_tables(folder: StudyFolder, *, material: StudyData | None = None) -> Tables:
    """Write what a study has measured so far as two csv files, the long one compressed.

    Numbers have all their digits; what is not defined or was not measured is an empty field.
    Where the plan says ``parquet``, ``spaces.parquet`` and ``distances.parquet`` lie beside them,
    with the same columns and rows; else such files are removed, so that no two tables disagree.

    Parameters
    ----------
    folder : StudyFolder
    material : StudyData, optional
        What :func:`load_study_data` has read of the folder; read here without it.

    Raises
    ------
    FormatError
        If this is no folder of a study, or a file in it is damaged.
    GeoprobeError
        If the plan asks for parquet and pyarrow is not installed; nothing is written then.
    StoreError
        If the system refuses to write.
    """
    material = load_study_data(folder) if material is None else material
    if material.plan.parquet:
        need_parquet()
    tables = Tables(folder.tables / "spaces.csv", folder.tables / "distances.csv.gz")
    for path, columns, rows_of in (
        (tables.spaces, space_columns(material), space_rows),
        (tables.distances, (*CELL, *material.groups, *PAIR), _distances),
    ):
        _write(path, columns, rows_of(material))
        parquet = path.with_name(path.name.partition(".")[0] + ".parquet")
        if material.plan.parquet:
            write_parquet(parquet, columns, rows_of(material))
        else:
            parquet.unlink(missing_ok=True)
    return tables


def space_columns(m: StudyData) -> tuple[str, ...]:
    """Return the columns of ``spaces.csv``."""
    return (*CELL, *m.groups, *SPACE)


def space_rows(m: StudyData) -> Iterator[Row]:
    """Yield a row of ``spaces.csv`` for each measured space."""
    originals = {g.cell: g for g in m.geometries if g.cell.tuned_on is None}
    for g in m.geometries:
        distances = label_distances(g, **m.reduction)
        kept = [name for name in g.labels if name not in distances.left_out]
        known = distances.vector(kept).tolist()
        start = originals.get(g.cell.start(originals))
        each = m.classifier.get(g.cell, [])
        yield (
            *_cell(g, m.groups),
            g.n_units,
            g.n_dims,
            g.n_labels,
            g.n_clusters,
            g.is_linear,
            int((g.hulls.status == Status.OVERLAP).sum()),
            None if g.counters is None else g.counters.duplicate_points,
            None if g.counters is None else g.counters.contradictory_points,
            g.scale,
            min(known, default=None),
            _mean(known),
            None if g.spread is None else float(g.spread.mean()),
            None if start is None else spatial_similarity(start, g, **m.reduction).value,
            None if g.predictions is None else len(g.predictions.true),
            None if g.test is None else spatial_similarity(g, g.test, **m.reduction).value,
            None if g.predictions is None else g.predictions.accuracy,
            _mean(each),
            _std(each),
            m.head.get(g.cell),
        )


def _distances(m: StudyData) -> Iterator[Row]:
    for g in m.geometries:
        matrix = label_distances(g, **m.reduction).matrix
        hulls, cell = g.hulls, _cell(g, m.groups)
        for first, second, lower, upper, status in zip(
            hulls.first.tolist(),
            hulls.second.tolist(),
            hulls.lower.tolist(),
            hulls.upper.tolist(),
            hulls.status.tolist(),
            strict=True,
        ):
            yield (
                *cell,
                g.labels[first],
                g.labels[second],
                int(g.counts[first]),
                int(g.counts[second]),
                float(matrix[first, second]),
                lower,
                upper,
                Status(status).name.lower(),
            )


def _cell(g: Geometry, groups: Sequence[str]) -> Row:
    group = dict(g.cell.group)
    return (*(getattr(g.cell, name) for name in CELL), *(group.get(name) for name in groups))


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _std(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None


def _write(path: Path, header: Sequence[str], rows: Iterable[Row]) -> None:
    def fill(unfinished: Path) -> None:
        with contextlib.ExitStack() as stack:
            raw: Any = stack.enter_context(unfinished.open("xb"))
            if path.suffix == ".gz":
                # Without a name and a time, the same rows give the same bytes.
                raw = stack.enter_context(gzip.GzipFile("", "wb", 6, raw, mtime=0))
            file = stack.enter_context(
                io.TextIOWrapper(raw, encoding="utf8", errors="replace", newline="")
            )
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows([_plain(value) for value in row] for row in rows)

    write_file(path, fill)


def _plain(value: object) -> object:
    """Return None, which csv writes as an empty field, for NaN, and no formula for text."""
    if isinstance(value, str):
        return as_cell(value)
    return None if isinstance(value, float) and math.isnan(value) else value
