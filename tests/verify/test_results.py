"""Verification accepts what is right and refuses every value that is not."""

from __future__ import annotations

import dataclasses
import itertools
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from geoprobe.cli.geometry_summary import summarise_verification
from geoprobe.errors import InputError, VerificationError
from geoprobe.geometry import Cell, Geometry, PairwiseDistances, Status, Supports
from geoprobe.geometry.clusters import NO_BLOCKS, Clusters
from geoprobe.progress import Progress
from geoprobe.spaces import Space
from geoprobe.verify import verify_geometry
from geoprobe.verify.centred import CentredPoints
from tests.support.geometry_by_hand import (
    ASSIGNMENT,
    LABELS,
    POINTS,
    distances_by_hand,
    geometry_by_hand,
    pairs_of,
)


@pytest.fixture
def whole() -> Geometry:
    return geometry_by_hand(predictions=True)


def refused(geometry: Geometry, match: str | None = None, **options: Any) -> str:
    with pytest.raises(VerificationError, match=match) as caught:
        verify_geometry(geometry, POINTS, LABELS, **options)
    return str(caught.value)


def with_pairs(g: Geometry, which: str, **changes: Any) -> Geometry:
    """Change columns of the distances of labels or of clusters."""
    if which == "hulls":
        return dataclasses.replace(g, hulls=dataclasses.replace(g.hulls, **changes))
    return with_clusters(g, distances=dataclasses.replace(g.clusters.distances, **changes))


def with_clusters(g: Geometry, **changes: Any) -> Geometry:
    return dataclasses.replace(g, clusters=dataclasses.replace(g.clusters, **changes))


def pairs_in(g: Geometry, which: str) -> PairwiseDistances:
    return g.hulls if which == "hulls" else g.clusters.distances


def put(array: np.ndarray, at: int, value: Any) -> np.ndarray:
    changed = array.copy()
    changed[at] = value
    return changed


def test_a_right_geometry_passes(whole: Geometry) -> None:
    seen: list[Progress] = []
    report = verify_geometry(whole, POINTS, LABELS, progress=seen.append)
    checks = dict(report.checks)
    assert checks["pairs of labels overlapping"] == 2
    assert checks["pairs of labels disjoint, both bounds hold"] == 1
    assert checks["pairs of clusters disjoint, both bounds hold"] == 11
    assert checks["pairs of clusters overlapping"] == 1
    assert checks["pairs of clusters that cannot merge"] == 3
    assert report.n_checks == sum(checks.values())
    assert report.n_unproved == 0
    assert 0 <= report.worst_gap < 1e-12
    assert report.rounding < report.tolerance < 1e-9
    assert report.claims["clusters"] == 6
    assert report.claims["linear"] is False
    assert {step.phase for step in seen} == {
        "verifying distances of labels",
        "verifying distances of clusters",
        "verifying blocks",
    }
    assert all(0 <= step.done <= step.total for step in seen)


@pytest.mark.parametrize("which", ["hulls", "clusters"])
@pytest.mark.parametrize("column", ["lower", "upper", "status"])
def test_every_cell_of_the_distances_counts(whole: Geometry, which: str, column: str) -> None:
    cells = getattr(pairs_in(whole, which), column)
    for k, cell in enumerate(cells.tolist()):
        if column == "status":
            others = [status for status in Status if status != cell]
        else:
            others = [cell + 1e-6, cell - 1e-6, -cell - 1, 1e300]
        for other in others:
            message = refused(with_pairs(whole, which, **{column: put(cells, k, other)}))
            assert f"row {k} " in message or f"row {k}:" in message


@pytest.mark.parametrize("which", ["hulls", "clusters", "blocks"])
@pytest.mark.parametrize("side", ["a", "b"])
def test_every_weight_counts(whole: Geometry, which: str, side: str) -> None:
    weights = getattr(supports_in(whole, which), f"weight_{side}")
    for k, value in itertools.product(range(len(weights)), (-1e-9, 1e-9, 0.01, np.nan, np.inf)):
        changed = with_supports(whole, which, **{f"weight_{side}": put(weights, k, value)})
        assert "weight" in refused(changed)


