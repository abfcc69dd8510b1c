"""Terminal summaries of geometries and of their verification: sentences and short tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geoprobe.geometry.pairs import PairwiseDistances, Status

if TYPE_CHECKING:
    from geoprobe.geometry import Geometry
    from geoprobe.studies.verify import StudyVerification
    from geoprobe.verify import VerificationReport

MOST_ROWS = 10


@dataclass(frozen=True)
class Summary:
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


def summarise_probe(g: Geometry) -> list[Summary]:
    """Summarise the clusters of a space, their distances and what keeps them apart."""
    return [Summary(lines=tuple(_sentences(g))), _nearest(g), *_split_labels(g)]


def summarise_distances(g: Geometry, most: int | None) -> list[Summary]:
    """Summarise the distances of labels, smallest first.

    Parameters
    ----------
    g : Geometry
    most : int or None
        How many rows; None for all.
    """
    pairs = g.hulls
    n_overlap = int((pairs.status == Status.OVERLAP).sum())
    lines = [
        _size(g),
        f"Overlapping pairs: {n_overlap:,} of {len(pairs):,}.",
        *_unproved(int((pairs.status == Status.UNPROVED).sum())),
    ]
    order = _smallest(pairs)[:most]
    title = "Distances of labels"
    if len(order) < len(pairs):
        title = f"The {len(order)} smallest distances of labels (all: --all)"
    rows = tuple(
        (
            g.labels[pairs.first[k]],
            g.labels[pairs.second[k]],
            number(float(pairs.distance[k])),
            Status(pairs.status[k]).name.lower(),
        )
        for k in order
    )
    return [Summary(tuple(lines), title, ("label", "label", "distance ", "status"), rows)]


def distances_json(g: Geometry) -> dict[str, Any]:
    """Return the distances of labels, of types that JSON knows."""
    names, pairs = g.classes.tolist(), g.hulls
    columns = (pairs.first, pairs.second, pairs.lower, pairs.upper, pairs.status)
    return {
        "name": g.cell.task,
        "n_points": g.n_units,
        "n_dims": g.n_dims,
        "n_labels": g.n_labels,
        "tau": g.tau,
        "scale": g.scale,
        "distances": [
            {
                "label_a": names[a],
                "label_b": names[b],
                "lower": lower,
                "upper": upper,
                "status": Status(status).name.lower(),
            }
            for a, b, lower, upper, status in zip(*(c.tolist() for c in columns), strict=True)
        ],
    }


def summarise_verification(report: VerificationReport) -> list[Summary]:
    """Summarise what was claimed and what was checked, and say that it holds."""
    rows = tuple((what, f"{n:,}") for what, n in report.checks)
    # Of a gap only the size says something; its digits are those of rounding.
    claimed = tuple(
        (what, f"{value:.0e}" if what == "largest_gap" else _plain(value))
        for what, value in report.claims.items()
    )
    lines = [*_unproved(report.n_unproved)]
    if report.unproved:
        lines.append(f"Unproved: {_first_few(report.unproved, most=20)}.")
    if "accuracy" in report.claims and "predictions computed again" not in dict(report.checks):
        lines.append(
            "Predictions were checked for consistency only: their test points were not given, or "
            "are not at the place that is remembered, or have changed. --test FILE names them."
        )
    lines += [
        f"{report.where} holds: {report.n_checks:,} checks, no failure.",
    ]
    return [
        Summary((), "Claimed", ("what", "value "), claimed),
        Summary((), "Checked", ("what", "number "), rows),
        Summary(tuple(lines)),
    ]


def summarise_study(outcome: StudyVerification) -> list[Summary]:
    """Summarise the cells of a study: how many hold, and what is wrong in the others."""
    counted: dict[str, int] = {}
    for report in outcome.reports.values():
        for what, n in report.checks:
            counted[what] = counted.get(what, 0) + n
    rows = tuple((what, f"{n:,}") for what, n in counted.items())
    widest = max((report.worst_gap for report in outcome.reports.values()), default=0.0)
    linear = sum(bool(report.claims["linear"]) for report in outcome.reports.values())
    claimed = (
        ("cells", f"{len(outcome.reports):,}"),
        ("of them linear", f"{linear:,}"),
        ("largest gap", number(widest)),
    )
    lines = [f"Does not hold: {reason}" for reason in outcome.failures.values()]
    if outcome.not_measured:
        lines.append(f"Cells that are not measured yet: {len(outcome.not_measured):,}.")
    if outcome.failures:
        lines.append(
            f"{outcome.folder} does not hold: {_count(len(outcome.failures), 'cell')} of "
            f"{len(outcome.failures) + len(outcome.reports):,}."
        )
    else:
        lines.append(
            f"{outcome.folder} holds: {sum(counted.values()):,} checks of "
            f"{_count(len(outcome.reports), 'cell')}, no failure."
        )
    return [
        Summary((), "Claimed", ("what", "value "), claimed),
        Summary((), "Checked", ("what", "number "), rows),
        Summary(tuple(lines)),
    ]


def number(value: float) -> str:
    """Return a number with six digits."""
    return f"{value:.6g}"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return number(value) if isinstance(value, float) else str(value)


def _sentences(g: Geometry) -> Iterable[str]:
    """Say how large the space is, how many clusters it has, and what is odd about it."""
    yield _size(g)
    clusters = _count(g.n_clusters, "cluster")
    if g.is_linear:
        yield f"{clusters}, one per label: a hyperplane separates any two labels."
    else:
        yield f"{clusters}: not linear, no linear classifier can be right on every point."
    if g.counters is not None and g.counters.duplicate_points:
        repeated = g.counters.duplicate_points
        yield f"Points that repeat an earlier point of their label: {repeated:,}."
    if g.counters is not None and g.counters.contradictory_points:
        yield (
            f"Points that coincide with a point of another label, which nothing can separate: "
            f"{g.counters.contradictory_points:,}."
        )
    p = g.predictions
    if p is not None:
        yield (
            f"Prediction of {p.name}: {int(p.correct.sum()):,} of {len(p):,} right, "
            f"{100 * p.accuracy:.2f}%."
        )
        if p.unseen:
            yield (
                f"Labels of {p.name} that the training points lack, whose units count as wrong: "
                f"{_first_few(p.unseen)}."
            )


def _size(g: Geometry) -> str:
    return (
        f"{g.cell.task}: {_count(g.n_units, 'point')} of {_count(g.n_dims, 'dimension')}, "
        f"{_count(g.n_labels, 'label')}."
    )


def _unproved(count: int) -> Iterable[str]:
    if count:
        yield (
            f"UNPROVED pairs: {count:,}. Neither overlap nor disjointness is proved there; both "
            f"bounds hold."
        )


def _smallest(pairs: PairwiseDistances) -> Any:
    """Return the rows of the pairs, the smallest distance first."""
    return np.lexsort((np.arange(len(pairs)), pairs.distance))


def _nearest(g: Geometry) -> Summary:
    """Return the smallest distances between clusters."""
    clusters = g.need_clusters()
    pairs, size = clusters.distances, clusters.size

    def cluster(k: int) -> tuple[str, str, str]:
        return g.labels[clusters.label[k]], str(k), f"{int(size[k]):,}"

    rows = tuple(
        (
            *cluster(int(pairs.first[k])),
            *cluster(int(pairs.second[k])),
            number(float(pairs.distance[k])),
        )
        for k in _smallest(pairs)[:MOST_ROWS]
    )
    header = ("label", "cluster ", "points ", "label", "cluster ", "points ", "distance ")
    title = "Smallest distances between clusters of different labels"
    return Summary((), title, header, rows) if rows else Summary()


def _split_labels(g: Geometry) -> Iterable[Summary]:
    """Return the labels with most clusters, and which labels stand between these."""
    clusters = g.need_clusters()
    label, blocks = clusters.label, clusters.blocks
    n_clusters = np.bincount(label, minlength=g.n_labels)
    split = np.flatnonzero(n_clusters > 1)
    if len(split) == 0:
        return
    label_of_block = label[blocks.first]
    order = split[np.lexsort((split, -n_clusters[split]))]
    rows = []
    for k in order[:MOST_ROWS]:
        own = np.sort(clusters.size[label == k])[::-1]
        between = np.bincount(label[blocks.blocker[label_of_block == k]], minlength=g.n_labels)
        blocked_by = [k for k in np.argsort(-between, kind="stable") if between[k]]
        rows.append(
            (
                g.labels[k],
                str(n_clusters[k]),
                _first_few([f"{size:,}" for size in own.tolist()]),
                _first_few([g.labels[k] for k in blocked_by]),
            )
        )
    title = "Labels in several clusters, and the labels that stand in between"
    if len(order) > MOST_ROWS:
        title += f" ({MOST_ROWS} of {len(order)})"
    yield Summary((), title, ("label", "clusters ", "sizes", "in between"), tuple(rows))


def _first_few(words: Sequence[str], most: int = 6) -> str:
    return ", ".join(words[:most]) + (", ..." if len(words) > most else "")


def _count(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
