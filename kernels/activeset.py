"""The factor of a working set, kept while points are appended and deleted.

Every point is on one of two sides. ``factor`` holds the lower triangular L of
``L @ L.T = V @ V.T``, where a row of V is a signed point followed by a one in the column of its
side; the ones make L regular where the points alone are dependent. Appending is a triangular solve
for a new row of L, deleting a sweep of Givens rotations through the rows below, and the solutions
for the two right-hand sides "sums to one" ride along. A point and its row of L stand at the same
``slot``, so that nothing moves when a point goes. Every inner loop runs along rows from their
beginning, which is what the vector units like best.
"""

from __future__ import annotations

import numpy as np

from geoprobe.kernels.jit import inner, kernel
from geoprobe.kernels.state import Scratch, Working

# Below this share of its length, a new squared diagonal entry has lost half its digits to
# cancellation and is computed again from the residual itself.
CANCELLED = 1e-8
# A new diagonal entry below this share of its length is refused: the point lies in the affine
# hull of the working set, and dividing by the entry would spread rounding errors.
DEPENDENT = 1e-14
# A correction below this share of the squared residual is the last one.
SMALL_CORRECTION = 1e-2
# Points appended in one go, a multiple of four.
BATCH = 8
# Working points that all new ones are multiplied with before the next.
STRETCH = 8


def allocate(n_dims: int) -> Working:
    """Return an empty working set for points of ``n_dims`` dimensions."""
    size = n_dims + 3
    return Working(
        n_working=np.zeros(1, np.int64),
        factor=np.zeros((size, size)),
        rhs=np.zeros((2, size)),
        signed=np.zeros((size, n_dims)),
        slot=np.arange(size),
        row=np.zeros(size, np.int64),
        side=np.zeros(size, np.int64),
        weight=np.zeros(size),
        scratch=Scratch(
            w=np.zeros(n_dims),
            w32=np.zeros(n_dims, np.float32),
            support_levels=np.zeros(2),
            trial=np.zeros(size),
            turns=np.zeros((2, size)),
            products=np.zeros((BATCH, size)),
            vector=np.zeros(max(size, n_dims)),
            batch_position=np.zeros(BATCH, np.int64),
            new_row=np.zeros(BATCH, np.int64),
            new_side=np.zeros(BATCH, np.int64),
            dependent=np.full(1, DEPENDENT),
        ),
    )


@inner
def dot(a, b):
    """Return the dot product of two vectors, in their precision."""
    total = a.dtype.type(0.0)
    for i in range(a.shape[0]):
        total += a[i] * b[i]
    return total


@inner
def dot4(a, b, c, d, x):
    """Return the dot products of four vectors with ``x``, which is read once."""
    sum_a = sum_b = sum_c = sum_d = x.dtype.type(0.0)
    for i in range(x.shape[0]):
        sum_a += a[i] * x[i]
        sum_b += b[i] * x[i]
        sum_c += c[i] * x[i]
        sum_d += d[i] * x[i]
    return sum_a, sum_b, sum_c, sum_d


@inner
def subtract4(target, vectors, shares):
    """Subtract the multiples of four vectors from ``target``, which is written once."""
    a, b, c, d = vectors
    share_a, share_b, share_c, share_d = shares
    for j in range(target.shape[0]):
        target[j] -= share_a * a[j] + share_b * b[j] + share_c * c[j] + share_d * d[j]


@inner
def solve_lower(work, begin, end, vector):
    """Overwrite a stretch of ``vector`` with that of the solution of ``L @ x = vector``.

    The entries before ``begin`` are solved already.
    """
    for i in range(begin, end):
        row = work.factor[work.slot[i]]
        vector[i] = (vector[i] - dot(row[:i], vector[:i])) / row[i]


@inner
def solve_lower4(work, end, vectors):
    """Do as :func:`solve_lower` from the first entry on for four vectors: L is read once."""
    a, b, c, d = vectors
    for i in range(end):
        row = work.factor[work.slot[i]]
        sum_a, sum_b, sum_c, sum_d = dot4(a, b, c, d, row[:i])
        share = 1.0 / row[i]
        a[i] = (a[i] - sum_a) * share
        b[i] = (b[i] - sum_b) * share
        c[i] = (c[i] - sum_c) * share
        d[i] = (d[i] - sum_d) * share