@pytest.mark.parametrize("which", ["hulls", "clusters", "blocks"])
@pytest.mark.parametrize("side", ["a", "b"])
def test_every_row_of_a_certificate_counts(whole: Geometry, which: str, side: str) -> None:
    index = getattr(supports_in(whole, which), f"index_{side}")
    for k, row in itertools.product(range(len(index)), range(len(POINTS))):
        if np.array_equal(POINTS[row], POINTS[index[k]]):
            # The same vector; the labels of rows 9 and 10 differ, and are checked below.
            continue
        assert refused(with_supports(whole, which, **{f"index_{side}": put(index, k, row)}))


def test_a_row_of_another_cluster_with_the_same_vector(whole: Geometry) -> None:
    index = whole.clusters.distances.supports.index_b
    at = int(np.flatnonzero(index == 9)[0])
    changed = with_supports(whole, "clusters", index_b=put(index, at, 10))
    refused(changed, "row 10 of the data, which belongs to cluster 4 of 'c'")


def supports_in(g: Geometry, which: str) -> Supports:
    return g.clusters.blocks.supports if which == "blocks" else pairs_in(g, which).supports


def with_supports(g: Geometry, which: str, **changes: Any) -> Geometry:
    supports = dataclasses.replace(supports_in(g, which), **changes)
    if which == "blocks":
        return with_clusters(g, blocks=dataclasses.replace(g.clusters.blocks, supports=supports))
    return with_pairs(g, which, supports=supports)


@pytest.mark.parametrize("name", ["first", "second", "blocker", "gap", "certificate"])
def test_every_cell_of_the_blocks_counts(whole: Geometry, name: str) -> None:
    blocks = whole.clusters.blocks
    column = getattr(blocks, name)
    for k, cell in enumerate(column.tolist()):
        below = len(blocks.supports) if name == "certificate" else len(whole.clusters)
        others = [1e-6, -1e-6, 1.0] if name == "gap" else [n for n in range(below) if n != cell]
        for other in others:
            changed = dataclasses.replace(blocks, **{name: put(column, k, other)})
            assert refused(with_clusters(whole, blocks=changed))


def test_every_point_lies_in_its_cluster(whole: Geometry) -> None:
    for row, cluster in itertools.product(range(len(POINTS)), range(6)):
        if cluster != ASSIGNMENT[row]:
            assert refused(with_clusters(whole, assignment=put(ASSIGNMENT, row, cluster)))


def other_values(g: Geometry) -> Iterator[tuple[str, Geometry]]:
    """Yield changes of what is neither a distance nor a cluster."""
    for k in range(g.n_labels):
        other = (k + 1) % g.n_labels
        counts = put(put(g.counts, k, g.counts[k] + 1), other, g.counts[other] - 1)
        yield "points of each label", dataclasses.replace(g, counts=counts)
        for j in range(g.n_dims):
            centroids = g.centroids.copy()
            centroids[k, j] += 1e-9
            yield "centroid", dataclasses.replace(g, centroids=centroids)
    yield "spread of label 'a'", dataclasses.replace(g, spread=np.zeros(g.n_labels))
    yield "list of labels", dataclasses.replace(g, classes=np.array(["a", "b", "d"]))
    yield "type of the points", dataclasses.replace(g, dtype="float32")
    for name in ("points", "labels"):
        prints = {**g.fingerprints, name: "0" * 64}
        yield f"hash of the {name}", dataclasses.replace(g, fingerprints=prints)
    yield "hash of the points", dataclasses.replace(g, fingerprints={})
    for name, words in (
        ("merges", "merges"),
        ("duplicate_points", "repeat an earlier|merges"),
        ("contradictory_points", "contradictory points"),
    ):
        for change in (-1, 1):
            value = getattr(g.counters, name) + change
            counters = dataclasses.replace(g.counters, **{name: value})
            yield words, dataclasses.replace(g, counters=counters)
    for tau in (-1e-7, 0.0, 3.0, float("nan")):
        yield "tau", with_pairs(g, "hulls", tau=tau)
    for scale in (8.725118, 1e9, 0.0):
        yield "R is", with_pairs(g, "hulls", scale=scale)
    yield "tau and R", with_pairs(g, "clusters", tau=1e-6)
    yield "tau and R", with_pairs(g, "clusters", scale=1e9)


def test_everything_else_counts(whole: Geometry) -> None:
    for words, changed in other_values(whole):
        refused(changed, words)


