"""Tables of a measured geometry, as columns: what a results folder shows beside its npz."""

from __future__ import annotations

from typing import Any

import numpy as np

from geoprobe.files.csv_files import Column, pick
from geoprobe.geometry.clusters import Clusters
from geoprobe.geometry.measured import Geometry
from geoprobe.geometry.pairs import STATUS_NAMES, PairwiseDistances

CLUSTERS = "clusters.csv"
DISTANCES = "distances.csv"
LABEL_DISTANCES = "label_distances.csv"
ASSIGNMENTS = "assignments.csv"
BLOCKS = "blocks.csv"
PREDICTIONS = "predictions.csv"

Table = dict[str, Column]


def tables(g: Geometry) -> dict[str, Table]:
    """Return the tables of a geometry by the name of their file.

    Parameters
    ----------
    g : Geometry
        Without clusters there is only the table of the distances of labels.

    Returns
    -------
    dict of str to dict of str to column
        Columns of one length by name, in order; ``docs/results.md`` explains each.
    """
    if g.clusters is None:
        names = pick(g.labels, np.arange(g.n_labels))
        return {LABEL_DISTANCES: _bounds("label", names, g.hulls)}
    clusters = g.clusters
    of_cluster = pick(g.labels, clusters.label)
    made: dict[str, Table] = {
        CLUSTERS: _clusters(clusters, of_cluster),
        DISTANCES: _distances(clusters, of_cluster),
        LABEL_DISTANCES: _label_distances(g),
        ASSIGNMENTS: {
            "row": np.arange(len(clusters.assignment)),
            "label": of_cluster[clusters.assignment],
            "cluster": clusters.assignment,
        },
        BLOCKS: _blocks(clusters, of_cluster),
    }
    if g.predictions is not None:
        p = g.predictions
        made[PREDICTIONS] = {
            "row": np.arange(len(p)),
            "label": pick(p.names, p.true),
            "predicted": pick(p.names, p.predicted),
            "cluster": p.cluster,
            "distance": p.distance,
        }
    return made


def _clusters(clusters: Clusters, of_cluster: Any) -> Table:
    return {
        "cluster": np.arange(len(clusters)),
        "label": of_cluster,
        "size": clusters.size,
        "first_row": clusters.first_row,
    }


def _distances(clusters: Clusters, of_cluster: Any) -> Table:
    pairs = clusters.distances
    return {
        "cluster_a": pairs.first,
        "label_a": of_cluster[pairs.first],
        "cluster_b": pairs.second,
        "label_b": of_cluster[pairs.second],
        **pairs.proofs(),
    }


def _bounds(what: str, names: Any, pairs: PairwiseDistances) -> Table:
    return {
        f"{what}_a": names[pairs.first],
        f"{what}_b": names[pairs.second],
        **pairs.proofs(),
    }


def _label_distances(g: Geometry) -> Table:
    """Return distances of labels: by their clusters, and of their whole hulls."""
    table = g.label_table()
    names = pick(g.labels, np.arange(g.n_labels))
    return {
        "label_a": names[table.first],
        "label_b": names[table.second],
        "pairs": table.pairs,
        "lower": table.lower,
        "upper": table.upper,
        "mean": table.mean,
        "hull_lower": g.hulls.lower,
        "hull_upper": g.hulls.upper,
        "hull_status": pick(STATUS_NAMES, g.hulls.status.astype(np.int64)),
    }


def _blocks(clusters: Clusters, of_cluster: Any) -> Table:
    blocks = clusters.blocks
    return {
        "cluster_a": blocks.first,
        "cluster_b": blocks.second,
        "label": of_cluster[blocks.first],
        "blocker": blocks.blocker,
        "blocker_label": of_cluster[blocks.blocker],
        "gap": blocks.gap,
        "certificate": blocks.certificate,
    }
