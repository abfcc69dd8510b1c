"""Nearest points of the hulls of the two sides of a working set, found with its factor.

Those of the affine hulls are one triangular solve away from what goes along with the factor of
:mod:`geoprobe.kernels.activeset`; the minor cycle of Wolfe (1976) leads from there to those of the
convex hulls.
"""

from __future__ import annotations

import numpy as np

from geoprobe.kernels.activeset import append, delete, price_working, solve_lower, solve_upper
from geoprobe.kernels.jit import inner, kernel


@inner
def affine_minimiser(work):
    """Write into ``trial`` the weights, summing to one a side, of the nearest affine points."""
    k = work.n_working[0]
    rhs, trial = work.rhs, work.scratch.trial
    aa = ab = bb = 0.0
    for i in range(k):
        aa += rhs[0, i] * rhs[0, i]
        ab += rhs[0, i] * rhs[1, i]
        bb += rhs[1, i] * rhs[1, i]
    determinant = aa * bb - ab * ab
    first = (bb - ab) / determinant
    second = (aa - ab) / determinant
    for i in range(k):
        trial[i] = first * rhs[0, i] + second * rhs[1, i]
    solve_upper(work, k, trial)


@kernel
def normalise(work):
    """Scale the weights so that they sum to one on each side."""
    sum_a = sum_b = 0.0
    for i in range(work.n_working[0]):
        if work.side[i] == 0:
            sum_a += work.weight[i]
        else:
            sum_b += work.weight[i]
    for i in range(work.n_working[0]):
        work.weight[i] /= sum_a if work.side[i] == 0 else sum_b


@inner
def rebuild(work, points):
    """Factorise the working set anew: many updates have let rounding errors grow."""
    k = work.n_working[0]
    work.n_working[0] = 0
    for i in range(k):
        work.scratch.new_row[0] = work.row[i]
        work.scratch.new_side[0] = work.side[i]
        weight = work.weight[i]
        if append(work, points, np.int64(1)) > 0:
            work.weight[work.n_working[0] - 1] = weight
    normalise(work)


@inner
def difference(work):
    """Form the vector ``w`` between the two convex combinations; return its length.

    ``support_levels`` receives the dot products of the two combinations with ``w``.
    """
    w, second, levels = work.scratch.w, work.scratch.vector, work.scratch.support_levels
    n_dims = w.shape[0]
    for j in range(n_dims):
        w[j] = 0.0
        second[j] = 0.0
    for i in range(work.n_working[0]):
        weight = work.weight[i]
        row = work.signed[work.slot[i]]
        if work.side[i] == 0:
            for j in range(n_dims):
                w[j] += weight * row[j]
        else:
            for j in range(n_dims):
                second[j] += weight * row[j]
    square = 0.0
    level = 0.0
    for j in range(n_dims):
        total = w[j] + second[j]
        level -= second[j] * total
        square += total * total
        w[j] = total
    levels[0] = square + level
    levels[1] = level
    return np.sqrt(square)


@inner
def minor_cycle(work):
    """Move to the nearest points of the hulls of the working set; return the points dropped.

    The step goes towards the affine minimiser as far as the weights stay positive, drops the
    point that reaches zero and starts again: the minor cycle of Wolfe (1976).
    """
    weight, trial = work.weight, work.scratch.trial
    drops = 0
    while True:
        affine_minimiser(work)
        step = 1.0
        worst = np.int64(-1)
        idle = False
        for i in range(work.n_working[0]):
            if trial[i] <= 0.0:
                if weight[i] <= 0.0:
                    idle = True
                else:
                    ratio = weight[i] / (weight[i] - trial[i])
                    if worst < 0 or ratio < step:
                        step = ratio
                        worst = i
        if idle:
            for i in range(work.n_working[0] - 1, -1, -1):
                if trial[i] <= 0.0 and weight[i] <= 0.0:
                    delete(work, i)
                    drops += 1
            continue
        if worst < 0:
            for i in range(work.n_working[0]):
                weight[i] = trial[i]
            normalise(work)
            return drops
        for i in range(work.n_working[0]):
            weight[i] += step * (trial[i] - weight[i])
        weight[worst] = 0.0
        delete(work, worst)
        drops += 1


@inner
def refine(work):
    """Remove the rounding error that the factor left in the weights, in one Newton step.

    At the minimiser every working point of a side has the same price; what differs is solved
    for with the factor. Steps that would turn a weight negative are not taken.
    """
    k = work.n_working[0]
    trial, price, rhs = work.scratch.trial, work.scratch.vector, work.rhs
    mean_a = mean_b = 0.0
    price_working(work, k, work.scratch.w, price)
    for i in range(k):
        if work.side[i] == 0:
            mean_a += work.weight[i] * price[i]
        else:
            mean_b += work.weight[i] * price[i]
    for i in range(k):
        trial[i] = (mean_a if work.side[i] == 0 else mean_b) - price[i]
    solve_lower(work, np.int64(0), k, trial)
    aa = ab = bb = sum_a = sum_b = 0.0
    for i in range(k):
        aa += rhs[0, i] * rhs[0, i]
        ab += rhs[0, i] * rhs[1, i]
        bb += rhs[1, i] * rhs[1, i]
        sum_a += rhs[0, i] * trial[i]
        sum_b += rhs[1, i] * trial[i]
    determinant = aa * bb - ab * ab
    first = (bb * sum_a - ab * sum_b) / determinant
    second = (aa * sum_b - ab * sum_a) / determinant
    for i in range(k):
        trial[i] -= first * rhs[0, i] + second * rhs[1, i]
    solve_upper(work, k, trial)
    for i in range(k):
        if work.weight[i] + trial[i] <= 0.0:
            return False
    for i in range(k):
        work.weight[i] += trial[i]
    normalise(work)
    return True
