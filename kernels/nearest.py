"""Nearest points of the convex hulls of two sets of rows: the active-set loop."""

from __future__ import annotations

import numpy as np

from geoprobe.kernels.activeset import BATCH, DEPENDENT, append, delete, dot, dot4
from geoprobe.kernels.jit import allocating, inner, kernel, part
from geoprobe.kernels.minimiser import difference, minor_cycle, rebuild, refine
from geoprobe.kernels.state import Prices

# The statuses of an answer.
DISJOINT, OVERLAP, UNPROVED = 0, 1, 2
# Not yet a status: the search goes on.
SEARCHING = 3
# Entry of `n_listed` where all points have to be looked at.
ALL = -1

# A look at all points is followed by looks at this many of them, for each dimension.
CANDIDATES_PER_DIM = 3
# A step appends one point, and one more for so many dimensions.
DIMS_PER_POINT = 32
# Relative gap of the two bounds at which a distance is final.
GAP = 1e-10
# Prices of working points may differ by this share of the squared distance: on the way, and
# where the bounds do not meet. The second number is what rounding alone leaves.
DRIFT = 1e-3
FINAL_DRIFT = 1e-7
PRICE_NOISE = 1e-15
# Points that cross by less than this share of the distance are left to prices in float64.
FLOAT32_CROSSING = 1e-6
# What counts as dependent where the usual limit leaves the bounds apart.
STRICT = 1e-22
# The upper bound has fallen when it has by this share; the search ends when it has not fallen for
# this many rounds.
FALLEN = 1e-9
MOST_IDLE = 20
# Rounds between two looks at how far the prices of working points have drifted apart.
DRIFT_ROUNDS = 8
# The factor is built anew at most this often, and after more than this many steps.
MOST_RENEWALS = 100
RENEWAL_STEPS = 20
# Stands for the step of the last renewal before there is one.
NEVER = -1000


@kernel
def rounding(n_dims):
    """Return a bound of the rounding error of a dot product of a unit and a point in the ball."""
    return 2.0 * (n_dims + 8) * 2.220446049250313e-16


@inner
def rounding32(n_dims):
    """Return the same bound where everything is rounded to float32, the ``w`` of the product, too.

    Both factors are off by one rounding, and the sum by one for each of its terms, in whatever
    order it is formed; a hundredth more covers the terms of second order.
    """
    return 1.01 * (n_dims + 3) * 5.9604644775390625e-8


@inner
def add_rows(x, rows, total):
    """Add some rows to ``total``, four at a time: it is read and written less often."""
    n = rows.shape[0]
    for i in range(0, n - 3, 4):
        row_a, row_b, row_c, row_d = x[rows[i]], x[rows[i + 1]], x[rows[i + 2]], x[rows[i + 3]]
        for j in range(total.shape[0]):
            total[j] += (row_a[j] + row_b[j]) + (row_c[j] + row_d[j])
    for i in range(n - n % 4, n):
        row = x[rows[i]]
        for j in range(total.shape[0]):
            total[j] += row[j]


@inner
def through_means(points, rows_a, rows_b, w):
    """Write into ``w`` the vector between the means of the two sets of points."""
    n_a = rows_a.shape[0]
    for j in range(w.shape[0]):
        w[j] = 0.0
    add_rows(points.float32, rows_b, w)
    share = -n_a / rows_b.shape[0]
    for j in range(w.shape[0]):
        w[j] *= share
    add_rows(points.float32, rows_a, w)
    for j in range(w.shape[0]):
        w[j] /= n_a


@inner
def start(points, rows_a, rows_b, work, price):
    """Begin with the two points that lie innermost along ``w``."""
    scratch = work.scratch
    n_a = rows_a.shape[0]
    for j in range(scratch.w.shape[0]):
        scratch.w32[j] = scratch.w[j]
    price_all(points.float32, rows_a, rows_b, scratch.w32, price)
    scratch.new_row[0] = rows_a[np.argmin(price[:n_a])]
    scratch.new_row[1] = rows_b[np.argmax(price[n_a:])]
    scratch.new_side[0] = 0
    scratch.new_side[1] = 1
    work.n_working[0] = 0
    append(work, points, np.int64(2))
    work.weight[:2] = 1.0


@inner
def price_rows(x, rows, w, price):
    """Write the dot products of some rows with ``w``, in the precision of both."""
    n = rows.shape[0]
    for i in range(0, n - 3, 4):
        sums = dot4(x[rows[i]], x[rows[i + 1]], x[rows[i + 2]], x[rows[i + 3]], w)
        price[i], price[i + 1], price[i + 2], price[i + 3] = sums
    for i in range(n - n % 4, n):
        price[i] = dot(x[rows[i]], w)