@inner
def solve_upper(work, k, vector):
    """Overwrite ``vector`` with the solution of ``L.T @ x = vector``, from the end, in fours."""
    factor, slot = work.factor, work.slot
    i = k
    while i % 4 > 0:
        i -= 1
        row = factor[slot[i]]
        vector[i] /= row[i]
        for j in range(i):
            vector[j] -= vector[i] * row[j]
    while i > 0:
        i -= 4
        rows = factor[slot[i]], factor[slot[i + 1]], factor[slot[i + 2]], factor[slot[i + 3]]
        a, b, c, d = rows
        xd = vector[i + 3] / d[i + 3]
        xc = (vector[i + 2] - xd * d[i + 2]) / c[i + 2]
        xb = (vector[i + 1] - xd * d[i + 1] - xc * c[i + 1]) / b[i + 1]
        xa = (vector[i] - xd * d[i] - xc * c[i] - xb * b[i]) / a[i]
        vector[i], vector[i + 1], vector[i + 2], vector[i + 3] = xa, xb, xc, xd
        subtract4(vector[:i], rows, (xa, xb, xc, xd))


@inner
def leave_residual(work, k, shares, residual):
    """Subtract the multiples of the first ``k`` working points from ``residual``."""
    signed, slot = work.signed, work.slot
    for i in range(0, k - 3, 4):
        rows = signed[slot[i]], signed[slot[i + 1]], signed[slot[i + 2]], signed[slot[i + 3]]
        subtract4(residual, rows, (shares[i], shares[i + 1], shares[i + 2], shares[i + 3]))
    for i in range(k - k % 4, k):
        row = signed[slot[i]]
        for j in range(residual.shape[0]):
            residual[j] -= shares[i] * row[j]


@inner
def price_working(work, k, w, price):
    """Write the dot products of the first ``k`` signed working points with ``w``."""
    for i in range(k):
        price[i] = dot(work.signed[work.slot[i]], w)


@inner
def recomputed_diagonal(work, k, side, column):
    """Correct ``column`` and return the squared residual of the point in ``signed[k]``.

    The corrected semi-normal equations (Björck 1987): the residual is formed from the points,
    not from their Gram matrix, so that it keeps its digits. The correction is orthogonal to what
    is left of the residual, so that one is enough unless it is of the residual's size.
    """
    signed = work.signed
    trial = work.scratch.trial
    residual = work.scratch.vector[: signed.shape[1]]
    rest = 0.0
    for _ in range(2):
        for i in range(k):
            trial[i] = column[i]
        solve_upper(work, k, trial)
        for j in range(residual.shape[0]):
            residual[j] = signed[work.slot[k], j]
        leave_residual(work, k, trial, residual)
        ones_a = 1.0 if side == 0 else 0.0
        ones_b = 1.0 - ones_a
        for i in range(k):
            if work.side[i] == 0:
                ones_a -= trial[i]
            else:
                ones_b -= trial[i]
        total = ones_a * ones_a + ones_b * ones_b + dot(residual, residual)
        price_working(work, k, residual, trial)
        for i in range(k):
            trial[i] += ones_a if work.side[i] == 0 else ones_b
        solve_lower(work, np.int64(0), k, trial)
        for i in range(k):
            column[i] += trial[i]
        correction = dot(trial[:k], trial[:k])
        rest = total - correction
        if correction <= SMALL_CORRECTION * total:
            break
    return rest


@inner
def enter(work, row, side, column):
    """Append the point in the first free slot, whose new row of L, all but the diagonal, is given.

    Return whether it was independent of the working set; a point enters with weight 0.
    """
    k = work.n_working[0]
    rhs = work.rhs
    new = work.signed[work.slot[k]]
    length = dot(new, new) + 1.0
    rest = length - dot(column[:k], column[:k])
    if rest < CANCELLED * length:
        rest = recomputed_diagonal(work, k, side, column)
    if rest <= work.scratch.dependent[0] * length:
        return False
    top_a = 1.0 if side == 0 else 0.0
    top_b = 1.0 - top_a
    pivot = np.sqrt(rest)
    target = work.factor[work.slot[k]]
    for i in range(k):
        target[i] = column[i]
    target[k] = pivot
    rhs[0, k] = (top_a - dot(column[:k], rhs[0, :k])) / pivot
    rhs[1, k] = (top_b - dot(column[:k], rhs[1, :k])) / pivot
    work.row[k] = row
    work.side[k] = side
    work.weight[k] = 0.0
    work.n_working[0] = k + 1
    return True


@inner
def multiply_batch(work, begin, number):
    """Write the products of new points with the ``begin`` working points and with each other.

    They are taken four points at a time, a stretch of the working set after the other, so that
    what is read stays near.
    """
    signed, slot, products = work.signed, work.slot, work.scratch.products
    for stretch in range(0, begin + number, STRETCH):
        end = min(stretch + STRETCH, begin + number)
        for m in range(0, number, 4):
            a = signed[slot[begin + m]]
            b = signed[slot[begin + min(m + 1, number - 1)]]
            c = signed[slot[begin + min(m + 2, number - 1)]]
            d = signed[slot[begin + min(m + 3, number - 1)]]
            for i in range(stretch, end):
                sums = dot4(a, b, c, d, signed[slot[i]])
                products[m, i], products[m + 1, i], products[m + 2, i], products[m + 3, i] = sums