def test_another_vector_or_label(whole: Geometry) -> None:
    points = POINTS.copy()
    points[3, 1] = np.nextafter(points[3, 1], 2)
    for data, labels in (
        (points, LABELS),
        (POINTS[::-1], LABELS),
        (POINTS[:-1], LABELS[:-1]),
        (POINTS.astype(np.float32), LABELS),
        (np.c_[POINTS, POINTS], LABELS),
        (POINTS, LABELS[::-1]),
        (POINTS, np.char.upper(LABELS)),
    ):
        with pytest.raises(VerificationError, match="of the data given"):
            verify_geometry(whole, data, labels)


def test_bad_data_is_not_a_bad_result(whole: Geometry) -> None:
    with pytest.raises(InputError):
        verify_geometry(whole, POINTS * np.nan, LABELS)
    with pytest.raises(InputError):
        verify_geometry(whole, POINTS, LABELS[:3])


def test_a_made_up_lower_bound(whole: Geometry) -> None:
    """A lower bound above what the hyperplane leaves, yet below the upper bound's tolerance."""
    lower = whole.clusters.distances.lower
    changed = with_pairs(whole, "clusters", lower=put(lower, 0, lower[0] + 1e-9))
    refused(changed, "row 0 .*the bounds are")


def test_a_longer_vector_is_no_distance(whole: Geometry) -> None:
    """Weights on a farther corner: convex, of the right length, but with too small a margin."""
    pairs = whole.clusters.distances
    k = next(k for k in range(len(pairs)) if (pairs.first[k], pairs.second[k]) == (0, 5))
    at = int(pairs.supports.start_a[k])
    assert pairs.supports.index_a[at] in (3, 13)
    assert pairs.supports.start_a[k + 1] == at + 1
    far = with_supports(whole, "clusters", index_a=put(pairs.supports.index_a, at, 0))
    far = with_pairs(far, "clusters", upper=put(pairs.upper, k, 5.0))
    refused(with_pairs(far, "clusters", lower=put(pairs.lower, k, 5.0)), "lower is 5.0")
    honest = with_pairs(far, "clusters", lower=put(pairs.lower, k, 4.0))
    refused(honest, rf"row {k} .* 0\.2 apart, relatively, and rounding explains")
    report = verify_geometry(honest, POINTS, LABELS, max_gap=0.25)
    assert report.worst_gap == pytest.approx(0.2)


def merged_on_paper() -> Geometry:
    """All parts consistent, label a declared one cluster, although b stands in between."""
    g = geometry_by_hand()
    merged = np.array([0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 4, 0])
    label = np.array([0, 1, 1, 2, 2])
    distances = distances_by_hand(POINTS, merged, pairs_of(label), g.scale)
    blocks = g.clusters.blocks
    fewer = dataclasses.replace(
        blocks,
        first=blocks.first[1:] - 1,
        second=blocks.second[1:] - 1,
        blocker=blocks.blocker[1:] - 1,
        gap=blocks.gap[1:],
        certificate=blocks.certificate[1:],
    )
    # What the search over corners and edges finds is the truth for hulls that are disjoint only.
    assert distances.upper[0] > 0
    return dataclasses.replace(
        with_clusters(g, assignment=merged, label=label, distances=distances, blocks=fewer),
        counters=dataclasses.replace(g.counters, merges=8),
    )


def test_clusters_merged_on_paper() -> None:
    refused(merged_on_paper(), "distances of clusters, row 0 ")


def test_overlapping_labels_merged_and_marked_unproved() -> None:
    """The status admits that nothing is proved, and the space would be nearly linear."""
    g = merged_on_paper()
    d = g.clusters.distances
    unproved = with_pairs(
        g,
        "clusters",
        lower=put(d.lower, 0, 0.0),
        status=put(d.status, 0, Status.UNPROVED),
    )
    refused(unproved, "the pair is unproved, but clusters are a partition only where")


def test_an_overlap_declared_outright(whole: Geometry) -> None:
    """The overlap admitted, with weights that prove it: then the clusters are no partition."""
    g = merged_on_paper()
    d, met = g.clusters.distances, g.hulls.supports
    sides = [(*d.supports.side_a(k), *d.supports.side_b(k)) for k in range(len(d))]
    sides[0] = (*met.side_a(0), *met.side_b(0))
    overlap = with_pairs(
        g,
        "clusters",
        lower=put(d.lower, 0, 0.0),
        upper=put(d.upper, 0, 0.0),
        status=put(d.status, 0, Status.OVERLAP),
        supports=Supports.of(sides),
    )
    refused(overlap, "only single vectors may coincide")


