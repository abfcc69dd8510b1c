"""Whether every bound and every block follows from its convex weights and the points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import VerificationError
from geoprobe.geometry.normals import best_normal
from geoprobe.results.layout import (
    BLOCKS,
    CERTIFICATES,
    CLUSTERS,
    DISJOINT,
    DISTANCES,
    OVERLAP,
    STATUS_NAMES,
    SUMMARY,
    UNPROVED,
)
from geoprobe.results.tabled import Tabled
from geoprobe.results.verify_geometry import EPS, Geometry, batches

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
Tick = Callable[[str, int, int], None]

WEIGHT_TOLERANCE = 1e-12
"""How far the weights of one side may be from the sum 1."""
UPPER_TOLERANCE = 4e-12
"""Of R: what weights within that tolerance can change in a length, and some room."""
LOWER_TOLERANCE = 1e-9
"""Of R: how much weaker than its certificate a lower bound may be stated."""


@dataclass(frozen=True)
class Widths:
    """Relative widths of the bounds of the disjoint pairs.

    Attributes
    ----------
    worst : float
        The largest ``(upper - lower) / upper``.
    row : int
        Row of ``distances.csv``, counted from 0; -1 when no pair is disjoint.
    """

    worst: float
    row: int


def check_scale(t: Tabled, geometry: Geometry) -> int:
    """Check tau, and R against the points."""
    path = t.folder / SUMMARY
    tau, scale = float(t.summary["tau"]), float(t.summary["scale"])
    if not (np.isfinite(tau) and tau >= 0):
        raise VerificationError(f'{path}: "tau" is {tau!r}, but should be a number from 0 on.')
    if not abs(scale - geometry.radius) <= 1e-12 * geometry.radius + geometry.rounding:
        raise VerificationError(
            f'{path}: "scale" is {scale!r}, but the largest distance of a point to the mean is '
            f"{geometry.radius!r}."
        )
    return 2


def check_weights(t: Tabled) -> int:
    """Check that all weights are convex: none negative, every sum 1."""
    path = t.folder / CERTIFICATES
    n_sides = 0
    for which, supports in (("distances", t.pair_supports), ("blocks", t.block_supports)):
        for side in "ab":
            start: IntArray = getattr(supports, f"start_{side}")
            weight: FloatArray = getattr(supports, f"weight_{side}")
            bad = np.flatnonzero(~(weight >= 0))
            if len(bad):
                at = int(bad[0])
                raise VerificationError(
                    f"{path}: {which}_weight_{side}[{at}] is {float(weight[at])!r}, but weights "
                    f"are not negative."
                )
            if len(weight):
                sums = np.add.reduceat(weight, start[:-1])
                off = np.flatnonzero(~(np.abs(sums - 1) <= WEIGHT_TOLERANCE))
                if len(off):
                    at = int(off[0])
                    raise VerificationError(
                        f"{path}: the weights of {which}, certificate {at}, side {side} sum to "
                        f"{float(sums[at])!r}, not 1."
                    )
            n_sides += len(start) - 1
    return n_sides


def check_distances(t: Tabled, geometry: Geometry, tick: Tick) -> Widths:
    """Check every row of ``distances.csv`` against its weights and all points of its clusters."""
    pairs, path = t.pairs, t.folder / DISTANCES
    _check_rows_of_pairs(t, geometry)
    limit = float(t.summary["tau"]) * float(t.summary["scale"])
    _check_statuses(t, limit)
    if t.summary["kind"] == "probe":
        _check_overlaps(t, geometry)
    total, n_dims = len(pairs.first), geometry.centred.shape[1]
    for part in batches(t.pair_supports, n_dims):
        difference = geometry.differences(t.pair_supports, part)
        length = _lengths(difference)
        _check_lengths(path, "upper", pairs.upper[part], length, geometry, part.start)
        with np.errstate(divide="ignore", invalid="ignore"):
            normals = difference / length[:, None]
        # Hulls that meet in one point have no normal; only a lower bound of 0 is right then.
        normals[length == 0] = 0.0
        margin = geometry.lowest(normals, pairs.first[part])
        margin += geometry.lowest(-normals, pairs.second[part])
        for k in np.flatnonzero(pairs.lower[part] > np.maximum(margin, 0.0)).tolist():
            margin[k] = max(margin[k], _upright_margin(t, geometry, part.start + k, difference[k]))
        _check_margins(path, pairs.lower[part], pairs.status[part], margin, length, geometry, part)
        tick("distances", part.stop, total)
    return _widths(pairs.status, pairs.lower, pairs.upper)


def _upright_margin(t: Tabled, geometry: Geometry, k: int, difference: FloatArray) -> float:
    """Return the margin of a hyperplane that stands upright on both faces of a certificate.

    Whatever the normal, the margin of all points is the proof.
    """
    if not difference.any():
        return 0.0
    supports, points = t.pair_supports, geometry.centred
    a, b = (
        points[index[start[k] : start[k + 1]]]
        for start, index in (
            (supports.start_a, supports.index_a),
            (supports.start_b, supports.index_b),
        )
    )
    first, second = (points[geometry.rows(int(c[k]))] for c in (t.pairs.first, t.pairs.second))
    _, low, high = best_normal(difference, first, second, a, b)
    return low - high


def check_blocks(t: Tabled, geometry: Geometry, tick: Tick) -> int:
    """Check that every union of two clusters of one label meets the blocker named."""
    blocks, path = t.blocks, t.folder / BLOCKS
    _check_rows_of_blocks(t, geometry)
    limit = float(t.summary["tau"]) * float(t.summary["scale"])
    n_certificates = len(t.block_supports)
    length = np.empty(n_certificates)
    for part in batches(t.block_supports, geometry.centred.shape[1]):
        length[part] = _lengths(geometry.differences(t.block_supports, part))
        tick("blocks", part.stop, n_certificates)
    bad = np.flatnonzero(~((blocks.gap >= 0) & (blocks.gap <= limit)))
    if len(bad):
        at = int(bad[0])
        raise VerificationError(
            f"{path}, line {at + 2}: gap is {float(blocks.gap[at])!r}, but should lie between 0 "
            f"and tau * scale, {limit!r}."
        )
    _check_lengths(path, "gap", blocks.gap, length[blocks.certificate], geometry, 0)
    return len(blocks.first)


def _check_rows_of_pairs(t: Tabled, geometry: Geometry) -> None:
    """Check that the rows of each side lie in the cluster of that side."""
    for side, clusters in (("a", t.pairs.first), ("b", t.pairs.second)):
        start: IntArray = getattr(t.pair_supports, f"start_{side}")
        index: IntArray = getattr(t.pair_supports, f"index_{side}")
        wanted = np.repeat(clusters, np.diff(start))
        bad = np.flatnonzero(geometry.assignment[index] != wanted)
        if len(bad):
            at = int(bad[0])
            row = int(np.searchsorted(start, at, side="right")) - 1
            raise VerificationError(
                f"{t.folder / CERTIFICATES}: the certificate of {DISTANCES}, line {row + 2}, puts "
                f"weight on row {index[at]} of cluster {geometry.assignment[index[at]]}, not of "
                f"cluster {wanted[at]}."
            )


def _check_rows_of_blocks(t: Tabled, geometry: Geometry) -> None:
    """Check that first sides lie in the two clusters and second sides in the blocker."""
    s, b = t.block_supports, t.blocks
    if len(s) == 0:
        return
    cluster_a, cluster_b = geometry.assignment[s.index_a], geometry.assignment[s.index_b]
    low_a, high_a = _extremes(cluster_a, s.start_a)
    low_b, high_b = _extremes(cluster_b, s.start_b)
    n_a = np.diff(s.start_a)
    third = (cluster_a != np.repeat(low_a, n_a)) & (cluster_a != np.repeat(high_a, n_a))
    # A first side that touches three clusters lies in no pair: any row outside its two extremes
    # condemns the certificate.
    mixed = np.add.reduceat(third.astype(np.int64), s.start_a[:-1]) > 0
    k = b.certificate
    in_pair = ((low_a[k] == b.first) | (low_a[k] == b.second)) & (
        (high_a[k] == b.first) | (high_a[k] == b.second)
    )
    wrong = np.flatnonzero(mixed[k] | ~in_pair | (low_b[k] != b.blocker) | (high_b[k] != b.blocker))
    if len(wrong):
        at = int(wrong[0])
        side_a = slice(int(s.start_a[k[at]]), int(s.start_a[k[at] + 1]))
        side_b = slice(int(s.start_b[k[at]]), int(s.start_b[k[at] + 1]))
        raise VerificationError(
            f"{t.folder / CERTIFICATES}: certificate {k[at]} of {BLOCKS}, line {at + 2}, puts "
            f"weight on points of the clusters {np.unique(cluster_a[side_a]).tolist()} and "
            f"{np.unique(cluster_b[side_b]).tolist()}, but should do so in {b.first[at]} and "
            f"{b.second[at]}, and in {b.blocker[at]}."
        )


def _extremes(clusters: IntArray, start: IntArray) -> tuple[IntArray, IntArray]:
    """Return the smallest and largest cluster of each certificate's rows."""
    return (
        np.minimum.reduceat(clusters, start[:-1]),
        np.maximum.reduceat(clusters, start[:-1]),
    )