@inner
def add_ones(work, begin, number):
    """Add to the products of new points those of the ones in the columns of their sides."""
    products, sides = work.scratch.products, work.scratch.new_side
    for m in range(number):
        for i in range(begin):
            products[m, i] += 1.0 if work.side[i] == sides[m] else 0.0
        for i in range(m):
            products[m, begin + i] += 1.0 if sides[i] == sides[m] else 0.0


@kernel
def append(work, points, wanted):
    """Append the ``wanted`` points in ``new_row`` with weight 0; return how many were independent.

    What their rows of L have to do with the points that were there before is solved for four at
    a time; what they have to do with each other follows one by one.
    """
    begin = work.n_working[0]
    slot, scratch, signed = work.slot, work.scratch, work.signed
    products, position = scratch.products, scratch.batch_position
    number = min(wanted, points.float64.shape[1] + 2 - begin)
    for m in range(number):
        new = signed[slot[begin + m]]
        sign = 1.0 if scratch.new_side[m] == 0 else -1.0
        for j in range(new.shape[0]):
            new[j] = sign * points.float64[scratch.new_row[m], j]
    if number == 1:
        price_working(work, begin, signed[slot[begin]], products[0])
        add_ones(work, begin, number)
        solve_lower(work, np.int64(0), begin, products[0])
    else:
        multiply_batch(work, begin, number)
        add_ones(work, begin, number)
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
        slot[k], slot[begin + m] = slot[begin + m], slot[k]
        if enter(work, scratch.new_row[m], scratch.new_side[m], column):
            position[k - begin] = begin + m
    return work.n_working[0] - begin


@inner
def rotate(vector, turns, begin, end):
    """Turn neighbouring entries of ``vector`` as a sweep of rotations says.

    A rotation leaves one entry where it is and hands one on, the last of them to ``end``.
    """
    carried = vector[begin]
    for i in range(begin, end):
        cosine, sine = turns[0, i], turns[1, i]
        here = vector[i + 1]
        vector[i] = cosine * carried + sine * here
        carried = cosine * here - sine * carried
    vector[end] = carried


@inner
def rotate4(vectors, turns, begin, end):
    """Do as :func:`rotate` to four vectors, none of which has to wait for another."""
    a, b, c, d = vectors
    carried_a, carried_b, carried_c, carried_d = a[begin], b[begin], c[begin], d[begin]
    for i in range(begin, end):
        cosine, sine = turns[0, i], turns[1, i]
        here_a, here_b, here_c, here_d = a[i + 1], b[i + 1], c[i + 1], d[i + 1]
        a[i] = cosine * carried_a + sine * here_a
        b[i] = cosine * carried_b + sine * here_b
        c[i] = cosine * carried_c + sine * here_c
        d[i] = cosine * carried_d + sine * here_d
        carried_a = cosine * here_a - sine * carried_a
        carried_b = cosine * here_b - sine * carried_b
        carried_c = cosine * here_c - sine * carried_c
        carried_d = cosine * here_d - sine * carried_d
    a[end], b[end], c[end], d[end] = carried_a, carried_b, carried_c, carried_d


@inner
def turn_rows(work, begin, end, turned):
    """Turn rows ``begin`` to ``end`` of L into place; up to ``turned`` they are turned already.

    Each has one entry to the right of its new diagonal, which a new rotation makes zero.
    """
    turns = work.scratch.turns
    for i in range(begin, end):
        row = work.factor[work.slot[i]]
        rotate(row, turns, turned, i)
        length = np.hypot(row[i], row[i + 1])
        turns[0, i] = row[i] / length
        turns[1, i] = row[i + 1] / length
        row[i] = length


@inner
def delete(work, j):
    """Delete working point ``j``."""
    k = work.n_working[0]
    factor, slot, turns = work.factor, work.slot, work.scratch.turns
    freed = slot[j]
    for i in range(j, k - 1):
        work.row[i] = work.row[i + 1]
        work.side[i] = work.side[i + 1]
        slot[i] = slot[i + 1]
        work.weight[i] = work.weight[i + 1]
        work.scratch.trial[i] = work.scratch.trial[i + 1]
    slot[k - 1] = freed
    # Row j is gone, and the rows below it are now one entry too long.
    i = j
    while i + 4 < k:
        rows = factor[slot[i]], factor[slot[i + 1]], factor[slot[i + 2]], factor[slot[i + 3]]
        rotate4(rows, turns, j, i)
        turn_rows(work, i, i + 4, i)
        i += 4
    turn_rows(work, i, k - 1, j)
    for c in range(2):
        rotate(work.rhs[c], turns, j, k - 1)
    work.n_working[0] = k - 1
