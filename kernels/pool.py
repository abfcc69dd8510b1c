"""Working sets that stay with a pair of clusters from check to check."""

from __future__ import annotations

import numpy as np

from geoprobe.kernels.activeset import allocate
from geoprobe.kernels.jit import part
from geoprobe.kernels.state import Pool, Working


def allocate_pool(n_dims: int, n_bytes: int = 160 << 20) -> Pool:
    """Return a pool of empty working sets."""
    one = allocate(n_dims)
    size = len(one.factor)
    number = int(np.clip(n_bytes // (16 * size * size), 4, 512))
    # Zeros take no memory before they are written to.
    fields = {
        name: np.zeros((number, *field.shape), field.dtype)
        for name, field in one._asdict().items()
        if name != "scratch"
    }
    fields["slot"][:] = one.slot
    return Pool(
        sets=Working(scratch=one.scratch, **fields),
        pair=np.full((number, 2), -1, np.int64),
        last_used=np.zeros(number, np.int64),
    )


@part
def working_set(pool, number):
    """Return one working set of the pool."""
    sets = pool.sets
    return Working(
        sets.n_working[number],
        sets.factor[number],
        sets.rhs[number],
        sets.signed[number],
        sets.slot[number],
        sets.row[number],
        sets.side[number],
        sets.weight[number],
        sets.scratch,
    )


@part
def reserve(pool, a, b, clock):
    """Return the number of the working set that stays with the pair of slots ``a < b``."""
    oldest = 1
    for c in range(1, pool.last_used.shape[0]):
        if pool.pair[c, 0] == a and pool.pair[c, 1] == b:
            pool.last_used[c] = clock
            return c
        if pool.last_used[c] < pool.last_used[oldest]:
            oldest = c
    pool.pair[oldest, 0] = a
    pool.pair[oldest, 1] = b
    pool.last_used[oldest] = clock
    pool.sets.n_working[oldest, 0] = 0
    return oldest
