"""A result in a few sentences and short tables, for a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geoprobe.files.csv_files import texts
from geoprobe.results.content import FittedProbe
from geoprobe.results.layout import OVERLAP, STATUS_NAMES, UNPROVED

if TYPE_CHECKING:
    from geoprobe.geometry.pairs import PairwiseDistances
    from geoprobe.results.verify import VerificationReport
    from geoprobe.spaces import Space

MOST_ROWS = 10


@dataclass(frozen=True)
class Told:
    """Sentences first, then a table, if there is one.

    Attributes
    ----------
    lines : tuple of str
    title : str
        Of the table.
    header : tuple of str
        Names of the columns; those with a blank at the end are set to the right.
    rows : tuple of tuples of str
    """

    lines: tuple[str, ...] = ()
    title: str = ""
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def tell_probe(probe: FittedProbe, summary: Mapping[str, Any]) -> list[Told]:
    """Tell what a probe found.

    Parameters
    ----------
    probe : DirectProbe
        After ``fit``.
    summary : mapping
        The summary of its results folder.
    """
    sizes = np.bincount(np.asarray(probe.labels_), minlength=summary["n_clusters"])
    return [
        Told(lines=tuple(_sentences(summary))),
        _nearest(probe.distances_, texts(probe.cluster_labels_), sizes),
        *_split_labels(probe, sizes),
    ]


def tell_distances(distances: PairwiseDistances, space: Space, most: int | None) -> list[Told]:
    """Tell the distances of labels, smallest first.

    Parameters
    ----------
    distances : PairwiseDistances
        Of the labels of ``space``.
    space : Space
    most : int or None
        How many rows; None for all.
    """
    names = texts(distances.names)
    status = np.asarray(distances.status)
    n_pairs, n_overlap = len(distances), int((status == OVERLAP).sum())
    lines = [
        _size(space.name, space.n_points, space.n_dims, len(names)),
        f"Overlapping pairs: {n_overlap:,} of {n_pairs:,}.",
        *_unproved(int((status == UNPROVED).sum())),
    ]
    order = np.lexsort((np.arange(n_pairs), distances.distance))[:most]
    title = "Distances of labels"
    if len(order) < n_pairs:
        title = f"The {len(order)} smallest distances of labels (all: --all)"
    rows = tuple(
        (
            names[distances.first[k]],
            names[distances.second[k]],
            number(float(distances.distance[k])),
            STATUS_NAMES[status[k]],
        )
        for k in order
    )
    return [Told(tuple(lines), title, ("label", "label", "distance ", "status"), rows)]


def distances_json(distances: PairwiseDistances, space: Space) -> dict[str, Any]:
    """Return the distances of labels, of types that JSON knows."""
    names = distances.names.tolist()
    return {
        "name": space.name,
        "n_points": space.n_points,
        "n_dims": space.n_dims,
        "n_labels": len(names),
        "tau": distances.tau,
        "scale": distances.scale,
        "distances": [
            {
                "label_a": names[a],
                "label_b": names[b],
                "lower": lower,
                "upper": upper,
                "status": STATUS_NAMES[status],
            }
            for a, b, lower, upper, status in zip(
                distances.first.tolist(),
                distances.second.tolist(),
                distances.lower.tolist(),
                distances.upper.tolist(),
                distances.status.tolist(),
                strict=True,
            )
        ],
    }


def tell_verification(report: VerificationReport) -> list[Told]:
    """Tell what a verification checked."""
    rows = tuple((what, f"{number:,}") for what, number in report.checks if number)
    lines = [f"{report.folder} holds: {report.n_checks:,} checks, no failure."]
    if report.worst_row >= 0:
        lines.append(
            f"The bounds of every distance agree to {report.worst_gap:.1e} or better, relatively."
        )
    lines += _unproved(report.n_unproved)
    return [Told(tuple(lines), "Checked", ("what", "number "), rows)]


def number(value: float) -> str:
    """Return a number with six digits."""
    return f"{value:.6g}"


def _sentences(summary: Mapping[str, Any]) -> Iterable[str]:
    """Say how large the space is, how many clusters it has, and what is odd about it."""
    name, labels = summary["input"]["name"], summary["n_labels"]
    yield _size(name, summary["n_points"], summary["n_dims"], labels)
    clusters = _count(summary["n_clusters"], "cluster")
    if summary["is_linear"]:
        yield f"{clusters}, one per label: a hyperplane separates any two labels."
    else:
        yield f"{clusters}: not linear, no linear classifier can be right on every point."
    counts = summary["counts"]
    if counts.get("duplicate_points"):
        yield f"Points that repeat an earlier point of their label: {counts['duplicate_points']:,}."
    if counts.get("contradictory_points"):
        yield (
            f"Points that coincide with a point of another label, which nothing can separate: "
            f"{counts['contradictory_points']:,}."
        )
    yield from _unproved(summary["unproved_pairs"])
    test = summary.get("test")
    if test:
        yield (
            f"Prediction of {test['name']}: {test['right']:,} of {test['n_points']:,} right, "
            f"{100 * test['accuracy']:.2f}%."
        )


def _size(name: str, n_points: int, n_dims: int, n_labels: int) -> str:
    return (
        f"{name}: {_count(n_points, 'point')} of {_count(n_dims, 'dimension')}, "
        f"{_count(n_labels, 'label')}."
    )


def _unproved(count: int) -> Iterable[str]:
    if count:
        yield (
            f"UNPROVED pairs: {count:,}. Neither overlap nor disjointness is proved there; both "
            f"bounds hold."
        )


def _nearest(distances: PairwiseDistances, names: Sequence[str], sizes: Any) -> Told:
    """Return the smallest distances between clusters."""
    order = np.lexsort((np.arange(len(distances)), distances.distance))[:MOST_ROWS]
    rows = tuple(
        (
            *_cluster(names, sizes, int(distances.first[k])),
            *_cluster(names, sizes, int(distances.second[k])),
            number(float(distances.distance[k])),
        )
        for k in order
    )
    header = ("label", "cluster ", "points ", "label", "cluster ", "points ", "distance ")
    title = "Smallest distances between clusters of different labels"
    return Told((), title, header, rows) if rows else Told()


def _cluster(names: Sequence[str], sizes: Any, cluster: int) -> tuple[str, str, str]:
    return names[cluster], str(cluster), f"{int(sizes[cluster]):,}"


def _split_labels(probe: FittedProbe, sizes: Any) -> Iterable[Told]:
    """Return the labels with most clusters, and which labels stand between these."""
    codes = np.searchsorted(probe.classes_, probe.cluster_labels_)
    names = texts(probe.classes_)
    n_clusters = np.bincount(codes, minlength=len(names))
    split = np.flatnonzero(n_clusters > 1)
    if len(split) == 0:
        return
    blocks = probe.blocks_
    code_of_block = codes[blocks.first]
    order = split[np.lexsort((split, -n_clusters[split]))]
    rows = []
    for label in order[:MOST_ROWS]:
        own = np.sort(sizes[codes == label])[::-1]
        between = np.bincount(codes[blocks.blocker[code_of_block == label]], minlength=len(names))
        blocked_by = [k for k in np.argsort(-between, kind="stable") if between[k]]
        rows.append(
            (
                names[label],
                str(n_clusters[label]),
                _first_few(f"{size:,}" for size in own.tolist()),
                _first_few(names[k] for k in blocked_by),
            )
        )
    title = "Labels in several clusters, and the labels that stand in between"
    if len(order) > MOST_ROWS:
        title += f" ({MOST_ROWS} of {len(order)})"
    yield Told((), title, ("label", "clusters ", "sizes", "in between"), tuple(rows))


def _first_few(words: Iterable[str], most: int = 6) -> str:
    found = list(words)
    return ", ".join(found[:most]) + (", ..." if len(found) > most else "")


def _count(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
