"""Linkage of labels whose distance matrix would be too large: centroids, distances when asked.

The squared distances from one cluster are formed from the centroids whenever they are needed,
and never stored. For each slot only its nearest later slot of the label is kept, or, once that
neighbour is gone, a lower bound of the distances to all later slots; a bound is made a distance
only when it becomes the smallest of all. Bans are pairs of rows, chained by row.
"""

from __future__ import annotations

import numpy as np

from geoprobe.kernels.jit import inner, part

# Squared distances (R = 1) this close are taken as equal, and the smaller rows decide: rounding
# stays two orders of magnitude below.
TIE = 1e-12
# Entry of `near` where `near_distance` is only a lower bound.
UNKNOWN = -1
# Entry of `near_distance` for a new cluster: below all distances, so that it is looked at first.
NEW = -1.0
# Entry of `mark` for slots that are no cluster any more or may never merge.
GONE = 1 << 62
# Entries of `tally`: changes that a merge may log, the last mark given, links of bans in use.
MOST_CHANGES, TOKEN, N_LINKS = range(3)
# Entries of a link of bans: the other row of the pair, the next link. Row r's chain begins with
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
def distance_within(centre, p, q, limit):
    """Return the squared distance of two centroids, or infinity once it exceeds ``limit``."""
    total = 0.0
    for stretch in range(centre.shape[1]):
        for k in range(centre.shape[2]):
            step = centre[p, stretch, k] - centre[q, stretch, k]
            total += step * step
        if total > limit:
            return np.inf
    return total


@inner
def centre_shift(links, slot):
    """Return what leads from a slot to the place of its centroid."""
    label = links.label[slot]
    return -1 - links.start[label] - links.first[label]


@inner
def named(near):
    """Return the slot that an entry of ``near`` names, or -1.

    The slot c itself stands for a nearest slot with no other as near up to ``TIE``, -2 - c for
    one that may have company.
    """
    return near if near >= UNKNOWN else -2 - near


@inner
def entry(slot, alone):
    """Return the entry of ``near`` for a nearest slot; see :func:`named`."""
    return slot if alone else -2 - slot


@inner
def mark_banned(links, slot):
    """Mark the clusters whose union with ``slot`` is banned; return their mark.

    Slots that a union may be formed with have smaller marks, slots that are gone greater ones.
    """
    links.tally[TOKEN] += 1
    token = links.tally[TOKEN]
    if links.tally[N_LINKS] > links.follow.shape[0]:
        row = slot
        while row >= 0:
            link = links.ban_link[row, NEXT]
            while link >= 0:
                links.mark[links.cluster_of[links.ban_link[link, OTHER]]] = token
                link = links.ban_link[link, NEXT]
            row = links.follow[row]
    return token


@part
def offered(near, bound, lost, slot, value):
    """Return what ``near`` and its distance become with a new cluster ``slot`` at ``value``.

    ``lost`` tells that the slot named so far is part of it.
    """
    if value < bound:
        return entry(slot, value < bound - TIE), value
    if lost:
        return UNKNOWN, bound
    if near != UNKNOWN and value <= bound + TIE:
        return entry(named(near), np.bool_(False)), bound
    return near, bound


@part
def settle(links, slot, limit):
    """Find the nearest later slot of ``slot`` anew; return the first one within ``limit``.

    A new cluster is offered to the earlier slots on the way, and the later ones learn which
    neighbour it has taken from them. Undoing the last merge restores what was known before.
    """
    level = links.depth[0]
    spot = links.log_change[level]
    remember(links, spot, slot)
    spot += 1
    label = links.label[slot]
    shift = centre_shift(links, slot)
    token = mark_banned(links, slot)
    is_new = links.near_distance[slot] == NEW
    centre = links.centre
    least = np.inf
    second = np.inf
    pick = np.int64(-1)
    found = -1
    # No call in here may take `links`: counting the references to its arrays would cost more
    # than the distances.
    for c in range(links.first[label] if is_new else slot + 1, links.first[label + 1]):
        if c == slot or links.mark[c] > token:
            continue
        near = links.near[c]
        bound = links.near_distance[c]
        value = np.inf
        if links.mark[c] < token:
            reach = max(least + TIE, limit) if c > slot else bound + TIE
            value = distance_within(centre, c + shift, slot + shift, reach)
        if c > slot:
            if found < 0 and value <= limit:
                found = c
            if value < least:
                second = least
                least = value
                pick = c
            elif value < second:
                second = value
            if not is_new:
                continue
        old = named(near)
        lost = old == slot or (old >= 0 and links.mark[old] == GONE)
        if c > slot:
            if not lost:
                continue
            near = UNKNOWN
        else:
            near, bound = offered(near, bound, lost, slot, value)
            if near == links.near[c] and bound == links.near_distance[c]:
                continue
        links.change_row[spot, 0] = c
        links.change_row[spot, 1] = links.near[c]
        links.change_distance[spot] = links.near_distance[c]
        spot += 1
        links.near[c] = near
        links.near_distance[c] = bound
    links.near_distance[slot] = least
    links.near[slot] = UNKNOWN if pick < 0 else entry(pick, second > least + TIE)
    if level > 0:
        links.log_change[level] = spot
    return found if found >= 0 else pick


@part
def join_centroids(links, i, j, share):
    """Move the centroid of ``i`` by ``share`` of the way to ``j``'s.

    The others are told when the next closest pair is sought, before anything else.
    """
    shift = centre_shift(links, i)
    level = links.depth[0]
    mine = links.centre[i + shift].reshape(-1)
    other = links.centre[j + shift].reshape(-1)
    for k in range(mine.shape[0]):
        links.log_row[level, k] = mine[k]
        mine[k] = (1.0 - share) * mine[k] + share * other[k]
    links.mark[j] = GONE
    links.near[i] = UNKNOWN
    links.near_distance[i] = NEW


@part
def undo_centroids(links, i, j):
    """Take back what :func:`join_centroids` did to the centroids."""
    mine = links.centre[i + centre_shift(links, i)].reshape(-1)
    for k in range(mine.shape[0]):
        mine[k] = links.log_row[links.depth[0], k]
    links.mark[j] = 0


@part
def ban_centroids(links, i, j):
    """Chain the pair of rows ``i < j`` to both of them."""
    for row, other in ((i, j), (j, i)):
        link = links.tally[N_LINKS]
        links.tally[N_LINKS] += 1
        links.ban_link[link, OTHER] = other
        links.ban_link[link, NEXT] = links.ban_link[row, NEXT]
        links.ban_link[row, NEXT] = link
    if named(links.near[i]) == j:
        links.near[i] = UNKNOWN
