"""Merging clusters as far as their hulls stay apart: speculate, check, step back, ban.

Merges run ahead unchecked. Hulls only grow, so one check of a later state clears every state
before it; a pair found to overlap is a conflict, and the log is taken back to the last state
without it. When the merge that brings a conflict about is the next one from a checked state, it
is banned. The outcome is that of checking each merge in turn; the number of checks is not.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geoprobe.kernels import bank as banks
from geoprobe.kernels.activeset import Working, dot
from geoprobe.kernels.bank import add, joined, place, separated, settled, undone
from geoprobe.kernels.jit import inner, kernel, part
from geoprobe.kernels.linkage import ban, closest_pair, has_room, join, members, undo
from geoprobe.kernels.nearest import DISJOINT, OVERLAP, UNPROVED, keep_rows, nearest

# What `advance` comes back for.
FINISHED, REPORT, EMPTY_BANS, ARBITER = 0, 1, 2, 3

# Entries of `control`.
(PHASE, AHEAD, TODO, N_TODO, N_EXEMPT, MERGES, BANS, SOLVES, STEPS, CLOCK, N_CONFLICTS) = range(11)
EXTEND, CHECK = 0, 1
# Merges that may run ahead of a check.
FURTHEST = 4096
# Ways to settle many pairs at once, and how they have fared by size of cluster.
SEEN, GROUP = 0, 1


class Pool(NamedTuple):
    """Working sets, stacked: number 0 is for single use, the others stay with a pair."""

    factor: NDArray[np.float64]
    signed: NDArray[np.float64]
    rhs: NDArray[np.float64]
    weight: NDArray[np.float64]
    trial: NDArray[np.float64]
    column: NDArray[np.float64]
    spare: NDArray[np.float64]
    row: NDArray[np.int64]
    side: NDArray[np.int64]
    slot: NDArray[np.int64]
    state: NDArray[np.int64]
    dependent: NDArray[np.float64]
    pair: NDArray[np.int64]
    clock: NDArray[np.int64]
    w: NDArray[np.float64]


class Certificates(NamedTuple):
    """Overlaps proved: convex weights on two sides, end to end."""

    slots: NDArray[np.int64]
    size: NDArray[np.int64]
    row: NDArray[np.int64]
    side: NDArray[np.int64]
    weight: NDArray[np.float64]


class Agenda(NamedTuple):
    """What is to be checked, and what the state has been found to allow."""

    control: NDArray[np.int64]
    todo: NDArray[np.int64]
    open: NDArray[np.int64]
    exempt: NDArray[np.int64]
    luck: NDArray[np.int64]
    precision: NDArray[np.float64]


def allocate_pool(n_dims: int, n_bytes: int = 160 << 20) -> Pool:
    """Return a pool of empty working sets."""
    size = n_dims + 3
    number = int(np.clip(n_bytes // (16 * size * size), 4, 512))
    return Pool(
        factor=np.zeros((number, size, size)),
        signed=np.zeros((number, size, n_dims)),
        rhs=np.zeros((number, 2, size)),
        weight=np.zeros((number, size)),
        trial=np.zeros((number, size)),
        column=np.zeros((number, size)),
        spare=np.zeros((number, max(size, n_dims))),
        row=np.zeros((number, size), np.int64),
        side=np.zeros((number, size), np.int64),
        slot=np.tile(np.arange(size), (number, 1)),
        state=np.zeros((number, 1), np.int64),
        dependent=np.zeros((number, 1)),
        pair=np.full((number, 2), -1, np.int64),
        clock=np.zeros(number, np.int64),
        w=np.zeros((number, n_dims)),
    )


def allocate_certificates(number: int, n_dims: int) -> Certificates:
    """Return room for ``number`` certificates."""
    size = n_dims + 3
    return Certificates(
        slots=np.zeros((number, 2), np.int64),
        size=np.zeros(number, np.int64),
        row=np.zeros((number, size), np.int64),
        side=np.zeros((number, size), np.int64),
        weight=np.zeros((number, size)),
    )


def allocate_agenda(n_rows: int, precision: NDArray[np.float64]) -> Agenda:
    """Return an agenda that begins by running ahead.

    ``precision`` (n_dims, n_dims) is the inverse covariance of the points.
    """
    control = np.zeros(11, np.int64)
    control[AHEAD] = FURTHEST
    return Agenda(
        control=control,
        todo=np.zeros(n_rows, np.int64),
        open=np.zeros(n_rows, np.int64),
        exempt=np.zeros((256, 2), np.int64),
        luck=np.zeros((2, 2, 64), np.int64),
        precision=precision,
    )


@inner
def working(pool, c):
    """Return working set number ``c`` of the pool."""
    return Working(
        pool.factor[c],
        pool.signed[c],
        pool.rhs[c],
        pool.weight[c],
        pool.trial[c],
        pool.column[c],
        pool.spare[c],
        pool.row[c],
        pool.side[c],
        pool.slot[c],
        pool.state[c],
        pool.dependent[c],
    )


@part
def reserve(pool, a, b, clock):
    """Return the number of the working set that stays with the pair of slots ``a < b``."""
    oldest = 1
    for c in range(1, pool.clock.shape[0]):
        if pool.pair[c, 0] == a and pool.pair[c, 1] == b:
            pool.clock[c] = clock
            return c
        if pool.clock[c] < pool.clock[oldest]:
            oldest = c
    pool.pair[oldest, 0] = a
    pool.pair[oldest, 1] = b
    pool.clock[oldest] = clock
    pool.state[oldest, 0] = 0
    return oldest


@inner
def united(links, conflicts, c, i, j):
    """Return whether the overlap ``c`` exists once the clusters ``i`` and ``j`` are one."""
    home_a = -1
    home_b = -1
    for m in range(conflicts.size[c]):
        home = links.cluster_of[conflicts.row[c, m]]
        if home == j:
            home = i
        if conflicts.side[c, m] == 0:
            if home_a < 0:
                home_a = home
            elif home_a != home:
                return False
        elif home_b < 0:
            home_b = home
        elif home_b != home:
            return False
    return True


@part
def known_conflict(links, agenda, conflicts, i, j):
    """Return the number of a known overlap that merging ``i`` and ``j`` brings about, or -1."""
    for c in range(min(agenda.control[N_CONFLICTS], conflicts.size.shape[0])):
        if united(links, conflicts, c, i, j):
            return c
    return -1


@part
def record_ban(links, conflicts, c, bans, number, i, j):
    """Write conflict ``c`` as the proof of a ban, its first side in the union."""
    bans.slots[number, 0] = i
    bans.slots[number, 1] = j
    bans.size[number] = conflicts.size[c]
    label = links.label[i]
    for m in range(conflicts.size[c]):
        row = conflicts.row[c, m]
        bans.row[number, m] = row
        bans.weight[number, m] = conflicts.weight[c, m]
        bans.side[number, m] = 0 if links.label[row] == label else 1


@part
def extend(links, bank, agenda, conflicts, bans, n_bans):
    """Merge ahead without checks; return the known conflict met from a checked state, or -1.

    The second value tells whether anything can be merged at all.
    """
    control = agenda.control
    while links.depth[0] < control[AHEAD] and has_room(links):
        i, j = closest_pair(links)
        if i < 0:
            break
        c = known_conflict(links, agenda, conflicts, i, j)
        if c >= 0:
            if links.depth[0] == 0:
                record_ban(links, conflicts, c, bans, n_bans, i, j)
                ban(links, i, j)
                return True
            break
        join(links, i, j)
        joined(bank, links, i, j)
    return False


@inner
def list_changed(links, agenda):
    """List the clusters that the log has made, the latest first."""
    number = 0
    for level in range(links.depth[0] - 1, -1, -1):
        slot = links.log_pair[level, 0]
        if links.dead[slot] > 0.0:
            continue
        known = False
        for later in range(level + 1, links.depth[0]):
            if links.log_pair[later, 0] == slot:
                known = True
                break
        if not known:
            agenda.todo[number] = slot
            number += 1
    agenda.control[TODO] = 0
    agenda.control[N_TODO] = number
    agenda.control[N_EXEMPT] = 0


@inner
def is_exempt(agenda, a, b):
    """Return whether this state's check has already proved the pair disjoint."""
    for m in range(min(agenda.control[N_EXEMPT], agenda.exempt.shape[0])):
        if agenda.exempt[m, 0] == a and agenda.exempt[m, 1] == b:
            return True
    return False


