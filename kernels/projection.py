"""Projection of a query onto one hull, found among products and proved from the points.

The algorithm of Wolfe (1976) needs nothing but products: those of the members of the hull with each
other are known beforehand, those with the query come from one matrix product. They are float32
and propose; what they propose is computed from the points in float64, and the products are
corrected by what they were off, until both bounds of the distance meet.
"""

from __future__ import annotations

import numpy as np

from geoprobe.kernels.activeset import delete, dot, solve_lower, solve_upper
from geoprobe.kernels.jit import inner
from geoprobe.kernels.listing import (
    FIRST_LISTED,
    cut_below,
    list_members,
    look_at_all,
    member,
    multiply_listed,
    products_of,
)

# What became of a query and a hull: projected; farther than was asked for; float32 products
# lead no further.
PROJECTED, FARTHER, OPEN = 0, 1, 2
# Not yet an answer: the search goes on.
SEARCHING = 3

# Relative gap of the two bounds at which a distance is final.
GAP = 1e-10
# A new diagonal entry below this share of its length has no digits left.
REFUSED = 1e-5
# Crossings below this many units in the last place of a product are noise.
NOISE = 8.0
# Proofs that may be tried, each after products were corrected.
MOST_PROOFS = 24


@inner
def append(hulls, state, c, place):
    """Append a listed member with weight 0; return whether its products have digits enough."""
    working = state.working
    k = working.n_working[0]
    column, rhs = working.scratch.products[0], working.rhs
    # No more than that are independent; noise of float32 alone would let others in.
    if k > working.scratch.w.shape[0] + 1:
        return False
    working.row[k] = place
    working.side[k] = 0
    working.weight[k] = 0.0
    if hulls.gram_start[c] < 0:
        multiply_listed(hulls, state, c, k, np.int64(0))
    ones = hulls.radius[c] * hulls.radius[c]
    table, index, width = products_of(hulls, state, c)
    products = table[index[k] * width :]
    for s in range(k):
        column[s] = products[working.row[s]] + ones
    length = products[place] + ones
    solve_lower(working, np.int64(0), k, column)
    rest = length - dot(column[:k], column[:k])
    if rest <= REFUSED * length:
        return False
    pivot = np.sqrt(rest)
    row = working.factor[working.slot[k]]
    for s in range(k):
        row[s] = column[s]
    row[k] = pivot
    state.offset[k] = state.product[place]
    rhs[0, k] = (1.0 - dot(column[:k], rhs[0, :k])) / pivot
    rhs[1, k] = (state.offset[k] - dot(column[:k], rhs[1, :k])) / pivot
    working.n_working[0] = k + 1
    return True


@inner
def drop(state, s):
    """Drop a working point."""
    for i in range(s, state.working.n_working[0] - 1):
        state.offset[i] = state.offset[i + 1]
    delete(state.working, s)


@inner
def affine_projection(state):
    """Write into ``trial`` the weights, of sum 1, of the projection onto the affine hull."""
    working = state.working
    k = working.n_working[0]
    rhs, trial = working.rhs, working.scratch.trial
    ones = both = 0.0
    for s in range(k):
        ones += rhs[0, s] * rhs[0, s]
        both += rhs[0, s] * rhs[1, s]
    share = (1.0 - both) / ones
    for s in range(k):
        trial[s] = rhs[1, s] + share * rhs[0, s]
    solve_upper(working, k, trial)


@inner
def minor_cycle(state):
    """Move to the projection onto the hull of the working points, and drop what carries none."""
    working = state.working
    weight, trial = working.weight, working.scratch.trial
    while True:
        if working.n_working[0] == 1:
            weight[0] = 1.0
            return
        affine_projection(state)
        step = 1.0
        worst = np.int64(-1)
        for s in range(working.n_working[0]):
            if trial[s] <= 0.0:
                ratio = weight[s] / (weight[s] - trial[s]) if weight[s] > 0.0 else 0.0
                if worst < 0 or ratio < step:
                    step = ratio
                    worst = s
        if worst < 0:
            total = 0.0
            for s in range(working.n_working[0]):
                total += trial[s]
            for s in range(working.n_working[0]):
                weight[s] = trial[s] / total
            return
        for s in range(working.n_working[0]):
            weight[s] += step * (trial[s] - weight[s])
        drop(state, worst)


