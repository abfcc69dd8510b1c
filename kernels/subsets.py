"""Nearest points of subsets of two hulls, found among the products of all their points.

The nearest points of two hulls are those of any subset that holds the points that carry them. Of
another subset the search begins with those that are left. It needs nothing but products, which all
subsets share: the factor of :mod:`geoprobe.kernels.activeset` is that of a part of their table, and
so are prices. What the rounding of products leaves open is proved from the points, and what that
leaves open is left to a solve from scratch.
"""

from __future__ import annotations

import numpy as np

from geoprobe.kernels.activeset import BATCH, delete, dot, solve_lower, solve_lower4
from geoprobe.kernels.jit import inner, kernel
from geoprobe.kernels.minimiser import affine_minimiser, minor_cycle, normalise
from geoprobe.kernels.nearest import DISJOINT, GAP, UNPROVED, is_working, rounding

UNIT = 2.0**-53
# A new diagonal entry below this share of its length has too few digits left.
REFUSED = 1e-10
# Crossings below this many units in the last place of a product are noise.
NOISE = 8.0
# Prices that are looked at together.
CHUNK = 16
# What is added to the price of a member that the subset lacks: prices are small.
FAR = 1e9
# Rounds after which a search gives up.
MOST_ROUNDS = 1000
# The first of them, in which all points of negative weight are dropped at once.
BOLD_ROUNDS = 16
# Weight that a point begins with which carried none.
LEAST_WEIGHT = 1e-3


@inner
def price_error(n_dims, k):
    """Bound the error of a price formed among products with ``k`` working points.

    Points lie in the unit ball. A product is a sum of ``n_dims`` terms, in whatever order, and its
    one of two roundings more; a price is a sum of ``k`` products, none above 2, with weights of
    sum 2. The sum of the weights of a side, which a price holds as well, is off 1 by the rounding
    of ``k`` terms. A hundredth covers what is of second order.
    """
    return 1.01 * UNIT * (2.0 * n_dims + 6.0 * k + 16.0)


@inner
def enter(work, place, side, length, column):
    """Append a member whose new row of L, all but the diagonal, is given; return whether it was.

    It is refused where it is nearly dependent on the working points.
    """
    k = work.n_working[0]
    rhs = work.rhs
    rest = length - dot(column[:k], column[:k])
    if rest <= REFUSED * length:
        return False
    pivot = np.sqrt(rest)
    row = work.factor[work.slot[k]]
    for i in range(k):
        row[i] = column[i]
    row[k] = pivot
    top_a = 1.0 if side == 0 else 0.0
    rhs[0, k] = (top_a - dot(column[:k], rhs[0, :k])) / pivot
    rhs[1, k] = (1.0 - top_a - dot(column[:k], rhs[1, :k])) / pivot
    work.row[k] = place
    work.side[k] = side
    work.weight[k] = 0.0
    work.n_working[0] = k + 1
    return True


@inner
def append(pair, work, wanted):
    """Append the ``wanted`` members in ``new_row`` with weight 0; return how many entered."""
    begin = work.n_working[0]
    products, position = work.scratch.products, work.scratch.batch_position
    places = work.scratch.new_row
    number = min(wanted, work.row.shape[0] - 1 - begin)
    for m in range(number):
        row, column = pair.table[places[m]], products[m]
        for i in range(begin):
            column[i] = row[work.row[i]]
        for i in range(m):
            column[begin + i] = row[places[i]]
    if number == 1:
        solve_lower(work, np.int64(0), begin, products[0])
    else:
        for m in range(0, number, 4):
            four = products[m], products[m + 1], products[m + 2], products[m + 3]
            solve_lower4(work, begin, four)
    for m in range(number):
        k = work.n_working[0]
        column = products[m]
        for i in range(begin, k):
            # Those before it in the batch that were refused have left no gap.
            column[i] = column[position[i - begin]]
        solve_lower(work, begin, k, column)
        place = places[m]
        if enter(work, place, pair.side[place], pair.table[place, place], column):
            position[k - begin] = begin + m
    return work.n_working[0] - begin


