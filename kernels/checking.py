"""The check of a cluster against those of other labels: known directions first, solves last."""

from __future__ import annotations

import numpy as np

from geoprobe.kernels.activeset import dot
from geoprobe.kernels.agenda import CLOCK, SOLVES, exempt, is_exempt
from geoprobe.kernels.directions import FLOAT32_SLACK, add_direction, base_of, separated
from geoprobe.kernels.jit import inner, part
from geoprobe.kernels.linkage import is_slot, list_members
from geoprobe.kernels.nearest import DISJOINT, UNPROVED, keep_rows, search, through_means
from geoprobe.kernels.pool import reserve, working_set
from geoprobe.kernels.state import Prices, Question

# Ways to separate a cluster from many others at once: `success_rate` keeps how they have fared.
DISCRIMINANT, GROUP = 0, 1
TRIED, HELPED = 0, 1
# They are tried this often to begin with, and then where one try in so many has helped.
FIRST_TRIES = 8
WORTHWHILE = 3
# Steps that a solve against a whole group may take.
GROUP_STEPS = 64
# Pairs whose smaller cluster has fewer members are solved from scratch.
SMALL = 8


@inner
def list_open(links, directions, agenda, slot, other, slack):
    """List the clusters of label ``other`` that no known direction separates from ``slot``."""
    label = links.label[slot]
    pair = directions.pair[label, other]
    p = base_of(directions, pair, label, other) + directions.place[slot]
    base = base_of(directions, pair, other, label)
    number = 0
    used = min(directions.used[pair], directions.low.shape[1])
    for q in range(links.first[other], links.first[other + 1]):
        if is_slot(links, q) and not separated(
            directions, p, base + directions.place[q], used, slack
        ):
            if not is_exempt(agenda, min(slot, q), max(slot, q)):
                agenda.open_slots[number] = q
                number += 1
    return number


@inner
def size_class(links, slot):
    """Return the binary logarithm of a cluster's size."""
    exponent = 0
    while (links.n_members[slot] >> exponent) > 1:
        exponent += 1
    return exponent


@part
def worth_trying(agenda, method, exponent):
    """Return whether a method has helped clusters of this size often enough to pay."""
    tries = agenda.success_rate[method, TRIED, exponent]
    helped = agenda.success_rate[method, HELPED, exponent]
    return tries < FIRST_TRIES or helped * WORTHWHILE >= tries


@inner
def list_rows_of_open(links, agenda, number):
    """Write the rows of the first ``number`` open clusters into ``rows_b``; return how many."""
    spot = 0
    for m in range(number):
        spot += list_members(links, agenda.open_slots[m], agenda.rows_b[spot:])
    return spot


@inner
def drop_by_discriminant(links, agenda, points, slot, number, slack):
    """Drop from the open clusters those that the cluster's own discriminant separates.

    The direction (Fisher's, from the mean of all points to the cluster's) is found without a
    solve and tells a small cluster from nearly everything else.
    """
    x = points.float64
    n_dims = x.shape[1]
    total, w = agenda.scratch[0], agenda.scratch[1]
    for j in range(n_dims):
        total[j] = 0.0
    row = slot
    while row >= 0:
        for j in range(n_dims):
            total[j] += x[row, j]
        row = links.next_member[row]
    for j in range(n_dims):
        w[j] = dot(agenda.precision[j], total)
    length = np.sqrt(dot(w, w))
    if length == 0.0:
        return number
    for j in range(n_dims):
        w[j] /= length
    low = np.inf
    row = slot
    while row >= 0:
        low = min(low, dot(x[row], w))
        row = links.next_member[row]
    left = 0
    for m in range(number):
        row = agenda.open_slots[m]
        high = -np.inf
        while row >= 0 and high < low - slack:
            high = max(high, dot(x[row], w))
            row = links.next_member[row]
        if high >= low - slack:
            agenda.open_slots[left] = agenda.open_slots[m]
            left += 1
    return left


@inner
def drop_separated(links, directions, agenda, slot, other, number, slack):
    """Drop from the open clusters what the directions added since they were listed separate."""
    label = links.label[slot]
    pair = directions.pair[label, other]
    p = base_of(directions, pair, label, other) + directions.place[slot]
    base = base_of(directions, pair, other, label)
    left = 0
    used = min(directions.used[pair], directions.low.shape[1])
    for m in range(number):
        q = agenda.open_slots[m]
        if separated(directions, p, base + directions.place[q], used, slack):
            continue
        if is_exempt(agenda, min(slot, q), max(slot, q)):
            continue
        agenda.open_slots[left] = q
        left += 1
    return left