@inner
def price_listed(hulls, state, c):
    """Write the prices of the listed members; return the lowest, and its place."""
    working, price, product = state.working, state.price, state.product
    k = working.n_working[0]
    n = state.n_listed[0]
    table, index, width = products_of(hulls, state, c)
    for i in range(n):
        price[i] = -product[i]
    s = 0
    while s + 4 <= k:
        a, b = table[index[s] * width :], table[index[s + 1] * width :]
        d, e = table[index[s + 2] * width :], table[index[s + 3] * width :]
        share_a, share_b = np.float32(working.weight[s]), np.float32(working.weight[s + 1])
        share_d, share_e = np.float32(working.weight[s + 2]), np.float32(working.weight[s + 3])
        for i in range(n):
            price[i] += share_a * a[i] + share_b * b[i] + share_d * d[i] + share_e * e[i]
        s += 4
    while s < k:
        a = table[index[s] * width :]
        share_a = np.float32(working.weight[s])
        for i in range(n):
            price[i] += share_a * a[i]
        s += 1
    low = price[0]
    for i in range(n):
        low = min(low, price[i])
    place = np.int64(0)
    while price[place] > low:
        place += 1
    return np.float64(low), place


@inner
def is_working(state, place):
    """Return whether a listed member is a working point."""
    for s in range(state.working.n_working[0]):
        if state.working.row[s] == place:
            return True
    return False


@inner
def descend(hulls, state, c, query, enough):
    """Go down to the projection onto the listed members, as far as float32 products lead.

    Return SEARCHING there, FARTHER if prices prove that on the way, and OPEN if products have
    too few digits.
    """
    working = state.working
    whole = hulls.gram_start[c] >= 0
    for _ in range(4 * (query.point.shape[0] + 16)):
        minor_cycle(state)
        low, place = price_listed(hulls, state, c)
        level = inward = 0.0
        for s in range(working.n_working[0]):
            level += working.weight[s] * state.price[working.row[s]]
            inward += working.weight[s] * state.offset[s]
        square = level - inward + query.square
        ahead = low - inward + query.square - 2.0 * query.error
        if whole and ahead > 0.0 and ahead > enough * np.sqrt(square + 4.0 * query.error):
            return FARTHER
        if level - low <= max(0.1 * GAP * square, query.noise) or is_working(state, place):
            return SEARCHING
        if not append(hulls, state, c, place):
            return OPEN
    return OPEN


@inner
def form_vector(hulls, state, c, query):
    """Form the vector from the query to the projection; return its length."""
    w = state.working.scratch.w
    for j in range(w.shape[0]):
        w[j] = -query.point[j]
    for s in range(state.working.n_working[0]):
        weight = state.working.weight[s]
        point = hulls.points[hulls.rows[member(hulls, state, c, state.working.row[s])]]
        for j in range(w.shape[0]):
            w[j] += weight * point[j]
    return np.sqrt(dot(w, w))


@inner
def correct_offsets(hulls, state, c, base):
    """Correct the offsets by the exact prices of working points; return the level of those."""
    working, exact = state.working, state.working.scratch.trial
    k = working.n_working[0]
    level = 0.0
    for s in range(k):
        point = hulls.points[hulls.rows[member(hulls, state, c, working.row[s])]]
        exact[s] = dot(point, working.scratch.w) - base
        level += working.weight[s] * exact[s]
        state.offset[s] = -exact[s]
    table, index, width = products_of(hulls, state, c)
    for s in range(k):
        products = table[index[s] * width :]
        for t in range(k):
            state.offset[t] += working.weight[s] * products[working.row[t]]
    return level


