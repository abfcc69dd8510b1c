"""Centroid linkage within labels, with bans and an undo log.

Rows are sorted by label. A cluster is known by its slot, its smallest row; the squared distances
of the centroids of one label form a full matrix, kept up to date by the Lance-Williams formula.
A ban is an infinite entry, which the formula hands on to every superset by itself.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geoprobe.kernels.jit import inner, kernel

# Squared distances (R = 1) this close are taken as equal, and the smaller rows decide: rounding
# in the matrix stays two orders of magnitude below.
TIE = 1e-12


class Linkage(NamedTuple):
    """The clusters of all labels and how they came about; see the fields of :func:`allocate`."""

    first: NDArray[np.int64]
    label: NDArray[np.int64]
    original: NDArray[np.int64]
    matrix: NDArray[np.float64]
    start: NDArray[np.int64]
    dead: NDArray[np.float64]
    weight: NDArray[np.float64]
    near: NDArray[np.int64]
    near_distance: NDArray[np.float64]
    best: NDArray[np.float64]
    cluster_of: NDArray[np.int64]
    follow: NDArray[np.int64]
    tail: NDArray[np.int64]
    count: NDArray[np.int64]
    log_pair: NDArray[np.int64]
    log_weight: NDArray[np.float64]
    log_row: NDArray[np.float64]
    log_change: NDArray[np.int64]
    change_row: NDArray[np.int64]
    change_distance: NDArray[np.float64]
    depth: NDArray[np.int64]


def allocate(
    first: NDArray[np.int64],
    original: NDArray[np.int64],
    weight: NDArray[np.float64],
    involved: NDArray[np.bool_],
    log_bytes: int = 1 << 26,
) -> Linkage:
    """Return a linkage in which every row is a cluster of its own.

    Parameters
    ----------
    first : ndarray of int64, shape (n_labels + 1,)
        Label ``l`` has the rows ``first[l]`` to ``first[l + 1]``.
    original : ndarray of int64, shape (n_rows,)
        What each row was called before sorting; decides ties.
    weight : ndarray of float64, shape (n_rows,)
        Number of equal points that each row stands for.
    involved : ndarray of bool, shape (n_labels,)
        Labels that need a matrix.
    log_bytes : int
        Memory for undoing.
    """
    n_rows = int(first[-1])
    sizes = np.diff(first)
    squares = np.where(involved, sizes**2, 0)
    start = np.concatenate([[0], np.cumsum(squares)]).astype(np.int64)
    widest = int(sizes[involved].max()) if involved.any() else 1
    depth = int(np.clip(log_bytes // (8 * widest), 64, min(2048, n_rows + 64)))
    changes = 64 * depth + n_rows
    rows = np.arange(n_rows)
    return Linkage(
        first=first.astype(np.int64),
        label=np.repeat(np.arange(len(sizes)), sizes),
        original=original.astype(np.int64),
        matrix=np.empty(int(start[-1])),
        start=start,
        dead=np.zeros(n_rows),
        weight=weight.astype(np.float64),
        near=np.zeros(n_rows, np.int64),
        near_distance=np.full(n_rows, np.inf),
        best=np.full(len(sizes), np.inf),
        cluster_of=rows.copy(),
        follow=np.full(n_rows, -1),
        tail=rows.copy(),
        count=np.ones(n_rows, np.int64),
        log_pair=np.zeros((depth, 3), np.int64),
        log_weight=np.zeros(depth),
        log_row=np.zeros((depth, widest)),
        log_change=np.zeros(depth + 1, np.int64),
        change_row=np.zeros((changes, 2), np.int64),
        change_distance=np.zeros(changes),
        depth=np.zeros(1, np.int64),
    )


@kernel
def square(links, label):
    """Return the matrix of one label."""
    size = links.first[label + 1] - links.first[label]
    begin = links.start[label]
    return links.matrix[begin : begin + size * size].reshape(size, size)


@inner
def scan(links, label, matrix, i):
    """Find the nearest neighbour of row ``i`` (within its label) anew."""
    begin = links.first[label]
    size = matrix.shape[0]
    row = matrix[i]
    dead = links.dead[begin : begin + size]
    least = np.inf
    for c in range(size):
        value = row[c] + dead[c]
        if value < least:
            least = value
    links.near_distance[begin + i] = least
    for c in range(size):
        if row[c] + dead[c] == least:
            links.near[begin + i] = begin + c
            break


@inner
def update_best(links, label):
    """Find the smallest distance within a label anew."""
    least = np.inf
    for r in range(links.first[label], links.first[label + 1]):
        if links.near_distance[r] < least:
            least = links.near_distance[r]
    links.best[label] = least


@kernel
def prepare(links, label, barred):
    """Take the filled matrix of a label into use; rows in ``barred`` never merge."""
    matrix = square(links, label)
    begin = links.first[label]
    size = matrix.shape[0]
    for i in range(size):
        matrix[i, i] = np.inf
        if barred[begin + i]:
            for c in range(size):
                matrix[i, c] = np.inf
                matrix[c, i] = np.inf
    for i in range(size):
        scan(links, label, matrix, i)
    update_best(links, label)


@inner
def closest_pair(links):
    """Return the slots of the closest pair that is not banned, or (-1, -1).

    Of pairs equally close up to ``TIE`` the one with the smallest original rows comes first.
    """
    least = np.inf
    for value in links.best:
        if value < least:
            least = value
    if least == np.inf:
        return -1, -1
    limit = least + TIE
    pick = -1
    for label in range(links.best.shape[0]):
        if links.best[label] <= limit:
            for r in range(links.first[label], links.first[label + 1]):
                if links.near_distance[r] <= limit:
                    if pick < 0 or links.original[r] < links.original[pick]:
                        pick = r
                    break
    label = links.label[pick]
    begin = links.first[label]
    row = square(links, label)[pick - begin]
    for c in range(row.shape[0]):
        if row[c] + links.dead[begin + c] <= limit:
            return pick, begin + c
    return -1, -1


@inner
def remember(links, spot, row):
    links.change_row[spot, 0] = row
    links.change_row[spot, 1] = links.near[row]
    links.change_distance[spot] = links.near_distance[row]


@inner
def has_room(links):
    """Return whether one more merge can be logged."""
    level = links.depth[0]
    used = links.log_change[level]
    return level < links.log_pair.shape[0] and used + links.log_row.shape[1] < len(links.change_row)


@inner
def join(links, i, j):
    """Merge cluster ``j`` into cluster ``i < j``."""
    label = links.label[i]
    begin = links.first[label]
    matrix = square(links, label)
    size = matrix.shape[0]
    level = links.depth[0]
    spot = links.log_change[level]
    links.log_pair[level, 0] = i
    links.log_pair[level, 1] = j
    links.log_pair[level, 2] = links.tail[i]
    links.log_weight[level] = links.weight[i]
    mine = matrix[i - begin]
    other = matrix[j - begin]
    for c in range(size):
        links.log_row[level, c] = mine[c]
    a = links.weight[i]
    b = links.weight[j]
    total = a + b
    share_a = a / total
    share_b = b / total
    drop = share_a * share_b * mine[j - begin]
    for c in range(size):
        mine[c] = share_a * mine[c] + share_b * other[c] - drop
    mine[i - begin] = np.inf
    remember(links, spot, i)
    remember(links, spot + 1, j)
    spot += 2
    links.dead[j] = np.inf
    links.near_distance[j] = np.inf
    links.weight[i] = total
    links.follow[links.tail[i]] = j
    links.tail[i] = links.tail[j]
    links.count[i] += links.count[j]
    member = j
    while member >= 0:
        links.cluster_of[member] = i
        member = links.follow[member]
    for c in range(size):
        r = begin + c
        if links.dead[r] > 0.0 or r == i:
            continue
        value = mine[c]
        matrix[c, i - begin] = value
        if links.near[r] == i or links.near[r] == j:
            remember(links, spot, r)
            spot += 1
            if value <= links.near_distance[r]:
                links.near[r] = i
                links.near_distance[r] = value
            else:
                scan(links, label, matrix, c)
        elif value < links.near_distance[r]:
            remember(links, spot, r)
            spot += 1
            links.near[r] = i
            links.near_distance[r] = value
    scan(links, label, matrix, i - begin)
    update_best(links, label)
    links.depth[0] = level + 1
    links.log_change[level + 1] = spot


@inner
def undo(links):
    """Take back the last merge in the log."""
    level = links.depth[0] - 1
    i = links.log_pair[level, 0]
    j = links.log_pair[level, 1]
    label = links.label[i]
    begin = links.first[label]
    matrix = square(links, label)
    size = matrix.shape[0]
    links.depth[0] = level
    for spot in range(links.log_change[level + 1] - 1, links.log_change[level] - 1, -1):
        r = links.change_row[spot, 0]
        links.near[r] = links.change_row[spot, 1]
        links.near_distance[r] = links.change_distance[spot]
    mine = matrix[i - begin]
    for c in range(size):
        mine[c] = links.log_row[level, c]
        if links.dead[begin + c] == 0.0:
            matrix[c, i - begin] = mine[c]
    matrix[j - begin, i - begin] = mine[j - begin]
    links.dead[j] = 0.0
    links.weight[i] = links.log_weight[level]
    links.tail[i] = links.log_pair[level, 2]
    links.follow[links.tail[i]] = -1
    links.count[i] -= links.count[j]
    member = j
    while member >= 0:
        links.cluster_of[member] = j
        member = links.follow[member]
    update_best(links, label)


@inner
def ban(links, i, j):
    """Ban the union of two clusters, and with it every union of supersets."""
    label = links.label[i]
    begin = links.first[label]
    matrix = square(links, label)
    matrix[i - begin, j - begin] = np.inf
    matrix[j - begin, i - begin] = np.inf
    scan(links, label, matrix, i - begin)
    scan(links, label, matrix, j - begin)
    update_best(links, label)


@kernel
def members(links, slot):
    """Return the rows of a cluster."""
    rows = np.empty(links.count[slot], np.int64)
    row = slot
    for m in range(rows.shape[0]):
        rows[m] = row
        row = links.follow[row]
    return rows