@inner
def solve(links, directions, agenda, points, work, sides, question):
    """Solve for two sides, given by their rows; return the status, and keep what separates them."""
    rows_a, rows_b = sides
    keep = agenda.prices
    prices = Prices(
        keep.price[: rows_a.shape[0] + rows_b.shape[0]],
        keep.candidates,
        keep.n_listed,
        keep.float32_first,
        keep.last_look,
        keep.error,
    )
    agenda.control[SOLVES] += 1
    status, _, upper = search(points, rows_a, rows_b, work, prices, question)
    if status == DISJOINT:
        pair = directions.pair[links.label[rows_a[0]], links.label[rows_b[0]]]
        add_direction(directions, links, points, pair, sides, work, prices, upper)
    return status


@inner
def separate_group(links, directions, agenda, points, pool, slot, number, threshold):
    """Try to separate ``slot`` from all open clusters of a label at once; return whether it did."""
    work = working_set(pool, 0)
    work.n_working[0] = 0
    rows_a = agenda.rows_a[: list_members(links, slot, agenda.rows_a)]
    rows_b = agenda.rows_b[: list_rows_of_open(links, agenda, number)]
    through_means(points, rows_a, rows_b, work.scratch.w)
    question = Question(threshold, np.bool_(True), np.int64(GROUP_STEPS))
    sides = rows_a, rows_b
    return solve(links, directions, agenda, points, work, sides, question) == DISJOINT


@inner
def solve_pair(links, directions, agenda, points, pool, a, b, threshold):
    """Solve for one pair of slots ``a < b``; return the status and the working set's number."""
    control = agenda.control
    control[CLOCK] += 1
    number = 0
    if min(links.n_members[a], links.n_members[b]) >= SMALL:
        number = reserve(pool, a, b, control[CLOCK])
    work = working_set(pool, number)
    if number == 0:
        work.n_working[0] = 0
    else:
        keep_rows(work, links.cluster_of, a, b)
    rows_a = agenda.rows_a[: list_members(links, a, agenda.rows_a)]
    rows_b = agenda.rows_b[: list_members(links, b, agenda.rows_b)]
    sides = rows_a, rows_b
    question = Question(threshold, np.bool_(True), 100 * (points.float64.shape[1] + 16))
    while True:
        is_cold = work.n_working[0] == 0
        if is_cold:
            through_means(points, rows_a, rows_b, work.scratch.w)
        status = solve(links, directions, agenda, points, work, sides, question)
        if status != UNPROVED or is_cold:
            break
        work.n_working[0] = 0
    if status == DISJOINT:
        exempt(agenda, a, b)
    return status, number


@inner
def largest_open(links, agenda, number):
    """Return the largest of the open clusters, the first of several."""
    pick = agenda.open_slots[0]
    for m in range(number):
        if links.n_members[agenda.open_slots[m]] > links.n_members[pick]:
            pick = agenda.open_slots[m]
    return pick


@inner
def check_slot(links, directions, agenda, points, pool, slot, threshold):
    """Check one cluster against all others.

    Return DISJOINT, or the status of the first pair that is not disjoint, with its slots
    ``a < b`` and the number of its working set.
    """
    label = links.label[slot]
    slack = threshold + FLOAT32_SLACK
    exponent = size_class(links, slot)
    for other in range(directions.pair.shape[0]):
        if directions.pair[label, other] < 0:
            continue
        number = list_open(links, directions, agenda, slot, other, slack)
        if number > 0 and worth_trying(agenda, DISCRIMINANT, exponent):
            left = drop_by_discriminant(links, agenda, points, slot, number, slack)
            agenda.success_rate[DISCRIMINANT, TRIED, exponent] += 1
            agenda.success_rate[DISCRIMINANT, HELPED, exponent] += 2 * left <= number
            number = left
        if number > 2 and worth_trying(agenda, GROUP, exponent):
            agenda.success_rate[GROUP, TRIED, exponent] += 1
            if separate_group(links, directions, agenda, points, pool, slot, number, threshold):
                agenda.success_rate[GROUP, HELPED, exponent] += 1
                number = 0
        while number > 0:
            q = largest_open(links, agenda, number)
            a = min(slot, q)
            b = max(slot, q)
            status, c = solve_pair(links, directions, agenda, points, pool, a, b, threshold)
            if status != DISJOINT:
                return status, a, b, c
            number = drop_separated(links, directions, agenda, slot, other, number, slack)
    return DISJOINT, -1, -1, -1
