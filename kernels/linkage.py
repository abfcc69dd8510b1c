"""Centroid linkage within labels, with bans and an undo log.

Rows are sorted by label. A cluster is known by its slot, its smallest row; the squared distances
of the centroids of one label form a full matrix, kept up to date by the Lance-Williams formula.
A ban is an infinite entry, which the formula hands on to every superset by itself. Labels too
large for a matrix are kept as their centroids; see :mod:`geoprobe.kernels.centroids`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geoprobe.kernels.centroids import (
    GONE,
    MOST_CHANGES,
    N_LINKS,
    STRIDE,
    TIE,
    TIED,
    UNKNOWN,
    ban_centroids,
    join_centroids,
    remember,
    resolve_nearest,
    undo_centroids,
)
from geoprobe.kernels.jit import inner, kernel, part
from geoprobe.kernels.state import Linkage

# Rows of a label up to which its distances are kept as a matrix: 512 MB at most.
MATRIX_LIMIT = 8000


def allocate(
    points: NDArray[np.float64],
    first: NDArray[np.int64],
    original: NDArray[np.int64],
    weight: NDArray[np.float64],
    involved: NDArray[np.bool_],
    matrix_limit: int = MATRIX_LIMIT,
    log_bytes: int = 1 << 26,
) -> Linkage:
    """Return a linkage in which every row is a cluster of its own.

    Parameters
    ----------
    points : ndarray of float64, shape (n_rows, n_dims)
        In the unit ball, sorted by label.
    first : ndarray of int64, shape (n_labels + 1,)
        Label ``l`` has the rows ``first[l]`` to ``first[l + 1]``.
    original : ndarray of int64, shape (n_rows,)
        What each row was called before sorting; decides ties.
    weight : ndarray of float64, shape (n_rows,)
        Number of equal points that each row stands for.
    involved : ndarray of bool, shape (n_labels,)
        Labels whose clusters are to merge.
    matrix_limit : int
        Involved labels of more rows keep centroids instead of a matrix.
    log_bytes : int
        Memory for undoing.
    """
    n_rows = int(first[-1])
    sizes = np.diff(first)
    large = involved & (sizes > matrix_limit)
    by_matrix = involved & ~large
    # A merge tells every cluster of its label; looking for it may have resolved any bound, and
    # the row picked once more.
    n_large = int(sizes[large].sum())
    most_changes = int(sizes[involved].max(initial=1)) + n_large + 2
    width = -(-points.shape[1] // STRIDE) * STRIDE
    widest = max(int(sizes[by_matrix].max(initial=1)), width if n_large else 1)
    depth = int(np.clip(log_bytes // (8 * widest), 64, min(2048, n_rows + 64)))
    changes = 64 * depth + n_rows + n_large + 1
    rows = np.arange(n_rows)
    centroid = np.zeros((n_large, width))
    centroid[:, : points.shape[1]] = points[np.repeat(large, sizes)]
    return Linkage(
        first=first.astype(np.int64),
        label=np.repeat(np.arange(len(sizes)), sizes),
        original=original.astype(np.int64),
        weight=weight.astype(np.float64),
        dead=np.zeros(n_rows),
        cluster_of=rows.copy(),
        next_member=np.full(n_rows, -1),
        last_member=rows.copy(),
        n_members=np.ones(n_rows, np.int64),
        near=np.zeros(n_rows, np.int64),
        near_distance=np.full(n_rows, np.inf),
        best=np.full(len(sizes), np.inf),
        matrix_start=_starts(by_matrix, sizes**2),
        matrix=np.empty(int((sizes[by_matrix] ** 2).sum())),
        centroid_start=_starts(large, sizes),
        centroid=centroid.reshape(n_large, width // STRIDE, STRIDE),
        visit_mark=np.zeros(n_rows, np.int64),
        ban_link=np.full((n_rows, 2), -1),
        counters=np.array([most_changes, 0, n_rows]),
        depth=np.zeros(1, np.int64),
        log_pair=np.zeros((depth, 3), np.int64),
        log_weight=np.zeros(depth),
        log_row=np.zeros((depth, widest)),
        log_change=np.zeros(depth + 1, np.int64),
        change_row=np.zeros((changes, 2), np.int64),
        change_distance=np.zeros(changes),
    )


def _starts(chosen: NDArray[np.bool_], length: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where stretches of the chosen labels begin, end to end; -1 for other labels."""
    ends = np.cumsum(np.where(chosen, length, 0))
    return np.where(chosen, ends - length, -1).astype(np.int64)


