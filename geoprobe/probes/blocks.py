"""Why clusters of one label stayed apart, and how much work a probe took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from geoprobe.hulls.results import Supports


@dataclass(frozen=True)
class Blocks:
    """Pairs of clusters of the same label, as columns, each with what stands in between.

    The hull of the two clusters of row ``k`` together meets the hull of ``blocker[k]``, a cluster
    of another label. Certificate ``certificate[k]`` of ``supports`` proves it; many rows may share
    one certificate.

    Attributes
    ----------
    first, second : ndarray of int64, shape (n_blocks,)
        Cluster ids, ``first < second``, in lexicographic order.
    blocker : ndarray of int64, shape (n_blocks,)
        Id of the cluster of another label.
    gap : ndarray of float64, shape (n_blocks,)
        Length between the two convex combinations, at most ``tau * scale``.
    certificate : ndarray of int64, shape (n_blocks,)
        Positions in ``supports``.
    supports : Supports
        Their first sides are rows of ``first`` and ``second``, their second sides rows of
        ``blocker``.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    blocker: NDArray[np.int64]
    gap: NDArray[np.float64]
    certificate: NDArray[np.int64]
    supports: Supports

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.first)


@dataclass(frozen=True)
class Counts:
    """How much was done and met on the way.

    Attributes
    ----------
    merges : int
        Pairs of clusters made one.
    bans : int
        Pairs of clusters found to have another label in between.
    solves : int
        Exact solves of two hulls by the compiled kernels.
    highs_calls : int
        Linear programs that HiGHS decided because the kernels could not.
    duplicate_points : int
        Points equal to an earlier point of the same label.
    contradictory_points : int
        Points at most ``tau * scale`` away from a point of another label.
    """

    merges: int
    bans: int
    solves: int
    highs_calls: int
    duplicate_points: int
    contradictory_points: int
