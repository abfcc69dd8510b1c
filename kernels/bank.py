"""Directions known to separate: for each pair of labels, an interval a cluster and direction.

Most questions about two clusters are answered here by two comparisons. The intervals are
float32; a separation counts only when it exceeds their rounding error and the threshold.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geoprobe.kernels.activeset import dot
from geoprobe.kernels.jit import inner
from geoprobe.kernels.linkage import Linkage

# Points lie in the unit ball, so that a projection's float32 error stays below 6e-8.
FLOAT32_SLACK = 2.5e-7
# Directions looked at together.
CHUNK = 64
WIDE = np.float32(1e30)


class Bank(NamedTuple):
    """Directions and intervals; a pair of labels a < b owns consecutive rows, a's first."""

    pair: NDArray[np.int64]
    begin: NDArray[np.int64]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    projection: NDArray[np.float32]
    used: NDArray[np.int64]
    stamp: NDArray[np.int64]
    log_low: NDArray[np.float32]
    log_high: NDArray[np.float32]


def allocate(
    links: Linkage, partner: NDArray[np.bool_], n_dims: int, n_bytes: int = 1 << 27
) -> Bank:
    """Return an empty bank for the pairs of labels in ``partner`` (n_labels, n_labels)."""
    sizes = np.diff(links.first)
    pair = np.full(partner.shape, -1, np.int64)
    begin: list[int] = []
    total = 0
    for a, b in zip(*np.nonzero(np.triu(partner, 1)), strict=True):
        pair[a, b] = pair[b, a] = len(begin)
        begin.append(total)
        total += int(sizes[a] + sizes[b])
    # Solves are dear in many dimensions and directions cheap to look through in few.
    wanted = max(32, 4 * n_dims // 3)
    room = n_bytes // (12 * max(total, 1))
    capacity = int(np.clip(min(wanted, room) // 32 * 32, 32, 1024))
    most = int(partner.sum(axis=1).max())
    depth = len(links.log_pair)
    return Bank(
        pair=pair,
        begin=np.array(begin, np.int64),
        low=np.full((total, capacity), -WIDE, np.float32),
        high=np.full((total, capacity), WIDE, np.float32),
        projection=np.zeros((total, capacity), np.float32),
        used=np.zeros(len(begin), np.int64),
        stamp=np.zeros((len(begin), capacity), np.int64),
        log_low=np.zeros((depth, most, capacity), np.float32),
        log_high=np.zeros((depth, most, capacity), np.float32),
    )


@inner
def place(bank, links, pair, a, b, row):
    """Return where the bank keeps ``row`` for the pair of labels ``a``, ``b``."""
    low = min(a, b)
    high = max(a, b)
    begin = bank.begin[pair]
    if links.label[row] == low:
        return begin + row - links.first[low]
    return begin + links.first[low + 1] - links.first[low] + row - links.first[high]


@inner
def add(bank, links, points, a, b, w):
    """Add the direction ``w`` (of length 1) for the labels ``a``, ``b``, forgetting the oldest."""
    pair = bank.pair[a, b]
    capacity = bank.low.shape[1]
    column = bank.used[pair] % capacity
    bank.used[pair] += 1
    bank.stamp[pair, column] = links.depth[0]
    for label in (a, b):
        begin = links.first[label]
        offset = place(bank, links, pair, a, b, begin) - begin
        for row in range(begin, links.first[label + 1]):
            bank.low[offset + row, column] = WIDE
            bank.high[offset + row, column] = -WIDE
        for row in range(begin, links.first[label + 1]):
            value = np.float32(dot(points[row], w))
            bank.projection[offset + row, column] = value
            home = offset + links.cluster_of[row]
            bank.low[home, column] = min(bank.low[home, column], value)
            bank.high[home, column] = max(bank.high[home, column], value)


@inner
def separated(bank, p, q, used, slack):
    """Return whether a known direction separates the clusters kept at ``p`` and ``q``."""
    limit = np.float32(slack)
    for begin in range(0, used, CHUNK):
        # Indices of slices start at 0: one that might be negative would be gathered, not loaded.
        low_p = bank.low[p, begin : begin + CHUNK]
        high_p = bank.high[p, begin : begin + CHUNK]
        low_q = bank.low[q, begin : begin + CHUNK]
        high_q = bank.high[q, begin : begin + CHUNK]
        found = np.int32(0)
        for c in range(low_p.shape[0]):
            found |= np.int32(low_p[c] - high_q[c] > limit)
            found |= np.int32(low_q[c] - high_p[c] > limit)
        if found != 0:
            return True
    return False


@inner
def joined(bank, links, i, j):
    """Follow a merge of ``j`` into ``i``: call after the linkage has merged."""
    level = links.depth[0] - 1
    label = links.label[i]
    spot = 0
    for other in range(bank.pair.shape[0]):
        pair = bank.pair[label, other]
        if pair < 0:
            continue
        p = place(bank, links, pair, label, other, i)
        q = place(bank, links, pair, label, other, j)
        for c in range(bank.low.shape[1]):
            bank.log_low[level, spot, c] = bank.low[p, c]
            bank.log_high[level, spot, c] = bank.high[p, c]
            bank.low[p, c] = min(bank.low[p, c], bank.low[q, c])
            bank.high[p, c] = max(bank.high[p, c], bank.high[q, c])
        spot += 1


@inner
def rebuild(bank, links, pair, offset, slot, column):
    """Find one interval of a cluster anew from its rows."""
    low = WIDE
    high = -WIDE
    row = slot
    while row >= 0:
        value = bank.projection[offset + row, column]
        low = min(low, value)
        high = max(high, value)
        row = links.follow[row]
    bank.low[offset + slot, column] = low
    bank.high[offset + slot, column] = high


@inner
def undone(bank, links, i, j):
    """Follow the undoing of a merge: call after the linkage has undone it."""
    level = links.depth[0]
    label = links.label[i]
    spot = 0
    for other in range(bank.pair.shape[0]):
        pair = bank.pair[label, other]
        if pair < 0:
            continue
        offset = place(bank, links, pair, label, other, i) - i
        for c in range(min(bank.used[pair], bank.low.shape[1])):
            if bank.stamp[pair, c] > level:
                rebuild(bank, links, pair, offset, i, c)
                rebuild(bank, links, pair, offset, j, c)
            else:
                bank.low[offset + i, c] = bank.log_low[level, spot, c]
                bank.high[offset + i, c] = bank.log_high[level, spot, c]
        spot += 1


@inner
def settled(bank):
    """Forget when directions were added: the merges in the log have become final."""
    bank.stamp[:, :] = 0
