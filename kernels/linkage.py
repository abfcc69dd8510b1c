"""Centroid linkage within labels, with bans and a log of both that can be taken back.

Rows are sorted by label. A cluster is known by its slot, its smallest row. How near the centroids
of a label are to each other is the business of :mod:`geoprobe.kernels.centroids`.
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
    unban_centroids,
    undo_centroids,
)
from geoprobe.kernels.jit import inner, kernel
from geoprobe.kernels.state import Linkage

# Stands in a log entry of a ban where that of a merge has the last member of ``i``.
BANNED = -1


def allocate(
    points: NDArray[np.float64],
    first: NDArray[np.int64],
    original: NDArray[np.int64],
    weight: NDArray[np.float64],
    involved: NDArray[np.bool_],
    log_bytes: int = 1 << 26,
    axes: NDArray[np.float64] | None = None,
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
    log_bytes : int
        Memory for undoing.
    axes : ndarray of float64, shape (n_dims, n_dims), optional
        Orthonormal columns: centroids are kept in these coordinates, which leave their distances as
        they are. Where the first ones differ the most, a distance is sooner known to be large.
    """
    n_rows = int(first[-1])
    sizes = np.diff(first)
    n_stretches = -(-points.shape[1] // STRIDE)
    # Looking for a neighbour may have resolved any bound, and the row picked once more.
    most_changes = n_rows + int(sizes.max(initial=1)) + 2
    depth = int(np.clip(log_bytes // (8 * n_stretches * STRIDE), 64, min(2048, n_rows + 64)))
    changes = 64 * depth + most_changes
    rows = np.arange(n_rows)
    centroid = np.zeros((n_stretches, n_rows, STRIDE))
    for label in np.flatnonzero(involved):
        span = slice(first[label], first[label + 1])
        filled = np.zeros((sizes[label], n_stretches * STRIDE))
        filled[:, : points.shape[1]] = points[span] if axes is None else points[span] @ axes
        centroid[:, span] = filled.reshape(-1, n_stretches, STRIDE).swapaxes(0, 1)
    return Linkage(
        first=first.astype(np.int64),
        label=np.repeat(np.arange(len(sizes)), sizes),
        original=original.astype(np.int64),
        weight=weight.astype(np.float64),
        cluster_of=rows.copy(),
        next_member=np.full(n_rows, -1),
        last_member=rows.copy(),
        n_members=np.ones(n_rows, np.int64),
        near=np.zeros(n_rows, np.int64),
        near_distance=np.full(n_rows, np.inf),
        best=np.full(len(sizes), np.inf),
        centroid=centroid,
        visit_mark=np.zeros(n_rows, np.int64),
        ban_link=np.full((n_rows, 2), -1),
        counters=np.array([most_changes, 0, n_rows]),
        depth=np.zeros(1, np.int64),
        log_pair=np.zeros((depth, 3), np.int64),
        log_weight=np.zeros(depth),
        log_row=np.zeros((depth, n_stretches, STRIDE)),
        log_change=np.zeros(depth + 1, np.int64),
        change_row=np.zeros((changes, 2), np.int64),
        change_distance=np.zeros(changes),
    )


def with_room(links: Linkage, bans: int) -> Linkage:
    """Return the linkage with room for that many more bans."""
    needed = int(links.counters[N_LINKS]) + 2 * bans
    if needed <= len(links.ban_link):
        return links
    more = np.full((2 * needed - len(links.ban_link), 2), -1)
    return links._replace(ban_link=np.concatenate([links.ban_link, more]))


def prepare(
    links: Linkage,
    label: int,
    barred: NDArray[np.bool_],
    near: NDArray[np.int64],
    bound: NDArray[np.float64],
    others: NDArray[np.float64],
) -> None:
    """Take a label into use; rows in ``barred`` never merge.

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


@inner
def is_slot(links, row):
    """Return whether a row is the slot of a cluster."""
    return links.cluster_of[row] == row


@inner
def update_best(links, label):
    """Find the smallest distance within a label anew."""
    least = np.inf
    for r in range(links.first[label], links.first[label + 1]):
        if links.near_distance[r] < least:
            least = links.near_distance[r]
    links.best[label] = least


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
        near = links.near[pick]
        if near >= 0:
            return pick, near
        other = resolve_nearest(links, pick, limit)
        update_best(links, links.label[pick])
        if near != UNKNOWN:
            return pick, other


@inner
def has_room(links):
    """Return whether one more merge or ban can be logged."""
    level = links.depth[0]
    used = links.log_change[level]
    return (
        level < links.log_pair.shape[0]
        and used + links.counters[MOST_CHANGES] <= links.change_row.shape[0]
    )


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
    share = links.weight[j] / (links.weight[i] + links.weight[j])
    links.weight[i] += links.weight[j]
    links.near_distance[j] = np.inf
    links.next_member[links.last_member[i]] = j
    links.last_member[i] = links.last_member[j]
    links.n_members[i] += links.n_members[j]
    member = j
    while member >= 0:
        links.cluster_of[member] = i
        member = links.next_member[member]
    join_centroids(links, i, j, share)
    update_best(links, links.label[i])
    links.depth[0] = level + 1
    links.log_change[level + 1] = spot + 2


@inner
def ban(links, i, j):
    """Ban the union of two clusters ``i < j``, and with it every union of supersets."""
    level = links.depth[0]
    spot = links.log_change[level]
    links.log_pair[level, 0] = i
    links.log_pair[level, 1] = j
    links.log_pair[level, 2] = BANNED
    remember(links, spot, i)
    ban_centroids(links, i, j)
    update_best(links, links.label[i])
    links.depth[0] = level + 1
    links.log_change[level + 1] = spot + 1


@inner
def is_ban(links, level):
    """Return whether an entry of the log is a ban."""
    return links.log_pair[level, 2] == BANNED


@inner
def part_again(links, i, j):
    """Take back the merge of ``j`` into ``i``, the last in the log."""
    level = links.depth[0]
    undo_centroids(links, i, j)
    links.weight[i] = links.log_weight[level]
    links.last_member[i] = links.log_pair[level, 2]
    links.next_member[links.last_member[i]] = -1
    links.n_members[i] -= links.n_members[j]
    member = j
    while member >= 0:
        links.cluster_of[member] = j
        member = links.next_member[member]


@inner
def undo(links):
    """Take back the last merge or ban in the log."""
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
    if is_ban(links, level):
        unban_centroids(links, i, j)
    else:
        part_again(links, i, j)
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
