"""Members of a hull that a projection looks at: the list of them, products and prices.

All members of a hull with a Gram matrix are listed. A larger hull lists those that may carry the
projection, computes their products with the working points itself, and is looked at as a whole
where the list leads no further.
"""

from __future__ import annotations

import numpy as np

from geoprobe.kernels.activeset import dot4
from geoprobe.kernels.jit import inner, part

FLOAT32 = 2.0**-24
# Members of a hull without a Gram matrix that are listed first, and at a later look at all.
FIRST_LISTED = 64
MORE_LISTED = 32


@part
def products_of(hulls, state, c):
    """Return the products of working points with the listed members, end to end, and their places.

    Those of working point ``s`` begin at the second array's entry ``s`` times the third number.
    """
    if hulls.gram_start[c] >= 0:
        return hulls.gram[hulls.gram_start[c] :], state.working.row, state.n_listed[0]
    return state.between, state.working.slot, state.listed.shape[0]


@inner
def member(hulls, state, c, place):
    """Return the member at a place of the list."""
    if hulls.gram_start[c] >= 0:
        return hulls.start[c] + place
    return hulls.start[c] + state.listed[place]


@inner
def multiply_listed(hulls, state, c, s, begin):
    """Write the products of working point ``s`` with the listed members from ``begin`` on."""
    point = hulls.centred[member(hulls, state, c, state.working.row[s])]
    row = state.between[state.working.slot[s] * state.listed.shape[0] :]
    n = state.n_listed[0]
    for i in range(begin, n, 4):
        second, third, fourth = min(i + 1, n - 1), min(i + 2, n - 1), min(i + 3, n - 1)
        row[i], row[second], row[third], row[fourth] = dot4(
            hulls.centred[hulls.start[c] + state.listed[i]],
            hulls.centred[hulls.start[c] + state.listed[second]],
            hulls.centred[hulls.start[c] + state.listed[third]],
            hulls.centred[hulls.start[c] + state.listed[fourth]],
            point,
        )


@inner
def price_all(hulls, state, c, length):
    """Write the prices of all members in float32; return a bound of their error."""
    n_dims = state.towards.shape[0]
    for j in range(n_dims):
        state.towards[j] = state.working.scratch.w[j]
    begin, n = hulls.start[c], hulls.start[c + 1] - hulls.start[c]
    for i in range(0, n, 4):
        second, third, fourth = min(i + 1, n - 1), min(i + 2, n - 1), min(i + 3, n - 1)
        price = state.all_prices
        price[i], price[second], price[third], price[fourth] = dot4(
            hulls.centred[begin + i],
            hulls.centred[begin + second],
            hulls.centred[begin + third],
            hulls.centred[begin + fourth],
            state.towards,
        )
    return (n_dims + 8) * FLOAT32 * hulls.radius[c] * length


@inner
def cut_below(values, n, most):
    """Return a cut that about half to all of ``most`` of the first ``n`` values stay below."""
    low = high = np.float64(values[0])
    for i in range(n):
        low = min(low, values[i])
        high = max(high, values[i])
    cut = high
    for _ in range(40):
        count = 0
        for i in range(n):
            count += values[i] <= cut
        if count > most:
            high = cut
        elif 2 * count < most and cut < high:
            low = cut
        else:
            break
        cut = 0.5 * (low + high)
    return cut


@inner
def list_members(hulls, state, c, query, cut):
    """List members with a price up to a cut, as far as there is room; return how many were new."""
    first = hulls.start[c]
    before = n = state.n_listed[0]
    room = state.listed.shape[0]
    for i in range(hulls.start[c + 1] - first):
        if n < room and state.all_prices[i] <= cut and not state.is_listed[i]:
            state.listed[n] = i
            state.is_listed[i] = True
            state.product[n] = query.products[i]
            n += 1
    state.n_listed[0] = n
    for s in range(state.working.n_working[0]):
        multiply_listed(hulls, state, c, s, before)
    return n - before


@inner
def look_at_all(hulls, state, c, query, level, length):
    """Look at all members of a hull of which some are listed, and list those that may cross.

    Return a bound of the lowest price, how many members may cross, and how many were listed.
    """
    error = price_all(hulls, state, c, length)
    n = hulls.start[c + 1] - hulls.start[c]
    limit = level + error
    low = np.inf
    crossing = np.int64(0)
    for i in range(n):
        low = min(low, np.float64(state.all_prices[i]))
        crossing += state.all_prices[i] <= limit and not state.is_listed[i]
    listed = np.int64(0)
    if crossing > 0:
        if crossing > MORE_LISTED:
            limit = min(limit, cut_below(state.all_prices, n, np.int64(MORE_LISTED)))
        listed = list_members(hulls, state, c, query, limit)
        if listed == 0:
            listed = list_members(hulls, state, c, query, level + error)
    return low - error, crossing, listed
