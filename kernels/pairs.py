"""Nearest points of many pairs of groups: the loop over pairs."""

from __future__ import annotations

import numpy as np

from geoprobe.kernels.jit import kernel
from geoprobe.kernels.nearest import nearest
from geoprobe.kernels.state import Answers


def allocate(n_pairs: int, n_dims: int) -> Answers:
    """Return room for ``n_pairs`` answers, and for the largest supports of a few of them."""
    room = (n_dims + 3) * min(n_pairs, 64)
    return Answers(
        status=np.empty(n_pairs, np.uint8),
        lower=np.empty(n_pairs),
        upper=np.empty(n_pairs),
        middle=np.empty(n_pairs, np.int64),
        end=np.empty(n_pairs, np.int64),
        row=np.empty(room, np.int64),
        weight=np.empty(room),
    )


@kernel
def solve_pairs(points, rows, start, first, second, question, work, out):
    """Answer a question about pairs ``(first[k], second[k])`` of ``rows[start[g]:start[g + 1]]``.

    The supports are written into ``out`` (:class:`Answers`) end to end, and the number of pairs
    done is returned: fewer than asked for when the room for supports ran out.
    """
    n_dims = points.float64.shape[1]
    spot = 0
    for k in range(first.shape[0]):
        if spot + n_dims + 3 > out.row.shape[0]:
            return k
        a = first[k]
        b = second[k]
        work.n_working[0] = 0
        status, lower, upper = nearest(
            points, rows[start[a] : start[a + 1]], rows[start[b] : start[b + 1]], work, question
        )
        out.status[k] = status
        out.lower[k] = lower
        out.upper[k] = upper
        for side in range(2):
            for m in range(work.n_working[0]):
                if work.side[m] == side:
                    out.row[spot] = work.row[m]
                    out.weight[spot] = work.weight[m]
                    spot += 1
            if side == 0:
                out.middle[k] = spot
        out.end[k] = spot
    return first.shape[0]