def _check_statuses(t: Tabled, limit: float) -> None:
    """Check that each status is what the two bounds say."""
    p = t.pairs
    holds = np.empty(len(p.status), dtype=np.bool_)
    for status, rule in (
        (DISJOINT, p.lower > limit),
        (OVERLAP, p.upper <= limit),
        (UNPROVED, (p.lower <= limit) & (p.upper > limit)),
    ):
        holds = np.where(p.status == status, rule, holds)
    bad = np.flatnonzero(~(holds & (p.lower >= 0)))
    if len(bad):
        at = int(bad[0])
        raise VerificationError(
            f"{t.folder / DISTANCES}, line {at + 2}: the status is "
            f"{STATUS_NAMES[p.status[at]]!r}, but the bounds are {float(p.lower[at])!r} and "
            f"{float(p.upper[at])!r} and tau * scale is {limit!r}."
        )


def _check_overlaps(t: Tabled, geometry: Geometry) -> None:
    """Check that clusters of a partition overlap only where equal vectors force them to.

    A cluster of several vectors came from a merge, which no other label may stand in the way of.
    """
    overlap = np.flatnonzero(t.pairs.status == OVERLAP)
    if len(overlap) == 0:
        return
    single = geometry.single_vector_clusters()
    wrong = overlap[~(single[t.pairs.first[overlap]] & single[t.pairs.second[overlap]])]
    if len(wrong):
        at = int(wrong[0])
        raise VerificationError(
            f"{t.folder / DISTANCES}, line {at + 2}: the clusters {t.pairs.first[at]} and "
            f"{t.pairs.second[at]} overlap, but {CLUSTERS} says that they are a partition; only "
            f"single vectors may coincide."
        )


