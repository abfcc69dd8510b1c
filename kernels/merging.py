"""Merging clusters as far as their hulls stay apart: speculate, check, step back, ban.

Merges run ahead unchecked. Hulls only grow, so one check of a later state clears every state
before it; a pair found to overlap is a conflict, and the log is taken back to the last state
without it. A merge that would bring a known conflict about is banned on the way, which is final
once the merges before it are. The outcome is that of checking each merge in turn; the number of
checks is not.
"""

from __future__ import annotations

import numpy as np

from geoprobe.kernels.agenda import (
    AHEAD,
    CHECK,
    CHECKED,
    EXTEND,
    FURTHEST,
    IN_A_ROW,
    LAY_OUT,
    MERGES,
    N_BANS,
    N_CONFLICTS,
    N_MERGED,
    N_TO_CHECK,
    PHASE,
    forget_exempt,
)
from geoprobe.kernels.checking import check_slot
from geoprobe.kernels.directions import follow_merge, follow_undo, forget_log, has_forgotten
from geoprobe.kernels.jit import inner, kernel
from geoprobe.kernels.linkage import (
    ban,
    closest_pair,
    has_room,
    is_ban,
    is_slot,
    join,
    undo,
)
from geoprobe.kernels.nearest import DISJOINT, OVERLAP, UNPROVED
from geoprobe.kernels.pool import working_set

# What `advance` comes back for: nothing is left to merge; as many states as asked for are checked;
# the room for bans is full; a pair is left open that only the fallback can decide; directions are
# being forgotten that there would be room for.
FINISHED, REPORT, EMPTY_BANS, FALLBACK, CRAMPED = 0, 1, 2, 3, 4
# Checks in a row that find conflicts before merges run only half as far ahead.
PATIENCE = 3


@inner
def together(links, rows, i, j):
    """Return whether two rows are in one cluster once the clusters ``i`` and ``j`` are one."""
    home_a, home_b = links.cluster_of[rows[0]], links.cluster_of[rows[1]]
    return (i if home_a == j else home_a) == (i if home_b == j else home_b)


@inner
def united(links, conflicts, c, i, j):
    """Return whether the overlap ``c`` exists once the clusters ``i`` and ``j`` are one.

    Two rows that are still apart are asked about first the next time.
    """
    apart = conflicts.slots[c]
    if not together(links, apart, i, j):
        return False
    first_a = first_b = np.int64(-1)
    for m in range(conflicts.size[c]):
        row = conflicts.row[c, m]
        if conflicts.side[c, m] == 0:
            first_a = row if first_a < 0 else first_a
            apart[0] = first_a
        else:
            first_b = row if first_b < 0 else first_b
            apart[0] = first_b
        apart[1] = row
        if not together(links, apart, i, j):
            return False
    return True


@inner
def known_conflict(links, agenda, conflicts, i, j):
    """Return the number of a known overlap that merging ``i`` and ``j`` brings about, or -1."""
    for c in range(min(agenda.control[N_CONFLICTS], conflicts.size.shape[0])):
        if united(links, conflicts, c, i, j):
            return c
    return -1


@inner
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


@inner
def extend(links, directions, agenda, conflicts, bans):
    """Merge ahead without checks, and ban the pairs whose merge would bring a known conflict about.

    A ban becomes final with the merges before it: then it is of the very merge that the plain
    algorithm tries and refuses.
    """
    control = agenda.control
    room = bans.size.shape[0]
    while control[N_MERGED] < control[AHEAD] and has_room(links) and control[N_BANS] < room:
        i, j = closest_pair(links)
        if i < 0:
            break
        c = known_conflict(links, agenda, conflicts, i, j)
        if c >= 0:
            record_ban(links, conflicts, c, bans, control[N_BANS], i, j)
            ban(links, i, j)
            control[N_BANS] += 1
        else:
            join(links, i, j)
            follow_merge(directions, links, i, j)
            forget_exempt(agenda, i)
            control[N_MERGED] += 1