def test_every_point_a_cluster_of_its_own_with_a_huge_tau() -> None:
    points, labels = POINTS[:9], LABELS[:9]
    honest = distances_by_hand(points, np.arange(9), pairs_of((labels == "b").astype(int)), 1.0)
    scale = float(np.linalg.norm(points - points.mean(axis=0), axis=1).max())
    all_overlap = dataclasses.replace(
        honest,
        lower=np.zeros(len(honest)),
        status=np.full(len(honest), Status.OVERLAP, np.uint8),
        tau=3.0,
        scale=scale,
    )
    assert (all_overlap.upper <= 3.0 * scale).all()
    whole = distances_by_hand(points, (labels == "b").astype(np.int64), [(0, 1)], scale)
    g = Geometry(
        cell=Cell("plane"),
        classes=np.array(["a", "b"]),
        counts=np.array([7, 2]),
        centroids=np.array([points[:7].mean(axis=0), points[7:].mean(axis=0)]),
        hulls=dataclasses.replace(
            whole,
            lower=np.zeros(1),
            status=np.array([Status.OVERLAP], np.uint8),
            tau=3.0,
        ),
        clusters=dataclasses.replace(
            geometry_by_hand().clusters,
            assignment=np.arange(9),
            label=(labels == "b").astype(np.int64),
            distances=all_overlap,
            blocks=NO_BLOCKS,
        ),
        fingerprints=Space(points, labels).fingerprints(),
    )
    with pytest.raises(VerificationError, match="tau must lie between"):
        verify_geometry(g, points, labels)


def test_distances_22_times_too_large(whole: Geometry) -> None:
    """Upper bounds with weights to match, lower bounds as they are: true, and worth nothing."""
    d = whole.clusters.distances
    k = int(np.argmin(np.where(d.status == Status.DISJOINT, d.upper, np.inf)))
    rows_a = np.flatnonzero(ASSIGNMENT == d.first[k])
    rows_b = np.flatnonzero(ASSIGNMENT == d.second[k])
    far = np.linalg.norm(POINTS[rows_a][:, None] - POINTS[rows_b][None], axis=2)
    i, j = np.unravel_index(far.argmax(), far.shape)
    sides = [(*d.supports.side_a(m), *d.supports.side_b(m)) for m in range(len(d))]
    one = np.ones(1)
    sides[k] = (rows_a[i : i + 1], one, rows_b[j : j + 1], one)
    along = (POINTS[rows_a[i]] - POINTS[rows_b[j]]) / far[i, j]
    margin = (POINTS[rows_a] @ along).min() - (POINTS[rows_b] @ along).max()
    assert margin > 0
    changed = with_pairs(
        whole,
        "clusters",
        upper=put(d.upper, k, far[i, j]),
        lower=put(d.lower, k, margin - 1e-14),
        supports=Supports.of(sides),
    )
    refused(changed, "max_gap accepts more")


def test_a_block_of_the_own_label(whole: Geometry) -> None:
    blocks = whole.clusters.blocks
    changed = dataclasses.replace(blocks, blocker=put(blocks.blocker, 1, 2))
    refused(with_clusters(whole, blocks=changed), "of the two clusters itself")


def test_a_block_that_does_not_meet(whole: Geometry) -> None:
    """Convex weights that lie in the right clusters but apart."""
    weight = whole.clusters.blocks.supports.weight_a.copy()
    weight[:4] = 0.25
    changed = with_supports(whole, "blocks", weight_a=weight)
    refused(changed, r"blocks, row 0: gap is 0\.0, but its convex weights give 0\.25")


def unproved_by_hand(upper: float) -> tuple[Geometry, np.ndarray, np.ndarray]:
    """Return two points of two labels that far apart, beside far ones, and nothing proved."""
    points = np.array([[0.0, 0.0], [0.0, 1.0], [upper, 0.0], [upper, -1.0]])
    labels = np.array(["a", "a", "b", "b"])
    scale = float(np.linalg.norm(points - points.mean(axis=0), axis=1).max())
    codes = np.array([0, 0, 1, 1])
    hulls = distances_by_hand(points, codes, [(0, 1)], scale)
    g = Geometry(
        cell=Cell("close"),
        classes=np.array(["a", "b"]),
        counts=np.array([2, 2]),
        centroids=np.array([points[:2].mean(axis=0), points[2:].mean(axis=0)]),
        hulls=dataclasses.replace(
            hulls, lower=np.zeros(1), status=np.array([Status.UNPROVED], np.uint8)
        ),
        clusters=None,
        fingerprints=Space(points, labels).fingerprints(),
    )
    return g, points, labels


