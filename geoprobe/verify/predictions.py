"""Checks of predictions: the nearest cluster of every test point, computed again in plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import VerificationError
from geoprobe.geometry.fingerprints import hash_labels, hash_points
from geoprobe.geometry.measured import Geometry, Predictions
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.verify.centred import EPS
from geoprobe.verify.point_to_hull import Hull
from geoprobe.verify.wording import compare, first_true

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

RELATIVE = 1e-9
"""How far a stated distance may be from the one computed here, as a share of it."""
ABSOLUTE = 1e-10
"""The same in units of R, for distances near 0."""
TURN = 8 * EPS
"""Two bounds may be this over their length apart, in units of R: so far a short normal turns."""


def check_consistent(g: Geometry, p: Predictions, where: str) -> int:
    """Check what needs no points: that names, predictions and clusters fit together."""
    label = g.need_clusters().label
    if p.names[: g.n_labels] != g.labels or len(set(p.names)) != len(p.names):
        raise VerificationError(f"{where}: the names of the labels are not those of the space.")
    met = {p.names[k] for k in p.true[p.true >= g.n_labels].tolist()}
    if not met == set(p.names[g.n_labels :]) == set(p.unseen) or len(met) != len(p.unseen):
        raise VerificationError(
            f"{where}: the unseen labels are not the labels of test points that training lacks."
        )
    if (row := first_true(p.predicted != label[p.cluster])) is not None:
        raise VerificationError(
            f"{where}, row {row}: {p.names[p.predicted[row]]!r} is predicted, but cluster "
            f"{p.cluster[row]} is of {g.labels[label[p.cluster[row]]]!r}."
        )
    if (row := first_true(~(p.distance >= 0))) is not None:
        raise VerificationError(f"{where}, row {row}: the distance is {float(p.distance[row])!r}.")
    return len(p)


def check_test_data(
    p: Predictions, points: NDArray[Any], labels: NDArray[Any] | None, where: str
) -> int:
    """Check that the test points given are those that were predicted."""
    stated: list[tuple[str, Any, Any]] = [
        ("number of test points", len(p), len(points)),
        ("hash of the test points", p.fingerprints.get("points"), hash_points(points)),
    ]
    if labels is not None:
        true = [str(label) for label in labels.tolist()]
        stated += [
            ("hash of the test labels", p.fingerprints.get("labels"), hash_labels(labels)),
            ("list of true labels", [p.names[k] for k in p.true.tolist()], true),
        ]
    return compare(stated, where)


def _check_zeros(p: Predictions, stated: FloatArray, limit: FloatArray, where: str) -> None:
    """Check that distances within ``tau * R`` are stated as 0."""
    if (row := first_true((stated > 0.0) & (stated < limit))) is not None:
        raise VerificationError(
            f"{where}, row {row}: the distance is {float(p.distance[row])!r}, but distances up to "
            f"tau * R count as 0."
        )


def check_nearest(
    g: Geometry,
    p: Predictions,
    points: NDArray[Any],
    test_points: NDArray[Any],
    where: str,
    progress: ProgressCallback | None = None,
) -> int:
    """Prove for every test point that no hull is nearer than the one named.

    Distances up to ``tau * R`` count as 0, and of equal distances the smaller cluster is named.

    Returns
    -------
    int
        The number of test points.
    """
    clusters = g.need_clusters()
    unit = g.scale or 1.0
    centre = points.mean(axis=0, dtype=np.float64)
    scaled = (points.astype(np.float64) - centre) / unit
    queries = (test_points.astype(np.float64) - centre) / unit
    stated = p.distance / unit
    limit = g.tau if g.scale else 0.0
    far = np.maximum(1.0, np.linalg.norm(queries, axis=1))
    room = RELATIVE * stated + ABSOLUTE * far
    _check_zeros(p, stated, limit - room, where)
    for k in range(len(clusters)):
        hull = Hull(scaled[clusters.assignment == k])
        own = np.flatnonzero(p.cluster == k)
        for row in own.tolist():
            lower, upper = hull.distance(queries[row])
            decided = upper - lower <= room[row] + TURN * far[row] ** 2 / upper
            inside = stated[row] == 0.0 and lower <= limit + room[row]
            between = lower - room[row] <= stated[row] <= upper + room[row]
            if not (decided and (inside or between)):
                raise VerificationError(
                    f"{where}, row {row}: the distance to cluster {k} is "
                    f"{float(p.distance[row])!r}, but it lies between {lower * unit!r} and "
                    f"{upper * unit!r}."
                )
        others = np.flatnonzero(p.cluster != k)
        # A cluster with a smaller number is named wherever it is inside as well.
        wanted = np.where((stated[others] == 0.0) & (k < p.cluster[others]), limit, stated[others])
        turn = TURN * far[others] ** 2 / np.maximum(wanted, limit or 1.0)
        wanted = wanted - room[others] - turn
        bound = hull.lower_bounds(queries[others])
        for at in np.flatnonzero(bound < wanted).tolist():
            row = int(others[at])
            lower, upper = hull.distance(queries[row], enough=float(wanted[at]))
            if lower < wanted[at]:
                raise VerificationError(
                    f"{where}, row {row}: cluster {p.cluster[row]} is named at the distance "
                    f"{float(p.distance[row])!r}, but cluster {k} is between {lower * unit!r} and "
                    f"{upper * unit!r} away."
                )
        if progress is not None:
            progress(Progress("verifying predictions", k + 1, len(clusters)))
    return len(p)