def with_room(links: Linkage, bans: int) -> Linkage:
    """Return the linkage with room for that many more bans in labels without a matrix."""
    needed = int(links.counters[N_LINKS]) + 2 * bans
    if len(links.centroid) == 0 or needed <= len(links.ban_link):
        return links
    more = np.full((2 * needed - len(links.ban_link), 2), -1)
    return links._replace(ban_link=np.concatenate([links.ban_link, more]))


def prepare_centroids(
    links: Linkage,
    label: int,
    barred: NDArray[np.bool_],
    near: NDArray[np.int64],
    bound: NDArray[np.float64],
    others: NDArray[np.float64],
) -> None:
    """Take a label without a matrix into use; rows in ``barred`` never merge.

    Parameters
    ----------
    links : Linkage
    label : int
    barred : ndarray of bool, shape (n_rows,)
    near : ndarray of int64, shape (n_rows_of_label,)
        For each row of the label a later one, or -1.
    bound : ndarray of float64, shape (n_rows_of_label,)
        The squared distance of the two, which no later row that is not barred undercuts; where
        ``near`` is -1, a lower bound of the squared distances to all such rows.
    others : ndarray of float64, shape (n_rows_of_label,)
        Lower bound of the squared distances to all such rows but ``near``.
    """
    begin, end = links.first[label], links.first[label + 1]
    kept_out = barred[begin:end]
    links.visit_mark[begin:end][kept_out] = GONE
    slots = near + begin
    links.near[begin:end] = np.where(others > bound + TIE, slots, TIED - slots)
    links.near[begin:end][(near < 0) | kept_out] = UNKNOWN
    links.near_distance[begin:end] = np.where(kept_out, np.inf, bound)
    links.best[label] = links.near_distance[begin:end].min()


def label_matrix(links: Linkage, label: int) -> NDArray[np.float64]:
    """Return the matrix of one label."""
    size = links.first[label + 1] - links.first[label]
    begin = links.matrix_start[label]
    return links.matrix[begin : begin + size * size].reshape(size, size)


square = part(label_matrix)


@inner
def has_matrix(links, label):
    """Return whether the distances of a label are kept as a matrix."""
    return links.matrix_start[label] >= 0


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
def first_ready(links, limit):
    """Return the row with the smallest original of those that have a neighbour within ``limit``.

    The neighbour may be known by a lower bound only: then it has to be resolved first.
    """
    pick = -1
    for label in range(links.best.shape[0]):
        if links.best[label] <= limit:
            for r in range(links.first[label], links.first[label + 1]):
                if links.near_distance[r] <= limit:
                    if links.near[r] == UNKNOWN:
                        return r
                    if pick < 0 or links.original[r] < links.original[pick]:
                        pick = r
                    break
    return pick


@inner
def closest_pair(links):
    """Return the slots of the closest pair that is not banned, or (-1, -1).

    Of pairs equally close up to ``TIE`` the one with the smallest original rows comes first.
    """
    while True:
        least = np.inf
        for value in links.best:
            if value < least:
                least = value
        if least == np.inf:
            return -1, -1
        limit = least + TIE
        pick = first_ready(links, limit)
        label = links.label[pick]
        if has_matrix(links, label):
            break
        near = links.near[pick]
        if near >= 0:
            return pick, near
        other = resolve_nearest(links, pick, limit)
        update_best(links, label)
        if near != UNKNOWN:
            return pick, other
    begin = links.first[label]
    row = square(links, label)[pick - begin]
    for c in range(row.shape[0]):
        if row[c] + links.dead[begin + c] <= limit:
            return pick, begin + c
    return -1, -1


@inner
def has_room(links):
    """Return whether one more merge can be logged."""
    level = links.depth[0]
    used = links.log_change[level]
    return (
        level < links.log_pair.shape[0]
        and used + links.counters[MOST_CHANGES] <= links.change_row.shape[0]
    )