def test_unproved_pairs_of_labels_are_named_and_counted() -> None:
    g, points, labels = unproved_by_hand(2e-7)
    report = verify_geometry(g, points, labels)
    assert report.n_unproved == 1
    assert report.unproved == ("a and b",)
    assert report.worst_gap == 1.0
    said = summarise_verification(report)[-1].lines
    assert "UNPROVED pairs: 1." in said[0]
    assert said[1] == "Unproved: a and b."


def test_unproved_is_no_word_for_any_distance() -> None:
    """Hulls plainly apart and marked unproved, so that the upper bound may be anything."""
    g, points, labels = unproved_by_hand(0.5)
    with pytest.raises(VerificationError, match="max_gap accepts more"):
        verify_geometry(g, points, labels)
    assert verify_geometry(g, points, labels, max_gap=1.0).n_unproved == 1


def test_a_short_distance_between_small_clusters_is_no_excuse() -> None:
    """Two labels 1e-9 R apart and as small as that: there is little that rounding could turn."""
    d, tau = 1e-9, 1e-11
    points = np.array(
        [[0.0, 0.0], [0.0, d / 4], [d / 2, d / 8], [d / 2, d], [1.0, 1.0], [-1.0, -1]]
    )
    labels = np.array(["a", "a", "b", "b", "c", "d"])
    codes = np.array([0, 0, 1, 1, 2, 3])
    scale = float(np.linalg.norm(points - points.mean(axis=0), axis=1).max())
    pairs = list(itertools.combinations(range(4), 2))
    apart = np.full(len(pairs), Status.DISJOINT, np.uint8)
    hulls = distances_by_hand(points, codes, pairs, scale)
    hulls = dataclasses.replace(hulls, tau=tau, status=apart)
    g = Geometry(
        cell=Cell("small"),
        classes=np.array(["a", "b", "c", "d"]),
        counts=np.bincount(codes).astype(np.int64),
        centroids=np.array([points[codes == k].mean(axis=0) for k in range(4)]),
        hulls=hulls,
        clusters=None,
        fingerprints=Space(points, labels).fingerprints(),
    )
    honest = verify_geometry(g, points, labels)
    assert honest.worst_gap < 1e-4
    # The far corner of b instead: convex, of the right length, with a hyperplane between.
    far = float(np.linalg.norm(points[0] - points[3]))
    along = (points[0] - points[3]) / far
    margin = float((points[:2] @ along).min() - (points[2:4] @ along).max())
    assert margin > tau * scale
    one = np.ones(1)
    sides = [(*hulls.supports.side_a(m), *hulls.supports.side_b(m)) for m in range(len(hulls))]
    sides[0] = (np.array([0]), one, np.array([3]), one)
    for lower in (margin, far):
        forged = dataclasses.replace(
            hulls,
            upper=put(hulls.upper, 0, far),
            lower=put(hulls.lower, 0, lower),
            supports=Supports.of(sides),
        )
        with pytest.raises(VerificationError, match=r"row 0 \(a and b\)"):
            verify_geometry(dataclasses.replace(g, hulls=forged), points, labels)


def test_distances_of_clusters_count_although_those_of_labels_are_right() -> None:
    """A space of one cluster a label, with distances of clusters that are not those of labels."""
    g, points, labels = unproved_by_hand(0.5)
    hulls = distances_by_hand(points, np.array([0, 0, 1, 1]), [(0, 1)], g.scale)
    clusters = Clusters(
        np.array([0, 0, 1, 1]),
        np.array([0, 1]),
        dataclasses.replace(hulls, upper=hulls.upper * 3),
        NO_BLOCKS,
    )
    forged = dataclasses.replace(g, hulls=hulls, clusters=clusters)
    with pytest.raises(VerificationError, match="distances of clusters"):
        verify_geometry(forged, points, labels)


def test_every_pair_is_listed(whole: Geometry) -> None:
    d = whole.clusters.distances
    for which, at in (("hulls", 1), ("clusters", 3)):
        pairs = pairs_in(whole, which)
        refused(with_pairs(whole, which, first=put(pairs.first, at, pairs.second[at])), "listed")
    fewer = distances_by_hand(POINTS, ASSIGNMENT, pairs_of(whole.clusters.label)[1:], whole.scale)
    assert len(fewer) == len(d) - 1
    refused(with_clusters(whole, distances=fewer), "are listed, but there are")


