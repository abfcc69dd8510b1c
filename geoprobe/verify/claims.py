"""Verification of a measured geometry against the points, without anything that computed it.

Only NumPy is used here: neither the kernels nor a solver is imported.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geoprobe.arrays import as_labels, as_points
from geoprobe.errors import InputError, VerificationError
from geoprobe.geometry.measured import Geometry
from geoprobe.geometry.pairs import PairwiseDistances, Status
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.tolerances import checked_tau
from geoprobe.verify.centred import EPS, CentredPoints
from geoprobe.verify.certificates import (
    UPPER_TOLERANCE,
    Claim,
    Tick,
    check_blocks,
    check_distances,
    check_partition,
)
from geoprobe.verify.partition import (
    check_blocks_listed,
    check_centroids,
    check_clusters,
    check_counters,
    check_data,
    check_listed,
    check_spread,
)
from geoprobe.verify.predictions import check_consistent, check_nearest, check_test_data

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class Gap(NamedTuple):
    """The widest relative gap ``(upper - lower) / upper`` of pairs that do not overlap."""

    width: float
    row: int
    """Of its pair; -1 when all pairs overlap."""
    where: str


@dataclass(frozen=True)
class VerificationReport:
    """What was claimed and checked, all of it with success.

    Attributes
    ----------
    where : str
        What was verified, such as a folder.
    claims : dict of str to value
        What the geometry says: clusters, whether it is linear, tau, accuracy.
    checks : tuple of (str, int)
        Each kind of check, and how many were made.
    unproved : tuple of str
        Pairs of labels of which nothing was claimed but two bounds, by their names.
    worst_gap : float
        The largest relative width ``(upper - lower) / upper`` of the bounds of a pair that does not
        overlap.
    tolerance : float
        How far a stated length may be from the one computed here, in the units of the points.
    rounding : float
        How far float64 arithmetic may put a margin off, in the units of the points.
    seconds : float
        How long it took.
    """

    where: str
    claims: dict[str, Any]
    checks: tuple[tuple[str, int], ...]
    unproved: tuple[str, ...]
    worst_gap: float
    tolerance: float
    rounding: float
    seconds: float

    @property
    def n_unproved(self) -> int:
        """The number of pairs of labels of which nothing was claimed but two bounds."""
        return len(self.unproved)

    @property
    def n_checks(self) -> int:
        """The number of checks of all kinds."""
        return sum(number for _, number in self.checks)

    def about(self, where: str, checks: tuple[tuple[str, int], ...]) -> VerificationReport:
        """Return the report of something larger, with the further checks that were made of it."""
        return replace(self, where=where, checks=(*checks, *self.checks))


def verify_geometry(
    geometry: Geometry,
    points: Any,
    labels: Any,
    *,
    test_points: Any = None,
    test_labels: Any = None,
    max_gap: float | None = None,
    where: str = "the geometry",
    progress: ProgressCallback | None = None,
) -> VerificationReport:
    """Check every claim and certificate of a geometry against the data.

    Parameters
    ----------
    geometry : Geometry
        With fingerprints, as :func:`geoprobe.probes.measure` makes it.
    points : array-like, shape (n_points, n_dims)
    labels : array-like, shape (n_points,)
    test_points : array-like, shape (n_test_points, n_dims), optional
        Predictions are computed again where the test points are given; else they are only checked
        for consistency, and the geometry of the test space is not checked.
    test_labels : array-like, shape (n_test_points,), optional
    max_gap : float, optional
        The largest relative gap of two bounds to accept; by default what rounding explains.
    where : str
        What to call the geometry in errors, such as its file.
    progress : callable, optional
        Called with a :class:`geoprobe.progress.Progress` now and then.

    Returns
    -------
    VerificationReport

    Raises
    ------
    VerificationError
        At the first thing that does not hold, naming pair, row and value.
    InputError
        If the points or labels cannot be used.
    """
    began = time.perf_counter()
    g = geometry
    if max_gap is not None and not 0.0 <= max_gap <= 1.0:
        raise InputError(f"max_gap must lie between 0 and 1, but it is {max_gap!r}.")
    data = as_points(points)
    classes, narrow = as_labels(labels, len(data))
    codes = narrow.astype(np.int64)
    try:
        checked_tau(g.tau)
    except InputError as error:
        raise VerificationError(f"{where}: {error}") from error
    checks = [
        ("data", check_data(g, data, classes, codes, where)),
        ("centroids", check_centroids(g, data, codes, where)),
    ]
    if spreads := check_spread(g, data, codes, where):
        checks.append(("spreads of labels", spreads))
    of_labels = CentredPoints(data, codes, g.n_labels)
    _check_scale(g, of_labels, where)
    checks.append(("tau and scale", 2))
    alone = np.arange(g.n_labels)
    claim = Claim(f"{where}, distances of labels", g.labels)
    tick = _tick(progress, "distances of labels")
    gaps = [_check_pairs(g.hulls, alone, of_labels, claim, max_gap, tick)]
    checks += _by_status(g.hulls, "pairs of labels")
    if g.clusters is not None:
        of_clusters, gap = _check_clustering(g, data, codes, max_gap, where, progress)
        checks += of_clusters
        gaps.append(gap)
    if g.predictions is not None:
        place = f"{where}, predictions"
        consistent = check_consistent(g, g.predictions, place)
        checks.append(("predictions consistent with the clusters", consistent))
    if test_points is not None:
        checks += _check_test(g, data, test_points, test_labels, max_gap, where, progress)
    worst = max(gaps, key=lambda gap: gap.width)
    return VerificationReport(
        where=where,
        claims=_claims(g, worst),
        checks=tuple((what, number) for what, number in checks if number),
        unproved=_unproved(g),
        worst_gap=worst.width,
        tolerance=UPPER_TOLERANCE * of_labels.radius + of_labels.rounding,
        rounding=of_labels.rounding,
        seconds=time.perf_counter() - began,
    )


def _check_clustering(
    g: Geometry,
    data: NDArray[Any],
    codes: IntArray,
    max_gap: float | None,
    where: str,
    progress: ProgressCallback | None,
) -> tuple[list[tuple[str, int]], Gap]:
    """Check that the clusters are a partition, apart from each other, and that none could merge.

    Of a partition that was given only the first is claimed.
    """
    c = g.need_clusters()
    checks = [("points in their cluster", check_clusters(c, codes, g.labels, where))]
    own = CentredPoints(data, c.assignment, len(c))
    names = tuple(f"cluster {k} of {g.labels[label]!r}" for k, label in enumerate(c.label))
    claim = Claim(f"{where}, distances of clusters", names)
    if (c.distances.tau, c.distances.scale) != (g.tau, g.scale):
        raise VerificationError(
            f"{claim.where}: tau and R are {c.distances.tau!r} and {c.distances.scale!r}, but "
            f"those of the labels are {g.tau!r} and {g.scale!r}."
        )
    if not c.fixed:
        check_partition(c.distances, own, claim)
    gap = Gap(0.0, -1, claim.where)
    if c.distances is not g.hulls:
        tick = _tick(progress, "distances of clusters")
        gap = _check_pairs(c.distances, c.label, own, claim, max_gap, tick)
        checks += _by_status(c.distances, "pairs of clusters")
    if c.fixed:
        return checks, gap
    checks.append(("counters", check_counters(g, data, codes, where)))
    listed = check_blocks_listed(c, g.labels, f"{where}, blocks")
    check_blocks(c.blocks, own, g.tau * g.scale, f"{where}, blocks", _tick(progress, "blocks"))
    checks.append(("pairs of clusters that cannot merge", listed))
    return checks, gap


def _check_test(
    g: Geometry,
    data: NDArray[Any],
    test_points: Any,
    test_labels: Any,
    max_gap: float | None,
    where: str,
    progress: ProgressCallback | None,
) -> list[tuple[str, int]]:
    """Compute predictions again, and check the test space where it was measured by itself."""
    checks = []
    points = as_points(test_points, name="test_points")
    labels = None
    if test_labels is not None:
        classes, codes = as_labels(test_labels, len(points), name="test_labels")
        labels = classes[codes]
    if g.predictions is not None:
        place = f"{where}, predictions"
        checks.append(("test data", check_test_data(g.predictions, points, labels, place)))
        nearest = check_nearest(g, g.predictions, data, points, place, progress)
        checks.append(("predictions computed again", nearest))
    if g.test is not None and labels is not None:
        report = verify_geometry(
            g.test, points, labels, max_gap=max_gap, where=f"{where}, test space", progress=progress
        )
        checks.append(("checks of the test space", report.n_checks))
    return checks


def _check_pairs(
    pairs: PairwiseDistances,
    groups: IntArray,
    points: CentredPoints,
    claim: Claim,
    max_gap: float | None,
    tick: Tick,
) -> Gap:
    """Check the pairs of labels or of clusters, and how wide their bounds are apart.

    ``groups`` has the label of each label or cluster.
    """
    check_listed(pairs, groups, claim.names, claim.where)
    check_distances(pairs, points, claim, tick)
    return _check_gaps(pairs, points, claim, max_gap)


def _tick(progress: ProgressCallback | None, phase: str) -> Tick:
    def tick(done: int, total: int) -> None:
        if progress is not None:
            progress(Progress(f"verifying {phase}", done, total))

    return tick


def _check_scale(g: Geometry, points: CentredPoints, where: str) -> None:
    """Check R against the points."""
    if not abs(g.scale - points.radius) <= 1e-12 * points.radius + points.rounding:
        raise VerificationError(
            f"{where}: R is {g.scale!r}, but the largest distance of a point to the mean is "
            f"{points.radius!r}."
        )


def _check_gaps(
    pairs: PairwiseDistances, points: CentredPoints, claim: Claim, max_gap: float | None
) -> Gap:
    """Refuse bounds further apart than asked for, or than rounding explains."""
    apart = np.flatnonzero(pairs.status != Status.OVERLAP)
    if len(apart) == 0:
        return Gap(0.0, -1, claim.where)
    lower, upper = pairs.lower[apart], pairs.upper[apart]
    width = np.maximum(upper - lower, 0.0) / upper
    reach = points.reach[pairs.first[apart]] + points.reach[pairs.second[apart]]
    allowed = np.full(len(upper), max_gap)
    if max_gap is None:
        allowed = _explained(upper, reach, points.radius)
    wide = np.flatnonzero(width > allowed)
    if len(wide):
        k = int(wide[np.argmax(width[wide])])
        raise VerificationError(
            f"{claim.pair(pairs, int(apart[k]))}: the bounds {float(lower[k])!r} and "
            f"{float(upper[k])!r} are {float(width[k]):.2g} apart, relatively, and rounding "
            f"explains {float(allowed[k]):.2g}; max_gap accepts more."
        )
    worst = int(np.argmax(width))
    return Gap(float(width[worst]), int(apart[worst]), claim.where)


def _explained(upper: FloatArray, reach: FloatArray, radius: float) -> FloatArray:
    """Return the relative gap that rounding explains, shape (n_pairs,).

    Coordinates are rounded by about ``EPS * radius``, which turns a hyperplane by that over
    ``upper``; the turn moves its margin by as much of the ``reach`` of the two groups.
    """
    relative: FloatArray = 64 * EPS * (radius / upper) * (1 + reach / upper)
    return 1e-7 + relative


def _by_status(pairs: PairwiseDistances, what: str) -> list[tuple[str, int]]:
    count = np.bincount(pairs.status, minlength=3)
    return [
        (f"{what} disjoint, both bounds hold", int(count[Status.DISJOINT])),
        (f"{what} overlapping", int(count[Status.OVERLAP])),
        (f"{what} left unproved, both bounds hold", int(count[Status.UNPROVED])),
    ]


def _unproved(g: Geometry) -> tuple[str, ...]:
    """Name the pairs of labels that are left unproved."""
    rows = np.flatnonzero(g.hulls.status == Status.UNPROVED).tolist()
    return tuple(f"{g.labels[g.hulls.first[k]]} and {g.labels[g.hulls.second[k]]}" for k in rows)


def _claims(g: Geometry, worst: Gap) -> dict[str, Any]:
    claims: dict[str, Any] = {
        "data": str(g.cell) if g.cell.model else g.cell.task,
        "points": g.n_units,
        "labels": g.n_labels,
        "clusters": None if g.clusters is None else len(g.clusters),
        "linear": g.is_linear,
        "tau": g.tau,
        "scale": g.scale,
        "largest_gap": worst.width,
    }
    if g.predictions is not None:
        claims["accuracy"] = g.predictions.accuracy
        claims["test_points"] = len(g.predictions)
    return claims
