"""Checks of every bound and every block against its convex weights and all points."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import VerificationError
from geoprobe.geometry.clusters import Blocks
from geoprobe.geometry.normals import best_normal
from geoprobe.geometry.pairs import PairwiseDistances, Status, Supports
from geoprobe.verify.centred import EPS, CentredPoints, batches
from geoprobe.verify.wording import first_true

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
Tick = Callable[[int, int], None]

WEIGHT_TOLERANCE = 1e-12
"""How far the weights of one side may be from the sum 1."""
UPPER_TOLERANCE = 4e-12
"""Of R: what weights within that tolerance can change in a length, and some room."""
LOWER_TOLERANCE = 1e-9
"""Of R: how much weaker than its certificate a lower bound may be stated."""


class Claim(NamedTuple):
    """Where pairs stand that are checked, in the words of an error."""

    where: str
    """The file, and what in it."""
    names: tuple[str, ...]
    """What each group is called."""

    def pair(self, pairs: PairwiseDistances, k: int) -> str:
        """Name one pair."""
        first, second = int(pairs.first[k]), int(pairs.second[k])
        return f"{self.where}, row {k} ({self.names[first]} and {self.names[second]})"


def check_weights(supports: Supports, where: str) -> int:
    """Check that all weights are convex: none negative, every sum 1; return the sides checked."""
    for side in "ab":
        start: IntArray = getattr(supports, f"start_{side}")
        weight: FloatArray = getattr(supports, f"weight_{side}")
        if (at := first_true(~(weight >= 0))) is not None:
            k = int(np.searchsorted(start, at, side="right")) - 1
            raise VerificationError(
                f"{where}, row {k}: a weight is {float(weight[at])!r}, but weights are not "
                f"negative."
            )
        if len(weight):
            sums = np.add.reduceat(weight, start[:-1])
            if (row := first_true(~(np.abs(sums - 1) <= WEIGHT_TOLERANCE))) is not None:
                raise VerificationError(
                    f"{where}, row {row}: the weights of side {side} sum to {float(sums[row])!r}, "
                    f"not 1."
                )
    return 2 * len(supports)


def check_distances(
    pairs: PairwiseDistances, points: CentredPoints, claim: Claim, tick: Tick
) -> None:
    """Check every pair against its weights and all points of its two groups.

    Parameters
    ----------
    pairs : PairwiseDistances
    points : CentredPoints
        Whose assignment is that of the groups of ``pairs``.
    claim : Claim
    tick : callable
        Takes pairs done and their number.
    """
    check_weights(pairs.supports, claim.where)
    _check_rows_of_pairs(pairs, points, claim)
    _check_statuses(pairs, claim)
    n_dims = points.centred.shape[1]
    for part in batches(pairs.supports, n_dims):
        difference = points.differences(pairs.supports, part)
        length = vector_lengths(difference)
        _check_lengths("upper", pairs.upper[part], length, points, part.start, claim.where)
        with np.errstate(divide="ignore", invalid="ignore"):
            normals = difference / length[:, None]
        # Hulls that meet in one point have no normal; only a lower bound of 0 is right then.
        normals[length == 0] = 0.0
        margin = points.lowest(normals, pairs.first[part])
        margin += points.lowest(-normals, pairs.second[part])
        for k in np.flatnonzero(pairs.lower[part] > np.maximum(margin, 0.0)).tolist():
            face = _face_margin(pairs, points, part.start + k, difference[k])
            margin[k] = max(margin[k], face)
        _check_margins(pairs, margin, length, points, part, claim)
        tick(part.stop, len(pairs))


def check_partition(pairs: PairwiseDistances, points: CentredPoints, claim: Claim) -> None:
    """Check that clusters are proved apart, but for equal vectors of different labels.

    A cluster of several vectors came from a merge, which no other label may stand in the way of;
    and a fit ends with an error rather than leave a pair unproved.
    """
    if (k := first_true(pairs.status == Status.UNPROVED)) is not None:
        raise VerificationError(
            f"{claim.pair(pairs, k)}: the pair is unproved, but clusters are a "
            f"partition only where every pair is proved."
        )
    overlap = pairs.status == Status.OVERLAP
    if not overlap.any():
        return
    single = points.single_vector_clusters()
    k = first_true(overlap & ~(single[pairs.first] & single[pairs.second]))
    if k is not None:
        raise VerificationError(
            f"{claim.pair(pairs, k)}: the clusters overlap, but they are said to be a "
            f"partition; only single vectors may coincide."
        )


def check_blocks(
    blocks: Blocks, points: CentredPoints, limit: float, where: str, tick: Tick
) -> int:
    """Check that every union of two clusters of one label meets the blocker named.

    Parameters
    ----------
    blocks : Blocks
    points : CentredPoints
        Whose assignment is that of the clusters.
    limit : float
        ``tau * R``.
    where : str
    tick : callable
    """
    check_weights(blocks.supports, where)
    _check_rows_of_blocks(blocks, points, where)
    n_certificates = len(blocks.supports)
    length = np.empty(n_certificates)
    for part in batches(blocks.supports, points.centred.shape[1]):
        length[part] = vector_lengths(points.differences(blocks.supports, part))
        tick(part.stop, n_certificates)
    if (k := first_true(~((blocks.gap >= 0) & (blocks.gap <= limit)))) is not None:
        raise VerificationError(
            f"{where}, row {k}: gap is {float(blocks.gap[k])!r}, but should lie between 0 and "
            f"tau * R, {limit!r}."
        )
    _check_lengths("gap", blocks.gap, length[blocks.certificate], points, 0, where)
    return len(blocks)


def _face_margin(
    pairs: PairwiseDistances, points: CentredPoints, k: int, difference: FloatArray
) -> float:
    """Return the margin of the hyperplane normal to both faces of a certificate.

    Whatever the normal, the margin of all points is the proof.
    """
    if not difference.any():
        return 0.0
    centred = points.centred
    a, b = (centred[pairs.supports.side_a(k)[0]], centred[pairs.supports.side_b(k)[0]])
    first, second = (centred[points.rows(int(c[k]))] for c in (pairs.first, pairs.second))
    _, low, high = best_normal(difference, first, second, a, b)
    return low - high


def _check_rows_of_pairs(pairs: PairwiseDistances, points: CentredPoints, claim: Claim) -> None:
    """Check that the rows of each side lie in the group of that side."""
    for side, groups in (("a", pairs.first), ("b", pairs.second)):
        start: IntArray = getattr(pairs.supports, f"start_{side}")
        index: IntArray = getattr(pairs.supports, f"index_{side}")
        wanted = np.repeat(groups, np.diff(start))
        if (at := first_true(points.assignment[index] != wanted)) is not None:
            k = int(np.searchsorted(start, at, side="right")) - 1
            own = claim.names[int(points.assignment[index[at]])]
            raise VerificationError(
                f"{claim.pair(pairs, k)}: the certificate puts weight on row {index[at]} of the "
                f"data, which belongs to {own}."
            )


def _check_rows_of_blocks(blocks: Blocks, points: CentredPoints, where: str) -> None:
    """Check that first sides lie in the two clusters and second sides in the blocker."""
    s = blocks.supports
    if len(s) == 0:
        return
    cluster_a, cluster_b = points.assignment[s.index_a], points.assignment[s.index_b]
    low_a, high_a = _extremes(cluster_a, s.start_a)
    low_b, high_b = _extremes(cluster_b, s.start_b)
    n_a = np.diff(s.start_a)
    third = (cluster_a != np.repeat(low_a, n_a)) & (cluster_a != np.repeat(high_a, n_a))
    # A first side that touches three clusters lies in no pair: any row outside its two extremes
    # condemns the certificate.
    mixed = np.add.reduceat(third.astype(np.int64), s.start_a[:-1]) > 0
    k = blocks.certificate
    in_pair = ((low_a[k] == blocks.first) | (low_a[k] == blocks.second)) & (
        (high_a[k] == blocks.first) | (high_a[k] == blocks.second)
    )
    elsewhere = (low_b[k] != blocks.blocker) | (high_b[k] != blocks.blocker)
    if (at := first_true(mixed[k] | ~in_pair | elsewhere)) is not None:
        rows_a, rows_b = s.side_a(int(k[at]))[0], s.side_b(int(k[at]))[0]
        raise VerificationError(
            f"{where}, row {at}: the certificate puts weight on points of the clusters "
            f"{np.unique(points.assignment[rows_a]).tolist()} and "
            f"{np.unique(points.assignment[rows_b]).tolist()}, but should do so in "
            f"{blocks.first[at]} and {blocks.second[at]}, and in {blocks.blocker[at]}."
        )


def _extremes(clusters: IntArray, start: IntArray) -> tuple[IntArray, IntArray]:
    """Return the smallest and largest cluster of each certificate's rows."""
    return (
        np.minimum.reduceat(clusters, start[:-1]),
        np.maximum.reduceat(clusters, start[:-1]),
    )