@pytest.mark.parametrize("max_gap", [float("nan"), -0.1, 1.5])
def test_a_gap_that_is_none(whole: Geometry, max_gap: float) -> None:
    with pytest.raises(InputError, match="max_gap must lie between 0 and 1"):
        verify_geometry(whole, POINTS, LABELS, max_gap=max_gap)


def separated(seed: int, n_labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points of labels whose hulls lie in different cells of a grid."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(n_labels), rng.integers(1, 6, n_labels)))
    return rng.uniform(-0.4, 0.4, (len(labels), 2)) + np.c_[labels % 3, labels // 3], labels


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("factor", "offset", "dtype"),
    [
        (1.0, 0.0, np.float64),
        (1e-100, 0.0, np.float64),
        (1e100, 0.0, np.float64),
        (1.0, 1e6, np.float64),
        (1.0, 100.0, np.float32),
        (1e-20, 0.0, np.float32),
    ],
)
def test_a_right_geometry_passes_whatever_the_units(
    seed: int, factor: float, offset: float, dtype: type
) -> None:
    points, labels = separated(seed, 8)
    points = (points * factor + offset).astype(dtype)
    exact = points.astype(np.float64)
    exact -= exact.mean(axis=0)
    scale = float(np.linalg.norm(exact / factor, axis=1).max() * factor)
    pairs = list(itertools.combinations(range(8), 2))
    found = distances_by_hand(exact / factor, labels, pairs, scale / factor)
    hulls = dataclasses.replace(
        found, lower=found.lower * factor, upper=found.upper * factor, scale=scale
    )
    wide = points.astype(np.float64)
    g = Geometry(
        cell=Cell("grid"),
        classes=np.arange(8),
        counts=np.bincount(labels).astype(np.int64),
        centroids=np.array([wide[labels == k].mean(axis=0) for k in range(8)]),
        hulls=hulls,
        clusters=None,
        fingerprints=Space(points, labels).fingerprints(),
        dtype=points.dtype.name,
    )
    report = verify_geometry(g, points, labels)
    assert dict(report.checks)["pairs of labels disjoint, both bounds hold"] == 28
    assert report.worst_gap < 1e-10


def test_batches_change_nothing(whole: Geometry, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = verify_geometry(whole, POINTS, LABELS)
    monkeypatch.setattr("geoprobe.verify.centred.ELEMENTS_AT_ONCE", 6)
    small = verify_geometry(whole, POINTS, LABELS)
    assert small.checks == at_once.checks
    assert small.worst_gap == at_once.worst_gap


def test_margins_against_a_loop() -> None:
    rng = np.random.default_rng(3)
    points = rng.normal(size=(60, 4))
    assignment = np.r_[np.arange(12), rng.integers(0, 8, 48)]
    centred = CentredPoints(points, assignment, 12)
    normals = rng.normal(size=(50, 4))
    clusters = rng.integers(0, 12, 50)
    lowest = centred.lowest(normals, clusters)
    for k in range(50):
        own = centred.centred[assignment == clusters[k]]
        assert lowest[k] == pytest.approx((own @ normals[k]).min(), rel=1e-13, abs=1e-13)


def test_combinations_against_a_loop() -> None:
    """Of one row, of a few and of many, which are summed in different ways."""
    rng = np.random.default_rng(4)
    centred = CentredPoints(rng.normal(size=(40, 3)), np.zeros(40, dtype=np.int64), 1)
    for sizes in (np.ones(5, dtype=np.int64), rng.integers(1, 4, 9), rng.integers(1, 30, 50)):
        start = np.concatenate([[7], 7 + np.cumsum(sizes)])
        index = rng.integers(0, 40, start[-1])
        weight = rng.random(start[-1])
        combined = centred.combine(start, index, weight)
        for k in range(len(sizes)):
            part = slice(start[k], start[k + 1])
            share = weight[part] / weight[part].sum()
            assert combined[k] == pytest.approx(share @ centred.centred[index[part]], abs=1e-15)


def test_verification_loads_no_kernel_and_no_solver(repository: Any) -> None:
    code = (
        "import sys, geoprobe.verify\n"
        "loaded = [m for m in sys.modules if m.startswith(('geoprobe.kernels', 'geoprobe.hulls',"
        " 'geoprobe.probes', 'numba', 'llvmlite', 'highspy', 'scipy', 'sklearn', 'faiss'))]\n"
        "print(loaded)\n"
        "sys.exit(bool(loaded))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
