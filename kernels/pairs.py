"""Nearest points of many pairs of groups: the loop over pairs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geoprobe.kernels.jit import kernel
from geoprobe.kernels.nearest import nearest


class Answers(NamedTuple):
    """Room for the answers about a run of pairs.

    Pair ``k`` has its first support in ``row`` and ``weight`` from ``end[k - 1]`` to
    ``middle[k]``, its second from there to ``end[k]``.
    """

    status: NDArray[np.uint8]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    middle: NDArray[np.int64]
    end: NDArray[np.int64]
    row: NDArray[np.int64]
    weight: NDArray[np.float64]


def allocate(n_pairs: int, n_dims: int) -> Answers:
    """Return room for ``n_pairs`` answers, and for the largest supports of a few of them."""
    room = (n_dims + 3) * min(n_pairs, 64)
    return Answers(
        status=np.zeros(n_pairs, np.uint8),
        lower=np.zeros(n_pairs),
        upper=np.zeros(n_pairs),
        middle=np.zeros(n_pairs, np.int64),
        end=np.zeros(n_pairs, np.int64),
        row=np.zeros(room, np.int64),
        weight=np.zeros(room),
    )


@kernel
def solve_pairs(points, rough, rows, start, first, second, threshold, work, w, out):
    """Solve the pairs ``(first[k], second[k])`` of groups ``rows[start[g]:start[g + 1]]``.

    ``out`` is a :class:`Answers`; the supports are written end to end, and the number of pairs
    done is returned: fewer than asked for when the room for supports ran out.
    """
    most = points.shape[1] + 3
    spot = 0
    limit = 200 * (points.shape[1] + 16)
    for k in range(first.shape[0]):
        if spot + most > out.row.shape[0]:
            return k
        a = first[k]
        b = second[k]
        work.state[0] = 0
        status, lower, upper, _ = nearest(
            points,
            rough,
            rows[start[a] : start[a + 1]],
            rows[start[b] : start[b + 1]],
            work,
            w,
            threshold,
            np.bool_(False),
            limit,
        )
        out.status[k] = status
        out.lower[k] = lower
        out.upper[k] = upper
        for side in range(2):
            for m in range(work.state[0]):
                if work.side[m] == side:
                    out.row[spot] = work.row[m]
                    out.weight[spot] = work.weight[m]
                    spot += 1
            if side == 0:
                out.middle[k] = spot
        out.end[k] = spot
    return first.shape[0]