def _check_statuses(pairs: PairwiseDistances, claim: Claim) -> None:
    """Check that each status is what the two bounds say."""
    limit = pairs.tau * pairs.scale
    holds = np.zeros(len(pairs), dtype=np.bool_)
    for status, rule in (
        (Status.DISJOINT, pairs.lower > limit),
        (Status.OVERLAP, pairs.upper <= limit),
        (Status.UNPROVED, (pairs.lower <= limit) & (pairs.upper > limit)),
    ):
        holds = np.where(pairs.status == status, rule, holds)
    if (k := first_true(~(holds & (pairs.lower >= 0) & (pairs.lower <= pairs.upper)))) is not None:
        raise VerificationError(
            f"{claim.pair(pairs, k)}: the status is {Status(pairs.status[k]).name.lower()}, but "
            f"the bounds are {float(pairs.lower[k])!r} and {float(pairs.upper[k])!r} and tau * R "
            f"is {limit!r}."
        )


def vector_lengths(vectors: FloatArray) -> FloatArray:
    """Return Euclidean lengths, shape (n_vectors,), of vectors however large or small."""
    largest = np.abs(vectors).max(axis=1)
    unit = np.where(largest > 0, largest, 1.0)
    scaled = vectors / unit[:, None]
    lengths: FloatArray = np.sqrt(np.einsum("ij,ij->i", scaled, scaled)) * unit
    return lengths