@inner
def join_rows(links, i, j, share, spot):
    """Form the row of the union by the Lance-Williams formula, and tell the others."""
    label = links.label[i]
    begin = links.first[label]
    matrix = square(links, label)
    size = matrix.shape[0]
    level = links.depth[0]
    mine = matrix[i - begin]
    other = matrix[j - begin]
    for c in range(size):
        links.log_row[level, c] = mine[c]
    rest = 1.0 - share
    drop = rest * share * mine[j - begin]
    for c in range(size):
        mine[c] = rest * mine[c] + share * other[c] - drop
    mine[i - begin] = np.inf
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
    return spot


@inner
def join(links, i, j):
    """Merge cluster ``j`` into cluster ``i < j``."""
    level = links.depth[0]
    spot = links.log_change[level]
    links.log_pair[level, 0] = i
    links.log_pair[level, 1] = j
    links.log_pair[level, 2] = links.last_member[i]
    links.log_weight[level] = links.weight[i]
    remember(links, spot, i)
    remember(links, spot + 1, j)
    spot += 2
    share = links.weight[j] / (links.weight[i] + links.weight[j])
    links.weight[i] += links.weight[j]
    links.dead[j] = np.inf
    links.near_distance[j] = np.inf
    links.next_member[links.last_member[i]] = j
    links.last_member[i] = links.last_member[j]
    links.n_members[i] += links.n_members[j]
    member = j
    while member >= 0:
        links.cluster_of[member] = i
        member = links.next_member[member]
    if has_matrix(links, links.label[i]):
        spot = join_rows(links, i, j, share, spot)
    else:
        join_centroids(links, i, j, share)
    update_best(links, links.label[i])
    links.depth[0] = level + 1
    links.log_change[level + 1] = spot


@inner
def undo_rows(links, i, j):
    """Take back what :func:`join_rows` did to the matrix, before ``j`` lives again."""
    label = links.label[i]
    begin = links.first[label]
    matrix = square(links, label)
    level = links.depth[0]
    mine = matrix[i - begin]
    for c in range(matrix.shape[0]):
        mine[c] = links.log_row[level, c]
        if links.dead[begin + c] == 0.0:
            matrix[c, i - begin] = mine[c]
    matrix[j - begin, i - begin] = mine[j - begin]


@inner
def undo(links):
    """Take back the last merge in the log."""
    level = links.depth[0] - 1
    i = links.log_pair[level, 0]
    j = links.log_pair[level, 1]
    links.depth[0] = level
    for spot in range(links.log_change[level + 1] - 1, links.log_change[level] - 1, -1):
        r = links.change_row[spot, 0]
        links.near[r] = links.change_row[spot, 1]
        links.near_distance[r] = links.change_distance[spot]
        # Bounds resolved since the merge may be those of other labels.
        home = links.label[r]
        links.best[home] = min(links.best[home], links.near_distance[r])
    if has_matrix(links, links.label[i]):
        undo_rows(links, i, j)
    else:
        undo_centroids(links, i, j)
    links.dead[j] = 0.0
    links.weight[i] = links.log_weight[level]
    links.last_member[i] = links.log_pair[level, 2]
    links.next_member[links.last_member[i]] = -1
    links.n_members[i] -= links.n_members[j]
    member = j
    while member >= 0:
        links.cluster_of[member] = j
        member = links.next_member[member]
    update_best(links, links.label[i])


@inner
def ban_entry(links, i, j):
    """Ban the union of two clusters in their label's matrix."""
    label = links.label[i]
    begin = links.first[label]
    matrix = square(links, label)
    matrix[i - begin, j - begin] = np.inf
    matrix[j - begin, i - begin] = np.inf
    scan(links, label, matrix, i - begin)
    scan(links, label, matrix, j - begin)


@inner
def ban(links, i, j):
    """Ban the union of two clusters ``i < j``, and with it every union of supersets."""
    if has_matrix(links, links.label[i]):
        ban_entry(links, i, j)
    else:
        ban_centroids(links, i, j)
    update_best(links, links.label[i])


@kernel
def list_members(links, slot, rows):
    """Write the rows of a cluster; return how many they are."""
    number = links.n_members[slot]
    row = slot
    for m in range(number):
        rows[m] = row
        row = links.next_member[row]
    return number


def members(links: Linkage, slot: int) -> NDArray[np.int64]:
    """Return the rows of a cluster, in the order in which they joined it."""
    rows = np.empty(links.n_members[slot], np.int64)
    list_members(links, slot, rows)
    return rows
