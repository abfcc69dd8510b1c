"""What merging has to check next, and what is known of the state it is in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geoprobe.kernels.jit import inner, kernel

# Entries of `control`.
(PHASE, AHEAD, TODO, N_TODO, N_EXEMPT, MERGES, BANS, SOLVES, STEPS, CLOCK, N_CONFLICTS) = range(11)
EXTEND, CHECK = 0, 1
# Merges that may run ahead of a check.
FURTHEST = 4096


class Certificates(NamedTuple):
    """Overlaps proved: convex weights on two sides, end to end."""

    slots: NDArray[np.int64]
    size: NDArray[np.int64]
    row: NDArray[np.int64]
    side: NDArray[np.int64]
    weight: NDArray[np.float64]


class Agenda(NamedTuple):
    """What is to be checked, and what the state has been found to allow."""

    control: NDArray[np.int64]
    todo: NDArray[np.int64]
    open: NDArray[np.int64]
    exempt: NDArray[np.int64]
    luck: NDArray[np.int64]
    precision: NDArray[np.float64]
    spare: NDArray[np.float64]


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
    control = np.zeros(11, np.int64)
    control[AHEAD] = FURTHEST
    return Agenda(
        control=control,
        todo=np.zeros(n_rows, np.int64),
        open=np.zeros(n_rows, np.int64),
        exempt=np.zeros((256, 2), np.int64),
        luck=np.zeros((2, 2, 64), np.int64),
        precision=precision,
        spare=np.zeros((2, len(precision))),
    )


@inner
def is_exempt(agenda, a, b):
    """Return whether this state's check has already proved the pair disjoint."""
    for m in range(min(agenda.control[N_EXEMPT], agenda.exempt.shape[0])):
        if agenda.exempt[m, 0] == a and agenda.exempt[m, 1] == b:
            return True
    return False


@kernel
def exempt(agenda, a, b):
    """Note that the pair has been proved disjoint in this state."""
    spot = agenda.control[N_EXEMPT] % agenda.exempt.shape[0]
    agenda.exempt[spot, 0] = min(a, b)
    agenda.exempt[spot, 1] = max(a, b)
    agenda.control[N_EXEMPT] += 1