@inner
def list_changed(links, agenda):
    """List the clusters that the log has made, the latest first."""
    number = 0
    for level in range(links.depth[0] - 1, -1, -1):
        slot = links.log_pair[level, 0]
        if is_ban(links, level) or not is_slot(links, slot):
            continue
        known = False
        for m in range(number):
            if agenda.to_check[m] == slot:
                known = True
                break
        if not known:
            agenda.to_check[number] = slot
            number += 1
    agenda.control[CHECKED] = 0
    agenda.control[N_TO_CHECK] = number


@inner
def note_conflict(agenda, conflicts, rows, sides, weights):
    """Keep a proved overlap; return its number."""
    c = agenda.control[N_CONFLICTS] % conflicts.size.shape[0]
    agenda.control[N_CONFLICTS] += 1
    k = rows.shape[0]
    conflicts.size[c] = k
    conflicts.slots[c, :] = rows[0]
    for m in range(k):
        conflicts.row[c, m] = rows[m]
        conflicts.side[c, m] = sides[m]
        conflicts.weight[c, m] = weights[m]
    return c


@inner
def take_back(links, directions, agenda):
    """Take back the last merge or ban in the log."""
    level = links.depth[0] - 1
    i = links.log_pair[level, 0]
    j = links.log_pair[level, 1]
    undo(links)
    if is_ban(links, level):
        agenda.control[N_BANS] -= 1
    else:
        follow_undo(directions, links, i, j)
        agenda.control[N_MERGED] -= 1


@kernel
def back_from_overlap(links, directions, agenda, conflicts, rows, sides, weights):
    """Take back the merges that bring a proved overlap about, and more once patience is lost."""
    control = agenda.control
    c = note_conflict(agenda, conflicts, rows, sides, weights)
    while united(links, conflicts, c, np.int64(-1), np.int64(-1)):
        take_back(links, directions, agenda)
    control[AHEAD] = max(1, min(control[AHEAD], control[N_MERGED]))
    control[IN_A_ROW] += 1
    if control[IN_A_ROW] % PATIENCE == 0:
        control[AHEAD] = max(1, control[AHEAD] // 2)
        while control[N_MERGED] > control[AHEAD]:
            take_back(links, directions, agenda)
    control[PHASE] = EXTEND


@inner
def make_final(links, directions, agenda):
    """Make what is in the log final."""
    control = agenda.control
    control[MERGES] += control[N_MERGED]
    control[N_MERGED] = 0
    control[AHEAD] = min(2 * control[AHEAD], FURTHEST)
    control[IN_A_ROW] = 0
    links.depth[0] = 0
    forget_log(directions)


@kernel
def advance(state, checks):
    """Merge on until finished, or until the caller is needed, ``checks`` checks later at most.

    Return the reason, and the slots of the pair that is left open. ``control`` carries everything
    from one call to the next.
    """
    links, directions, agenda = state.links, state.directions, state.agenda
    points, pool, conflicts, bans = state.points, state.pool, state.conflicts, state.bans
    control = agenda.control
    while True:
        if control[PHASE] == EXTEND:
            if links.depth[0] == 0 and control[N_BANS] == bans.size.shape[0]:
                return EMPTY_BANS, -1, -1
            extend(links, directions, agenda, conflicts, bans)
            if links.depth[0] == 0:
                return FINISHED, -1, -1
            list_changed(links, agenda)
            control[PHASE] = CHECK
        if checks == 0:
            return REPORT, -1, -1
        checks -= 1
        status = DISJOINT
        while status == DISJOINT and control[CHECKED] < control[N_TO_CHECK]:
            slot = agenda.to_check[control[CHECKED]]
            status, a, b, c = check_slot(
                links, directions, agenda, points, pool, slot, state.threshold
            )
            if status == DISJOINT:
                control[CHECKED] += 1
        if status == OVERLAP:
            work = working_set(pool, c)
            k = work.n_working[0]
            row, side, weight = work.row[:k], work.side[:k], work.weight[:k]
            back_from_overlap(links, directions, agenda, conflicts, row, side, weight)
        elif status == UNPROVED:
            return FALLBACK, a, b
        else:
            make_final(links, directions, agenda)
            control[PHASE] = EXTEND
            if control[MERGES] >= control[LAY_OUT] and has_forgotten(directions):
                return CRAMPED, -1, -1
