"""Whether a cluster meets any cluster of another label: known directions first, solves last."""

from __future__ import annotations

import numpy as np

from geoprobe.kernels import bank as banks
from geoprobe.kernels.activeset import dot
from geoprobe.kernels.agenda import CLOCK, SOLVES, STEPS, exempt, is_exempt
from geoprobe.kernels.bank import add, place, separated
from geoprobe.kernels.jit import inner, part
from geoprobe.kernels.linkage import members
from geoprobe.kernels.nearest import DISJOINT, UNPROVED, keep_rows, nearest
from geoprobe.kernels.pool import reserve, working

# Ways to settle many pairs at once, and how they have fared by size of cluster.
SEEN, GROUP = 0, 1


@inner
def list_open(links, bank, agenda, slot, other, slack):
    """List the clusters of label ``other`` that no known direction separates from ``slot``."""
    label = links.label[slot]
    pair = bank.pair[label, other]
    p = place(bank, links, pair, label, other, slot)
    begin = links.first[other]
    offset = place(bank, links, pair, label, other, begin) - begin
    number = 0
    used = min(bank.used[pair], bank.low.shape[1])
    for q in range(begin, links.first[other + 1]):
        if links.dead[q] == 0.0 and not separated(bank, p, offset + q, used, slack):
            if not is_exempt(agenda, min(slot, q), max(slot, q)):
                agenda.open[number] = q
                number += 1
    return number


@part
def size_class(links, slot):
    """Return the binary logarithm of a cluster's size."""
    exponent = 0
    while (links.n_members[slot] >> exponent) > 1:
        exponent += 1
    return exponent


@part
def worth_trying(agenda, method, exponent):
    """Return whether a method has helped clusters of this size often enough to pay."""
    tries = agenda.luck[method, 0, exponent]
    return tries < 8 or agenda.luck[method, 1, exponent] * 3 >= tries


@part
def rows_of_open(links, agenda, number):
    """Return the rows of the first ``number`` open clusters."""
    total = 0
    for m in range(number):
        total += links.n_members[agenda.open[m]]
    rows = np.empty(total, np.int64)
    spot = 0
    for m in range(number):
        row = agenda.open[m]
        while row >= 0:
            rows[spot] = row
            spot += 1
            row = links.follow[row]
    return rows


@inner
def drop_seen(links, agenda, points, slot, number, slack):
    """Drop from the open clusters those that the cluster's own discriminant separates.

    The direction (Fisher's, from the mean of all points to the cluster's) is found without a
    solve and tells a small cluster from nearly everything else.
    """
    n_dims = points.shape[1]
    centre, w = agenda.spare[0], agenda.spare[1]
    for j in range(n_dims):
        centre[j] = 0.0
    row = slot
    while row >= 0:
        for j in range(n_dims):
            centre[j] += points[row, j]
        row = links.follow[row]
    for j in range(n_dims):
        w[j] = dot(agenda.precision[j], centre)
    length = np.sqrt(dot(w, w))
    if length == 0.0:
        return number
    for j in range(n_dims):
        w[j] /= length
    low = np.inf
    row = slot
    while row >= 0:
        low = min(low, dot(points[row], w))
        row = links.follow[row]
    left = 0
    for m in range(number):
        row = agenda.open[m]
        high = -np.inf
        while row >= 0 and high < low - slack:
            high = max(high, dot(points[row], w))
            row = links.follow[row]
        if high >= low - slack:
            agenda.open[left] = agenda.open[m]
            left += 1
    return left


@inner
def keep_open(links, bank, agenda, slot, other, number, slack):
    """Drop from the open clusters what the directions added since they were listed separate."""
    label = links.label[slot]
    pair = bank.pair[label, other]
    p = place(bank, links, pair, label, other, slot)
    begin = links.first[other]
    offset = place(bank, links, pair, label, other, begin) - begin
    left = 0
    used = min(bank.used[pair], bank.low.shape[1])
    for m in range(number):
        q = agenda.open[m]
        if separated(bank, p, offset + q, used, slack):
            continue
        if is_exempt(agenda, min(slot, q), max(slot, q)):
            continue
        agenda.open[left] = q
        left += 1
    return left


@part
def try_group(links, bank, agenda, points, rough, pool, slot, other, number, threshold):
    """Try to separate ``slot`` from all open clusters of a label at once."""
    control = agenda.control
    work = working(pool, 0)
    work.state[0] = 0
    status, _, upper, steps = nearest(
        points,
        rough,
        members(links, slot),
        rows_of_open(links, agenda, number),
        work,
        pool.w[0],
        threshold,
        np.bool_(True),
        np.int64(64),
    )
    control[SOLVES] += 1
    control[STEPS] += steps
    if status != DISJOINT:
        return False
    add(bank, links, points, links.label[slot], other, pool.w[0] / upper)
    return True


@part
def ask(links, bank, agenda, points, rough, pool, a, b, threshold):
    """Solve for one pair of slots ``a < b``; return the status and the working set's number."""
    control = agenda.control
    control[CLOCK] += 1
    small = min(links.n_members[a], links.n_members[b])
    c = 0
    if small >= 8:
        c = reserve(pool, a, b, control[CLOCK])
    work = working(pool, c)
    if c == 0:
        work.state[0] = 0
    else:
        keep_rows(work, links.cluster_of, a, b)
    rows_a = members(links, a)
    rows_b = members(links, b)
    limit = 100 * (points.shape[1] + 16)
    status, _, upper, steps = nearest(
        points, rough, rows_a, rows_b, work, pool.w[c], threshold, np.bool_(True), limit
    )
    if status == UNPROVED and c > 0:
        work.state[0] = 0
        status, _, upper, more = nearest(
            points, rough, rows_a, rows_b, work, pool.w[c], threshold, np.bool_(True), limit
        )
        steps += more
    control[SOLVES] += 1
    control[STEPS] += steps
    if status == DISJOINT:
        add(bank, links, points, links.label[a], links.label[b], pool.w[c] / upper)
        exempt(agenda, a, b)
    return status, c


@part
def check_slot(links, bank, agenda, points, rough, pool, slot, threshold):
    """Check one cluster against all others; return (conflict or unproved status, a, b, c)."""
    label = links.label[slot]
    slack = threshold + banks.FLOAT32_SLACK
    exponent = size_class(links, slot)
    for other in range(bank.pair.shape[0]):
        if bank.pair[label, other] < 0:
            continue
        number = list_open(links, bank, agenda, slot, other, slack)
        if number > 0 and worth_trying(agenda, SEEN, exponent):
            left = drop_seen(links, agenda, points, slot, number, slack)
            agenda.luck[SEEN, 0, exponent] += 1
            agenda.luck[SEEN, 1, exponent] += 2 * left <= number
            number = left
        if number > 2 and worth_trying(agenda, GROUP, exponent):
            agenda.luck[GROUP, 0, exponent] += 1
            if try_group(links, bank, agenda, points, rough, pool, slot, other, number, threshold):
                agenda.luck[GROUP, 1, exponent] += 1
                number = 0
        while number > 0:
            pick = 0
            for m in range(number):
                if links.n_members[agenda.open[m]] > links.n_members[agenda.open[pick]]:
                    pick = m
            q = agenda.open[pick]
            a = min(slot, q)
            b = max(slot, q)
            status, c = ask(links, bank, agenda, points, rough, pool, a, b, threshold)
            if status != DISJOINT:
                return status, a, b, c
            number = keep_open(links, bank, agenda, slot, other, number, slack)
    return DISJOINT, -1, -1, -1