@inner
def price_members(pair, search):
    """Write the prices of all members: products with ``w``, signed, plus 1; those absent are far.

    Return the levels of the two sides, the means of the prices of their working points.
    """
    work, price, far = search.working, search.price, search.far
    table, weight = pair.table, work.weight
    k = work.n_working[0]
    n = price.shape[0]
    for i in range(n):
        price[i] = far[i]
    for s in range(0, k - 3, 4):
        a, b = table[work.row[s]], table[work.row[s + 1]]
        c, d = table[work.row[s + 2]], table[work.row[s + 3]]
        share_a, share_b, share_c, share_d = weight[s], weight[s + 1], weight[s + 2], weight[s + 3]
        for i in range(n):
            price[i] += share_a * a[i] + share_b * b[i] + share_c * c[i] + share_d * d[i]
    for s in range(k - k % 4, k):
        row, share = table[work.row[s]], weight[s]
        for i in range(n):
            price[i] += share * row[i]
    level_a = level_b = 0.0
    for s in range(k):
        if work.side[s] == 0:
            level_a += weight[s] * price[work.row[s]]
        else:
            level_b += weight[s] * price[work.row[s]]
    return level_a, level_b


@inner
def any_below(price, limit):
    """Return whether a price is below a limit."""
    below = np.int32(0)
    for i in range(price.shape[0]):
        below |= np.int32(price[i] < limit)
    return below != 0


@inner
def list_worst(work, price, side, limit, found):
    """Merge into ``new_row`` the members of a side with the lowest prices, the worst first.

    ``side`` is its number, and the places where it begins and ends. ``products[0]`` holds how far
    they are below the limit. ``found`` of them are listed already; return how many there are then.
    """
    number, begin, end = side
    worst, crossing = work.scratch.new_row, work.scratch.products[0]
    for stretch in range(begin, end, CHUNK):
        last = min(stretch + CHUNK, end)
        if not any_below(price[stretch:last], limit):
            continue
        for i in range(stretch, last):
            crosses = limit - price[i]
            if crosses <= (crossing[found - 1] if found == BATCH else 0.0):
                continue
            if is_working(work, i, number):
                continue
            m = min(found, BATCH - 1)
            while m > 0 and crosses > crossing[m - 1]:
                worst[m] = worst[m - 1]
                crossing[m] = crossing[m - 1]
                m -= 1
            worst[m] = i
            crossing[m] = crosses
            found = min(found + 1, BATCH)
    return found


@inner
def list_first(pair, present, first):
    """List the points that the search begins with; return their number and how many are lost.

    They are those of the support that are left. Of a side of which none is left, it is the member
    that came closest to crossing.
    """
    number = lost = np.int64(0)
    for side in range(2):
        before = number
        for m in range(pair.support_start[side], pair.support_start[side + 1]):
            if present[pair.support[m]]:
                first[number] = pair.support[m]
                number += 1
            else:
                lost += 1
        if number == before:
            lowest = np.inf
            for i in range(pair.start[side], pair.start[side + 1]):
                if present[i] and pair.price[i] < lowest:
                    lowest = pair.price[i]
                    first[number] = i
            number += lowest < np.inf
    return number, lost


@inner
def begin(pair, search, number):
    """Begin with the first ``number`` listed points; return whether both sides have weight."""
    work, first = search.working, search.first
    work.n_working[0] = 0
    for m in range(0, number, BATCH):
        wanted = min(number - m, np.int64(BATCH))
        for i in range(wanted):
            work.scratch.new_row[i] = first[m + i]
        append(pair, work, wanted)
    total_a = total_b = 0.0
    for s in range(work.n_working[0]):
        # A point that carried nothing is alone on its side, and gets all of its weight.
        weight = max(pair.weight[work.row[s]], LEAST_WEIGHT)
        work.weight[s] = weight
        if work.side[s] == 0:
            total_a += weight
        else:
            total_b += weight
    if total_a == 0.0 or total_b == 0.0:
        return False
    normalise(work)
    return True


@inner
def drop_negative(work):
    """Move to the nearest points of the affine hulls of what is left when no weight is negative.

    All points of negative weight go at once: sooner done than one by one, but the distance may
    grow. The weights of a side have the sum 1, so that one at least is left.
    """
    weight, trial = work.weight, work.scratch.trial
    while True:
        affine_minimiser(work)
        before = work.n_working[0]
        for i in range(before - 1, -1, -1):
            if trial[i] <= 0.0:
                delete(work, i)
        if work.n_working[0] == before:
            break
    for i in range(before):
        weight[i] = trial[i]
    normalise(work)


@inner
def descend(pair, search):
    """Go to the nearest points of the subset; return whether products led there, and the levels."""
    work, price = search.working, search.price
    side_a = np.int64(0), pair.start[0], pair.start[1]
    side_b = np.int64(1), pair.start[1], pair.start[2]
    level_a = level_b = 0.0
    for number in range(MOST_ROUNDS):
        if number < BOLD_ROUNDS:
            drop_negative(work)
        else:
            minor_cycle(work)
        level_a, level_b = price_members(pair, search)
        square = level_a + level_b - 2.0
        floor = max(0.1 * GAP * square, NOISE * UNIT)
        found = list_worst(work, price, side_a, level_a - floor, np.int64(0))
        found = list_worst(work, price, side_b, level_b - floor, found)
        if found == 0:
            return True, level_a, level_b
        if append(pair, work, found) == 0:
            break
    return False, level_a, level_b