@inner
def price_all(x, rows_a, rows_b, w, price):
    """Write the dot products with ``w``; return the lowest of A and the highest of B."""
    n_a = rows_a.shape[0]
    price_rows(x, rows_a, w, price[:n_a])
    price_rows(x, rows_b, w, price[n_a:])
    low = np.inf
    high = -np.inf
    for i in range(n_a):
        low = min(low, price[i])
    for i in range(n_a, price.shape[0]):
        high = max(high, price[i])
    return low, high


@inner
def price_nearest(x, rows_a, rows_b, w, price, levels, unsure):
    """Write anew the dot products with ``w`` that may lie beyond the level of their side.

    Those that are there may be wrong by ``unsure``. Return bounds of the lowest of A and the
    highest of B: what is not looked at lies behind its level by more than ``unsure``, and working
    points lie on it, so that it is one of those looked at that decides.
    """
    n_a = rows_a.shape[0]
    low = levels[0] + unsure
    high = levels[1] - unsure
    for i in range(n_a):
        if price[i] <= levels[0] + 2.0 * unsure:
            price[i] = dot(x[rows_a[i]], w)
            low = min(low, price[i])
    for i in range(n_a, price.shape[0]):
        if price[i] >= levels[1] - 2.0 * unsure:
            price[i] = dot(x[rows_b[i - n_a]], w)
            high = max(high, price[i])
    return low, high


@inner
def price_candidates(x, rows_a, rows_b, w, prices):
    """Write the dot products of the listed candidates with ``w``."""
    n_a = rows_a.shape[0]
    price, candidates = prices.price, prices.candidates
    for c in range(prices.n_listed[0]):
        i = candidates[c]
        row = rows_a[i] if i < n_a else rows_b[i - n_a]
        price[i] = dot(x[row], w)


@inner
def excess(price, i, n_a, levels):
    """Return by how much point ``i`` crosses the level of its side."""
    return levels[0] - price[i] if i < n_a else price[i] - levels[1]


@inner
def list_candidates(prices, n_a, levels):
    """List about half as many positions as there is room for: those that come closest to crossing.

    How many are listed follows from a cut of the excess over the levels, found by bisection.
    """
    price, candidates = prices.price, prices.candidates
    n = price.shape[0]
    room = candidates.shape[0]
    low = np.inf
    high = -np.inf
    for i in range(n):
        crosses = excess(price, i, n_a, levels)
        low = min(low, crosses)
        high = max(high, crosses)
    for _ in range(40):
        cut = 0.5 * (low + high)
        above = 0
        for i in range(n):
            above += excess(price, i, n_a, levels) >= cut
        if above < room // 2:
            high = cut
        elif above > room:
            low = cut
        else:
            break
    count = 0
    for i in range(n):
        if excess(price, i, n_a, levels) >= cut and count < room:
            candidates[count] = i
            count += 1
    prices.n_listed[0] = count


@inner
def list_worst(prices, n_a, levels, floor, worst):
    """List the positions that cross the most, by more than ``floor``; return how many there are.

    The worst comes first, and of equals the first.
    """
    price, candidates = prices.price, prices.candidates
    count = prices.n_listed[0]
    number = count if count >= 0 else price.shape[0]
    kept = np.int64(0)
    for c in range(number):
        i = candidates[c] if count >= 0 else c
        crosses = excess(price, i, n_a, levels)
        if crosses <= floor:
            continue
        m = min(kept, worst.shape[0] - 1)
        while m > 0 and crosses > excess(price, worst[m - 1], n_a, levels):
            worst[m] = worst[m - 1]
            m -= 1
        worst[m] = i
        kept = min(kept + 1, worst.shape[0])
        if kept == worst.shape[0]:
            floor = excess(price, worst[kept - 1], n_a, levels)
    return kept


