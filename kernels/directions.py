"""Separating directions: for each pair of labels, an interval a cluster and direction.

Most questions about two clusters are answered here by two comparisons. The intervals are
float32; a separation counts only when it exceeds their rounding error and the threshold.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geoprobe.kernels.activeset import dot
from geoprobe.kernels.jit import inner
from geoprobe.kernels.nearest import rounding32
from geoprobe.kernels.state import Directions, Linkage

# Ends of intervals within the unit ball are off by less than 6e-8 when rounded to float32.
FLOAT32_SLACK = 2.5e-7
# Directions looked at together.
CHUNK = 64
# Directions of a pair of labels that there is room for at first.
FIRST = 256
# Stands for infinity: the interval of no row reaches from WIDE to -WIDE, that of a direction not
# yet added from -WIDE to WIDE.
WIDE = np.float32(1e30)


def allocate(
    links: Linkage, partner: NDArray[np.bool_], n_dims: int, n_bytes: int = 1 << 28
) -> Directions:
    """Return room for a few directions, with none in it yet.

    Parameters
    ----------
    links : Linkage
    partner : ndarray of bool, shape (n_labels, n_labels)
        The pairs of labels that need directions.
    n_dims : int
    n_bytes : int
        Memory that intervals may ever take.
    """
    pair = np.full(partner.shape, -1, np.int64)
    first, second = np.nonzero(np.triu(partner, 1))
    pair[first, second] = pair[second, first] = np.arange(len(first))
    # Solves are dear in many dimensions and directions cheap to look through in few.
    wanted = int(np.clip(4 * n_dims // 3 // 32 * 32, 32, 1024))
    empty = Directions(
        pair=pair,
        begin=np.zeros(len(first), np.int64),
        span=np.zeros(len(partner), np.int64),
        place=np.zeros(len(links.label), np.int64),
        used=np.zeros(len(first), np.int64),
        low=np.zeros((0, FIRST // 2), np.float32),
        high=np.zeros((0, FIRST // 2), np.float32),
        added_at=np.zeros((len(first), 0), np.int64),
        log_low=np.zeros((0, int(partner.sum(axis=1).max()), 0), np.float32),
        log_high=np.zeros((0, 0, 0), np.float32),
        limits=np.array([wanted, n_bytes]),
    )
    return laid_out(empty, links)


def roomiest(directions: Directions, links: Linkage) -> int:
    """Return the largest capacity that is wanted and that the clusters that are left allow."""
    wanted, n_bytes = directions.limits.tolist()
    slots = np.flatnonzero(links.cluster_of == np.arange(len(links.cluster_of)))
    partners = (directions.pair >= 0).sum(axis=1)
    entries = int(partners[links.label[slots]].sum())
    return int(np.clip(n_bytes // (8 * max(entries, 1)) // 32 * 32, 32, wanted))


def laid_out(directions: Directions, links: Linkage) -> Directions:
    """Return the directions with room for twice as many, if :func:`roomiest` allows.

    Only clusters that are left take any. The log of merges has to be empty, and ``directions``
    are not to be used any more.
    """
    capacity = min(2 * directions.low.shape[1], roomiest(directions, links))
    slots = np.flatnonzero(links.cluster_of == np.arange(len(links.cluster_of)))
    span = np.bincount(links.label[slots], minlength=len(directions.span))
    ends = np.cumsum(span)
    place = np.zeros_like(directions.place)
    place[slots] = np.arange(len(slots)) - (ends - span)[links.label[slots]]
    pairs = np.argwhere(np.triu(directions.pair >= 0, 1))
    sizes = span[pairs].sum(axis=1)
    total = int(sizes.sum())
    begin = np.cumsum(sizes) - sizes
    low = np.full((total, capacity), -WIDE, np.float32)
    high = np.full((total, capacity), WIDE, np.float32)
    kept = min(directions.low.shape[1], capacity)
    for (a, b), p, q, used in zip(pairs, begin, directions.begin, directions.used, strict=True):
        mine = [slots[links.label[slots] == label] for label in (a, b)]
        before = q + np.concatenate(
            [directions.place[mine[0]], directions.span[a] + directions.place[mine[1]]]
        )
        # The oldest first, so that it is the first one to be forgotten.
        order = np.arange(used - min(used, kept), used) % directions.low.shape[1]
        if len(order) == 0:
            continue
        rows = slice(p, p + len(before))
        low[rows, : len(order)] = directions.low[np.ix_(before, order)]
        high[rows, : len(order)] = directions.high[np.ix_(before, order)]
    depth, most = len(links.log_pair), directions.log_low.shape[1]
    return Directions(
        pair=directions.pair,
        begin=begin,
        span=span,
        place=place,
        used=np.minimum(directions.used, kept),
        low=low,
        high=high,
        added_at=np.zeros((len(begin), capacity), np.int64),
        log_low=np.zeros((depth, most, capacity), np.float32),
        log_high=np.zeros((depth, most, capacity), np.float32),
        limits=directions.limits,
    )


@inner
def base_of(directions, pair, a, b):
    """Return where the clusters of label ``a`` begin in its pair with ``b``; see ``place``."""
    return directions.begin[pair] + (directions.span[b] if b < a else 0)


@inner
def widen(directions, entry, column, low, high):
    """Let the interval of a cluster reach from ``low`` to ``high`` at least."""
    directions.low[entry, column] = min(directions.low[entry, column], np.float32(low))
    directions.high[entry, column] = max(directions.high[entry, column], np.float32(high))


@inner
def widen_by_prices(directions, links, base, rows, prices, errors, column):
    """Let intervals reach to the points in ``rows``, whose prices with the direction are given.

    ``errors`` bound those of low and of high prices.
    """
    below, above = errors
    for m in range(rows.shape[0]):
        entry = base + directions.place[links.cluster_of[rows[m]]]
        widen(directions, entry, column, prices[m] - below, prices[m] + above)


@inner
def clear_column(directions, links, points, pair, slot, other, w, column):
    """Find the intervals along ``w`` of all clusters of a label but ``slot``, in float32.

    That of ``slot`` is left empty. ``other`` is the other label of the pair. Return where the
    entries of the label begin.
    """
    label = links.label[slot]
    slack = rounding32(w.shape[0])
    begin = links.first[label]
    base = base_of(directions, pair, label, other)
    for entry in range(base, base + directions.span[label]):
        directions.low[entry, column] = WIDE
        directions.high[entry, column] = -WIDE
    for row in range(begin, links.first[label + 1]):
        if links.cluster_of[row] != slot:
            value = dot(points.float32[row], w)
            entry = base + directions.place[links.cluster_of[row]]
            widen(directions, entry, column, value - slack, value + slack)
    return base


@inner
def add_direction(directions, links, points, pair, sides, work, prices, length):
    """Add the direction ``w`` of a solve for a pair of labels, forgetting the oldest.

    ``sides`` are the rows of its two hulls, whose prices are known. The other rows of the two
    labels are priced in float32. ``w`` is ``length`` long.
    """
    rows_a, rows_b = sides
    n_a = rows_a.shape[0]
    capacity = directions.low.shape[1]
    column = directions.used[pair] % capacity
    directions.used[pair] += 1
    directions.added_at[pair, column] = links.depth[0]
    w = work.scratch.w32
    slack = rounding32(w.shape[0])
    for j in range(w.shape[0]):
        w[j] = work.scratch.w[j] / length
    price = prices.price
    for m in range(price.shape[0]):
        price[m] /= length
    a, b = links.label[rows_a[0]], links.label[rows_b[0]]
    base_a = clear_column(directions, links, points, pair, rows_a[0], b, w, column)
    base_b = clear_column(directions, links, points, pair, rows_b[0], a, w, column)
    known = prices.error[0]
    errors_a = known, slack
    # Of several clusters those that lie back may have prices in float32 only.
    errors_b = slack, known if links.n_members[rows_b[0]] == rows_b.shape[0] else slack
    widen_by_prices(directions, links, base_a, rows_a, price[:n_a], errors_a, column)
    widen_by_prices(directions, links, base_b, rows_b, price[n_a:], errors_b, column)


@inner
def separated(directions, p, q, used, slack):
    """Return whether a known direction separates the clusters kept at ``p`` and ``q``."""
    limit = np.float32(slack)
    for begin in range(0, used, CHUNK):
        # Indices of slices start at 0: one that might be negative would be gathered, not loaded.
        low_p = directions.low[p, begin : begin + CHUNK]
        high_p = directions.high[p, begin : begin + CHUNK]
        low_q = directions.low[q, begin : begin + CHUNK]
        high_q = directions.high[q, begin : begin + CHUNK]
        apart = np.int32(0)
        for c in range(low_p.shape[0]):
            apart |= np.int32(low_p[c] - high_q[c] > limit)
            apart |= np.int32(low_q[c] - high_p[c] > limit)
        if apart != 0:
            return True
    return False


@inner
def has_forgotten(directions):
    """Return whether directions of any pair of labels were forgotten since they were laid out."""
    for used in directions.used:
        if used > directions.low.shape[1]:
            return True
    return False


@inner
def follow_merge(directions, links, i, j):
    """Follow a merge of ``j`` into ``i``: call after the linkage has merged."""
    level = links.depth[0] - 1
    label = links.label[i]
    spot = 0
    for other in range(directions.pair.shape[0]):
        pair = directions.pair[label, other]
        if pair < 0:
            continue
        base = base_of(directions, pair, label, other)
        p = base + directions.place[i]
        q = base + directions.place[j]
        for c in range(directions.low.shape[1]):
            directions.log_low[level, spot, c] = directions.low[p, c]
            directions.log_high[level, spot, c] = directions.high[p, c]
            directions.low[p, c] = min(directions.low[p, c], directions.low[q, c])
            directions.high[p, c] = max(directions.high[p, c], directions.high[q, c])
        spot += 1


@inner
def follow_undo(directions, links, i, j):
    """Follow the undoing of a merge: call after the linkage has undone it."""
    level = links.depth[0]
    label = links.label[i]
    spot = 0
    for other in range(directions.pair.shape[0]):
        pair = directions.pair[label, other]
        if pair < 0:
            continue
        base = base_of(directions, pair, label, other)
        p = base + directions.place[i]
        q = base + directions.place[j]
        for c in range(min(directions.used[pair], directions.low.shape[1])):
            if directions.added_at[pair, c] > level:
                # What holds for the union holds for its parts.
                directions.added_at[pair, c] = level
                directions.low[q, c] = directions.low[p, c]
                directions.high[q, c] = directions.high[p, c]
            else:
                directions.low[p, c] = directions.log_low[level, spot, c]
                directions.high[p, c] = directions.log_high[level, spot, c]
        spot += 1


@inner
def forget_log(directions):
    """Forget when directions were added: the merges in the log have become final."""
    directions.added_at[:, :] = 0
