"""The centroids of clusters, and what is known of how near they are to each other.

The squared distances from one cluster are formed from the centroids whenever they are needed,
and never stored: a label of n points would have n * n of them. For each slot only its nearest
later slot of the label is kept, or, once that neighbour is gone, a lower bound of the distances
to all later slots; a bound is made a distance only when it becomes the smallest of all. Bans are
pairs of rows, chained by row.
"""

from __future__ import annotations

import numpy as np

from geoprobe.kernels.jit import inner

# Squared distances (R = 1) this close are taken as equal, and the smaller rows decide: rounding
# stays two orders of magnitude below.
TIE = 1e-12
# Entry of `near` where `near_distance` is only a lower bound.
UNKNOWN = -1
# Entry TIED - c of `near` names slot c as well, but another slot may be as near up to `TIE`.
TIED = -2
# Entry of `near_distance` for a new cluster: below all distances, so that it is looked at first.
NEW = -1.0
# Entry of `visit_mark`, above all marks, for slots that are no cluster any more or may never merge.
GONE = 1 << 62
# Entries of `counters`: changes that a merge may log at most, the last visit mark given, links of
# bans in use.
MOST_CHANGES, LAST_MARK, N_LINKS = range(3)
# Columns of `ban_link`: the other row of the pair, the next link or -1. Row r's chain begins with
# link r, which stands for no ban.
OTHER, NEXT = 0, 1
# Terms of a squared distance between two looks at what they have come to; centroids are filled
# up with zeros to a multiple.
STRIDE = 16


@inner
def remember(links, spot, row):
    """Log the neighbour of ``row`` before it changes."""
    links.change_row[spot, 0] = row
    links.change_row[spot, 1] = links.near[row]
    links.change_distance[spot] = links.near_distance[row]


@inner
def distance_within(centroid, p, q, limit):
    """Return the squared distance of two centroids, or infinity once it exceeds ``limit``."""
    total = 0.0
    for stretch in range(centroid.shape[0]):
        for k in range(centroid.shape[2]):
            step = centroid[stretch, p, k] - centroid[stretch, q, k]
            total += step * step
        if total > limit:
            return np.inf
    return total


@inner
def near_slot(near):
    """Return the slot that an entry of ``near`` names, or ``UNKNOWN``.

    The entry is the slot itself where no other slot is as near up to ``TIE``, else ``TIED - c``.
    """
    return near if near >= UNKNOWN else TIED - near


@inner
def near_entry(slot, alone):
    """Return the entry of ``near`` for a nearest slot; see :func:`near_slot`."""
    return slot if alone else TIED - slot


@inner
def mark_banned(links, slot):
    """Mark the clusters whose union with ``slot`` is banned; return their mark.

    Slots that a union may be formed with have smaller marks, slots that are gone greater ones.
    """
    links.counters[LAST_MARK] += 1
    mark = links.counters[LAST_MARK]
    if links.counters[N_LINKS] > links.next_member.shape[0]:
        row = slot
        while row >= 0:
            link = links.ban_link[row, NEXT]
            while link >= 0:
                links.visit_mark[links.cluster_of[links.ban_link[link, OTHER]]] = mark
                link = links.ban_link[link, NEXT]
            row = links.next_member[row]
    return mark


@inner
def offered(near, bound, lost, slot, value):
    """Return what ``near`` and its distance become with a new cluster ``slot`` at ``value``.

    ``lost`` tells that the slot named so far is part of it.
    """
    if value < bound:
        return near_entry(slot, value < bound - TIE), value
    if lost:
        return UNKNOWN, bound
    if near != UNKNOWN and value <= bound + TIE:
        return near_entry(near_slot(near), np.bool_(False)), bound
    return near, bound


@inner
def resolve_nearest(links, slot, limit):
    """Find the nearest later slot of ``slot`` anew; return the first one within ``limit``.

    A new cluster is offered to the earlier slots on the way, and the later ones learn which
    neighbour it has taken from them. Undoing the last merge restores what was known before.
    """
    level = links.depth[0]
    spot = links.log_change[level]
    remember(links, spot, slot)
    spot += 1
    label = links.label[slot]
    mark = mark_banned(links, slot)
    is_new = links.near_distance[slot] == NEW
    centroid = links.centroid
    least = np.inf
    second = np.inf
    pick = np.int64(-1)
    first_within = -1
    for c in range(links.first[label] if is_new else slot + 1, links.first[label + 1]):
        if c == slot or links.visit_mark[c] > mark:
            continue
        near = links.near[c]
        bound = links.near_distance[c]
        value = np.inf
        if links.visit_mark[c] < mark:
            cutoff = max(least + TIE, limit) if c > slot else bound + TIE
            value = distance_within(centroid, c, slot, cutoff)
        if c > slot:
            if first_within < 0 and value <= limit:
                first_within = c
            if value < least:
                second = least
                least = value
                pick = c
            elif value < second:
                second = value
            if not is_new:
                continue
        old = near_slot(near)
        lost = old == slot or (old >= 0 and links.visit_mark[old] == GONE)
        if c > slot:
            if not lost:
                continue
            near = UNKNOWN
        else:
            near, bound = offered(near, bound, lost, slot, value)
            if near == links.near[c] and bound == links.near_distance[c]:
                continue
        remember(links, spot, c)
        spot += 1
        links.near[c] = near
        links.near_distance[c] = bound
    links.near_distance[slot] = least
    links.near[slot] = UNKNOWN if pick < 0 else near_entry(pick, second > least + TIE)
    if level > 0:
        links.log_change[level] = spot
    return first_within if first_within >= 0 else pick


@inner
def join_centroids(links, i, j, share):
    """Move the centroid of ``i`` by ``share`` of the way to ``j``'s.

    The others are told when the next closest pair is sought, before anything else.
    """
    level = links.depth[0]
    log = links.log_row[level]
    for stretch in range(links.centroid.shape[0]):
        mine, other = links.centroid[stretch, i], links.centroid[stretch, j]
        for k in range(mine.shape[0]):
            log[stretch, k] = mine[k]
            mine[k] = (1.0 - share) * mine[k] + share * other[k]
    links.visit_mark[j] = GONE
    links.near[i] = UNKNOWN
    links.near_distance[i] = NEW


@inner
def undo_centroids(links, i, j):
    """Take back what :func:`join_centroids` did to the centroids."""
    log = links.log_row[links.depth[0]]
    for stretch in range(links.centroid.shape[0]):
        mine = links.centroid[stretch, i]
        for k in range(mine.shape[0]):
            mine[k] = log[stretch, k]
    links.visit_mark[j] = 0


@inner
def ban_centroids(links, i, j):
    """Chain the pair of rows ``i < j`` to both of them."""
    for row, other in ((i, j), (j, i)):
        link = links.counters[N_LINKS]
        links.counters[N_LINKS] += 1
        links.ban_link[link, OTHER] = other
        links.ban_link[link, NEXT] = links.ban_link[row, NEXT]
        links.ban_link[row, NEXT] = link
    if near_slot(links.near[i]) == j:
        links.near[i] = UNKNOWN


@inner
def unban_centroids(links, i, j):
    """Take the pair of rows ``i < j``, banned last, out of the chains of both of them."""
    for row in (j, i):
        links.counters[N_LINKS] -= 1
        link = links.ban_link[row, NEXT]
        links.ban_link[row, NEXT] = links.ban_link[link, NEXT]
