"""Nearest points of the convex hulls of two sets of rows: the active-set loop."""

from __future__ import annotations

import numpy as np

from geoprobe.kernels.activeset import (
    BATCH,
    DEPENDENT,
    append,
    delete,
    difference,
    dot,
    rebuild,
    refine,
    settle,
)
from geoprobe.kernels.jit import inner, kernel, part

DISJOINT, OVERLAP, UNPROVED = 0, 1, 2

# A look at all points is followed by looks at this many of them, for each dimension.
CANDIDATES_PER_DIM = 3
# Relative gap of the two bounds at which a distance is final.
GAP = 1e-10
# Prices of working points may differ by this share of the squared distance: on the way, and
# where the bounds do not meet. The second number is what rounding alone leaves.
DRIFT = 1e-3
FINAL_DRIFT = 1e-7
PRICE_NOISE = 1e-15
# Points that cross by less than this share of the distance are left to exact prices.
ROUGH = 1e-6
# What counts as dependent where the usual limit leaves the bounds apart.
STRICT = 1e-22


@kernel
def rounding(n_dims):
    """Return a bound of the rounding error of a dot product of a unit and a point in the ball."""
    return 2.0 * (n_dims + 8) * 2.220446049250313e-16


@inner
def start(points, rows_a, rows_b, work):
    """Begin with the two points that lie innermost along the line through the two means."""
    n_dims = points.shape[1]
    w = work.spare
    for j in range(n_dims):
        w[j] = 0.0
    share = 1.0 / rows_a.shape[0]
    for i in range(rows_a.shape[0]):
        point = points[rows_a[i]]
        for j in range(n_dims):
            w[j] += share * point[j]
    share = 1.0 / rows_b.shape[0]
    for i in range(rows_b.shape[0]):
        point = points[rows_b[i]]
        for j in range(n_dims):
            w[j] -= share * point[j]
    for side in range(2):
        rows = rows_a if side == 0 else rows_b
        sign = 1.0 if side == 0 else -1.0
        best = np.inf
        for i in range(rows.shape[0]):
            value = sign * dot(points[rows[i]], w[:n_dims])
            if value < best:
                best = value
                work.new_row[side] = rows[i]
        work.new_side[side] = side
    work.state[0] = 0
    append(work, points, np.int64(2))
    work.weight[:2] = 1.0


@part
def price_all(points, rows_a, rows_b, w, price):
    """Write the dot products with ``w``; return the lowest of A and the highest of B."""
    n_a = rows_a.shape[0]
    low = np.inf
    high = -np.inf
    for i in range(n_a):
        value = dot(points[rows_a[i]], w)
        price[i] = value
        low = min(low, value)
    for i in range(rows_b.shape[0]):
        value = dot(points[rows_b[i]], w)
        price[n_a + i] = value
        high = max(high, value)
    return low, high


@part
def price_roughly(rough, rows_a, rows_b, w, short, price):
    """Write the dot products with ``w`` in float32: half the bytes, and good enough to propose."""
    n_a = rows_a.shape[0]
    n_dims = w.shape[0]
    for j in range(n_dims):
        short[j] = w[j]
    low = np.inf
    high = -np.inf
    for i in range(n_a + rows_b.shape[0]):
        row = rough[rows_a[i] if i < n_a else rows_b[i - n_a]]
        total = np.float32(0.0)
        for j in range(n_dims):
            total += row[j] * short[j]
        price[i] = total
        if i < n_a:
            low = min(low, price[i])
        else:
            high = max(high, price[i])
    return low, high


@part
def closest(price, n_a, n, level_a, level_b, wanted, candidates):
    """Collect about ``wanted`` positions of points that come closest to crossing."""
    low = np.inf
    high = -np.inf
    for i in range(n):
        excess = level_a - price[i] if i < n_a else price[i] - level_b
        low = min(low, excess)
        high = max(high, excess)
    for _ in range(40):
        cut = 0.5 * (low + high)
        above = 0
        for i in range(n):
            excess = level_a - price[i] if i < n_a else price[i] - level_b
            above += excess >= cut
        if above < wanted:
            high = cut
        elif above > candidates.shape[0]:
            low = cut
        else:
            break
    count = 0
    for i in range(n):
        excess = level_a - price[i] if i < n_a else price[i] - level_b
        if excess >= cut and count < candidates.shape[0]:
            candidates[count] = i
            count += 1
    return count


@inner
def add_worst(
    points, rows_a, rows_b, work, price, candidates, count, level_a, level_b, floor, batch
):
    """Append up to ``batch`` points that cross the levels of the working set the most.

    ``count`` positions of ``candidates`` are looked at, all positions when it is negative.
    """
    n_a = rows_a.shape[0]
    number = count if count >= 0 else n_a + rows_b.shape[0]
    picked = np.int64(0)
    size = work.state[0]
    for _ in range(batch):
        worst = floor
        pick = -1
        for c in range(number):
            i = candidates[c] if count >= 0 else c
            excess = level_a - price[i] if i < n_a else price[i] - level_b
            if excess > worst:
                worst = excess
                pick = i
        if pick < 0:
            break
        price[pick] = level_a if pick < n_a else level_b
        row = rows_a[pick] if pick < n_a else rows_b[pick - n_a]
        side = 0 if pick < n_a else 1
        known = False
        for m in range(size):
            if work.row[m] == row and work.side[m] == side:
                known = True
                break
        if known:
            continue
        work.new_row[picked] = row
        work.new_side[picked] = side
        picked += 1
    return append(work, points, picked)