@kernel
def exempt(agenda, a, b):
    """Note that the pair has been proved disjoint in this state."""
    spot = agenda.control[N_EXEMPT] % agenda.exempt.shape[0]
    agenda.exempt[spot, 0] = min(a, b)
    agenda.exempt[spot, 1] = max(a, b)
    agenda.control[N_EXEMPT] += 1


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


@inner
def note_conflict(agenda, conflicts, rows, sides, weights):
    """Keep a proved overlap; return its number."""
    c = agenda.control[N_CONFLICTS] % conflicts.size.shape[0]
    agenda.control[N_CONFLICTS] += 1
    k = rows.shape[0]
    conflicts.size[c] = k
    for m in range(k):
        conflicts.row[c, m] = rows[m]
        conflicts.side[c, m] = sides[m]
        conflicts.weight[c, m] = weights[m]
    return c


@inner
def step_back(links, bank, conflicts, c):
    """Undo merges until conflict ``c`` is gone."""
    while united(links, conflicts, c, -1, -1):
        level = links.depth[0] - 1
        i = links.log_pair[level, 0]
        j = links.log_pair[level, 1]
        undo(links)
        undone(bank, links, i, j)


@part
def size_class(links, slot):
    """Return the binary logarithm of a cluster's size."""
    exponent = 0
    while (links.count[slot] >> exponent) > 1:
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
        total += links.count[agenda.open[m]]
    rows = np.empty(total, np.int64)
    spot = 0
    for m in range(number):
        row = agenda.open[m]
        while row >= 0:
            rows[spot] = row
            spot += 1
            row = links.follow[row]
    return rows


