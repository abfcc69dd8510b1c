"""The tolerance of every decision, in one place."""

from __future__ import annotations

from geoprobe.errors import InputError

TAU = 1e-7
"""Hulls at most ``TAU * R`` apart overlap; about the resolution of float32 vectors."""

SMALLEST_TAU = 1e-11
LARGEST_TAU = 1e-2


def checked_tau(tau: float) -> float:
    """Return ``tau`` as a float.

    Parameters
    ----------
    tau : float
        Share of the scale R below which a distance counts as overlap.

    Raises
    ------
    InputError
        If ``tau`` is no number between 1e-11 and 1e-2: below, rounding would decide; above, the
        answer would not be about the hulls any more.
    """
    try:
        value = float(tau)
    except (TypeError, ValueError):
        raise InputError(f"tau must be a number, but it is {tau!r}.") from None
    if not SMALLEST_TAU <= value <= LARGEST_TAU:
        raise InputError(
            f"tau must lie between {SMALLEST_TAU:g} and {LARGEST_TAU:g}, but it is {tau!r}."
        )
    return value