@part
def drift(work, w):
    """Return how far the prices of working points differ from the levels of their sides.

    At the minimiser they are equal; what differs is the rounding error of many updates.
    """
    error = 0.0
    reach = work.reach
    for i in range(work.state[0]):
        value = dot(work.signed[work.slot[i]], w)
        if work.side[i] == 0:
            error = max(error, abs(value - reach[0]))
        else:
            error = max(error, abs(value + reach[1]))
    return error


@inner
def search(points, rough, rows_a, rows_b, work, w, price, candidates, threshold, decide, max_steps):
    """Run the loop of :func:`nearest` in the room it has made for the prices."""
    n_dims = points.shape[1]
    n_a = rows_a.shape[0]
    n = price.shape[0]
    number = candidates.shape[0] // 2
    count = -1
    slack = rounding(n_dims)
    batch = 1 + min(BATCH - 1, n_dims // 32)
    if work.state[0] == 0:
        start(points, rows_a, rows_b, work)
    steps = 0
    best = np.inf
    idle = 0
    renewals = 0
    renewed = -1000
    renew = False
    final = False
    roughly = True
    rounds = 0
    reach = work.reach
    work.dependent[0] = DEPENDENT
    while True:
        if renew:
            rebuild(work, points)
            renewals += 1
            renewed = steps
            renew = False
        steps += settle(work)
        upper = difference(work, w)
        if upper + slack <= threshold:
            return OVERLAP, 0.0, upper + slack, steps
        rounds += 1
        allowed = (FINAL_DRIFT if final else DRIFT) * upper * upper
        if final or rounds % 8 == 0:
            error = np.inf
            for _ in range(3):
                error = drift(work, w)
                if error <= allowed + PRICE_NOISE or not refine(work, w):
                    break
                upper = difference(work, w)
            if upper + slack <= threshold:
                return OVERLAP, 0.0, upper + slack, steps
            if error > allowed + PRICE_NOISE and steps > renewed + 20 and renewals < 100:
                renew = True
                continue
        if upper < best * (1.0 - 1e-9):
            best = upper
            idle = 0
        else:
            idle += 1
        ending = idle > 20 or steps > max_steps
        if ending:
            roughly = False
            count = -1
        # On the way, what a drifted factor may feign is no reason to append a point.
        floor = upper * max(0.1 * GAP * upper, 0.1 * slack)
        if not final:
            floor = max(floor, 2.0 * allowed)
        added = 0
        lower = -np.inf
        while True:
            everything = count < 0
            exact = not roughly
            if not everything:
                for c in range(count):
                    i = candidates[c]
                    row = rows_a[i] if i < n_a else rows_b[i - n_a]
                    price[i] = dot(points[row], w)
            elif roughly:
                low, high = price_roughly(rough, rows_a, rows_b, w, work.short, price)
                exact = decide and low - high > threshold * upper
            if everything and exact:
                low, high = price_all(points, rows_a, rows_b, w, price)
                lower = (low - high) / upper - slack
                if lower > threshold and (decide or upper - lower <= GAP * upper + 2.0 * slack):
                    return DISJOINT, lower, upper + slack, steps
                if ending:
                    break
            if everything and n > 2 * number:
                count = closest(price, n_a, n, reach[0], reach[1], number, candidates)
            added = add_worst(
                points,
                rows_a,
                rows_b,
                work,
                price,
                candidates,
                count,
                reach[0],
                reach[1],
                floor if exact else max(floor, ROUGH * upper),
                batch,
            )
            steps += added
            if added > 0 or (everything and exact):
                break
            if everything:
                roughly = False
            count = -1
        if added == 0:
            if not final and steps <= max_steps:
                final = True
                idle = 0
            elif work.dependent[0] > STRICT and steps <= max_steps:
                work.dependent[0] = STRICT
                idle = 0
                renew = True
            else:
                return UNPROVED if lower <= threshold else DISJOINT, lower, upper + slack, steps


@kernel
def nearest(points, rough, rows_a, rows_b, work, w, threshold, decide, max_steps):
    """Find the nearest points of two hulls, or decide whether the hulls overlap.

    ``rough`` is a float32 copy of ``points`` that proposes which points to append; every answer
    rests on float64. ``work`` is warm when its size is not 0: its rows must be among the given
    ones. With ``decide`` the loop ends as soon as either answer is proved.

    Return the status, the lower and the upper bound of the distance, and the number of points
    appended and dropped; ``work`` holds the weights and ``w`` the vector between the nearest
    points.
    """
    price = np.empty(rows_a.shape[0] + rows_b.shape[0])
    candidates = np.empty(2 * (64 + CANDIDATES_PER_DIM * points.shape[1]), np.int64)
    return search(
        points, rough, rows_a, rows_b, work, w, price, candidates, threshold, decide, max_steps
    )


@inner
def keep_rows(work, cluster_of, slot_a, slot_b):
    """Delete from a warm working set what is no longer in its clusters; empty it if a side is."""
    count_a = count_b = 0
    lost = 0
    for i in range(work.state[0]):
        home = slot_a if work.side[i] == 0 else slot_b
        if cluster_of[work.row[i]] != home:
            lost += 1
        elif work.side[i] == 0:
            count_a += 1
        else:
            count_b += 1
    if count_a == 0 or count_b == 0 or lost > 16:
        work.state[0] = 0
        return
    if lost == 0:
        return
    for i in range(work.state[0] - 1, -1, -1):
        home = slot_a if work.side[i] == 0 else slot_b
        if cluster_of[work.row[i]] != home:
            delete(work, i)
    total_a = total_b = 0.0
    for i in range(work.state[0]):
        if work.side[i] == 0:
            total_a += work.weight[i]
        else:
            total_b += work.weight[i]
    if total_a <= 0.0 or total_b <= 0.0:
        work.state[0] = 0
        return
    for i in range(work.state[0]):
        work.weight[i] /= total_a if work.side[i] == 0 else total_b