def _check_lengths(
    name: str, stated: FloatArray, length: FloatArray, points: CentredPoints, begin: int, where: str
) -> None:
    """Check stated lengths between convex combinations."""
    room = UPPER_TOLERANCE * points.radius + points.rounding
    if (k := first_true(~(np.abs(stated - length) <= room))) is not None:
        raise VerificationError(
            f"{where}, row {begin + k}: {name} is {float(stated[k])!r}, but its convex weights "
            f"give {float(length[k])!r}."
        )


def _check_margins(
    pairs: PairwiseDistances,
    margin: FloatArray,
    length: FloatArray,
    points: CentredPoints,
    part: slice,
    claim: Claim,
) -> None:
    """Check stated lower bounds against the margins of the hyperplanes."""
    lower, status = pairs.lower[part], pairs.status[part]
    # The direction of a short vector is only as certain as its rounding error is small beside it,
    # and a turn of the hyperplane moves its margin by as much of the reach of the two groups.
    reach = points.reach[pairs.first[part]] + points.reach[pairs.second[part]]
    with np.errstate(divide="ignore", invalid="ignore"):
        turn = 2 * EPS * points.radius * (reach / length)
    room = points.rounding + turn
    too_high = ~(margin + room >= lower)
    # Bounds that are no better than 0 need no proof.
    too_high &= lower > 0
    meets = (status == Status.DISJOINT) & ~(margin > points.rounding)
    weak = margin - room - LOWER_TOLERANCE * points.radius
    too_low = (status == Status.DISJOINT) & (lower < weak)
    if (k := first_true(too_high | meets | too_low)) is not None:
        raise VerificationError(
            f"{claim.pair(pairs, part.start + k)}: lower is {float(lower[k])!r}, but the "
            f"hyperplane across the convex combinations leaves a margin of {float(margin[k])!r}."
        )