def _lengths(vectors: FloatArray) -> FloatArray:
    """Return Euclidean lengths, shape (n_vectors,), of vectors however large or small."""
    largest = np.abs(vectors).max(axis=1)
    unit = np.where(largest > 0, largest, 1.0)
    scaled = vectors / unit[:, None]
    lengths: FloatArray = np.sqrt(np.einsum("ij,ij->i", scaled, scaled)) * unit
    return lengths


def _check_lengths(
    path: Path, name: str, stated: FloatArray, length: FloatArray, geometry: Geometry, begin: int
) -> None:
    """Check stated lengths between convex combinations."""
    room = UPPER_TOLERANCE * geometry.radius + geometry.rounding
    off = np.flatnonzero(~(np.abs(stated - length) <= room))
    if len(off):
        at = int(off[0])
        raise VerificationError(
            f"{path}, line {begin + at + 2}: {name} is {float(stated[at])!r}, but its convex "
            f"weights give {float(length[at])!r}."
        )


def _check_margins(
    path: Path,
    lower: FloatArray,
    status: IntArray,
    margin: FloatArray,
    length: FloatArray,
    geometry: Geometry,
    part: slice,
) -> None:
    """Check stated lower bounds against the margins of the hyperplanes."""
    # The direction of a short vector is only as certain as its rounding error is small beside it,
    # and a turn of the hyperplane moves points at the distance R.
    with np.errstate(divide="ignore"):
        turn = 2 * EPS * geometry.radius * (geometry.radius / length)
    room = geometry.rounding + turn
    too_high = ~(margin + room >= lower)
    # Bounds that are no better than 0 need no proof.
    too_high &= lower > 0
    meets = (status == DISJOINT) & ~(margin > geometry.rounding)
    too_low = (status == DISJOINT) & (lower < margin - room - LOWER_TOLERANCE * geometry.radius)
    bad = np.flatnonzero(too_high | meets | too_low)
    if len(bad):
        at = int(bad[0])
        raise VerificationError(
            f"{path}, line {part.start + at + 2}: lower is {float(lower[at])!r}, but the "
            f"hyperplane across the convex combinations leaves a margin of {float(margin[at])!r}."
        )


def _widths(status: IntArray, lower: FloatArray, upper: FloatArray) -> Widths:
    disjoint = np.flatnonzero(status == DISJOINT)
    if len(disjoint) == 0:
        return Widths(0.0, -1)
    width = (upper[disjoint] - lower[disjoint]) / upper[disjoint]
    at = int(np.argmax(width))
    return Widths(max(0.0, float(width[at])), int(disjoint[at]))