@inner
def add_worst(points, rows_a, rows_b, work, prices, floor):
    """Append the points that cross the levels of the working set the most, by ``floor`` at least.

    Only the listed candidates are looked at where some are listed. Return how many points were
    appended.
    """
    scratch, levels = work.scratch, work.scratch.support_levels
    n_a = rows_a.shape[0]
    wanted = 1 + min(BATCH - 1, scratch.w.shape[0] // DIMS_PER_POINT)
    worst = scratch.batch_position[:wanted]
    picked = np.int64(0)
    for m in range(list_worst(prices, n_a, levels, floor, worst)):
        i = worst[m]
        side = 0 if i < n_a else 1
        row = rows_a[i] if i < n_a else rows_b[i - n_a]
        # Where it cannot be appended, float64 shall look at it again.
        prices.price[i] = levels[side]
        if is_working(work, row, side):
            continue
        scratch.new_row[picked] = row
        scratch.new_side[picked] = side
        picked += 1
    return append(work, points, picked)


@inner
def is_working(work, row, side):
    """Return whether a point is in the working set."""
    for m in range(work.n_working[0]):
        if work.row[m] == row and work.side[m] == side:
            return True
    return False


@inner
def drift(work):
    """Return how far the prices of working points differ from the levels of their sides.

    At the minimiser they are equal; what differs is the rounding error of many updates.
    """
    error = 0.0
    w, levels = work.scratch.w, work.scratch.support_levels
    for i in range(work.n_working[0]):
        value = dot(work.signed[work.slot[i]], w)
        if work.side[i] == 0:
            error = max(error, abs(value - levels[0]))
        else:
            error = max(error, abs(value + levels[1]))
    return error


@inner
def correct_drift(work, upper, allowed):
    """Refine the weights while they have drifted too far; return the length of ``w`` and the drift.

    The length is ``upper`` where nothing had to be refined.
    """
    error = np.inf
    for _ in range(3):
        error = drift(work)
        if error <= allowed or not refine(work):
            break
        upper = difference(work)
    return upper, error


@inner
def add_crossing(points, rows_a, rows_b, work, prices, question, upper, floor):
    """Look for points that cross the hyperplane through the nearest points, and append the worst.

    Listed candidates are looked at first, then all points in float32, then those that may cross in
    float64: the next only where the one before found none to append. Candidates are looked at in
    float32 for as long as all points are. Return DISJOINT where that is proved well enough to end,
    else SEARCHING, with the number of points appended and the lower bound, which is minus infinity
    unless float64 was asked about all points, or float32 proved enough.
    """
    scratch, listed, float32_first = work.scratch, prices.n_listed, prices.float32_first
    slack = rounding(scratch.w.shape[0])
    slack32 = rounding32(scratch.w.shape[0])
    threshold = question.threshold
    n_a = rows_a.shape[0]
    lower = -np.inf
    for j in range(scratch.w.shape[0]):
        scratch.w32[j] = scratch.w[j]
    priced = False
    while True:
        all_points = listed[0] == ALL
        exact = not float32_first[0]
        if not all_points and exact:
            price_candidates(points.float64, rows_a, rows_b, scratch.w, prices)
        elif not all_points:
            price_candidates(points.float32, rows_a, rows_b, scratch.w32, prices)
        elif not priced:
            low, high = price_all(points.float32, rows_a, rows_b, scratch.w32, prices.price)
            priced = True
            if question.decide and (low - high) / upper - 2.0 * slack32 > threshold:
                prices.error[0] = slack32
                return DISJOINT, 0, (low - high) / upper - 2.0 * slack32
            exact = exact or (question.decide and low - high > threshold * upper)
        if all_points and exact:
            low, high = price_nearest(
                points.float64,
                rows_a,
                rows_b,
                scratch.w,
                prices.price,
                scratch.support_levels,
                slack32 * upper,
            )
            lower = (low - high) / upper - slack
            if lower > threshold and (
                question.decide or upper - lower <= GAP * upper + 2.0 * slack
            ):
                prices.error[0] = slack
                return DISJOINT, 0, lower
            if prices.last_look[0]:
                return SEARCHING, 0, lower
        if all_points and prices.price.shape[0] > prices.candidates.shape[0]:
            list_candidates(prices, n_a, scratch.support_levels)
        least = floor if exact else max(floor, FLOAT32_CROSSING * upper)
        added = add_worst(points, rows_a, rows_b, work, prices, least)
        if added > 0 or (all_points and exact):
            return SEARCHING, added, lower
        if all_points:
            float32_first[0] = False
        listed[0] = ALL


@inner
def begin(points, rows_a, rows_b, work, prices):
    """Forget earlier prices, and give an empty working set its first points."""
    prices.n_listed[0] = ALL
    prices.float32_first[0] = True
    work.scratch.dependent[0] = DEPENDENT
    if work.n_working[0] == 0:
        start(points, rows_a, rows_b, work, prices.price)


@part
def least_crossing(upper, slack, allowed, final):
    """Return how far a point has to cross for being worth appending."""
    floor = upper * max(0.1 * GAP * upper, 0.1 * slack)
    if not final:
        # On the way, what a drifted factor may feign is no reason to append a point.
        floor = max(floor, 2.0 * allowed)
    return floor


@inner
def search(points, rows_a, rows_b, work, prices, question):
    """Do as :func:`nearest`, in room made for the prices; an empty working set begins along ``w``.

    Where the answer is DISJOINT on a question to ``decide``, ``prices`` holds the prices of all
    points and their error.

    A round moves to the nearest points of the working set and appends the points that cross.
    Where none does, the rounds that follow allow less drift, then points that are less
    independent of the others, before the search gives up.
    """
    threshold, max_steps = question.threshold, question.max_steps
    slack = rounding(work.scratch.w.shape[0])
    begin(points, rows_a, rows_b, work, prices)
    steps = rounds = idle = renewals = 0
    renewed = NEVER
    best = np.inf
    renew = final = False
    while True:
        if renew:
            rebuild(work, points)
            renewals += 1
            renewed = steps
            renew = False
        steps += minor_cycle(work)
        upper = difference(work)
        if upper + slack <= threshold:
            return OVERLAP, 0.0, upper + slack
        rounds += 1
        allowed = (FINAL_DRIFT if final else DRIFT) * upper * upper
        if final or rounds % DRIFT_ROUNDS == 0:
            upper, error = correct_drift(work, upper, allowed + PRICE_NOISE)
            if upper + slack <= threshold:
                return OVERLAP, 0.0, upper + slack
            may_renew = steps > renewed + RENEWAL_STEPS and renewals < MOST_RENEWALS
            if error > allowed + PRICE_NOISE and may_renew:
                renew = True
                continue
        idle += 1
        if upper < best * (1.0 - FALLEN):
            best = upper
            idle = 0
        prices.last_look[0] = idle > MOST_IDLE or steps > max_steps
        if prices.last_look[0]:
            prices.n_listed[0] = ALL
            prices.float32_first[0] = False
        floor = least_crossing(upper, slack, allowed, final)
        status, added, lower = add_crossing(
            points, rows_a, rows_b, work, prices, question, upper, floor
        )
        if status == DISJOINT:
            return DISJOINT, lower, upper + slack
        steps += added
        if added > 0:
            continue
        idle = 0
        if steps <= max_steps and not final:
            final = True
        elif steps <= max_steps and work.scratch.dependent[0] > STRICT:
            work.scratch.dependent[0] = STRICT
            renew = True
        elif lower <= threshold:
            return UNPROVED, lower, upper + slack
        else:
            price_all(points.float64, rows_a, rows_b, work.scratch.w, prices.price)
            prices.error[0] = slack
            return DISJOINT, lower, upper + slack


@kernel
def most_candidates(n_dims):
    """Return how many candidates may be listed."""
    return 2 * (64 + CANDIDATES_PER_DIM * n_dims)


@allocating
def nearest(points, rows_a, rows_b, work, question):
    """Find the nearest points of two hulls, or decide whether the hulls overlap.

    ``work`` is warm when it holds points: their rows must be among the given ones.

    Return the status, and the lower and the upper bound of the distance. ``work`` holds the
    weights, and its ``scratch.w`` the vector between the nearest points.
    """
    prices = Prices(
        np.empty(rows_a.shape[0] + rows_b.shape[0]),
        np.empty(most_candidates(work.scratch.w.shape[0]), np.int64),
        np.empty(1, np.int64),
        np.empty(1, np.bool_),
        np.empty(1, np.bool_),
        np.empty(1),
    )
    if work.n_working[0] == 0:
        through_means(points, rows_a, rows_b, work.scratch.w)
    return search(points, rows_a, rows_b, work, prices, question)


@inner
def keep_rows(work, cluster_of, slot_a, slot_b):
    """Delete from a warm working set what is no longer in its clusters; empty it if a side is."""
    count_a = count_b = 0
    lost = 0
    for i in range(work.n_working[0]):
        home = slot_a if work.side[i] == 0 else slot_b
        if cluster_of[work.row[i]] != home:
            lost += 1
        elif work.side[i] == 0:
            count_a += 1
        else:
            count_b += 1
    if count_a == 0 or count_b == 0 or lost > 16:
        work.n_working[0] = 0
        return
    if lost == 0:
        return
    for i in range(work.n_working[0] - 1, -1, -1):
        home = slot_a if work.side[i] == 0 else slot_b
        if cluster_of[work.row[i]] != home:
            delete(work, i)
    total_a = total_b = 0.0
    for i in range(work.n_working[0]):
        if work.side[i] == 0:
            total_a += work.weight[i]
        else:
            total_b += work.weight[i]
    if total_a <= 0.0 or total_b <= 0.0:
        work.n_working[0] = 0
        return
    for i in range(work.n_working[0]):
        work.weight[i] /= total_a if work.side[i] == 0 else total_b
