"""Checks that a geometry is about the data given, and its clusters a partition of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import VerificationError
from geoprobe.geometry.clusters import Clusters
from geoprobe.geometry.fingerprints import hash_labels, hash_points
from geoprobe.geometry.measured import Geometry, all_pairs
from geoprobe.geometry.pairs import PairwiseDistances, Status
from geoprobe.verify.wording import compare, first_true

IntArray = NDArray[np.int64]


def check_data(
    g: Geometry, points: NDArray[Any], classes: NDArray[Any], codes: IntArray, where: str
) -> int:
    """Check that the data given are those that were measured; return the checks made."""
    counts = np.bincount(codes, minlength=len(classes))
    labels = classes[codes]
    noted = g.fingerprints
    compared = [
        ("number of points", g.n_units, len(points)),
        ("number of dimensions", g.n_dims, points.shape[1]),
        ("type of the points", g.dtype, points.dtype.name),
        ("list of labels", g.classes.tolist(), classes.tolist()),
        ("number of points of each label", g.counts.tolist(), counts.tolist()),
        ("hash of the points", noted.get("points"), hash_points(points)),
        ("hash of the labels", noted.get("labels"), hash_labels(labels)),
    ]
    return compare(compared, where)


def check_centroids(g: Geometry, points: NDArray[Any], codes: IntArray, where: str) -> int:
    """Check the mean of every label's points, up to the rounding of their sums."""
    for k, name in enumerate(g.labels):
        own = points[codes == k].astype(np.float64)
        room = 1e-14 * (len(own) + 16) * float(np.abs(own).max())
        off = np.abs(own.mean(axis=0) - g.centroids[k])
        if not (off <= room).all():
            at = int(np.argmax(off))
            raise VerificationError(
                f"{where}: coordinate {at} of the centroid of label {name!r} is "
                f"{float(g.centroids[k, at])!r}, but the mean of its {len(own)} points is "
                f"{float(own[:, at].mean())!r}."
            )
    return g.n_labels


def check_spread(g: Geometry, points: NDArray[Any], codes: IntArray, where: str) -> int:
    """Check how far every label's points lie from their mean, up to the rounding of their sums."""
    if g.spread is None:
        return 0
    for k, name in enumerate(g.labels):
        own = points[codes == k].astype(np.float64)
        found = float(np.sqrt(np.mean(np.linalg.norm(own - own.mean(axis=0), axis=1) ** 2)))
        room = 1e-14 * (own.size + 16) * float(np.abs(own).max())
        if not abs(found - g.spread[k]) <= room:
            raise VerificationError(
                f"{where}: the spread of label {name!r} is {float(g.spread[k])!r}, but that of its "
                f"{len(own)} points is {found!r}."
            )
    return g.n_labels


def check_clusters(clusters: Clusters, codes: IntArray, labels: tuple[str, ...], where: str) -> int:
    """Check labels and order of the clusters; return the number of points looked at."""
    assignment, label = clusters.assignment, clusters.label
    if (row := first_true(label[assignment] != codes)) is not None:
        raise VerificationError(
            f"{where}: row {row} has the label {labels[codes[row]]!r}, but lies in cluster "
            f"{assignment[row]} of the label {labels[label[assignment[row]]]!r}."
        )
    ids, first_row = np.unique(assignment, return_index=True)
    if len(ids) != len(label):
        empty = np.setdiff1d(np.arange(len(label)), ids)[0]
        raise VerificationError(f"{where}: cluster {empty} holds no point.")
    order = np.lexsort((first_row, label))
    if (k := first_true(order != np.arange(len(label)))) is not None:
        raise VerificationError(
            f"{where}: cluster {k} is not in the order of labels and first rows; cluster "
            f"{order[k]} belongs there."
        )
    return len(codes)


def check_listed(
    pairs: PairwiseDistances, groups: IntArray, names: tuple[str, ...], where: str
) -> None:
    """Check that every pair of clusters of different labels is listed once, in order.

    Parameters
    ----------
    pairs : PairwiseDistances
    groups : ndarray of int64, shape (n_clusters,)
        Label of each cluster.
    names : tuple of str
        What each cluster is called.
    where : str
    """
    first, second = all_pairs(groups)
    if len(pairs) != len(first):
        raise VerificationError(
            f"{where}: {len(pairs)} pairs are listed, but there are {len(first)}."
        )
    if (k := first_true((pairs.first != first) | (pairs.second != second))) is not None:
        raise VerificationError(
            f"{where}, row {k}: the groups {pairs.first[k]} and {pairs.second[k]} are listed, but "
            f"{names[first[k]]} and {names[second[k]]} come next."
        )


def check_blocks_listed(clusters: Clusters, labels: tuple[str, ...], where: str) -> int:
    """Check that blocks list every pair of clusters of one label, with one of another label."""
    label, blocks = clusters.label, clusters.blocks
    first, second = np.triu_indices(len(label), 1)
    same = label[first] == label[second]
    first, second = first[same], second[same]
    if len(blocks) != len(first):
        raise VerificationError(
            f"{where}: {len(blocks)} pairs of clusters of one label have a block, but there are "
            f"{len(first)} such pairs."
        )
    if (k := first_true((blocks.first != first) | (blocks.second != second))) is not None:
        raise VerificationError(
            f"{where}: block {k} is of the clusters {blocks.first[k]} and {blocks.second[k]}, but "
            f"{first[k]} and {second[k]} come next."
        )
    if (k := first_true(label[blocks.blocker] == label[blocks.first])) is not None:
        raise VerificationError(
            f"{where}: block {k}: cluster {blocks.blocker[k]} has the label "
            f"{labels[label[blocks.blocker[k]]]!r} of the two clusters itself."
        )
    return len(first)


def check_counters(g: Geometry, points: NDArray[Any], codes: IntArray, where: str) -> int:
    """Check the counters that follow from the points and the clusters.

    Points that rounding makes equal count as repeated too, so that more may be stated than are
    equal to the last bit.
    """
    if g.counters is None or g.clusters is None:
        return 0
    vector = np.unique(points + 0.0, axis=0, return_inverse=True)[1].reshape(-1)
    equal = len(points) - len(np.unique(vector.astype(np.int64) * (codes.max() + 1) + codes))
    repeated = g.counters.duplicate_points
    if repeated < equal:
        raise VerificationError(
            f"{where}: {repeated} points are said to repeat an earlier one, but {equal} do."
        )
    pairs = g.clusters.distances
    overlap = pairs.status == Status.OVERLAP
    contradict = np.union1d(pairs.first[overlap], pairs.second[overlap])
    for what, stated, value in (
        ("merges", g.counters.merges, len(points) - repeated - len(g.clusters)),
        (
            "contradictory points",
            g.counters.contradictory_points,
            int(g.clusters.size[contradict].sum()),
        ),
    ):
        if stated != value:
            raise VerificationError(
                f"{where}: {stated} {what} are stated, but the clusters give {value}."
            )
    return 3