@part
def drop_seen(links, agenda, points, slot, number, slack):
    """Drop from the open clusters those that the cluster's own discriminant separates.

    The direction (Fisher's, from the mean of all points to the cluster's) is found without a
    solve and tells a small cluster from nearly everything else.
    """
    n_dims = points.shape[1]
    centre = np.zeros(n_dims)
    row = slot
    while row >= 0:
        for j in range(n_dims):
            centre[j] += points[row, j]
        row = links.follow[row]
    w = np.empty(n_dims)
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


@kernel
def back_from_overlap(links, bank, agenda, conflicts, rows, sides, weights):
    """Take back the merges that bring a proved overlap about, and plan what comes next."""
    control = agenda.control
    c = note_conflict(agenda, conflicts, rows, sides, weights)
    step_back(links, bank, conflicts, c)
    control[AHEAD] = max(1, min(control[AHEAD] // 2, links.depth[0]))
    if links.depth[0] == 0:
        control[PHASE] = EXTEND
    else:
        list_changed(links, agenda)


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
        True,
        64,
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
    small = min(links.count[a], links.count[b])
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
        points, rough, rows_a, rows_b, work, pool.w[c], threshold, True, limit
    )
    if status == UNPROVED and c > 0:
        work.state[0] = 0
        status, _, upper, more = nearest(
            points, rough, rows_a, rows_b, work, pool.w[c], threshold, True, limit
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
                if links.count[agenda.open[m]] > links.count[agenda.open[pick]]:
                    pick = m
            q = agenda.open[pick]
            a = min(slot, q)
            b = max(slot, q)
            status, c = ask(links, bank, agenda, points, rough, pool, a, b, threshold)
            if status != DISJOINT:
                return status, a, b, c
            number = keep_open(links, bank, agenda, slot, other, number, slack)
    return DISJOINT, -1, -1, -1


@kernel
def advance(links, bank, agenda, points, rough, pool, conflicts, bans, threshold, checks):
    """Merge on until finished, or until the caller is needed; return why and the pair open.

    ``control`` carries everything from one call to the next.
    """
    control = agenda.control
    n_bans = 0
    while True:
        if control[PHASE] == EXTEND:
            if n_bans == bans.size.shape[0]:
                return EMPTY_BANS, n_bans, -1, -1
            if extend(links, bank, agenda, conflicts, bans, n_bans):
                n_bans += 1
                control[BANS] += 1
                continue
            if links.depth[0] == 0:
                return FINISHED, n_bans, -1, -1
            list_changed(links, agenda)
            control[PHASE] = CHECK
        if checks == 0:
            return REPORT, n_bans, -1, -1
        checks -= 1
        status = DISJOINT
        while status == DISJOINT and control[TODO] < control[N_TODO]:
            slot = agenda.todo[control[TODO]]
            status, a, b, c = check_slot(links, bank, agenda, points, rough, pool, slot, threshold)
            if status == DISJOINT:
                control[TODO] += 1
        if status == OVERLAP:
            work = working(pool, c)
            k = work.state[0]
            back_from_overlap(
                links, bank, agenda, conflicts, work.row[:k], work.side[:k], work.weight[:k]
            )
        elif status == UNPROVED:
            return ARBITER, n_bans, a, b
        else:
            control[MERGES] += links.depth[0]
            links.depth[0] = 0
            settled(bank)
            control[AHEAD] = min(2 * control[AHEAD], FURTHEST)
            control[PHASE] = EXTEND
