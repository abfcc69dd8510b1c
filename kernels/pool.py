"""Working sets that stay with a pair of clusters from check to check."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geoprobe.kernels.activeset import BATCH, Working
from geoprobe.kernels.jit import part


class Pool(NamedTuple):
    """Working sets, stacked: number 0 is for single use, the others stay with a pair."""

    factor: NDArray[np.float64]
    signed: NDArray[np.float64]
    rhs: NDArray[np.float64]
    weight: NDArray[np.float64]
    trial: NDArray[np.float64]
    column: NDArray[np.float64]
    block: NDArray[np.float64]
    spare: NDArray[np.float64]
    row: NDArray[np.int64]
    side: NDArray[np.int64]
    slot: NDArray[np.int64]
    origin: NDArray[np.int64]
    new_row: NDArray[np.int64]
    new_side: NDArray[np.int64]
    short: NDArray[np.float32]
    reach: NDArray[np.float64]
    state: NDArray[np.int64]
    dependent: NDArray[np.float64]
    pair: NDArray[np.int64]
    clock: NDArray[np.int64]
    w: NDArray[np.float64]


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
        block=np.zeros((number, BATCH, size)),
        spare=np.zeros((number, max(size, n_dims))),
        row=np.zeros((number, size), np.int64),
        side=np.zeros((number, size), np.int64),
        slot=np.tile(np.arange(size), (number, 1)),
        origin=np.zeros((number, BATCH), np.int64),
        new_row=np.zeros((number, BATCH), np.int64),
        new_side=np.zeros((number, BATCH), np.int64),
        short=np.zeros((number, n_dims), np.float32),
        reach=np.zeros((number, 2)),
        state=np.zeros((number, 1), np.int64),
        dependent=np.zeros((number, 1)),
        pair=np.full((number, 2), -1, np.int64),
        clock=np.zeros(number, np.int64),
        w=np.zeros((number, n_dims)),
    )


@part
def working(pool, c):
    """Return working set number ``c`` of the pool."""
    return Working(
        pool.factor[c],
        pool.signed[c],
        pool.rhs[c],
        pool.weight[c],
        pool.trial[c],
        pool.column[c],
        pool.block[c],
        pool.spare[c],
        pool.row[c],
        pool.side[c],
        pool.slot[c],
        pool.origin[c],
        pool.new_row[c],
        pool.new_side[c],
        pool.short[c],
        pool.reach[c],
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