@inner
def lowest_price(price):
    """Return the lowest of some prices."""
    low = np.inf
    for value in price:
        low = min(low, value)
    return low


@inner
def bounds_of_products(pair, search, level_a, level_b):
    """Return the bounds of the distance that products prove, their rounding taken into account."""
    work = search.working
    n_dims, k = work.scratch.w.shape[0], work.n_working[0]
    error = price_error(n_dims, k)
    sum_error = UNIT * (4.0 * k + 8.0)
    length = np.sqrt(max(level_a + level_b - 2.0, 0.0) + 2.0 * error + sum_error)
    low_a = lowest_price(search.price[pair.start[0] : pair.start[1]])
    low_b = lowest_price(search.price[pair.start[1] : pair.start[2]])
    lower = (low_a + low_b - 2.0 - 2.0 * error - sum_error) / length
    return lower, length + sum_error


@inner
def bounds_of_points(pair, points, present, search, levels, crossed):
    """Return the bounds of the distance that the points prove.

    Exact prices are formed where those among products may be the lowest, and of the points that
    have no products; those that cross the level of their side are counted in ``crossed``.
    """
    work, w = search.working, search.working.scratch.w
    n_dims = w.shape[0]
    unsure = price_error(n_dims, work.n_working[0])
    for j in range(n_dims):
        w[j] = 0.0
    for s in range(work.n_working[0]):
        share = work.weight[s] if work.side[s] == 0 else -work.weight[s]
        point = points[pair.row[work.row[s]]]
        for j in range(n_dims):
            w[j] += share * point[j]
    length = np.sqrt(dot(w, w))
    gap = 0.0
    for side in range(2):
        sign = 1.0 if side == 0 else -1.0
        level = levels[side]
        # What is not looked at lies behind this by more than its price can be wrong.
        low = level - 1.0 + unsure
        for i in range(pair.start[side], pair.start[side + 1]):
            if search.price[i] <= level + 2.0 * unsure:
                low = min(low, sign * dot(points[pair.row[i]], w))
        for i in range(pair.rest[side], pair.rest[side + 1]):
            if present[i]:
                exact = sign * dot(points[pair.row[i]], w)
                crossed[i] += exact < level - 1.0 - unsure
                low = min(low, exact)
        gap += low
    slack = rounding(n_dims)
    return gap / length - slack, length + slack


@inner
def meet(lower, upper, n_dims):
    """Return whether two bounds are as close as those of a solve from scratch; NaN are not."""
    return upper - lower <= GAP * upper + 2.0 * rounding(n_dims)


@inner
def solve_subset(pair, points, present, search, threshold, crossed):
    """Solve one subset; return the status, and the lower and the upper bound of the distance.

    The status is UNPROVED where products do not lead to bounds that meet.
    """
    number, lost = list_first(pair, present, search.first)
    if lost == 0:
        return DISJOINT, pair.lower, pair.upper
    if not begin(pair, search, number):
        return UNPROVED, 0.0, 0.0
    for i in range(search.far.shape[0]):
        search.far[i] = 0.0 if present[i] else FAR
    found, level_a, level_b = descend(pair, search)
    if not found:
        return UNPROVED, 0.0, 0.0
    lower, upper = bounds_of_products(pair, search, level_a, level_b)
    if pair.rest[0] < pair.rest[2] or not meet(lower, upper, points.shape[1]):
        levels = level_a, level_b
        lower, upper = bounds_of_points(pair, points, present, search, levels, crossed)
    if meet(lower, upper, points.shape[1]) and lower > threshold:
        return DISJOINT, lower, upper
    return UNPROVED, lower, upper


@kernel
def solve_subsets(pair, points, present, search, threshold, crossed, out):
    """Solve subsets of the two hulls of a pair that are disjoint as a whole.

    ``present`` (n_subsets, n_points) says which points each subset has, at least one member of each
    side. The answers are written into ``out`` (:class:`SubsetAnswers`); ``crossed`` (n_points,)
    counts the subsets in which a point without products stood in the way.
    """
    for k in range(present.shape[0]):
        status, lower, upper = solve_subset(pair, points, present[k], search, threshold, crossed)
        out.status[k] = status
        out.lower[k] = lower
        out.upper[k] = upper
