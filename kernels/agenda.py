"""The agenda of merging: what to check next, and what is known of the state it is in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geoprobe.kernels.jit import inner, kernel
from geoprobe.kernels.nearest import most_candidates
from geoprobe.kernels.state import Agenda, Certificates, Prices

# Entries of `control`. Where merging is: EXTEND, it merges ahead; CHECK, it checks the state that
# it has come to.
PHASE = 0
EXTEND, CHECK = 0, 1
# How many merges may run ahead of the next check.
AHEAD = 1
# How many of the slots to check have been checked, and how many there are.
CHECKED, N_TO_CHECK = 2, 3
# Pairs exempt so far; where there are too many the oldest are forgotten.
N_EXEMPT = 4
# Merges that are final, and hulls solved for.
MERGES, SOLVES = 5, 6
# Counts the times that a pair was asked for.
CLOCK = 7
# Conflicts noted so far; where there are too many the oldest are forgotten.
N_CONFLICTS = 8
# Merges in the log, bans written, those in the log included.
N_MERGED, N_BANS = 9, 10
# Checks in a row that have found conflicts.
IN_A_ROW = 11
# The number of final merges from which on there is room for more directions.
LAY_OUT = 12
N_CONTROLS = 13

# Merges that may run ahead of a check.
FURTHEST = 4096


def allocate_certificates(number: int, n_dims: int) -> Certificates:
    """Return room for ``number`` certificates."""
    size = n_dims + 3
    return Certificates(
        slots=np.zeros((number, 2), np.int64),
        size=np.zeros(number, np.int64),
        row=np.zeros((number, size), np.int64),
        side=np.zeros((number, size), np.int64),
        weight=np.zeros((number, size)),
    )


def allocate_agenda(n_rows: int, precision: NDArray[np.float64]) -> Agenda:
    """Return an agenda that begins by running ahead.

    ``precision`` (n_dims, n_dims) is the inverse covariance of the points.
    """
    control = np.zeros(N_CONTROLS, np.int64)
    control[PHASE] = EXTEND
    control[AHEAD] = FURTHEST
    return Agenda(
        control=control,
        to_check=np.zeros(n_rows, np.int64),
        open_slots=np.zeros(n_rows, np.int64),
        rows_a=np.zeros(n_rows, np.int64),
        rows_b=np.zeros(n_rows, np.int64),
        prices=Prices(
            price=np.zeros(n_rows),
            candidates=np.zeros(most_candidates(len(precision)), np.int64),
            n_listed=np.zeros(1, np.int64),
            float32_first=np.zeros(1, np.bool_),
            last_look=np.zeros(1, np.bool_),
            error=np.zeros(1),
        ),
        exempt=np.full((256, 2), -1),
        success_rate=np.zeros((2, 2, 64), np.int64),
        precision=precision,
        scratch=np.zeros((2, len(precision))),
    )


@inner
def is_exempt(agenda, a, b):
    """Return whether the pair has been proved disjoint, and neither of the two has grown since."""
    for m in range(agenda.exempt.shape[0]):
        if agenda.exempt[m, 0] == a and agenda.exempt[m, 1] == b:
            return True
    return False


@kernel
def exempt(agenda, a, b):
    """Note that the pair has been proved disjoint."""
    spot = agenda.control[N_EXEMPT] % agenda.exempt.shape[0]
    agenda.exempt[spot, 0] = min(a, b)
    agenda.exempt[spot, 1] = max(a, b)
    agenda.control[N_EXEMPT] += 1


@inner
def forget_exempt(agenda, slot):
    """Forget what was proved about a slot that grows."""
    for m in range(agenda.exempt.shape[0]):
        if agenda.exempt[m, 0] == slot or agenda.exempt[m, 1] == slot:
            agenda.exempt[m, 0] = -1