@inner
def correct_prices(hulls, state, c, base, limit):
    """Compute the prices up to a limit exactly, correct products by them; return the lowest."""
    low = np.inf
    lowest = np.int64(-1)
    for i in range(state.n_listed[0]):
        if state.price[i] <= limit:
            point = hulls.points[hulls.rows[member(hulls, state, c, i)]]
            exact = dot(point, state.working.scratch.w) - base
            state.product[i] += np.float32(state.price[i] - exact)
            if exact < low:
                low = exact
                lowest = i
    return low, lowest


@inner
def prove(hulls, state, c, query, enough, tau):
    """Compute both bounds of the distance from the points; where they stay apart, correct.

    Return PROJECTED with the upper bound, or 0 where it is within ``tau``; FARTHER; OPEN; or
    SEARCHING where the corrected products lead further.
    """
    working = state.working
    length = form_vector(hulls, state, c, query)
    upper = length + query.slack
    if upper <= tau:
        return PROJECTED, 0.0
    base = dot(hulls.mean[c], working.scratch.w)
    limit = -np.inf
    for s in range(working.n_working[0]):
        limit = max(limit, np.float64(state.price[working.row[s]]))
    level = correct_offsets(hulls, state, c, base)
    if hulls.gram_start[c] < 0:
        low, crossing, listed = look_at_all(hulls, state, c, query, level, length)
        if length - (level - low) / length - query.slack > enough:
            return FARTHER, 0.0
        if crossing > 0:
            return SEARCHING if listed > 0 else OPEN, 0.0
    low, place = correct_prices(hulls, state, c, base, limit + 2.0 * query.error)
    lower = length - max(level - low, 0.0) / length - query.slack
    if lower > enough:
        return FARTHER, 0.0
    if upper - lower <= GAP * length + 3.0 * query.slack:
        return PROJECTED, upper
    for s in range(working.n_working[0]):
        working.rhs[1, s] = state.offset[s]
    solve_lower(working, np.int64(0), working.n_working[0], working.rhs[1])
    if not is_working(state, place) and not append(hulls, state, c, place):
        return OPEN, 0.0
    return SEARCHING, 0.0


@inner
def begin(hulls, state, c, query):
    """List members, and begin with the listed one that is nearest to the query."""
    first = hulls.start[c]
    n = hulls.start[c + 1] - first
    state.working.n_working[0] = 0
    if hulls.gram_start[c] >= 0:
        state.n_listed[0] = n
        for i in range(n):
            state.product[i] = query.products[i]
    else:
        state.n_listed[0] = 0
        for i in range(n):
            state.is_listed[i] = False
            state.all_prices[i] = -query.products[i]
        cut = cut_below(state.all_prices, n, np.int64(FIRST_LISTED))
        list_members(hulls, state, c, query, cut)
    nearest = np.inf
    place = np.int64(0)
    for i in range(state.n_listed[0]):
        value = hulls.half_square[member(hulls, state, c, i)] - state.product[i]
        if value < nearest:
            nearest = value
            place = i
    append(hulls, state, c, place)
    state.working.weight[0] = 1.0


@inner
def project(hulls, state, c, query, enough, tau):
    """Project a query onto hull ``c``.

    Parameters
    ----------
    query : Query
    enough : float
        A lower bound of the distance that suffices; ``tau`` or more.
    tau : float
        A distance up to this counts as 0.

    Returns
    -------
    status : int
        PROJECTED, FARTHER or OPEN. Which of PROJECTED and OPEN it is, and the distance, depend
        on the query and the hull alone.
    distance : float
        Of PROJECTED: an upper bound that is exact to ``GAP`` and rounding, or 0.
    """
    begin(hulls, state, c, query)
    for _ in range(MOST_PROOFS):
        status = descend(hulls, state, c, query, enough)
        distance = 0.0
        if status == SEARCHING:
            status, distance = prove(hulls, state, c, query, enough, tau)
        if status != SEARCHING:
            return status, distance
    return OPEN, 0.0
