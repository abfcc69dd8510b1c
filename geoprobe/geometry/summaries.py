"""Summaries of measured geometry: sentences and short tables for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from geoprobe.geometry.pairs import Status
from geoprobe.showing import MOST_ROWS, Summary, count, first_few, number

if TYPE_CHECKING:
    from geoprobe.geometry.measured import Geometry


def summarise_probe(g: Geometry) -> list[Summary]:
    """Summarise the clusters of a space, their distances and what keeps them apart."""
    return [Summary(lines=tuple(sentences(g))), nearest_clusters(g), *split_labels(g)]


def sentences(g: Geometry) -> Iterable[str]:
    """Say how large the space is, how many clusters it has, and what is odd about it."""
    yield size_of(g)
    if g.clusters is None:
        n_overlap = int((g.hulls.status == Status.OVERLAP).sum())
        yield f"Not linear: {n_overlap:,} of {count(len(g.hulls), 'pair')} of labels overlap."
        return
    clusters = count(g.n_clusters, "cluster")
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
        yield p.sentence()
        if p.unseen:
            yield (
                f"Labels of {p.name} that the training points lack, whose units count as wrong: "
                f"{first_few(p.unseen)}."
            )


def size_of(g: Geometry) -> str:
    """Return a sentence on points, dimensions and labels."""
    name = f"{g.cell.task}: " if g.cell.task else ""
    return (
        f"{name}{count(g.n_units, 'point')} of {count(g.n_dims, 'dimension')}, "
        f"{count(g.n_labels, 'label')}."
    )


def nearest_clusters(g: Geometry) -> Summary:
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
        for k in pairs.smallest(MOST_ROWS)
    )
    header = ("label", "cluster ", "points ", "label", "cluster ", "points ", "distance ")
    title = "Smallest distances between clusters of different labels"
    return Summary((), title, header, rows) if rows else Summary()


def split_labels(g: Geometry) -> Iterable[Summary]:
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
                first_few([f"{size:,}" for size in own.tolist()]),
                first_few([g.labels[k] for k in blocked_by]),
            )
        )
    title = "Labels in several clusters, and the labels that stand in between"
    if len(order) > MOST_ROWS:
        title += f" ({MOST_ROWS} of {len(order)})"
    yield Summary((), title, ("label", "clusters ", "sizes", "in between"), tuple(rows))
